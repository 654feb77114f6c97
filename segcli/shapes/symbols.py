"""Arithmetic of sizes that are not known: ``N``, ``nonzero(m)``, and what slices make of them.

A size is written as Python writes it, of the forms ``max(N - 1, 0)``, ``min(2, N)`` and ``ceil(N / 2)`` and of these
inside one another, so that a reader can evaluate it once the names have values.
"""

import re
from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.values import Size, SliceBounds

# What the forms above are written with: no size can have such a name.
RESERVED = ("ceil", "len", "max", "min", "nonzero", "range")

_LESSENED = re.compile(r"max\((?P<inner>.+) - (?P<count>[0-9]+), 0\)")
_CAPPED = re.compile(r"min\((?P<count>[0-9]+), (?P<inner>.+)\)")
_DIVIDED = re.compile(r"ceil\((?P<inner>.+) / (?P<count>[0-9]+)\)")
_AT_LEAST = re.compile(r"(?P<size>.+) >= (?P<count>[0-9]+)")


def lessened(size: Size, count: int) -> Size:
    """Return ``max(size - count, 0)``.

    Examples:
        >>> lessened("N", 1), lessened("max(N - 1, 0)", 2), lessened("min(5, N)", 2), lessened("min(2, N)", 2)
        ('max(N - 1, 0)', 'max(N - 3, 0)', 'min(3, max(N - 2, 0))', 0)
        >>> lessened("ceil(N / 2)", 3)
        'ceil(max(N - 6, 0) / 2)'
        >>> lessened("max(N - 1, 0) + max(M - 1, 0)", 2)
        'max((max(N - 1, 0) + max(M - 1, 0)) - 2, 0)'
    """
    if isinstance(size, int):
        return max(size - count, 0)
    if not count:
        return size
    if parts := _parts(_LESSENED, size):
        return lessened(parts[0], parts[1] + count)
    if parts := _parts(_CAPPED, size):
        return capped(lessened(parts[0], count), max(parts[1] - count, 0))
    if parts := _parts(_DIVIDED, size):
        return divided(lessened(parts[0], count * parts[1]), parts[1])
    return f"max({_grouped(size)} - {count}, 0)"


def capped(size: Size, count: int) -> Size:
    """Return ``min(count, size)``.

    Examples:
        >>> capped("N", 2), capped("min(5, N)", 2), capped("N", 0), capped(7, 2)
        ('min(2, N)', 'min(2, N)', 0, 2)
    """
    if isinstance(size, int) or not count:
        return min(count, size) if isinstance(size, int) else 0
    if parts := _parts(_CAPPED, size):
        return capped(parts[0], min(parts[1], count))
    return f"min({count}, {size})"


def divided(size: Size, step: int) -> Size:
    """Return ``ceil(size / step)``.

    Examples:
        >>> divided("N", 2), divided("ceil(N / 2)", 3), divided("min(5, N)", 2), divided(7, 2)
        ('ceil(N / 2)', 'ceil(N / 6)', 'min(3, ceil(N / 2))', 4)
    """
    if isinstance(size, int):
        return -(-size // step)
    if step == 1:
        return size
    if parts := _parts(_DIVIDED, size):
        return divided(parts[0], parts[1] * step)
    if parts := _parts(_CAPPED, size):
        return capped(divided(parts[0], step), -(-parts[1] // step))
    return f"ceil({_grouped(size)} / {step})"


def slice_symbol(bounds: SliceBounds, size: str) -> tuple[Size, int | str | None, bool]:
    """Return how many positions a slice gives, where it starts (None if that has no short form), whether it is whole.

    Examples:
        >>> slice_symbol(SliceBounds(None, 2), "N"), slice_symbol(SliceBounds(1), "N")
        (('min(2, N)', 0, False), ('max(N - 1, 0)', 1, False))
        >>> slice_symbol(SliceBounds(-3, 2), "N")
        ('len(range(N)[-3:2])', 'max(N - 3, 0)', False)
    """
    start, stop, step = bounds.start or 0, bounds.stop, 1 if bounds.step is None else bounds.step
    if step < 0:
        if bounds.start in (None, -1) and stop is None:
            return divided(size, -step), f"{_grouped(size)} - 1", False
        return f"len(range({size})[{bounds}])", None, False
    reach = _reach(start, stop, size)
    count = f"len(range({size})[{bounds}])" if reach is None else divided(reach, step)
    first: int | str = start if start >= 0 else lessened(size, -start)
    return count, first, start == 0 and stop is None and step == 1


def _reach(start: int, stop: int | None, size: str) -> Size | None:
    """Return how many positions lie between two bounds, None where that has no short form."""
    if start >= 0:
        if stop is None:
            return lessened(size, start)
        return lessened(capped(size, stop), start) if stop >= 0 else lessened(size, start - stop)
    if stop is None:
        return capped(size, -start)
    return capped(lessened(size, -stop), max(stop - start, 0)) if stop < 0 else None


def most(size: Size) -> int | None:
    """Return the largest number that a size can be, None where there is none.

    Examples:
        >>> most(3), most("min(2, N)"), most("N")
        (3, 2, None)
    """
    if isinstance(size, int):
        return size
    parts = _parts(_CAPPED, size)
    return parts[1] if parts else None


def at_least(size: str, count: int) -> str:
    """Say that a size must be ``count`` or more, of the name where that says the same.

    Examples:
        >>> at_least("N", 4), at_least("max(N - 1, 0)", 4), at_least("ceil(N / 2)", 4), at_least("min(5, N)", 4)
        ('N >= 4', 'N >= 5', 'N >= 7', 'N >= 4')
    """
    if parts := _parts(_LESSENED, size):
        return at_least(parts[0], parts[1] + count)
    if parts := _parts(_DIVIDED, size):
        return at_least(parts[0], (count - 1) * parts[1] + 1)
    if (parts := _parts(_CAPPED, size)) and count <= parts[1]:
        return at_least(parts[0], count)
    return f"{size} >= {count}"


def equal(size: Size, other: Size) -> str:
    """Say that two sizes must be equal, a name first.

    Examples:
        >>> equal(3, "N"), equal("N", "M")
        ('N == 3', 'N == M')
    """
    return f"{other} == {size}" if isinstance(size, int) else f"{size} == {other}"


def strongest(needs: Sequence[str]) -> tuple[str, ...]:
    """Leave out what is said twice, and ``N >= 1`` beside ``N >= 4``.

    Examples:
        >>> strongest(["N >= 1", "N == M", "N >= 4", "N >= 2"])
        ('N >= 4', 'N == M')
    """
    largest: dict[str, int] = {}
    kept: dict[str, None] = {}
    for need in needs:
        found = _AT_LEAST.fullmatch(need)
        if found:
            largest[found["size"]] = max(int(found["count"]), largest.get(found["size"], 0))
        kept.setdefault(found["size"] if found else need)
    return tuple(f"{need} >= {largest[need]}" if need in largest else need for need in kept)


def refuse_unequal(sizes: Sequence[Size], what: str) -> None:
    """Refuse rows of a list whose sizes may or may not be equal.

    Raises:
        SegcliError: Where they differ, and one of them is not known.
    """
    if len(set(sizes)) > 1 and any(isinstance(size, str) for size in sizes):
        message = (
            f"{what} has rows of {' and '.join(map(str, dict.fromkeys(sizes)))} positions, which may be equal or not"
        )
        raise SegcliError(message, hint="give equal sizes the same name or number")


def times(sizes: Sequence[Size]) -> str:
    """Write a product.

    Examples:
        >>> times([3, "H", 2, "W"]), times([]), times(["N"])
        ('6*H*W', '1', 'N')
    """
    number = 1
    for size in sizes:
        number *= size if isinstance(size, int) else 1
    named = [_grouped(size) for size in sizes if isinstance(size, str)]
    return "*".join([*([] if number == 1 and named else [str(number)]), *named])


def _parts(form: re.Pattern[str], size: str) -> tuple[str, int] | None:
    """Take a form apart; what only starts and ends like one is none."""
    found = form.fullmatch(size)
    return (found["inner"], int(found["count"])) if found and _is_closed(found["inner"]) else None


def _is_closed(text: str) -> bool:
    """Tell whether every bracket of a text closes within it."""
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0


def _grouped(size: str) -> str:
    """Put brackets around what is more than a name or a call."""
    found = re.fullmatch(r"\w+(?:\((?P<inner>.*)\))?", size)
    return size if found and _is_closed(found["inner"] or "") else f"({size})"
