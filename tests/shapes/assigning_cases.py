"""Random assignments to an index."""

import random
import re
import warnings

import torch

from tests.shapes.cases import Case, bind_source, shape_text, subscript
from tests.shapes.selecting_cases import NUMBERS

_STRANGERS = ["[1, 2]", "[0]", "[]", "(1,)", "[[1], [2]]", "None", "'a'", "...", "1:2", "[1e999]", "[300, 0]"]


# Where several of NumPy's kernels may be the first to raise.
_VIEWS = [".transpose(0, -1)", "[1:]", "[..., None]", "[::2]", "[0]", "[None]"]


_LOOKS = ["", "[0]", "[1:]", "[:-1]", "[:2]", "[0, :2]", "[..., 0]", ".T", "[None]", ".flatten()", "[1:].reshape(-1)"]


def draw_value(rng: random.Random, case: Case, region: tuple[int, ...] | None, *, expanded: bool) -> str:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(NUMBERS)
    if kind < 0.25:
        return rng.choice([each for each in _STRANGERS if each != "1:2"])
    told = not any(spec.endswith(":()") for name, spec in case.specs.items() if name != "x")
    if kind < 0.35 and case.tensors["x"].numel() and not expanded and told and region is not None:
        # What is written may be read from where it is written to; where there is nothing to
        # write, or the same, PyTorch asks whether it is one object.
        return "x" + rng.choice(_LOOKS)
    shape = list(region) if region is not None else [2, 3]
    for axis in range(len(shape)):
        if rng.random() < 0.1:
            shape[axis] = rng.choice([1, 1, 2, 5, 0])
    cut = rng.choice([0, 0, 0, 1, 2])
    shape = shape[cut:]
    if rng.random() < 0.15:
        shape = [rng.choice([1, 1, 2]), *shape]
    if rng.random() < 0.1:
        shape = rng.choice([[], [1], [1, 1], [0], [7]])
    own = str(case.tensors["x"].dtype).removeprefix("torch.")
    dtype = own if rng.random() < 0.75 else rng.choice(["float32", "float64", "int64", "bool", "uint8", "complex64"])
    case.tensors["v"] = torch.ones(shape, dtype=getattr(torch, dtype))
    case.specs["v"] = f"{dtype}:{shape_text(tuple(shape))}"
    return "v"


def random_assignment(rng: random.Random) -> Case:
    case = Case("x", "x")
    bind_source(rng, case)
    view = rng.choice(_VIEWS) if rng.random() < 0.25 else ""
    if rng.random() < 0.06:
        view = f".expand({', '.join(map(str, (2, *case.tensors['x'].shape)))})"
    index = subscript(rng, case, tuple(case.tensors["x"].shape))
    base = f"x{view}"
    region: tuple[int, ...] | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            region = tuple(eval(f"{base}{index}", {"slice": slice}, dict(case.tensors)).shape)  # noqa: S307 - as above
    except Exception:  # noqa: BLE001 - then any value will do
        region = None
    value = draw_value(rng, case, region, expanded=".expand" in view)
    case.expr = f"{base}{index} = {value}"
    left = set(re.findall(r"\b[a-hvx]\b", re.sub(r"'a'", "", case.expr)))
    case.specs = {name: spec for name, spec in case.specs.items() if name in left}
    # NumPy's transpose means another thing, and it has no expand.
    case.numpy_expr = "" if ".transpose" in view or ".expand" in view else case.expr
    return case
