"""Random calls of what walks windows of an axis, takes differences along it, or every value once."""

import random

from tests.shapes.layout_cases import Pair, dim, drawn, in_form

_COUNTS = ["0", "1", "1", "2", "2", "3", "-1", "1.0", "None", "True", "9"]


def draw_window(rng: random.Random, base: str, other: str, shape: tuple[int, ...]) -> Pair:
    kind = rng.random()
    if kind < 0.5:
        del other
        sizes = [rng.choice(_COUNTS if rng.random() < 0.4 else ["1", "1", "2"]) for _ in range(2)]
        given = [f"dimension={dim(rng, len(shape))}", f"size={sizes[0]}", f"step={sizes[1]}"]
        return in_form(rng, "unfold", base, given, of_torch=False), ""
    order, axis = rng.choice(_COUNTS), dim(rng, len(shape))
    count = rng.choice([0, 1, 2, 2])
    given = [f"n={order}", f"dim={axis}"][:count]
    numpy_given = [f"n={order}", f"axis={axis}"][:count]
    return in_form(rng, "diff", base, given), f"np.diff({', '.join([other, *numpy_given])})"


random_window = drawn(draw_window)
