"""In which dtype things are computed, and in which they are added up."""

import torch
from torch import Tensor


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return what is computed, and answered, on ``dtype``: float32 for the half types, else the same.

    Examples:
        >>> compute_dtype(torch.bfloat16)
        torch.float32
    """
    return dtype if dtype == torch.float64 else torch.float32


def accumulator(tensor: Tensor) -> torch.dtype:
    """Return the dtype to add up in: adding one by one in float32 stalls at 2^24.

    Examples:
        >>> accumulator(torch.zeros(1))
        torch.float64
    """
    return torch.float32 if tensor.device.type == "mps" else torch.float64
