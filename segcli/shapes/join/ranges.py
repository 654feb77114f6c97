"""How many numbers ``arange`` counts, and which they are."""

import math

from segcli.errors import SegcliError
from segcli.shapes.computed import Formula
from segcli.shapes.symbols import at_least, difference, divided
from segcli.shapes.values import Size

Number = Size | float


def count_steps(start: Number, end: Number, step: Number, needs: list[str]) -> Size:
    """Return ``ceil((end - start) / step)``; of sizes that are not known, what makes it no less than 0 is needed.

    Examples:
        >>> needs = []
        >>> count_steps(0, 5, 2, needs), count_steps(0, "N", 1, needs), count_steps(2, "N", 2, needs), needs
        (3, 'N', 'ceil((N - 2) / 2)', ['N >= 2'])
    """
    if isinstance(start, int) and isinstance(end, int) and isinstance(step, int):
        return -((start - end) // step)
    if isinstance(start, str) or isinstance(end, str) or isinstance(step, str):
        return _unknown(start, end, step, needs)
    return math.ceil((float(end) - float(start)) / float(step))


def _unknown(start: Number, end: Number, step: Number, needs: list[str]) -> Size:
    if isinstance(start, float) or isinstance(end, float) or not isinstance(step, int):
        message = "how many numbers arange counts is not known"
        raise SegcliError(message, hint="give the sizes numbers")
    ahead = difference(end, start) if step > 0 else difference(start, end)
    if ahead == 0 or isinstance(ahead, int):
        return divided(max(ahead, 0), abs(step))
    if start != 0 or step < 0:
        upper, lower = (end, start) if step > 0 else (start, end)
        known = isinstance(upper, str) and isinstance(lower, int)
        needs.append(at_least(str(upper), int(lower)) if known else f"{upper} >= {lower}")
    if abs(step) == 1:
        return ahead
    return divided(ahead, abs(step))


def range_formula(start: Number, step: Number) -> Formula:
    """Write the numbers that ``arange`` counts: ``2 + 3*i``."""
    scaled = "{i0}" if step == 1 else f"{step}*{{i0}}" if isinstance(step, str) or step >= 0 else f"{-step}*{{i0}}"
    if isinstance(step, int | float) and step < 0:
        scaled = "{i0}" if step == -1 else scaled
        return Formula(f"{start} - {scaled}", ())
    return Formula(scaled if start == 0 else f"{start} + {scaled}", ())
