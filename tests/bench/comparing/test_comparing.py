from dataclasses import replace

import numpy as np
import pytest

from segcli.bench import Run
from segcli.bench.comparing.bootstrap import Passes
from segcli.bench.comparing.comparing import Comparison, Question, chosen, compare
from segcli.bench.comparing.sides import Side, side_of
from segcli.errors import SegcliError
from tests.bench.comparing.made import made_reference, made_result, made_run


def side(run: Run, name: str = "run.json") -> Side:
    return side_of([name], [run])


def steady(seconds: float) -> Passes:
    return ((seconds,) * 9,) * 3


def compared(first: Run, second: Run, question: Question | None = None) -> Comparison:
    return compare(side(first, "a.json"), side(second, "b.json"), question)


def of(kernels: dict[str, float], copy: float = 5.0) -> Run:
    results = [made_result(name, steady(seconds)) for name, seconds in kernels.items()]
    return made_run(*results, references=[made_reference("copy", steady(copy))])


FIRST = of({"same": 1.0, "slow": 1.0, "slower": 1.0, "fast": 1.0, "gone": 1.0})
SECOND = of({"same": 1.0, "slow": 1.2, "slower": 1.5, "fast": 0.5, "come": 1.0})


def test_kernels_are_counted_and_the_worst_comes_first() -> None:
    found = compared(FIRST, SECOND)
    assert [pair.kernel for pair in found.kernels] == ["slower", "slow", "same", "fast", "gone", "come"]
    assert found.counts == {"slower": 2, "ambiguous": 0, "same": 1, "faster": 1, "incomparable": 2}
    assert (found.first, found.second, found.min_effect) == (("a.json",), ("b.json",), 0.03)
    assert found.regressed
    (warning,) = found.warnings
    assert warning.startswith("one run a side cannot see by how much one process differs from the next; before blaming")


def test_of_several_runs_a_side_what_one_cannot_see_is_no_matter() -> None:
    found = compare(side_of(["0", "1"], [FIRST, FIRST]), side_of(["2", "3"], [SECOND, SECOND]))
    assert found.regressed
    assert found.warnings == ()


def test_faster_or_ambiguous_kernels_are_no_regression() -> None:
    assert not compared(of({"fast": 1.0, "unsure": 1.0}), of({"fast": 0.5, "unsure": 1.03})).regressed


def test_a_larger_minimum_effect_lets_more_pass() -> None:
    found = compared(FIRST, SECOND, Question(min_effect=0.3))
    assert [pair.kernel for pair in found.kernels if pair.verdict.value == "slower"] == ["slower"]


def test_what_is_asked_for_is_compared() -> None:
    found = compared(FIRST, SECOND, Question(suites=("index",), kernel="slow*"))
    assert [pair.kernel for pair in found.kernels] == ["slower", "slow"]


def test_progress_counts_kernels() -> None:
    first, second = side(FIRST), side(SECOND)
    advanced: list[int] = []
    compare(first, second, advance=advanced.append)
    assert sum(advanced) == len(chosen(first, second, Question())) == 6


@pytest.mark.parametrize(
    ("question", "words", "hint"),
    [
        (Question(suites=("inde",)), "suite 'inde' is in neither run", "did you mean index?"),
        (Question(kernel="slowest"), "no kernel of either run matches 'slowest'", "did you mean slower or slow?"),
        (Question(kernel="zz"), "no kernel of either run matches 'zz'", "leave --kernel out to see all"),
    ],
    ids=["suite", "kernel", "of many"],
)
def test_what_neither_has_is_refused(question: Question, words: str, hint: str) -> None:
    many = of({f"kernel-{index}": 1.0 for index in range(11)}) if "zz" in words else FIRST
    with pytest.raises(SegcliError, match=words) as caught:
        compared(many, SECOND, question)
    assert caught.value.hint == hint


def test_where_nothing_can_be_compared_the_commonest_reason_is_said() -> None:
    second = replace(FIRST, environment=replace(FIRST.environment, threads=77))
    with pytest.raises(SegcliError, match=r"nothing in a\.json and b\.json can be compared: .* 77 threads \(5 of 5\)"):
        compared(FIRST, second)


def test_runs_without_kernels_are_refused() -> None:
    with pytest.raises(SegcliError, match=r"a\.json and b\.json hold no kernels"):
        compared(made_run(), made_run())


def test_a_changed_machine_is_told() -> None:
    found = compared(of({"ohem": 1.0}), of({"ohem": 1.2}, copy=6.0))
    assert found.counts["same"] == 1
    assert [(each.workload, round(each.ratio, 6)) for each in found.machine] == [("copy", 1.2)]
    assert found.warnings == ("the machine changed: copy took 1.2 to 1.2 times as long in B beside 1 of 1 groups",)


def test_another_machine_and_what_else_differs_is_told() -> None:
    second = of({"ohem": 1.0})
    second = replace(second, environment=replace(second.environment, cpu="Z80", torch="0.1"))
    first, *rest = compared(of({"ohem": 1.0}), second).warnings
    assert first.startswith("another processor: ")
    assert first.endswith(" and Z80: every ratio is divided by the reference workload's, which is rough")
    assert rest[0].startswith("A and B differ in torch ")
    assert rest[0].endswith(" and 0.1")


def test_one_pass_is_told() -> None:
    run = made_run(made_result("ohem", [[1.0] * 9]))
    assert compared(run, run).warnings == (
        "A has one pass: what drifts between passes is not seen; give --passes 6 or more",
        "B has one pass: what drifts between passes is not seen; give --passes 6 or more",
    )


def test_ambiguous_ones_are_told() -> None:
    (warning,) = compared(
        of({"ohem": 1.0, "dice": 1.0}), made_run(*of({"dice": 1.0}).results, made_result("ohem", [[0.9, 1.1] * 5] * 3))
    ).warnings
    assert warning.startswith("1 of 2 are ambiguous; a longer --time-budget tells more, --threads 1 is steadier")


def test_where_there_are_several_runs_a_side_more_of_them_are_advised() -> None:
    unsure = made_run(made_result("ohem", [[0.9, 1.1] * 5] * 3))
    found = compare(side_of(["a0", "a1"], [unsure] * 2), side_of(["b0", "b1"], [unsure] * 2))
    assert found.warnings == ("1 of 1 are ambiguous; more runs a side tell more",)


def test_an_interrupted_side_is_told() -> None:
    run = of({"ohem": 1.0})
    assert compared(run, replace(run, partial=True)).warnings == (
        "B was interrupted: kernels are missing, or have few samples",
    )


def test_one_thread_is_not_recommended_to_what_has_one() -> None:
    sides = [of({"ohem": 1.0}), made_run(made_result("ohem", [[0.9, 1.1] * 5] * 3))]
    first, second = (replace(run, environment=replace(run.environment, threads=1)) for run in sides)
    (warning,) = compared(first, second).warnings
    assert warning.startswith("1 of 1 are ambiguous; a longer --time-budget tells more, and so do several runs")


def noisy(generator: np.random.Generator, *shares: float, count: int = 3) -> Run:
    """Make a run as a shared machine gives it: all slow down together from pass to pass, and each has its own noise.

    Args:
        generator: Of the noise.
        shares: How much longer each kernel takes.
        count: Of passes.
    """
    machine = generator.normal(0, 0.02, count)

    def passes(seconds: float) -> list[list[float]]:
        own = generator.normal(0, 0.004, count)
        return [list(seconds * np.exp(generator.normal(drift, 0.01, 15))) for drift in machine + own]

    kernels = [made_result(f"kernel-{place}", passes(1e-3 * share)) for place, share in enumerate(shares)]
    return made_run(*kernels, references=[made_reference("copy", passes(5e-3))])


def test_runs_of_one_program_are_not_called_slower_and_slowed_ones_are() -> None:
    generator = np.random.default_rng(0)
    same, slower = (1.0,) * 5, (1.1,) * 5
    unchanged = [compared(noisy(generator, *same), noisy(generator, *same)) for _ in range(20)]
    slowed = [compared(noisy(generator, *same), noisy(generator, *slower)) for _ in range(20)]
    assert sum(found.counts["slower"] for found in unchanged) == 0
    assert sum(found.counts["slower"] for found in slowed) >= 95


def test_one_slowed_kernel_is_found_among_many_and_no_other_is_accused() -> None:
    generator = np.random.default_rng(0)
    same = (1.0,) * 60
    found = compared(noisy(generator, *same, count=16), noisy(generator, 1.1, *same[1:], count=16))
    assert [pair.kernel for pair in found.kernels if pair.verdict.value == "slower"] == ["kernel-0"]
    assert found.counts["faster"] == 0


def test_a_difference_that_some_of_many_show_by_chance_says_so() -> None:
    # Three passes a side of which none repeats another: sure of one kernel, not of one in a hundred.
    first, second = ([[seconds * (1 + 0.004 * place)] * 9 for place in range(3)] for seconds in (1.0, 1.08))
    steady_ones = {f"kernel-{index}": 1.0 for index in range(99)}
    before, after = (made_run(*of(steady_ones).results, made_result("ohem", passes)) for passes in (first, second))
    assert compared(before, after, Question(kernel="ohem")).regressed
    among = compared(before, after)
    assert not among.regressed
    (unsure,) = (pair for pair in among.kernels if pair.kernel == "ohem")
    assert unsure.reason == "its difference would be sure of one kernel; of 100 some differ so by chance"
