"""Jaccard: one minus the overlap of what is predicted and what is there over their union, class by class."""

from typing import TYPE_CHECKING

from torch import Tensor

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, read
from segcli.nn.losses.region import Absent, OverlapLoss, Reduce, RegionParts, check_settings, region_parts

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def jaccard_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
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
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return the mean of 1 - Jaccard over the classes: soft intersection over union.

    With p the softmax (sigmoid for multilabel and binary) and y the labels, 0 or 1, over the valid pixels,
    Jaccard = (sum(p y) + smooth) / (sum(p) + sum(y) - sum(p y) + smooth). With D the Dice that has twice the
    ``smooth`` it is D / (2 - D). Sums, and what happens where there is nothing to add up, are as in
    `segcli.nn.losses.dice.dice_parts`.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        smooth: Added above and below.
        squared: Whether sum(p^2) stands below instead of sum(p): Tanimoto.
        reduce: ``image``: an index of each image, the mean over its classes, then over images. ``batch``: an index of
            the whole batch, the mean over classes.
        absent: What a class is that no label names, in the image or the batch: ``skip``, not in the mean; ``zero``, a
            loss of 0 in it; ``count``, the formula.
        weight: One a class, of its part in the mean over classes.
        mode: ``multiclass``, ``multilabel``, or ``binary`` (the class 1 alone).
        ignore_index: The label of pixels that do not count; None where all do.
        from_logits: Whether logits are given, or the probabilities themselves.
        process_group: Whose ranks' images are one batch.
        backend: As in `segcli.nn.kernels.statistics`.
        validate: Refuse what is not finite, and labels that are none; on CUDA this waits for the device.

    Shape:
        logits (N, C, *S) and labels (N, *S) for multiclass, labels like logits (N, C, *S) for multilabel and (N, *S)
        for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Rahman and Wang 2016, Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation,
        section 3.

    Examples:
        >>> import torch
        >>> jaccard_loss(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]), smooth=0)
        tensor(0.6667)
    """
    found = read(
        logits,
        labels,
        mode=mode,
        ignore_index=ignore_index,
        from_logits=from_logits,
        backend=backend,
        validate=validate,
        squares=squared,
    )
    parts = jaccard_of(
        found,
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )
    return parts.loss.to(compute_dtype(logits.dtype))


def jaccard_of(
    found: Statistics,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    reduce: Reduce = "image",
    absent: Absent = "skip",
    weight: Weights = None,
    process_group: "ProcessGroup | None" = None,
) -> RegionParts:
    """Do what `jaccard_loss` does, of a read that several losses share; ``squared`` needs one with ``squares=True``.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))
        >>> jaccard_of(found, smooth=0).losses
        tensor([[0.5714, 0.8000]], dtype=torch.float64)
    """
    check_settings(smooth, reduce, absent)
    return region_parts(
        found,
        alpha=1.0,
        beta=1.0,
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )


class JaccardLoss(OverlapLoss):
    """`jaccard_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> JaccardLoss(smooth=0)(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.6667)
    """

    def of(self, found: Statistics) -> RegionParts:
        """Return the loss of a read that several losses share."""
        return jaccard_of(
            found,
            smooth=self.smooth,
            squared=self.squared,
            reduce=self.reduce,
            absent=self.absent,
            weight=self.weight,
            process_group=self.process_group,
        )
