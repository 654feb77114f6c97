"""Brings logits or labels to the size of the other, as torch's interpolate does."""

from math import prod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

ResizeMode = Literal["bilinear", "nearest"]

_LINEAR = {2: "bilinear", 3: "trilinear"}


def resize_logits(logits: "Tensor", size: tuple[int, ...], mode: ResizeMode = "bilinear") -> "Tensor":
    """Resize logits; the half types in float32, in which losses are computed.

    Args:
        logits: The logits.
        size: Height and width, for volumes depth before.
        mode: ``bilinear``, with ``align_corners=False`` (trilinear for volumes), or ``nearest``, torch's
            ``nearest-exact``.

    Shape:
        (N, *, *s) to (N, *, *size).

    Source:
        ``torch.nn.functional.interpolate`` of pytorch 2.13, without antialiasing, as training code resizes logits.

    Examples:
        >>> import torch
        >>> resize_logits(torch.tensor([[[0.0, 1.0]]]), (1, 4))
        tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    import torch
    from torch.nn.functional import interpolate

    start, sizes = logits.shape[: -len(size)], logits.shape[-len(size) :]
    images = logits.reshape(start[0], prod(start[1:]), *sizes)
    if images.dtype in (torch.float16, torch.bfloat16):
        images = images.float()
    if mode == "nearest":
        resized = interpolate(images, size, mode="nearest-exact")
    else:
        resized = interpolate(images, size, mode=_LINEAR[len(size)], align_corners=False)
    return resized.reshape(*start, *size)


def resize_labels(labels: "Tensor", size: tuple[int, ...]) -> "Tensor":
    """Resize labels of any dtype to the nearest pixel's, torch's ``nearest-exact``; only those pixels are read.

    Shape:
        (*, *S) to (*, *size).

    Source:
        ``torch.nn.functional.interpolate`` of pytorch 2.13, which knows no whole numbers but uint8: here it resizes
        each axis's places instead.

    Examples:
        >>> import torch
        >>> resize_labels(torch.tensor([[0, 1, 2, 3]]), (1, 2))
        tensor([[1, 3]])
    """
    import torch
    from torch.nn.functional import interpolate

    for axis, length in enumerate(size, start=labels.dim() - len(size)):
        # Wide enough for any place, where float32 ends at 2^24.
        places = torch.arange(labels.shape[axis], dtype=torch.float64)
        chosen = interpolate(places[None, None], length, mode="nearest-exact")[0, 0]
        labels = labels.index_select(axis, chosen.long())
    return labels
