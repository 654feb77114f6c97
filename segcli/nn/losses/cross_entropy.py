"""Cross-entropy over the valid pixels."""

from torch import Tensor, nn

from segcli.nn.losses.inputs import Weights, checked_weights, class_weights, prepare
from segcli.nn.losses.sums import pixel_cross_entropy, ratio, total


def cross_entropy_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    weight: Weights = None,
    ignore_index: int | None = 255,
    validate: bool = True,
) -> Tensor:
    """Return the mean of -log p(label) over the valid pixels, weighted by class where asked.

    ``sum(weight[label] * -log p) / sum(weight[label])``, torch's own mean; 0 with a graph, where torch gives NaN,
    when nothing is valid or all weights of what is valid are 0.

    Args:
        logits: Floating; half types are computed, and answered, in float32.
        labels: Any whole-number dtype.
        weight: One a class.
        ignore_index: The label of pixels that do not count; None where all do.
        validate: Check for NaN, infinities and labels out of range first; on CUDA this waits for the device.

    Shape:
        logits (N, C, *S) with C of 2 or more, labels (N, *S), result ().

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place.

    Source:
        ``torch.nn.functional.cross_entropy``.

    Examples:
        >>> import torch
        >>> cross_entropy_loss(torch.zeros(1, 2, 2), torch.tensor([[0, 255]]))
        tensor(0.6931)
    """
    inputs = prepare(logits, labels, mode="multiclass", ignore_index=ignore_index, validate=validate)
    losses = pixel_cross_entropy(inputs)
    weights = class_weights(weight, inputs.n_classes, inputs.logits)
    if weights is None:
        mean = ratio(total(losses), inputs.valid.sum())
    else:
        at_pixels = weights[inputs.labels].masked_fill(~inputs.valid, 0)
        mean = ratio(total(at_pixels * losses), total(at_pixels))
    return mean.to(inputs.logits.dtype)


class CrossEntropyLoss(nn.Module):
    """`cross_entropy_loss` as a module; ``weight`` moves with it from device to device.

    Examples:
        >>> import torch
        >>> CrossEntropyLoss(weight=[1, 3])(torch.zeros(2, 2), torch.tensor([0, 1]))
        tensor(0.6931)
    """

    weight: Tensor | None

    def __init__(self, weight: Weights = None, ignore_index: int | None = 255, *, validate: bool = True) -> None:
        """Keep the settings; see `cross_entropy_loss`."""
        super().__init__()
        self.register_buffer("weight", checked_weights(weight), persistent=False)
        self.ignore_index = ignore_index
        self.validate = validate

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        return cross_entropy_loss(
            logits, labels, weight=self.weight, ignore_index=self.ignore_index, validate=self.validate
        )

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"ignore_index={self.ignore_index}"
