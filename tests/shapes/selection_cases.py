"""Random calls of what selects by positions, by masks and by a condition."""

import random

import torch

from tests.shapes.cases import Case
from tests.shapes.drawing import bind
from tests.shapes.selecting_cases import (
    NUMBERS,
    dim_of,
    mask,
    near,
    positions,
    source,
    stranger,
    write,
)


def along(shape: tuple[int, ...], dim: str) -> tuple[int, int]:
    """Return an axis and its size, of a dim that may be none."""
    whole = shape or (1,)
    axis = int(dim) if dim.lstrip("-").isdecimal() and -len(whole) <= int(dim) < len(whole) else 0
    return axis % len(whole), whole[axis]


def draw_gather(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    _, size = along(shape, dim)
    index = stranger(rng, positions(rng, case, "i", near(rng, shape, larger=0.1), size))
    case.numpy_expr = f"np.take_along_axis({base}, {index}, {dim})"
    write(rng, case, "gather", base, [("dim", dim), ("index", index)])
    return trimmed(case)


def draw_along(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = rng.choice([dim_of(rng, len(shape))] * 5 + ["None", ""])
    axis, size = along(shape, dim)
    spread = [*near(rng, shape, larger=0.05)]
    if dim in ("", "None"):
        axis, size = 0, max(torch.Size(shape).numel(), 1)
        spread = [*rng.choice([tuple(spread), (2,), (4,)])]
    if spread and axis < len(spread):
        spread[axis] = rng.choice([1, 2, 5, size])
    index = stranger(rng, positions(rng, case, "i", tuple(spread), size))
    case.numpy_expr = f"np.take_along_axis({', '.join([base, index, *([dim] if dim else [])])})"
    write(rng, case, "take_along_dim", base, [("indices", index), *([("dim", dim)] if dim else [])])
    return trimmed(case)


def draw_select(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    _, size = along(shape, dim)
    index = stranger(rng, positions(rng, case, "i", rng.choice([(), (1,), (2,), (3,), (0,), (5,), (2, 2)]), size))
    case.numpy_expr = (
        f"np.take({base}, {index}, {dim})" if index in ("i", "[0]", "0", "True", "i.transpose(0, 1)") else ""
    )
    write(rng, case, "index_select", base, [("dim", dim), ("index", index)])
    return trimmed(case)


def draw_scatter(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    _, size = along(shape, dim)
    spread = near(rng, shape, larger=0.06)
    index = stranger(rng, positions(rng, case, "i", spread, size))
    dtype = str(case.tensors["x"].dtype).removeprefix("torch.")
    larger = tuple(each + rng.choice([0, 0, 1]) for each in spread)
    values = bind(rng, case, "v", rng.choice([larger] * 5 + [near(rng, spread)]), dtype if rng.random() < 0.9 else "")
    name = rng.choice(["scatter", "scatter", "scatter_add"])
    word, given = "src", values
    if rng.random() < 0.35:
        word, given = "value" if name == "scatter" else "src", rng.choice(NUMBERS)
    arguments = [("dim", dim), ("index", index), (word, stranger(rng, given))]
    if name == "scatter" and rng.random() < 0.25:
        arguments.append(("*reduce", rng.choice(["'add'", "'multiply'", "'add'", "'mean'", "None"])))
    write(rng, case, name, base, arguments)
    return trimmed(case)


def draw_mask(rng: random.Random) -> Case:
    case = Case()
    base, shape = source(rng, case)
    one = mask(rng, case, "m", rng.choice([shape, shape, near(rng, shape), (2, *shape), shape[1:]]))
    one = stranger(rng, one)
    if rng.random() < 0.4:
        write(rng, case, "masked_select", base, [("mask", one)])
        return trimmed(case)
    value = rng.choice(NUMBERS)
    if rng.random() < 0.4:
        value = bind(rng, case, "v", rng.choice([(), (), (), (1,), (2,)]))
    write(rng, case, "masked_fill", base, [("mask", one), ("value", stranger(rng, value))])
    return trimmed(case)


def draw_where(rng: random.Random) -> Case:
    case = Case()
    _, shape = source(rng, case)
    condition = stranger(
        rng, mask(rng, case, "m", rng.choice([shape, shape, near(rng, shape), (2, *shape), shape[1:]]))
    )
    given = []
    for name in ("x", "v"):
        text = bind(rng, case, name, rng.choice([shape, shape, near(rng, shape), (), (1,)]))
        given.append(stranger(rng, rng.choice(NUMBERS) if rng.random() < 0.3 else text))
    if {case.tensors[name].dtype for name in "xv"} == {torch.float16, torch.complex64}:
        # They may give complex32, which is refused.
        return draw_where(rng)
    if rng.random() < 0.3 and "x" in given[0] and given[0] != "x":
        given[0] = "x"
    count = rng.choice([0, 2, 2, 2, 2, 2, 2, 1])
    whole = [condition, *given[:count]]
    case.numpy_expr = f"np.where({', '.join(whole)})"
    case.expr = f"torch.where({', '.join(whole)})"
    if any(text in whole for text in ("None", "'a'", "...")):
        # NumPy makes an array of objects.
        return draw_where(rng)
    if rng.random() < 0.2 and count == 2 and given[0].startswith("x"):
        case.expr, case.numpy_expr = f"{given[0]}.where({condition}, {given[1]})", ""
    return trimmed(case)


def draw_nonzero(rng: random.Random) -> Case:
    case = Case()
    shape = rng.choice([(), (1,), (3,), (0,), (2, 3), (2, 0), (2, 3, 4)])
    one = mask(rng, case, "m", shape)
    asked = rng.choice(["", "", "as_tuple=True", "as_tuple=False", "as_tuple=1", "True"])
    of_torch = rng.random() < 0.5
    case.expr = f"torch.nonzero({', '.join(filter(None, [one, asked]))})" if of_torch else f"{one}.nonzero({asked})"
    case.numpy_expr = f"np.nonzero({', '.join(filter(None, [one, asked]))})" if of_torch else f"{one}.nonzero({asked})"
    if rng.random() < 0.3:
        case.expr = f"torch.where({one})"
        case.numpy_expr = f"np.where({one})"
    if rng.random() < 0.3 and ("where" in case.expr or "as_tuple=True" in case.expr):
        case.expr, case.numpy_expr = f"m[{case.expr}]", f"m[{case.numpy_expr}]"
    return trimmed(case)


def trimmed(case: Case) -> Case:
    """Leave out names that the expression does without."""
    from segcli.shapes.text.parse import parse
    from segcli.shapes.text.uses import find_uses

    used = {use.name for use in find_uses(parse(case.expr))}
    case.specs = {name: spec for name, spec in case.specs.items() if name in used}
    if any(spec.startswith("bfloat16") for spec in case.specs.values()):
        case.numpy_expr = ""
    return case
