"""Exact OHEM over more pixels than fit into memory: a histogram of their losses, fine enough, of one size.

A bin holds how many losses fall into it and their sum, by row of `segcli.nn.kernels.problem`. Bins follow the bits of
a float32, which are ordered as the numbers are. What is below the k-th largest loss does not count, and what is above
is added up exactly; of the one bin that holds it a part counts, by its mean. How far that can be from the truth is
known from the bin's edges, count and sum. Where it is too far, the losses are read once more into bins that divide
that one bin, down to single numbers, whose bins are exact.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

# 32 powers of two from 2^-17 on have bins of their own; the first bin takes what is below, the last what is beyond.
_FIRST_PATTERN = (127 - 17) << 23
_EXPONENTS = 32
_MANTISSA_BITS = 23
_INFINITE = 0x7F800000
# Bins by rows, at 16 bytes each: 64 MB.
_MOST_BINS = 2**22
# How far a loss may be from the truth, in parts of it: a little more than what a float32 tells apart.
TOLERANCE = 2.5e-7


@dataclass(frozen=True)
class Scale:
    """Where the bins are, in the bits of float32.

    Attributes:
        first: The bits of the least loss of the first bin.
        shift: How many of the last bits do not tell bins apart.
        n_bins: How many there are.
        whole: Whether the outermost bins take all that is beyond; else that is left out.
    """

    first: int
    shift: int
    n_bins: int
    whole: bool

    def bins(self, losses: Tensor) -> Tensor:
        """Return the bin of each loss of 0 or more, as int64; what is left out is outside of 0 to ``n_bins - 1``.

        Examples:
            >>> scale_for(1, most=32).bins(torch.tensor([0.0, 1.0, 1.9, 2.0, 1e30])).tolist()
            [0, 17, 17, 18, 31]
        """
        # Adding 0 takes the sign from -0.0.
        patterns = (losses.to(torch.float32) + 0.0).view(torch.int32).to(torch.int64)
        found = (patterns - self.first) >> self.shift
        return found.clamp_(0, self.n_bins - 1) if self.whole else found

    def patterns(self, place: int) -> tuple[int, int]:
        """Return the bits of the least loss of a bin, and of the first that is beyond it."""
        lower, upper = (self.first + (edge << self.shift) for edge in (place, place + 1))
        if self.whole:
            return 0 if place == 0 else lower, _INFINITE if place == self.n_bins - 1 else upper
        return lower, upper

    def within(self, place: int, n_rows: int) -> "Scale":
        """Return the finest scale that divides a bin.

        Examples:
            >>> scale_for(1, most=32).within(17, 1).shift
            1
        """
        lower, upper = self.patterns(place)
        most = _most_bins(n_rows, _MOST_BINS)
        shift = max(0, math.ceil(math.log2((upper - lower) / most)))
        return Scale(lower, shift, -((lower - upper) >> shift), whole=False)


def scale_for(n_rows: int, *, most: int = _MOST_BINS) -> Scale:
    """Return the finest scale over all losses that stays within so many bins by rows.

    Examples:
        >>> scale = scale_for(19)
        >>> scale.n_bins, 19 * scale.n_bins * 16 < 64 * 2**20
        (131072, True)
    """
    bits = min(16, max(0, (_most_bins(n_rows, most) // _EXPONENTS).bit_length() - 1))
    return Scale(_FIRST_PATTERN, _MANTISSA_BITS - bits, _EXPONENTS << bits, whole=True)


def _most_bins(n_rows: int, most: int) -> int:
    return max(_EXPONENTS, most // max(1, n_rows))


@dataclass(frozen=True, eq=False)
class Hardest:
    """What OHEM keeps of all.

    Attributes:
        sums: By row, how many are kept, and the sum of their losses: (rows, 2), float64.
        level: The loss of the easiest that is kept; the mean of its bin.
        place: Its bin.
        off: How far the sum of the losses kept can be from the truth.
        above: As ``sums``, of what is above the bin.
        n_left: How many of the bin are kept.
    """

    sums: Tensor
    level: float
    place: int
    off: float
    above: Tensor
    n_left: float

    @property
    def exact(self) -> bool:
        """Whether the mean of what is kept is the truth, but for rounding."""
        return self.off <= TOLERANCE * float(self.sums[:, 1].sum())


def level_tally(losses: Tensor, rows: Tensor, n_rows: int, scale: Scale, name: str = "levels") -> dict[str, Tensor]:
    """Return counts and sums by row and bin as two flat sparse tensors, which add up over files.

    Args:
        losses: Of 0 or more, (n,).
        rows: The row of each, (n,).
        n_rows: How many rows there are.
        scale: Where the bins are.
        name: What the two are called, with ``/counts`` (int64) and ``/sums`` (float64) behind it.

    Examples:
        >>> tally = level_tally(torch.tensor([1.0, 1.5]), torch.tensor([0, 0]), 1, scale_for(1, most=32))
        >>> levels_of(tally, 1)[0, 17]
        tensor([2.0000, 2.5000], dtype=torch.float64)
    """
    bins, size = scale.bins(losses), n_rows * scale.n_bins
    if not scale.whole:
        inside = (bins >= 0) & (bins < scale.n_bins)
        bins, rows, losses = bins[inside], rows[inside], losses[inside]
    places = rows * scale.n_bins + bins
    # Sorting the few places that there are is faster than looking at all bins. 32 bits hold any of them.
    used, which = torch.unique(places.to(torch.int32), return_inverse=True)
    counts = torch.bincount(which, minlength=len(used))
    sums = torch.bincount(which, weights=losses.to(torch.float64), minlength=len(used)).to(torch.float64)
    return {f"{name}/counts": _sparse(used, counts, size), f"{name}/sums": _sparse(used, sums, size)}


def _sparse(places: Tensor, values: Tensor, size: int) -> Tensor:
    return torch.sparse_coo_tensor(
        places.to(torch.int64).unsqueeze(0), values, (size,), check_invariants=False, is_coalesced=True
    )


def levels_of(tally: Mapping[str, Tensor], n_rows: int, name: str = "levels") -> Tensor:
    """Return what `level_tally` counted as one dense tensor, (rows, bins, 2)."""
    parts = (tally[f"{name}/{part}"] for part in ("counts", "sums"))
    return torch.stack([(part.to_dense() if part.is_sparse else part).to(torch.float64) for part in parts], 1).view(
        n_rows, -1, 2
    )


def hardest(levels: Tensor, n_kept: float, scale: Scale, above: Tensor | None = None) -> Hardest:
    """Return the ``n_kept`` largest losses, added up by row.

    Args:
        levels: Counts and sums by row and bin, (rows, bins, 2).
        n_kept: From 1 to how many there are.
        scale: Where the bins are.
        above: Counts and sums of what is kept besides, (rows, 2).

    Examples:
        >>> losses, scale = torch.tensor([4.0, 2.0, 2.0, 1.0]), scale_for(1)
        >>> found = hardest(levels_of(level_tally(losses, torch.zeros(4).long(), 1, scale), 1), 2, scale)
        >>> found.sums, found.level, found.exact
        (tensor([[2., 6.]], dtype=torch.float64), 2.0, True)
    """
    reached = levels[:, :, 0].sum(0).flip(0).cumsum(0)
    place = scale.n_bins - 1 - min(int((reached < n_kept).sum()), scale.n_bins - 1)
    beyond = levels[:, place + 1 :].sum(1)
    n_left = n_kept - float(beyond[:, 0].sum())
    n_here, sum_here = (float(part) for part in levels[:, place].sum(0))
    part, mean = n_left / n_here, sum_here / n_here
    known = beyond if above is None else beyond + above
    off = _off(scale, place, n_here, sum_here, n_left)
    return Hardest(known + part * levels[:, place], mean, place, off, known, n_left)


def _off(scale: Scale, place: int, n_here: float, sum_here: float, n_left: float) -> float:
    lower, upper = scale.patterns(place)
    if n_left == n_here or upper - lower == 1:
        return 0.0
    least, beyond = torch.tensor([lower, upper], dtype=torch.int32).view(torch.float32).tolist()
    # The hardest of the bin sum to no more than their number at its upper edge, and the rest to no less than theirs
    # at the lower one.
    most = min(n_left * beyond, sum_here - (n_here - n_left) * least)
    return float(max(0.0, most - n_left * sum_here / n_here))
