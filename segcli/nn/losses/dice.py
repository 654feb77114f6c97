"""Dice: one minus the overlap of what is predicted and what is there, class by class."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from segcli.nn.losses.inputs import Inputs, Mode, Weights, checked_weights, class_weights, prepare
from segcli.nn.losses.sums import accumulator, class_counts, class_sums, ratio

Reduce = Literal["image", "batch"]
Absent = Literal["skip", "zero", "count"]


@dataclass(frozen=True, eq=False)
class DiceParts:
    """What a Dice loss is the mean of.

    Attributes:
        losses: 1 - Dice by image (one row under ``reduce="batch"``) and class, with the graph; 0 where not counted
            and where ``absent="zero"`` says so.
        counted: Which of them enter the mean.
        loss: The mean, a scalar with its graph.
    """

    losses: Tensor
    counted: Tensor
    loss: Tensor


def dice_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    reduce: Reduce = "image",
    absent: Absent = "skip",
    weight: Weights = None,
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    validate: bool = True,
) -> Tensor:
    """Return the mean of 1 - Dice over the classes; the same as `dice_parts(...).loss`, where arguments are described.

    Shape:
        logits (N, C, *S) and labels (N, *S) for multiclass, labels like logits (N, C, *S) for multilabel and (N, *S)
        for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Milletari et al. 2016, V-Net, section 3 (that is ``squared=True, smooth=0``).

    Examples:
        >>> logits = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]])
        >>> dice_loss(logits, torch.tensor([[[1, 0], [1, 1]]]), mode="binary", smooth=1e-6)
        tensor(0.3076)
    """
    return dice_parts(
        logits,
        labels,
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        weight=weight,
        mode=mode,
        ignore_index=ignore_index,
        validate=validate,
    ).loss


def dice_parts(  # noqa: PLR0913 - as above
    logits: Tensor,
    labels: Tensor,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    reduce: Reduce = "image",
    absent: Absent = "skip",
    weight: Weights = None,
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    validate: bool = True,
) -> DiceParts:
    """Return 1 - Dice by class, with its mean.

    With p the softmax (sigmoid for multilabel and binary) and y the labels, 0 or 1, over the valid pixels,
    Dice = (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth). Sums are accumulated in float64 (float32 on MPS)
    whatever the logits' dtype. Images in which nothing is valid do not count; where nothing counts the loss is 0, with
    a graph. Where ``smooth`` is 0 and the sums are too, Dice is 1.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        smooth: Added above and below.
        squared: Whether sum(p^2) stands below instead of sum(p), as in V-Net.
        reduce: ``image``: sums of each image, the mean over its classes, then over images. ``batch``: sums of the whole
            batch, the mean over classes.
        absent: What a class is that no label names, in the image or the batch. ``skip``: not in the mean.
            ``zero``: a loss of 0 in the mean, as smp's. ``count``: the formula, as MONAI's, near 1 as soon as
            anything is predicted.
        weight: One a class, of its part in the mean over classes.
        mode: ``multiclass``, ``multilabel``, or ``binary`` (the class 1 alone).
        ignore_index: The label of pixels that do not count; None where all do.
        validate: Check for NaN, infinities and labels out of range first; on CUDA this waits for the device.

    Shape:
        As `dice_loss`; ``losses`` and ``counted`` are (N, C), or (1, C) under ``reduce="batch"``.

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Milletari et al. 2016, V-Net, section 3.

    Examples:
        >>> parts = dice_parts(torch.zeros(1, 3, 4), torch.tensor([[0, 0, 1, 1]]), smooth=0)
        >>> parts.losses, parts.counted
        (tensor([[0.6000, 0.6000, 0.0000]], dtype=torch.float64), tensor([[ True,  True, False]]))
    """
    check_settings(smooth, reduce, absent)
    inputs = prepare(logits, labels, mode=mode, ignore_index=ignore_index, validate=validate)
    return parts_of(inputs, mode=mode, smooth=smooth, squared=squared, reduce=reduce, absent=absent, weight=weight)


def parts_of(
    inputs: Inputs,
    *,
    mode: Mode,
    smooth: float,
    squared: bool,
    reduce: Reduce,
    absent: Absent,
    weight: Weights = None,
) -> DiceParts:
    """Return what `dice_parts` does, of inputs that are ready."""
    multiclass = mode == "multiclass"
    sums = _multiclass_sums(inputs, squared=squared) if multiclass else _binary_sums(inputs, squared=squared, mode=mode)
    if reduce == "batch":
        sums = _Sums(*(part.sum(0, keepdim=True) for part in (sums.overlap, sums.predicted, sums.labelled, sums.valid)))
    losses = 1 - _dice(sums, smooth)
    present = sums.labelled > 0
    counted = (present if absent == "skip" else torch.ones_like(present)) & (sums.valid > 0)
    losses = losses.masked_fill(~(counted if absent == "count" else present), 0)
    weights = class_weights(weight, losses.shape[1], losses)
    part = counted.to(losses.dtype) if weights is None else counted * weights
    of_images = ratio((losses * part).sum(1), part.sum(1))
    mean = ratio(of_images.sum(), (part.sum(1) > 0).sum())
    return DiceParts(losses, counted, mean.to(inputs.logits.dtype))


@dataclass(frozen=True, eq=False)
class _Sums:
    """By image and class, (N, C): sum(p y), sum(p) or sum(p^2), sum(y), and how many pixels were valid."""

    overlap: Tensor
    predicted: Tensor
    labelled: Tensor
    valid: Tensor


def _multiclass_sums(inputs: Inputs, *, squared: bool) -> _Sums:
    p = inputs.logits.softmax(1)
    at_label = p.gather(1, inputs.labels.unsqueeze(1)).squeeze(1)
    counts = class_counts(inputs)
    return _Sums(
        overlap=class_sums(at_label, inputs),
        predicted=_by_class(p.square() if squared else p, inputs.valid.unsqueeze(1)),
        labelled=counts,
        valid=counts.sum(1, keepdim=True),
    )


def _binary_sums(inputs: Inputs, *, squared: bool, mode: Mode) -> _Sums:
    p, labels, valid = inputs.logits.sigmoid(), inputs.labels, inputs.valid
    if mode == "binary":
        # One class, so one axis more.
        p, labels, valid = p.unsqueeze(1), labels.unsqueeze(1), valid.unsqueeze(1)
    return _Sums(
        overlap=_by_class(p * labels, valid),
        predicted=_by_class(p.square() if squared else p, valid),
        labelled=_by_class(labels, valid),
        valid=_by_class(valid.to(p.dtype), valid),
    )


def _by_class(values: Tensor, valid: Tensor) -> Tensor:
    """Add up over the valid pixels: (N, C, *S) to (N, C)."""
    kept = values.masked_fill(~valid, 0).unsqueeze(-1)
    return kept.flatten(2).sum(2, dtype=accumulator(values))


def _dice(sums: _Sums, smooth: float) -> Tensor:
    below = sums.predicted + sums.labelled + smooth
    empty = below == 0
    return ((2 * sums.overlap + smooth) / below.masked_fill(empty, 1)).masked_fill(empty, 1)


def check_settings(smooth: float, reduce: Reduce, absent: Absent) -> None:
    """Refuse settings that are none.

    Raises:
        ValueError: For a negative ``smooth`` or an unknown name.
    """
    if not 0 <= smooth < float("inf"):
        message = f"smooth is {smooth:g}, expected a finite number of 0 or more"
        raise ValueError(message)
    for name, value, known in (("reduce", reduce, get_args(Reduce)), ("absent", absent, get_args(Absent))):
        if value not in known:
            message = f"{name} is {value!r}, expected {' or '.join(known)}"
            raise ValueError(message)


class DiceLoss(nn.Module):
    """`dice_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> DiceLoss(smooth=0)(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.5000)
    """

    weight: Tensor | None

    def __init__(
        self,
        smooth: float = 1.0,
        ignore_index: int | None = 255,
        *,
        squared: bool = False,
        reduce: Reduce = "image",
        absent: Absent = "skip",
        weight: Weights = None,
        mode: Mode = "multiclass",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `dice_parts`."""
        super().__init__()
        check_settings(smooth, reduce, absent)
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.smooth = smooth
        self.ignore_index = ignore_index
        self.squared = squared
        self.reduce: Reduce = reduce
        self.absent: Absent = absent
        self.mode: Mode = mode
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return dice_loss(
            logits,
            labels,
            smooth=self.smooth,
            squared=self.squared,
            reduce=self.reduce,
            absent=self.absent,
            weight=self.weight,
            mode=self.mode,
            ignore_index=self.ignore_index,
            validate=self.validate,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return (
            f"smooth={self.smooth}, squared={self.squared}, reduce={self.reduce!r}, absent={self.absent!r}, "
            f"mode={self.mode!r}, ignore_index={self.ignore_index}"
        )
