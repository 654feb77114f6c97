"""Random calls of what changes a tensor's layout, each after random views that make it lie oddly in storage."""

import random
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch

from segcli.shapes import explain
from tests.shapes.cases import Case, shape_text

SHAPES = [
    (),
    (1,),
    (3,),
    (0,),
    (2, 3),
    (3, 1),
    (0, 3),
    (2, 3, 4),
    (2, 3, 4),
    (1, 3, 1),
    (2, 1, 4),
    (2, 0, 3),
    (2, 2, 3, 1),
]
DTYPES = ["float32"] * 5 + ["float64", "int64", "uint8", "bool", "complex64"]
DIMS = ["0", "1", "-1", "2", "-2", "0", "1", "-1", "3", "-4", "True", "1.0", "None"]
# An expression of PyTorch and one of NumPy; an empty one of NumPy is not asked.
Pair = tuple[str, str]
Draw = Callable[[random.Random, str, str, tuple[int, ...]], Pair]


def start(rng: random.Random) -> Case:
    """Bind ``x``."""
    shape = rng.choice(SHAPES)
    dtype = rng.choice(DTYPES)
    tensor = torch.arange(prod(shape)).reshape(shape).to(getattr(torch, dtype))
    return Case("x", "x", {"x": f"{dtype}:{shape_text(shape)}"}, {"x": tensor})


def make_odd(rng: random.Random, case: Case) -> tuple[int, ...]:
    """Append views; return the shape that they give."""
    shape = tuple(case.tensors["x"].shape)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        ndim = len(shape)
        kind = rng.random()
        if kind < 0.5 and ndim > 1:
            one, other = rng.sample(range(ndim), 2)
            case.expr += f".swapaxes({one}, {other})"
            case.numpy_expr += f".swapaxes({one}, {other})"
        elif kind < 0.75 and ndim:
            text = rng.choice(["[::2]", "[1:]", "[..., ::2]", "[..., :1]", "[:1]", "[..., None]", "[None]"])
            case.expr += text
            case.numpy_expr += text
        elif kind < 0.85 and 1 in shape:
            sizes = tuple(4 if size == 1 else size for size in shape)
            case.expr += f".expand({', '.join(map(str, sizes))})"
            case.numpy_expr = f"np.broadcast_to({case.numpy_expr}, {sizes})"
        else:
            continue
        verdict = explain(case.expr, case.specs).torch.shape
        assert verdict is not None
        shape = tuple(int(size) for size in verdict)
    return shape


def drawn(*draws: Draw) -> Callable[[random.Random], Case]:
    """Draw one of the calls, of a tensor that lies oddly."""

    def draw(rng: random.Random) -> Case:
        case = start(rng)
        shape = make_odd(rng, case)
        case.expr, case.numpy_expr = rng.choice(draws)(rng, case.expr, case.numpy_expr, shape)
        return case

    return draw


def dim(rng: random.Random, ndim: int) -> str:
    """Draw a dim, mostly one that is there."""
    if rng.random() < 0.75 and ndim:
        return str(rng.randrange(-ndim, ndim))
    return rng.choice(DIMS)


def dims(rng: random.Random, ndim: int) -> str:
    """Draw several dims as a tuple or a list."""
    drawn = [dim(rng, ndim) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
    if rng.random() < 0.6 and ndim:
        drawn = [str(axis) for axis in rng.sample(range(ndim), rng.randrange(ndim + 1))]
    return listing(rng, drawn)


def listing(rng: random.Random, items: Sequence[str]) -> str:
    """Write a tuple or a list."""
    if rng.random() < 0.3:
        return f"[{', '.join(items)}]"
    return f"({', '.join(items)}{',' * (len(items) == 1)})"


def in_form(rng: random.Random, name: str, base: str, arguments: Sequence[str], *, of_torch: bool = True) -> str:
    """Write a call as a method or as ``torch.f``; an argument may be ``name=value``, all behind it too."""
    bare = [argument.partition("=")[2] if "=" in argument else argument for argument in arguments]
    cut = len(bare) if rng.random() < 0.7 else rng.randrange(len(bare) + 1)
    given = [*bare[:cut], *arguments[cut:]]
    if of_torch and rng.random() < 0.35:
        return f"torch.{name}({', '.join([base, *given])})"
    return f"{base}.{name}({', '.join(given)})"


def numbered(shape: tuple[int, ...]) -> torch.Tensor:
    """Return a tensor of which every element is another number."""
    return torch.from_numpy(np.arange(prod(shape), dtype=np.float32).reshape(shape))
