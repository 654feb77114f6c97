"""Random changes in place: ``x += v``, ``x[i] *= v``."""

import random
import re
import warnings

import torch

from segcli.marks import IN_PLACE
from tests.shapes.cases import Case, bind_source, shape_text, subscript
from tests.shapes.selecting_cases import NUMBERS

MARKS = ["+", "+", *IN_PLACE]
_STRANGERS = ["[1, 2]", "[0]", "[]", "(1,)", "[[1], [2]]", "None", "'a'", "..."]
_VIEWS = [".transpose(0, -1)", "[1:]", "[..., None]", "[::2]", "[0]", "[None]"]
_DTYPES = ["float32", "float64", "int64", "bool", "uint8", "int8", "complex64", "float16"]


def random_update(rng: random.Random) -> Case:
    """Return a change of a tensor, or of a place in it, by a number or by what often fits it."""
    case = Case("x", "x")
    bind_source(rng, case)
    view = rng.choice(_VIEWS) if rng.random() < 0.2 else ""
    if rng.random() < 0.04:
        view = f".expand({', '.join(map(str, (2, *case.tensors['x'].shape)))})"
    place = f"x{view}{subscript(rng, case, tuple(case.tensors['x'].shape))}" if rng.random() < 0.8 else "x"
    value = _draw_value(rng, case, _shape_of(place, case))
    # Of an integer divided by 0 it hangs on that integer whether NumPy can store it.
    mark = rng.choice([mark for mark in MARKS if mark != "/" or value not in ("0", "False")])
    case.expr = f"{place} {mark}= {value}"
    left = set(re.findall(r"\b[a-hvx]\b", re.sub(r"'a'", "", case.expr)))
    case.specs = {name: spec for name, spec in case.specs.items() if name in left}
    # NumPy's transpose means another thing, and it has no expand.
    case.numpy_expr = "" if ".transpose" in view or ".expand" in view else case.expr
    return case


def _shape_of(place: str, case: Case) -> list[int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(eval(place, {"slice": slice}, dict(case.tensors)).shape)  # noqa: S307 - the tests wrote it
    except Exception:  # noqa: BLE001 - then any value will do
        return [2, 3]


def _draw_value(rng: random.Random, case: Case, shape: list[int]) -> str:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(NUMBERS)
    if kind < 0.25:
        return rng.choice(_STRANGERS)
    shape = [rng.choice([1, 1, 2, 5, 0]) if rng.random() < 0.1 else size for size in shape]
    shape = shape[rng.choice([0, 0, 0, 1, 2]) :]
    if rng.random() < 0.12:
        shape = [rng.choice([1, 1, 2]), *shape]
    if rng.random() < 0.1:
        shape = rng.choice([[], [1], [1, 1], [0], [7]])
    own = str(case.tensors["x"].dtype).removeprefix("torch.")
    dtype = own if rng.random() < 0.6 else rng.choice(_DTYPES)
    case.tensors["v"] = torch.ones(shape, dtype=getattr(torch, dtype))
    case.specs["v"] = f"{dtype}:{shape_text(tuple(shape))}"
    return "v"
