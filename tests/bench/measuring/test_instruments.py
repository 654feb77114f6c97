import ctypes
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from segcli.bench.measuring import instruments as module
from segcli.bench.measuring.agreement import GroupClock, GroupTimer
from segcli.bench.measuring.cold import CacheSize
from segcli.bench.measuring.conditions import Caches, Condition, Span
from segcli.bench.measuring.instruments import instruments_for, lone_instruments, renew_memory
from segcli.bench.measuring.timer import EventTimer, HostTimer, SingleEventTimer, SingleTimer
from segcli.launch import Group, Ranks
from tests.bench.fakes import FakeClock, fake_instruments

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
HOT, COLD = Condition(), Condition(Caches.COLD)
HOT_DEVICE, COLD_DEVICE = Condition(Caches.HOT, Span.DEVICE), Condition(Caches.COLD, Span.DEVICE)


@pytest.fixture(autouse=True)
def _small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cache_size", lambda _: CacheSize(4096, known=True))


def work() -> None:
    pass


def test_a_cpu_is_timed_by_the_hosts_clock_in_blocks_or_call_by_call() -> None:
    tools = instruments_for(CPU, cold=True)
    hot, cold = tools.timer_of(HOT), tools.timer_of(COLD)
    assert isinstance(hot, HostTimer)
    assert isinstance(cold, SingleTimer)
    assert cold.flush is not None
    assert tools.under(COLD, work) == (work, "perf_counter_ns around each call")
    assert tools.clock is hot.clock
    ones = torch.ones(1000)
    assert tools.peak_bytes(lambda: ones * ones) == 4000
    assert tools.agree("yes") == ["yes"]


def test_without_cold_calls_nothing_is_allocated_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "flush_of", lambda *_: pytest.fail("a buffer was made"))
    tools = instruments_for(CPU, cold=False)
    with pytest.raises(KeyError):
        tools.timer_of(COLD)


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "flush_of", lambda *_: work)


@pytest.mark.usefixtures("pretended_gpu")
def test_a_gpu_is_timed_by_both_clocks() -> None:
    tools = instruments_for(CUDA, cold=True)
    timers = {condition: type(tools.timer_of(condition)) for condition in (HOT, COLD, HOT_DEVICE, COLD_DEVICE)}
    assert timers == {HOT: SingleTimer, COLD: SingleTimer, HOT_DEVICE: EventTimer, COLD_DEVICE: SingleEventTimer}
    hot: Any = tools.timer_of(HOT)
    assert hot.flush is None
    without: Any = instruments_for(CUDA, cold=False)
    assert type(without.timer_of(HOT_DEVICE)) is EventTimer


def replay() -> None:
    pass


def test_the_devices_own_time_is_that_of_replays_where_the_call_can_be_captured() -> None:
    events = EventTimer(FakeClock(), work)
    timed = fake_instruments(FakeClock(), timer_of=lambda _: events, replay_of=lambda _: replay)
    assert timed.under(HOT_DEVICE, work) == (replay, "CUDA events, replays of a CUDA graph")
    assert timed.under(HOT, work) == (work, "CUDA events")
    waiting = fake_instruments(FakeClock(), timer_of=lambda _: events)
    assert waiting.under(HOT_DEVICE, work) == (work, "CUDA events, calls that cannot be captured")


def test_ceilings_are_measured_by_their_own_means(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(device: torch.device, dtypes: tuple[str, ...], timer: HostTimer) -> tuple[Any, ...]:
        return device, dtypes, timer.name

    monkeypatch.setattr("segcli.bench.ceilings.measuring.measure_ceilings", measured)
    ceilings = instruments_for(CPU, cold=False).ceilings
    assert ceilings is not None
    found: Any = ceilings(("float32",))
    assert found == (CPU, ("float32",), "perf_counter_ns")


def test_a_timer_alone_times_everything() -> None:
    timer = HostTimer(FakeClock())
    tools = lone_instruments(timer)
    assert tools.timer_of(COLD_DEVICE) is timer
    assert tools.under(COLD_DEVICE, work)[0] is work
    assert (tools.peak_bytes(work), tools.ceilings, tools.throttling.seen()) == (None, None, False)


def test_ranks_share_clock_and_timers_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(Ranks(0, 2))
    monkeypatch.setattr(group, "gather", lambda value: [value, value])
    tools = instruments_for(CPU, cold=False, group=group)
    assert isinstance(tools.clock, GroupClock)
    assert isinstance(tools.timer_of(HOT), GroupTimer)
    assert tools.agree("yes") == ["yes", "yes"]
    assert (tools.ceilings, tools.replay_of(work)) == (None, None)


def test_one_rank_alone_is_no_group() -> None:
    assert isinstance(instruments_for(CPU, cold=False, group=Group()).timer_of(HOT), HostTimer)


def test_freed_memory_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=trimmed.append))
    renew_memory(CPU)
    assert trimmed == [0]
    # Another malloc has no such function.
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    renew_memory(CPU)
    assert trimmed == [0]


@pytest.mark.cuda
def test_replays_take_the_devices_time_alone() -> None:
    tools = instruments_for(CUDA, cold=True)
    image = torch.randn(8, 64, 512, 512, device=CUDA)

    def total() -> torch.Tensor:
        return image.sum(1)

    by_events = EventTimer(tools.clock, partial(torch.cuda.Event, enable_timing=True)).time_s(total, 100) / 100
    for condition in (HOT_DEVICE, COLD_DEVICE):
        replayed, name = tools.under(condition, total)
        assert name.endswith("replays of a CUDA graph")
        assert tools.timer_of(condition).time_s(replayed, 100) / 100 == pytest.approx(by_events, rel=0.2)


@pytest.mark.cuda
def test_what_waits_for_the_device_is_not_captured_and_leaves_torch_in_order() -> None:
    tools = instruments_for(CUDA, cold=False)
    ones = torch.ones(100, device=CUDA)
    assert tools.under(HOT_DEVICE, lambda: ones[ones > 0])[1].endswith("calls that cannot be captured")
    assert tools.under(HOT_DEVICE, lambda: ones * 2)[1].endswith("replays of a CUDA graph")
