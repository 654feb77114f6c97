"""Random calls of what adds to positions along an axis, fills them, or lets values meet there."""

import random

from tests.shapes.cases import Case
from tests.shapes.drawing import bind
from tests.shapes.selecting_cases import NUMBERS, dim_of, near, positions, source, stranger, write
from tests.shapes.selection_cases import along, trimmed

MEETINGS = ["'sum'", "'prod'", "'mean'", "'amax'", "'amin'", "'sum'", "'mean'", "'add'", "None", "1"]


def draw_meeting(rng: random.Random) -> Case:
    """Draw ``scatter_reduce``."""
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    spread = near(rng, shape, larger=0.06)
    index = stranger(rng, positions(rng, case, "i", spread, along(shape, dim)[1]))
    dtype = str(case.tensors["x"].dtype).removeprefix("torch.")
    larger = tuple(each + rng.choice([0, 0, 1]) for each in spread)
    values = bind(rng, case, "v", rng.choice([larger] * 5 + [near(rng, spread)]), dtype if rng.random() < 0.9 else "")
    arguments = [("dim", dim), ("index", index), ("src", stranger(rng, values)), ("reduce", rng.choice(MEETINGS))]
    if rng.random() < 0.3:
        arguments.append(("*include_self", rng.choice(["True", "False", "False", "1"])))
    write(rng, case, "scatter_reduce", base, arguments)
    return trimmed(case)


def draw_addition(rng: random.Random) -> Case:
    """Draw ``index_add`` or ``index_fill``."""
    case = Case()
    base, shape = source(rng, case)
    dim = dim_of(rng, len(shape))
    axis, size = along(shape, dim)
    count = rng.choice([(), (1,), (2,), (2,), (3,), (0,), (5,), (2, 2)])
    index = stranger(rng, positions(rng, case, "i", count, size))
    if rng.random() < 0.4:
        value = rng.choice(NUMBERS)
        if rng.random() < 0.4:
            value = bind(rng, case, "v", rng.choice([(), (), (), (1,), (2,)]))
        write(rng, case, "index_fill", base, [("dim", dim), ("index", index), ("value", stranger(rng, value))])
        return trimmed(case)
    dtype = str(case.tensors["x"].dtype).removeprefix("torch.")
    fitting = (*shape[:axis], count[0] if count else 1, *shape[axis + 1 :]) if shape else rng.choice([(), count])
    values = bind(rng, case, "v", rng.choice([fitting] * 6 + [near(rng, fitting)]), dtype if rng.random() < 0.9 else "")
    arguments = [("dim", dim), ("index", index), ("source", stranger(rng, values))]
    if rng.random() < 0.2:
        arguments.append(("*alpha", rng.choice(["2", "1.5", "True", "None"])))
    write(rng, case, "index_add", base, arguments)
    return trimmed(case)
