from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from segcli.bench import Request, Result, Rule, Status, run
from segcli.bench.kernel import Call, Suite, Tensors
from segcli.bench.measuring.session import Session
from segcli.bench.measuring.timer import HostTimer
from segcli.bench.runs import steps
from segcli.bench.suites import SUITES
from segcli.errors import ExitCode, SegcliError
from tests.bench.fakes import FakeClock

TINY = Request(suites=("conv",), sizes=((4, 4),), modes=("forward",), caches=("hot",), passes=1)
Answer = Callable[[torch.Tensor], torch.Tensor]


def use_suite(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer], clock: FakeClock) -> None:
    """Replace the suite conv by kernels that double x, each spoiled by its answer; a call takes a millisecond."""

    def maker(answer: Answer) -> Callable[[Tensors], Call]:
        def make(tensors: Tensors) -> Call:
            def call() -> torch.Tensor:
                clock.time_ns += 1_000_000
                return answer(tensors["x"])

            return call

        return make

    standard = SUITES["conv"].kernels[0]
    kernels = tuple(
        replace(
            standard, leaves=("x",), name=name, make=maker(answer), reference=lambda tensors: lambda: 2 * tensors["x"]
        )
        for name, answer in answers.items()
    )
    suite: Suite = replace(SUITES["conv"], baseline="right", kernels=kernels)
    monkeypatch.setitem(SUITES, "conv", suite)


def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


def raising(error: BaseException) -> Answer:
    def answer(_: torch.Tensor) -> torch.Tensor:
        raise error

    return answer


def by_kernel(results: tuple[Result, ...]) -> dict[str, Result]:
    return {result.kernel: result for result in results}


def test_a_run_with_a_fake_clock_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "also": double}, clock)
    advanced: list[int] = []
    found = run(TINY, advanced.append, HostTimer(clock))
    result = by_kernel(found.results)["also"]
    assert (result.status, result.median_s, result.ci95_s) == (Status.TIMED, 1e-3, (1e-3, 1e-3))
    assert (result.speedup, result.baseline, result.time_share) == (1.0, "right", 1.0)
    assert result.bytes_per_s == pytest.approx(result.bytes / 1e-3)
    assert result.flops_per_s == pytest.approx(result.flops / 1e-3)
    assert (result.stopped, result.steady, result.calls, len(result.samples_s)) == ("noise", True, 1, 6)
    assert (found.partial, found.right) == (False, True)
    assert sum(advanced) == steps(TINY) == 4


def test_a_wrong_kernel_is_shown_as_wrong_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "wrong": lambda x: 2.01 * x}, clock)
    advanced: list[int] = []
    found = run(TINY, advanced.append, HostTimer(clock))
    wrong = by_kernel(found.results)["wrong"]
    assert (wrong.status, wrong.median_s, wrong.samples_s) == (Status.WRONG, None, ())
    assert wrong.error == pytest.approx(0.005, rel=1e-3)
    assert wrong.reason == "its output has a relative error of 0.005 against float64, expected at most 0.0001"
    assert by_kernel(found.results)["right"].status is Status.TIMED
    assert not found.right
    assert sum(advanced) == 4


@pytest.mark.parametrize(
    ("error", "status", "right"),
    [
        (RuntimeError("\"conv\" not implemented for 'Half'\nand a trace"), Status.UNSUPPORTED, True),
        (NotImplementedError("nothing"), Status.UNSUPPORTED, True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Status.FAILED, False),
        (ValueError("Expected more than 1 spatial element"), Status.FAILED, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_torch_refuses_is_said_in_its_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: Status, *, right: bool
) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "other": raising(error)}, clock)
    found = run(TINY, timer=HostTimer(clock))
    other = by_kernel(found.results)["other"]
    assert (other.status, other.reason) == (status, str(error).partition("\n")[0])
    assert found.right == right


def test_a_mistake_that_is_not_torchs_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": raising(KeyError("x"))}, clock)
    with pytest.raises(KeyError, match="x"):
        run(TINY, timer=HostTimer(clock))


def test_groups_share_the_budget_and_what_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    calls = [0]

    def erratic(x: torch.Tensor) -> torch.Tensor:
        # Never within 1 %: only the budget stops it.
        calls[0] += 1
        clock.time_ns += 1_000_000 * (calls[0] // 2 % 2)
        return 2 * x

    use_suite(monkeypatch, {"right": erratic}, clock)
    request = replace(TINY, modes=(), budget_s=2.0)
    found = run(request, timer=HostTimer(clock))
    first, second = found.results
    assert (first.stopped, second.stopped) == ("budget", "budget")
    assert clock.time_ns == pytest.approx(2e9, rel=0.01)
    assert len(first.samples_s) == pytest.approx(len(second.samples_s), rel=0.05)


def test_what_the_budget_does_not_reach_is_listed_as_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "also": double}, clock)
    found = run(replace(TINY, modes=(), budget_s=0.0005), timer=HostTimer(clock))
    assert [(result.kernel, result.mode, result.status) for result in found.results] == [
        ("right", "forward", Status.TIMED),
        ("also", "forward", Status.SKIPPED),
        ("right", "forward+backward", Status.SKIPPED),
        ("also", "forward+backward", Status.SKIPPED),
    ]
    assert found.results[1].reason == "the time budget was spent before"
    assert any(warning.startswith("not reached in time: conv/also forward, ") for warning in found.warnings)
    assert any(warning.startswith("too few samples for a 95 % interval: conv/right") for warning in found.warnings)
    assert not found.partial


def test_ctrl_c_while_comparing_keeps_nothing_of_that_group(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    use_suite(monkeypatch, {"right": double, "stop": raising(KeyboardInterrupt())}, clock)
    found = run(replace(TINY, suites=("conv", "norm"), modes=()), timer=HostTimer(clock))
    assert found.partial
    assert {result.status for result in found.results} == {Status.SKIPPED}
    assert {result.reason for result in found.results} == {"interrupted before it had enough samples"}
    assert len(found.results) == 2 * 2 + 2 * len(SUITES["norm"].kernels)


@pytest.mark.parametrize(("at_call", "status"), [(50, Status.TIMED), (12, Status.SKIPPED)])
def test_ctrl_c_while_timing_keeps_what_has_an_interval(
    monkeypatch: pytest.MonkeyPatch, at_call: int, status: Status
) -> None:
    clock = FakeClock()
    calls = [0]

    def interrupted(x: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        if calls[0] > at_call:
            raise KeyboardInterrupt
        clock.time_ns += 1_000_000 * (calls[0] // 2 % 3)
        return 2 * x

    use_suite(monkeypatch, {"right": interrupted}, clock)
    found = run(replace(TINY, modes=()), timer=HostTimer(clock))
    forward, training = found.results
    assert found.partial
    assert (forward.status, training.status) == (status, Status.SKIPPED)
    assert (forward.stopped == "interrupt") == (forward.ci95_s is not None) == (status is Status.TIMED)


def test_the_process_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    use_suite(monkeypatch, {"right": double}, FakeClock())
    threads = torch.get_num_threads()
    found = run(replace(TINY, threads=1), timer=HostTimer(FakeClock()), rule=Rule(max_warm_up=1))
    assert found.environment.threads == 1
    # The clock stood still: a time of 0 has no rates.
    assert (found.results[0].median_s, found.results[0].bytes_per_s, found.results[0].speedup) == (0.0, None, None)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_a_device_without_a_timer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(SegcliError, match="device mps cannot be timed") as caught:
        run(replace(TINY, device="mps"))
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_too_large_a_size_is_refused_before_anything_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:  # noqa: ANN401 - whatever it would be called with
        pytest.fail("tensors were drawn")

    monkeypatch.setattr(Session, "run", never)
    with pytest.raises(SegcliError, match="suite conv at 1000000x1000000 needs about"):
        run(replace(TINY, sizes=((1_000_000, 1_000_000),)))


@pytest.mark.cuda
def test_a_run_on_cuda() -> None:
    found = run(replace(TINY, device="cuda", modes=(), budget_s=2.0))
    assert found.right
    assert found.method.timer == "perf_counter_ns around each call"
    assert found.method.throttling.startswith("NVML")
    assert found.environment.gpu is not None
