"""The sums that losses are made of: exact counts, and real sums accumulated in float64 where the device has it."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from segcli.nn.losses.inputs import Inputs


def accumulator(tensor: Tensor) -> torch.dtype:
    """Return the dtype to add up in: adding one by one in float32 stalls at 2^24.

    Examples:
        >>> accumulator(torch.zeros(1))
        torch.float64
    """
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def total(values: Tensor) -> Tensor:
    """Return the sum of all ``values``, in the accumulator's dtype.

    Examples:
        >>> total(torch.ones(2, 3))
        tensor(6., dtype=torch.float64)
    """
    return values.sum(dtype=accumulator(values))


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return ``numerator / denominator``, and 0 with a graph where the denominator is 0; no device is waited for.

    Examples:
        >>> ratio(torch.tensor([3.0, 0.0]), torch.tensor([2.0, 0.0]))
        tensor([1.5000, 0.0000])
    """
    empty = denominator == 0
    return numerator.masked_fill(empty, 0) / denominator.masked_fill(empty, 1)


def pixel_cross_entropy(inputs: "Inputs") -> Tensor:
    """Return -log softmax(logits) at the label of every pixel; exactly 0 where ignored.

    Shape:
        (N, C, *S) and (N, *S) to (N, *S).
    """
    losses = functional.cross_entropy(inputs.logits, inputs.labels, reduction="none")
    return losses.masked_fill(~inputs.valid, 0)


def element_cross_entropy(inputs: "Inputs", pos_weight: Tensor | None = None) -> Tensor:
    """Return -log of what the sigmoid gives to the label, 0 or 1, of every element; exactly 0 where ignored.

    Shape:
        That of the labels, which is that of the logits. ``pos_weight`` scales label 1 and is broadcast.
    """
    losses = functional.binary_cross_entropy_with_logits(
        inputs.logits, inputs.labels, reduction="none", pos_weight=pos_weight
    )
    return losses.masked_fill(~inputs.valid, 0)


def class_sums(values: Tensor, inputs: "Inputs") -> Tensor:
    """Add up a value a pixel by image and class.

    Shape:
        values (N, *S) to (N, C).

    Examples:
        >>> from segcli.nn.losses.inputs import prepare
        >>> labels = torch.tensor([[0, 1, 1, 255]])
        >>> ready = prepare(torch.zeros(1, 3, 4), labels, mode="multiclass", ignore_index=255, validate=True)
        >>> class_sums(torch.tensor([[1.0, 2.0, 3.0, 9.0]]), ready)
        tensor([[1., 5., 0.]], dtype=torch.float64)
    """
    return _scattered(values.masked_fill(~inputs.valid, 0).to(accumulator(values)), inputs)


def class_counts(inputs: "Inputs") -> Tensor:
    """Count the valid pixels by image and class, exactly.

    Shape:
        (N, C), int64.
    """
    return _scattered(inputs.valid.to(torch.int64), inputs)


def _scattered(values: Tensor, inputs: "Inputs") -> Tensor:
    n_images, n_classes = inputs.logits.shape[:2]
    image = torch.arange(n_images, device=values.device).view(-1, *[1] * (values.dim() - 1))
    bins = (image * n_classes + inputs.labels).flatten()
    empty = torch.zeros(n_images * n_classes, dtype=values.dtype, device=values.device)
    # Not bincount: it has no gradient, and waits for the device.
    return empty.index_add(0, bins, values.flatten()).view(n_images, n_classes)
