"""Random methods that change their tensor where it is, such as ``add_`` and ``masked_fill_``."""

import random
import re

import torch

from segcli.shapes.compute.single import FUNCTIONS as SINGLE
from segcli.shapes.operations import names_in
from tests.shapes.cases import Case

NAMES = [name.removesuffix("_") for name in names_in("method") if name.endswith("_")]
_DTYPES = ["float32"] * 3 + ["float64", "float16", "complex64", "int64", "int32", "uint8", "bool"]
_SHAPES: list[tuple[int, ...]] = [(2, 3), (2, 3), (2, 3), (3,), (1, 3), (2, 1), (), (0, 3), (4, 2, 3), (2, 3, 2)]
_POSITIONS: list[tuple[int, ...]] = [(2, 3), (1, 3), (2,), (3,)]
_OWNERS = ["x"] * 4 + ["x[1:]", "x.T", "x.expand(2, *x.shape)", "x[0]", "x.flatten()", "x[..., None]", "x.float()"]
_VALUES = ["v", "v", "v[0]", "x", "x[:-1]", "x[1:]", "1", "2", "-1", "300", "1.5", "True", "None", "'a'", "[1]", ""]
_ADDED = ["v, alpha=2", "v, alpha=1.5", "v, 3", "alpha=2, other=v"]
_CLAMPED = ["min=0", "0, 1", "max=v", "v, v", "0, 0.5", "max=-1", "None", "-300"]


def random_method(rng: random.Random) -> Case:
    name, owner = rng.choice(NAMES), rng.choice(_OWNERS)
    expr = f"{owner}.{name}_({_given(rng, name)})"
    tensors = {key: _ones(rng.choice(_SHAPES), rng.choice(_DTYPES)) for key in ("x", "v")}
    tensors["m"] = _ones(rng.choice(_SHAPES), "bool" if rng.random() < 0.8 else rng.choice(_DTYPES))
    tensors["i"] = torch.zeros(rng.choice(_POSITIONS), dtype=torch.int64)
    used = {key: tensor for key, tensor in tensors.items() if re.search(rf"\b{key}\b", expr)}
    return Case(expr, "", {key: _spec(tensor) for key, tensor in used.items()}, used)


def _given(rng: random.Random, name: str) -> str:
    value = rng.choice(_VALUES)
    if name in SINGLE:
        return rng.choice(["", "", "", "", "1"])
    if name in ("zero", "requires_grad"):
        return rng.choice(["", "", "", "True", "False", "requires_grad=False", "1"])
    if name in ("clamp", "clip"):
        return rng.choice([value, *_CLAMPED])
    if name in ("add", "sub"):
        return rng.choice([value, value, *_ADDED])
    first = {
        "masked_fill": rng.choice(["m", "m", "m", "x > 0", "v"]),
        "scatter_reduce": "0, i",
        **dict.fromkeys(("scatter", "scatter_add", "index_add", "index_fill"), rng.choice(["0, i", "0, i", "-1, i"])),
    }
    reduce = ", 'sum'" if name == "scatter_reduce" else ""
    return ", ".join(filter(None, [first.get(name), value])) + reduce


def _ones(shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    return torch.ones(shape).to(getattr(torch, dtype))


def _spec(tensor: torch.Tensor) -> str:
    sizes = ",".join(map(str, tensor.shape)) + "," * (tensor.dim() == 1)
    return f"{str(tensor.dtype).removeprefix('torch.')}:({sizes})"
