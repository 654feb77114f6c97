"""What is known of how large sizes are that are not known: no size is below 0."""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice, product

from segcli.shapes.symbols.text import CAPPED, QUOTIENT, ROUNDED_UP, bare, take_apart, terms
from segcli.shapes.values import Size

_GREATER = re.compile(r"max\((?P<size>.+), 0\)")
# Each of these can be bounded in several ways; nobody writes more of them.
_MAX_WAYS = 32

# A sum with fractions: a factor for each product of names.
_Sum = dict[tuple[str, ...], Fraction]


def is_at_least(size: Size, other: Size) -> bool:
    """Tell whether a size is known to be as large as another one, or larger, whatever the names stand for.

    Examples:
        >>> is_at_least("H", "H // 2"), is_at_least("H", "k"), is_at_least("k + 64", "k"), is_at_least("H", "H - 1")
        (True, False, True, True)
        >>> is_at_least("H", "ceil(H / 2)"), is_at_least("H", "min(k, H)"), is_at_least("k", "max(k - 1, 0)")
        (True, True, True)
    """
    if isinstance(size, int) and isinstance(other, int):
        return size >= other
    known = _sum_of(size)
    for names, factor in _sum_of(other).items():
        known[names] = known.get(names, Fraction()) - factor
    return _is_positive(known, 3)


def _sum_of(size: Size) -> _Sum:
    known: _Sum = {}
    for factor, names in terms(size):
        place = tuple(sorted(names))
        known[place] = known.get(place, Fraction()) + factor
    return known


def _is_positive(known: Mapping[tuple[str, ...], Fraction], depth: int) -> bool:
    """Tell whether a sum is 0 or more: each of its parts is, once what has bounds is put for what it bounds."""
    bad = [names for names, factor in known.items() if factor < 0]
    if not bad:
        return all(_is_size(name) for names in known for name in names)
    if not depth:
        return False
    forms = [names for names in known if len(names) == 1 and not names[0].isidentifier()]
    ways = [list(_bounds(names[0], upper=known[names] < 0)) for names in forms]
    for way in islice(product(*ways), _MAX_WAYS):
        changed = dict(known)
        for names, bound in zip(forms, way, strict=True):
            if bound is None:
                continue
            factor = changed.pop(names)
            for inner, part in bound.items():
                changed[inner] = changed.get(inner, Fraction()) + factor * part
        if changed != known and _is_positive(changed, depth - 1):
            return True
    return False


def _is_size(name: str) -> bool:
    """Tell whether what is no number is known to be no less than 0."""
    text = bare(name)
    if found := take_apart(QUOTIENT, text):
        return is_at_least(found["size"], 0) and is_at_least(found["divisor"], 0)
    if found := take_apart(ROUNDED_UP, text):
        return is_at_least(found["size"], 0)
    if found := take_apart(CAPPED, text):
        return all(is_at_least(part, 0) for part in found.groups())
    if len(terms(text)) > 1:
        return is_at_least(text, 0)
    return text.isidentifier() or bool(take_apart(_GREATER, text)) or text.startswith(("nonzero(", "len("))


def _bounds(form: str, *, upper: bool) -> Iterator[_Sum | None]:
    """Go through what a form is at most, or at least; None leaves it as it is."""
    yield None
    text = bare(form)
    if found := take_apart(QUOTIENT, text):
        size, divisor = _sum_of(found["size"]), found["divisor"]
        if divisor.isdecimal():
            yield _scaled(
                size, Fraction(1, int(divisor)), Fraction() if upper else Fraction(1 - int(divisor), int(divisor))
            )
        elif upper and _is_size(form):
            yield size
    elif found := take_apart(ROUNDED_UP, text):
        size, count = _sum_of(found["size"]), int(found["divisor"])
        yield _scaled(size, Fraction(1, count), Fraction(count - 1, count) if upper else Fraction())
        if upper and _is_size(form):
            yield size
    elif (found := take_apart(CAPPED, text)) and upper:
        yield from (_sum_of(_number(part)) for part in found.groups())
    elif found := take_apart(_GREATER, text):
        inner = _sum_of(found["size"])
        yield {names: factor for names, factor in inner.items() if factor > 0} if upper else inner


def _number(text: str) -> Size:
    return int(text) if text.isdecimal() else text


def _scaled(known: _Sum, factor: Fraction, number: Fraction) -> _Sum:
    scaled = {names: each * factor for names, each in known.items()}
    scaled[()] = scaled.get((), Fraction()) + number
    return scaled
