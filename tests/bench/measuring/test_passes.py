"""Passes, conditions and what is measured beside kernels, all by a fake clock."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from segcli.bench import Request, Result, Status, run
from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.kernel import Tensors
from segcli.bench.measuring import session as module
from segcli.bench.measuring.session import Session
from segcli.bench.measuring.throttling import Throttling
from segcli.bench.runs import steps
from segcli.bench.suites import SUITES
from tests.bench.fakes import FakeClock, FakeWork, fake_instruments
from tests.bench.measuring.test_session import TINY, double, raising, use_suite

BOTH = replace(TINY, caches=(), passes=1)


def erratic(clock: FakeClock) -> Any:  # noqa: ANN401 - an answer
    """Double, never within 1 %: an odd pair of calls takes a millisecond more."""
    calls = [0]

    def answer(x: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        clock.time_ns += 1_000_000 * (calls[0] // 2 % 2)
        return 2 * x

    return answer


def test_every_pass_adds_samples_from_tensors_and_kernels_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    (kernel,) = SUITES["conv"].kernels
    made: list[torch.dtype] = []
    drawn: list[Tensors] = []
    renewed: list[str] = []

    def make(tensors: Tensors) -> Any:  # noqa: ANN401 - a call
        made.append(tensors["x"].dtype)
        return kernel.make(tensors)

    def reference(tensors: Tensors) -> Any:  # noqa: ANN401 - as above
        made.append(tensors["x"].dtype)
        return lambda: 2 * tensors["x"]

    def draw(*args: Any) -> Tensors:  # noqa: ANN401 - passed on
        drawn.append(tensors := plain_draw(*args))
        return tensors

    plain_draw = module.draw
    monkeypatch.setattr(module, "draw", draw)
    kernels = (replace(kernel, make=make, reference=reference),)
    monkeypatch.setitem(SUITES, "conv", replace(SUITES["conv"], kernels=kernels))
    tools = fake_instruments(clock, renew_memory=lambda: renewed.append("renewed"))
    advanced: list[int] = []
    request = replace(TINY, passes=3)
    found = run(request, advanced.append, instruments=tools)
    (result,) = found.results
    assert (result.passes, len(result.samples_s), result.stopped) == ((6, 6, 6), 18, "noise")
    # Later passes are warm: blocks are known, and each hot sample has its untimed call.
    assert result.warm_up_calls == 6
    # Compared with float64 in the first pass alone, of values that are the same in all.
    assert made == [torch.float32, torch.float64, torch.float32, torch.float32]
    assert len(drawn) == 3
    assert all(torch.equal(tensors["x"], drawn[0]["x"]) for tensors in drawn)
    assert renewed == ["renewed"] * 2
    assert sum(advanced) == steps(request) == 4
    assert found.method.passes == 3


@pytest.mark.parametrize(
    ("making_ns", "passes"),
    [
        # Of the 9.9 s that are left after two passes a quarter goes to making, which takes as long in each.
        (10_000_000, 20),
        (500_000_000, 6),
        # However long it takes, drift is told from noise.
        (4_000_000_000, 3),
    ],
    ids=["cheap", "dear", "dearest"],
)
def test_what_is_dear_to_make_is_made_in_fewer_passes(
    monkeypatch: pytest.MonkeyPatch, making_ns: int, passes: int
) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": erratic(clock)}, clock)
    (kernel,) = SUITES["conv"].kernels

    def make(tensors: Tensors) -> Any:  # noqa: ANN401 - a call
        clock.time_ns += making_ns
        return kernel.make(tensors)

    kernels = (replace(kernel, make=make, reference=kernel.make),)
    monkeypatch.setitem(SUITES, "conv", replace(SUITES["conv"], kernels=kernels))
    advanced: list[int] = []
    request = replace(TINY, passes=20, budget_s=12.0)
    found = run(request, advanced.append, instruments=fake_instruments(clock))
    (result,) = found.results
    assert (found.method.passes, len(result.passes)) == (passes, passes)
    assert len(result.samples_s) >= 6
    assert clock.time_ns == pytest.approx(12e9, rel=0.02) or passes == 3
    assert sum(advanced) == steps(request)


def test_cold_calls_alone_find_memory_that_was_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    events: list[str] = []

    def seen(x: torch.Tensor) -> torch.Tensor:
        events.append("call")
        return 2 * x

    use_suite(monkeypatch, {"right": seen}, clock)
    tools = fake_instruments(clock, renew_memory=lambda: events.append("renewed"))
    found = run(replace(TINY, caches=("cold",), passes=2), instruments=tools)
    (result,) = found.results
    assert result.passes == (6, 6)
    # One untimed call in the new memory, then the samples.
    assert events[events.index("renewed") :] == ["renewed", *["call"] * (1 + 6)]


def test_a_kernel_that_raises_where_it_warms_new_memory_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    broken: list[str] = []

    def breaking(x: torch.Tensor) -> torch.Tensor:
        if broken:
            message = "out of memory"
            raise RuntimeError(message)
        return 2 * x

    use_suite(monkeypatch, {"right": breaking}, clock)
    tools = fake_instruments(clock, renew_memory=lambda: broken.append("broken"))
    (result,) = run(replace(TINY, caches=("cold",), passes=2), instruments=tools).results
    assert (result.status, result.reason) == (Status.FAILED, "out of memory")


def test_a_warm_up_that_the_first_pass_had_no_time_for_is_made_up_by_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    calls = [0]

    def falling(x: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        clock.time_ns += 100_000_000 // calls[0]
        return 2 * x

    use_suite(monkeypatch, {"right": falling}, clock)
    request = replace(TINY, passes=1, budget_s=0.2)
    (hurried,) = run(request, instruments=fake_instruments(clock)).results
    calls[0] = 0
    (patient,) = run(replace(request, passes=20, budget_s=4.0), instruments=fake_instruments(clock)).results
    assert (hurried.steady, patient.steady) == (False, True)


def test_passes_share_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": erratic(clock)}, clock)
    found = run(replace(TINY, modes=(), passes=3, budget_s=3.0), instruments=fake_instruments(clock))
    assert clock.time_ns == pytest.approx(3e9, rel=0.01)
    counts = [count for result in found.results for count in result.passes]
    assert len(counts) == 6
    assert counts == pytest.approx([counts[0]] * 6, rel=0.05)


def test_what_a_later_pass_does_not_reach_keeps_what_earlier_ones_found(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)

    def slow_renewal() -> None:
        clock.time_ns += 10**10

    tools = fake_instruments(clock, renew_memory=slow_renewal)
    advanced: list[int] = []
    request = replace(TINY, passes=3, budget_s=5.0)
    found = run(request, advanced.append, instruments=tools)
    (result,) = found.results
    assert (result.status, result.passes, found.partial) == (Status.TIMED, (6,), False)
    assert sum(advanced) == steps(request)


def test_hot_and_cold_calls_are_results_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "also": double}, clock)
    seen: list[tuple[str, str]] = []
    tools = fake_instruments(clock, flush_ns=5_000_000)
    found = run(BOTH, instruments=tools, found=lambda result: seen.append((result.kernel, result.caches)))
    keys = [(result.kernel, result.caches) for result in found.results]
    assert keys == seen == [("right", "hot"), ("also", "hot"), ("right", "cold"), ("also", "cold")]
    # The flush is not part of what is timed.
    assert {result.median_s for result in found.results} == {1e-3}
    assert [result.timer for result in found.results[1:3]] == ["perf_counter_ns", "perf_counter_ns around each call"]
    assert found.results[3].speedup == 1.0
    assert (found.method.caches, found.method.spans, found.method.cache_bytes) == (("hot", "cold"), ("host",), 1024)


def test_conditions_share_what_their_group_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": erratic(clock)}, clock)
    found = run(replace(BOTH, budget_s=2.0), instruments=fake_instruments(clock))
    hot, cold = found.results
    assert clock.time_ns == pytest.approx(2e9, rel=0.01)
    # A hot sample has an untimed call before it.
    assert len(cold.samples_s) == pytest.approx(2 * len(hot.samples_s), rel=0.05)


def test_the_reference_workload_is_timed_beside_each_group_under_each_condition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    made: list[int] = []

    def workload() -> dict[str, FakeWork]:
        made.append(1)
        return {"copy": FakeWork(clock, (2_000_000,)), "matmul": FakeWork(clock, (3_000_000,))}

    found = run(replace(BOTH, modes=(), passes=2), instruments=fake_instruments(clock, workload=workload))
    assert [(each.workload, each.mode, each.caches) for each in found.references] == [
        (name, mode, caches)
        for mode in ("forward", "forward+backward")
        for caches in ("hot", "cold")
        for name in ("copy", "matmul")
    ]
    assert [each.samples_s for each in found.references[:2]] == [(2e-3,) * 12, (3e-3,) * 12]
    assert {each.passes for each in found.references} == {(6, 6)}
    # In new memory each pass, which an untimed call has touched; and never among the results.
    assert len(made) == 2
    assert {result.kernel for result in found.results} == {"right"}


def ceilings_at(rate: float) -> Ceilings:
    return Ceilings("cpu", 1, 1024, (Bandwidth(2**20, rate, rate),), {"float32": 1e9}, 1e-9)


def test_ceilings_are_the_better_of_before_and_after_and_give_fractions(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "waits": double}, clock)
    kernels = SUITES["conv"].kernels
    unbounded = replace(kernels[1], bounded=False)
    monkeypatch.setitem(SUITES, "conv", replace(SUITES["conv"], kernels=(kernels[0], unbounded)))
    rates = iter([4.9e9, 5e9])
    when: list[tuple[int, Sequence[str]]] = []

    def measured(dtypes: Sequence[str]) -> Ceilings:
        when.append((clock.time_ns, dtypes))
        clock.time_ns += 10**12
        return ceilings_at(next(rates))

    firsts: list[int] = []
    request = replace(TINY, modes=(), budget_s=1.0)
    found = run(
        request, instruments=fake_instruments(clock, ceilings=measured), found=lambda _: firsts.append(clock.time_ns)
    )
    assert found.ceilings == ceilings_at(5e9)
    bounded, waits = found.results[:2]
    # 150 kFLOP and more in a millisecond, of 1 GFLOP/s.
    assert bounded.fraction == pytest.approx(bounded.flops / 1e9 / 1e-3)
    assert (bounded.bound, waits.fraction, waits.bound) == ("compute", None, None)
    assert [dtypes for _, dtypes in when] == [("float32",)] * 2
    # After the first result, and again at the end; a thousand seconds of it cost the budget nothing.
    assert firsts[0] <= when[0][0] < firsts[-1] <= when[1][0]
    assert {result.status for result in found.results} == {Status.TIMED}


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ((4e9, 3e9, 3.9e9), ""),
        ((4e9, 3e9, 3e9, 3.5e9), ": memory 4.00 GB/s and 3.50 GB/s; "),
    ],
    ids=["until two agree", "four times at most"],
)
def test_ceilings_that_differ_are_measured_again(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[float, ...], told: str
) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    left = iter(rates)
    found = run(TINY, instruments=fake_instruments(clock, ceilings=lambda _: ceilings_at(next(left))))
    assert list(left) == []
    assert found.ceilings == ceilings_at(4e9)
    assert [told in warning for warning in found.warnings if "ceilings differ" in warning] == [True] * bool(told)


def test_a_reference_workload_that_beats_the_ceilings_raises_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)

    def workload() -> dict[str, FakeWork]:
        return {"copy": FakeWork(clock, (2_000_000,)), "matmul": FakeWork(clock, (3_000_000,))}

    tools = fake_instruments(clock, workload=workload, ceilings=lambda _: ceilings_at(1e9))
    found = run(replace(TINY, caches=("hot", "cold")), instruments=tools)
    assert found.ceilings is not None
    (bandwidth,) = found.ceilings.bandwidths
    # Twice 16 MiB in 2 ms; and 2 x 512^3 FLOPs in 3 ms.
    assert bandwidth.copy_bytes_per_s == pytest.approx(2 * 2**24 / 2e-3)
    assert bandwidth.read_bytes_per_s == 1e9
    assert found.ceilings.flops_per_s["float32"] == pytest.approx(2 * 512**3 / 3e-3)


@pytest.mark.parametrize("place", ["_renew", "_measure_ceilings", "results"])
def test_ctrl_c_between_kernels_loses_nothing(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    plain, pressed = getattr(Session, place), list[str]()

    def once(session: Session) -> Any:  # noqa: ANN401 - passed on
        if not pressed:
            pressed.append(place)
            raise KeyboardInterrupt
        return plain(session)

    monkeypatch.setattr(Session, place, once)
    found = run(replace(TINY, passes=2), instruments=fake_instruments(clock))
    assert (found.partial, found.results[0].status, found.results[0].median_s) == (True, Status.TIMED, 1e-3)


@pytest.mark.parametrize(("interrupted_at", "statuses"), [(1, {Status.TIMED, Status.SKIPPED}), (2, {Status.TIMED})])
def test_ctrl_c_while_ceilings_are_measured_keeps_the_results(
    monkeypatch: pytest.MonkeyPatch, interrupted_at: int, statuses: set[Status]
) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    times = [0]

    def measured(_: Sequence[str]) -> Ceilings:
        times[0] += 1
        if times[0] == interrupted_at:
            raise KeyboardInterrupt
        return ceilings_at(1e9)

    found = run(replace(TINY, modes=()), instruments=fake_instruments(clock, ceilings=measured))
    assert found.partial
    assert {result.status for result in found.results} == statuses
    assert (found.ceilings is None) == (interrupted_at == 1)


def test_throttled_samples_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    seen = iter([True, True, True])
    throttling = Throttling(lambda: next(seen, False), "by hand")
    found = run(TINY, instruments=fake_instruments(clock, throttling=throttling))
    (result,) = found.results
    assert (result.dropped, len(result.samples_s)) == (3, 6)
    assert found.method.throttling == "by hand"


def test_the_peak_of_memory_is_asked_of_each_right_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "wrong": lambda x: 3 * x}, clock)
    found = run(replace(TINY, passes=2), instruments=fake_instruments(clock, peak_bytes=lambda _: 4096))
    assert [result.peak_bytes for result in found.results] == [4096, None]


def test_a_kernel_that_fails_while_its_peak_is_taken_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    found = run(TINY, instruments=fake_instruments(clock, peak_bytes=raising(RuntimeError("out of memory"))))
    assert (found.results[0].status, found.results[0].reason) == (Status.FAILED, "out of memory")


@pytest.mark.parametrize("at_call", [4, 9, 14, 20])
def test_a_kernel_that_raises_later_on_has_failed_and_the_others_are_timed(
    monkeypatch: pytest.MonkeyPatch, at_call: int
) -> None:
    clock = FakeClock()
    calls = [0]

    def breaking(x: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        if calls[0] >= at_call:
            message = "out of memory\nand a trace"
            raise RuntimeError(message)
        return 2 * x

    use_suite(monkeypatch, {"right": double, "breaks": breaking}, clock)
    found = run(replace(BOTH, passes=2), instruments=fake_instruments(clock))
    fates = {(result.kernel, result.caches): (result.status, result.reason) for result in found.results}
    for caches in ("hot", "cold"):
        assert fates["right", caches] == (Status.TIMED, "")
        assert fates["breaks", caches] == (Status.FAILED, "out of memory")
    assert not found.right


def test_a_kernel_that_cannot_be_made_again_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "once": double}, clock)
    kernels = SUITES["conv"].kernels
    made = [0]

    def make(tensors: Tensors) -> Any:  # noqa: ANN401 - a call
        made[0] += 1
        if made[0] > 1:
            message = "only once"
            raise ValueError(message)
        return kernels[1].make(tensors)

    monkeypatch.setitem(SUITES, "conv", replace(SUITES["conv"], kernels=(kernels[0], replace(kernels[1], make=make))))
    found = run(replace(TINY, passes=2), instruments=fake_instruments(clock))
    assert [(result.status, result.reason) for result in found.results] == [
        (Status.TIMED, ""),
        (Status.FAILED, "only once"),
    ]


def test_ctrl_c_in_a_later_pass_keeps_the_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    calls = [0]

    def interrupted(x: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        if calls[0] == 25:
            raise KeyboardInterrupt
        return 2 * x

    use_suite(monkeypatch, {"right": interrupted}, clock)
    found = run(replace(TINY, passes=3), instruments=fake_instruments(clock))
    (result,) = found.results
    assert found.partial
    assert (result.status, result.stopped, result.passes[0]) == (Status.TIMED, "interrupt", 6)


def test_ctrl_c_before_the_reference_workload_has_a_sample_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)

    calls = [0]

    def interrupt() -> None:
        # The first call only touches its memory.
        calls[0] += 1
        if calls[0] > 1:
            raise KeyboardInterrupt

    tools = fake_instruments(clock, workload=lambda: {"copy": interrupt})
    found = run(TINY, instruments=tools)
    assert (found.partial, found.references) == (True, ())
    assert found.results[0].reason == "interrupted before it had enough samples"


def test_what_another_rank_finds_wrong_no_rank_times(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)

    def agree(value: Any) -> list[Any]:  # noqa: ANN401 - whatever is agreed on
        other = (Status.WRONG, "wrong over there") if isinstance(value, tuple) else value
        return [value, other]

    found = run(TINY, instruments=fake_instruments(clock, agree=agree))
    assert [(result.status, result.reason) for result in found.results] == [(Status.WRONG, "wrong over there")]


def test_items_are_counted_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double}, clock)
    kernel = replace(SUITES["conv"].kernels[0], items=lambda case: case.batch, unit="frames")
    monkeypatch.setitem(SUITES, "conv", replace(SUITES["conv"], kernels=(kernel,)))
    (result,) = run(TINY, instruments=fake_instruments(clock)).results
    assert (result.items, result.unit) == (2, "frames")
    assert result.items_per_s == pytest.approx(2000)


def test_variants_of_a_kernel_are_told_apart_and_compared_with_the_plain_baseline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()

    def slower(x: torch.Tensor) -> torch.Tensor:
        clock.time_ns += 1_000_000
        return 2 * x

    use_suite(monkeypatch, {"right": double, "compiled": slower}, clock)
    plain, other = SUITES["conv"].kernels
    variant = replace(other, name="right", variant="compiled")
    monkeypatch.setitem(SUITES, "conv", replace(SUITES["conv"], kernels=(plain, variant)))
    first, second = run(TINY, instruments=fake_instruments(clock)).results
    assert [(each.variant, each.median_s, each.speedup) for each in (first, second)] == [
        ("", 1e-3, 1.0),
        ("compiled", 2e-3, 0.5),
    ]


def test_sizes_and_dtypes_have_baselines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()

    def by_size(x: torch.Tensor) -> torch.Tensor:
        clock.time_ns += x.shape[2] * 1_000_000
        return 2 * x

    use_suite(monkeypatch, {"right": double, "sized": by_size}, clock)
    request = replace(TINY, sizes=((1, 4), (3, 4)))
    found: tuple[Result, ...] = run(request, instruments=fake_instruments(clock)).results
    assert [(each.size, each.kernel, each.speedup) for each in found] == [
        ((1, 4), "right", 1.0),
        ((1, 4), "sized", 0.5),
        ((3, 4), "right", 1.0),
        ((3, 4), "sized", 0.25),
    ]
    assert found[0].time_share == 0.5


def test_a_real_run_on_this_machine_has_everything() -> None:
    request = Request(suites=("norm",), kernel="group", sizes=((16, 16),), modes=("forward",), budget_s=0.5, passes=2)
    found = run(request)
    hot, cold = found.results
    assert (hot.caches, cold.caches) == ("hot", "cold")
    assert found.ceilings is not None
    for result in (hot, cold):
        assert result.status is Status.TIMED
        assert result.fraction is not None
        assert result.fraction > 0
        # What is normalised, and two moments a group.
        assert result.peak_bytes is not None
        assert result.peak_bytes >= 2 * 64 * 16 * 16 * 4
    assert len(found.references) == 4
