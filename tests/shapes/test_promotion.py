"""The dtype that operands have in common agrees with PyTorch and NumPy, for every pair of dtypes."""

from itertools import product

import numpy as np
import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.compute.promotion import explain_dtype, numpy_dtype, torch_dtype
from segcli.shapes.values import Item, Symbol, Tensor, Value
from tests.shapes.elementwise_cases import DTYPES

_NUMBERS = [True, 2, 0.5]
_SHAPES: list[tuple[int, ...]] = [(2,), ()]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(("shape", "other"), list(product(_SHAPES, _SHAPES)))
def test_torch_of_every_pair(shape: tuple[int, ...], other: tuple[int, ...]) -> None:
    for one, two in product(DTYPES, DTYPES):
        real = torch.result_type(
            torch.zeros(shape, dtype=getattr(torch, one)), torch.zeros(other, dtype=getattr(torch, two))
        )
        if _name(real) == "complex32":
            with pytest.raises(SegcliError, match="complex32"):
                torch_dtype([Tensor(shape, one, "x"), Tensor(other, two, "y")])
            continue
        assert torch_dtype([Tensor(shape, one, "x"), Tensor(other, two, "y")]) == _name(real), (one, two)


@pytest.mark.parametrize("shape", _SHAPES)
def test_torch_with_numbers(shape: tuple[int, ...]) -> None:
    for dtype, number in product(DTYPES, _NUMBERS):
        real = torch.result_type(torch.zeros(shape, dtype=getattr(torch, dtype)), number)
        assert torch_dtype([Tensor(shape, dtype, "x"), number]) == _name(real), (dtype, number)


def test_numpy_of_every_pair() -> None:
    known = [*(dtype for dtype in DTYPES if dtype != "bfloat16"), "uint64"]
    for one, two, shape in product(known, known, _SHAPES):
        real = np.result_type(np.zeros(2, one), np.zeros(shape, two))
        assert numpy_dtype([Tensor((2,), one, "x"), Tensor(shape, two, "y")]) == str(real), (one, two)
    for dtype, number in product(known, _NUMBERS):
        real = np.result_type(np.zeros(2, dtype), number)
        assert numpy_dtype([number, Tensor((2,), dtype, "x")]) == str(real), (dtype, number)


@pytest.mark.parametrize(
    ("values", "torch_name", "numpy_name"),
    [
        ([2, 3], "int64", "int64"),
        ([2, 0.5], "float32", "float64"),
        ([True, False], "bool", "bool"),
        ([Symbol("N"), Tensor((2,), "uint8", "x")], "uint8", "uint8"),
        ([Symbol("N"), Tensor((2,), "bool", "x")], "int64", "int64"),
        # Three categories: the tensor with axes, the 0-d one, the number.
        ([Tensor((2,), "int64", "x"), Tensor((), "float16", "y"), 0.5], "float16", "float64"),
    ],
)
def test_dtypes_by_hand(values: list[Value], torch_name: str, numpy_name: str) -> None:
    assert (torch_dtype(values), numpy_dtype(values)) == (torch_name, numpy_name)


@pytest.mark.parametrize(
    ("expr", "specs", "torch_why", "numpy_why"),
    [
        ("x + y", {"x": "2,3", "y": "2,3"}, "", ""),
        ("x + y", {"x": "2,3", "y": "int64:2,3"}, "float32: float32 and int64 promote", "float64: float32 and int64"),
        (
            "x + y",
            {"x": "int32:3", "y": "int64:()"},
            "int32: y is 0-d, so its int64 gives way to x",
            "int64: int32 and",
        ),
        (
            "x + y",
            {"x": "int32:3", "y": "float64:()"},
            "float64: y is 0-d, but float64 is of a higher",
            "float64: int32",
        ),
        (
            "x + 0.5",
            {"x": "int32:3"},
            "float32: 0.5 is a Python float, of a higher kind than int32, and PyTorch",
            "NumPy",
        ),
        ("x * m", {"x": "2,3", "m": "bool:2,3"}, "in float32: bool counts as 0 and 1", "in float32: bool counts"),
        ("m + 2", {"m": "bool:3"}, "in int64: 2 is a Python int", "its default integer"),
        ("x / 2", {"x": "int64:3"}, "the quotient of int64 is of the default float, float32", "int64 is float64"),
        ("x + True", {"x": "int64:3"}, "", ""),
    ],
)
def test_why_says_where_the_dtype_comes_from(expr: str, specs: dict[str, str], torch_why: str, numpy_why: str) -> None:
    for lead, words in (("torch", torch_why), ("numpy", numpy_why)):
        reasons = [broadcast.why for broadcast in explain(expr, specs, lead=lead).broadcasts]
        if words:
            assert any(words in reason for reason in reasons), (lead, reasons)
        else:
            assert not any(reasons)


def test_why_of_numbers_alone_says_nothing() -> None:
    assert not explain_dtype([Item(2, "2", (0, 1)), Item(3, "3", (0, 1))], "int64", "torch")
    tensors = [Item(Tensor((2,), "uint8", "x"), "x", (0, 1)), Item(Tensor((2,), "int8", "y"), "y", (0, 1))]
    assert explain_dtype(tensors, "int16", "torch") == "in int16: uint8 and int8 promote to it"
