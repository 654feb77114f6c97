"""How many positions a slice gives, where sizes, or the bounds themselves, are not known.

The forms are ``max(N - 1, 0)``, ``min(2, N)`` and ``ceil(N / 2)``, and these inside one another; what none of them says
is ``len(range(N)[-3:2])``, which is always true.
"""

from segcli.shapes.symbols.bounds import is_at_least
from segcli.shapes.symbols.needs import at_least
from segcli.shapes.symbols.products import difference, divides, exact_quotient, product, total
from segcli.shapes.symbols.text import CAPPED, LESSENED, ROUNDED_UP, grouped, take_apart
from segcli.shapes.values import Size, SliceBounds


def lessened(size: Size, count: Size) -> Size:
    """Return ``max(size - count, 0)``.

    Examples:
        >>> lessened("N", 1), lessened("max(N - 1, 0)", 2), lessened("min(5, N)", 2), lessened("min(2, N)", 2)
        ('max(N - 1, 0)', 'max(N - 3, 0)', 'min(3, max(N - 2, 0))', 0)
        >>> lessened("ceil(N / 2)", 3)
        'ceil(max(N - 6, 0) / 2)'
        >>> lessened("max(N - 1, 0) + max(M - 1, 0)", 2)
        'max(max(M - 1, 0) + max(N - 1, 0) - 2, 0)'
        >>> lessened("N", "k"), lessened("N + 4", 3), lessened("H", "H // 2"), lessened("H", "H // 3")
        ('max(N - k, 0)', 'N + 1', 'ceil(H / 2)', 'H - (H // 3)')
    """
    if count == 0:
        return size
    if is_at_least(size, count):
        return difference(size, count)
    if is_at_least(count, size):
        return 0
    inner = _lessened_inside(size, count) if isinstance(count, int) and isinstance(size, str) else None
    return f"max({difference(size, count)}, 0)" if inner is None else inner


def _lessened_inside(size: str, count: int) -> Size | None:
    """Lessen what stands inside a form; None where it is none."""
    if (parts := take_apart(LESSENED, size)) and parts["count"].isdecimal():
        return lessened(parts["size"], int(parts["count"]) + count)
    if (parts := take_apart(CAPPED, size)) and parts["count"].isdecimal():
        return capped(lessened(parts["size"], count), max(int(parts["count"]) - count, 0))
    if parts := take_apart(ROUNDED_UP, size):
        return divided(lessened(parts["size"], count * int(parts["divisor"])), int(parts["divisor"]))
    return None


def capped(size: Size, count: Size) -> Size:
    """Return ``min(count, size)``.

    Examples:
        >>> capped("N", 2), capped("min(5, N)", 2), capped("N", 0), capped(7, 2), capped("H", "H // 2"), capped(10, "k")
        ('min(2, N)', 'min(2, N)', 0, 2, 'H // 2', 'min(10, k)')
    """
    if count == 0 or size == 0:
        return 0
    if is_at_least(size, count):
        return count
    if is_at_least(count, size):
        return size
    parts = take_apart(CAPPED, str(size)) if isinstance(count, int) else None
    if parts and parts["count"].isdecimal():
        return capped(parts["size"], min(int(parts["count"]), int(count)))
    return f"min({size}, {count})" if isinstance(size, int) else f"min({count}, {size})"


def divided(size: Size, step: int) -> Size:
    """Return ``ceil(size / step)``.

    Examples:
        >>> divided("N", 2), divided("ceil(N / 2)", 3), divided("min(5, N)", 2), divided(7, 2), divided("4*N", 2)
        ('ceil(N / 2)', 'ceil(N / 6)', 'min(3, ceil(N / 2))', 4, '2*N')
    """
    if isinstance(size, int):
        return -(-size // step)
    if step == 1:
        return size
    if parts := take_apart(ROUNDED_UP, size):
        return divided(parts["size"], int(parts["divisor"]) * step)
    if (parts := take_apart(CAPPED, size)) and parts["count"].isdecimal():
        return capped(divided(parts["size"], step), -(-int(parts["count"]) // step))
    return exact_quotient(size, step) if divides(step, size) else f"ceil({grouped(size)} / {step})"


def slice_symbol(bounds: SliceBounds, size: Size) -> tuple[Size, Size | None, bool]:
    """Return how many positions a slice gives, where it starts (None if that has no short form), whether it is whole.

    What ``slice_needs`` says must hold.

    Examples:
        >>> slice_symbol(SliceBounds(None, 2), "N"), slice_symbol(SliceBounds(1), "N")
        (('min(2, N)', 0, False), ('max(N - 1, 0)', 1, False))
        >>> slice_symbol(SliceBounds(-3, 2), "N")
        ('len(range(N)[-3:2])', 'max(N - 3, 0)', False)
        >>> slice_symbol(SliceBounds("H // 2"), "H"), slice_symbol(SliceBounds("-k"), "H")
        (('ceil(H / 2)', 'H // 2', False), ('min(k, H)', 'max(H - k, 0)', False))
        >>> slice_symbol(SliceBounds("s", "s + 64"), "W"), slice_symbol(SliceBounds(1, "H - 1"), "H")
        (('min(64, max(W - s, 0))', 's', False), ('max(H - 2, 0)', 1, False))
    """
    start, stop, step = bounds.start or 0, bounds.stop, 1 if bounds.step is None else bounds.step
    if step < 0:
        if bounds.start in (None, -1) and stop is None:
            return divided(size, -step), difference(size, 1), False
        return f"len(range({size})[{bounds}])", None, False
    reach = _reach(_counted_back(start, size), None if stop is None else _counted_back(stop, size), size)
    count = f"len(range({size})[{bounds}])" if reach is None else divided(reach, step)
    ahead = _from_start(start)
    first = start if ahead else lessened(size, _negative(start))
    whole = start == 0 and step == 1 and (stop is None or (_from_start(stop) and is_at_least(stop, size)))
    return count, first, whole


def slice_needs(bounds: SliceBounds, size: Size) -> list[str]:
    """Say what a slice's bounds must be so that ``slice_symbol`` holds: one below 0 counts from the end.

    Examples:
        >>> slice_needs(SliceBounds("-k"), "H"), slice_needs(SliceBounds("k - j", "H - 1"), "H")
        (['k >= 1'], ['k >= j'])
    """
    if bounds.step is not None and bounds.step < 0:
        return []
    needs = []
    for bound in (bounds.start, bounds.stop):
        if not isinstance(bound, str):
            continue
        if _is_downwards(bound):
            if not is_at_least(_negative(bound), 1):
                needs.append(at_least(str(_negative(bound)), 1))
        elif not is_at_least(bound, 0) and _counted_back(bound, size) == bound:
            needs.append(at_least(bound, 0))
    return needs


def _counted_back(bound: Size, size: Size) -> Size:
    """Return the last position as -1, which it is where there are no positions."""
    return -1 if isinstance(bound, str) and difference(size, bound) == 1 else bound


def _is_downwards(bound: Size) -> bool:
    """Tell whether a bound is known to count from the end, or to be 0."""
    return bound < 0 if isinstance(bound, int) else is_at_least(0, bound)


def _from_start(bound: Size) -> bool:
    return not _is_downwards(bound) or bound == 0


def _negative(bound: Size) -> Size:
    return product([-1, bound])


def _reach(start: Size, stop: Size | None, size: Size) -> Size | None:
    """Return how many positions lie between two bounds, None where that has no short form."""
    if _from_start(start):
        if stop is None:
            return lessened(size, start)
        if not _from_start(stop):
            return lessened(size, total([start, _negative(stop)]))
        return _between(start, stop, size)
    if stop is None:
        return capped(size, _negative(start))
    if _from_start(stop):
        return None
    return capped(lessened(size, _negative(stop)), lessened(_negative(start), _negative(stop)))


def _between(start: Size, stop: Size, size: Size) -> Size:
    """Return how many positions lie between two bounds that count from the start."""
    if start == 0:
        return capped(size, stop)
    if isinstance(start, int) and isinstance(stop, int):
        return lessened(capped(size, stop), start)
    if is_at_least(size, stop):
        return lessened(stop, start)
    if is_at_least(stop, start):
        return capped(lessened(size, start), difference(stop, start))
    return lessened(capped(size, stop), start)


def most(size: Size) -> int | None:
    """Return the largest number that a size can be, None where there is none.

    Examples:
        >>> most(3), most("min(2, N)"), most("N")
        (3, 2, None)
    """
    if isinstance(size, int):
        return size
    parts = take_apart(CAPPED, size)
    return int(parts["count"]) if parts and parts["count"].isdecimal() else None
