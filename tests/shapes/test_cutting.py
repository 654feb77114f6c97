"""Cutting a tensor into several: ``chunk``, ``split``, ``tensor_split``, ``unbind``."""

import random

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.result import Member
from tests.shapes.agreement import CASES
from tests.shapes.cases import Case
from tests.shapes.drawing import bind, holds, refused, run_cases

SHAPES = [(), (1,), (0,), (5,), (7,), (2, 3), (5, 3), (5, 3), (0, 3), (4, 0), (6, 4), (6, 4), (2, 3, 4), (3, 1, 2)]
DIMS = ["0", "0", "1", "1", "-1", "-1", "-2", "2", "5", "-4", "None", "1.0", "True", "(0,)", "[0]"]
NUMBERS = ["1", "2", "2", "2", "3", "3", "4", "7", "0", "-1", "True", "2.0", "None", "'a'"]
LISTS = ["[2, 3]", "(2, 3)", "[1, 3]", "[2, 2, 1]", "[5]", "[]", "()", "[6, -1]", "[-1]", "[-3, -1]", "[3, 1]", "[9]"]
LISTS += ["[0, 5]", "[True, 4]", "[4, True]", "[2.0, 3]", "[2, 3.0]", "[2, None]", "[0]", "[2, 1]", "[3, 3]", "[2, 4]"]
TENSORS = ["int64:tensor([1, 3])", "int64:tensor(2)", "int64:tensor(0)", "int32:tensor(1)", "float32:tensor([1.0])"]
TENSORS += ["int64:tensor([[1, 2]])", "int64:tensor([-1])", "int64:tensor([3, 1, 9])"]
PARAMETERS = {"chunk": "chunks", "split": "split_size", "tensor_split": "sections", "unbind": ""}
IN_NUMPY = {"chunk": "chunk", "split": "split", "tensor_split": "array_split", "unbind": "unstack"}
INDICES = ["[0]", "[-1]", "[1]", "[3]", "[9]", "[True]", "[None]", "[1.0]", "[1:]", "[::-1]", "[::2]", "[:2]", "[-2:]"]
INDICES += ["[::0]", "[1:][0]", "[::-1][0]", "[1::2][-1]", "[[0]]", "[0, 1]", "[...]"]


def draw_pieces(rng: random.Random, case: Case, name: str) -> str:
    """Draw into what to cut; binds a name where that is a tensor."""
    kind = rng.random()
    if name != "chunk" and kind < 0.12:
        spec = rng.choice(TENSORS)
        case.specs["c"] = spec
        dtype, _, values = spec.partition(":")
        # Written above.
        case.tensors["c"] = torch.tensor(eval(values[7:-1]), dtype=getattr(torch, dtype))  # noqa: S307 - see above
        return "c"
    if (name == "chunk" and kind < 0.9) or kind < 0.55:
        return rng.choice(NUMBERS)
    return rng.choice(LISTS)


def draw_cut(rng: random.Random) -> Case:
    case = Case()
    source = bind(rng, case, "x", rng.choice(SHAPES))
    name = rng.choice(list(PARAMETERS))
    arguments, numpy_arguments = [], []
    positional = True
    if name != "unbind" and rng.random() < 0.96:
        text = draw_pieces(rng, case, name)
        positional = rng.random() < 0.8
        keyword = PARAMETERS[name]
        if name == "tensor_split" and not positional:
            keyword = "tensor_indices_or_sections" if text == "c" else "indices" if text[0] in "[(" else keyword
        arguments.append(text if positional else f"{keyword}={text}")
        numpy_arguments.append(text)
    elif name != "unbind":
        positional = False
    if rng.random() < 0.6:
        dim = rng.choice(DIMS)
        keyword = "axis" if name != "split" and rng.random() < 0.1 else "dim"
        arguments.append(dim if positional and rng.random() < 0.5 else f"{keyword}={dim}")
        numpy_arguments.append(f"axis={dim}")
    tail = rng.choice(INDICES) if rng.random() < 0.3 else ""
    write(rng, case, name, source, (arguments, numpy_arguments), tail)
    return case


def write(
    rng: random.Random, case: Case, name: str, source: str, arguments: tuple[list[str], list[str]], tail: str
) -> None:
    of_torch = rng.random() < 0.3
    if of_torch and name == "split":
        arguments[0][:] = [text.replace("split_size=", "split_size_or_sections=") for text in arguments[0]]
    if of_torch:
        case.expr = f"torch.{name}({', '.join([source, *arguments[0]])}){tail}"
    else:
        case.expr = f"{source}.{name}({', '.join(arguments[0])}){tail}"
    case.numpy_expr = f"np.{IN_NUMPY[name]}({', '.join([source, *arguments[1]])}){tail}"
    if name == "chunk" and not of_torch:
        case.numpy_expr = f"{source}.chunk()"
    if ".transpose" in source:
        # NumPy's means another thing.
        case.numpy_expr = ""


@pytest.mark.parametrize("chunk", range(2))
def test_agreement_on_random_cuts(chunk: int) -> None:
    run_cases(draw_cut, CASES // 8, chunk=chunk)


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
        ("x.split(x.size(1))", "8,M", [(("M", "M"), "ceil(8 / M)")]),
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
            ("N - 2*(ceil(N / 2) - 1)", 3),
            ("N >= 1",),
            "result[i, j] = x[2*(ceil(N / 2) - 1) + i, j]",
        ),
        ("x.split(2)[1:][0]", ("min(2, max(N - 2, 0))", 3), ("N >= 3",), "result[i, j] = x[2 + i, j]"),
        ("x.split([2, 3])[1]", (3, 3), ("N == 5",), "result[i, j] = x[2 + i, j]"),
        ("x.chunk(2, 1)[1]", ("N", 1), (), "result[i, j] = x[i, 2 + j]"),
        ("x.unbind()[:0]", None, (), None),
        ("x.unbind()[-2:][0]", (3,), ("N >= 1",), "result[i] = x[max(N - 2, 0), i]"),
        ("x.chunk(2)[1]", ("min(ceil(N / 2), N - ceil(N / 2))", 3), ("ceil(N / ceil(N / 2)) >= 2",), None),
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
        ("x.split(n)", {"x": "5,", "n": "int64:()"}, "the value of n is not known"),
        ("x.unbind(n)", {"x": "5,", "n": "int64:()"}, "the value of n is not known"),
        ("x.unbind(x.size(0))", {"x": "N,"}, "which axis x.size(0) is, is not known"),
        ("x.tensor_split(i)", {"x": "5,", "i": "int64:2"}, "the values of i are not known"),
        ("x.tensor_split(99)", {"x": "N,"}, "99 pieces of N positions"),
        ("x.split(0)", {"x": "N,"}, "an axis of size 0 alone"),
        ("x.split(2)[3::-1]", {"x": "N,"}, "how many tensors split() returns is not known"),
        ("x.max(1)[:1]", {"x": "5,3"}, "returns two tensors"),
    ],
)
def test_refused(expr: str, specs: dict[str, str], words: str) -> None:
    with pytest.raises(SegcliError) as caught:
        explain(expr, specs)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x.split([x.shape[0]])", "the cut point x.shape[0] is not known"),
        ("torch.split(x, x.shape[0])", "into how many pieces x.shape[0] cuts"),
    ],
)
def test_refused_of_numpy(expr: str, words: str) -> None:
    with pytest.raises(SegcliError) as caught:
        explain(expr, {"x": "N,3"}, lead="numpy")
    assert words in caught.value.message


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
    (note,) = explain("x.chunk(4)", {"x": "5,"}).notes
    assert note.startswith("chunk gives fewer tensors than asked for: pieces of 2 positions, of which 3 hold all 5")


def test_what_was_joined_is_cut_again() -> None:
    assert explain("torch.cat([x, x]).tensor_split(2)[1]", {"x": "N,3"}).torch.shape == ("N", 3)
    assert explain("torch.cat([x, x]).chunk(2)[-1]", {"x": "N,3"}).torch.shape == ("N", 3)


def test_labels_stay() -> None:
    assert explain("x.unbind(1)[0]", {"x": "h:4,w:5,c:3"}).torch.labels == ("h", "c")
    assert explain("x.unbind(1)", {"x": "h:4,w:5,c:3"}).torch.labels == ("h", "c")
    assert explain("x.split(2, 1)", {"x": "h:4,w:5"}).torch.labels == ("h", "w")
