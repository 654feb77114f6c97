"""Focal loss: cross-entropy that easy pixels hardly enter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics, check_gamma
from segcli.nn.losses.inputs import Weights, checked_weights, class_weights, read
from segcli.nn.losses.means import Mean, check_mean, weighted_mean

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Alpha = float | Weights


def focal_loss(  # noqa: PLR0913 - a named setting for every convention that others hide
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Alpha = None,
    mean: Mean = "valid",
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    from_logits: bool = True,
    process_group: "ProcessGroup | None" = None,
    backend: Backend = "auto",
    validate: bool = True,
) -> Tensor:
    """Return the mean of alpha (1 - p_t)^gamma (-log p_t) over the valid pixels, with p_t that of the label.

    p is the softmax for ``multiclass`` and the sigmoid for the others. The mean divides by the number of valid pixels
    (of valid elements for multilabel), by alpha only where asked; it is 0, with a graph, when nothing is valid. Where
    p_t rounds to 1 value and gradient are 0, whatever ``gamma``.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        gamma: 0 gives cross-entropy.
        alpha: For multiclass a number, which scales every class alike, or one a class. For multilabel and binary a
            number, or for multilabel one a class: label 1 takes alpha, label 0 takes 1 - alpha, so each is from
            0 to 1. None scales nothing.
        mean: What the sum is divided by. ``valid``: how many are valid. ``all``: how many there are, ignored ones too.
            ``weights``: the sum of alpha over what is valid.
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        ignore_index: The label of pixels that do not count; None where all do.
        from_logits: Whether logits are given, or the probabilities themselves.
        process_group: Whose ranks' pixels are one batch; see `segcli.nn.kernels.processes.total_over`.
        backend: As in `segcli.nn.kernels.statistics`.
        validate: Check alpha, and refuse what is not finite, and labels that are none; on CUDA this waits for the
            device.

    Shape:
        logits (N, C, *S) and labels (N, *S) for multiclass, labels like logits (N, C, *S) for multilabel and (N, *S)
        for binary; result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Source:
        Lin et al. 2017, Focal Loss for Dense Object Detection, equations 4 and 5.

    Examples:
        >>> p = torch.tensor([[0.1, 0.9]])  # label 1 is right with 0.9: a hundredth of its cross-entropy
        >>> focal_loss(p.log(), torch.tensor([1]))
        tensor(0.0011)
    """
    check_mean(mean)
    if validate and not torch.compiler.is_compiling():
        check_alpha(alpha, mode)
    found = read(
        logits,
        labels,
        mode=mode,
        ignore_index=ignore_index,
        from_logits=from_logits,
        backend=backend,
        validate=validate,
        gamma=gamma,
    )
    return focal_of(found, alpha=alpha, mean=mean, process_group=process_group).to(compute_dtype(logits.dtype))


def focal_of(
    found: Statistics,
    *,
    alpha: Alpha = None,
    mean: Mean = "valid",
    process_group: "ProcessGroup | None" = None,
) -> Tensor:
    """Do what `focal_loss` does, of a read that several losses share; in the accumulator's dtype.

    ``gamma`` is that of the read.

    Raises:
        ValueError: For settings out of range.

    Examples:
        >>> from segcli.nn import kernels
        >>> focal_of(kernels.statistics(torch.zeros(1, 2, 2), torch.tensor([[0, 1]]), gamma=1))
        tensor(0.3466, dtype=torch.float64)
    """
    check_mean(mean)
    losses = found.focal
    weights = alpha_of_labels(alpha, losses, found.mode)
    return weighted_mean(losses, found, weights=weights, mean=mean, process_group=process_group)


def alpha_of_labels(alpha: Alpha, like: Tensor, mode: Mode) -> Tensor | None:
    """Return alpha as it broadcasts to the sums by label of one image."""
    if alpha is None:
        return None
    if mode == "binary":
        alpha = _number(alpha)
    if isinstance(alpha, float | int):
        of_classes = like.new_full((like.shape[1],), alpha)
    else:
        of_classes = torch.as_tensor(class_weights(alpha, like.shape[1], like, "alpha"))
    return of_classes if mode == "multiclass" else torch.stack([1 - of_classes, of_classes], 1)


def _number(alpha: float | Tensor | Sequence[float]) -> float:
    if isinstance(alpha, float | int):
        return float(alpha)
    message = f"alpha holds {len(alpha)} values, expected one number for binary logits: that of label 1"
    raise ValueError(message)


def check_alpha(alpha: Alpha, mode: Mode) -> None:
    """Refuse what cannot weigh a class.

    Raises:
        ValueError: For a negative or infinite number, or one above 1 where label 0 takes 1 - alpha.
    """
    if alpha is None:
        return
    values = checked_weights([alpha] if isinstance(alpha, float | int) else alpha, "alpha")
    if mode != "multiclass" and values is not None and bool((values > 1).any()):
        message = f"alpha is {values.tolist()}, expected numbers from 0 to 1: label 0 takes 1 - alpha"
        raise ValueError(message)


class FocalLoss(nn.Module):
    """`focal_loss` as a module; ``alpha`` a class moves with it from device to device.

    Examples:
        >>> FocalLoss(gamma=0)(torch.zeros(1, 2), torch.tensor([1]))
        tensor(0.6931)
    """

    alpha_of_classes: Tensor | None

    def __init__(  # noqa: PLR0913 - as the function
        self,
        gamma: float = 2.0,
        alpha: Alpha = None,
        ignore_index: int | None = 255,
        *,
        mean: Mean = "valid",
        mode: Mode = "multiclass",
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `focal_loss`."""
        super().__init__()
        check_gamma(gamma)
        check_alpha(alpha, mode)
        check_mean(mean)
        self._number = alpha if isinstance(alpha, float | int) else None
        of_classes = None if isinstance(alpha, float | int) else checked_weights(alpha, "alpha")
        self.register_buffer("alpha_of_classes", of_classes, persistent=False)
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.mean: Mean = mean
        self.mode: Mode = mode
        self.from_logits = from_logits
        self.process_group = process_group
        self.backend: Backend = backend
        self.validate = validate

    @property
    def alpha(self) -> Alpha:
        """The number, the values of the classes, or None."""
        return self.alpha_of_classes if self._number is None else self._number

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return focal_loss(
            logits,
            labels,
            gamma=self.gamma,
            alpha=self.alpha,
            mean=self.mean,
            mode=self.mode,
            ignore_index=self.ignore_index,
            from_logits=self.from_logits,
            process_group=self.process_group,
            backend=self.backend,
            validate=self.validate,
        )

    def of(self, found: Statistics) -> Tensor:
        """Return the loss of a read, with this ``gamma``, that several losses share."""
        return focal_of(found, alpha=self.alpha, mean=self.mean, process_group=self.process_group)

    def extra_repr(self) -> str:
        """Say the settings."""
        return (
            f"gamma={self.gamma}, alpha={self.alpha}, mean={self.mean!r}, mode={self.mode!r}, "
            f"ignore_index={self.ignore_index}"
        )
