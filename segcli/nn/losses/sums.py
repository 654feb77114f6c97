"""Quotients of sums."""

from torch import Tensor


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return ``numerator / denominator``, and 0 with a graph where the denominator is 0; no device is waited for.

    Examples:
        >>> import torch
        >>> ratio(torch.tensor([3.0, 0.0]), torch.tensor([2.0, 0.0]))
        tensor([1.5000, 0.0000])
    """
    empty = denominator == 0
    return numerator.masked_fill(empty, 0) / denominator.masked_fill(empty, 1)
