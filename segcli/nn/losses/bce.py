"""Binary cross-entropy of logits, for labels that do not exclude one another."""

import torch
from torch import Tensor, nn

from segcli.nn.losses.inputs import Inputs, Weights, checked_weights, class_weights, prepare
from segcli.nn.losses.sums import element_cross_entropy, ratio, total


def bce_with_logits_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    weight: Weights = None,
    pos_weight: float | Weights = None,
    ignore_index: int | None = 255,
    validate: bool = True,
) -> Tensor:
    """Return the mean binary cross-entropy over the valid elements, weighted by class where asked.

    An element costs ``-(pos_weight y log p + (1 - y) log(1 - p))`` with p the sigmoid; the mean is weighted as
    `cross_entropy_loss`'s, ``sum(weight * cost) / sum(weight)``, and 0 with a graph when nothing is valid.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: 0 and 1 in any dtype, or floats between them (soft labels).
        weight: One a class, along axis 1.
        pos_weight: What label 1 counts against label 0: a number, or one a class along axis 1.
        ignore_index: The label of elements that do not count; None where all do.
        validate: Check for NaN, infinities and labels out of range first; on CUDA this waits for the device.

    Shape:
        logits (N, C, *S) or (N, *S), labels alike, result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place.

    Source:
        ``torch.nn.functional.binary_cross_entropy_with_logits``; weighted means differ: torch divides by the count.

    Examples:
        >>> bce_with_logits_loss(torch.zeros(1, 3), torch.tensor([[0, 1, 255]]))
        tensor(0.6931)
    """
    # The two modes differ in the axes that are asked for, and here nothing asks for a class axis.
    inputs = prepare(logits, labels, mode="binary", ignore_index=ignore_index, validate=validate, soft=True)
    losses = element_cross_entropy(inputs, _along_classes(pos_weight, inputs, "pos_weight"))
    weights = _along_classes(weight, inputs, "weight")
    at_elements = inputs.valid if weights is None else inputs.valid * weights
    return ratio(total(at_elements * losses), total(at_elements)).to(losses.dtype)


def _along_classes(weight: float | Weights, inputs: Inputs, name: str) -> Tensor | None:
    """Return weights that broadcast along axis 1 of the logits."""
    if weight is None:
        return None
    weights = torch.as_tensor(weight, dtype=inputs.logits.dtype, device=inputs.logits.device).flatten()
    if len(weights) == 1:
        return weights
    n_classes = inputs.n_classes if inputs.logits.dim() > 1 else 1
    checked = class_weights(weights, n_classes, inputs.logits, name)
    return None if checked is None else checked.view(-1, *[1] * (inputs.logits.dim() - 2))


class BCEWithLogitsLoss(nn.Module):
    """`bce_with_logits_loss` as a module; weights move with it from device to device.

    Examples:
        >>> BCEWithLogitsLoss(pos_weight=3)(torch.zeros(1, 2), torch.tensor([[0, 1]]))
        tensor(1.3863)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Weights = None,
        pos_weight: float | Weights = None,
        ignore_index: int | None = 255,
        *,
        validate: bool = True,
    ) -> None:
        """Keep the settings; see `bce_with_logits_loss`."""
        super().__init__()
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        of_positive = [pos_weight] if isinstance(pos_weight, float | int) else pos_weight
        self.register_buffer("pos_weight", checked_weights(of_positive, "pos_weight"), persistent=False)
        self.ignore_index = ignore_index
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return bce_with_logits_loss(
            logits,
            labels,
            weight=self.weight,
            pos_weight=self.pos_weight,
            ignore_index=self.ignore_index,
            validate=self.validate,
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"ignore_index={self.ignore_index}"
