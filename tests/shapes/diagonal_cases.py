"""Random calls of what walks diagonals."""

import random

from tests.shapes.layout_cases import Pair, dim, drawn, in_form

OFFSETS = ["0", "1", "1", "-1", "2", "-2", "7", "-9", "True", "1.0", "None"]


def draw(rng: random.Random, base: str, other: str, shape: tuple[int, ...]) -> Pair:
    name = rng.choice(["diagonal", "diagonal", "diag", "tril", "triu"])
    offset = rng.choice(OFFSETS)
    if name != "diagonal":
        given = [f"diagonal={offset}"] if rng.random() < 0.7 else []
        numpy_given = [f"k={offset}"] if given else []
        return in_form(rng, name, base, given), f"np.{name}({', '.join([other, *numpy_given])})"
    values = [offset, dim(rng, len(shape)), dim(rng, len(shape))][: rng.choice([0, 1, 2, 3, 3, 3])]
    given = [f"{name}={value}" for name, value in zip(("offset", "dim1", "dim2"), values, strict=False)]
    numpy_given = [f"{name}={value}" for name, value in zip(("offset", "axis1", "axis2"), values, strict=False)]
    return in_form(rng, name, base, given), f"np.diagonal({', '.join([other, *numpy_given])})"


random_diagonal = drawn(draw)
