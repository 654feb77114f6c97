from dataclasses import dataclass, field

import pytest
import torch

from segcli.bench.measuring.timer import (
    CudaClock,
    EventTimer,
    HostClock,
    HostTimer,
    SingleEventTimer,
    SingleTimer,
    timer_for,
)
from tests.bench.fakes import FakeClock, FakeWork, fake_timer


def test_a_block_takes_what_its_calls_take_without_the_untimed_one() -> None:
    clock, timer = fake_timer()
    # The first call is the untimed one: the slow call of a cold cache does not count.
    assert timer.time_s(FakeWork(clock, (9_000, 100, 200, 300)), 3) == 600e-9


def test_reading_the_clock_is_part_of_a_block() -> None:
    clock, timer = fake_timer(read_ns=50)
    assert timer.time_s(FakeWork(clock, (100,)), 2) == 250e-9


class Output:
    """Takes a second to be freed."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def __del__(self) -> None:
        self.clock.time_ns += 1_000_000_000


def test_the_last_output_of_a_block_is_freed_outside_of_it() -> None:
    clock, timer = fake_timer()

    def work() -> Output:
        clock.time_ns += 100
        return Output(clock)

    # Of two calls the first one's output is freed within the block, as in any loop.
    assert timer.time_s(work, 1) == 100e-9
    assert timer.time_s(work, 2) == pytest.approx(1 + 200e-9)
    assert SingleTimer(clock).time_s(work, 3) == pytest.approx(300e-9)


@pytest.mark.parametrize("timer", [HostTimer, SingleTimer])
def test_no_calls_take_what_the_timer_takes(timer: type[HostTimer] | type[SingleTimer]) -> None:
    clock = FakeClock(read_ns=50)
    work = FakeWork(clock, (100,))
    # Calls timed each by itself do not become more exact by being many: they have no cost of a block.
    assert timer(clock).time_s(work, 0) == {HostTimer: 50e-9, SingleTimer: 0}[timer]


def test_cold_calls_are_flushed_before_each_and_the_flush_is_not_timed() -> None:
    clock = FakeClock()
    flush = FakeWork(clock, (7_000_000,))
    timer = SingleTimer(clock, flush)
    assert timer.time_s(FakeWork(clock, (300, 200, 100)), 3) == 600e-9
    assert flush.calls == 3


def test_a_single_hot_call_has_an_untimed_one_before_it_and_is_waited_for() -> None:
    journal = Journal()
    assert SingleTimer(journal).time_s(journal.work, 2) == 4e-3
    wait = "wait for the device"
    assert journal.lines == ["work", wait, "work", wait, wait, "work", wait]


def test_the_host_clock_goes_forward() -> None:
    clock = HostClock()
    before = clock.now_ns()
    clock.synchronise()
    assert clock.now_ns() >= before


@dataclass
class Journal:
    """Notes what was done, in order, as a device with a queue would see it."""

    clock: FakeClock = field(default_factory=FakeClock)
    lines: list[str] = field(default_factory=list)

    def synchronise(self) -> None:
        self.lines.append("wait for the device")

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def event(self) -> "FakeEvent":
        return FakeEvent(self)

    def work(self) -> None:
        self.lines.append("work")
        self.clock.time_ns += 2_000_000


@dataclass
class FakeEvent:
    journal: Journal
    at_ns: int = 0

    def record(self) -> None:
        self.journal.lines.append("record")
        self.at_ns = self.journal.clock.time_ns

    def synchronize(self) -> None:
        self.journal.lines.append("wait for the event")

    def elapsed_time(self, end: "FakeEvent") -> float:
        return (end.at_ns - self.at_ns) / 1e6


def test_events_enclose_the_timed_calls_and_are_waited_for() -> None:
    journal = Journal()
    timer = EventTimer(journal, journal.event)
    assert timer.time_s(journal.work, 2) == 4e-3
    assert journal.lines == ["work", "wait for the device", "record", "work", "work", "record", "wait for the event"]


def test_cold_events_enclose_the_call_alone_and_nothing_waits_in_between() -> None:
    journal = Journal()

    def flush() -> None:
        journal.lines.append("flush")
        journal.clock.time_ns += 50_000_000

    timer = SingleEventTimer(journal, journal.event, flush)
    assert timer.time_s(journal.work, 2) == 4e-3
    one = ["flush", "record", "work", "record"]
    assert journal.lines == [*one, *one, "wait for the event", "wait for the event"]


def test_the_host_is_timed_by_its_counter_and_cuda_by_events() -> None:
    host, cuda = timer_for(torch.device("cpu")), timer_for(torch.device("cuda"))
    assert isinstance(host, HostTimer)
    assert host.name == "perf_counter_ns"
    assert isinstance(cuda, EventTimer)
    assert (cuda.name, cuda.clock) == ("CUDA events", CudaClock(torch.device("cuda")))
    assert cuda.clock.now_ns() > 0


def test_the_cuda_clock_waits_for_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    CudaClock(torch.device("cuda:1")).synchronise()
    assert waited == [torch.device("cuda:1")]


@pytest.mark.cuda
def test_events_agree_with_the_host_about_long_work() -> None:
    device = torch.device("cuda")
    image = torch.randn(8, 64, 512, 512, device=device)

    def work() -> torch.Tensor:
        return image.sum(1)

    by_events = timer_for(device)
    by_host = HostTimer(CudaClock(device))
    assert by_events.time_s(work, 200) == pytest.approx(by_host.time_s(work, 200), rel=0.2)
