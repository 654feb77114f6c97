"""Random tensors that are made of literals, random numbers of Python, and the larger of two tensors."""

import random

import torch

from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import bind, finished

NUMBERS = ["0", "1", "2", "-1", "3", "0.5", "True"]
ODD = [
    *NUMBERS,
    "255",
    "256",
    "-300",
    "1.5",
    "1e10",
    "1e400",
    "70000",
    "1e39",
    "2147483648",
    "None",
    "'a'",
    "...",
    "len(x)",
]
DTYPES = ["float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool", "complex64"]
# The rows of a list are read as they are stored, so that of two faults either may come first.
VARYING = "expected sequence|value cannot be converted|not a sequence"


def literal(rng: random.Random, shape: list[int], numbers: list[str]) -> str:
    if not shape:
        return rng.choice(numbers)
    count = shape[0] + (rng.random() < 0.03)
    items = [literal(rng, shape[1:], numbers) for _ in range(count)]
    return f"[{', '.join(items)}]" if rng.random() < 0.8 else f"({''.join(f'{item}, ' for item in items)})"


def draw_literal(rng: random.Random) -> Case:
    shape = [rng.choice([0, 1, 2, 2, 3]) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
    made = literal(rng, shape, ODD if rng.random() < 0.3 else NUMBERS)
    name = rng.choice(["tensor", "tensor", "as_tensor"])
    dtype = f", dtype=torch.{rng.choice(DTYPES)}" if rng.random() < 0.35 else ""
    odd = rng.choice([", foo=1", ", requires_grad=True", ", 3"]) if rng.random() < 0.05 else ""
    before = "data=" if rng.random() < 0.1 and odd != ", 3" else ""
    if odd == ", 3":
        dtype = ""
    expr = f"torch.{name}({before}{made}{dtype}{odd})"
    numpy_name = "array" if name == "tensor" else "asarray"
    numpy_expr = f"np.{numpy_name}({made}{dtype.replace('torch.', 'np.').replace('np.bool', 'np.bool_')})"
    if rng.random() < 0.3:
        expr, numpy_expr = f"x[{expr}]", f"x[{numpy_expr}]"
    elif rng.random() < 0.5:
        expr, numpy_expr = f"x.sum() + {expr}", f"x.sum() + {numpy_expr}"
    alike = not odd and not before and not any(word in made for word in ("None", "'a'", "..."))
    return Case(expr, numpy_expr if alike else "", {"x": "4,5"}, {"x": torch.zeros(4, 5)})


VALUES = [
    "x.ndim",
    "x.size(0)",
    "x.shape",
    "x.shape[1:]",
    "7",
    "2.5",
    "-3",
    "True",
    "(1, 2)",
    "[3, 1.5]",
    "()",
    "1e400",
]
VALUES += ["'a'", "None", "x", "s", "n", "[1, 'a']"]
ONE = [
    "len",
    "int",
    "float",
    "abs",
    "tuple",
    "list",
    "math.sqrt",
    "math.floor",
    "math.ceil",
    "math.prod",
    "math.log",
    "math.log2",
    "math.exp",
]


def draw_number(rng: random.Random) -> Case:
    """Draw a call of a function of Python."""
    if rng.random() < 0.3:
        name, given = rng.choice(["min", "max"]), [rng.choice(VALUES[:8]) for _ in range(rng.choice([1, 2, 2, 3]))]
    else:
        name, given = rng.choice(ONE), [rng.choice(VALUES if rng.random() < 0.9 else ["x", "s", "n"])]
        if name in ("math.prod", "list", "tuple"):
            given = [rng.choice(["x.shape", "x.shape[1:]", "(1, 2)", "()", "7", "None", "[3, 2]"])]
        given = rng.choice([given] * 20 + [[], ["1", "2.5"]])
    shape = [rng.choice([1, 3, 4]), rng.choice([2, 3, 7])]
    specs = {"x": ",".join(map(str, shape)), "s": "float32:tensor(2.5)", "n": "int64:tensor([3])"}
    tensors = {"x": torch.zeros(shape), "s": torch.tensor(2.5), "n": torch.tensor([3])}
    expr = f"{name}({', '.join(given)})"
    return Case(expr, expr, specs, tensors)


def draw_extreme(rng: random.Random) -> Case:
    """Draw ``max`` or ``min`` of two tensors."""
    case = Case()
    one, other = bind(rng, case), bind(rng, case)
    name = rng.choice(["max", "min"])
    given = f"other={other}" if rng.random() < 0.15 else other
    if rng.random() < 0.5:
        return finished(case, f"{one}.{name}({given})", f"{one}.{name}({given})")
    return finished(case, f"torch.{name}({one}, {given})", f"np.{name}({one}, {given})")
