from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.loss.comparing import Comparison, Comparisons, add_comparisons

Figure = tuple[float | None, float | None, bool]


def entry(figure: Figure, *, loss: str = "dice") -> dict[str, Any]:
    ours, delta, has_step = figure
    value = None if ours is None or delta is None else ours + delta
    steps = [["absent", "class 2 absent", delta]] if has_step else []
    error = "NaN" if value is None else ""
    return {
        "project": "smp",
        "loss": loss,
        "call": "DiceLoss()",
        "value": value,
        "ours": ours,
        "steps": steps,
        "reasons": ["class 2 absent: 1 -> 2"],
        "error": error,
        "remark": "",
    }


FIGURES = st.lists(
    st.tuples(st.none() | st.integers(0, 8).map(float), st.none() | st.integers(-4, 4).map(float), st.booleans()),
    min_size=1,
    max_size=9,
)


@given(FIGURES, st.integers(0, 9))
def test_parts_make_the_same_as_the_whole(figures: list[Figure], cut: int) -> None:
    entries = [entry(figure) for figure in figures]
    whole, one, other = Comparison(entries[0]), Comparison(entries[0]), Comparison(entries[0])
    for part in entries:
        whole.add(part)
    for part in entries[:cut]:
        one.add(part)
    for part in entries[cut:]:
        other.add(part)
    one.merge(other)
    assert one.figure() == whole.figure()


def test_of_many_files_each_reason_says_how_far_it_moves_the_mean() -> None:
    comparison = Comparison(entry((1.0, 0.5, True)))
    figures: list[Figure] = [(1.0, 0.5, True), (2.0, 0.0, False), (3.0, 0.4, True), (5.0, None, True)]
    for numbers in figures:
        comparison.add(entry(numbers))
    figure = comparison.figure()
    # Of the three files in which the project has a number.
    assert figure.ours == 2.0
    assert figure.value == pytest.approx(2.3)
    assert figure.reasons == ("class 2 absent (and alike in 1 more): +0.3 in the mean",)
    assert figure.error == "class 2 absent: NaN in 1 of 4 files"


def test_a_reason_may_be_of_one_file_and_an_error_of_all() -> None:
    one = Comparison(entry((1.0, 0.5, True)))
    one.add(entry((1.0, 0.5, True)))
    assert one.figure().reasons == ("class 2 absent: 1 -> 2",)
    one.add(entry((1.0, 0.0, False)))
    assert one.figure().reasons == ("class 2 absent (in one file): +0.25 in the mean",)
    bad = Comparison(entry((None, None, False)))
    for ours in (2.0, 4.0):
        bad.add(entry((ours, None, False)) | {"error": ""})
    assert (bad.figure().value, bad.figure().ours, bad.figure().error) == (None, 3.0, "no number in 2 of 2 files")


def test_two_forms_of_a_loss_stay_apart() -> None:
    comparisons: Comparisons = {}
    for _ in range(2):
        add_comparisons(comparisons, [entry((1.0, 0.0, False)), entry((1.0, 1.0, False)), entry((1.0, 2.0, False))])
    assert [comparison.figure().value for comparison in comparisons.values()] == [1.0, 2.0, 3.0]
    assert list(comparisons) == [("smp", "dice", form) for form in (1, 2, 3)]
