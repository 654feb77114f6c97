"""Clocks and the timers that read them; a fake clock put in their place makes the measuring exact in tests."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

from segcli.errors import ExitCode, SegcliError

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
    """Times calls of a piece of work under one condition."""

    @property
    def name(self) -> str:
        """What is read, in words."""

    @property
    def clock(self) -> Clock:
        """The host's clock, by which budgets are kept."""

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds that ``calls`` calls of ``work`` take together; of no calls, its own cost.

        Before, and outside of what is timed, the caches are brought into their state: by an untimed call where they
        are to be hot, since another contender has used them; by the flush before every single call where cold.
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
    """Hot: reads the host's clock before and after a block of calls, the device idle at both readings."""

    clock: Clock
    name: str = "perf_counter_ns"

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds of a block of calls; the last one's output is freed outside of it."""
        work()
        self.clock.synchronise()
        start = self.clock.now_ns()
        for _ in repeat(None, calls - 1):
            work()
        kept = work() if calls else None
        self.clock.synchronise()
        end = self.clock.now_ns()
        del kept
        return (end - start) / 1e9


@dataclass(frozen=True)
class SingleTimer:
    """Reads the host's clock around each call by itself, the device idle at both readings.

    Reading the clock, some 50 ns, is part of every call.

    Attributes:
        clock: The host's clock.
        flush: What is done before each call, so that it finds its caches cold; None where they are to be hot.
        name: What is read.
    """

    clock: Clock
    flush: Work | None = None
    name: str = "perf_counter_ns around each call"

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds of single calls; their outputs are freed outside of them."""
        before = self.flush or _nothing
        if self.flush is None:
            work()
        total_ns = 0
        for _ in repeat(None, calls):
            before()
            self.clock.synchronise()
            start = self.clock.now_ns()
            kept = work()
            self.clock.synchronise()
            total_ns += self.clock.now_ns() - start
            del kept
        return total_ns / 1e9


@dataclass(frozen=True)
class EventTimer:
    """Hot: lets the device note when it starts and ends a block of calls, so that the way to the host is not timed.

    A kernel shorter than its launch (some microseconds) still waits for the host: such a block shows launch cost,
    unless the calls are replays of a CUDA graph.

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


@dataclass(frozen=True)
class SingleEventTimer:
    """Cold: lets the device note when it starts and ends each call by itself, a flush before each.

    The flush, the events and the call are queued at once: while the device still flushes, the host launches.

    Attributes:
        clock: The host's clock.
        make_event: Makes a ``torch.cuda.Event`` that keeps times, or what behaves like one.
        flush: What is queued before each call, so that it finds its caches cold.
        name: What is read.
    """

    clock: Clock
    make_event: Callable[[], Any]
    flush: Work
    name: str = "CUDA events around each call"

    def time_s(self, work: Work, calls: int) -> float:
        """Return the seconds of single calls, by the device's own clock."""
        pairs = [(self.make_event(), self.make_event()) for _ in range(calls)]
        for start, end in pairs:
            self.flush()
            start.record()
            work()
            end.record()
        for _, end in pairs:
            end.synchronize()
        return sum(float(start.elapsed_time(end)) for start, end in pairs) / 1e3


def _nothing() -> None:
    pass


def timed_device(name: str) -> "torch.device":
    """Return the device called ``name``, for which there is a timer.

    Raises:
        SegcliError: As `segcli.device.resolve_device`; with exit code 3 for any but cpu and cuda.
    """
    from segcli.device import resolve_device

    device = resolve_device(name)
    if device.type not in ("cpu", "cuda"):
        message = f"device {device} cannot be timed: there is a timer for cpu and for cuda"
        raise SegcliError(message, hint="use --device cpu", code=ExitCode.UNAVAILABLE)
    return device


def timer_for(device: "torch.device") -> Timer:
    """Return the hot timer of a device's own time: CUDA events, or the performance counter on the host."""
    if device.type != "cuda":
        return HostTimer(HostClock())
    import torch

    return EventTimer(CudaClock(device), partial(torch.cuda.Event, enable_timing=True))
