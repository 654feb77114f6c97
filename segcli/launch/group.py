"""The ranks of a command, as they meet at the end of their work, and end together where one fails."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from segcli.errors import ExitCode, SegcliError
from segcli.launch.shards import LAUNCHER, Ranks, end_with_parent, require_distributed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed.distributed_c10d import Store

_T = TypeVar("_T")

# Ranks of one launch start together.
_MEET_WITHIN = timedelta(minutes=10)
# Shards take unequally long, and who is done waits for the others; that one died, torchrun tells.
_WAIT_AT_MOST = timedelta(days=7)
# How long one that need not speak waits to be ended by torchrun, which looks every 0.1 s.
_ENDED_WITHIN_S = 10.0
_ASK_EVERY_S = 1.0
_ENDED = "segcli/ended"
_LOST = "another rank ended before the work was done"


class LostRanksError(SegcliError):
    """Another rank ended, which says why itself."""


class Group:
    """The ranks, as they meet: at the end of the work, never in its midst.

    Attributes:
        ranks: Which of them this process is.
    """

    def __init__(self, ranks: Ranks | None = None, store: "Store | None" = None) -> None:
        """Keep who we are, and where ranks leave word; one process alone has nobody to meet."""
        self.ranks = ranks or Ranks()
        self._store = store
        self._asked_s = 0.0

    def gather(self, value: _T) -> list[_T]:
        """Return every rank's value, in order of rank, on every rank. Values must be picklable.

        Raises:
            LostRanksError: Where a rank has ended.
        """
        if self.ranks.world == 1:
            return [value]
        from torch import distributed

        values: list[_T] = [value] * self.ranks.world
        with _meeting():
            distributed.all_gather_object(values, value)
        return values

    def add_up(self, tensor: "Tensor") -> None:
        """Replace a CPU tensor, of one shape and dtype on all ranks, by the sum over ranks.

        Raises:
            LostRanksError: Where a rank has ended.
        """
        if self.ranks.world == 1:
            return
        from torch import distributed

        with _meeting():
            distributed.all_reduce(tensor)

    def check(self) -> None:
        """Look, once a second at most, whether a rank has failed; torchrun ends those of its own machine alone.

        Raises:
            LostRanksError: Where one has.
        """
        if self._store is None or time.monotonic() - self._asked_s < _ASK_EVERY_S:
            return
        self._asked_s = time.monotonic()
        with _lost_explained():
            has_ended = self._store.check([_ENDED])
        if has_ended:
            raise LostRanksError(_LOST)


@contextmanager
def _lost_explained() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostRanksError(_LOST, hint=f"torch says: {str(error).splitlines()[0]}") from error


@contextmanager
def _meeting() -> Iterator[None]:
    """Let signals end this process at once: inside torch, Python's own handlers would wait for the other ranks."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, signal.SIG_DFL)
    try:
        with _lost_explained():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def joined(ranks: Ranks, device: str) -> Iterator[Group]:
    """Join the other ranks for the length of the block.

    Of ranks that fail, one alone raises, so that one alone complains; the others end without a word.

    Args:
        ranks: As `ranks` says.
        device: On which the block works: for ``cuda``, each rank gets one of the machine's GPUs.

    Raises:
        SegcliError: Where torch has no distributed part (exit code 3), or the ranks do not find each other.
    """
    if ranks.world == 1:
        yield Group(ranks)
        return
    require_distributed()
    from torch import distributed

    end_with_parent(signal.SIGTERM, int(os.environ.get(LAUNCHER, os.getppid())))
    store = _meet(ranks, device)
    try:
        yield Group(ranks, store)
    except KeyboardInterrupt:
        # The launcher says it.
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except Exception as error:
        _end_unless_first(store, error)
        raise
    finally:
        distributed.destroy_process_group()


def _meet(ranks: Ranks, device: str) -> "Store":
    from torch import cuda, distributed
    from torch.distributed.rendezvous import rendezvous

    kind, _, index = device.partition(":")
    if kind == "cuda" and not index:
        cuda.set_device(ranks.local_rank % cuda.device_count())  # pragma: no cover - needs a GPU
    # What ranks tell each other lies on the CPU, whatever they compute on; connections of NCCL are made when used.
    backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
    try:
        store: Store
        store, rank, world = next(rendezvous("env://", timeout=_MEET_WITHIN))
        distributed.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_WAIT_AT_MOST)
    except (RuntimeError, ValueError) as error:
        message = f"rank {ranks.rank} of {ranks.world} cannot meet the others: {str(error).splitlines()[0]}"
        raise SegcliError(message) from error
    return store


def _end_unless_first(store: "Store", error: Exception) -> None:
    """Return where this rank is the first to fail; else wait to be ended, and end."""
    is_lost = isinstance(error, LostRanksError)
    if is_lost:
        # The one that ended says why, and then torchrun ends this one.
        time.sleep(_ENDED_WITHIN_S)
    if _is_first_to_end(store):
        return
    # Not at once: torchrun, seeing this rank end, would end the one that is about to speak.
    time.sleep(0 if is_lost else _ENDED_WITHIN_S)
    raise SystemExit(ExitCode.NO)


def _is_first_to_end(store: "Store") -> bool:
    # Where nobody can be asked any more, two complaints are better than none.
    with suppress(RuntimeError):
        return int(store.add(_ENDED, 1)) == 1
    return True
