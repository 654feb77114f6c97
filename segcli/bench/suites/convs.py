"""Convolutions: the layers that a segmentation network chooses between."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from segcli.bench.kernel import Call, Case, Cost, Kernel, Suite, Tensors

if TYPE_CHECKING:
    import torch

_CHANNELS = 64


@dataclass(frozen=True)
class Layer:
    """One convolution from 64 to 64 channels; the fields are those of ``torch.nn.functional.conv2d``."""

    side: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1
    transposed: bool = False

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(C_out, C_in / groups, side, side); transposed, the first two change places, alike here."""
        return _CHANNELS, _CHANNELS // self.groups, self.side, self.side

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the output's spatial size: that of the input, times the stride where transposed."""
        high, wide = size
        return (high * self.stride, wide * self.stride) if self.transposed else size

    def macs(self, case: Case) -> int:
        """Return multiply-accumulates: a weight meets every output position, transposed every input position."""
        return case.pixels * prod(self.weight_shape)

    def bytes(self, case: Case) -> int:
        """Return the bytes of input, weights and output."""
        outputs = case.batch * _CHANNELS * prod(self.output_size(case.size))
        return (case.numel + prod(self.weight_shape) + outputs) * case.item_bytes


_LAYERS = {
    "standard": (Layer(),),
    "grouped": (Layer(groups=8),),
    "depthwise": (Layer(groups=_CHANNELS),),
    "depthwise-separable": (Layer(groups=_CHANNELS), Layer(side=1, padding=0)),
    "pointwise": (Layer(side=1, padding=0),),
    "dilated": (Layer(padding=2, dilation=2),),
    "transposed": (Layer(side=4, stride=2, transposed=True),),
}

_WHAT = {
    "standard": "3x3",
    "grouped": "3x3 in 8 groups",
    "depthwise": "3x3, a filter a channel",
    "depthwise-separable": "depthwise 3x3, then 1x1",
    "pointwise": "1x1",
    "dilated": "3x3, dilation 2",
    "transposed": "4x4, stride 2, twice the size",
}


def _kernel(name: str) -> Kernel:
    layers = _LAYERS[name]
    weights = tuple(f"{name}.{index}" for index in range(len(layers)))

    def make(tensors: Tensors) -> Call:
        return _chain(tensors, layers, weights)

    def forward(case: Case) -> Cost:
        return Cost(sum(layer.bytes(case) for layer in layers), 2 * sum(layer.macs(case) for layer in layers))

    def backward(case: Case) -> Cost:
        # Two more convolutions, one for each gradient, over the same three arrays.
        once = forward(case)
        return once + once

    return Kernel(name, _WHAT[name], make, make, forward, backward, leaves=("x", *weights))


def _chain(tensors: Tensors, layers: tuple[Layer, ...], weights: tuple[str, ...]) -> Call:
    from torch.nn import functional

    x = tensors["x"]
    stages = [(layer, tensors[name]) for layer, name in zip(layers, weights, strict=True)]

    def call() -> "torch.Tensor":
        y = x
        for layer, weight in stages:
            if layer.transposed:
                y = functional.conv_transpose2d(y, weight, stride=layer.stride, padding=layer.padding)
            else:
                y = functional.conv2d(y, weight, padding=layer.padding, dilation=layer.dilation, groups=layer.groups)
        return y

    return call


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    tensors = {"x": torch.randn(case.shape, generator=generator)}
    for name, layers in _LAYERS.items():
        for index, layer in enumerate(layers):
            fan_in = prod(layer.weight_shape[1:])
            tensors[f"{name}.{index}"] = torch.randn(layer.weight_shape, generator=generator) / fan_in**0.5
    return tensors


CONVS = Suite(
    name="conv",
    baseline="standard",
    case=Case(2, _CHANNELS, (64, 128)),
    tensor="x",
    data="x normal(0, 1), weights normal(0, 1 / fan-in); 64 -> 64 channels without bias",
    tensors=_tensors,
    check_items=48,
    kernels=tuple(_kernel(name) for name in _LAYERS),
)
