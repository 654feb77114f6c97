"""Random losses that are a distance an element, and log-likelihoods."""

import random

from tests.shapes.cases import Case
from tests.shapes.criteria_cases import other_shape, reduction, written
from tests.shapes.sampling_cases import ANY, FLOATS, bind, sizes

VARYING = r"Overflow|^Target "
_NAMES = {"mse_loss": "MSELoss", "l1_loss": "L1Loss", "smooth_l1_loss": "SmoothL1Loss"}


def distance(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([0, 1, 2, 3, 3]))
    other = shape if rng.random() < 0.7 else rng.choice([shape[1:], other_shape(rng, shape), [1] * len(shape)])
    kinds = [rng.choice(FLOATS if rng.random() < 0.85 else ANY) for _ in range(2)]
    tensors = [bind(rng, case, name, own, kind) for name, own, kind in zip("xy", (shape, other), kinds, strict=True)]
    function = rng.choice(list(_NAMES))
    named: dict[str, str] = {}
    reduction(rng, named)
    if function == "smooth_l1_loss" and rng.random() < 0.3:
        named["beta"] = rng.choice(["0.5", "2", "0", "0.0", "-1", "'a'"])
    order = "size_average reduce reduction" + " beta" * (function == "smooth_l1_loss")
    case.expr = written(rng, function, _NAMES[function], tensors, named, order)
    return case


def likelihood(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([1, 2, 2, 3, 3, 4, 4, 5] if rng.random() < 0.97 else [0]))
    axis = min(len(shape) - 1, 1)
    target = [size for place, size in enumerate(shape) if place != axis]
    if rng.random() < 0.12:
        target = other_shape(rng, target)
    dtype = rng.choice(FLOATS if rng.random() < 0.93 else ANY)
    tensors = [bind(rng, case, "x", shape, dtype)]
    tensors.append(bind(rng, case, "y", target, rng.choice(["int64"] * 9 + ["uint8"] if rng.random() < 0.92 else ANY)))
    named: dict[str, str] = {}
    reduction(rng, named)
    if rng.random() < 0.3:
        classes = shape[axis] if shape else 3
        count = [classes] if rng.random() < 0.85 else rng.choice([[classes + 1], [], [1, classes]])
        named["weight"] = bind(rng, case, "w", count, dtype if rng.random() < 0.9 else "float64")
    if rng.random() < 0.3:
        named["ignore_index"] = rng.choice(["0", "255", "-1", "-100", "1.5", "None"])
    order = "weight size_average ignore_index reduce reduction"
    case.expr = written(rng, "nll_loss", "NLLLoss", tensors, named, order)
    return case
