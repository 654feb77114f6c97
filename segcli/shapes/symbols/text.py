"""Sizes as texts, taken apart: ``4*(C // 4)*H`` into factors, ``N + 2*M - 1`` into terms."""

import re
from functools import lru_cache

from segcli.shapes.values import Size

# What slices make of sizes, and what division leaves.
LESSENED = re.compile(r"max\((?P<size>.+) - (?P<count>[^ ]+), 0\)")
CAPPED = re.compile(r"min\((?P<count>.+?), (?P<size>.+)\)")
ROUNDED_UP = re.compile(r"ceil\((?P<size>.+) / (?P<divisor>[0-9]+)\)")
QUOTIENT = re.compile(r"(?P<size>.+) // (?P<divisor>\w+|\(.+\))")

_CALL = re.compile(r"\w+|\w*\((?P<inner>.*)\)")
_INTEGER = re.compile(r"-?[0-9]+")
# The same few sizes come again and again.
_MAX_REMEMBERED = 4096
Terms = tuple[tuple[int, tuple[str, ...]], ...]


def is_closed(text: str) -> bool:
    """Tell whether every bracket of a text closes within it."""
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0


def is_outer(text: str) -> bool:
    """Tell whether one pair of brackets holds all of a text."""
    return text.startswith("(") and text.endswith(")") and is_closed(text[1:-1])


def bare(text: str) -> str:
    """Leave out the brackets around all of a text."""
    return text[1:-1] if is_outer(text) else text


def grouped(size: Size) -> str:
    """Put brackets around what is more than a name, a call, or has some already.

    Examples:
        >>> grouped("N"), grouped("C // 2"), grouped("(C // 2)"), grouped("ceil(N / 2)"), grouped(3)
        ('N', '(C // 2)', '(C // 2)', 'ceil(N / 2)', '3')
    """
    text = str(size)
    found = _CALL.fullmatch(text)
    return text if found and is_closed(found["inner"] or "") else f"({text})"


def take_apart(form: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Match a form whose groups must close their brackets: what only starts and ends like one is none."""
    found = form.fullmatch(text)
    return found if found and all(is_closed(part) for part in found.groups()) else None


@lru_cache(_MAX_REMEMBERED)
def factors(size: Size) -> tuple[int, tuple[str, ...]]:
    """Take a product apart: its number, and its names; what is no plain product is one name.

    Examples:
        >>> factors("4*(C // 4)*H"), factors("(2*N)"), factors("N + 1"), factors("-k"), factors(6)
        ((4, ('(C // 4)', 'H')), (2, ('N',)), (1, ('(N + 1)',)), (-1, ('k',)), (6, ()))
    """
    if isinstance(size, int):
        return size, ()
    number, names = 1, []
    for part in _multiplied(size):
        if _INTEGER.fullmatch(part):
            number *= int(part)
        elif part.startswith("-") and " " not in _outside(part):
            number = -number
            names.append(grouped(part[1:]))
        else:
            names.append(grouped(part))
    return number, tuple(names)


def _multiplied(text: str) -> list[str]:
    """Split a product; what is no plain product is one part."""
    if is_outer(text) and len(inner := _multiplied(text[1:-1])) > 1:
        return inner
    depth, parts = 0, [""]
    for char in text:
        depth += (char in "([") - (char in ")]")
        if not depth and char == " ":
            return [text]
        if not depth and char == "*":
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _outside(text: str) -> str:
    """Leave out what stands between brackets."""
    depth, kept = 0, ""
    for char in text:
        depth += (char in "([") - (char in ")]")
        kept += char if not depth else ""
    return kept


@lru_cache(_MAX_REMEMBERED)
def terms(size: Size) -> Terms:
    """Take a sum apart: a number and names each; of what is no sum, that alone.

    Examples:
        >>> terms("N + 2*M - 1"), terms("C // 2"), terms(0)
        (((1, ('N',)), (2, ('M',)), (-1, ())), ((1, ('(C // 2)',)),), ())
        >>> terms("H - 2*(N - 1)")
        ((1, ('H',)), (-2, ('N',)), (2, ()))
    """
    if isinstance(size, int):
        return ((size, ()),) if size else ()
    parts = _spaced(bare(size))
    if any(mark not in "+-" for mark in parts[1::2]):
        return ((1, (grouped(size),)),)
    made: list[tuple[int, tuple[str, ...]]] = []
    for sign, part in zip(["+", *parts[1::2]], parts[::2], strict=True):
        number, names = factors(part)
        number = number if sign == "+" else -number
        nested = len(names) == 1 and is_outer(names[0]) and bare(names[0]) != part
        if nested and len(inner := terms(names[0])) > 1:
            made += [(number * each, several) for each, several in inner]
        else:
            made.append((number, names))
    return tuple(made)


def _spaced(text: str) -> list[str]:
    """Split a text at the spaces that no bracket holds."""
    depth, parts = 0, [""]
    for char in text:
        depth += (char in "([") - (char in ")]")
        if not depth and char == " ":
            parts.append("")
        else:
            parts[-1] += char
    return parts
