"""Random calls of what makes tensors."""

import random
import re

import torch

from tests.shapes.cases import Case
from tests.shapes.drawing import bind

SIZES = ["2", "3", "0", "1", "k", "-1", "True", "2.0", "None"]


WHOLE = ["(2, 3)", "[2, 3]", "()", "[]", "(k, 2)", "(2, -1)", "(2, 3.0)", "[2.0]", "[True, 2]", "(2, True)", "f"]


WHOLE += ["(2, None)", "x.shape", "None", "'a'", "2.5", "2", "k"]


NUMBERS = ["0", "1", "5", "5", "7", "2.5", "-3", "0.5", "k", "f", "True", "-1", "2", "3.0", "10"]


STEPS = ["1", "2", "-1", "0.5", "3", "0", "-2", "0.3", "k", "1.0"]


FILLS = ["1", "1.5", "True", "k", "f", "b", "0", "x"]


DTYPES = ["torch.float32", "torch.int64", "torch.uint8", "torch.float16", "torch.int32", "torch.float64", "None"]


DTYPES += ["torch.complex64", "torch.bool", "3"]


def draw_made(rng: random.Random) -> Case:
    case = Case()
    source = bind(rng, case, "x", rng.choice([(), (3,), (2, 3), (0, 3), (2, 3, 4)]))
    case.tensors |= {"k": torch.tensor(2), "f": torch.tensor(2.5), "b": torch.tensor(1) > 0}
    case.specs |= {"k": "int64:tensor(2)", "f": "float32:tensor(2.5)", "b": "bool:tensor(True)"}
    kind = rng.random()
    if kind < 0.4:
        name, arguments = "arange", draw_bounds(rng)
    elif kind < 0.8:
        name = rng.choice(["zeros", "ones", "empty", "full"])
        several = rng.random() < 0.4 and name != "full"
        arguments = [rng.choice(SIZES) for _ in range(rng.choice([0, 1, 2, 2, 3]))] if several else [rng.choice(WHOLE)]
        if name == "full" and rng.random() < 0.95:
            arguments.append(rng.choice(FILLS))
    else:
        name = rng.choice(["zeros_like", "ones_like", "empty_like", "full_like"])
        arguments = [source if rng.random() < 0.9 else rng.choice(["2", "2.5", "[1, 2]"])]
        if name == "full_like" and rng.random() < 0.95:
            arguments.append(rng.choice(FILLS))
    if rng.random() < 0.35:
        arguments.append(f"dtype={rng.choice(DTYPES)}")
    elif rng.random() < 0.15:
        arguments.append(rng.choice(["device='cpu'", "requires_grad=True", "requires_grad=False", "foo=1"]))
    case.expr = f"torch.{name}({', '.join(arguments)})"
    case.numpy_expr = f"np.{name}({', '.join(argument.replace('torch.', 'np.') for argument in arguments)})"
    case.numpy_expr = case.numpy_expr.replace("end=", "stop=").replace("np.bool", "np.bool_")
    if ".transpose" in case.expr:
        # NumPy's means another thing.
        case.numpy_expr = ""
    used = set(re.findall(r"(?<![.'\w])\w+", case.expr))
    case.specs = {name: spec for name, spec in case.specs.items() if name in used}
    return case


def draw_bounds(rng: random.Random) -> list[str]:
    count = rng.choice([1, 1, 2, 2, 3, 3])
    bounds = [rng.choice(NUMBERS) for _ in range(count)]
    if count == 3:
        bounds[2] = rng.choice(STEPS)
    if rng.random() < 0.05:
        bounds[rng.randrange(count)] = rng.choice(["None", "'a'", "[5]", "1e999", "1e20"])
    if rng.random() < 0.15:
        names = {1: ["end"], 2: ["start", "end"], 3: ["start", "end", "step"]}[count]
        first = rng.randrange(count)
        bounds = [bound if place < first else f"{names[place]}={bound}" for place, bound in enumerate(bounds)]
    return bounds
