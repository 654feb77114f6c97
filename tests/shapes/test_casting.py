"""Conversions agree with PyTorch and NumPy."""

import random
from dataclasses import replace

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import DTYPES, bind, finished, holds, run
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch
from tests.shapes.test_random import case_of

_NAMED = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "",
    "int": "int32",
    "long": "int64",
    "short": "int16",
    "bool": "bool",
    "byte": "uint8",
    "char": "int8",
}
_TYPES = ["'torch.FloatTensor'", "'torch.LongTensor'", "'torch.BoolTensor'", "'foo'", "1", "None", "y"]
_DEVICES = ["'cpu'", "'cpu'", "'cpu:0'", "'meta'", "'foo'", "''", "'float32'", "None"]
_FLAGS = ["True", "False", "copy=True", "copy=False", "non_blocking=True", "copy=None", "memory_format=None"]


def random_cast(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case, DTYPES)
    form = rng.choice(["named", "to", "to", "device", "tensor", "type", "type_as"])
    dtype = rng.choice(DTYPES) if rng.random() < 0.6 else str(case.tensors["x"].dtype).removeprefix("torch.")
    flag = f", {rng.choice(_FLAGS)}" if rng.random() < 0.25 else ""
    known = dtype != "bfloat16" and not flag
    if form == "named":
        name = rng.choice(list(_NAMED))
        extra = rng.choice(["", "", "", "", "1", "memory_format=None", "beta=1"])
        return finished(
            case, f"{x}.{name}({extra})", f"{x}.astype(np.{_NAMED[name]})" if _NAMED[name] and not extra else ""
        )
    if form == "to":
        keyword = rng.choice(["", "", "dtype="])
        flag = "" if keyword and "=" not in flag else flag
        numpy_expr = f"{x}.astype(np.{dtype})" if known else ""
        return finished(case, f"{x}.to({keyword}torch.{dtype}{flag})", numpy_expr)
    if form == "device":
        device = rng.choice(_DEVICES)
        rest = rng.choice(["", "", f", torch.{dtype}", f", dtype=torch.{dtype}", ", 1", ", x"]) + flag
        if "=" in rest.partition(", ")[2].partition(",")[0] and flag and "=" not in flag:
            rest = ""
        return finished(case, f"{x}.to({device}{rest})", "")
    y = bind(rng, case, DTYPES)
    bfloat = "bfloat16" in case.specs["y"]
    if form == "tensor":
        return finished(case, f"{x}.to({y}{flag})", f"{x}.astype({y}.dtype)" if not flag and not bfloat else "")
    if form == "type_as":
        return finished(case, f"{x}.type_as({y})", f"{x}.astype({y}.dtype)")
    given = rng.choice([*_TYPES, *[f"torch.{dtype}"] * 4])
    if given != "y":
        del case.tensors["y"], case.specs["y"]
    numpy_expr = f"{x}.astype(np.{dtype})" if given.startswith("torch.") and known else ""
    return finished(case, f"{x}.type({given})", numpy_expr)


def test_random_casts() -> None:
    run(random_cast, 10, words=lambda _: False)


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
