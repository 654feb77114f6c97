"""Online hard example mining: cross-entropy over the hard pixels, and over the hardest where few are hard."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor, nn

from segcli.nn.losses.inputs import Weights, checked_weights, class_weights, prepare
from segcli.nn.losses.sums import pixel_cross_entropy, ratio, total

NMin = int | float | Fraction | None
Branch = Literal["hard", "top-k", "all", "none"]

# BiSeNet keeps at least 1/16 of the valid pixels (CoinCheung/BiSeNet, lib/ohem_ce_loss.py).
DEFAULT_SHARE = Fraction(1, 16)
# A fraction such as 0.29 means 29/100, not the float nearest to it: 0.29 * 100 pixels are 29.
_MAX_DENOMINATOR = 10**6


@dataclass(frozen=True, eq=False)
class OhemSelection:
    """What OHEM chose, and the loss over it.

    Attributes:
        loss: The loss, a scalar with its graph.
        n_valid: Pixels that are not ignored.
        n_hard: Those whose loss is above ``-log(thresh)``.
        n_min: How many are kept at least, as a count; never more than ``n_valid``.
        n_kept: How many were kept: the larger of ``n_min`` and ``n_hard``.
        threshold: The ``thresh`` that was effective, a probability of the true class: ``thresh`` itself on the
            branch ``hard``, that of the easiest kept pixel on ``top-k`` and ``all``.
        loss_threshold: The same as a loss, ``-log(threshold)``.
        branch: ``hard``: every hard pixel, as there are ``n_min`` or more. ``top-k``: the ``n_min`` hardest, as fewer
            are hard. ``all``: the ``n_min`` hardest are all that is valid. ``none``: nothing is valid, or
            nothing is hard and ``n_min`` is 0; the loss is 0.
        share: Which part of each pixel was kept, (N, *S): 1, 0, or between for pixels that tie for the last places.
    """

    loss: Tensor
    n_valid: int
    n_hard: int
    n_min: int
    n_kept: int
    threshold: float
    loss_threshold: float
    branch: Branch
    share: Tensor


def ohem_cross_entropy_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    thresh: float = 0.7,
    n_min: NMin = None,
    weight: Weights = None,
    ignore_index: int | None = 255,
    validate: bool = True,
) -> Tensor:
    """Return the mean cross-entropy over the hard pixels, or over the ``n_min`` hardest where fewer are hard.

    The same as `ohem_selection(...).loss`, where arguments and rule are described.

    Shape:
        logits (N, C, *S) with C of 2 or more, labels (N, *S), result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        CoinCheung/BiSeNet, ``loss.py``, where that is defined and keeps no ignored pixel.

    Examples:
        >>> p = torch.tensor([[0.2, 0.6, 0.9, 0.95]])  # of label 0
        >>> logits = torch.stack([p.log(), (1 - p).log()], dim=1)
        >>> ohem_cross_entropy_loss(logits, torch.zeros(1, 4, dtype=torch.int64), thresh=0.7)
        tensor(1.0601)
    """
    return ohem_selection(
        logits, labels, thresh=thresh, n_min=n_min, weight=weight, ignore_index=ignore_index, validate=validate
    ).loss


def ohem_selection(
    logits: Tensor,
    labels: Tensor,
    *,
    thresh: float = 0.7,
    n_min: NMin = None,
    weight: Weights = None,
    ignore_index: int | None = 255,
    validate: bool = True,
) -> OhemSelection:
    """Choose the hard pixels and return the loss over them with what was chosen.

    With T = -log(thresh), over the valid pixels alone, m = max(min(n_min, n_valid), #{loss > T}); the loss is the sum
    of the m largest pixel losses over m. Nothing is sorted: hard pixels are counted, and only where they are fewer
    than ``n_min`` are the hardest selected. Pixels that tie for the last places share them, so value and gradient
    depend on no order. Where m is 0 the loss is 0, with a graph.

    On CUDA the device is waited for once to learn the counts, once more on the branches ``top-k`` and ``all``, and
    twice under ``validate``.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype.
        thresh: A pixel is hard where its true class has a probability below this; 0 leaves ``n_min`` alone to choose.
        n_min: The least number of pixels to keep: a count (int), or a share of the valid pixels (float or Fraction of
            at most 1, rounded down); None for 1/16. Mind 1, a pixel, and 1.0, all of them.
        weight: One a class. Pixels are chosen by their plain loss, so that ``thresh`` stays a probability;
            the mean over the kept ones is weighted as cross-entropy's.
        ignore_index: The label of pixels that do not count; None where all do.
        validate: Check for NaN, infinities and labels out of range first.

    Shape:
        logits (N, C, *S) with C of 2 or more, labels (N, *S).

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        CoinCheung/BiSeNet, ``loss.py``; Shrivastava et al. 2016, Training Region-based Object Detectors with OHEM.

    Examples:
        >>> selection = ohem_selection(torch.zeros(1, 2, 4), torch.tensor([[0, 1, 1, 255]]), thresh=0.7)
        >>> selection.n_valid, selection.n_hard, selection.n_kept, selection.branch
        (3, 3, 3, 'hard')
    """
    check_thresh(thresh)
    check_n_min(n_min)
    inputs = prepare(logits, labels, mode="multiclass", ignore_index=ignore_index, validate=validate)
    losses = pixel_cross_entropy(inputs)
    weights = class_weights(weight, inputs.n_classes, inputs.logits)
    at_pixels = None if weights is None else weights[inputs.labels]
    return select_hard(losses, inputs.valid, thresh=thresh, n_min=n_min, weight=at_pixels)


def select_hard(
    losses: Tensor, valid: Tensor, *, thresh: float, n_min: NMin, weight: Tensor | None = None
) -> OhemSelection:
    """Apply the rule of `ohem_selection` to losses that are known.

    Args:
        losses: One a pixel, of 0 or more.
        valid: True where a pixel counts.
        thresh: As a probability.
        n_min: A count or a share.
        weight: One a pixel.

    Shape:
        losses, valid and weight alike.

    Examples:
        >>> losses = torch.tensor([2.0, 1.0, 0.1, 0.1])
        >>> select_hard(losses, torch.ones(4, dtype=torch.bool), thresh=0.7, n_min=3).share
        tensor([1.0000, 1.0000, 0.5000, 0.5000])
    """
    bound = loss_bound(thresh)
    known = losses.detach()
    hard = (known > bound) & valid
    # One wait for the device, not two.
    n_valid, n_hard = (int(count) for count in torch.stack([valid.sum(), hard.sum()]).tolist())
    least = min(least_kept(n_min, n_valid), n_valid)
    n_kept = max(least, n_hard)
    branch: Branch
    if n_kept == 0:
        branch, share = "none", hard
    elif n_hard >= least:
        branch, share = "hard", hard
    else:
        branch = "all" if least == n_valid else "top-k"
        share, bound = _hardest(known.masked_fill(~valid, -math.inf), least, n_valid)
    share = share.to(losses.dtype)
    kept = share if weight is None else share * weight
    count = total(kept) if weight is not None else torch.full_like(total(kept.detach()), n_kept)
    return OhemSelection(
        loss=ratio(total(kept * losses), count).to(losses.dtype),
        n_valid=n_valid,
        n_hard=n_hard,
        n_min=least,
        n_kept=n_kept,
        threshold=thresh if branch in ("hard", "none") else math.exp(-bound),
        loss_threshold=bound,
        branch=branch,
        share=share,
    )


def _hardest(losses: Tensor, count: int, n_valid: int) -> tuple[Tensor, float]:
    """Return the share of each pixel in the ``count`` hardest, and the least loss among them."""
    flat = losses.flatten()
    if count == n_valid:
        least = flat.masked_fill(flat == -math.inf, math.inf).min()
        return losses >= least, least.item()
    least = flat.topk(count, sorted=False).values.min()
    above, level = losses > least, losses == least
    # Whole numbers divide into torch's default dtype, which is too coarse for float64 losses.
    places_left = (count - above.sum()).to(losses.dtype)
    return above + level * (places_left / level.sum()), least.item()


def least_kept(n_min: NMin, n_valid: int) -> int:
    """Return ``n_min`` as a count.

    Examples:
        >>> least_kept(None, 100), least_kept(0.29, 100), least_kept(7, 100)
        (6, 29, 7)
    """
    if isinstance(n_min, int):
        return n_min
    share = DEFAULT_SHARE if n_min is None else Fraction(n_min).limit_denominator(_MAX_DENOMINATOR)
    return math.floor(share * n_valid)


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

    Raises:
        ValueError: For a negative number, a float above 1, or True and False.
    """
    if n_min is None:
        return
    if isinstance(n_min, bool) or not n_min >= 0 or (not isinstance(n_min, int) and n_min > 1):
        message = f"n_min is {n_min}, expected a count (int) of 0 or more, or a share (float) from 0 to 1"
        raise ValueError(message)


class OhemCrossEntropyLoss(nn.Module):
    """`ohem_cross_entropy_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> OhemCrossEntropyLoss(thresh=0.7, n_min=2)(torch.zeros(3, 2), torch.tensor([0, 1, 255]))
        tensor(0.6931)
    """

    weight: Tensor | None

    def __init__(
        self,
        thresh: float = 0.7,
        n_min: NMin = None,
        ignore_index: int | None = 255,
        *,
        weight: Weights = None,
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `ohem_selection`."""
        super().__init__()
        check_thresh(thresh)
        check_n_min(n_min)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.thresh = thresh
        self.n_min = n_min
        self.ignore_index = ignore_index
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return self.select(logits, labels).loss

    def select(self, logits: Tensor, labels: Tensor) -> OhemSelection:
        """Return the loss of a batch with what was chosen."""
        return ohem_selection(
            logits,
            labels,
            thresh=self.thresh,
            n_min=self.n_min,
            weight=self.weight,
            ignore_index=self.ignore_index,
            validate=self.validate,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"thresh={self.thresh}, n_min={self.n_min}, ignore_index={self.ignore_index}"
