"""Random operators and functions of two operands."""

import random

from segcli.shapes.compute.elementwise import FUNCTIONS, MARKS
from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import bind, finished, operand

_KEYWORDS = [
    "alpha=2",
    "alpha=0.5",
    "alpha=True",
    "alpha=300",
    "alpha=70000",
    "rounding_mode='floor'",
    "rounding_mode='trunc'",
]


_ODD_KEYWORDS = ["rounding_mode=None", "rounding_mode='up'", "out=None", "other=2", "beta=1"]


def random_operator(rng: random.Random) -> Case:
    case = Case()
    mark = rng.choice(list(MARKS))
    sides = [bind(rng, case), operand(rng, case)]
    if rng.random() < 0.3:
        sides.reverse()
    sides = [f"({side})" if side.startswith("-") else side for side in sides]
    expr = f"{sides[0]} {mark} {sides[1]}"
    return finished(case, expr, expr)


def random_call(rng: random.Random) -> Case:
    case = Case()
    name = rng.choice(list(FUNCTIONS))
    first, second = bind(rng, case), operand(rng, case, strange=0.04)
    as_method = rng.random() < 0.5
    if not as_method and rng.random() < 0.15:
        first, second = second, first
    other = "exponent" if name == "pow" else "other"
    arguments = [f"{other}={second}" if rng.random() < 0.2 else second]
    if rng.random() < 0.15 + 0.5 * (name in ("add", "sub", "div")):
        arguments.append(rng.choice(_KEYWORDS if rng.random() < 0.8 else _ODD_KEYWORDS))
    # Both libraries take no more than two operands; the third of NumPy is where the result goes.
    in_both = rng.random() > 0.03
    if not in_both:
        arguments.insert(rng.choice([0, 1]) if "=" not in arguments[0] else 0, "2")
    if rng.random() < 0.02 and len(case.tensors) < 2 and first.startswith("x"):
        arguments.clear()
    if len({argument.partition("=")[0] for argument in arguments}) < len(arguments):
        arguments.pop()
    written = ", ".join(arguments)
    expr = f"{first}.{name}({written})" if as_method else f"torch.{name}({', '.join([first, *arguments])})"
    plain = [argument.removeprefix(f"{other}=") for argument in arguments]
    numpy_expr = f"np.{FUNCTIONS[name].ufunc}({', '.join([first, *plain])})"
    return finished(case, expr, numpy_expr if in_both and "other=2" not in expr else "")
