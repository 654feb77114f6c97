"""Which of how many processes this is, and which shard of the work is its own. Knows the environment, not torch."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from segcli.errors import ExitCode, SegcliError

_T = TypeVar("_T")

# Set by torchrun alone; RANK and WORLD_SIZE are set by others too, for whom one process is all there is.
_MARK = "TORCHELASTIC_RUN_ID"
# Set by `segcli.launch.relaunch`: the process that started torchrun's ranks.
LAUNCHER = "SEGCLI_LAUNCHER"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is.

    Attributes:
        rank: Among all, from 0.
        world: How many there are.
        local_rank: Among those of this machine.
        local_world: How many are on this machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0


def ranks() -> Ranks:
    """Return what torchrun says in the environment; one process where it says nothing.

    Raises:
        SegcliError: Where what it says is no number.
    """
    if not is_launched():
        return Ranks()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    try:
        rank, world, local_rank, local_world = (int(os.environ[name]) for name in names)
    except (KeyError, ValueError) as error:
        message = f"{_MARK} is set, yet not all of {', '.join(names)} are numbers: {error}"
        raise SegcliError(message, hint=f"start with torchrun, or unset {_MARK}") from error
    return Ranks(rank, world, local_rank, local_world)


def is_launched() -> bool:
    """Return whether torchrun started this process."""
    return _MARK in os.environ


def needs_launch(nproc: int) -> bool:
    """Return whether this process is to start ``nproc`` others; it is not where it is one of them.

    Raises:
        SegcliError: For a number below 1, or where torchrun started another number of processes here.
    """
    if nproc < 1:
        message = f"--nproc is {nproc}, expected 1 or more"
        raise SegcliError(message)
    if not is_launched():
        return nproc > 1
    local_world = ranks().local_world
    if nproc not in (1, local_world):
        message = f"--nproc is {nproc}, but torchrun started {local_world} processes on this machine"
        raise SegcliError(message, hint="leave --nproc out: under torchrun, its --nproc-per-node says it")
    return False


def cores(ranks: Ranks | None = None) -> int:
    """Return how many cores this process may use; of a rank, its share of them."""
    has_affinity = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1  # pragma: no branch - by system
    return max(1, count // (ranks or Ranks()).local_world)


def shard(items: Sequence[_T], ranks: Ranks) -> Sequence[_T]:
    """Return this rank's items: every ``world``-th. Shards are uneven where they must be; nothing is padded.

    Examples:
        >>> [shard(range(7), Ranks(rank, 3)) for rank in range(3)]
        [range(0, 7, 3), range(1, 7, 3), range(2, 7, 3)]
    """
    return items[ranks.rank :: ranks.world]


def require_distributed() -> None:
    """Raise where torch has no distributed part (exit code 3)."""
    import torch.distributed

    if not torch.distributed.is_available():
        message = "this torch was built without torch.distributed, which several processes need"
        hint = "leave --nproc out, or install a torch with it"
        raise SegcliError(message, hint, ExitCode.UNAVAILABLE)


def end_with_parent(number: signal.Signals, parent: int) -> None:
    """Let the system send this process a signal when the one that started it ends, however it does (Linux alone).

    Args:
        number: The signal.
        parent: The process that started this one; where it has ended already, the signal comes now.
    """
    if sys.platform != "linux":  # pragma: no cover - by system
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)
