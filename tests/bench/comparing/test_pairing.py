from dataclasses import replace

import numpy as np
import pytest

from segcli.bench import Run, Status
from segcli.bench.comparing.bootstrap import Ratio
from segcli.bench.comparing.comparing import compare
from segcli.bench.comparing.judging import is_sure
from segcli.bench.comparing.pairing import Pair
from segcli.bench.comparing.sides import Side, side_of
from segcli.bench.comparing.verdicts import Verdict
from segcli.bench.measuring.gpu import Gpu
from segcli.bench.results import Reference
from tests.bench.comparing.made import Passes, made_reference, made_result, made_run

GPU = Gpu("H100", 80 * 10**9, "9.0", "12.8", None)


def times(seconds: float, *, spread: float = 0.002) -> Passes:
    """Make three passes of nine samples around a time, which differ by the spread."""
    return [[seconds * (1 + spread * (place % 3 - 1)) for place in range(9)] for _ in range(3)]


def one(seconds: float, copy: float | None = None, matmul: float | None = None, **changes: object) -> Run:
    """Make a run of one kernel, with the reference workloads where they are given a time."""
    beside = {"copy": copy, "matmul": matmul}
    references = [made_reference(name, times(taken)) for name, taken in beside.items() if taken]
    return made_run(made_result("ohem", times(seconds), **changes), references=references)


def side(run: Run) -> Side:
    return side_of(["run.json"], [run])


def judged(first: Run, second: Run) -> Pair:
    """Compare two runs of which a second kernel can always be compared."""
    anchor = made_result("anchor", times(1.0))
    before, after = (side(replace(run, results=(*run.results, anchor))) for run in (first, second))
    return next(each for each in compare(before, after).kernels if each.kernel == "ohem")


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (1.0, Verdict.SAME),
        (1.02, Verdict.SAME),
        (1.1, Verdict.SLOWER),
        (0.9, Verdict.FASTER),
        (1.03, Verdict.AMBIGUOUS),
    ],
    ids=str,
)
def test_without_a_reference_the_clock_decides(seconds: float, verdict: Verdict) -> None:
    found = judged(one(1.0), one(seconds))
    assert (found.verdict, found.reference, found.reason) == (verdict, "", "")
    assert (found.first_s, found.second_s) == (1.0, seconds)
    assert found.ratio == found.unscaled == pytest.approx(seconds)
    assert found.ci95 == found.unscaled_ci95


@pytest.mark.parametrize(
    ("second", "verdict", "ratio", "reference"),
    [
        pytest.param(one(1.0, copy=5.0), Verdict.SAME, 1.0, "", id="nothing changed"),
        pytest.param(one(1.1, copy=5.0), Verdict.SLOWER, 1.1, "", id="the kernel alone"),
        pytest.param(one(1.1, copy=5.5), Verdict.SAME, 1.0, "copy", id="the machine alone"),
        pytest.param(one(1.0, copy=5.5), Verdict.AMBIGUOUS, 1 / 1.1, "copy", id="the reference alone"),
        pytest.param(one(1.0, copy=4.5), Verdict.AMBIGUOUS, 1 / 0.9, "copy", id="the reference alone, faster"),
        pytest.param(one(1.32, copy=5.5), Verdict.SLOWER, 1.2, "copy", id="both, the kernel more"),
        pytest.param(one(0.9, copy=4.5), Verdict.SAME, 1.0, "copy", id="a faster machine"),
        # Of a kernel that memory bounds, the product of matrices says nothing.
        pytest.param(one(1.1, copy=5.0, matmul=9.9), Verdict.SLOWER, 1.1, "", id="the other workload"),
    ],
)
def test_beside_the_reference(second: Run, verdict: Verdict, ratio: float, reference: str) -> None:
    found = judged(one(1.0, copy=5.0, matmul=9.0), second)
    assert (found.verdict, found.reference) == (verdict, reference)
    assert found.ratio == pytest.approx(ratio)


def test_what_computing_bounds_is_scaled_by_the_product_of_matrices() -> None:
    first, second = (one(each, copy=5.0, matmul=each, bound="compute") for each in (1.0, 1.1))
    found = judged(first, second)
    assert (found.verdict, found.reference) == (Verdict.SAME, "matmul")
    assert found.ratio == pytest.approx(1.0)
    assert found.unscaled == pytest.approx(1.1)


@pytest.mark.parametrize("bounds", [("call", "call"), (None, None), ("memory", "compute")], ids=str)
def test_what_neither_workload_resembles_is_not_scaled(bounds: tuple[str | None, str | None]) -> None:
    first, second = (one(each, each, each, bound=bound) for each, bound in zip((1.0, 1.1), bounds, strict=True))
    assert (judged(first, second).verdict, judged(first, second).reference) == (Verdict.SLOWER, "")


def test_an_unsure_reference_widens_nothing_and_still_must_agree() -> None:
    def noisy(seconds: float) -> Run:
        run = one(seconds)
        return replace(run, references=(made_reference("copy", times(5.0, spread=0.2)),))

    found = judged(noisy(1.0), noisy(1.1))
    assert (found.verdict, found.reference, found.ci95) == (Verdict.AMBIGUOUS, "", found.unscaled_ci95)
    assert judged(noisy(1.0), noisy(1.0)).verdict is Verdict.SAME


def test_a_pass_without_a_reference_is_compared_without_it() -> None:
    kernel, copy = made_result("ohem", times(1.0)), times(5.0)
    run = made_run(kernel, references=[made_reference("copy", [copy[0], [], copy[2]])])
    other = made_run(made_result("ohem", times(1.1)), references=[made_reference("copy", [times(5.5)[0], [], []])])
    found = judged(run, other)
    assert (found.verdict, found.reference) == (Verdict.SAME, "copy")


@pytest.mark.parametrize(
    "references",
    [
        pytest.param((), id="none"),
        pytest.param((made_reference("copy", [[5.0] * 9]),), id="other passes"),
        pytest.param((made_reference("copy", [[5.0] * 9, [], []]),), id="one pass of it"),
        pytest.param((made_reference("copy", [[0.0] * 9] * 3),), id="no time seen"),
        pytest.param((made_reference("copy", [[], [], []]),), id="no samples"),
    ],
)
def test_a_reference_that_cannot_be_used_leaves_the_clock(references: tuple[Reference, ...]) -> None:
    second = replace(one(1.1), references=references)
    assert judged(one(1.0, copy=5.0), second).verdict in (Verdict.SLOWER, Verdict.AMBIGUOUS)
    assert judged(one(1.0), second).verdict is Verdict.SLOWER


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (made_run(), "only in A"),
        (one(1.0, dtype="float16"), "only in A; the other has dtype float16"),
        (one(1.0, size=(4, 6)), "only in A; the other has size 4x6"),
        (one(1.0, caches="lukewarm"), "only in A; the other has caches lukewarm"),
        (one(1.0, variant="compiled"), "only in A"),
        (one(1.0, mode="forward+backward"), "only in A"),
        (one(1.0, shape=(1, 19, 256, 512)), "shape (2, 19, 256, 512) and (1, 19, 256, 512)"),
        (one(1.0, timer="an hourglass"), "timed by "),
        (one(1.0, status=Status.WRONG, reason="off by 2"), "wrong in B: off by 2"),
        (one(1.0, samples_s=(0.0,) * 27), "a time of 0 in B: its clock is too coarse"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_says_why(second: Run, reason: str) -> None:
    found = judged(one(1.0), second)
    assert found.verdict is Verdict.INCOMPARABLE
    assert found.reason.startswith(reason)
    assert (found.ratio, found.first_s, found.ci95) == (None, None, None)


def test_what_only_b_has_is_told_the_other_way_round() -> None:
    assert judged(made_run(), one(1.0)).reason == "only in B"
    assert judged(one(1.0, dtype="float16"), one(1.0)).reason in (
        "only in A; the other has dtype float32",
        "only in B; the other has dtype float16",
    )
    assert judged(one(1.0, status=Status.SKIPPED, reason="no time"), one(1.0)).reason == "skipped in A: no time"


def test_other_data_are_not_compared() -> None:
    first, second = one(1.0), replace(one(1.0), data={"index": "zeros"})
    found = compare_alone(first, second)
    assert found == "data of another distribution"


def compare_alone(first: Run, second: Run) -> str:
    """Return the reason why the only kernel of two runs is not compared."""
    from segcli.bench.comparing.pairing import pair

    sides = side(first), side(second)
    found = pair(next(iter(sides[0].results)), *sides, 0.03)
    assert found.verdict is Verdict.INCOMPARABLE
    return found.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threads": 7}, " and 7 threads"),
        ({"gpu": GPU}, "another GPU: none and H100; there is no reference workload"),
        ({"cpu": "Z80"}, "Z80; there is no reference workload to scale by"),
    ],
    ids=["threads", "GPU", "CPU"],
)
def test_another_environment_is_not_compared(changes: dict[str, object], reason: str) -> None:
    first = one(1.0)
    second = replace(first, environment=replace(first.environment, **changes))  # type: ignore[arg-type]
    assert reason in compare_alone(first, second)


def test_another_flag_is_not_compared() -> None:
    first = one(1.0)
    flags = replace(first.environment.flags, tf32=True)
    second = replace(first, environment=replace(first.environment, flags=flags))
    assert compare_alone(first, second) == "tf32 is false and true"


def test_on_another_processor_the_reference_alone_decides() -> None:
    second = one(0.55, copy=2.5)
    second = replace(second, environment=replace(second.environment, cpu="Z80"))
    found = judged(one(1.0, copy=5.0), second)
    assert (found.verdict, found.reference) == (Verdict.SLOWER, "copy")
    assert found.ratio == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("low", "high", "sure"),
    [
        (1.01, 1.2, True),
        (0.8, 0.99, True),
        (0.9, 1.1, False),
        (1 + 1e-15, 1 + 1e-15, False),
        (1 - 1e-15, 1 - 1e-15, False),
    ],
    ids=str,
)
def test_a_reference_is_sure_to_have_changed_beyond_rounding(low: float, high: float, *, sure: bool) -> None:
    assert is_sure(Ratio((low + high) / 2, low, high)) == sure


def test_a_reference_that_slows_with_the_kernel_narrows_the_interval() -> None:
    def drifting(seconds: float, passes: tuple[float, ...]) -> Run:
        kernel, copy = (
            [[base * slow * (1 + 0.002 * (place % 3)) for place in range(9)] for slow in passes]
            for base in (seconds, 5.0)
        )
        return made_run(made_result("ohem", kernel), references=[made_reference("copy", copy)])

    found = judged(drifting(1.0, (1.0, 1.06, 1.03)), drifting(1.1, (1.03, 1.0, 1.06)))
    assert (found.verdict, found.reference) == (Verdict.SLOWER, "copy")
    assert found.ci95 is not None
    assert found.unscaled_ci95 is not None
    assert found.ci95[0] > 1.08
    assert found.unscaled_ci95[0] < 1.03


def test_too_few_samples_are_never_sure() -> None:
    few = made_run(made_result("ohem", [[1.0, 1.0], [1.0, 1.0, 1.0]]))
    found = judged(few, one(2.0))
    assert (found.verdict, found.ratio, found.ci95, found.unscaled_ci95) == (Verdict.AMBIGUOUS, 2.0, None, None)
    assert judged(one(2.0), few).reason == "5 samples in B, and an interval takes 6"
    single = made_run(made_result("ohem", [[1.0]]))
    assert judged(single, one(2.0)).reason == "1 sample in A, and an interval takes 6"


def test_a_workload_in_no_pass_of_the_kernel_leaves_the_clock() -> None:
    def apart(seconds: float) -> Run:
        copy = made_reference("copy", [[], [], [5.0] * 9])
        return made_run(made_result("ohem", [*times(seconds)[:2], []]), references=[copy])

    found = judged(apart(1.0), apart(1.1))
    assert (found.verdict, found.reference) == (Verdict.SLOWER, "")


def many(share: float, changes: float, seed: int) -> Run:
    """Make a run of many passes in which the kernel follows the copy's changes in part."""
    generator = np.random.default_rng(seed)
    copies = generator.normal(changes, 0.1, 20)
    kernels = share * (copies - changes) + generator.normal(0, 0.01, 20)
    reference = made_reference("copy", [[float(np.exp(copy))] for copy in copies])
    return made_run(made_result("ohem", [[float(np.exp(kernel))] for kernel in kernels]), references=[reference])


def slower(run: Run, factor: float) -> Run:
    (result,) = run.results
    samples = tuple(factor * sample for sample in result.samples_s)
    return replace(run, results=(replace(result, samples_s=samples, median_s=factor * (result.median_s or 0)),))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=str)
def test_many_passes_tell_how_far_a_kernel_follows_the_reference(share: float) -> None:
    first, second = many(share, 0.0, 1), slower(many(share, 0.0, 2), 1.1)
    found = judged(first, second)
    assert found.verdict is Verdict.SLOWER
    assert found.ratio == pytest.approx(1.1, abs=0.03)
    assert (found.reference == "copy") == (share > 0)
    # What follows the copy is known better beside it.
    assert found.ci95 is not None
    assert found.unscaled_ci95 is not None
    widths = [high / low for low, high in (found.ci95, found.unscaled_ci95)]
    assert widths[0] < widths[1] if share else widths[0] == pytest.approx(widths[1], rel=0.02)


def test_a_reference_that_changes_by_itself_accuses_nobody() -> None:
    # The copy became a tenth faster, and the kernel, which does not follow it, stayed.
    found = judged(many(0.0, 0.0, 1), many(0.0, -0.1, 2))
    assert found.verdict is not Verdict.SLOWER
    assert found.ratio == pytest.approx(1.0, abs=0.03)


def drifting(seed: int, *, follows: str, bound: str | None = "memory") -> Run:
    """Make a run of many passes whose workloads each drift by themselves, and whose kernel follows one of them."""
    generator = np.random.default_rng(seed)
    drift = {name: generator.normal(0, 0.05, 20) for name in ("copy", "matmul")}
    kernel = drift[follows] + generator.normal(0, 0.003, 20)
    references = [made_reference(name, [[float(np.exp(each))] for each in logs]) for name, logs in drift.items()]
    return made_run(made_result("ohem", [[float(np.exp(log))] for log in kernel], bound=bound), references=references)


@pytest.mark.parametrize("follows", ["copy", "matmul"])
@pytest.mark.parametrize("bound", ["memory", "compute", "call", None], ids=str)
def test_many_passes_tell_which_workload_a_kernel_follows_whatever_bounds_it(follows: str, bound: str | None) -> None:
    first, second = (drifting(seed, follows=follows, bound=bound) for seed in (1, 2))
    same = judged(first, second)
    assert (same.verdict, same.reference) == (Verdict.SAME, follows)
    found = judged(first, slower(second, 1.1))
    assert (found.verdict, found.reference) == (Verdict.SLOWER, follows)
    assert found.ratio == pytest.approx(1.1, abs=0.01)


def test_a_kernel_may_follow_both_workloads() -> None:
    def both(seed: int) -> Run:
        generator = np.random.default_rng(seed)
        drift = [generator.normal(0, 0.05, 20) for _ in range(2)]
        kernel = sum(drift) / 2 + generator.normal(0, 0.003, 20)
        references = [
            made_reference(name, [[float(np.exp(each))] for each in logs])
            for name, logs in zip(("copy", "matmul"), drift, strict=True)
        ]
        return made_run(made_result("ohem", [[float(np.exp(log))] for log in kernel]), references=references)

    found = judged(both(1), both(2))
    assert (found.verdict, found.reference) == (Verdict.SAME, "copy+matmul")


def of_processes(*lucks: float, seed: int = 0, factor: float = 1.0) -> Side:
    """Make a side of a run a process, each with luck of its own."""
    runs = [
        slower(drifting(seed + place, follows="matmul"), factor * float(np.exp(luck)))
        for place, luck in enumerate(lucks)
    ]
    return side_of([f"{place}.json" for place in range(len(runs))], runs)


def test_of_several_runs_the_luck_of_processes_is_in_the_interval_and_the_drift_within_them_is_not() -> None:
    # As one run a side it would be a slower kernel.
    (alone,) = compare(of_processes(0.0), of_processes(0.06, seed=9)).kernels
    assert (alone.verdict, alone.reference) == (Verdict.SLOWER, "matmul")
    lucks = (-0.06, -0.03, 0.0, 0.03, 0.06)
    first = of_processes(*lucks)
    (same,) = compare(first, of_processes(*lucks[1:], 0.06, seed=9)).kernels
    assert (same.verdict, same.reference) == (Verdict.AMBIGUOUS, "matmul")
    assert same.ci95 is not None
    assert same.ci95[0] < 0.97
    (slowed,) = compare(first, of_processes(*lucks, seed=9, factor=1.2)).kernels
    assert slowed.verdict is Verdict.SLOWER
    assert slowed.ratio == pytest.approx(1.2, abs=0.02)


def test_a_run_of_several_that_did_not_time_the_kernel_is_left_out() -> None:
    run = drifting(1, follows="matmul")
    skipped = replace(run.results[0], status=Status.SKIPPED, samples_s=(), passes=(), median_s=None)
    first = side_of(["0.json", "1.json"], [replace(run, results=(skipped,)), run])
    (found,) = compare(first, side(drifting(2, follows="matmul"))).kernels
    assert (found.verdict, found.reference) == (Verdict.SAME, "matmul")
