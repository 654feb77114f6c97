"""Clocks and the timers that read them; a fake clock put in their place makes the measuring exact in tests."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

Work = Callable[[], object]


class Clock(Protocol):
    """The time on the host, and a way to wait until the device has done what it was given."""

    def now_ns(self) -> int:
        """Return nanoseconds since any fixed moment; never goes back."""

    def synchronise(self) -> None:
        """Return once the device is idle."""


class Timer(Protocol):
    """Times calls of a piece of work."""

    @property
    def name(self) -> str:
        """What is read, in words."""

    @property
    def clock(self) -> Clock:
        """The host's clock, by which budgets are kept."""

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds that ``calls`` calls of ``work`` take together, after one that is not timed.

        The untimed call brings back the caches that another contender has used: the timings are hot ones.
        """


class HostClock:
    """``time.perf_counter_ns``, for work that is done when its call returns."""

    def now_ns(self) -> int:
        """Return the performance counter."""
        return time.perf_counter_ns()

    def synchronise(self) -> None:
        """Do nothing: on the host a call returns when its work is done."""


@dataclass(frozen=True)
class CudaClock:
    """``time.perf_counter_ns``, with ``torch.cuda.synchronize`` for the device."""

    device: "torch.device"

    def now_ns(self) -> int:
        """Return the performance counter of the host."""
        return time.perf_counter_ns()

    def synchronise(self) -> None:
        """Wait for every stream of the device."""
        import torch

        torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class HostTimer:
    """Reads the host's clock before and after a block of calls, the device idle at both readings."""

    clock: Clock
    name: str = "perf_counter_ns"

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds of a block of calls."""
        work()
        self.clock.synchronise()
        start = self.clock.now_ns()
        for _ in repeat(None, calls):
            work()
        self.clock.synchronise()
        return (self.clock.now_ns() - start) / 1e9


@dataclass(frozen=True)
class EventTimer:
    """Lets the device note when it starts and ends a block of calls, so that the way to the host is not timed.

    A kernel shorter than its launch (some microseconds) still waits for the host: such a block shows launch cost.

    Attributes:
        clock: The host's clock.
        make_event: Makes a ``torch.cuda.Event`` that keeps times, or what behaves like one.
        name: What is read.
    """

    clock: Clock
    make_event: Callable[[], Any]
    name: str = "CUDA events"

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds of a block of calls, by the device's own clock."""
        start, end = self.make_event(), self.make_event()
        work()
        self.clock.synchronise()
        start.record()
        for _ in repeat(None, calls):
            work()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3


def timer_for(device: "torch.device") -> Timer:
    """Return CUDA events for a CUDA device, the performance counter for the host."""
    if device.type != "cuda":
        return HostTimer(HostClock())
    import torch

    return EventTimer(CudaClock(device), partial(torch.cuda.Event, enable_timing=True))
