"""A clock that stands still, and work that moves it: with them every timing is exact."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

from segcli.bench.measuring.timer import HostTimer


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
