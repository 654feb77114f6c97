"""Random joins of tensors."""

import random

from tests.shapes.cases import Case
from tests.shapes.drawing import bind

SHAPES = [(), (1,), (0,), (3,), (2, 3), (2, 3), (2, 3), (0, 3), (1, 1), (2, 3, 4), (2, 1, 4)]


DIMS = ["0", "0", "0", "1", "1", "1", "-1", "-1", "-2", "2", "5", "-4", "None", "1.0", "True", "(0,)", "[0]", "'a'"]


NAMES = {"cat": "concatenate", "concat": "concatenate", "concatenate": "concatenate", "stack": "stack"}


NAMES |= {"hstack": "hstack", "vstack": "vstack", "dstack": "dstack"}


def draw_shape(rng: random.Random, name: str, base: tuple[int, ...]) -> tuple[int, ...]:
    kind = rng.random()
    if kind < 0.08:
        return (0,)
    if kind < 0.14:
        return rng.choice(SHAPES)
    if base and kind < (0.55 if name != "stack" else 0.2):
        axis = rng.randrange(len(base))
        return (*base[:axis], rng.choice([0, 1, 2, 3, 5]), *base[axis + 1 :])
    return base


def draw_join(rng: random.Random) -> Case:
    case = Case()
    name = rng.choice(["cat", "cat", "stack", "stack", *NAMES])
    base = rng.choice(SHAPES)
    dtype = rng.choice(["", "float32"])
    items = [
        bind(rng, case, letter, draw_shape(rng, name, base), dtype)
        for letter in "xyzw"[: rng.choice([1, 2, 2, 2, 3, 4])]
    ]
    if rng.random() < 0.06:
        items.insert(rng.randrange(len(items) + 1), rng.choice(["1", "2.5", "[1, 2]", "True", "[[1.5], [2]]"]))
    text = f"[{', '.join(items)}]" if rng.random() < 0.8 else f"({', '.join(items)},)"
    kind = rng.random()
    if kind < 0.1:
        text = rng.choice([items[0], "[]", "()", "None", "1"])
    arguments, numpy_arguments = [text if rng.random() < 0.95 else f"tensors={text}"], [text]
    if rng.random() < (0.7 if name in ("cat", "stack") else 0.3 if "cat" in name else 0.02):
        dim = rng.choice(DIMS)
        keyword = rng.choice(["dim=", "axis=", ""]) if "=" not in arguments[0] else "dim="
        arguments.append(f"{keyword}{dim}")
        numpy_arguments.append(f"axis={dim}")
    case.expr = f"torch.{name}({', '.join(arguments)})"
    case.numpy_expr = f"np.{NAMES[name]}({', '.join(numpy_arguments)})"
    case.specs = {letter: spec for letter, spec in case.specs.items() if letter in text}
    if ".transpose" in text:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case
