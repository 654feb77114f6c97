"""Tversky: the overlap of what is predicted and what is there, with the two kinds of mistakes weighed apart."""

from typing import TYPE_CHECKING

from torch import Tensor

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, read
from segcli.nn.losses.region import Absent, Reduce, RegionLoss, RegionParts, check_number, check_settings, region_parts

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def tversky_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
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
    """Return the mean of 1 - Tversky over the classes.

    With p the softmax (sigmoid for multilabel and binary) and y the labels, 0 or 1, over the valid pixels:
    TP = sum(p y), FP = sum(p (1 - y)), FN = sum((1 - p) y), and
    Tversky = (TP + smooth) / (TP + alpha FP + beta FN + smooth). alpha and beta of 1/2 are Dice, with half its
    ``smooth``; of 1, Jaccard. Sums, and what happens where there is nothing to add up, are as in
    `segcli.nn.losses.dice.dice_parts`.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        alpha: What a false positive costs.
        beta: What a false negative costs; above alpha, a pixel missed is worse than one too many.
        smooth: Added above and below.
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
        Salehi et al. 2017, Tversky loss function for image segmentation using 3D fully convolutional deep networks,
        equations 2 and 3. Of the pairs tried there, 0.3 and 0.7 did best.

    Examples:
        >>> import torch
        >>> tversky_loss(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]), smooth=0)
        tensor(0.5299)
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
    parts = tversky_of(
        found,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )
    return parts.loss.to(compute_dtype(logits.dtype))


def tversky_of(
    found: Statistics,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    reduce: Reduce = "image",
    absent: Absent = "skip",
    weight: Weights = None,
    process_group: "ProcessGroup | None" = None,
) -> RegionParts:
    """Do what `tversky_loss` does, of a read that several losses share.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))
        >>> tversky_of(found, smooth=0).losses
        tensor([[0.4444, 0.6154]], dtype=torch.float64)
    """
    check_settings(smooth, reduce, absent)
    check_costs(alpha, beta)
    return region_parts(
        found,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )


def check_costs(alpha: float, beta: float) -> None:
    """Refuse costs of false positives and false negatives that are none.

    Raises:
        ValueError: Where one is negative or not finite, or both are 0.
    """
    check_number("alpha", alpha)
    check_number("beta", beta)
    if alpha == beta == 0:
        message = "alpha and beta are 0, expected one above 0: no mistake would cost anything"
        raise ValueError(message)


class TverskyLoss(RegionLoss):
    """`tversky_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> TverskyLoss(smooth=0)(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.5000)
    """

    def __init__(  # noqa: PLR0913 - those of the function
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        ignore_index: int | None = 255,
        *,
        reduce: Reduce = "image",
        absent: Absent = "skip",
        weight: Weights = None,
        mode: Mode = "multiclass",
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `tversky_loss`."""
        check_settings(smooth, reduce, absent)
        check_costs(alpha, beta)
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
        self.alpha = alpha
        self.beta = beta
        self.absent: Absent = absent

    def of(self, found: Statistics) -> RegionParts:
        """Return the loss of a read that several losses share."""
        return tversky_of(
            found,
            alpha=self.alpha,
            beta=self.beta,
            smooth=self.smooth,
            reduce=self.reduce,
            absent=self.absent,
            weight=self.weight,
            process_group=self.process_group,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return (
            f"alpha={self.alpha}, beta={self.beta}, smooth={self.smooth}, reduce={self.reduce!r}, "
            f"absent={self.absent!r}, mode={self.mode!r}, ignore_index={self.ignore_index}"
        )
