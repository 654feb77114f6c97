"""Cutting a tensor into several: ``chunk``, ``split``, ``tensor_split``, ``unbind``."""

import re

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.result import Member
from tests.shapes.drawing import holds, refused


@pytest.mark.parametrize(
    ("expr", "spec", "shapes"),
    [
        ("x.split(2)", "5,3", [((2, 3), 2), ((1, 3), 1)]),
        ("x.split(2, 1)", "5,3", [((5, 2), 1), ((5, 1), 1)]),
        ("x.split([2, 3])", "5,3", [((2, 3), 1), ((3, 3), 1)]),
        ("x.split([2, 2, 1])", "5,3", [((2, 3), 2), ((1, 3), 1)]),
        ("x.split(0)", "0,3", [((0, 3), 1)]),
        ("x.split(9)", "5,3", [((5, 3), 1)]),
        ("x.chunk(3)", "10,", [((4,), 2), ((2,), 1)]),
        ("x.chunk(4)", "5,", [((2,), 2), ((1,), 1)]),
        ("x.chunk(3)", "0,", [((0,), 3)]),
        ("x.tensor_split(3)", "10,", [((4,), 1), ((3,), 2)]),
        ("x.tensor_split([3, 1])", "5,", [((3,), 1), ((0,), 1), ((4,), 1)]),
        ("x.unbind(1)", "5,3", [((5,), 3)]),
        ("x.unbind()[1::2]", "5,3", [((3,), 2)]),
        ("x.split(2)[::-1]", "5,3", [((1, 3), 1), ((2, 3), 2)]),
        ("x.unbind()", f"{10**12},3", [((3,), 10**12)]),
        ("x.unbind()[::-3]", f"{10**12},3", [((3,), 333333333334)]),
        ("x.split(1)[5:]", f"{10**12},3", [((1, 3), 10**12 - 5)]),
        ("x.tensor_split(7)", f"{10**12},", [((142857142858,), 1), ((142857142857,), 6)]),
        ("x.unbind()", "N,3", [((3,), "N")]),
        ("x.split(2)", "N,3", [(("min(2, N)", 3), "ceil(N / 2)")]),
        ("x.chunk(2)", "N,3", [(("ceil(N / 2)", 3), "ceil(N / ceil(N / 2))")]),
        ("x.tensor_split(2)", "N,", [(("(N + 1) // 2",), 1), (("N // 2",), 1)]),
        ("x.tensor_split([2])", "N,", [(("min(2, N)",), 1), (("max(N - 2, 0)",), 1)]),
        ("x.split([2, 3])", "N,", [((2,), 1), ((3,), 1)]),
        ("x.split([x.size(1), 3])", "N,M", [(("M", "M"), 1), ((3, "M"), 1)]),
        ("x.unbind()[:2]", "N,3", [((3,), "min(2, N)")]),
        ("x.unbind()[::-1]", "N,3", [((3,), "N")]),
        ("x.split(2)[1:]", "N,", [(("min(2, max(N - 2, 0))",), "ceil(max(N - 2, 0) / 2)")]),
        ("x.split(x.size(1))", "8,M", [(("min(8, M)", "M"), "ceil(8 / M)")]),
        ("x.split(x.size(1))", "0,M", [((0, "M"), 1)]),
    ],
)
def test_pieces_by_hand(expr: str, spec: str, shapes: list[tuple[tuple[int | str, ...], int | str]]) -> None:
    members = explain(expr, {"x": spec}).torch.members
    assert [(member.shape, member.count) for member in members] == shapes


@pytest.mark.parametrize(
    ("expr", "x", "formula"),
    [
        ("x.split(2, 1)[1]", "4,5", "result[i, j] = x[i, 2 + j]"),
        ("x.split(2, 1)[-1]", "4,5", "result[i, j] = x[i, 4 + j]"),
        ("x.chunk(3)[0]", "7,2", "result[i, j] = x[i, j]"),
        ("x.unbind(1)[2]", "4,5", "result[i] = x[i, 2]"),
        ("x.unbind()[::-1][0]", "4,5", "result[i] = x[3, i]"),
        ("x[1:].split([1, 2])[1]", "4,5", "result[i, j] = x[2 + i, j]"),
        ("x.tensor_split(3)[1]", "7,", "result[i] = x[3 + i]"),
        ("x.unbind()[1]", "4,", "result = x[1]"),
    ],
)
def test_formulas(expr: str, x: str, formula: str) -> None:
    holds(expr, {"x": x}, formula)


@pytest.mark.parametrize(
    ("expr", "shape", "needs", "formula"),
    [
        ("x.unbind()[3]", (3,), ("N >= 4",), "result[i] = x[3, i]"),
        ("x.unbind()[-1]", (3,), ("N >= 1",), "result[i] = x[N - 1, i]"),
        ("x.split(2)[1]", ("min(2, max(N - 2, 0))", 3), ("N >= 3",), "result[i, j] = x[2 + i, j]"),
        (
            "x.split(2)[-1]",
            ("N + 2 - 2*ceil(N / 2)", 3),
            ("N >= 1",),
            "result[i, j] = x[2*(ceil(N / 2) - 1) + i, j]",
        ),
        ("x.split(2)[1:][0]", ("min(2, max(N - 2, 0))", 3), ("N >= 3",), "result[i, j] = x[2 + i, j]"),
        ("x.split([2, 3])[1]", (3, 3), ("N == 5",), "result[i, j] = x[2 + i, j]"),
        ("x.chunk(2, 1)[1]", ("N", 1), (), "result[i, j] = x[i, 2 + j]"),
        ("x.unbind()[:0]", None, (), None),
        ("x.unbind()[-2:][0]", (3,), ("N >= 1",), "result[i] = x[max(N - 2, 0), i]"),
        ("x.chunk(2)[1]", ("N // 2", 3), ("N >= 2",), "result[i, j] = x[ceil(N / 2) + i, j]"),
    ],
)
def test_pieces_of_unknown_sizes(
    expr: str, shape: tuple[int | str, ...] | None, needs: tuple[str, ...], formula: str | None
) -> None:
    explanation = explain(expr, {"x": "N,3"})
    assert (explanation.torch.shape, explanation.needs) == (shape, needs)
    if formula is not None:
        assert explanation.formula == formula


def test_a_position_that_is_not_known() -> None:
    assert explain("x.unbind()[n]", {"x": "4,3", "n": "int64:()"}).formula == "result[i] = x[n, i]"
    assert explain("x.split(2)[n + 1]", {"x": "4,3", "n": "int64:()"}).torch.shape == (2, 3)
    assert explain("x.unbind()[x.size(1)]", {"x": "4,N"}).torch.shape == ("N",)
    with pytest.raises(SegcliError, match="hangs on the value of n"):
        explain("x.split(2)[n]", {"x": "5,3", "n": "int64:()"})
    with pytest.raises(SegcliError, match="hangs on the value of n"):
        explain("x.max(1)[n]", {"x": "5,3", "n": "int64:()"})


@pytest.mark.parametrize(
    ("expr", "specs", "words"),
    [
        ("x.unbind(n)", {"x": "5,", "n": "int64:()"}, "the value of n is not known"),
        ("x.unbind(x.size(0))", {"x": "N,"}, "the value of x.size(0) is not known"),
        ("x.tensor_split(i)", {"x": "5,", "i": "int64:2"}, "the values of i are not known"),
        ("x.tensor_split(99)", {"x": "N,"}, "99 pieces of N positions"),
        ("x.split(0)", {"x": "N,"}, "an axis of size 0 alone"),
        ("x.split(2)[3::-1]", {"x": "N,"}, "how many tensors split() returns is not known"),
        ("x.max(1)[:1]", {"x": "5,3"}, "returns two tensors"),
    ],
)
def test_refused(expr: str, specs: dict[str, str], words: str) -> None:
    with pytest.raises(SegcliError, match=re.escape(words)):
        explain(expr, specs)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x.split([x.shape[0]])", "the cut point x.shape[0] is not known"),
        ("torch.split(x, x.shape[0])", "into how many pieces x.shape[0] cuts"),
    ],
)
def test_refused_of_numpy(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=re.escape(words)):
        explain(expr, {"x": "N,3"}, lead="numpy")


def test_errors_point_at_the_token() -> None:
    x = {"x": "5,3"}
    words = "split_with_sizes expects split_sizes to sum exactly to 5 (input tensor's size at dimension 0), but got "
    refused("x.split([2, 2])", x, "RuntimeError", words + "split_sizes=[2, 2]", "[2, 2]")
    refused("x.unbind()[9]", x, "IndexError", "tuple index out of range", "9")
    refused("x.split(5)[9]", x, "IndexError", "list index out of range", "9", lead="numpy")
    refused("x.max(1)[2]", x, "IndexError", "tuple index out of range", "2")
    refused("torch.split(3, x)", x, "AttributeError", "'int' object has no attribute 'split'", "3")
    refused(
        "torch.tensor_split([x], 2)",
        x,
        "AttributeError",
        "'list' object has no attribute 'swapaxes'",
        "torch.tensor_split([x], 2)",
        lead="numpy",
    )


def test_numpy_cuts_another_way() -> None:
    explanation = explain("x.split(5)", {"x": "10,3"})
    assert explanation.torch.members == (Member("[0:2]", (5, 3), "float32", 2),)
    assert explanation.numpy.members == (Member("[0:5]", (2, 3), "float32", 5),)
    assert "np.array_split" in explain("x.chunk(3)", {"x": "10,"}).differs
    assert explain("x.split(2)", {"x": "N,"}, lead="numpy").needs == ("N % 2 == 0",)
    assert explain("x.split(2)", {"x": "N,"}, lead="numpy").answer.members == (
        Member("[0:2]", ("N // 2",), "float32", 2),
    )
    assert explain("x.unbind(axis=(0,))", {"x": "2,3"}, lead="numpy").answer.shape == (3,)
    refused(
        "x.unbind((0, 1))",
        {"x": "2,3"},
        "ValueError",
        "`source` and `destination` arguments must have the same number of elements",
        "(0, 1)",
        lead="numpy",
    )
    assert explain("x.tensor_split([None, 2])", {"x": "5,"}, lead="numpy").answer.members[0].shape == (5,)


def test_chunk_may_give_fewer() -> None:
    note = explain("x.chunk(4)", {"x": "5,"}).notes[0]
    assert note.startswith("chunk gives fewer tensors than asked for: pieces of 2 positions, of which 3 hold all 5")


def test_what_was_joined_is_cut_again() -> None:
    assert explain("torch.cat([x, x]).tensor_split(2)[1]", {"x": "N,3"}).torch.shape == ("N", 3)
    assert explain("torch.cat([x, x]).chunk(2)[-1]", {"x": "N,3"}).torch.shape == ("N", 3)


def test_labels_stay() -> None:
    assert explain("x.unbind(1)[0]", {"x": "h:4,w:5,c:3"}).torch.labels == ("h", "c")
    assert explain("x.unbind(1)", {"x": "h:4,w:5,c:3"}).torch.labels == ("h", "c")
    assert explain("x.split(2, 1)", {"x": "h:4,w:5"}).torch.labels == ("h", "w")
