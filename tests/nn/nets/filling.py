"""The same numbers for every project's network: weights, buffers and images by a formula, not by a random generator.

The figures of ``upstream.py`` were made by running the other projects' networks with just these.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)
# Neither is learnt: TMO's encoders hold the mean and standard deviation of ImageNet's channels.
CONSTANT = ("mean", "std")


def noise(size: int, stream: int) -> Tensor:
    """Return ``size`` numbers in [-1, 1), scrambled from their index in whole numbers: the same on every machine."""
    bits = (torch.arange(size) + 1 + 1_000_003 * stream) & 0xFFFFFFFF
    for multiplier in (2_246_822_519, 3_266_489_917):
        bits ^= bits >> 15
        bits = (bits * multiplier) & 0xFFFFFFFF
    bits ^= bits >> 16
    return bits.double() / 2**31 - 1


def fill(net: Net) -> Net:
    """Return ``net`` in float64, with every weight and buffer filled by its place among the sorted keys."""
    net.double()
    for stream, (key, tensor) in enumerate(sorted(net.state_dict().items())):
        name = key.rpartition(".")[2]
        if name not in CONSTANT:
            values = noise(tensor.numel(), stream).view(tensor.shape)
            tensor.copy_(_scaled(name, values, stream))
    return net


def _scaled(name: str, values: Tensor, stream: int) -> Tensor:
    if name == "num_batches_tracked":
        return torch.tensor(float(stream % 7))
    if name == "running_var" or (name == "weight" and values.dim() == 1):
        return 1 + values / 4
    if name in {"running_mean", "bias"}:
        return values / 4
    return values * math.sqrt(3 / math.prod(values.shape[1:]))


def image(*shape: int, stream: int = 0) -> Tensor:
    """Return images of ``shape`` with values from 0 to 1: noise on a slope that is steeper from image to image."""
    values = noise(math.prod(shape), 10_000 + stream).view(shape)
    slope = torch.linspace(0, 1, shape[-1], dtype=torch.float64) * torch.arange(1, shape[0] + 1).view(-1, 1, 1, 1)
    return (values / 2 + 0.5 + slope) / (1 + shape[0])


def summary(tensor: Tensor) -> list[float]:
    """Return the mean, the root of the mean square, and the values at 1/7, 1/2 and 6/7 of ``tensor``, laid out flat."""
    flat = tensor.detach().flatten()
    places = [flat.numel() // 7, flat.numel() // 2, flat.numel() * 6 // 7]
    return [number.item() for number in (flat.mean(), flat.square().mean().sqrt(), *flat[places])]
