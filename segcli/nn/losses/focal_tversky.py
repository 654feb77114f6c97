"""Focal Tversky: Tversky losses of the classes to a power, so that classes that are found well count less, or more."""

from typing import TYPE_CHECKING

from torch import Tensor

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, read
from segcli.nn.losses.region import Absent, Reduce, RegionParts, check_number, check_settings, region_parts
from segcli.nn.losses.tversky import TverskyLoss, check_costs

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def focal_tversky_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 0.75,
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
    """Return the mean of (1 - Tversky)^gamma over the classes.

    ``gamma`` is the exponent itself, as in the authors' code and in the focal loss; the paper's gamma is one over it:
    its 4/3 is 0.75 here. Each class is raised to it, before the mean. A class without a mistake costs 0, with a
    gradient of 0, though below a gamma of 1 the slope of the power is infinite there.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        gamma: Above 0. Below 1, what is found well already keeps its gradient for longer; above 1, it loses it.
        alpha: What a false positive costs. The paper calls this one beta.
        beta: What a false negative costs. The paper calls this one alpha.
        smooth: Added above and below in Tversky.
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
        Abraham and Khan 2018, A Novel Focal Tversky loss function with improved Attention U-Net for lesion
        segmentation, equation 4; nabsabraham/focal-tversky-unet, ``losses.py``. They add the classes up.

    Examples:
        >>> import torch
        >>> focal_tversky_loss(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]), smooth=0)
        tensor(0.5946)
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
    parts = focal_tversky_of(
        found,
        gamma=gamma,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )
    return parts.loss.to(compute_dtype(logits.dtype))


def focal_tversky_of(  # noqa: PLR0913 - those of the loss
    found: Statistics,
    *,
    gamma: float = 0.75,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    reduce: Reduce = "image",
    absent: Absent = "skip",
    weight: Weights = None,
    process_group: "ProcessGroup | None" = None,
) -> RegionParts:
    """Do what `focal_tversky_loss` does, of a read that several losses share.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> import torch
        >>> from segcli.nn import kernels
        >>> found = kernels.statistics(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))
        >>> focal_tversky_of(found, gamma=2, smooth=0).losses
        tensor([[0.1975, 0.3787]], dtype=torch.float64)
    """
    check_settings(smooth, reduce, absent)
    check_costs(alpha, beta)
    check_exponent(gamma)
    return region_parts(
        found,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        smooth=smooth,
        reduce=reduce,
        absent=absent,
        weight=weight,
        process_group=process_group,
    )


def check_exponent(gamma: float) -> None:
    """Refuse what is no exponent here.

    Raises:
        ValueError: Where ``gamma`` is not above 0, or not finite.
    """
    check_number("gamma", gamma)
    if gamma == 0:
        message = "gamma is 0, expected a number above 0: every loss would be 1"
        raise ValueError(message)


class FocalTverskyLoss(TverskyLoss):
    """`focal_tversky_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> FocalTverskyLoss(gamma=2, smooth=0)(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]))
        tensor(0.2500)
    """

    def __init__(  # noqa: PLR0913 - those of the function
        self,
        gamma: float = 0.75,
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
        """Keep the settings; see `focal_tversky_loss`."""
        check_exponent(gamma)
        super().__init__(
            alpha,
            beta,
            smooth,
            ignore_index,
            reduce=reduce,
            absent=absent,
            weight=weight,
            mode=mode,
            from_logits=from_logits,
            process_group=process_group,
            backend=backend,
            validate=validate,
        )
        self.gamma = gamma

    def of(self, found: Statistics) -> RegionParts:
        """Return the loss of a read that several losses share."""
        return focal_tversky_of(
            found,
            gamma=self.gamma,
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
        return f"gamma={self.gamma}, {super().extra_repr()}"
