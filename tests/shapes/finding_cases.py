"""Random calls of ``unique``, of values that are known."""

import random

import torch

from tests.shapes.cases import Case
from tests.shapes.selecting_cases import dim_of


def found(rng: random.Random) -> Case:
    """Draw a call."""
    case = Case()
    shape = rng.choice([(), (1,), (3,), (5,), (0,), (2, 3), (0, 3), (2, 0, 3), (0, 0), (1, 4)])
    dtype = rng.choice(["int64", "float32", "uint8", "bool", "complex64"])
    count = torch.Size(shape).numel()
    values = torch.tensor([rng.randrange(4) for _ in range(count)]).reshape(shape).to(getattr(torch, dtype))
    case.tensors["x"] = values
    known = count and dtype != "complex64"
    case.specs["x"] = f"{dtype}:tensor({values.tolist()})" if known else f"{dtype}:{str(shape).replace(' ', '')}"
    named = {}
    # The number of slices that are unlike is not followed.
    if rng.random() < 0.5 and (len(shape) < 2 or 0 in shape):
        named["dim"] = rng.choice([dim_of(rng, len(shape)), "None", "1.0", "True"])
    for flag in ("return_inverse", "return_counts", "sorted"):
        if rng.random() < 0.25:
            named[flag] = rng.choice(["True", "True", "False", "1"])
    if rng.random() < 0.02:
        named["foo"] = "1"
    given = ", ".join(f"{name}={text}" for name, text in named.items())
    of_torch = rng.random() < 0.5
    case.expr = f"torch.unique(x, {given})" if of_torch else f"x.unique({given})"
    case.numpy_expr = f"np.unique(x, {given.replace('dim=', 'axis=')})"
    if dtype == "complex64" and count > 1:
        case.numpy_expr = ""
    return case
