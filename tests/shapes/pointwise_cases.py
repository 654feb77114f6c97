"""Random functions of each element by itself."""

import random

from segcli.shapes.compute.single import FUNCTIONS
from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import DTYPES, NUMBERS, STRANGERS, bind, finished, operand

NAMES = [name for name in FUNCTIONS if name != "positive"]


_UFUNCS = {"abs": "abs", "neg": "negative"}


def random_function(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case, DTYPES)
    if rng.random() < 0.15:
        mark = rng.choice("-+~")
        return finished(case, mark + x, mark + x)
    if rng.random() < 0.15:
        return _functional(rng, case, x)
    name = rng.choice(NAMES)
    ufunc = FUNCTIONS[name].ufunc
    arguments = []
    if name == "round" and rng.random() < 0.5:
        arguments = [f"decimals={rng.choice(['0', '1', '2', '-1', '1.0', 'None', 'True'])}"]
    if rng.random() < 0.05:
        arguments.append(rng.choice(["out=None", "1", "beta=2"]))
    arguments.sort(key=lambda text: "=" in text)
    if rng.random() < 0.5:
        expr = f"{x}.{name}({', '.join(arguments)})"
        # NumPy takes what PyTorch's methods do not.
        return finished(case, expr, "" if "out" in expr or "beta" in expr or not ufunc else _numpy(ufunc, x, arguments))
    if rng.random() < 0.1:
        # No name stands there.
        return finished(Case(), f"torch.{name}({rng.choice([*NUMBERS, *STRANGERS])})", "")
    written = ", ".join([x, *arguments])
    expr = f"torch.{name}({written})"
    in_both = ufunc and "beta" not in written and len(arguments) < 2
    return finished(case, expr, _numpy(ufunc, written, []) if in_both else "")


def _numpy(ufunc: str, first: str, arguments: list[str]) -> str:
    return f"np.{ufunc}({', '.join([first, *arguments])})"


def _functional(rng: random.Random, case: Case, x: str) -> Case:
    name = rng.choice(["relu", "sigmoid", "tanh"])
    extra = rng.choice(["", "", "", ", inplace=True", ", False", ", inplace=None", ", 1, 2", ", out=None", ", 'a'"])
    written = rng.choice([x, x, x, f"input={x}"])
    expr = f"F.{name}({written}{extra})" if "=" not in written or extra in ("", ", inplace=True") else f"F.{name}({x})"
    return finished(case, expr, f"np.tanh({x})" if name == "tanh" and not extra else "")


def random_clamp(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case)
    bounds = [operand(rng, case, strange=0.03, number=0.6) if rng.random() < 0.8 else "None" for _ in range(2)]
    count = rng.choice([1, 2, 2, 2])
    form = rng.random()
    if form < 0.5:
        arguments = bounds[:count]
    elif form < 0.8:
        arguments = [f"{name}={bound}" for name, bound in zip(("min", "max"), bounds, strict=True)]
        arguments = [rng.choice(arguments)] if count == 1 else arguments
    else:
        arguments = [bounds[0], f"max={bounds[1]}"]
    for name in [name for name in case.tensors if not any(name in text for text in (x, *arguments))]:
        del case.tensors[name], case.specs[name]
    name = rng.choice(["clamp", "clip"])
    written = ", ".join(arguments)
    if rng.random() < 0.5:
        return finished(case, f"{x}.{name}({written})", f"{x}.clip({written})")
    return finished(case, f"torch.{name}({x}, {written})", f"np.clip({x}, {written})")


def random_keeping(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case, DTYPES)
    name = rng.choice(["clone", "detach", "cpu"])
    extra = rng.choice(["", "", "", "memory_format=None", "1", "beta=1"])
    if rng.random() < 0.5 and name != "cpu":
        expr = f"torch.{name}({x}{', ' * bool(extra)}{extra})"
        return finished(case, expr, f"np.copy({x})" if name == "clone" and not extra else "")
    return finished(case, f"{x}.{name}({extra})", f"{x}.copy()" if name == "clone" and not extra else "")
