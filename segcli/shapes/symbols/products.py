"""Products and quotients of sizes that are not known."""

from collections.abc import Sequence
from math import gcd

from segcli.shapes.symbols.known import is_exact, place_of
from segcli.shapes.symbols.text import QUOTIENT, bare, factors, grouped, take_apart, terms
from segcli.shapes.values import Size


def times(sizes: Sequence[Size]) -> str:
    """Write a product, its factors in the order given.

    Examples:
        >>> times([3, "H", 2, "W"]), times([]), times(["N"])
        ('6*H*W', '1', 'N')
    """
    number = 1
    for size in sizes:
        number *= size if isinstance(size, int) else 1
    named = [grouped(size) for size in sizes if isinstance(size, str)]
    return "*".join([*([] if number == 1 and named else [str(number)]), *named])


def product(sizes: Sequence[Size]) -> Size:
    """Multiply sizes; equal products are equal texts, their names in the order in which the SPECs have them.

    Examples:
        >>> product([3, "W", 2, "H"]), product([2, 3]), product(["N", 0]), product(["H*W", "N"])
        ('6*H*W', 6, 0, 'H*N*W')
        >>> product([-1, "N - 1"]), product([-1, "k"])
        ('1 - N', '-k')
    """
    number = 1
    names: list[str] = []
    for size in sizes:
        if isinstance(size, int):
            number *= size
            continue
        factor, found = factors(size)
        number *= factor
        names += found
    if not names or not number:
        return number
    number = _cancel(number, names)
    if not names:
        return number
    if len(names) == 1:
        if number == 1:
            return bare(names[0])
        if number < 0 and len(several := terms(names[0])) > 1:
            return add_up([(number * factor, inner) for factor, inner in several])
    return _written(number, names)


def _written(number: int, names: list[str]) -> str:
    named = "*".join(sorted(names, key=place_of) if len(names) > 1 else names)
    return named if number == 1 else f"-{named}" if number == -1 else f"{number}*{named}"


def _cancel(number: int, names: list[str]) -> int:
    """Write ``2*(C // 2)`` as C where 2 is known to divide C; return the number that is left."""
    for place, name in enumerate(names):
        found = take_apart(QUOTIENT, bare(name)) if " // " in name else None
        if not found or not is_exact(bare(found["size"]), bare(found["divisor"])):
            continue
        divisor = found["divisor"]
        if divisor.isdecimal() and not number % int(divisor):
            names[place : place + 1] = _names(found["size"])
            return _cancel(number // int(divisor) * factors(bare(found["size"]))[0], names)
        several = _names(divisor)
        left = list(names)
        left.remove(name)
        if not divisor.isdecimal() and all(several.count(each) <= left.count(each) for each in several):
            for each in several:
                left.remove(each)
            names[:] = [*left, *_names(found["size"])]
            return _cancel(number * factors(bare(found["size"]))[0], names)
    return number


def _names(size: str) -> list[str]:
    return list(factors(bare(size))[1])


def quotient(size: Size, other: Size) -> Size:
    """Divide sizes; what does not cancel is written ``size // other``.

    Examples:
        >>> quotient("6*H*W", "2*H"), quotient("H*W", "H*W"), quotient("H", 2), quotient(7, 2)
        ('3*W', 1, 'H // 2', 3)
        >>> quotient("C*N", "2*N"), quotient("C // 2", 2), quotient("2*C + 4", 2), quotient("2*(C // 2)", 2)
        ('C // 2', 'C // 4', 'C + 2', 'C // 2')
        >>> quotient("N", 0), quotient("-N", 2), quotient(4, "4*k")
        ('N // 0', '(-N) // 2', '1 // k')
    """
    if isinstance(size, int) and isinstance(other, int):
        return size // other
    return exact_quotient(size, other) if divides(other, size) else _floored(size, other)


def divides(size: Size, whole: Size) -> bool:
    """Tell whether a size is known to divide another one.

    Examples:
        >>> divides("H", "6*H*W"), divides("H", "N"), divides(4, "8*H"), divides(0, 0), divides(2, "2*(C // 2)")
        (True, False, True, False, True)
    """
    if isinstance(size, int) and isinstance(whole, int):
        return size != 0 and whole % size == 0
    number, names = factors(whole)
    divisor, divisors = factors(size)
    if not divisor:
        return False
    if all(names.count(name) >= divisors.count(name) for name in divisors) and not number % divisor:
        return True
    if any(is_exact(bare(name), str(size)) for name in names):
        return True
    return not divisors and _is_sum(whole) and all(not factor % divisor for factor, _ in terms(whole))


def _is_sum(size: Size) -> bool:
    return len(terms(size)) > 1


def exact_quotient(size: Size, other: Size) -> Size:
    """Divide a size by one that divides it."""
    number, names = factors(size)
    divisor, divisors = factors(other)
    left = list(names)
    if all(name in left for name in divisors) and not number % divisor:
        for name in divisors:
            left.remove(name)
        return product([number // divisor, *left])
    for place, name in enumerate(left):
        if is_exact(bare(name), str(other)):
            return product([number, *left[:place], f"{name} // {grouped(other)}", *left[place + 1 :]])
    return add_up([(factor // divisor, several) for factor, several in terms(size)])


def _floored(size: Size, other: Size) -> str:
    """Write a division that may leave something over, without what both share."""
    number, names = factors(size)
    divisor, divisors = factors(other)
    if not divisor or number <= 0:
        return f"{grouped(size)} // {grouped(other)}"
    common = gcd(number, divisor)
    left, rest = list(names), list(divisors)
    for name in divisors:
        if name in left:
            left.remove(name)
            rest.remove(name)
    above, below = product([number // common, *left]), product([divisor // common, *rest])
    inner = take_apart(QUOTIENT, str(above))
    if inner and inner["divisor"].isdecimal() and isinstance(below, int):
        above, below = bare(inner["size"]), below * int(inner["divisor"])
    return f"{grouped(above)} // {grouped(below)}"


def add_up(parts: Sequence[tuple[int, tuple[str, ...]]]) -> Size:
    """Write a sum of products: what is added before what is taken away, and a number last where it can be.

    Examples:
        >>> add_up([(1, ("N",)), (-2, ("M",)), (3, ())]), add_up([(-1, ("k",)), (3, ())]), add_up([(1, ("C // 2",))])
        ('N + 3 - 2*M', '3 - k', 'C // 2')
    """
    number = 0
    counts: dict[Size, int] = {}
    for factor, names in parts:
        name = product(names)
        if isinstance(name, int):
            number += factor * name
        else:
            counts[name] = counts.get(name, 0) + factor
    ordered = sorted(((str(name), factor) for name, factor in counts.items() if factor), key=_place)
    added = [_scaled(factor, name) for name, factor in ordered if factor > 0]
    taken = [_scaled(-factor, name) for name, factor in ordered if factor < 0]
    if not ordered:
        return number
    if number > 0:
        added.append(str(number))
    elif number < 0:
        taken.append(str(-number))
    if not added:
        return "-" + " - ".join(taken)
    if len(added) == 1 and not taken:
        return bare(added[0])
    return " - ".join([" + ".join(added), *taken])


def _scaled(factor: int, name: str) -> str:
    number, several = factors(name)
    return _written(factor * number, list(several))


def _place(term: tuple[str, int]) -> tuple[int, str]:
    return place_of(term[0])


def total(sizes: Sequence[Size]) -> Size:
    """Add sizes up.

    Examples:
        >>> total(["N", 1, "M", 2]), total([1, 2]), total(["N", 0]), total(["N", "N"]), total(["H // 2", 1])
        ('M + N + 3', 3, 'N', '2*N', '(H // 2) + 1')
    """
    if all(isinstance(size, int) for size in sizes):
        return sum(size for size in sizes if isinstance(size, int))
    return add_up([part for size in sizes for part in terms(size)])


def starts_of(sizes: Sequence[Size]) -> list[Size]:
    """Return where each of several sizes begins, one behind the other.

    Examples:
        >>> starts_of([2, 3, 4]), starts_of(["N", 2, "N"]), starts_of([])
        ([0, 2, 5], [0, 'N', 'N + 2'], [])
    """
    ends: list[Size] = [0]
    for size in sizes:
        ends.append(total([ends[-1], size]))
    return ends[:-1]


def difference(size: Size, other: Size) -> Size:
    """Subtract sizes.

    Examples:
        >>> difference("N", 1), difference("N + 3", "N"), difference(3, 5), difference("H", "H // 3")
        ('N - 1', 3, -2, 'H - (H // 3)')
        >>> difference("H", "H // 2"), difference("H", "ceil(H / 2)")
        ('ceil(H / 2)', 'H // 2')
    """
    if isinstance(size, str) and isinstance(other, str):
        halves = (f"{grouped(size)} // 2", f"ceil({grouped(size)} / 2)")
        if other in halves:
            return halves[other == halves[0]]
    return add_up([*terms(size), *((-factor, names) for factor, names in terms(other))])
