"""Generalized Dice: one Dice of all classes together, in which each weighs by how little of it there is."""

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, class_weights, read
from segcli.nn.losses.region import (
    Reduce,
    RegionLoss,
    RegionParts,
    check_name,
    check_number,
    mean_over_images,
    region_sums,
)

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Weighting = Literal["square", "simple", "uniform"]
AbsentWeight = Literal["skip", "count"]


def generalized_dice_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    weighting: Weighting = "square",
    smooth: float = 0.0,
    reduce: Reduce = "image",
    absent: AbsentWeight = "skip",
    weight: Weights = None,
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return 1 - the generalized Dice of each image, or of the batch, in the mean.

    With p the softmax (sigmoid for multilabel and binary), y the labels, 0 or 1, over the valid pixels, and the weight
    of a class w = 1 / sum(y)^2, generalized Dice is
    (2 sum_c(w sum(p y)) + smooth) / (sum_c(w (sum(p) + sum(y))) + smooth), and 1 where nothing stands below. Images in
    which nothing counts have no part in the mean; where there is no other it is 0, with a graph.

    The weights of large classes are small: that of 1000 pixels is 1e-6, so that a ``smooth`` which is harmless
    elsewhere is all that is left here. In binary mode there is one class, and its weight only scales ``smooth``: the
    paper's loss has foreground and background as two classes.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        weighting: What a class weighs: ``square``, 1 / volume^2, its volume being the number of pixels that have it;
            ``simple``, 1 / volume; ``uniform``, 1.
        smooth: Added above and below.
        reduce: ``image``: volumes and sums of each image. ``batch``: of the whole batch.
        absent: What a class is that no label names, in the image or the batch. ``skip``: it weighs nothing.
            ``count``: it weighs as much as the class that weighs most (1 where there is none), so that predicting it
            costs.
        weight: One a class, times which it weighs.
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
        Sudre et al. 2017, Generalised Dice overlap as a deep learning loss function for highly unbalanced
        segmentations, section 2.1; ``absent="count"`` as NiftyNet 0.6 and MONAI.

    Examples:
        >>> import torch
        >>> generalized_dice_loss(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))
        tensor(0.6250)
    """
    found = read(
        logits,
        labels,
        mode=mode,
        ignore_index=ignore_index,
        from_logits=from_logits,
        backend=backend,
        validate=validate,
    )
    parts = generalized_dice_of(
        found,
        weighting=weighting,
        smooth=smooth,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )
    return parts.loss.to(compute_dtype(logits.dtype))


def generalized_dice_of(
    found: Statistics,
    *,
    weighting: Weighting = "square",
    smooth: float = 0.0,
    reduce: Reduce = "image",
    absent: AbsentWeight = "skip",
    weight: Weights = None,
    process_group: "ProcessGroup | None" = None,
) -> RegionParts:
    """Do what `generalized_dice_loss` does, of a read that several losses share.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))
        >>> generalized_dice_of(found).losses
        tensor([[0.6250]], dtype=torch.float64)
    """
    check_weighting(weighting, smooth, reduce, absent)
    sums = region_sums(found, reduce=reduce, process_group=process_group)
    weights = volume_weights(sums.labelled, weighting, absent)
    given = class_weights(weight, weights.shape[1], weights)
    weights = weights * (sums.valid > 0) if given is None else weights * (sums.valid > 0) * given
    overlap = (weights * sums.overlap).sum(1)
    below = (weights * (sums.predicted + sums.labelled)).sum(1) + smooth
    empty = below == 0
    dice = ((2 * overlap + smooth) / below.masked_fill(empty, 1)).masked_fill(empty, 1)
    counted = weights.sum(1) > 0
    losses = (1 - dice).masked_fill(~counted, 0)
    loss = mean_over_images(losses, counted, reduce, process_group)
    return RegionParts(losses.unsqueeze(1), counted.unsqueeze(1), loss)


def volume_weights(volumes: Tensor, weighting: Weighting, absent: AbsentWeight) -> Tensor:
    """Return what each class weighs, given how many pixels have it.

    Shape:
        (N, C), both.

    Examples:
        >>> volume_weights(torch.tensor([[2.0, 4.0, 0.0]]), "square", "count")
        tensor([[0.2500, 0.0625, 0.2500]])
    """
    exponent = {"square": 2, "simple": 1, "uniform": 0}[weighting]
    present = volumes > 0
    weights = volumes.masked_fill(~present, 1).pow(-exponent)
    known = weights.masked_fill(~present, 0)
    if absent == "skip":
        return known
    largest = known.amax(1, keepdim=True)
    # Where no class is there, no weight is larger than another.
    return torch.where(present, weights, largest.masked_fill(largest == 0, 1))


def check_weighting(weighting: Weighting, smooth: float, reduce: Reduce, absent: AbsentWeight) -> None:
    """Refuse settings that are none.

    Raises:
        ValueError: For a negative ``smooth`` or an unknown name.
    """
    check_name("weighting", weighting, get_args(Weighting))
    check_number("smooth", smooth)
    check_name("reduce", reduce, get_args(Reduce))
    check_name("absent", absent, get_args(AbsentWeight))


class GeneralizedDiceLoss(RegionLoss):
    """`generalized_dice_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> GeneralizedDiceLoss()(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.5000)
    """

    def __init__(  # noqa: PLR0913 - those of the function
        self,
        weighting: Weighting = "square",
        smooth: float = 0.0,
        ignore_index: int | None = 255,
        *,
        reduce: Reduce = "image",
        absent: AbsentWeight = "skip",
        weight: Weights = None,
        mode: Mode = "multiclass",
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `generalized_dice_loss`."""
        check_weighting(weighting, smooth, reduce, absent)
        super().__init__(
            smooth=smooth,
            ignore_index=ignore_index,
            reduce=reduce,
            weight=weight,
            mode=mode,
            from_logits=from_logits,
            process_group=process_group,
            backend=backend,
            validate=validate,
        )
        self.weighting: Weighting = weighting
        self.absent: AbsentWeight = absent

    def of(self, found: Statistics) -> RegionParts:
        """Return the loss of a read that several losses share."""
        return generalized_dice_of(
            found,
            weighting=self.weighting,
            smooth=self.smooth,
            reduce=self.reduce,
            absent=self.absent,
            weight=self.weight,
            process_group=self.process_group,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return (
            f"weighting={self.weighting!r}, smooth={self.smooth}, reduce={self.reduce!r}, absent={self.absent!r}, "
            f"mode={self.mode!r}, ignore_index={self.ignore_index}"
        )
