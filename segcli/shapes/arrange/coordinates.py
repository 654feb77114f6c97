"""Coordinates in a reshape: of each axis before, from the letters of the axes after, as short as it can be told.

Both count the same elements in row-major order. What a letter walks is known, so that most divisions come out even:
with ``l < H`` and ``m < W``, ``((2*H*W)*j + (H*W)*k + W*l + m) // (H*W)`` is ``2*j + k``.
"""

from collections.abc import Sequence

from segcli.shapes.symbols import divides, product, quotient
from segcli.shapes.values import Shape, Size

# A letter: the axis after, how many positions before it takes to go one further, and how many it walks.
_Term = tuple[int, Size, Size]


def coordinates(old: Sequence[Size], new: Shape, axes: Sequence[int]) -> list[str]:
    """Write the coordinate of each axis before, in a group of axes with as many elements.

    Args:
        old: The sizes of the axes before, in order.
        new: The shape after.
        axes: Those of its axes that the group gives, but for those of size 1.

    Examples:
        >>> coordinates(["C", "H", "W"], ("C", "H*W"), (0, 1))
        ['{i0}', '{i1} // W', '{i1} % W']
        >>> coordinates(["3*C"], ("C", 3), (0, 1)), coordinates([4, 6], (3, 8), (0, 1))
        (['3*{i0} + {i1}'], ['(8*{i0} + {i1}) // 6', '(8*{i0} + {i1}) % 6'])
        >>> coordinates([4, 9], (6, 6), (0, 1)), coordinates([4, 6], (3, 4, 2), (0, 1, 2))
        (['(6*{i0} + {i1}) // 9', '(6*{i0} + {i1}) % 9'], ['(4*{i0} + {i1}) // 3', '(8*{i0} + 2*{i1} + {i2}) % 6'])
    """
    left: list[_Term] = []
    step: Size = 1
    for axis in reversed(axes):
        left.insert(0, (axis, step, new[axis]))
        step = product([step, new[axis]])
    return [_coordinate(left, product(old[place + 1 :]), size if place else None) for place, size in enumerate(old)]


def _coordinate(letters: Sequence[_Term], inner: Size, size: Size | None) -> str:
    """Write ``number // inner % size``; without ``% size`` for the first axis."""
    high = [(axis, quotient(step, inner), walks) for axis, step, walks in letters if divides(inner, step)]
    low = [term for term in letters if not divides(inner, term[1])]
    high = [term for term in high if size is None or not divides(size, term[1])]
    if low and not divides(product(low[0][1:]), inner):
        # The rest reaches further than one position of this axis.
        rest = _divided(low, inner)
        text = f"{_sum(high)} + {rest}" if high else rest
        fits = not high and size is not None and divides(product(low[0][1:]), product([inner, size]))
        return text if size is None or fits else f"{f'({text})' if high else text} % {_factor(size)}"
    if size is None:
        return _sum(high)
    fits = not high or divides(product(high[0][1:]), size)
    return _sum(high) if fits else f"{_grouped(_sum(high))} % {_factor(size)}"


def _divided(low: Sequence[_Term], inner: Size) -> str:
    """Write a division that does not come out even, without the letters that walk less than one of what is left."""
    # The last letter goes one by one, which divides anything.
    place, step = next((place, step) for place, (_, step, _) in enumerate(low) if divides(step, inner))
    left = [(axis, quotient(each, step), walks) for axis, each, walks in low[: place + 1]]
    return f"{_grouped(_sum(left))} // {_factor(quotient(inner, step))}"


def _sum(letters: Sequence[_Term]) -> str:
    scaled = (f"{{i{axis}}}" if step == 1 else f"{_factor(step)}*{{i{axis}}}" for axis, step, _ in letters)
    return " + ".join(scaled) or "0"


def _grouped(text: str) -> str:
    return f"({text})" if " " in text or "*" in text else text


def _factor(size: Size) -> str:
    text = str(size)
    bare = text.isalnum() or text.isidentifier() or (text[0] == "(" and text.index(")") == len(text) - 1)
    return text if bare else f"({text})"
