"""Functions of each element by itself agree with PyTorch and NumPy."""

from dataclasses import replace

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import holds
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch
from tests.shapes.pointwise_cases import NAMES
from tests.shapes.test_random import case_of

_X = torch.tensor([[0.25, 0.5, 1.0], [2.0, 3.5, 0.75]], dtype=torch.float64)
_I = torch.tensor([[1, 0, 3], [5, 2, 7]])


@pytest.mark.parametrize("name", NAMES)
def test_formulas(name: str) -> None:
    tensors = {"x": _X, "y": _I, "z": _X > 1}
    specs = {"x": "float64:2,3", "y": "int64:2,3", "z": "bool:2,3"}
    for bound in "z" * name.endswith("_not") + "y" + "x" * (name != "bitwise_not"):
        for expr in (f"torch.{name}({bound})", f"{bound}[1].{name}()"):
            made = ask_torch(expr, tensors).value
            check_formula(explain(expr, {bound: specs[bound]}), {bound: tensors[bound]}, made)


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.exp()", "result[i, j] = exp(x[i, j])"),
        ("-x", "result[i, j] = -x[i, j]"),
        ("+x", "result[i, j] = x[i, j]"),
        ("x.sigmoid()", "result[i, j] = 1 / (1 + exp(-x[i, j]))"),
        ("F.relu(x)", "result[i, j] = max(x[i, j], 0)"),
        ("x.clamp(0, 1)", "result[i, j] = min(max(x[i, j], 0), 1)"),
        ("x.clamp(max=1)", "result[i, j] = min(x[i, j], 1)"),
        ("x.clamp(x.mean(0))", "result[i, j] = max(x[i, j], x.mean(0)[j])"),
        ("x.round(decimals=1)", "result[i, j] = round(x[i, j], 1)"),
        ("x.detach()[0]", "result[i] = x[0, i]"),
        ("x.clone()", "result[i, j] = x[i, j]"),
        ("(x + x).sqrt()", "result[i, j] = sqrt(x[i, j] + x[i, j])"),
    ],
)
def test_formulas_by_hand(expr: str, formula: str) -> None:
    explanation = explain(expr, {"x": "float64:2,3"})
    assert explanation.formula == formula
    check_formula(explanation, {"x": _X}, ask_torch(expr, {"x": _X}).value)


@pytest.mark.parametrize(
    ("expr", "spec", "dtype", "numpy_dtype"),
    [
        ("x.exp()", "int64:N,3", "float32", "float64"),
        ("x.exp()", "uint8:N,3", "float32", "float16"),
        ("x.sqrt()", "float16:N,3", "float16", "float16"),
        ("x.abs()", "complex64:N,3", "float32", "float32"),
        ("x.square()", "bool:N,3", "int64", "int8"),
        ("x.isnan()", "N,3", "bool", "bool"),
        ("x.clamp(0, 0.5)", "int64:N,3", "float32", "float64"),
        ("x.clone()", "uint8:N,3", "uint8", "uint8"),
    ],
)
def test_answers_by_hand(expr: str, spec: str, dtype: str, numpy_dtype: str) -> None:
    explanation = explain(expr, {"x": spec})
    assert (explanation.torch.shape, explanation.torch.dtype) == (("N", 3), dtype)
    assert (explanation.numpy.shape, explanation.numpy.dtype) == (("N", 3), numpy_dtype)


@pytest.mark.parametrize(
    ("expr", "advice"),
    [
        ("x.sigmoid()", "NumPy has no sigmoid: write 1 / (1 + np.exp(-x))"),
        ("F.relu(x)", "NumPy has no relu: write np.maximum(x, 0)"),
        ("x.cpu()", "NumPy has no cpu: leave it out: arrays are nowhere else"),
    ],
)
def test_numpy_has_other_means(expr: str, advice: str) -> None:
    assert explain(expr, {"x": "2,3"}).differs == advice


def test_true_count_of_an_inverted_mask() -> None:
    assert explain("x[~m]", {"x": "8,16,3", "m": "bool:8,16#37"}).torch.shape == (91, 3)
    assert explain("x[m.logical_not()]", {"x": "3,2", "m": "tensor([True, False, False])"}).numpy.shape == (2, 2)
    assert explain("x[~m]", {"x": "8,3", "m": "bool:8"}).torch.shape == ("nonzero(~m)", 3)
    assert explain("x[m.detach()]", {"x": "8,3", "m": "bool:8#5"}).torch.shape == (5, 3)
    assert explain("x[m.clone()]", {"x": "8,3", "m": "bool:8#5"}).numpy.shape == (5, 3)


def test_views() -> None:
    answers = {
        expr: explain(expr, {"x": "2,3"}).torch.view for expr in ("x.detach()", "x.cpu()", "+x", "x.clone()", "-x")
    }
    assert answers == {"x.detach()": True, "x.cpu()": True, "+x": True, "x.clone()": False, "-x": False}
    assert explain("F.relu(x, inplace=True)", {"x": "2,3"}).torch.view


_F = torch.ones(2, 3)
_ONE = torch.tensor(1)


@pytest.mark.parametrize(
    "expr",
    [
        "F.relu(x, x)",
        "F.relu(x, x[:0])",
        "F.relu(x, [1])",
        "F.relu(x, inplace=x.shape[0])",
        "torch.clone(x, 1)",
        "x.max(1).clone()",
        "x.max(1).exp()",
        "x.max(1).clamp(0)",
        "torch.exp(a=x)",
        "x.clamp(0, x.bool()[0, 0])",
        "x.long().clamp(x[0, 0], 1)",
        "x.clamp(0, x.long()[0, 0])",
        "torch.relu(x, out=None)",
        "torch.exp(x.shape)",
    ],
)
def test_pinned_in_torch_alone(expr: str) -> None:
    check(replace(case_of(expr, x=_F), numpy_expr=""), words=False)


@pytest.mark.parametrize(
    "case",
    [
        case_of("torch.clip(x)", "np.clip(x)", x=_F),
        case_of("torch.clip(x)", "np.clip(x)", x=_F.bool()),
        Case("F.sigmoid(3)"),
        Case("F.relu(3)"),
        Case("torch.detach(3)"),
        Case("torch.clamp(3, 0)"),
        Case("torch.clip()", "np.clip()"),
        case_of("torch.clip(x, 0, 1, 2)", "np.clip(x, 0, 1, 2)", x=_F),
        case_of("torch.clip(x, 0, 1, beta=2)", "np.clip(x, 0, 1, beta=2)", x=_F),
        case_of("x.clip(0, [1, 2, 3])", x=_F),
        Case("torch.exp()", "np.exp()"),
        case_of("torch.exp(x, 1)", "np.exp(x, 1)", x=_F),
        case_of("torch.exp(x, beta=1)", "np.exp(x, beta=1)", x=_F),
        Case("torch.exp([1, 2])", "np.exp([1, 2])"),
        Case("torch.exp(...)", "np.exp(...)"),
        case_of("torch.round(x, 1.5)", "np.round(x, 1.5)", x=_F),
        case_of("torch.round(x, decimals=1)", "np.round(x, decimals=1)", x=_F.bool()),
        case_of("torch.floor(x)", "np.floor(x)", x=_F.to(torch.complex64)),
        case_of("x.sum().clone()", "x.sum().copy()", x=_F),
    ],
    ids=lambda case: case.expr,
)
def test_pinned(case: Case) -> None:
    check(case, words=False)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("F.relu(x, inplace=n)", "whether n is true, is not known"),
        ("x.round(decimals=n)", "to how many decimals n rounds, is not known"),
    ],
)
def test_what_hangs_on_values_is_refused(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "2,3", "n": "int64:()"})
    assert explain(expr, {"x": "2,3", "n": "tensor(1)"}).torch.shape == (2, 3)


def test_a_bound_that_is_no_number_makes_objects_in_numpy() -> None:
    with pytest.raises(SegcliError, match="gives an array of objects"):
        explain("x.clamp(torch.float32)", {"x": "0,3"}, lead="numpy")


@pytest.mark.parametrize("expr", ["x.exp()", "F.relu(x, inplace=True)", "x.clamp(0, 1)", "x.detach()", "~(x > 0)"])
def test_run_agrees(expr: str) -> None:
    holds(expr, {"x": "2,3"})


@pytest.mark.parametrize(
    ("expr", "formula", "notes"),
    [
        ("x.clamp(max=-1)", "result[i] = min(x[i], 255)", ["-1 does not fit in uint8: PyTorch takes it for 255"]),
        ("x.clamp(-3, 300)", "", []),
        ("x < -1", "result[i] = x[i] < 255", ["-1 does not fit in uint8: PyTorch takes it for 255"]),
        ("x == 300", "result[i] = x[i] == 44", ["300 does not fit in uint8: PyTorch takes it for 44"]),
        ("x // -1", "result[i] = x[i] // 255", ["-1 does not fit in uint8: PyTorch takes it for 255"]),
        ("x / -1", "result[i] = x[i] / (-1)", []),
        ("x.exp().sum()", "result = sum over i of exp(x[i])", []),
    ],
)
def test_a_number_that_the_dtype_does_not_hold(expr: str, formula: str, notes: list[str]) -> None:
    tensors = {"x": torch.tensor([0, 3, 44, 200], dtype=torch.uint8)}
    explanation = explain(expr, {"x": "uint8:4"})
    told = [note.removesuffix(", without a word") for note in explanation.notes if "does not fit" in note]
    assert (explanation.formula or "", told) == (formula, notes)
    verdict = ask_torch(expr, tensors)
    if formula:
        check_formula(explanation, tensors, verdict.value)
    else:
        assert verdict.error == "RuntimeError"
