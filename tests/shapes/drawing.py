"""Draws tensors and calls for the tests of one family of operations."""

import random
from collections.abc import Callable, Sequence

import torch

from segcli.shapes import explain
from tests.shapes.agreement import SEED, disagreement
from tests.shapes.cases import Case, shape_text
from tests.shapes.formulas import check_formula
from tests.shapes.oracle import ask_numpy, ask_torch

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


def compare(case: Case) -> tuple[int, int]:
    """Compare a case with PyTorch, words included, and with NumPy; return how many were asked, and how many raised."""
    explanation = explain(case.expr, case.specs)
    told = [(explanation.torch, ask_torch(case.expr, case.tensors))]
    if case.numpy_expr:
        told.append((explanation.numpy, ask_numpy(case.numpy_expr, case.tensors)))
    for place, (answer, verdict) in enumerate(told):
        # Which of two dtypes a kernel calls the expected one, hangs on how it lays out their memory.
        varies = "expected scalar type" in verdict.message or "m1 and m2" in verdict.message
        wrong = disagreement(answer, verdict, words=place == 0 and not varies)
        assert wrong is None, f"{wrong}\nours: {answer}\nreal: {verdict}"
    return len(told), sum(verdict.error is not None for _, verdict in told)


def run_cases(draw: Callable[[random.Random], Case], count: int, *, chunk: int = 0) -> None:
    """Compare random cases with the libraries; both answers and errors must be well represented."""
    torch.set_num_threads(1)
    seed = SEED + chunk
    rng = random.Random(seed)
    raised = asked = 0
    for number in range(count):
        case = draw(rng)
        try:
            several, errors = compare(case)
        except Exception as error:
            message = f"SEGCLI_FUZZ_SEED={seed}, case {number}: {case.expr} {case.specs}\n{error}"
            raise AssertionError(message) from error
        asked += several
        raised += errors
    assert 0.1 * asked < raised < 0.8 * asked


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
