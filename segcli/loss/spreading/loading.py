"""Pairs, read and on the CPU measured by processes of torch's DataLoader, in order, with what went wrong by name."""

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from segcli.errors import ExitCode, SegcliError
from segcli.launch import end_with_parent
from segcli.loss.sources.sample import Pair, Sample
from segcli.loss.spreading.measured import Measured, Packed, Work, finite, pack, unpack
from segcli.loss.spreading.scale import Scale
from segcli.tensorio import split_reference

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_T = TypeVar("_T")
# Two numbers a worker on the board: its process, and the pair it is at.
_SLOTS = 2
_HINTS = {
    signal.SIGKILL.value: "was memory short? use fewer --workers, a smaller --batch-size or --nproc",
    signal.SIGBUS.value: "was the file cut while it was read, or is /dev/shm full? try --workers 0",
}


@dataclass(frozen=True, order=True)
class Failure:
    """A pair that could not be measured.

    Attributes:
        name: The pair's.
        message: What is wrong, with the file's name.
        hint: The way out.
        code: The exit code, were it the end.
    """

    name: str
    message: str
    hint: str = ""
    code: ExitCode = ExitCode.USAGE

    def error(self) -> SegcliError:
        """Return it as the error that it was."""
        return SegcliError(self.message, self.hint, self.code)


Result = Measured | Failure


def attempt(pair: Pair, act: Callable[[], _T]) -> _T | Failure:
    """Return what ``act`` returns, or what is wrong with the pair; a bug is raised."""
    try:
        return act()
    except SegcliError as error:
        return Failure(pair.name, error.message, error.hint, error.code)
    except OSError as error:
        return Failure(pair.name, f"{error.filename or pair.name}: {error.strerror or error}")
    except (MemoryError, RuntimeError) as error:
        if not _is_short_of_memory(error):
            raise
        return Failure(
            pair.name, f"{pair.name}: out of memory", "use fewer --workers, a smaller --batch-size or --nproc"
        )


def named(pair: Pair, failure: Failure) -> Failure:
    """Return it with a message that tells one pair from others: by a file of the pair, or else by its name.

    Examples:
        >>> named(Pair("a", "p/a.pt:out", "l/a.png"), Failure("a", "alpha has shape (2,)")).message
        'a: alpha has shape (2,)'
        >>> named(Pair("a", "p/a.pt:out", "l/a.png"), Failure("a", "p/a.pt is empty")).message
        'p/a.pt is empty'
    """
    files = [str(split_reference(reference)[0]) for reference in (pair.logits, pair.labels)]
    if failure.message.startswith(f"{pair.name}:") or any(file in failure.message for file in files):
        return failure
    return replace(failure, message=f"{pair.name}: {failure.message}")


def _is_short_of_memory(error: Exception) -> bool:
    import torch

    # Torch's allocator of the CPU has no class of its own for it.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def loading(pairs: Sequence[Pair], work: Work, scale: Scale) -> Iterator[Iterator[Result]]:
    """Give each pair's result, in order, while the next are being read.

    With workers on the CPU, each reads and measures, one thread each: what torch computes in a forked process with more
    than one thread never ends where its parent has computed already. With CUDA they read, into pinned memory.

    Raises:
        SegcliError: Where the system ends a worker, with the pair it was at; in whatever the block does then.
    """
    if not scale.workers:
        yield (attempt(pair, partial(_read_and_measured, work, pair)) for pair in pairs)
        return
    board = multiprocessing.get_context("fork").RawArray("q", _SLOTS * scale.workers)
    others = set(multiprocessing.active_children())
    items = _started(_Pairs(pairs, work, board, measures=not scale.on_cuda), scale)
    workers = [child for child in multiprocessing.active_children() if child not in others]
    try:
        yield (result for batch in items for result in _results(batch, work))
    except BaseException as error:
        death = _death(workers, board, pairs) if isinstance(error, RuntimeError) else None
        _end(workers, at_once=not scale.on_cuda)
        if death is not None:
            raise death from error
        raise


def _read_and_measured(work: Work, pair: Pair) -> Measured:
    return _measured(work, work.read(pair))


def _measured(work: Work, sample: Sample) -> Measured:
    measured = work.measure(sample)
    return replace(measured, line=finite(measured.line))


def _results(batch: "_Batch", work: Work) -> Iterator[Result]:
    for pair, item in batch.items:
        match item:
            case Packed():
                yield unpack(item)
            case Sample():
                yield attempt(pair, partial(_measured, work, item))
            case _:
                yield item


class _Pairs:
    """What the workers fetch from, by index."""

    def __init__(self, pairs: Sequence[Pair], work: Work, board: Any, *, measures: bool) -> None:  # noqa: ANN401 - ctypes
        self._pairs = pairs
        self._work = work
        self._board = board
        self._measures = measures

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> "tuple[Pair, Packed | Sample | Failure]":
        from torch.utils.data import get_worker_info

        info = get_worker_info()
        worker = info.id if info else 0
        self._board[_SLOTS * worker : _SLOTS * (worker + 1)] = [os.getpid(), index]
        pair = self._pairs[index]
        return pair, attempt(pair, partial(self._fetched, pair))

    def _fetched(self, pair: Pair) -> Packed | Sample:
        if self._measures:
            return pack(_read_and_measured(self._work, pair))
        return _own_memory(self._work.read(pair))


def _own_memory(sample: Sample) -> Sample:
    """Return it with tensors that travel alone: with a view, all that it is a view of would."""
    return replace(sample, logits=sample.logits.clone(), labels=sample.labels.clone())


@dataclass(frozen=True, eq=False)
class _Batch:
    """What travels at once."""

    items: "list[tuple[Pair, Packed | Sample | Failure]]"

    def pin_memory(self) -> "_Batch":
        """Return it in memory from which a GPU copies by itself; called by the DataLoader."""
        return _Batch([(pair, _pinned(item) if isinstance(item, Sample) else item) for pair, item in self.items])


def _pinned(sample: Sample) -> Sample:  # pragma: no cover - needs a GPU
    return replace(sample, logits=sample.logits.pin_memory(), labels=sample.labels.pin_memory())


def _started(source: _Pairs, scale: Scale) -> "Iterator[_Batch]":
    from torch.utils.data import DataLoader

    with warnings.catch_warnings():
        # More workers than cores: asked for. A fork beside threads: torch's are idle, and workers start none.
        warnings.simplefilter("ignore")
        loader: DataLoader[_Batch] = DataLoader(
            source,  # type: ignore[arg-type]  # anything with these two methods will do
            batch_size=scale.batch_size,
            num_workers=scale.workers or 0,
            prefetch_factor=scale.prefetch,
            collate_fn=_Batch,
            pin_memory=scale.on_cuda,
            worker_init_fn=_begin_on_cuda if scale.on_cuda else _begin,
            multiprocessing_context="fork",
        )
        return iter(loader)


def _begin(_worker: int) -> None:
    # Ctrl-C reaches all; the one that started this process ends it, at once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL, _parent())


def _begin_on_cuda(_worker: int) -> None:
    end_with_parent(signal.SIGKILL, _parent())


def _death(workers: "Sequence[BaseProcess]", board: Sequence[int], pairs: Sequence[Pair]) -> BaseException | None:
    """Return why a worker ended before its time, if one did: torch's own words name no file."""
    dead = next((worker for worker in workers if worker.exitcode), None)
    if dead is None:
        return None
    ended_by = -(dead.exitcode or 0)
    if ended_by == signal.SIGTERM:
        # Whoever ends a process group ends this process too.
        return SystemExit(128 + ended_by)
    at = {board[slot]: board[slot + 1] for slot in range(0, len(board), _SLOTS)}
    name = pairs[at[dead.pid]].name if dead.pid in at else "no file yet"
    how = f"ended by {signal.Signals(ended_by).name}" if ended_by > 0 else f"ended with exit code {dead.exitcode}"
    return SegcliError(f"the process at {name} was {how}", _HINTS.get(ended_by, ""))


def _parent() -> int:
    parent = multiprocessing.parent_process()
    return parent.pid if parent and parent.pid else os.getppid()


def _end(workers: "Sequence[BaseProcess]", *, at_once: bool) -> None:
    """End workers in the midst of their work; those that torch's pinning thread listens to end by themselves."""
    if not at_once:
        return
    in_main = threading.current_thread() is threading.main_thread()
    # Torch would take their end for an accident.
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if in_main else None
    try:
        for worker in workers:
            if worker.exitcode is None:
                worker.kill()
        for worker in workers:
            worker.join()
    finally:
        if in_main:
            signal.signal(signal.SIGCHLD, handler)
