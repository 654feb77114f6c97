"""Sums of sizes that are not known, and their quotients rounded down, in the shortest form: what windows count with.

``ceil(H / 2)`` and ``H // 2`` are taken apart again, so that two layers of stride 2 give ``ceil(H / 4)``.
"""

import re
from collections.abc import Iterable

from segcli.shapes.records import record
from segcli.shapes.symbols import product
from segcli.shapes.values import Size

_CEILED = re.compile(r"ceil\((?P<inner>.+) / (?P<count>[0-9]+)\)")
_FLOORED = re.compile(r"(?P<inner>.+) // (?P<count>[0-9]+)")
_SCALED = re.compile(r"(?P<count>[0-9]+)\*(?P<inner>.+)")


@record(frozen=True, slots=True)
class Affine:
    """A sum: how often each name is in it, and a number."""

    terms: tuple[tuple[str, int], ...]
    number: int

    @property
    def size(self) -> Size:
        """Write it as a size."""
        if not self.terms:
            return self.number
        text = ""
        for name, factor in self.terms:
            sign = "-" if factor < 0 else "+"
            scaled = name if abs(factor) == 1 else f"{abs(factor)}*{_bracketed(name)}"
            text += f" {sign} {scaled}" if text else f"{'-' * (factor < 0)}{scaled}"
        return f"{text} {'-' if self.number < 0 else '+'} {abs(self.number)}" if self.number else text


def add(*parts: tuple[int, Size]) -> Affine:
    """Add sizes up, each as often as the number before it says.

    Examples:
        >>> add((1, "H"), (2, 1), (-1, "H - 3")).size, add((2, "H"), (-1, 4)).size, add((3, "H // 2"), (1, 0)).size
        (5, '2*H - 4', '3*(H // 2)')
        >>> add((1, "H + 2*W - 1"), (1, "N*W")).size
        'H + N*W + 2*W - 1'
    """
    number = 0
    counts: dict[str, int] = {}
    for times, size in parts:
        if isinstance(size, int):
            number += times * size
            continue
        for name, factor in _summands(size):
            if name:
                counts[name] = counts.get(name, 0) + times * factor
            else:
                number += times * factor
    return Affine(tuple((name, factor) for name, factor in sorted(counts.items()) if factor), number)


def floored(value: Affine, divisor: int) -> Affine:
    """Divide by a number and round down.

    Examples:
        >>> floored(add((1, "H"), (1, 1)), 2).size, floored(add((1, "H")), 2).size, floored(add((2, "H")), 2).size
        ('ceil(H / 2)', 'H // 2', 'H')
        >>> floored(add((1, "ceil(H / 2)"), (1, 1)), 2).size, floored(add((1, "H"), (-1, 3)), 4).size
        ('ceil(H / 4)', '(H - 3) // 4')
    """
    whole = tuple((name, factor // divisor) for name, factor in value.terms if factor % divisor == 0)
    rest = tuple((name, factor) for name, factor in value.terms if factor % divisor)
    if not rest:
        return Affine(whole, value.number // divisor)
    if len(rest) == 1 and rest[0][1] == 1 and (inner := _quotient(rest[0][0])):
        # The floor of a sum over the floor of a quotient is the floor of one quotient.
        numerator, count = inner
        part = floored(add((1, numerator.size), (count, value.number)), count * divisor)
        return add(*((factor, name) for name, factor in whole), (1, part.size))
    over, left = divmod(value.number, divisor)
    text = str(Affine(rest, 0).size)
    if left == divisor - 1:
        name = f"ceil({_bracketed(text)} / {divisor})"
    elif not left:
        name = f"{_bracketed(text)} // {divisor}"
    else:
        over, name = 0, f"({Affine(rest, value.number).size}) // {divisor}"
    return Affine(tuple(sorted((*whole, (name, 1)))), over)


def times(size: Size, other: Size) -> Size:
    """Multiply two sizes.

    Examples:
        >>> times(2, "H + 1"), times("C", "G"), times(3, 4), times("H", 0)
        ('2*H + 2', 'C*G', 12, 0)
    """
    if isinstance(size, int):
        return add((size, other)).size
    return add((other, size)).size if isinstance(other, int) else product([size, other])


def _quotient(name: str) -> tuple[Affine, int] | None:
    """Take a quotient apart: what is divided and rounded down, and by what."""
    if (found := _CEILED.fullmatch(name)) and _is_closed(found["inner"]):
        return add((1, found["inner"]), (1, int(found["count"]) - 1)), int(found["count"])
    if (found := _FLOORED.fullmatch(name)) and _is_closed(found["inner"]):
        return add((1, found["inner"])), int(found["count"])
    return None


def _summands(size: str) -> Iterable[tuple[str, int]]:
    """Take a sum apart: the factor of each name, and the number under an empty name."""
    for sign, part in _split(_unbracketed(size)):
        found = _SCALED.fullmatch(part)
        factor, text = (sign * int(found["count"]), found["inner"]) if found else (sign, part)
        inner = _unbracketed(text)
        if inner.isdecimal():
            yield "", factor * int(inner)
        elif inner != text:
            yield from ((name, factor * each) for name, each in _summands(inner))
        else:
            yield text, factor


def _split(text: str) -> Iterable[tuple[int, str]]:
    """Split at the plus and minus signs that stand in no brackets."""
    depth, start, sign = 0, 0, 1
    if text.startswith("-"):
        start, sign = 1, -1
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if not depth and place and char in "+-" and text[place - 1] == " ":
            yield sign, text[start : place - 1]
            start, sign = place + 2, -1 if char == "-" else 1
    yield sign, text[start:]


def _unbracketed(text: str) -> str:
    """Take away brackets around the whole."""
    while text.startswith("(") and text.endswith(")") and _is_closed(text[1:-1]):
        text = text[1:-1]
    return text


def _bracketed(text: str) -> str:
    """Put brackets around what is more than a name or a call."""
    found = re.fullmatch(r"\w+(?:\((?P<inner>.*)\))?", text)
    return text if found and _is_closed(found["inner"] or "") else f"({text})"


def _is_closed(text: str) -> bool:
    """Tell whether every bracket of a text closes within it."""
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return not depth
