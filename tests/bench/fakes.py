"""A clock that stands still, and work that moves it: with them every timing is exact."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from segcli.bench.measuring.cold import CacheSize
from segcli.bench.measuring.conditions import Caches, Condition
from segcli.bench.measuring.instruments import Instruments
from segcli.bench.measuring.throttling import ON_CPU
from segcli.bench.measuring.timer import HostTimer, SingleTimer


@dataclass
class FakeClock:
    """Goes forward only where it is read, by ``read_ns``, and where work says so."""

    read_ns: int = 0
    time_ns: int = 0

    def now_ns(self) -> int:
        self.time_ns += self.read_ns
        return self.time_ns

    def synchronise(self) -> None:
        pass


@dataclass
class FakeWork:
    """Takes the given nanoseconds call after call; the last of them for ever."""

    clock: FakeClock
    durations_ns: tuple[int, ...]
    calls: int = 0
    _script: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self._script = chain(self.durations_ns, repeat(self.durations_ns[-1]))

    def __call__(self) -> None:
        self.calls += 1
        self.clock.time_ns += next(self._script)


def fake_timer(read_ns: int = 0) -> tuple[FakeClock, HostTimer]:
    clock = FakeClock(read_ns)
    return clock, HostTimer(clock)


def fake_instruments(clock: FakeClock, flush_ns: int = 0, **others: Any) -> Instruments:  # noqa: ANN401 - any field
    """Times by the fake clock, hot and cold; a flush takes ``flush_ns``."""

    def flush() -> None:
        clock.time_ns += flush_ns

    timers = {Condition(): HostTimer(clock), Condition(Caches.COLD): SingleTimer(clock, flush)}
    fields: dict[str, Any] = {
        "clock": clock,
        "timer_of": timers.__getitem__,
        "replay_of": lambda _: None,
        "throttling": ON_CPU,
        "peak_bytes": lambda _: None,
        "cache": CacheSize(1024, known=True),
    }
    return Instruments(**(fields | others))
