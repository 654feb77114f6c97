"""What is known of sizes while one expression is explained: the order of their names, and what divides which.

Products are written in the order in which the SPECs give the names, and ``2*(C // 2)`` is C where ``C % 2 == 0`` was
needed before. Both hold for one expression, and every rule multiplies: so they stand in a context, not in arguments.
"""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

# What sizes are written with: none can have such a name.
RESERVED = ("ceil", "floor", "len", "max", "min", "nonzero", "range")

_RANKS: ContextVar[Mapping[str, int] | None] = ContextVar("ranks", default=None)
_EXACT: ContextVar[frozenset[tuple[str, str]]] = ContextVar("exact", default=frozenset())

_NAME = re.compile(r"[A-Za-z_]\w*")
_DIVISIBLE = re.compile(r"(?P<size>.+) % (?P<divisor>\w+|\([^()]*\)) == 0")


def remember_order(names: Iterable[str]) -> None:
    """Let products be written in the order of these names; what came from an expression before is forgotten."""
    _RANKS.set({name: rank for rank, name in enumerate(names)})
    forget_needs()


def forget_needs() -> None:
    """Begin anew: nothing is needed yet."""
    if _EXACT.get():
        _EXACT.set(frozenset())


def assume(needs: Iterable[str]) -> None:
    """Take for granted what is needed, as far as it says what divides which.

    Examples:
        >>> assume(["C % 2 == 0", "N == M"])
        >>> is_exact("C", "2"), is_exact("C", "4")
        (True, False)
        >>> forget_needs()
    """
    for need in needs:
        found = _DIVISIBLE.fullmatch(need)
        if found:
            _EXACT.set(_EXACT.get() | {(_bare(found["size"]), _bare(found["divisor"]))})


def is_exact(size: str, divisor: str) -> bool:
    """Tell whether a division is known to leave nothing over."""
    known = _EXACT.get()
    if not known:
        return False
    if (size, divisor) in known:
        return True
    # What 4 divides, 2 divides.
    return divisor.isdecimal() and any(
        whole == size and other.isdecimal() and not int(other) % int(divisor) for whole, other in known
    )


def place_of(factor: str) -> tuple[int, str]:
    """Return what factors are sorted by: the place of the first name in it, what has none of the names first.

    Examples:
        >>> sorted(["W", "(C // 2)", "nonzero(m)", "N"], key=place_of)
        ['(C // 2)', 'N', 'W', 'nonzero(m)']
        >>> remember_order(["N", "C", "H", "W"])
        >>> sorted(["W", "(C // 2)", "nonzero(m)", "N"], key=place_of)
        ['nonzero(m)', 'N', '(C // 2)', 'W']
        >>> remember_order([])
    """
    ranks = _RANKS.get()
    if not ranks:
        return -1, factor
    places = (ranks[name] for name in _NAME.findall(factor) if name in ranks)
    return next(places, -1), factor


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("(") and text.find(")") == len(text) - 1 else text
