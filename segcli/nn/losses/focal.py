"""Focal loss: cross-entropy that easy pixels hardly enter."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segcli.nn.losses.inputs import Inputs, Mode, Weights, checked_weights, class_weights, prepare
from segcli.nn.losses.sums import element_cross_entropy, pixel_cross_entropy, ratio, total

Alpha = float | Weights


def focal_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Alpha = None,
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    validate: bool = True,
) -> Tensor:
    """Return the mean of alpha (1 - p_t)^gamma (-log p_t) over the valid pixels, with p_t that of the label.

    p is the softmax for ``multiclass`` and the sigmoid for the others. The mean divides by the number of valid pixels
    (of valid elements for multilabel), never by alpha; it is 0, with a graph, when nothing is valid. Where
    p_t rounds to 1 value and gradient are 0, whatever ``gamma``.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        gamma: 0 gives cross-entropy.
        alpha: For multiclass a number, which scales every class alike, or one a class. For multilabel and binary a
            number, or for multilabel one a class: label 1 takes alpha, label 0 takes 1 - alpha, so each is from
            0 to 1. None scales nothing.
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        ignore_index: The label of pixels that do not count; None where all do.
        validate: Check alpha, and for NaN, infinities and labels out of range, first; on CUDA this waits for the
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
    check_gamma(gamma)
    if validate:
        check_alpha(alpha, mode)
    inputs = prepare(logits, labels, mode=mode, ignore_index=ignore_index, validate=validate)
    losses = pixel_focal(inputs, gamma=gamma, alpha=alpha, mode=mode)
    return ratio(total(losses), inputs.valid.sum()).to(losses.dtype)


def pixel_focal(inputs: Inputs, *, gamma: float, alpha: Alpha, mode: Mode) -> Tensor:
    """Return the focal loss of every pixel; exactly 0 where ignored.

    Shape:
        That of the labels.
    """
    losses = pixel_cross_entropy(inputs) if mode == "multiclass" else element_cross_entropy(inputs)
    return _alpha_at(inputs, alpha, mode) * modulated(losses, gamma)


def modulated(losses: Tensor, gamma: float) -> Tensor:
    """Return (1 - exp(-loss))^gamma * loss, with the right gradient at 0 too.

    Examples:
        >>> loss = torch.zeros(1, requires_grad=True)
        >>> torch.autograd.grad(modulated(loss, 0.5), loss)
        (tensor([0.]),)
    """
    if gamma == 0:
        return losses
    # Below gamma 1 the power's own slope at 0 is infinite, though that of the product is 0: keep the power off 0.
    sure = losses == 0
    wrong = -torch.expm1(-losses.masked_fill(sure, 1))
    return wrong.pow(gamma) * losses.masked_fill(sure, 0)


def check_gamma(gamma: float) -> None:
    """Refuse what is no exponent here.

    Raises:
        ValueError: Where ``gamma`` is negative or not finite.
    """
    if not 0 <= gamma < float("inf"):
        message = f"gamma is {gamma:g}, expected a finite number of 0 or more"
        raise ValueError(message)


def _alpha_at(inputs: Inputs, alpha: Alpha, mode: Mode) -> Tensor | float:
    """Return alpha at every pixel, or one for all of them."""
    if alpha is None:
        return 1.0
    if mode == "multiclass":
        return _of_classes(alpha, inputs)[inputs.labels]
    positive = _of_classes(alpha, inputs) if mode == "multilabel" else inputs.logits.new_full((), _number(alpha))
    if positive.dim():
        positive = positive.view(-1, *[1] * (inputs.logits.dim() - 2))
    return torch.where(inputs.labels > 0, positive, 1 - positive)


def _of_classes(alpha: float | Tensor | Sequence[float], inputs: Inputs) -> Tensor:
    if isinstance(alpha, float | int):
        return inputs.logits.new_full((inputs.n_classes,), alpha)
    weights = class_weights(alpha, inputs.n_classes, inputs.logits, "alpha")
    return inputs.logits.new_ones(inputs.n_classes) if weights is None else weights


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

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: Alpha = None,
        ignore_index: int | None = 255,
        *,
        mode: Mode = "multiclass",
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `focal_loss`."""
        super().__init__()
        check_gamma(gamma)
        check_alpha(alpha, mode)
        self._number = alpha if isinstance(alpha, float | int) else None
        of_classes = None if isinstance(alpha, float | int) else checked_weights(alpha, "alpha")
        self.register_buffer("alpha_of_classes", of_classes, persistent=False)
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.mode: Mode = mode
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
            mode=self.mode,
            ignore_index=self.ignore_index,
            validate=self.validate,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"gamma={self.gamma}, alpha={self.alpha}, mode={self.mode!r}, ignore_index={self.ignore_index}"
