"""Draws tensors and calls for the tests of one family of operations."""

import random
from collections.abc import Sequence

import torch

from segcli.shapes import explain
from tests.shapes.cases import Case, shape_text
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch

DTYPES = ["float32"] * 8 + ["float64", "float16", "int64", "int32", "uint8", "int8", "int16", "bool", "complex64"]


def bind(rng: random.Random, case: Case, name: str, shape: Sequence[int], dtype: str = "") -> str:
    """Bind a name to a tensor of distinct values; return it, or a view of a transposed or longer one of that shape."""
    dtype = dtype or rng.choice(DTYPES)
    form = rng.random()
    held = list(shape)
    text = name
    if len(shape) > 1 and form < 0.15:
        held[-1], held[-2] = held[-2], held[-1]
        text = f"{name}.transpose(-1, -2)"
    elif shape and form < 0.25:
        held[0] *= 2
        text = f"{name}[::2]"
    count = 1
    for size in held:
        count *= size
    case.tensors[name] = torch.arange(count).reshape(held).to(getattr(torch, dtype))
    case.specs[name] = f"{dtype}:{shape_text(tuple(held))}"
    return text


def holds(expr: str, specs: dict[str, str], formula: str) -> None:
    """Assert a formula, and that it says what PyTorch does."""
    explanation = explain(expr, specs)
    assert explanation.formula == formula
    tensors = made(specs)
    check_formula(explanation, dict(tensors), ask_torch(expr, tensors).value)


def made(specs: dict[str, str]) -> dict[str, torch.Tensor]:
    """Make tensors of the specs: shapes, with an optional dtype in front."""
    tensors = {}
    for number, (name, spec) in enumerate(specs.items()):
        dtype, _, sizes = spec.rpartition(":")
        shape = [int(size) for size in sizes.strip("()").split(",") if size]
        count = 1
        for size in shape:
            count *= size
        values = torch.arange(count) * 7 % 11 + 3 * number
        tensors[name] = values.reshape(shape).to(getattr(torch, dtype or "float32"))
    return tensors


def refused(expr: str, specs: dict[str, str], kind: str, words: str, token: str, lead: str = "torch") -> None:
    """Assert what a library raises, and where."""
    explanation = explain(expr, specs, lead=lead)
    error = explanation.answer.error
    assert error is not None, f"{expr} gives {explanation.answer.shape}"
    assert (error.type, error.message, error.token) == (kind, words, token)
