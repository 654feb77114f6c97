"""Which pixels OHEM keeps, given the loss of every pixel: exact whatever the ties, and without a sort."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor

from segcli.nn.kernels.processes import all_reduce, name_of

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

NMin = int | float | Fraction | None
Branch = Literal["hard", "top-k", "all", "none"]

BRANCHES: tuple[Branch, ...] = ("hard", "top-k", "all", "none")
# BiSeNet keeps at least 1/16 of the valid pixels (CoinCheung/BiSeNet, lib/ohem_ce_loss.py).
DEFAULT_SHARE = Fraction(1, 16)
# A fraction such as 0.29 means 29/100, not the float nearest to it: 0.29 * 100 pixels are 29.
_MAX_DENOMINATOR = 10**6
# So many pixels are looked at together: what stands beside them stays small, however many there are.
_CHUNK = 2**20
# One histogram tells this many bits of a float: 2048 bins, of which one goes on to the next.
_BITS = 11


@dataclass(frozen=True, eq=False)
class Selection:
    """What OHEM chose; over all ranks where there are several, but for ``share``.

    Attributes:
        n_valid: Pixels that are not ignored.
        n_hard: Those whose loss is above ``-log(thresh)``.
        n_min: How many are kept at least, as a count; never more than ``n_valid``.
        n_kept: How many were kept: the larger of ``n_min`` and ``n_hard``.
        bound: The loss that was effective: ``-log(thresh)`` on the branches ``hard`` and ``none``, that of the easiest
            kept pixel on ``top-k`` and ``all``.
        branch: ``hard``: every hard pixel, as there are ``n_min`` or more. ``top-k``: the ``n_min`` hardest, as fewer
            are hard. ``all``: the ``n_min`` hardest are all that is valid. ``none``: nothing is valid, or
            nothing is hard and ``n_min`` is 0.
        share: Which part of each pixel was kept, (N, *S): 1, 0, or between for pixels that tie for the last places.
    """

    n_valid: int
    n_hard: int
    n_min: int
    n_kept: int
    bound: float
    branch: Branch
    share: Tensor


@dataclass(frozen=True)
class Choice:
    """What `choose` found: a pixel above ``level`` is kept whole, one at it in ``part``, one below not at all.

    The other attributes are those of `Selection`.
    """

    n_valid: int
    n_hard: int
    n_min: int
    n_kept: int
    level: float
    part: float
    branch: Branch


def select(pixels: Tensor, *, bound: float, n_min: NMin, process_group: "ProcessGroup | None" = None) -> Selection:
    """Choose the pixels above ``bound``, or the ``n_min`` hardest where fewer are.

    Args:
        pixels: Losses of any shape; below 0 where ignored.
        bound: The loss above which a pixel is hard.
        n_min: A count or a share; see `check_n_min`.
        process_group: Whose pixels are chosen from as one.

    Examples:
        >>> select(torch.tensor([2.0, 1.0, 0.1, 0.1, -1.0]), bound=0.357, n_min=3).share
        tensor([1.0000, 1.0000, 0.5000, 0.5000, 0.0000])
    """
    known = pixels.detach()
    # One wait for the device, not two.
    counts = torch.stack([torch.count_nonzero(known >= 0), torch.count_nonzero((known > bound) & (known >= 0))])
    chosen = choose(known, counts, bound, as_ints(n_min), name_of(process_group))
    return Selection(
        chosen.n_valid,
        chosen.n_hard,
        chosen.n_min,
        chosen.n_kept,
        chosen.level,
        chosen.branch,
        shares(known, chosen.level, chosen.part),
    )


def choose(pixels: Tensor, counts: Tensor, bound: float, n_min: list[int], group: str = "") -> Choice:
    """Find the level that tells kept pixels from others; a look at the pixels is needed only where too few are hard.

    Args:
        pixels: Losses of any shape; below 0 where ignored.
        counts: (2,), how many are valid, and of these above ``bound``; of this rank.
        bound: The loss above which a pixel is hard.
        n_min: As `as_ints` gives it.
        group: The name of the ranks that share the pixels; empty for this process alone.

    Examples:
        >>> choose(torch.tensor([2.0, 0.1, 0.1]), torch.tensor([3, 1]), 0.357, [2])
        Choice(n_valid=3, n_hard=1, n_min=2, n_kept=2, level=0.1..., part=0.5, branch='top-k')
    """
    n_valid, n_hard = (int(count) for count in all_reduce(counts, group).tolist())
    least = least_kept(n_min, n_valid)
    n_kept = max(least, n_hard)
    if n_hard >= least:
        return Choice(n_valid, n_hard, least, n_kept, bound, 0.0, "hard" if n_kept else "none")
    level, n_above, n_level = kth_largest(pixels, least, group)
    part = (least - n_above) / n_level if n_level else 0.0
    return Choice(n_valid, n_hard, least, n_kept, level, part, "all" if least == n_valid else "top-k")


def shares(pixels: Tensor, level: float, part: float) -> Tensor:
    """Return which part of each pixel is kept, in the losses' dtype.

    Examples:
        >>> shares(torch.tensor([3.0, 2.0, 1.0]), 2.0, 0.25)
        tensor([1.0000, 0.2500, 0.0000])
    """
    # A bound of 0 is -0.0 too, and ignored pixels are below either.
    kept = (pixels > level).to(pixels.dtype)
    return kept.masked_fill_(pixels == level, part) if part else kept


def kth_largest(pixels: Tensor, k: int, group: str = "") -> tuple[float, int, int]:
    """Return the k-th largest loss of 0 or more, how many are above it, and how many equal it.

    The bits of floats of one sign are ordered as the floats are. So the bin of a histogram over the first bits that
    holds the k-th tells those bits, and a histogram over the next bits of what fell into it the rest. Ranks need to
    exchange 16 KB three times for float32, however many pixels they have.

    Args:
        pixels: Of any shape; those below 0 do not count.
        k: From 1 to how many count.
        group: The name of the ranks that share the pixels; empty for this process alone.

    Examples:
        >>> kth_largest(torch.tensor([3.0, 1.0, 2.0, 2.0, -1.0]), 2)
        (2.0, 1, 2)
    """
    whole, width = (torch.int64, 63) if pixels.dtype == torch.float64 else (torch.int32, 31)
    flat = pixels.reshape(-1)
    n_above, known, n_level = 0, 0, 0
    while width:
        step = min(_BITS, width)
        width -= step
        counts = sum(_count_digits(part, whole, width, step, known) for part in torch.split(flat, _CHUNK))
        # From the largest digit down, the first at which k are reached.
        reached = all_reduce(cast("Tensor", counts), group).cpu().flip(0).cumsum(0)
        place = min(int((reached < k - n_above).sum()), 2**step - 1)
        before = int(reached[place - 1]) if place else 0
        n_level = int(reached[place]) - before
        n_above += before
        known = (known << step) + 2**step - 1 - place
    return torch.tensor(known, dtype=whole).view(pixels.dtype).item(), n_above, n_level


def _count_digits(losses: Tensor, whole: torch.dtype, width: int, step: int, known: int) -> Tensor:
    """Count the digits of ``step`` bits above the last ``width``, where ``known`` stands before them."""
    # Adding 0 takes the sign from -0.0.
    digits = ((losses + 0.0).view(whole) >> width).sub_(known << step)
    return torch.bincount(digits.clamp_(-1, 2**step).add_(1), minlength=2**step + 2)[1:-1]


def histogram(pixels: Tensor) -> Tensor:
    """Count the losses that share the first 11 bits after the sign of their float32: (2048,), int64.

    Examples:
        >>> histogram(torch.tensor([1.0, 1.01, 2.0, -1.0])).nonzero().flatten().tolist()
        [1016, 1024]
    """
    known = pixels[pixels >= 0].to(torch.float32)
    return torch.bincount(known.view(torch.int32) >> (31 - _BITS), minlength=2**_BITS)


def as_ints(n_min: NMin) -> list[int]:
    """Return a count, or numerator and denominator of a share: what an operator of torch takes.

    Examples:
        >>> as_ints(7), as_ints(0.29)
        ([7], [29, 100])
    """
    if isinstance(n_min, int):
        return [min(n_min, 2**62)]
    share = share_of(n_min)
    return [share.numerator, share.denominator]


def share_of(n_min: float | Fraction | None) -> Fraction:
    """Return the share of the valid pixels that is meant.

    Examples:
        >>> share_of(None), share_of(0.29)
        (Fraction(1, 16), Fraction(29, 100))
    """
    return DEFAULT_SHARE if n_min is None else Fraction(n_min).limit_denominator(_MAX_DENOMINATOR)


def least_kept(n_min: list[int], n_valid: int) -> int:
    """Return how many are kept at least, a count that is never more than ``n_valid``.

    Examples:
        >>> least_kept([7], 5), least_kept([29, 100], 100)
        (5, 29)
    """
    return min(n_min[0] if len(n_min) == 1 else n_valid * n_min[0] // n_min[1], n_valid)


def loss_bound(thresh: float) -> float:
    """Return ``-log(thresh)``, the loss above which a pixel is hard.

    Examples:
        >>> round(loss_bound(0.7), 6)
        0.356675
    """
    return -math.log(thresh) if thresh > 0 else math.inf


def check_thresh(thresh: float) -> None:
    """Refuse what is no probability.

    Raises:
        ValueError: Where ``thresh`` is not from 0 to 1.
    """
    if not 0 <= thresh <= 1:
        message = f"thresh is {thresh:g}, expected a probability from 0 to 1"
        raise ValueError(message)


def check_n_min(n_min: NMin) -> None:
    """Refuse what is neither a count nor a share.

    A count is an int; a share of the valid pixels a float or a Fraction of at most 1, rounded down; None is a share of
    1/16. Mind 1, a pixel, and 1.0, all of them.

    Raises:
        ValueError: For a negative number, a float above 1, or True and False.
    """
    if n_min is None:
        return
    if isinstance(n_min, bool) or not n_min >= 0 or (not isinstance(n_min, int) and n_min > 1):
        message = f"n_min is {n_min}, expected a count (int) of 0 or more, or a share (float) from 0 to 1"
        raise ValueError(message)
