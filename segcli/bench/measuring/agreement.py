"""Several ranks that time one collective: they must call it equally often, so they decide everything alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Protocol

from segcli.bench.measuring.timer import Clock, Timer, Work

_FAILED = "another rank failed in this kernel"


class Ranks(Protocol):
    """What ranks tell each other; `segcli.launch.Group` is one."""

    def gather(self, value: float) -> list[float]:
        """Return every rank's number, in order of rank, on every rank."""


@dataclass(frozen=True)
class GroupClock:
    """The clock of the rank that is furthest ahead: whoever asks whether time is up hears what all others hear.

    All ranks must read it equally often.

    Attributes:
        own: This rank's clock.
        ranks: All of them.
    """

    own: Clock
    ranks: Ranks

    def now_ns(self) -> int:
        """Return the greatest time of all ranks, each counted from its own start of the clock."""
        return round(max(self.ranks.gather(self.own.now_ns())))

    def synchronise(self) -> None:
        """Wait for this rank's device."""
        self.own.synchronise()


@dataclass(frozen=True)
class GroupTimer:
    """Takes the time of the slowest rank, since a collective is done when it is done everywhere.

    Attributes:
        own: This rank's timer.
        ranks: All of them.
    """

    own: Timer
    ranks: Ranks

    @property
    def name(self) -> str:
        """What is read, in words."""
        return f"{self.own.name}, the slowest rank"

    @property
    def clock(self) -> GroupClock:
        """The clock that all ranks agree on."""
        return GroupClock(self.own.clock, self.ranks)

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds of the rank that took longest.

        Raises:
            RuntimeError: On every rank, where the work raised one on any.
        """
        # Nobody starts the clock while others are still elsewhere.
        self.ranks.gather(0.0)
        try:
            own_s = self.own.time_s(work, calls)
        except (RuntimeError, ValueError):
            self.ranks.gather(nan)
            raise
        return slowest(self.ranks.gather(own_s))


def slowest(times_s: Sequence[float]) -> float:
    """Return the greatest of times of all ranks.

    Raises:
        RuntimeError: Where a rank failed, whose time is NaN.
    """
    if any(isnan(each) for each in times_s):
        raise RuntimeError(_FAILED)
    return max(times_s)
