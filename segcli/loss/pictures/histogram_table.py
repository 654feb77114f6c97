"""The losses of pixels as a histogram for a terminal."""

import math
from collections.abc import Sequence
from itertools import pairwise

from segcli.loss.pictures.pixel_histogram import Kind, LossBin, PixelHistogram
from segcli.table import Column, Style, Styled, Table
from segcli.units import format_count, format_number

_BAR_WIDTH = 8
# Smaller probabilities are written with an exponent.
_MAX_DIGITS, _SMALL = 4, 1e-3
_MARKS: dict[Kind, tuple[str, Style]] = {"hard": ("#", "axis0"), "both": ("+", "axis3"), "easy": (":", "axis1")}
_COLUMNS = (
    Column("p"),
    Column("loss", "number"),
    Column("pixels", "count"),
    Column("%", "number"),
    Column("", "bar"),
    Column("sum %", "number"),
)


def histogram_table(result: PixelHistogram, *, title: str = "pixel losses") -> Table:
    """Return the histogram for a terminal: hard bins have bars of ``#``, easy ones of ``:``, a bin with both of ``+``.

    Examples:
        >>> result = PixelHistogram((LossBin(0.0, 0.5, 0.6065, 1.0, 9, 1.0, 1.0, "easy"),), 9, 0.5, 0)
        >>> [str(cell) for cell in histogram_table(result).rows[0]]
        ['0.61 to 1', '0.0', '9', '100.0', '::::::::', '100.0']
    """
    if not result.bins:
        return Table(f"{title}: no pixel is valid")
    largest = max(bin_.count for bin_ in result.bins)
    rows = [
        (
            words,
            float(f"{bin_.low:.2g}"),
            bin_.count,
            _rounded(100 * bin_.share),
            _bar(bin_, largest),
            _rounded(100 * bin_.share_above),
        )
        for bin_, words in zip(result.bins, _ranges(result.bins), strict=True)
    ]
    return Table(f"{title} of {format_count(result.n_valid)} pixels", _COLUMNS, rows, _notes(result))


def _notes(result: PixelHistogram) -> tuple[str, ...]:
    columns = "p: the probability of the true class; loss: the least; sum: these pixels and all harder ones"
    if result.threshold is None:
        return (columns,)
    p, loss = format_number(math.exp(-result.threshold)), format_number(abs(result.threshold))
    known = "" if result.n_hard is None else f": {_rounded(100 * result.n_hard / result.n_valid):g} % of the pixels"
    within = "; + has hard and easy ones" if any(bin_.kind == "both" for bin_ in result.bins) else ""
    return f"# is hard, p below {p} (loss above {loss}){known}; : is easy{within}", columns


def _bar(bin_: LossBin, largest: int) -> str | Styled:
    length = max(1, round(bin_.count / largest * _BAR_WIDTH)) if bin_.count else 0
    mark, style = _MARKS.get(bin_.kind, ("#", ""))
    return Styled(((mark * length, style),)) if style else mark * length


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")


def _ranges(bins: Sequence[LossBin]) -> list[str]:
    """Say which probabilities each bin holds; the outermost are open where they have any width."""
    ends = sorted({p for bin_ in bins for p in (bin_.p_low, bin_.p_high)})
    words = {p: _probability(p, _digits(ends, place)) for place, p in enumerate(ends)}
    ranges = []
    for place, bin_ in enumerate(bins):
        low, high = words[bin_.p_low], words[bin_.p_high]
        if bin_.p_low == bin_.p_high:
            ranges.append(low)
        elif len(bins) > 1 and place in (0, len(bins) - 1):
            ranges.append(f"above {low}" if place else f"below {high}")
        else:
            ranges.append(f"{low} to {high}")
    return ranges


def _digits(ends: Sequence[float], place: int) -> int:
    """Return how many decimals tell a probability from its neighbours."""
    gaps = [high - low for low, high in pairwise(ends[max(place - 1, 0) : place + 2])]
    return max([2, *(math.ceil(-math.log10(gap)) for gap in gaps)])


def _probability(p: float, digits: int) -> str:
    """Return a probability with so many decimals; with an exponent where these were too many.

    Examples:
        >>> [_probability(p, 3) for p in (0.7, 0.9972, 1.0, 0.0)], _probability(3e-10, 10)
        (['0.700', '0.997', '1', '0'], '3e-10')
    """
    if p in (0, 1):
        return f"{p:g}"
    if digits > _MAX_DIGITS and p < _SMALL:
        return f"{p:.0e}".replace("e-0", "e-")
    return f"{p:.{digits}f}"
