"""Methods that change their tensor where it is, beside real PyTorch."""

import pytest
import torch

from segcli.shapes import explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.shapes.select.overlapping import SHARED
from segcli.tensorrun import TensorRunner
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch

_X = torch.tensor([[0.25, -1.5, 1.0], [2.0, 0.5, 0.75]], dtype=torch.float64)
_V = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.add_(v)", "result[i, j] = x[i, j] + v[j]"),
        ("x.add_(v, alpha=2)", "result[i, j] = x[i, j] + 2*v[j]"),
        ("x.mul_(0.5)", "result[i, j] = x[i, j] * 0.5"),
        ("x.exp_()", "result[i, j] = exp(x[i, j])"),
        ("x.clamp_(0, 1)", "result[i, j] = min(max(x[i, j], 0), 1)"),
        ("x.masked_fill_(x > 0, -1)", "result[i, j] = (-1) if (x[i, j] > 0) else x[i, j]"),
        ("x.zero_()", "result[i, j] = 0"),
        ("x.fill_(2.5)", "result[i, j] = 2.5"),
        ("x.copy_(v)", "result[i, j] = v[j]"),
        ("x.eq_(2)", "result[i, j] = x[i, j] == 2"),
        ("x.relu_().sum(1)", "result[i] = sum over j of max(x[i, j], 0)"),
    ],
)
def test_formulas(expr: str, formula: str) -> None:
    names = {name: tensor for name, tensor in (("x", _X), ("v", _V)) if name in expr.replace("relu_", "")}
    specs = {"x": "float64:2,3", "v": "float64:3"}
    explanation = explain(expr, {name: specs[name] for name in names})
    assert explanation.formula == formula
    # PyTorch changes its own.
    check_formula(explanation, names, ask_torch(expr, {name: tensor.clone() for name, tensor in names.items()}).value)


def test_the_tensor_itself_is_given_back() -> None:
    explanation = explain("x.masked_fill_(x > 0, -1)", {"x": "N,3"})
    assert (explanation.torch.shape, explanation.torch.dtype, explanation.torch.view) == (("N", 3), "float32", True)
    assert explanation.notes == ("x itself is changed: x.masked_fill(...) makes a new tensor",)
    assert [(step.token, step.effect) for step in explanation.steps if step.stage == 1] == [
        ("x > 0", "element by element"),
        ("x", "changed where it is"),
        ("-1", "the same for every element"),
    ]
    assert explain("x.zero_()", {"x": "3,"}).notes == ("x itself is changed",)
    assert explain("x.scatter_(0, i, 1.0)", {"x": "3,", "i": "2,"}).steps[0].effect == "changed where it is"


@pytest.mark.parametrize(
    ("expr", "specs", "needs"),
    [
        ("x.add_(v)", {"x": "N,3", "v": "M,3"}, ("M == N or M == 1",)),
        ("x.add_(v)", {"x": "1,3", "v": "M,3"}, ("M == 1",)),
        ("x.copy_(v)", {"x": "N,3", "v": "M,"}, ("M == 3 or M == 1",)),
        ("x.mul_(x)", {"x": "N,3"}, ()),
    ],
)
def test_it_never_grows(expr: str, specs: dict[str, str], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.needs == needs
    assert explanation.torch.shape == explain("x[...]", {"x": specs["x"]}).torch.shape


@pytest.mark.parametrize(
    ("expr", "kind", "words"),
    [
        (
            "x.add_(torch.zeros(4, 2, 3))",
            "RuntimeError",
            "output with shape [2, 3] doesn't match the broadcast shape [4, 2, 3]",
        ),
        ("x.long().div_(2)", "RuntimeError", "result type Float can't be cast to the desired output type Long"),
        ("x.long().clamp_(0.5)", "RuntimeError", "result type Float can't be cast to the desired output type long int"),
        ("x.flatten()[1:].add_(x.flatten()[:-1])", "RuntimeError", SHARED),
        ("x.add_(x)", "", ""),
        (
            "x.to(torch.complex64).clamp_(torch.zeros(5))",
            "NotImplementedError",
            "clamp is not supported for complex types",
        ),
        ("x.logical_and_(1)", "TypeError", "logical_and_(): argument 'other' (position 1) must be Tensor, not int"),
    ],
)
def test_what_is_refused(expr: str, kind: str, words: str) -> None:
    error = explain(expr, {"x": "2,3"}).torch.error
    verdict = ask_torch(expr, {"x": torch.zeros(2, 3)})
    assert (verdict.error or "", verdict.message) == (kind, words)
    assert ((error.type, error.message) if error else ("", "")) == (kind, words)


@pytest.mark.parametrize("expr", ["x.add_(1)", "x[0].clamp_(0)", "x.masked_fill_(x > 0, 1.0)", "x.zero_()"])
def test_confirmed(expr: str) -> None:
    confirmation = confirm(explain(expr, {"x": "N,3"}), TensorRunner(is_known))
    assert confirmation.agrees, confirmation.why


def test_what_numpy_writes() -> None:
    assert explain("x.add_(1)", {"x": "3,"}).differs == "NumPy has no add_: write x += y"
    assert explain("x.tanh_()", {"x": "3,"}).differs == "NumPy has no tanh_: write x[...] = np.tanh(x)"


@pytest.mark.parametrize(
    "expr",
    [
        *(
            "x.index_add(0, i, x)",
            "x.index_fill_(0, i, 1)",
            "x.scatter_reduce(0, i, x, 'sum')",
            "x.scatter_(0, i, 1.0)",
        ),
        *("x.repeat_interleave(i)", "F.embedding(i, x[:, None])", "F.nll_loss(x[:, None].expand(-1, 3), i)"),
    ],
)
def test_positions_are_int64_without_a_dtype(expr: str) -> None:
    explanation = explain(expr, {"x": "4,", "i": "4,"})
    assert explanation.torch.error is None
    assert explanation.torch == explain(expr, {"x": "4,", "i": "int64:4"}).torch
