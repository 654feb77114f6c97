"""Conversions agree with PyTorch and NumPy."""

from dataclasses import replace

import pytest
import torch

from segcli.shapes import explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.tensorrun import TensorRunner
from tests.shapes.agreement import check
from tests.shapes.elementwise_cases import holds
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch
from tests.shapes.test_random import case_of

_X = torch.tensor([[0.25, -1.5, 1.0], [2.0, 0.0, 0.75]])


@pytest.mark.parametrize(
    ("expr", "dtype", "view", "formula"),
    [
        ("x.float()", "float32", True, "result[i, j] = x[i, j]"),
        ("x.double()", "float64", False, "result[i, j] = x[i, j]"),
        ("x.long()", "int64", False, "result[i, j] = trunc(x[i, j])"),
        ("x.bool()", "bool", False, "result[i, j] = x[i, j] != 0"),
        ("x.to(torch.float16)", "float16", False, "result[i, j] = x[i, j]"),
        ("x.to(torch.float)", "float32", True, "result[i, j] = x[i, j]"),
        ("x.to('cpu')", "float32", True, "result[i, j] = x[i, j]"),
        ("x.to('cuda')", "float32", False, "result[i, j] = x[i, j]"),
        ("x.to(0)", "float32", False, "result[i, j] = x[i, j]"),
        ("x.cuda()", "float32", False, "result[i, j] = x[i, j]"),
        ("x.half().cuda(1)", "float16", False, "result[i, j] = x[i, j]"),
        ("x.cuda('cuda:1', non_blocking=True)", "float32", False, "result[i, j] = x[i, j]"),
        ("x.type(torch.long)", "int64", False, "result[i, j] = trunc(x[i, j])"),
        ("x.type_as(x)", "float32", True, "result[i, j] = x[i, j]"),
        ("x.float()[0]", "float32", True, "result[i] = x[0, i]"),
        ("x.to(x.long())", "int64", False, "result[i, j] = trunc(x[i, j])"),
    ],
)
def test_by_hand(expr: str, dtype: str, view: bool, formula: str) -> None:  # noqa: FBT001 - a row of the table
    explanation = explain(expr, {"x": "2,3"})
    assert (explanation.torch.dtype, explanation.torch.view, explanation.formula) == (dtype, view, formula)
    if "cuda" not in expr and "(0)" not in expr:
        check_formula(explanation, {"x": _X}, ask_torch(expr, {"x": _X}).value)


def test_a_device_is_named() -> None:
    explanation = explain("x.to('cuda:0', torch.float16)", {"x": "2,3"})
    assert explanation.steps[0].effect == "a copy on cuda:0, float32 converted to float16"
    assert explanation.notes[0] == (
        "x.to(...) is a copy of what is on the CPU, as here; on cuda:0 already, it is the tensor itself"
    )
    assert (explanation.differs, explanation.rewrite) == (
        "for NumPy, x.to(...) is read as x.astype(...), which takes no device: arrays are nowhere else",
        "x.half()",
    )
    assert explain("x.cuda(1)", {"x": "2,3"}).steps[0].effect == "a copy on cuda:1, float32 as before"
    assert explain("x.to(0)", {"x": "2,3"}).steps[0].effect == "a copy on device 0, float32 as before"
    assert explain("x.detach().cuda().cpu()", {"x": "2,3"}).rewrite == "x"


def test_a_device_that_is_not_there_is_no_disagreement() -> None:
    if torch.cuda.is_available():
        pytest.skip("here it is")
    confirmation = confirm(explain("x.cuda() + 1", {"x": "2,3"}), TensorRunner(is_known))
    assert confirmation.agrees is None
    assert confirmation.why.startswith("torch says: ")


def test_numpy_always_copies() -> None:
    explanation = explain("x.float()", {"x": "N,3"})
    assert (explanation.numpy.shape, explanation.numpy.dtype, explanation.numpy.view) == (("N", 3), "float32", False)
    assert "for NumPy, float is read as x.astype(np.float32)" in explanation.notes


def test_masks_keep_their_count() -> None:
    assert explain("x[m.bool()]", {"x": "8,3", "m": "bool:8#5"}).torch.shape == (5, 3)
    assert explain("x[m.to(torch.bool)]", {"x": "8,3", "m": "bool:8#5"}).numpy.shape == (5, 3)
    assert explain("x[m.bool()]", {"x": "8,3", "m": "uint8:8"}).torch.shape == ("nonzero(m.bool())", 3)


def test_type_tells_the_type() -> None:
    explanation = explain("x.type()", {"x": "2,3"})
    assert (explanation.torch.shape, explanation.torch.value) == (None, "torch.FloatTensor")


@pytest.mark.parametrize(
    ("expr", "numpy_expr"),
    [
        ("x.float(1)", ""),
        ("x.max(1).float()", ""),
        ("x.to()", "x.astype()"),
        ("x.to('cpu')", "x.astype('cpu')"),
        ("x.to('float64')", "x.astype('float64')"),
        ("x.to(None)", "x.astype(None)"),
        ("x.to(3.5, x)", "x.astype(3.5, x)"),
        ("x.sum().float()", "x.sum().astype(np.float32)"),
        ("x.to(dtype=torch.int32)", "x.astype(dtype=np.int32)"),
    ],
)
def test_pinned(expr: str, numpy_expr: str) -> None:
    check(replace(case_of(expr, x=_X), numpy_expr=numpy_expr), words=False)


@pytest.mark.parametrize("expr", ["x.bfloat16()", "x.to(torch.bfloat16)", "x.float(1)"])
def test_errors_in_numpy(expr: str) -> None:
    error = explain(expr, {"x": "2,3"}).numpy.error
    assert error is not None
    assert error.type == "TypeError"


@pytest.mark.parametrize("expr", ["x.long()", "x.to(torch.float16)", "x.float()", "x.type_as(x)", "x.to('cpu')"])
def test_run_agrees(expr: str) -> None:
    holds(expr, {"x": "2,3"})
