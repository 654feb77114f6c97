"""Dice: one minus the overlap of what is predicted and what is there, class by class."""

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

DiceParts = RegionParts


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
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return the mean of 1 - Dice over the classes; that of `dice_parts`, where the arguments are described.

    Shape:
        logits (N, C, *S) and labels (N, *S) for multiclass, labels like logits (N, C, *S) for multilabel and (N, *S)
        for binary; result (), in float32, or float64 for float64 logits.

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Milletari et al. 2016, V-Net, section 3 (that is ``squared=True, smooth=0``).

    Examples:
        >>> import torch
        >>> logits = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]])
        >>> dice_loss(logits, torch.tensor([[[1, 0], [1, 1]]]), mode="binary", smooth=1e-6)
        tensor(0.3076)
    """
    parts = dice_parts(
        logits,
        labels,
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        weight=weight,
        mode=mode,
        ignore_index=ignore_index,
        from_logits=from_logits,
        process_group=process_group,
        backend=backend,
        validate=validate,
    )
    return parts.loss.to(compute_dtype(logits.dtype))


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
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> DiceParts:
    """Return 1 - Dice by class, with its mean.

    With p the softmax (sigmoid for multilabel and binary) and y the labels, 0 or 1, over the valid pixels,
    Dice = (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth). Sums are accumulated in float64 (float32 on MPS)
    whatever the logits' dtype. Images in which nothing is valid do not count; where nothing counts the loss is 0, with
    a graph. Where ``smooth`` is 0 and the sums are too, Dice is 1.

    Args:
        logits: Floating; half types are computed in float32.
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
        from_logits: Whether logits are given, or the probabilities themselves.
        process_group: Whose ranks' images are one batch: under ``batch`` their sums are added up, under ``image`` the
            losses of their images. ``losses`` and ``counted`` are of this rank's images under ``image``.
        backend: As in `segcli.nn.kernels.statistics`.
        validate: Refuse what is not finite, and labels that are none; on CUDA this waits for the device.

    Shape:
        As `dice_loss`; ``losses`` and ``counted`` are (N, C), or (1, C) under ``reduce="batch"``.

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Milletari et al. 2016, V-Net, section 3.

    Examples:
        >>> import torch
        >>> parts = dice_parts(torch.zeros(1, 3, 4), torch.tensor([[0, 0, 1, 1]]), smooth=0)
        >>> parts.losses, parts.counted
        (tensor([[0.6000, 0.6000, 0.0000]], dtype=torch.float64), tensor([[ True,  True, False]]))
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
    return dice_of(
        found,
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )


def dice_of(
    found: Statistics,
    *,
    smooth: float = 1.0,
    squared: bool = False,
    reduce: Reduce = "image",
    absent: Absent = "skip",
    weight: Weights = None,
    process_group: "ProcessGroup | None" = None,
) -> DiceParts:
    """Do what `dice_parts` does, of a read that several losses share; ``squared`` needs one with ``squares=True``.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))
        >>> dice_of(found, smooth=0).losses
        tensor([[0.4000, 0.6667]], dtype=torch.float64)
    """
    check_settings(smooth, reduce, absent)
    return region_parts(
        found,
        alpha=0.5,
        beta=0.5,
        smooth=smooth / 2,
        squared=squared,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )


class DiceLoss(OverlapLoss):
    """`dice_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> DiceLoss(smooth=0)(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.5000)
    """

    def of(self, found: Statistics) -> DiceParts:
        """Return the loss of a read that several losses share."""
        return dice_of(
            found,
            smooth=self.smooth,
            squared=self.squared,
            reduce=self.reduce,
            absent=self.absent,
            weight=self.weight,
            process_group=self.process_group,
        )
