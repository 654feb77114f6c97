"""Products of matrices and vectors: ``@``, ``matmul``, ``mm``, ``bmm``, ``mv``, ``dot``, ``einsum``."""

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.drawing import holds, refused


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("a @ b", {"a": "2,3", "b": "3,4"}, "result[i, j] = sum over k of a[i, k] * b[k, j]"),
        ("a @ b", {"a": "3,", "b": "3,"}, "result = sum over i of a[i] * b[i]"),
        ("a @ b", {"a": "5,1,2,3", "b": "7,3,4"}, "result[i, j, k, l] = sum over m of a[i, 0, k, m] * b[j, m, l]"),
        ("a.mv(b)", {"a": "2,3", "b": "3,"}, "result[i] = sum over j of a[i, j] * b[j]"),
        ("a.bmm(b)", {"a": "5,2,3", "b": "5,3,4"}, "result[i, j, k] = sum over l of a[i, j, l] * b[i, l, k]"),
        ("a[:, 1:] @ b", {"a": "2,4", "b": "3,4"}, "result[i, j] = sum over k of a[i, 1 + k] * b[k, j]"),
        ("torch.einsum('ij,jk->ik', x, y)", {"x": "2,3", "y": "3,4"}, "result[i, k] = sum over j of x[i, j] * y[j, k]"),
        ("torch.einsum('ii', x)", {"x": "3,3"}, "result = sum over i of x[i, i]"),
        ("torch.einsum('ii->i', x)", {"x": "3,3"}, "result[i] = x[i, i]"),
        ("torch.einsum('ba', x)", {"x": "2,3"}, "result[a, b] = x[b, a]"),
        ("torch.einsum('i,j', x, y)", {"x": "2,", "y": "3,"}, "result[i, j] = x[i] * y[j]"),
        ("torch.einsum('q,k', q, k)", {"q": "2,", "k": "3,"}, "result[i, j] = q[j] * k[i]"),
        ("torch.einsum('...i,i', x, y)", {"x": "2,3", "y": "3,"}, "result[j] = sum over i of x[j, i] * y[i]"),
        ("torch.einsum('...i->...', x)", {"x": "2,4,3"}, "result[j, k] = sum over i of x[j, k, i]"),
        ("torch.einsum(x, [0, 1], y, [1, 0])", {"x": "2,3", "y": "3,2"}, "result = sum over i, j of x[i, j] * y[j, i]"),
        ("torch.einsum('ij,ij->j', x, y)", {"x": "2,3", "y": "1,3"}, "result[j] = sum over i of x[i, j] * y[0, j]"),
        ("torch.einsum(',i', x, y)", {"x": "()", "y": "3,"}, "result[i] = x * y[i]"),
    ],
)  # fmt: skip
def test_formulas(expr: str, specs: dict[str, str], formula: str) -> None:
    holds(expr, specs, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("x @ y", {"x": "B,T,C", "y": "C,D"}, ("B", "T", "D"), ()),
        ("x @ y", {"x": "N,K", "y": "M,D"}, ("N", "D"), ("K == M",)),
        ("x @ y", {"x": "N,3", "y": "M,D"}, ("N", "D"), ("M == 3",)),
        ("x @ y", {"x": "B,2,3", "y": "A,3,4"}, ("B", 2, 4), ("A == B or A == 1",)),
        ("torch.einsum('ij,jk', x, y)", {"x": "N,K", "y": "M,D"}, ("N", "D"), ("M == K or M == 1",)),
        ("torch.einsum('ii->i', x)", {"x": "N,M"}, ("N",), ("N == M",)),
        ("x.dot(y)", {"x": "N,", "y": "M,"}, (), ("N == M",)),
    ],
)
def test_unknown_sizes(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    for lead in ("torch", "numpy"):
        explanation = explain(expr, specs, lead=lead)
        assert (explanation.answer.shape, explanation.needs) == (shape, needs)


def test_batches_of_unknown_number() -> None:
    explanation = explain("x.bmm(y)", {"x": "B,2,3", "y": "5,3,4"})
    assert (explanation.torch.shape, explanation.needs) == ((5, 2, 4), ("B == 5",))
    explanation = explain("x.bmm(y)", {"x": "B,2,3", "y": "B,3,4"})
    assert (explanation.torch.shape, explanation.needs) == (("B", 2, 4), ())


def test_np_dot_pairs_no_batches() -> None:
    explanation = explain("x.dot(y)", {"x": "5,2,3", "y": "5,3,4"}, lead="numpy")
    assert explanation.answer.shape == (5, 2, 5, 4)
    assert explain("x.dot(2)", {"x": "2,3"}, lead="numpy").answer.dtype == "float64"
    refused(
        "x.sum().dot(x)", {"x": "2,"}, "AttributeError", "'numpy.float32' object has no attribute 'dot'", "x.sum()",
        lead="numpy",
    )  # fmt: skip
    refused(
        "x.dot(None)", {"x": "2,"}, "TypeError", "unsupported operand type(s) for *: 'float' and 'NoneType'", "None",
        lead="numpy",
    )  # fmt: skip
    refused(
        "x.sum() @ x.sum()", {"x": "2,"}, "TypeError",
        "unsupported operand type(s) for @: 'numpy.float32' and 'numpy.float32'", "x.sum() @ x.sum()", lead="numpy",
    )  # fmt: skip
    refused(
        "x.matmul()", {"x": "2,"}, "TypeError", "matmul() takes from 2 to 3 positional arguments but 1 were given",
        "x.matmul()", lead="numpy",
    )  # fmt: skip
    with pytest.raises(SegcliError, match="array of objects"):
        explain("torch.einsum(',i', None, x)", {"x": "2,"}, lead="numpy")


@pytest.mark.parametrize(
    ("arguments", "kind", "lead"),
    [
        ("", "ValueError", "torch"),
        ("'i'", "ValueError", "torch"),
        ("'i', []", "ValueError", "torch"),
        ("'i', 1", "TypeError", "torch"),
        ("['i'], x", "TypeError", "torch"),
        ("['i'], x", "TypeError", "numpy"),
        ("'i', x, out=None", "TypeError", "torch"),
        ("x, [60]", "ValueError", "torch"),
        ("x, [60]", "ValueError", "numpy"),
        ("x, 0", "TypeError", "torch"),
        ("x, 0", "TypeError", "numpy"),
        ("x, x", "RuntimeError", "torch"),
        ("x, ['a']", "TypeError", "torch"),
    ],
)
def test_arguments_of_einsum(arguments: str, kind: str, lead: str) -> None:
    error = explain(f"torch.einsum({arguments})", {"x": "2,"} if "x" in arguments else {}, lead=lead).answer.error
    assert error is not None
    assert error.type == kind


def test_lists_of_numbers_may_hold_an_ellipsis() -> None:
    assert explain("torch.einsum(x, [..., 0], [0, ...])", {"x": "2,3"}).torch.shape == (3, 2)


def test_errors_point_at_the_factor() -> None:
    words = "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"
    refused("x @ y", {"x": "2,3", "y": "2,3"}, "RuntimeError", words, "y")
    with pytest.raises(SegcliError, match="out= is not supported"):
        explain("torch.mm(x, x, out=x)", {"x": "2,2"})
    error = explain("torch.mm([x], x)", {"x": "2,2"}).torch.error
    assert error is not None
    assert error.type == "TypeError"


def test_einsum_takes_what_unbind_gives() -> None:
    assert explain("torch.einsum('i,i', x.unbind())", {"x": "2,3"}).torch.shape == ()
    assert explain("torch.einsum('i,i', x.unbind())", {"x": "N,3"}).torch.error is not None


@pytest.mark.parametrize("output", ["Cbi", "iCb", "bCi", "ibC"])
def test_the_dtype_of_an_einsum_without_elements(output: str) -> None:
    x, y = torch.zeros(2, 3, 0, dtype=torch.float64), torch.zeros(5, 3, dtype=torch.int64)
    expr = f"torch.einsum('ijC,bj->{output}', x, y)"
    check(Case(expr, "", {"x": "float64:2,3,0", "y": "int64:5,3"}, {"x": x, "y": y}))


def test_a_repeated_label_of_no_position_in_numpy() -> None:
    # NumPy reads beyond the array.
    for equation in ("iCC->iC", "iCC->i"):
        expr = f"einsum('{equation}', x)"
        check(Case(f"torch.{expr}", f"np.{expr}", {"x": "2,0,3"}, {"x": torch.zeros(2, 0, 3)}))
