"""The losses of one batch in memory, as numbers; all of them from one read of the logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.loss.layout import Layout
from segcli.loss.result import LossValue, OhemValue
from segcli.loss.settings import LossSettings
from segcli.nn.kernels.reading import Statistics, statistics
from segcli.nn.kernels.selection import check_thresh
from segcli.nn.losses.cross_entropy import cross_entropy_of
from segcli.nn.losses.dice import dice_of
from segcli.nn.losses.focal import alpha_of_labels, check_alpha, focal_of
from segcli.nn.losses.ohem import effective_thresholds, ohem_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """What the losses are made of.

    Attributes:
        found: What one read of the logits gave.
        settings: With which parameters.
    """

    found: Statistics
    settings: LossSettings


def read_batch(
    logits: "Tensor", labels: "Tensor", layout: Layout, settings: LossSettings, wanted: tuple[str, ...]
) -> Batch:
    """View the tensors as ``layout`` says, and read what the ``wanted`` losses need."""
    found = statistics(
        logits.reshape(layout.logits),
        labels.reshape(layout.labels),
        mode=layout.mode,
        ignore_index=settings.ignore_index,
        thresh=settings.thresh if "ohem" in wanted else 0.0,
        gamma=settings.gamma if "focal" in wanted else 0.0,
        pixels="ohem" in wanted,
        squares="dice" in wanted and settings.squared,
        validate=False,
    )
    return Batch(found, settings)


def _cross_entropy(batch: Batch) -> LossValue:
    found = batch.found
    return LossValue(cross_entropy_of(found).item(), _means(found.cross_entropy, found))


def _focal(batch: Batch) -> LossValue:
    found, alpha = batch.found, batch.settings.alpha
    check_alpha(alpha, found.mode)
    weights = alpha_of_labels(alpha, found.focal, found.mode)
    return LossValue(
        focal_of(found, alpha=alpha).item(), _means(found.focal if weights is None else found.focal * weights, found)
    )


def _ohem(batch: Batch) -> LossValue:
    thresh = batch.settings.thresh
    check_thresh(thresh)
    parts = ohem_of(batch.found, n_min=batch.settings.n_min)
    choice, losses, kept = parts.choice, parts.losses.flatten(), parts.kept.flatten()
    threshold, loss_threshold = effective_thresholds(thresh, choice)
    return OhemValue(
        value=parts.loss.item(),
        per_class=_quotients(losses, kept),
        n_valid=choice.n_valid,
        n_hard=choice.n_hard,
        n_min=choice.n_min,
        n_kept=choice.n_kept,
        threshold=threshold,
        loss_threshold=loss_threshold,
        branch=choice.branch,
        n_kept_per_class=tuple(kept.tolist()),
    )


def _dice(batch: Batch) -> LossValue:
    settings = batch.settings
    parts = dice_of(
        batch.found,
        smooth=settings.smooth,
        squared=settings.squared,
        reduce=settings.reduce,
        absent=settings.absent,
    )
    counted = parts.counted.to(parts.losses.dtype)
    per_class = _quotients((parts.losses * counted).sum(0), counted.sum(0))
    # Binary Dice is that of the foreground; the background has none.
    return LossValue(parts.loss.item(), (None, *per_class) if batch.found.mode == "binary" else per_class)


LOSS_FUNCTIONS: dict[str, Callable[[Batch], LossValue]] = {
    "ce": _cross_entropy,
    "ohem": _ohem,
    "dice": _dice,
    "focal": _focal,
    # Cross-entropy of sigmoids.
    "bce": _cross_entropy,
}


def count_classes(found: Statistics) -> "Tensor":
    """Count the pixels of every class, the background's of binary labels too; for multilabel, those that have it."""
    return found.labelled.sum(0) if found.mode == "multilabel" else _by_class(found.count, found)


def _means(sums: "Tensor", found: Statistics) -> tuple[float | None, ...]:
    return _quotients(_by_class(sums, found), _by_class(found.count, found))


def _by_class(sums: "Tensor", found: Statistics) -> "Tensor":
    """Add up over the images: by label for multiclass and binary, over both labels of a class for multilabel."""
    return sums.sum((0, 2)) if found.mode == "multilabel" else sums.sum(0).flatten()


def _quotients(sums: "Tensor", counts: "Tensor") -> tuple[float | None, ...]:
    pairs = zip(sums.tolist(), counts.tolist(), strict=True)
    return tuple(above / below if below else None for above, below in pairs)
