"""Random positions, masks and calls of what selects by them."""

import random
from collections.abc import Callable, Sequence
from math import prod

import torch

from tests.shapes.cases import Case, shape_text
from tests.shapes.drawing import bind

SHAPES = [(), (1,), (3,), (0,), (2, 3), (2, 3), (3, 1), (0, 3), (2, 3, 4), (2, 3, 4), (2, 0, 3), (2, 1, 3)]
DIMS = ["0", "1", "-1", "-2", "2", "0", "1", "-1", "3", "-4", "True", "1.0", "None", "'a'"]
STRANGERS = ["0", "None", "[0]", "True", "1.5", "'a'", "..."]
NUMBERS = ["0", "1", "2", "-1", "300", "-300", "1.5", "-1.0", "True", "1e999", "-1e999", "1e30", "1e300", "70000"]

_Shape = tuple[int, ...]


def dim_of(rng: random.Random, ndim: int) -> str:
    """Draw a dim, mostly one that there is."""
    if rng.random() < 0.85:
        return str(rng.randrange(-max(ndim, 1), max(ndim, 1)))
    return rng.choice(DIMS)


def near(rng: random.Random, shape: Sequence[int], *, larger: float = 0.12) -> _Shape:
    """Draw a shape like another: smaller here and there, seldom larger, or of other axes."""
    sizes = list(shape)
    for axis, size in enumerate(sizes):
        kind = rng.random()
        if kind < larger:
            sizes[axis] = size + rng.choice([1, 2])
        elif kind < 0.35:
            sizes[axis] = rng.choice([1, 1, size, max(size - 1, 0)])
    if rng.random() < 0.08:
        return rng.choice(SHAPES)
    return tuple(sizes)


def positions(rng: random.Random, case: Case, name: str, shape: _Shape, size: int) -> str:
    """Bind a name to positions, mostly of those that an axis of that size has; zeros may be left unknown."""
    dtype = rng.choice(["int64"] * 16 + ["int32", "int32", "int16", "uint8", "bool", "float32"])
    low, high = rng.choice([(0, max(size, 1))] * 8 + [(0, 1), (-size, max(size, 1)), (0, size + 1), (-2, 5)])
    if dtype in ("uint8", "bool"):
        low, high = 0, 2
    if prod(shape) > 60:
        low, high = 0, 1
    values = [rng.randrange(low, max(high, low + 1)) for _ in range(prod(shape))]
    tensor = torch.tensor(values, dtype=torch.int64).reshape(shape).to(getattr(torch, dtype))
    text = name
    if len(shape) > 1 and rng.random() < 0.1:
        # What is looked up is not known of a view; what PyTorch reads there is.
        # Not transposed and contiguous(), which leaves the strides of axes of one position as they are.
        tensor = torch.zeros((shape[1], shape[0], *shape[2:]), dtype=tensor.dtype)
        text = f"{name}.transpose(0, 1)"
    case.tensors[name] = tensor
    plain = not tensor.numel() or not bool(tensor.any())
    case.specs[name] = f"{dtype}:{shape_text(tuple(tensor.shape))}" if plain else f"{dtype}:tensor({tensor.tolist()})"
    return text


def mask(rng: random.Random, case: Case, name: str, shape: _Shape) -> str:
    """Bind a name to a mask, known by its elements or by its count."""
    dtype = rng.choice(["bool"] * 12 + ["uint8", "int64", "float32"])
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    tensor = (torch.rand(shape, generator=generator) < rng.random()).to(getattr(torch, dtype))
    case.tensors[name] = tensor
    known = tensor.numel() and (dtype != "bool" or rng.random() < 0.5)
    case.specs[name] = f"{dtype}:tensor({tensor.tolist()})" if known else f"{dtype}:{shape_text(shape)}"
    if not known and dtype == "bool":
        case.specs[name] += f"#{int(tensor.sum())}"
    return name


def source(rng: random.Random, case: Case) -> tuple[str, _Shape]:
    """Bind ``x``; return its text and shape."""
    shape = rng.choice(SHAPES)
    return bind(rng, case, "x", shape), shape


def write(rng: random.Random, case: Case, name: str, base: str, arguments: Sequence[tuple[str, str]]) -> None:
    """Write a call as a method or as a function, with keywords here and there, or with one argument less."""
    given = list(arguments)
    if rng.random() < 0.03:
        given.pop()
        case.numpy_expr = ""
    texts, keyword = [], False
    for parameter, text in given:
        keyword = keyword or parameter.startswith("*") or rng.random() < 0.12
        texts.append(f"{parameter.lstrip('*')}={text}" if keyword else text)
    of_torch = rng.random() < 0.4
    case.expr = f"torch.{name}({', '.join([base, *texts])})" if of_torch else f"{base}.{name}({', '.join(texts)})"


def stranger(rng: random.Random, text: str) -> str:
    """Return a text, or seldom what no tensor is."""
    return rng.choice(STRANGERS) if rng.random() < 0.03 else text


Draw = Callable[[random.Random], Case]
