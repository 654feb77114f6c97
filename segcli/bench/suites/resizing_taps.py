"""Resizing by its definition: along each axis, every output is a weighted sum of a few inputs.

The weights are those of torch's documentation and of Pillow's filters, worked out in float64 here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_CUBIC = -0.75
"""Of the cubic convolution kernel in torch and OpenCV."""
_CUBIC_ANTIALIAS = -0.5
"""Of the same in Pillow, whose filters torch takes with ``antialias=True``."""


@dataclass(frozen=True)
class Rule:
    """How an output is made of inputs.

    Attributes:
        mode: ``nearest``, ``nearest-exact``, ``bilinear``, ``bicubic`` or ``area``.
        align_corners: Whether the centres of the corner pixels fall together, else the corners of the corner pixels.
        antialias: Whether the filter grows with the distance between outputs.
    """

    mode: str
    align_corners: bool = False
    antialias: bool = False


def resized(x: "torch.Tensor", size: tuple[int, int], rule: Rule) -> "torch.Tensor":
    """Resize maps, one axis after the other.

    Shape:
        (N, C, H, W) to (N, C, *size).

    Examples:
        >>> import torch
        >>> resized(torch.tensor([[[[0.0, 8.0]]]]).double(), (1, 4), Rule("bilinear")).tolist()
        [[[[0.0, 2.0, 6.0, 8.0]]]]
    """
    for axis, target in zip((2, 3), size, strict=True):
        indices, weights = taps(x.shape[axis], target, rule)
        x = _weighted(x, axis, indices.to(x.device), weights.to(x.device))
    return x


def taps(source: int, target: int, rule: Rule) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return which inputs make each output of an axis, and with what weights.

    Shape:
        (target, taps) twice: int64 and float64.

    Examples:
        >>> [part.tolist() for part in taps(4, 2, Rule("area"))]
        [[[0, 1], [2, 3]], [[0.5, 0.5], [0.5, 0.5]]]
    """
    if rule.mode.startswith("nearest"):
        return _nearest(source, target, 0.5 if rule.mode == "nearest-exact" else 0.0)
    if rule.mode == "area":
        return _area(source, target)
    return _filtered(source, target, rule) if rule.antialias else _interpolated(source, target, rule)


def _weighted(x: "torch.Tensor", axis: int, indices: "torch.Tensor", weights: "torch.Tensor") -> "torch.Tensor":
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    parts = zip(indices.unbind(1), weights.unbind(1), strict=True)
    first, *others = (x.index_select(axis, index) * weight.view(shape) for index, weight in parts)
    return sum(others, first)


def _nearest(source: int, target: int, offset: float) -> "tuple[torch.Tensor, torch.Tensor]":
    """Take floor((i + offset) source / target), in float32 as torch does."""
    import torch

    scale = torch.tensor(source / target, dtype=torch.float32)
    found = ((torch.arange(target) + offset) * scale).floor().long().clamp(max=source - 1)
    return found.unsqueeze(1), torch.ones(target, 1, dtype=torch.float64)


def _area(source: int, target: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """Take the mean from floor(i source / target) to before ceil((i + 1) source / target)."""
    import torch

    outputs = torch.arange(target)
    first = outputs * source // target
    after = -(-(outputs + 1) * source // target)
    indices = first.unsqueeze(1) + torch.arange(int((after - first).max()))
    inside = indices < after.unsqueeze(1)
    return indices.clamp(max=source - 1), inside.double() / inside.sum(1, keepdim=True)


def _interpolated(source: int, target: int, rule: Rule) -> "tuple[torch.Tensor, torch.Tensor]":
    """Weigh the two or four inputs around the output's place; what lies outside is the border."""
    import torch

    outputs = torch.arange(target, dtype=torch.float64)
    if rule.align_corners:
        place = outputs * (source - 1) / max(target - 1, 1)
    else:
        place = (outputs + 0.5) * source / target - 0.5
    if rule.mode == "bilinear":
        place = place.clamp(min=0)
    reach = 1 if rule.mode == "bilinear" else 2
    below = place.floor()
    indices = below.unsqueeze(1) + torch.arange(1 - reach, 1 + reach)
    weights = _shape(indices - place.unsqueeze(1), rule.mode, _CUBIC)
    return indices.long().clamp(0, source - 1), weights


def _filtered(source: int, target: int, rule: Rule) -> "tuple[torch.Tensor, torch.Tensor]":
    """Weigh all inputs under a filter as wide as outputs are apart, cut off at the borders; the weights sum to 1."""
    import torch

    scale = source / target
    stretch = max(scale, 1.0)
    reach = (1 if rule.mode == "bilinear" else 2) * stretch
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * scale
    first = (centres - reach + 0.5).long().clamp(min=0)
    after = (centres + reach + 0.5).long().clamp(max=source)
    indices = first.unsqueeze(1) + torch.arange(int((after - first).max()))
    places = (indices + 0.5 - centres.unsqueeze(1)) / stretch
    weights = _shape(places, rule.mode, _CUBIC_ANTIALIAS) * (indices < after.unsqueeze(1))
    return indices.clamp(max=source - 1), weights / weights.sum(1, keepdim=True)


def _shape(distance: "torch.Tensor", mode: str, a: float) -> "torch.Tensor":
    """Return a filter's value: a triangle, or the cubic convolution kernel (Keys 1981, equation 4)."""
    x = distance.abs()
    if mode == "bilinear":
        return (1 - x).clamp(min=0)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return near.where(x <= 1, far.where(x < 2, 0.0))  # noqa: PLR2004 - the kernel ends at 2
