from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.loss.collecting import Collector, images_of
from segcli.loss.totals import Facts


def line(name: str, ce: float, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a line
    return {
        "name": name,
        "logits": f"{name}.pt",
        "mode": "multiclass",
        "backend": "eager",
        "shapes": [[1, 3, 4, 4], [1, 4, 4]],
        "dtypes": ["float32", "uint8"],
        "n_classes": 3,
        "n_valid": 16,
        "losses": {"ce": {"value": ce}, "dice": {"value": 0.5}},
        "notes": [],
    } | others


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), max_size=12),
    st.integers(0, 12),
    st.integers(0, 4),
)
def test_the_worst_are_those_of_a_sort_in_any_number_of_parts(files: list[tuple[str, int]], cut: int, top: int) -> None:
    lines = [line(f"{letter}{i}", loss) for i, (letter, loss) in enumerate(files)]
    whole, first, second = Collector(top=top), Collector(top=top), Collector(top=top)
    for part in lines:
        whole.add(part)
    for part in lines[:cut]:
        first.add(part)
    for part in lines[cut:]:
        second.add(part)
    first.merge(second)
    ordered = sorted((-part["losses"]["ce"]["value"], part["name"]) for part in lines)
    losses = [-loss for loss, _ in ordered[:top]]
    assert [image.losses["ce"] for image in whole.worst] == losses
    assert first.worst == whole.worst
    assert first.n_images == whole.n_images == len(lines)


def test_shapes_and_dtypes_are_told_where_all_have_them() -> None:
    collector = Collector()
    collector.add(line("a", 1))
    collector.add(line("b", 2, shapes=[[1, 3, 8, 8], [1, 8, 8]], dtypes=["float32", "int64"]))
    logits, labels = collector.sources("out", "labels")
    assert (logits.file, logits.shape, logits.dtype) == ("out", None, "float32")
    assert (labels.shape, labels.dtype) == (None, None)
    assert collector.facts == Facts("multiclass", "eager", 3)
    other = Collector()
    other.add(line("c", 1, shapes=[[1, 3, 4, 4], [1, 4, 4]], dtypes=["float16", "uint8"]))
    other.merge(collector)
    assert other.sources("x", "y")[0].dtype is None
    empty = Collector()
    empty.merge(other)
    other.merge(Collector())
    assert empty.facts == other.facts


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"mode": "binary"}, r"b\.pt is binary, expected multiclass as a\.pt"),
        ({"n_classes": 21}, r"b\.pt has 21 classes, expected 3 as a\.pt"),
    ],
)
def test_files_of_another_kind_are_refused(others: dict[str, Any], words: str) -> None:
    collector, other = Collector(), Collector()
    collector.add(line("a", 1))
    with pytest.raises(SegcliError, match=words):
        collector.add(line("b", 1, **others))
    other.add(line("b", 1, **others))
    with pytest.raises(SegcliError, match=words):
        collector.merge(other)


def test_remarks_say_of_how_many_files_they_are() -> None:
    collector, other = Collector(), Collector()
    collector.add(line("a", 1, notes=["dark"]))
    assert collector.remarks(1) == ["dark"]
    other.add(line("b", 1, notes=["dark", "small"]))
    collector.merge(other)
    assert collector.remarks(2) == ["a and 1 more: dark", "b: small"]


def test_images_of_a_file_of_several_are_told_apart() -> None:
    images = [{"index": i, "n_valid": 3 * i, "losses": {"ce": float(i)}} for i in range(3)]
    assert [image.name for image in images_of(line("a", 1, images=images))] == ["a[0]", "a[1]", "a[2]"]
    collector = Collector()
    collector.add(line("a", 1, images=images))
    # Nothing of the first is valid.
    assert [image.name for image in collector.worst] == ["a[2]", "a[1]"]


def test_lines_without_losses_are_let_pass() -> None:
    collector = Collector()
    collector.add({"name": "a"})
    assert collector.first is None


def test_projects_of_any_rank_are_put_together() -> None:
    figure = {"project": "smp", "loss": "ce", "call": "f()", "value": 1.0, "ours": 0.5, "remark": "", "error": ""}
    figure |= {"steps": [["mean", "a mean", 0.5]], "reasons": []}
    one, other = Collector(), Collector()
    one.add(line("a", 1))
    other.add(line("b", 1, projects=[figure]))
    one.merge(other)
    assert [comparison.n_files for comparison in one.comparisons.values()] == [1]
    other = Collector()
    other.add(line("c", 1, projects=[figure]))
    one.merge(other)
    assert [comparison.n_files for comparison in one.comparisons.values()] == [2]


def test_a_loss_that_is_no_number_is_the_worst() -> None:
    collector = Collector(top=2)
    for name, ce in (("a", 3.0), ("b", None), ("c", 5.0)):
        collector.add(line(name, 0) | {"losses": {"ce": {"value": ce}}})
    assert [image.name for image in collector.worst] == ["b", "c"]
