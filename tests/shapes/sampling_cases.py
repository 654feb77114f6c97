"""Draws calls for the tests of resampling, padding, normalizing and criteria, and compares them with PyTorch."""

import random
from collections.abc import Mapping, Sequence

import torch

from segcli.shapes import explain
from tests.shapes.cases import Case, shape_text
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_torch

FLOATS = ["float32"] * 12 + ["float64", "float16", "bfloat16"]
ANY = [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128"]


def bind(rng: random.Random, case: Case, name: str, shape: Sequence[int], dtype: str = "float32") -> str:
    """Bind a name to zeros; return it, or a view of that shape of something else."""
    held = list(shape)
    text = name
    form = rng.random()
    if len(held) > 1 and form < 0.1:
        held[-1], held[-2] = held[-2], held[-1]
        text = f"{name}.transpose(-1, -2)"
    elif held and form < 0.2:
        held[0] *= 2
        text = f"{name}[::2]"
    case.tensors[name] = torch.zeros(held, dtype=getattr(torch, dtype))
    case.specs[name] = f"{dtype}:{shape_text(tuple(held))}"
    return text


def sizes(rng: random.Random, ndim: int) -> list[int]:
    """Draw a shape, seldom with an axis of size 0 or one more or fewer."""
    shape = [rng.choice([1, 1, 2, 2, 3, 4, 5, 6]) for _ in range(ndim)]
    if shape and rng.random() < 0.12:
        shape[rng.randrange(ndim)] = 0
    return shape


def joined(rng: random.Random, first: list[str], named: Mapping[str, str], order: Sequence[str]) -> str:
    """Write arguments, some of those that may be by position."""
    left = dict(named)
    parts = list(first)
    for name in order:
        if name not in left or rng.random() < 0.6:
            break
        parts.append(left.pop(name))
    parts += [f"{name}={left[name]}" for name in rng.sample(sorted(left), len(left))]
    return ", ".join(parts)


def made(specs: Mapping[str, str], high: int = 11) -> dict[str, torch.Tensor]:
    """Make tensors of specs with numbers below ``high``, mixed."""
    tensors = {}
    for number, (name, spec) in enumerate(specs.items()):
        dtype, _, text = spec.rpartition(":")
        shape = [int(size) for size in text.strip("()").split(",") if size]
        count = torch.Size(shape).numel()
        tensors[name] = (
            ((torch.arange(count) * 7 + 3 * number) % high).reshape(shape).to(getattr(torch, dtype or "float32"))
        )
    return tensors


def holds(expr: str, specs: dict[str, str], formula: str, high: int = 11) -> None:
    """Assert a formula, and that it says what PyTorch does."""
    explanation = explain(expr, specs)
    assert explanation.formula == formula
    tensors = made(specs, high)
    check_formula(explanation, dict(tensors), ask_torch(expr, tensors).value)


def refused(expr: str, specs: dict[str, str], kind: str, words: str, token: str, axis: int | None = None) -> None:
    """Assert what PyTorch raises, and where, and that it does."""
    error = explain(expr, specs).torch.error
    assert error is not None
    assert (error.type, error.message, error.token, error.axis) == (kind, words, token, axis)
    real = ask_torch(expr, made(specs))
    assert (real.error, real.message) == (kind, words)
