"""Random operands, and how a random call of a function is written for either library."""

import random
from collections.abc import Mapping, Sequence

import torch

from segcli.shapes import explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.tensorrun import TensorRunner
from tests.shapes.cases import Case, shape_text

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
DTYPES += ["complex64", "complex128"]
USUAL = ["float32"] * 8 + ["int64"] * 4 + ["bool"] * 4 + ["uint8"] * 2
SHAPES = [(), (), (1,), (3,), (2, 3), (2, 3), (3, 1), (1, 3), (0,), (0, 3), (1, 1), (2, 1, 3), (2, 3, 1), (4,)]
NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "255",
    "-1",
    "300",
    "-300",
    "40000",
    "2147483648",
    "9223372036854775807",
    "True",
    "False",
]
NUMBERS += ["0.5", "2.0", "1.0", "-1.5", "1e999", "1e10"]
STRANGERS = ["None", "[1, 2, 3]", "[[1.5], [2]]", "[]", "(1, 2)", "'a'", "...", "[True]", "[1, [2]]"]
_LOOKS = ["[1:]", "[::2]", "[0]", "[..., None]", "[:, 1:]", "[-1:]"]


def bind(rng: random.Random, case: Case, dtypes: Sequence[str] = (*USUAL, *DTYPES)) -> str:
    """Bind a new name to a tensor of ones, and return it, or a look at it."""
    name = "xyzw"[len(case.tensors)]
    shape, dtype = rng.choice(SHAPES), rng.choice(dtypes)
    case.tensors[name] = torch.ones(shape, dtype=getattr(torch, dtype))
    case.specs[name] = f"{dtype}:{shape_text(shape)}"
    return name + (rng.choice(_LOOKS) if rng.random() < 0.15 else "")


def operand(rng: random.Random, case: Case, *, strange: float = 0.06, number: float = 0.3) -> str:
    """Write an operand: a tensor, a number, or what is neither."""
    chance = rng.random()
    if chance < strange:
        return rng.choice(STRANGERS)
    return rng.choice(NUMBERS) if chance < strange + number else bind(rng, case)


def finished(case: Case, expr: str, numpy_expr: str) -> Case:
    """Give a case its expression; NumPy has no bfloat16."""
    case.expr = expr
    known = all(tensor.dtype != torch.bfloat16 for tensor in case.tensors.values())
    case.numpy_expr = numpy_expr if known and "bfloat16" not in expr else ""
    return case


def holds(expr: str, specs: Mapping[str, str]) -> None:
    """Compare an answer with what the installed PyTorch gives."""
    confirmation = confirm(explain(expr, specs), TensorRunner(is_known))
    assert confirmation.agrees, confirmation
