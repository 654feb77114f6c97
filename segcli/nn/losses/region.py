"""What the region losses share: sums by image and class become an index, and one minus the indices a mean."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.processes import total_over
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, checked_weights, class_weights, read
from segcli.nn.losses.sums import ratio

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Reduce = Literal["image", "batch"]
Absent = Literal["skip", "zero", "count"]


@dataclass(frozen=True, eq=False)
class RegionParts:
    """What a region loss is the mean of.

    Attributes:
        losses: One minus the index, by image (one row under ``reduce="batch"``) and class, with the graph; 0 where not
            counted and where ``absent="zero"`` says so. Generalized Dice has one for all classes together, (N, 1).
        counted: Which of them enter the mean.
        loss: The mean, a scalar with its graph, in the accumulator's dtype (float64, but float32 on MPS).
    """

    losses: Tensor
    counted: Tensor
    loss: Tensor


@dataclass(frozen=True, eq=False)
class RegionSums:
    """Sums over the valid pixels, by image (one row for the whole batch) and class: (N, C).

    Attributes:
        overlap: sum(p y), with y 1 where the label is the class, else 0.
        predicted: sum(p), or sum(p^2).
        labelled: sum(y).
        valid: How many pixels are valid.
    """

    overlap: Tensor
    predicted: Tensor
    labelled: Tensor
    valid: Tensor


def region_parts(  # noqa: PLR0913 - the losses of overlap are one formula, with these numbers in it
    found: Statistics,
    *,
    alpha: float,
    beta: float,
    smooth: float,
    squared: bool = False,
    gamma: float = 1.0,
    reduce: Reduce,
    absent: Absent,
    weight: Weights,
    process_group: "ProcessGroup | None",
) -> RegionParts:
    """Return the mean of (1 - index)^gamma over classes, then over images, of what ``absent`` lets count.

    Images in which nothing is valid do not count; where nothing counts the mean is 0, with a graph.

    Args:
        found: Read with ``squares=True`` where ``squared`` is asked for.
        alpha: What a false positive costs in `tversky_index`.
        beta: What a false negative costs there.
        smooth: Added above and below there.
        squared: Whether sum(p^2) stands there in place of sum(p).
        gamma: Above 0.
        reduce: Whether there is an index of each image, or one of the batch.
        absent: Whether a class that no label names is left out, is 0, or counts as any other.
        weight: One a class.
        process_group: Whose images are one batch.
    """
    sums = region_sums(found, squared=squared, reduce=reduce, process_group=process_group)
    losses = powered(1 - tversky_index(sums, alpha, beta, smooth), gamma)
    present = sums.labelled > 0
    counted = (present if absent == "skip" else torch.ones_like(present)) & (sums.valid > 0)
    losses = losses.masked_fill(~(counted if absent == "count" else present), 0)
    weights = class_weights(weight, losses.shape[1], losses)
    part = counted.to(losses.dtype) if weights is None else counted * weights
    of_images = ratio((losses * part).sum(1), part.sum(1))
    return RegionParts(losses, counted, mean_over_images(of_images, part.sum(1) > 0, reduce, process_group))


def region_sums(
    found: Statistics, *, squared: bool = False, reduce: Reduce, process_group: "ProcessGroup | None"
) -> RegionSums:
    """Return the sums of each image, or those of the whole batch, which may be spread over the ranks of a group."""
    overlap, predicted = found.intersection, found.squares if squared else found.cardinality
    sums = torch.stack([overlap, predicted, found.labelled, found.valid.expand_as(overlap)])
    if reduce == "batch":
        # One message to the other ranks.
        sums = total_over(sums.sum(1, keepdim=True), process_group)
    return RegionSums(*sums.unbind())


def tversky_index(sums: RegionSums, alpha: float, beta: float, smooth: float) -> Tensor:
    """Return (TP + smooth) / (TP + alpha FP + beta FN + smooth), and 1 where nothing stands below.

    With TP = sum(p y), FP = sum(p (1 - y)) and FN = sum((1 - p) y). alpha and beta of 1/2 are Dice (with twice the
    ``smooth``), of 1 Jaccard.

    Shape:
        (N, C).

    Examples:
        >>> tversky_index(RegionSums(*torch.tensor([[[3.0]], [[4.0]], [[5.0]], [[9.0]]])), 0.5, 0.5, 0)
        tensor([[0.6667]])
    """
    # Not from FP and FN, which would be differences already: so there is no overlap below in Dice, as it is written.
    below = (1 - alpha - beta) * sums.overlap + alpha * sums.predicted + beta * sums.labelled + smooth
    # Rounding may leave less than nothing, where alpha or beta is 0.
    empty = below <= 0
    return ((sums.overlap + smooth) / below.masked_fill(empty, 1)).masked_fill(empty, 1)


def powered(losses: Tensor, gamma: float) -> Tensor:
    """Return losses^gamma, with a gradient of 0 at a loss of 0, where the slope is infinite below a gamma of 1.

    Rounding may leave a loss a little below 0; it counts as 0.

    Examples:
        >>> loss = torch.zeros(1, requires_grad=True)
        >>> torch.autograd.grad(powered(loss, 0.75), loss)
        (tensor([0.]),)
    """
    if gamma == 1:
        return losses
    perfect = losses <= 0
    return losses.masked_fill(perfect, 1).pow(gamma).masked_fill(perfect, 0)


def mean_over_images(
    losses: Tensor, counted: Tensor, reduce: Reduce, process_group: "ProcessGroup | None" = None
) -> Tensor:
    """Return the mean over the images that count, of all ranks; of the whole batch there is one, the same everywhere.

    Shape:
        losses and counted (N,), result ().

    Examples:
        >>> mean_over_images(torch.tensor([0.2, 0.4, 0.0]), torch.tensor([True, True, False]), "image")
        tensor(0.3000)
    """
    sums = torch.stack([losses.sum(), counted.sum().to(losses.dtype)])
    loss, count = total_over(sums, process_group if reduce == "image" else None).unbind()
    return ratio(loss, count)


def check_settings(smooth: float, reduce: Reduce, absent: Absent) -> None:
    """Refuse settings that are none.

    Raises:
        ValueError: For a negative ``smooth`` or an unknown name.
    """
    check_number("smooth", smooth)
    check_name("reduce", reduce, get_args(Reduce))
    check_name("absent", absent, get_args(Absent))


def check_number(name: str, value: float) -> None:
    """Refuse what is not a finite number of 0 or more.

    Raises:
        ValueError: Naming the setting.
    """
    if not 0 <= value < math.inf:
        message = f"{name} is {value:g}, expected a finite number of 0 or more"
        raise ValueError(message)


def check_name(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a setting that is not among the known ones.

    Raises:
        ValueError: Naming them.
    """
    if value not in known:
        message = f"{name} is {value!r}, expected {' or '.join(known)}"
        raise ValueError(message)


class RegionLoss(nn.Module, ABC):
    """What the modules of the region losses have in common; a loss of its own says what is made of one read.

    ``weight`` moves with the module from device to device, and is not in its ``state_dict``.
    """

    weight: Tensor | None
    squared: bool = False

    def __init__(  # noqa: PLR0913 - the settings that all of them take
        self,
        *,
        smooth: float,
        ignore_index: int | None,
        reduce: Reduce,
        weight: Weights,
        mode: Mode,
        from_logits: bool,
        process_group: "ProcessGroup | None",
        backend: Backend,
        validate: bool,
    ) -> None:
        """Keep the settings."""
        super().__init__()
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.smooth = smooth
        self.ignore_index = ignore_index
        self.reduce: Reduce = reduce
        self.mode: Mode = mode
        self.from_logits = from_logits
        self.process_group = process_group
        self.backend: Backend = backend
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return self.parts(logits, labels).loss.to(compute_dtype(logits.dtype))

    def parts(self, logits: Tensor, labels: Tensor) -> RegionParts:
        """Return the loss of a batch, with the losses of its classes."""
        found = read(
            logits,
            labels,
            mode=self.mode,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            backend=self.backend,
            validate=self.validate,
            squares=self.squared,
        )
        return self.of(found)

    @abstractmethod
    def of(self, found: Statistics) -> RegionParts:
        """Return the loss of a read that several losses share."""


class OverlapLoss(RegionLoss):
    """What the modules of Dice and Jaccard have in common: their settings are the same."""

    def __init__(  # noqa: PLR0913 - those of the functions
        self,
        smooth: float = 1.0,
        ignore_index: int | None = 255,
        *,
        squared: bool = False,
        reduce: Reduce = "image",
        absent: Absent = "skip",
        weight: Weights = None,
        mode: Mode = "multiclass",
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `segcli.nn.losses.dice.dice_parts`."""
        check_settings(smooth, reduce, absent)
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
        self.squared = squared
        self.absent: Absent = absent

    def extra_repr(self) -> str:
        """Say the settings."""
        return (
            f"smooth={self.smooth}, squared={self.squared}, reduce={self.reduce!r}, absent={self.absent!r}, "
            f"mode={self.mode!r}, ignore_index={self.ignore_index}"
        )
