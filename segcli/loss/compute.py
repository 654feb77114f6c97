"""The losses of one batch in memory, as numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch  # noqa: TID253 - reached through segcli.loss.evaluation alone, which imports it where it is used
from torch import Tensor  # noqa: TID253 - as above

from segcli.loss.layout import Layout
from segcli.loss.result import LossValue, OhemValue
from segcli.loss.settings import KnownMode, LossSettings
from segcli.nn.losses.dice import check_settings, parts_of
from segcli.nn.losses.focal import check_alpha, check_gamma, pixel_focal
from segcli.nn.losses.inputs import Inputs, prepare
from segcli.nn.losses.ohem import check_thresh, select_hard
from segcli.nn.losses.sums import (
    accumulator,
    class_counts,
    class_sums,
    element_cross_entropy,
    pixel_cross_entropy,
    ratio,
    total,
)


@dataclass(frozen=True, eq=False)
class Batch:
    """What the losses work on.

    Attributes:
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        inputs: Ready for arithmetic.
        by_label: The same with a class axis and whole labels, to choose and count pixels by label; none for multilabel.
            A sigmoid is the softmax over two classes of which the first has logit 0.
    """

    mode: KnownMode
    inputs: Inputs
    by_label: Inputs | None


def make_batch(logits: Tensor, labels: Tensor, layout: Layout, settings: LossSettings) -> Batch:
    """View the tensors as ``layout`` says, and make them ready."""
    inputs = prepare(
        logits.reshape(layout.logits),
        labels.reshape(layout.labels),
        mode=layout.mode,
        ignore_index=settings.ignore_index,
        validate=False,
    )
    if layout.mode == "multilabel":
        return Batch(layout.mode, inputs, None)
    if layout.mode == "multiclass":
        return Batch(layout.mode, inputs, inputs)
    two = torch.stack([torch.zeros_like(inputs.logits), inputs.logits], dim=1)
    return Batch(layout.mode, inputs, Inputs(two, inputs.labels.to(torch.int64), inputs.valid))


def _ce(batch: Batch, _: LossSettings) -> LossValue:
    return _mean(pixel_cross_entropy(batch.inputs), batch)


def _bce(batch: Batch, _: LossSettings) -> LossValue:
    return _mean(element_cross_entropy(batch.inputs), batch)


def _focal(batch: Batch, settings: LossSettings) -> LossValue:
    check_gamma(settings.gamma)
    check_alpha(settings.alpha, batch.mode)
    return _mean(pixel_focal(batch.inputs, gamma=settings.gamma, alpha=settings.alpha, mode=batch.mode), batch)


def _ohem(batch: Batch, settings: LossSettings) -> LossValue:
    check_thresh(settings.thresh)
    by_label = batch.by_label
    if by_label is None:  # pragma: no cover - ohem does not apply to multilabel
        raise NotImplementedError
    losses = pixel_cross_entropy(by_label)
    chosen = select_hard(losses, by_label.valid, thresh=settings.thresh, n_min=settings.n_min)
    kept = class_sums(chosen.share, by_label).sum(0)
    sums = class_sums(chosen.share * losses, by_label).sum(0)
    return OhemValue(
        value=chosen.loss.item(),
        per_class=_quotients(sums, kept),
        n_valid=chosen.n_valid,
        n_hard=chosen.n_hard,
        n_min=chosen.n_min,
        n_kept=chosen.n_kept,
        threshold=chosen.threshold,
        loss_threshold=chosen.loss_threshold,
        branch=chosen.branch,
        n_kept_per_class=tuple(kept.tolist()),
    )


def _dice(batch: Batch, settings: LossSettings) -> LossValue:
    check_settings(settings.smooth, settings.reduce, settings.absent)
    parts = parts_of(
        batch.inputs,
        mode=batch.mode,
        smooth=settings.smooth,
        squared=settings.squared,
        reduce=settings.reduce,
        absent=settings.absent,
    )
    counted = parts.counted.to(parts.losses.dtype)
    per_class = _quotients((parts.losses * counted).sum(0), counted.sum(0))
    # Binary Dice is that of the foreground; the background has none.
    return LossValue(parts.loss.item(), (None, *per_class) if batch.mode == "binary" else per_class)


LOSS_FUNCTIONS: dict[str, Callable[[Batch, LossSettings], LossValue]] = {
    "ce": _ce,
    "ohem": _ohem,
    "dice": _dice,
    "focal": _focal,
    "bce": _bce,
}


def _mean(losses: Tensor, batch: Batch) -> LossValue:
    value = ratio(total(losses), batch.inputs.valid.sum()).item()
    if batch.by_label is None:
        valid = batch.inputs.valid
        return LossValue(value, _quotients(_over_images(losses), _over_images(valid)))
    return LossValue(value, _quotients(class_sums(losses, batch.by_label).sum(0), count_classes(batch)))


def count_classes(batch: Batch) -> Tensor:
    """Count the pixels of every class; for multilabel, those that have it."""
    return _over_images(batch.inputs.labels > 0) if batch.by_label is None else class_counts(batch.by_label).sum(0)


def _over_images(values: Tensor) -> Tensor:
    """Add up by class: (N, C, *S) to (C,)."""
    dtype = accumulator(values) if values.is_floating_point() else torch.int64
    return values.transpose(0, 1).flatten(1).sum(1, dtype=dtype)


def _quotients(sums: Tensor, counts: Tensor) -> tuple[float | None, ...]:
    pairs = zip(sums.tolist(), counts.tolist(), strict=True)
    return tuple(above / below if below else None for above, below in pairs)
