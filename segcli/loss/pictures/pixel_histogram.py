"""How the losses of pixels are distributed: a few bins that a person reads, made of 2048 that were counted."""

import math
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["hard", "easy", "both", ""]

# `segcli.nn.kernels.selection.histogram` counts by bits 1 to 11 of a float32: the exponent, and three of the fraction.
_N_FINE = 2048
_SHIFT = 20
_PER_OCTAVE = 8
# The bin of infinity; those after it are of NaN, which is never counted.
_INFINITE = 2040
# The least loss of each fine bin.
_EDGES: tuple[float, ...] = struct.unpack(
    f"<{_INFINITE + 1}f", struct.pack(f"<{_INFINITE + 1}I", *(bin_ << _SHIFT for bin_ in range(_INFINITE + 1)))
)
# What stands for a threshold where there is none: a true class that is as likely as all others together.
_EVEN_LOSS = math.log(2.0)
# Losses below so small a part of the threshold are easy whatever they are, and make one bin.
_EASY_OCTAVES = 7
# The few hardest pixels make one bin, too, that they may not stretch the others.
_TAIL = 1000
_MAX_BINS = 13


@dataclass(frozen=True)
class LossBin:
    """Pixels whose losses are of a range.

    Attributes:
        low: The least loss.
        high: The loss that is too large already; infinity for the bin of infinite losses.
        p_low: The probability of the true class where the loss is ``high``.
        p_high: The one where it is ``low``.
        count: How many pixels.
        share: Of all.
        share_above: Of all, these and those with larger losses.
        kind: ``hard`` above the threshold, ``easy`` below, ``both`` where it lies within; empty without a threshold.
    """

    low: float
    high: float
    p_low: float
    p_high: float
    count: int
    share: float
    share_above: float
    kind: Kind


@dataclass(frozen=True)
class PixelHistogram:
    """The losses of pixels by range.

    Attributes:
        bins: The largest losses first; from the first that any pixel has to the last. None where there is no pixel.
        n_valid: How many pixels were counted.
        threshold: The loss above which a pixel is hard, or None.
        n_hard: How many are; None where that is not known.
    """

    bins: tuple[LossBin, ...]
    n_valid: int
    threshold: float | None
    n_hard: int | None


def pixel_histogram(
    counts: "Tensor | Sequence[int]", *, threshold: float | None = None, n_hard: int | None = None
) -> PixelHistogram:
    """Put fine bins together to about a dozen, each of which doubles the loss or is a power of two wider or narrower.

    With ``n_hard`` an edge falls on the threshold exactly, though the fine bins do not: the one that holds it is parted
    by that count. Without, the bin that holds the threshold is of kind ``both``.

    Args:
        counts: (2048,), as `segcli.nn.kernels.selection.histogram` counts.
        threshold: The loss above which a pixel is hard; None where none is of interest.
        n_hard: How many of the pixels have a larger loss than that.

    Raises:
        ValueError: Where there are not 2048 counts, or ``n_hard`` contradicts them.

    Examples:
        >>> import torch
        >>> from segcli.nn.kernels.selection import histogram
        >>> losses = torch.tensor([0.01, 0.02, 0.3, 0.5, 3.0])
        >>> result = pixel_histogram(histogram(losses), threshold=0.357, n_hard=2)
        >>> [(f"{bin.p_low:.2f} to {bin.p_high:.2f}", bin.count, bin.kind) for bin in result.bins if bin.count][:3]
        [('0.00 to 0.06', 1, 'hard'), ('0.50 to 0.70', 1, 'hard'), ('0.70 to 0.84', 1, 'easy')]
    """
    fine = _checked(counts)
    n_valid = sum(fine)
    # Losses are compared with it in float32, where 1 - 1 is -0.0 too.
    bound = None if threshold is None else _as_float32(abs(threshold))
    parts = _parted(fine, bound, n_hard) if bound is not None and n_hard is not None else _whole(fine)
    bins: list[LossBin] = []
    n_above = 0
    for low, high, count in reversed(_put_together(fine, parts, bound)):
        n_above += count
        shares = (count / n_valid, n_above / n_valid)
        bins.append(LossBin(low, high, math.exp(-high), math.exp(-low), count, *shares, _kind(low, high, bound)))
    return PixelHistogram(tuple(bins), n_valid, threshold, n_hard)


def fine_bins(counts: "Tensor | Sequence[int]") -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the edges of the bins of finite losses, in ascending order and one more than bins, and their counts.

    Args:
        counts: (2048,), as `segcli.nn.kernels.selection.histogram` counts.

    Raises:
        ValueError: Where there are not 2048 counts.

    Examples:
        >>> edges, counts = fine_bins([0] * 1016 + [5] + [0] * 1031)
        >>> edges[1016:1018], counts[1016], len(counts)
        ((1.0, 1.125), 5, 2039)
    """
    # The last finite bin ends where infinity begins, which is no edge to draw; nothing has such a loss.
    return _EDGES[:_INFINITE], tuple(_checked(counts)[: _INFINITE - 1])


def _checked(counts: "Tensor | Sequence[int]") -> list[int]:
    fine = [int(count) for count in counts]
    if len(fine) != _N_FINE:
        message = f"a histogram of pixel losses has {len(fine)} bins, expected {_N_FINE}"
        raise ValueError(message)
    return fine


Part = tuple[float, float, int]


def _whole(fine: Sequence[int]) -> list[Part]:
    """Return each finite fine bin as its edges and its count."""
    return [(low, high, count) for (low, high), count in zip(pairwise(_EDGES), fine[:_INFINITE], strict=True)]


def _parted(fine: Sequence[int], bound: float, n_hard: int) -> list[Part]:
    """Return the fine bins, the one that holds the bound as two."""
    parts = _whole(fine)
    place = bisect_right(_EDGES, bound) - 1
    n_above = sum(fine[place + 1 :])
    if not n_above <= n_hard <= n_above + fine[place]:
        expected = f"{n_above} to {n_above + fine[place]}"
        message = f"n_hard is {n_hard}, but of the pixels counted {expected} have a loss above {bound:g}"
        raise ValueError(message)
    if place < _INFINITE:
        low, high, count = parts[place]
        parts[place : place + 1] = [(low, bound, count + n_above - n_hard), (bound, high, n_hard - n_above)]
    return parts


def _put_together(fine: Sequence[int], parts: list[Part], bound: float | None) -> list[Part]:
    """Add up the parts between the edges of wider bins; pixels without any loss and of infinite loss have their own."""
    # Only where no loss is the threshold has a part no width.
    n_zero = parts[0][2] if parts[0][1] == 0 else 0
    edges = _wide_edges([fine[0] - n_zero, *fine[1:]], bound, is_parted=len(parts) > _INFINITE)
    sums = [0] * len(edges)
    for low, high, count in parts:
        if count and high > 0:
            sums[bisect_right(edges, low) - 1] += count
    wide = [(low, high, count) for (low, high), count in zip(pairwise(edges), sums, strict=False)]
    filled = [place for place, part in enumerate(wide) if part[2]]
    return [
        *([(0.0, 0.0, n_zero)] if n_zero else []),
        *(wide[filled[0] : filled[-1] + 1] if filled else []),
        *([(math.inf, math.inf, fine[_INFINITE])] if fine[_INFINITE] else []),
    ]


def _wide_edges(fine: Sequence[int], bound: float | None, *, is_parted: bool) -> list[float]:
    """Return ascending edges around all that is filled, one of them the bound where a fine bin is parted there.

    They are at equal distances from the bound's in fine bins, but for the first and the last, which take in what is
    easy anyway and what few pixels have.
    """
    filled = [place for place in range(_INFINITE) if fine[place]] or [0]
    first, last = filled[0], filled[-1]
    anchored = bound if bound and bound < math.inf else _EVEN_LOSS
    anchor = holder = bisect_right(_EDGES, anchored) - 1
    if is_parted and anchored - _EDGES[anchor] > _EDGES[anchor + 1] - anchored:
        anchor += 1
    least = max(first, min(last, anchor) - _EASY_OCTAVES * _PER_OCTAVE)
    most = min(last, max(_tail(fine), anchor + _PER_OCTAVE))
    if is_parted and fine[holder]:
        # What it holds lies on both sides of the bound's edge.
        least, most = min(least, anchor - 1), max(most, anchor)
    width = 1
    while (most + 1 - least) / width > _MAX_BINS:
        width *= 2
    begin = anchor - -(-(anchor - least) // width) * width
    end = anchor + -(-(most + 1 - anchor) // width) * width
    places = {min(max(place, 0), _INFINITE) for place in range(begin, end + 1, width)}
    edges = [bound if is_parted and bound and place == anchor else _EDGES[place] for place in sorted(places)]
    if end <= last:
        edges[-1] = _EDGES[last + 1]
    return edges if begin <= first else [0.0, *edges]


def _tail(fine: Sequence[int]) -> int:
    """Return the last fine bin above which no more than a thousandth of the pixels of finite loss are."""
    n_above, most = 0, sum(fine[:_INFINITE]) // _TAIL
    for place in range(_INFINITE - 1, 0, -1):
        n_above += fine[place]
        if n_above > most:
            return place
    return 0


def _as_float32(number: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", number))[0]) if number < math.inf else number


def _kind(low: float, high: float, bound: float | None) -> Kind:
    if bound is None:
        return ""
    if high <= bound:
        return "easy"
    return "hard" if low >= bound else "both"
