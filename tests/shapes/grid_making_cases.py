"""Random calls of what makes coordinates, random numbers, and tensors of another one's dtype."""

import random
import re

import torch

from tests.shapes.cases import Case
from tests.shapes.drawing import bind
from tests.shapes.making_cases import DTYPES, FILLS, SIZES, WHOLE

COUNTS = ["0", "1", "2", "5", "3", "-1", "k", "True", "2.0", "None"]
BOUNDS = ["0", "1", "5", "-3", "2.5", "300", "-1", "70000", "True", "k", "4", "7"]


def _sizes(rng: random.Random) -> list[str]:
    if rng.random() < 0.4:
        return [rng.choice(SIZES) for _ in range(rng.choice([0, 1, 2, 2, 3]))]
    return [rng.choice(WHOLE)]


def _spaced(rng: random.Random) -> tuple[str, list[str], str]:
    name = rng.choice(["linspace", "linspace", "eye"])
    if name == "eye":
        sizes = [rng.choice(COUNTS) for _ in range(rng.choice([1, 1, 2, 2, 0]))]
        return name, sizes, f"np.eye({', '.join(sizes)})" if sizes else ""
    arguments = [rng.choice(["0", "1", "-1", "2.5", "k", "f", "x"]), rng.choice(["1", "5", "0.5", "k"])]
    arguments.append(rng.choice(COUNTS))
    told = not {"k", "f", "x"} & set(arguments)
    numpy_expr = f"np.linspace({', '.join(arguments)})" if told else ""
    if rng.random() < 0.3:
        arguments = [f"{keyword}={text}" for keyword, text in zip(("start", "end", "steps"), arguments, strict=True)]
    return name, arguments, numpy_expr


def _drawn(rng: random.Random, source: str) -> tuple[str, list[str]]:
    kind = rng.random()
    if kind < 0.35:
        bounds = [rng.choice(BOUNDS) for _ in range(rng.choice([1, 1, 2]))]
        return "randint", [*bounds, rng.choice(WHOLE)]
    if kind < 0.5:
        return rng.choice(["rand_like", "randn_like"]), [source if rng.random() < 0.9 else "[1, 2]"]
    return rng.choice(["rand", "randn"]), _sizes(rng)


def _new(rng: random.Random, source: str) -> str:
    name = rng.choice(["new_zeros", "new_ones", "new_empty", "new_full"])
    arguments = [rng.choice(WHOLE)] if name == "new_full" else _sizes(rng)
    if name == "new_full" and rng.random() < 0.95:
        arguments.append(rng.choice(FILLS))
    return f"{source}.{name}({', '.join(arguments + _options(rng))})"


def _options(rng: random.Random) -> list[str]:
    if rng.random() < 0.35:
        return [f"dtype={rng.choice(DTYPES)}"]
    return [rng.choice(["device='cpu'", "requires_grad=True", "foo=1"])] if rng.random() < 0.15 else []


def _grid(rng: random.Random, case: Case) -> tuple[str, str]:
    dtype = rng.choice(["float32", "int64"])
    tensors = []
    for name in rng.sample("xyz", rng.choice([1, 2, 2, 2, 3, 3])):
        shape = rng.choice([(2,), (3,), (4,), (1,), (0,), (), (), (2, 3)])
        bind(rng, case, name, shape, dtype if rng.random() < 0.92 else "uint8")
        tensors.append(rng.choice([name] * 15 + ["3", "None"]))
    listed = ", ".join(tensors)
    if rng.random() < 0.3:
        listed = f"[{listed}]"
    options = rng.choice(["", "", ", indexing='ij'", ", indexing='xy'", ", indexing='xy'", ", indexing='yx'"])
    # NumPy makes arrays of what is none, and of a list one.
    told = not {"3", "None"} & set(tensors) and "[" not in listed
    return f"torch.meshgrid({listed}{options})", f"np.meshgrid({listed}{options})" if told else ""


def draw_coordinates(rng: random.Random) -> Case:
    """Draw a call."""
    case = Case()
    kind = rng.random()
    if kind < 0.3:
        case.expr, case.numpy_expr = _grid(rng, case)
    else:
        source = bind(rng, case, "x", rng.choice([(), (3,), (2, 3), (0, 3), (2, 3, 4)]))
        case.tensors |= {"k": torch.tensor(2), "f": torch.tensor(2.5), "b": torch.tensor(1) > 0}
        case.specs |= {"k": "int64:tensor(2)", "f": "float32:tensor(2.5)", "b": "bool:tensor(True)"}
        if kind < 0.5:
            name, arguments, case.numpy_expr = _spaced(rng)
            options = _options(rng)
            case.expr = f"torch.{name}({', '.join(arguments + options)})"
            case.numpy_expr = "" if options else case.numpy_expr
        elif kind < 0.75:
            name, arguments = _drawn(rng, source)
            case.expr = f"torch.{name}({', '.join(arguments + _options(rng))})"
        else:
            case.expr = _new(rng, source)
    used = set(re.findall(r"(?<![.'\w])\w+", case.expr))
    case.specs = {name: spec for name, spec in case.specs.items() if name in used}
    return case
