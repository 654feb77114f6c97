"""What must hold of sizes that are not known, in words that Python understands."""

import re
from collections.abc import Mapping, Sequence
from math import gcd

from segcli.errors import SegcliError
from segcli.shapes.symbols.products import add_up, difference, divides, product, quotient
from segcli.shapes.symbols.text import CAPPED, LESSENED, QUOTIENT, ROUNDED_UP, bare, factors, grouped, take_apart, terms
from segcli.shapes.values import Size

_PIECES = re.compile(r"ceil\((?P<size>.+) / (?P<divisor>ceil\(.+\)|\(.+\)|\w+)\)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_RELATION = re.compile(r"(?P<left>[\w*]+) (?P<sign>==|>=) (?P<right>[\w*]+)")
_AT_LEAST = re.compile(r"(?P<size>.+) >= (?P<count>[0-9]+)")


def at_least(size: str, count: int) -> str:
    """Say that a size must be ``count`` or more, of the name where that says the same.

    Examples:
        >>> at_least("N", 4), at_least("max(N - 1, 0)", 4), at_least("ceil(N / 2)", 4), at_least("min(5, N)", 4)
        ('N >= 4', 'N >= 5', 'N >= 7', 'N >= 4')
        >>> at_least("C // 2", 1), at_least("N - 3", 0), at_least("k - j", 0), at_least("2*N", 3)
        ('C >= 2', 'N >= 3', 'k >= j', 'N >= 2')
        >>> [at_least("ceil(C / ceil(C / 3))", count) for count in (1, 2, 3)], at_least("ceil(N / k)", 2)
        (['C >= 1', 'C >= 2', 'C >= 2*ceil(C / 3) + 1'], 'N >= k + 1')
        >>> at_least("3 - N", 0)
        'N <= 3'
    """
    if (parts := take_apart(LESSENED, size)) and count > 0:
        return at_least(str(difference(parts["size"], parts["count"])), count)
    if (parts := take_apart(ROUNDED_UP, size)) and parts["divisor"].isdecimal():
        return at_least(parts["size"], (count - 1) * int(parts["divisor"]) + 1)
    if parts := take_apart(_PIECES, size):
        return _pieces(parts["size"], parts["divisor"], count)
    if (parts := take_apart(CAPPED, size)) and parts["count"].isdecimal() and count <= int(parts["count"]):
        return at_least(parts["size"], count)
    if (parts := take_apart(QUOTIENT, size)) and parts["divisor"].isdecimal():
        return at_least(bare(parts["size"]), count * int(parts["divisor"]))
    return _compared([*terms(size), (-count, ())], f"{size} >= {count}")


def _pieces(size: str, width: str, count: int) -> str:
    """Say that an axis must give so many pieces of a width that is not known."""
    if count == 1 or (count == 2 and width.startswith(f"ceil({size} / ")):  # noqa: PLR2004 - two halves of two positions
        return at_least(size, count)
    return at_least(str(difference(size, product([count - 1, width]))), 1)


def _compared(parts: Sequence[tuple[int, tuple[str, ...]]], otherwise: str) -> str:
    """Say that a sum must be 0 or more: what is added on the left, what is taken away on the right."""
    left = [(factor, names) for factor, names in parts if factor > 0 and names]
    right = [(-factor, names) for factor, names in parts if factor < 0 and names]
    number = sum(factor for factor, names in parts if not names)
    if not left:
        return f"{add_up(right)} <= {number}" if right else otherwise
    if not right and len(left) == 1 and number < 0:
        factor, names = left[0]
        return f"{product(names)} >= {-(number // factor)}"
    return f"{add_up(left)} >= {add_up([*right, (-number, ())])}"


def some(sizes: Sequence[Size]) -> list[str]:
    """Say that sizes must not be 0, each factor for itself.

    Examples:
        >>> some(["N*C", 3, "H // 2"])
        ['N >= 1', 'C >= 1', 'H >= 2']
    """
    return [at_least(bare(name), 1) for size in sizes for name in factors(size)[1]]


def equal(size: Size, other: Size) -> str:
    """Say that two sizes must be equal, a name first.

    Examples:
        >>> equal(3, "N"), equal("N", "M")
        ('N == 3', 'N == M')
    """
    return f"{other} == {size}" if isinstance(size, int) else f"{size} == {other}"


def equal_or_one(size: Size, other: Size) -> str:
    """Say that the first of two sizes must be repeated to be the second, or be it.

    Examples:
        >>> equal_or_one("N", 5), equal_or_one("N", "M"), equal_or_one(5, "N")
        ('N == 5 or N == 1', 'N == M or N == 1', 'N == 5')
    """
    if isinstance(size, int) or other == 1:
        return equal(size, other)
    return f"{size} == {other} or {size} == 1"


def strongest(needs: Sequence[str]) -> tuple[str, ...]:
    """Leave out what is said twice, and ``N >= 1`` beside ``N >= 4`` or ``N == 4``.

    Examples:
        >>> strongest(["N >= 1", "N == M", "N >= 4", "N >= 2"]), strongest(["N >= 1", "N == 3"])
        (('N >= 4', 'N == M'), ('N == 3',))
        >>> strongest(["N == M or N == 1", "N == M"])
        ('N == M',)
    """
    largest: dict[str, int] = {}
    kept: dict[str, None] = {}
    for need in needs:
        found = _AT_LEAST.fullmatch(need)
        if found:
            largest[found["size"]] = max(int(found["count"]), largest.get(found["size"], 0))
        kept.setdefault(found["size"] if found else need)
    said = set(kept)
    exact = {each.rpartition(" == ")[0]: int(each.rpartition(" == ")[2]) for each in kept if _is_number(each)}
    return tuple(
        f"{need} >= {largest[need]}" if need in largest else need
        for need in kept
        if need.partition(" or ")[0] == need or need.partition(" or ")[0] not in said
        if need not in largest or exact.get(need, -1) < largest[need]
    )


def contradictions(needs: Sequence[str]) -> list[str]:
    """Say which needs no sizes meet at once, but those of tensors without elements.

    Examples:
        >>> contradictions(["N == M", "N == 2*M"]), contradictions(["N == 3", "N >= 4"])
        (['no sizes meet all of this: N == 2*M beside N == M'], ['no sizes meet all of this: N >= 4 beside N == 3'])
        >>> contradictions(["N == M", "N == 2*K", "M >= 2"]), contradictions(["N == M or N == 1", "N == 2*M"])
        ([], [])
    """
    known: dict[str, Size] = {}
    why: dict[str, str] = {}
    for need in sorted(needs, key=lambda each: ">=" in each):
        found = _RELATION.fullmatch(need)
        if not found:
            continue
        left, right = _known(found["left"], known), _known(found["right"], known)
        if not _may_hold(left, found["sign"], right):
            return [_excluded(need, list(dict.fromkeys(why.values())))]
        for name, size in ((left, right), (right, left)):
            if found["sign"] == "==" and isinstance(name, str) and name.isidentifier() and name != size:
                known[name] = size
                why[name] = need
                break
    return []


def _excluded(need: str, before: list[str]) -> str:
    """Say beside what a need cannot be met: all that shares names with it."""
    names = set(_NAME.findall(need))
    for other in before * len(before):
        own = set(_NAME.findall(other))
        names |= own if names & own else set()
    beside = [other for other in before if names & set(_NAME.findall(other))]
    return f"no sizes meet all of this: {need} beside {' and '.join(beside)}" if beside else f"no sizes meet {need}"


def _known(text: str, known: Mapping[str, Size]) -> Size:
    """Put in what names are known to be equal to."""
    number, names = factors(int(text) if text.isdecimal() else text)
    return product([number, *(known.get(name, name) for name in names)])


def _may_hold(left: Size, sign: str, right: Size) -> bool:
    if sign == ">=":
        return not (isinstance(left, int) and isinstance(right, int)) or left >= right
    return left == right or bool(unequal(left, right))


def _is_number(need: str) -> bool:
    return re.fullmatch(r"\w+ == \d+", need) is not None


def unequal(size: Size, other: Size) -> str:
    """Say what makes two sizes equal that are not known to be, without what they share; empty where nothing does.

    Examples:
        >>> unequal("20*H*N", "40*N"), unequal("6*H", "4*H"), unequal(6, "N"), unequal("H*W", "H"), unequal("3*N", 25)
        ('H == 2', '', 'N == 6', 'W == 1', '')
        >>> unequal("C*H", "4*(C // 4)*H")
        'C % 4 == 0'
    """
    number, all_names = factors(size)
    divisor, all_divisors = factors(other)
    names, divisors = list(all_names), list(all_divisors)
    for name in all_names:
        if name in divisors:
            names.remove(name)
            divisors.remove(name)
    common = gcd(number, divisor) or 1
    left, right = product([number // common, *names]), product([divisor // common, *divisors])
    # What is left of both is without a common factor: a number is no multiple of one larger than 1.
    if (isinstance(left, int) and divisor != common) or (isinstance(right, int) and number != common):
        return ""
    return _divisible(left, right) or _divisible(right, left) or equal(left, right)


def indivisible(size: Size, other: Size) -> str:
    """Say what lets one size divide another one, without what they share; empty where it does.

    Examples:
        >>> indivisible("C*H", "2*H"), indivisible("6*H", 2), indivisible(6, "k")
        ('C % 2 == 0', '', '6 % k == 0')
        >>> indivisible("6*N", 4)
        'N % 2 == 0'
    """
    left = quotient(size, other)
    found = None if divides(other, size) else take_apart(QUOTIENT, str(left))
    if not found:
        return ""
    # What both share is gone: only the names can make up for the rest.
    size = product(factors(bare(found["size"]))[1]) if found["divisor"].isdecimal() else bare(found["size"])
    return f"{grouped(size or bare(found['size']))} % {found['divisor']} == 0"


def _divisible(size: Size, other: Size) -> str:
    """Say of ``4*(C // 4) == C`` that ``C % 4 == 0``; empty where that is not what is asked."""
    number, names = factors(size)
    found = take_apart(QUOTIENT, bare(names[0])) if len(names) == 1 else None
    if found and str(number) == found["divisor"] and bare(found["size"]) == other:
        return f"{found['size']} % {found['divisor']} == 0"
    if len(names) == 2 and number == 1:  # noqa: PLR2004 - k*(C // k)
        for quotient, divisor in (names, names[::-1]):
            found = take_apart(QUOTIENT, bare(quotient))
            if found and found["divisor"] == divisor and bare(found["size"]) == other:
                return f"{found['size']} % {divisor} == 0"
    return ""


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
