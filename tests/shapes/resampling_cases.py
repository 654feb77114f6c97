"""Random interpolations, upsamplings and grids."""

import random

from tests.shapes.cases import Case
from tests.shapes.sampling_cases import ANY, FLOATS, bind, joined, sizes

# PyTorch has several functions for one dtype check, which only their names tell apart.
VARYING = r"argument '\w+' must be tuple of"


MODES = ["nearest"] * 3 + ["bilinear"] * 3 + ["linear", "trilinear", "bicubic", "area", "nearest-exact", "lanczos"]


FITTING = {3: ["nearest", "linear", "area"], 4: MODES, 5: ["nearest", "trilinear", "area", "nearest-exact"]}


ODD_SIZES = [
    "0",
    "-1",
    "8.0",
    "True",
    "None",
    "'a'",
    "()",
    "(3,)",
    "[2, 2, 2, 2]",
    "(8.0, 9)",
    "(8, True)",
    "(True, 8)",
]


ODD_SCALES = ["0", "-1", "0.1", "True", "None", "'a'", "()", "(2,)", "(2, 'a')", "(None, 1)", "1e30", "1e999", "-0.5"]


def listed(rng: random.Random, number: int, values: list[str]) -> str:
    if rng.random() < 0.5:
        return rng.choice(values)
    inner = ", ".join(rng.choice(values) for _ in range(number))
    return f"[{inner}]" if rng.random() < 0.4 else f"({inner},)"


def target(rng: random.Random, spatial: int) -> dict[str, str]:
    """Draw how large the result is to be."""
    named = {}
    if rng.random() < 0.5:
        named["size"] = listed(rng, spatial, [str(n) for n in (1, 2, 3, 4, 6, 8, 9)])
        if rng.random() < 0.12:
            named["size"] = rng.choice(ODD_SIZES)
    if "size" not in named or rng.random() < 0.03:
        named["scale_factor"] = listed(rng, spatial, ["2", "2.0", "0.5", "1.5", "0.7", "3", "1", "2.5", "0.3"])
        if rng.random() < 0.12:
            named["scale_factor"] = rng.choice(ODD_SCALES)
    return named


def interpolation(rng: random.Random) -> Case:
    case = Case()
    ndim = rng.choice([3, 4, 4, 4, 4, 5] * 4 + [0, 1, 2, 6])
    dtype = rng.choice(FLOATS if rng.random() < 0.85 else ANY)
    source = bind(rng, case, "x", sizes(rng, ndim), dtype)
    if rng.random() < 0.01:
        source = rng.choice(["3", "None", "(1, 2)"])
    named = target(rng, max(ndim - 2, 1))
    fitting = FITTING.get(ndim, MODES) if rng.random() < 0.85 else MODES
    if rng.random() < 0.8:
        # A text as a factor is multiplied by PyTorch's Python for some: 'aaaa' is no number.
        fitting = [mode for mode in fitting if mode != "area" or "'" not in named.get("scale_factor", "")]
        named["mode"] = f"'{rng.choice(fitting)}'" if rng.random() < 0.97 else rng.choice(["'foo'", "None", "3"])
    if rng.random() < 0.2:
        named["align_corners"] = rng.choice(["True", "False", "False", "None", "1", "'a'"])
    if rng.random() < 0.15 and "'" not in named.get("scale_factor", ""):
        named["recompute_scale_factor"] = rng.choice(["True", "True", "False", "None", "0", "1"])
    if named.get("mode") == "'lanczos'" or rng.random() < 0.1:
        named["antialias"] = rng.choice(["True", "True", "True", "False", "None", "1", "''"])
    if rng.random() < 0.01:
        named["foo"] = "1"
    order = ["size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias"]
    if rng.random() < 0.2:
        named.pop("antialias", None)
        case.expr = f"nn.Upsample({joined(rng, [], named, order)})({source})"
    else:
        case.expr = f"F.interpolate({joined(rng, [source], named, order)})"
    return case


def grid(rng: random.Random) -> Case:
    case = Case()
    ndim = rng.choice([4, 4, 4, 5, 5, 3, 2, 1, 0]) if rng.random() < 0.3 else rng.choice([4, 5])
    shape = sizes(rng, ndim)
    dtype = rng.choice(FLOATS if rng.random() < 0.9 else ANY)
    x = bind(rng, case, "x", shape, dtype)
    places = [*shape[:1], *sizes(rng, max(ndim - 2, 0)), max(ndim - 2, 0)]
    if rng.random() < 0.15:
        places = rng.choice([places[1:], [*places, 2], [*places[:-1], 1], [places[0] + 1, *places[1:]], []])
    g = bind(rng, case, "g", places, dtype if rng.random() < 0.9 else rng.choice(ANY))
    if rng.random() < 0.02:
        g = rng.choice(["3", "None"])
    named = {}
    if rng.random() < 0.5:
        named["mode"] = rng.choice(["'bilinear'", "'nearest'", "'bicubic'", "'bicubic'", "'foo'", "None"])
    if rng.random() < 0.4:
        named["padding_mode"] = rng.choice(["'zeros'", "'border'", "'reflection'", "'reflection'", "'foo'", "3"])
    if rng.random() < 0.8:
        named["align_corners"] = rng.choice(["True", "False", "False", "None", "1", "'a'"])
    case.expr = f"F.grid_sample({joined(rng, [x, g], named, ['mode', 'padding_mode', 'align_corners'])})"
    return case
