"""What selects by positions, by masks and by a condition: agreement with the libraries, by hand, symbols, formulas."""

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case

_PINNED = [
    ("x.index_select(1, i)", "np.take(x, i, 1)", {"x": (2, 1, 3), "i": [-2, 2]}),
    ("x[:0].index_select(1, i)", "np.take(x[:0], i, 1)", {"x": (2, 3), "i": [9]}),
    ("x.index_select(0, i)", "np.take(x, i, 0)", {"x": (2, 0, 3), "i": [2]}),
    ("x.index_select(None, i)", "np.take(x, i, None)", {"x": (2, 3), "i": [4, 0]}),
    ("x.index_select(True, i)", "np.take(x, i, True)", {"x": (2, 3), "i": [1]}),
    ("x.scatter(0, i, 1)", "", {"x": (2, 3), "i": [[2, 0, 0]]}),
    ("x.scatter(0, i, v)", "", {"x": (2, 3), "i": [[0, 0, 0]], "v": (3,)}),
    ("x.scatter(0, i, v)", "", {"x": (2, 3), "i": [[0, 0, 0, 0]], "v": (3,)}),
    ("x.scatter(0, i, v)", "", {"x": (3,), "i": [0], "v": ()}),
    ("x.scatter(0, i, v)", "", {"x": (), "i": [0], "v": (1,)}),
    ("x.take_along_dim(i, 0)", "np.take_along_axis(x, i, 0)", {"x": (), "i": [0]}),
    ("x.take_along_dim(i, 5)", "np.take_along_axis(x, i, 5)", {"x": (3,), "i": [0]}),
    ("x.take_along_dim(i, 0)", "np.take_along_axis(x, i, 0)", {"x": (3,), "i": [4, -1, -7]}),
    ("x.T.take_along_dim(i)", "", {"x": (3, 2), "i": [4, 1]}),
    ("x.gather(0, i, sparse_grad=True)", "np.take_along_axis(x, i, 0)", {"x": (3,), "i": [1]}),
    ("torch.where()", "np.where()", {}),
    ("torch.where(x, x)", "np.where(x, x)", {"x": (3,)}),
    ("torch.where(x, x, x, x)", "np.where(x, x, x, x)", {"x": (3,)}),
    ("torch.where(condition=i)", "np.where(condition=i)", {"i": [0, 2]}),
    ("torch.where(0)", "np.where(0)", {}),
    ("torch.where([0, 1])", "np.where([0, 1])", {}),
    ("m.nonzero(m)", "m.nonzero(m)", {"m": [[0, 1]]}),
    ("torch.nonzero(x, foo=1)", "np.nonzero(x, foo=1)", {"x": (3,)}),
]


@pytest.mark.parametrize(
    ("expr", "numpy_expr", "bound"), _PINNED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_pinned(expr: str, numpy_expr: str, bound: dict[str, list[int] | tuple[int, ...]]) -> None:
    case = Case(expr, numpy_expr)
    for name, given in bound.items():
        case.tensors[name] = torch.zeros(given) if isinstance(given, tuple) else torch.tensor(given)
        text = str(given).replace(" ", "")
        case.specs[name] = f"float32:{text}" if isinstance(given, tuple) else f"tensor({text})"
    check(case, words=False)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "formula"),
    [
        ("x.gather(1, i)", {"x": "4,5", "i": "int64:3,2"}, (3, 2), "result[j, k] = x[j, i[j, k]]"),
        ("x.gather(1, n)", {"x": "4,5", "n": "int64:3,2"}, (3, 2), "result[i, j] = x[i, n[i, j]]"),
        ("x[1:].gather(0, n)", {"x": "9,", "n": "int64:2"}, (2,), "result[i] = x[1 + (n[i])]"),
        ("x.gather(0, n)", {"x": "()", "n": "int64:2"}, (2,), "result[i] = x"),
        ("x.gather(0, n)", {"x": "3,", "n": "int64:()"}, (), "result = x[n]"),
        ("x.gather(0, n)", {"x": "3,2", "n": "int64:(0,)"}, (0,), None),
        ("x.take_along_dim(n, 0)", {"x": "4,5", "n": "int64:1,5"}, (1, 5), "result[i, j] = x[n[i, j], j]"),
        ("x.take_along_dim(n, 1)", {"x": "1,5", "n": "int64:4,1"}, (4, 1), "result[i, j] = x[0, n[i, j]]"),
        ("x[1:].take_along_dim(n, 0)", {"x": "9,", "n": "int64:2"}, (2,), "result[i] = x[1:][n[i]]"),
        ("x.take_along_dim(n, 0)", {"x": "3,", "n": "tensor([7])"}, (1,), "result[i] = x[n[i] % 3]"),
        ("x.take_along_dim(n)", {"x": "4,5", "n": "int64:2,3"}, (6,), None),
        ("x.take_along_dim(n)", {"x": "4,", "n": "int64:2"}, (2,), "result[i] = x[n[i]]"),
        ("x.index_select(1, n)", {"x": "4,5,6", "n": "int64:2"}, (4, 2, 6), "result[i, j, k] = x[i, n[j], k]"),
        ("x.index_select(0, n)", {"x": "4,5", "n": "int64:()"}, (1, 5), "result[i, j] = x[n, j]"),
        ("x.index_select(0, n)", {"x": "()", "n": "int64:1,"}, (), "result = x"),
        ("x.scatter(0, n, v)", {"x": "4,5", "n": "int64:2,3", "v": "2,3"}, (4, 5), "result[n[i, j], j] = v[i, j]"),
        ("x.scatter(1, n, 7)", {"x": "4,5", "n": "int64:2,3"}, (4, 5), "result[i, n[i, j]] = 7"),
        ("x.scatter_add(1, n, v)", {"x": "4,5", "n": "int64:2,3", "v": "4,5"}, (4, 5), "result[i, n[i, j]] += v[i, j]"),
        ("x.scatter(0, n, 7)", {"x": "4,", "n": "int64:()"}, (4,), "result[n] = 7"),
        ("x.scatter(0, n, 7)", {"x": "()", "n": "int64:3"}, (), None),
        (
            "x.masked_select(m)",
            {"x": "4,5", "m": "bool:4,5#7"},
            (7,),
            "result[i] = x[m.nonzero()[i, 0], m.nonzero()[i, 1]]",
        ),
        ("x.masked_select(m)", {"x": "4,1", "m": "bool:4,5#7"}, (7,), "result[i] = x[m.nonzero()[i, 0], 0]"),
        ("x.masked_select(m)", {"x": "4,5", "m": "bool:5,#2"}, (8,), None),
        ("x.masked_fill(m, -1)", {"x": "4,5", "m": "bool:5"}, (4, 5), "result[i, j] = (-1) if m[j] else x[i, j]"),
        (
            "torch.where(m, x, v)",
            {"x": "4,1", "m": "bool:5", "v": "()"},
            (4, 5),
            "result[i, j] = x[i, 0] if m[j] else v",
        ),
        ("x.where(m, 0)", {"x": "3,", "m": "bool:3"}, (3,), "result[i] = x[i] if m[i] else 0"),
        ("m.nonzero()", {"m": "bool:4,5#3"}, (3, 2), None),
        ("m.nonzero()", {"m": "bool:()"}, ("nonzero(m)", 0), None),
        ("torch.where(m)[1]", {"m": "bool:4,5#3"}, (3,), None),
    ],
)
def test_by_hand(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], formula: str | None) -> None:
    explanation = explain(expr, specs)
    assert (explanation.torch.shape, explanation.formula) == (shape, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("x.gather(1, n)", {"x": "N,C", "n": "int64:N,1"}, ("N", 1), ("C >= 1",)),
        ("x.gather(1, n)", {"x": "N,C", "n": "int64:M,K"}, ("M", "K"), ("M <= N", "C >= 1")),
        ("x.gather(0, n)", {"x": "N,3", "n": "tensor([[4,0,1]])"}, (1, 3), ("N >= 5",)),
        ("x.gather(0, n)", {"x": "N,M", "n": "tensor([[4,0,1]])"}, (1, 3), ("M >= 3", "N >= 5")),
        ("x.take_along_dim(n, 1)", {"x": "N,C", "n": "int64:M,1"}, ("N", 1), ("M == N or M == 1", "C >= 1")),
        ("x.take_along_dim(n)", {"x": "N,3", "n": "tensor([5])"}, (1,), ("N >= 2",)),
        ("x.index_select(0, n)", {"x": "N,3", "n": "int64:K"}, ("K", 3), ("N >= 1",)),
        ("x.index_select(0, n)", {"x": "()", "n": "int64:K"}, (), ("K == 1",)),
        ("x.scatter(1, n, v)", {"x": "N,C", "n": "int64:M,1", "v": "M,K"}, ("N", "C"), ("M <= N", "K >= 1", "C >= 1")),
        ("x.masked_select(m)", {"x": "N,3", "m": "bool:N,1"}, ("3*nonzero(m)",), ()),
        ("x.masked_select(m)", {"x": "N,3", "m": "bool:0,1"}, (0,), ("N == 0",)),
        ("x.masked_fill(m, 0)", {"x": "N,3", "m": "bool:M,1"}, ("M", 3), ("N == M or N == 1",)),
        ("torch.where(m, x, 0)", {"x": "N,3", "m": "bool:N,3"}, ("N", 3), ()),
        ("x.nonzero()", {"x": "N,3"}, ("nonzero(x)", 2), ()),
    ],
)
def test_symbols(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.shape == shape
    assert sorted(explanation.needs) == sorted(needs)


def test_symbols_of_numpy() -> None:
    specs = {"x": "N,3", "n": "tensor([[4,-6,1]])"}
    assert explain("x.take_along_dim(n, 0)", specs, lead="numpy").needs == ("N >= 6",)


def test_where_with_a_mask_is_an_index() -> None:
    explanation = explain("x[torch.where(m)]", {"x": "4,5,6", "m": "bool:4,5"})
    assert explanation.torch.shape == ("nonzero(m)", 6)


def test_labels_of_the_source_stay() -> None:
    specs = {"x": "n:4,c:5", "i": "int64:4,2", "k": "int64:2"}
    assert explain("x.gather(1, i)", {name: specs[name] for name in "xi"}).torch.labels == ("n", None)
    assert explain("x.index_select(1, k)", {name: specs[name] for name in "xk"}).torch.labels == ("n", "c")
    specs = {"x": "4,5", "i": "int64:a:4,b:2"}
    assert explain("x.gather(1, i)", specs).torch.labels == ("a", "b")


def test_notes_and_reasons() -> None:
    wrapped = explain("x.take_along_dim(i, 0)", {"x": "3,", "i": "tensor([7])"})
    assert "positions modulo the size of the axis here: 7 is 1" in wrapped.notes[0]
    stored = explain("x.masked_fill(m, 1.5)", {"x": "int64:3", "m": "bool:3"})
    assert stored.broadcasts[-1].why == "1.5 becomes int64, as x is"
    deprecated = explain("torch.where(m, x, 0)", {"x": "3,", "m": "uint8:3"})
    assert deprecated.notes[0].startswith("deprecated: where() takes a uint8 condition")


def test_the_axis_at_fault() -> None:
    error = explain("x.gather(1, i)", {"x": "4,5", "i": "tensor([[1],[7]])"}).torch.error
    assert error is not None
    assert (error.token, error.axis, error.message) == ("i", 1, "index 7 is out of bounds for dimension 1 with size 5")
    error = explain("x.gather(1, i)", {"x": "4,5", "i": "int64:6,2"}).torch.error
    assert error is not None
    assert (error.token, error.axis) == ("i", 0)
