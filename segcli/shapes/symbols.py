"""Arithmetic of sizes that are not known: ``N``, ``nonzero(m)``, and what slices make of them.

A size is written as Python writes it, of the forms ``max(N - 1, 0)``, ``min(2, N)`` and ``ceil(N / 2)`` and of these
inside one another, so that a reader can evaluate it once the names have values.
"""

import re
from collections.abc import Sequence
from math import gcd

from segcli.errors import SegcliError
from segcli.shapes.values import Size, SliceBounds

# What the forms above are written with: no size can have such a name.
RESERVED = ("ceil", "floor", "len", "max", "min", "nonzero", "range")

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
    for need in map(_divisible, needs):
        found = _AT_LEAST.fullmatch(need)
        if found:
            largest[found["size"]] = max(int(found["count"]), largest.get(found["size"], 0))
        kept.setdefault(found["size"] if found else need)
    return tuple(f"{need} >= {largest[need]}" if need in largest else need for need in kept)


def _divisible(need: str) -> str:
    """Write ``4*(C // 4)*H == C*H`` as what it says: ``C % 4 == 0``.

    Examples:
        >>> _divisible("C*H*N == (4*(C // 4)*H*N)"), _divisible("N == M"), _divisible("C // 4 == N")
        ('C % 4 == 0', 'N == M', 'C // 4 == N')
    """
    sides = [side[1:-1] if _is_outer(side) else side for side in need.split(" == ")]
    if len(sides) != 2:  # noqa: PLR2004 - an equation
        return need
    (number, names), (other, others) = sorted((_factors(side) for side in sides), reverse=True)
    for name in list(names):
        if name in others:
            names.remove(name)
            others.remove(name)
    found = re.fullmatch(r"\((\w+) // (\d+)\)", names[0]) if len(names) == 1 else None
    if found and other == 1 and others == [found[1]] and str(number) == found[2]:
        return f"{found[1]} % {found[2]} == 0"
    return need


def _is_outer(text: str) -> bool:
    """Tell whether one pair of brackets holds all of a text."""
    return text.startswith("(") and text.endswith(")") and _is_closed(text[1:-1])


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
    """Put brackets around what is more than a name, a call, or has some already."""
    found = re.fullmatch(r"\w+|\w*\((?P<inner>.*)\)", size)
    return size if found and _is_closed(found["inner"] or "") else f"({size})"


def product(sizes: Sequence[Size]) -> Size:
    """Multiply sizes, names in the order of the alphabet, so that equal products are equal texts.

    Examples:
        >>> product([3, "W", 2, "H"]), product([2, 3]), product(["N", 0]), product(["H*W", "N"])
        ('6*H*W', 6, 0, 'H*N*W')
    """
    number, names = 1, []
    for size in sizes:
        if isinstance(size, int):
            number *= size
            continue
        factor, found = _factors(size)
        number *= factor
        names += found
    if not names or not number:
        return number
    named = "*".join(sorted(names))
    return named if number == 1 else f"{number}*{named}"


def quotient(size: Size, other: Size) -> Size:
    """Divide sizes; what does not cancel is written ``size // other``.

    Examples:
        >>> quotient("6*H*W", "2*H"), quotient("H*W", "H*W"), quotient("H", 2), quotient(7, 2)
        ('3*W', 1, 'H // 2', 3)
    """
    if isinstance(size, int) and isinstance(other, int):
        return size // other
    number, names = _factors(size)
    divisor, divisors = _factors(other)
    left = list(names)
    for name in divisors:
        if name not in left:
            return f"{_grouped(str(size))} // {_grouped(str(other))}"
        left.remove(name)
    if not divisor or number % divisor:
        return f"{_grouped(str(size))} // {_grouped(str(other))}"
    return product([number // divisor, *left])


def total(sizes: Sequence[Size]) -> Size:
    """Add sizes up, names first.

    Examples:
        >>> total(["N", 1, "M", 2]), total([1, 2]), total(["N", 0]), total(["N", "N"])
        ('M + N + 3', 3, 'N', '2*N')
    """
    number = 0
    counts: dict[str, int] = {}
    for size in sizes:
        for factor, name in _terms(size):
            if name:
                counts[name] = counts.get(name, 0) + factor
            else:
                number += factor
    parts = [str(product([count, name])) for name, count in sorted(counts.items()) if count]
    if not parts:
        return number
    text = " + ".join(parts).replace("+ -", "- ")
    if not number:
        return text
    return f"{text} {'+' if number > 0 else '-'} {abs(number)}"


def difference(size: Size, other: Size) -> Size:
    """Subtract sizes.

    Examples:
        >>> difference("N", 1), difference("N + 3", "N"), difference(3, 5)
        ('N - 1', 3, -2)
    """
    return total([size, *(product([-factor, name]) if name else -factor for factor, name in _terms(other))])


def unequal(size: Size, other: Size) -> str:
    """Say what makes two sizes equal that are not known to be, without what they share; empty where nothing does.

    Examples:
        >>> unequal("20*H*N", "40*N"), unequal("6*H", "4*H"), unequal(6, "N"), unequal("H*W", "H"), unequal("3*N", 25)
        ('H == 2', '', 'N == 6', 'W == 1', '')
    """
    number, names = _factors(size)
    divisor, divisors = _factors(other)
    for name in list(names):
        if name in divisors:
            names.remove(name)
            divisors.remove(name)
    common = gcd(number, divisor) or 1
    left, right = product([number // common, *names]), product([divisor // common, *divisors])
    # What is left of both is without a common factor: a number is no multiple of one larger than 1.
    if (isinstance(left, int) and divisor != common) or (isinstance(right, int) and number != common):
        return ""
    return equal(left, right) if names or divisors else ""


def _factors(size: Size) -> tuple[int, list[str]]:
    """Take a product apart: its number, and its names; what is no plain product is one name."""
    if isinstance(size, int):
        return size, []
    number, names = 1, []
    for part in _multiplied(size):
        if re.fullmatch(r"-?[0-9]+", part):
            number *= int(part)
        else:
            names.append(_grouped(part))
    return number, names


def _multiplied(text: str) -> list[str]:
    """Split a product; what is no plain product is one part.

    Examples:
        >>> _multiplied("4*(C // 4)*H"), _multiplied("(2*N)"), _multiplied("N + 1"), _multiplied("(C // 4)")
        (['4', '(C // 4)', 'H'], ['2', 'N'], ['N + 1'], ['(C // 4)'])
    """
    if _is_outer(text) and len(inner := _multiplied(text[1:-1])) > 1:
        return inner
    depth, parts = 0, [""]
    for char in text:
        depth += (char == "(") - (char == ")")
        if not depth and char == " ":
            return [text]
        if not depth and char == "*":
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _terms(size: Size) -> list[tuple[int, str]]:
    """Take a sum apart: the factor of each name, and of the number alone under an empty name."""
    if isinstance(size, int):
        return [(size, "")] if size else []
    found = re.split(r" ([+-]) (?![^(]*\))", size)
    if any(not _is_closed(part) for part in found[::2]) or "//" in size or "%" in size:
        return [(1, _grouped(size))]
    terms = []
    for sign, part in zip(["+", *found[1::2]], found[::2], strict=True):
        number, names = _factors(int(part) if part.isdecimal() else part)
        terms.append((number if sign == "+" else -number, "*".join(sorted(names))))
    return terms
