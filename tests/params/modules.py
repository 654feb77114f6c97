"""Every variant written as a person would, from torch's own classes: what the closed forms are compared with."""

from collections.abc import Callable
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn

from segcli.params import Layer

Sides = tuple[int, ...]
_CONVS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_POOLS: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_BATCH: dict[int, Any] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE: dict[int, Any] = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, device="meta")

    def forward(self, x: Tensor) -> Tensor:
        normalized: Tensor = self.norm(x.movedim(1, -1))
        return normalized.movedim(-1, 1)


class Residual(nn.Module):
    """Adds what two paths make; torch's own addition would broadcast where they differ."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None, last: nn.Module | None = None) -> None:
        super().__init__()
        self.branch, self.shortcut, self.last = branch, shortcut or nn.Identity(), last or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        made, kept = self.branch(x), self.shortcut(x)
        if made.shape != kept.shape:
            message = "shapes differ"
            raise RuntimeError(message)
        result: Tensor = self.last(made + kept)
        return result


class Side(nn.Module):
    """Joins what paths make from the whole input, or each from its part of it."""

    def __init__(self, *paths: nn.Module, parts: list[int] | None = None) -> None:
        super().__init__()
        self.paths, self.parts = nn.ModuleList(paths), parts

    def forward(self, x: Tensor) -> Tensor:
        inputs = torch.split(x, self.parts, dim=1) if self.parts else [x] * len(self.paths)
        return torch.cat([path(part) for path, part in zip(self.paths, inputs, strict=True)], dim=1)


class First(nn.Module):
    """Keeps the first channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : self.channels]


class ConvNeXtBranch(nn.Module):
    """Depthwise, norm, and two linear layers on the last axis, as the authors' code has it."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        channels = layer.out_channels
        kernel = tuple(max(side, 7) for side in layer.kernel)
        self.depthwise = padded(layer, channels, channels, kernel, groups=channels)
        self.norm = norm(layer, channels)
        self.wide = nn.Linear(channels, 4 * channels, bias=layer.bias, device="meta")
        self.narrow = nn.Linear(4 * channels, channels, bias=layer.bias, device="meta")
        self.gamma = nn.Parameter(torch.empty(channels, device="meta"))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x)).movedim(1, -1)
        scaled: Tensor = self.gamma * self.narrow(nn.functional.gelu(self.wide(y)))
        return scaled.movedim(-1, 1)


def norm(layer: Layer, channels: int) -> nn.Module:
    if layer.norm == "batch":
        return _BATCH[layer.dims](channels, device="meta")  # type: ignore[no-any-return]
    if layer.norm == "instance":
        return _INSTANCE[layer.dims](channels, device="meta")  # type: ignore[no-any-return]
    if layer.norm == "layer":
        return ChannelNorm(channels)
    if layer.norm == "group":
        return nn.GroupNorm(gcd(32, channels), channels, device="meta")
    return nn.Identity()


def padded(layer: Layer, ins: int, outs: int, kernel: Sides, stride: Sides | int = 1, groups: int = 1) -> nn.Module:
    padding = tuple((side - 1) // 2 for side in kernel)
    conv: nn.Module = _CONVS[layer.dims](
        ins, outs, kernel, stride=stride, padding=padding, groups=groups, bias=layer.bias, device="meta"
    )
    return conv


def unit(
    layer: Layer, ins: int, outs: int, kernel: Sides | None = None, stride: Sides | int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(padded(layer, ins, outs, kernel or (1,) * layer.dims, stride, groups), norm(layer, outs))


def own(layer: Layer, outs: int | None = None, *, transposed: bool = False, **changed: object) -> nn.Sequential:
    outs = layer.out_channels if outs is None else outs
    fields: dict[str, Any] = {"kernel_size": layer.kernel, "stride": layer.stride, "padding": layer.padding, **changed}
    kind = (_TRANSPOSED if transposed else _CONVS)[layer.dims]
    return nn.Sequential(kind(layer.in_channels, outs, bias=layer.bias, device="meta", **fields), norm(layer, outs))


def depthwise_separable(layer: Layer) -> nn.Module:
    ins = layer.in_channels
    return nn.Sequential(own(layer, ins, groups=ins), nn.ReLU(), unit(layer, ins, layer.out_channels), nn.ReLU())


def spatially_separable(layer: Layer) -> nn.Module:
    modules: list[nn.Module] = []
    ins = layer.in_channels
    for axis in range(layer.dims - 1, -1, -1):
        fields: dict[str, Any] = {"padding": "same"}
        if layer.padding != "same":
            fields = {"padding": [side if at == axis else 0 for at, side in enumerate(layer.padding)]}
        fields["kernel_size"] = [side if at == axis else 1 for at, side in enumerate(layer.kernel)]
        fields["stride"] = [side if at == axis else 1 for at, side in enumerate(layer.stride)]
        conv = _CONVS[layer.dims](ins, layer.out_channels, bias=layer.bias, device="meta", **fields)
        modules += [conv, norm(layer, layer.out_channels), nn.ReLU()]
        ins = layer.out_channels
    return nn.Sequential(*modules)


def equal(layer: Layer) -> bool:
    return layer.in_channels == layer.out_channels and all(side == 1 for side in layer.stride)


def resnet(layer: Layer, branch: nn.Module) -> nn.Module:
    ins, outs = layer.in_channels, layer.out_channels
    return Residual(branch, None if equal(layer) else unit(layer, ins, outs, stride=layer.stride), nn.ReLU())


def resnet_basic(layer: Layer) -> nn.Module:
    ins, outs, kernel = layer.in_channels, layer.out_channels, layer.kernel
    first = unit(layer, ins, outs, kernel, layer.stride)
    return resnet(layer, nn.Sequential(first, nn.ReLU(), unit(layer, outs, outs, kernel)))


def resnet_bottleneck(layer: Layer) -> nn.Module:
    ins, outs, middle = layer.in_channels, layer.out_channels, quarter(layer.out_channels)
    second = unit(layer, middle, middle, layer.kernel, layer.stride)
    return resnet(layer, nn.Sequential(unit(layer, ins, middle), second, unit(layer, middle, outs)))


def inverted_residual(layer: Layer) -> nn.Module:
    ins, outs, wide = layer.in_channels, layer.out_channels, 6 * layer.in_channels
    depthwise = unit(layer, wide, wide, layer.kernel, layer.stride, groups=wide)
    branch = nn.Sequential(unit(layer, ins, wide), nn.ReLU6(), depthwise, nn.ReLU6(), unit(layer, wide, outs))
    return Residual(branch) if equal(layer) else branch


def shufflenet(layer: Layer) -> nn.Module:
    ins, outs, groups = layer.in_channels, layer.out_channels, layer.groups
    made = outs if equal(layer) else outs - ins
    middle = quarter(outs)
    if made < 1:
        message = "nothing is left to make"
        raise ValueError(message)
    branch = nn.Sequential(
        unit(layer, ins, middle, groups=groups),
        nn.ReLU(),
        nn.ChannelShuffle(groups),
        unit(layer, middle, middle, layer.kernel, layer.stride, groups=middle),
        unit(layer, middle, made, groups=groups),
    )
    if equal(layer):
        return Residual(branch, last=nn.ReLU())
    return nn.Sequential(Side(_POOLS[layer.dims](3, stride=layer.stride, padding=1), branch), nn.ReLU())


def shufflenet_v2(layer: Layer) -> nn.Module:
    ins, outs, half = layer.in_channels, layer.out_channels, layer.out_channels // 2
    if outs % 2:
        message = "no half"
        raise ValueError(message)
    start = half if equal(layer) else ins
    branch = nn.Sequential(
        unit(layer, start, half),
        nn.ReLU(),
        unit(layer, half, half, layer.kernel, layer.stride, groups=half),
        unit(layer, half, half),
        nn.ReLU(),
    )
    if equal(layer):
        return nn.Sequential(Side(nn.Identity(), branch, parts=[half, half]), nn.ChannelShuffle(2))
    depthwise = unit(layer, ins, ins, layer.kernel, layer.stride, groups=ins)
    shortcut = nn.Sequential(depthwise, unit(layer, ins, half), nn.ReLU())
    return nn.Sequential(Side(shortcut, branch), nn.ChannelShuffle(2))


def ghost(layer: Layer) -> nn.Module:
    half = -(-layer.out_channels // 2)
    cheap = nn.Sequential(unit(layer, half, half, (3,) * layer.dims, groups=half), nn.ReLU())
    return nn.Sequential(own(layer, half), nn.ReLU(), Side(nn.Identity(), cheap), First(layer.out_channels))


def partial(layer: Layer) -> nn.Module:
    some = quarter(layer.in_channels)
    conv = padded(layer, some, some, layer.kernel)
    mixed = Side(conv, nn.Identity(), parts=[some, layer.in_channels - some])
    if equal(layer):
        return mixed
    pointwise = unit(layer, layer.in_channels, layer.out_channels, stride=layer.stride)
    return nn.Sequential(mixed, pointwise, nn.ReLU())


def convnext(layer: Layer) -> nn.Module:
    block = Residual(ConvNeXtBranch(layer))
    if equal(layer):
        return block
    conv = _CONVS[layer.dims](
        layer.in_channels, layer.out_channels, layer.stride, stride=layer.stride, bias=layer.bias, device="meta"
    )
    return nn.Sequential(norm(layer, layer.in_channels), conv, block)


def gather_and_expansion(layer: Layer) -> nn.Module:
    ins, outs, wide, kernel = layer.in_channels, layer.out_channels, 6 * layer.in_channels, layer.kernel
    gather = nn.Sequential(unit(layer, ins, ins, kernel), nn.ReLU())
    if equal(layer):
        depthwise = unit(layer, ins, wide, kernel, groups=ins)
        return Residual(nn.Sequential(gather, depthwise, nn.ReLU(), unit(layer, wide, outs)), last=nn.ReLU())
    depthwise = nn.Sequential(
        unit(layer, ins, wide, kernel, layer.stride, groups=ins),
        unit(layer, wide, wide, kernel, groups=wide),
        nn.ReLU(),
    )
    shortcut = nn.Sequential(unit(layer, ins, ins, kernel, layer.stride, groups=ins), unit(layer, ins, outs))
    return Residual(nn.Sequential(gather, depthwise, unit(layer, wide, outs)), shortcut, nn.ReLU())


def quarter(channels: int) -> int:
    if channels < 4:
        message = "no quarter"
        raise ValueError(message)
    return channels // 4


MODULES: dict[str, Callable[[Layer], nn.Module]] = {
    "standard": own,
    "pointwise": lambda layer: own(layer, kernel_size=1, padding=0),
    "grouped": lambda layer: own(layer, groups=layer.groups),
    "depthwise": lambda layer: own(layer, groups=layer.in_channels),
    "depthwise-separable": depthwise_separable,
    "dilated": lambda layer: own(layer, dilation=layer.dilation),
    "transposed": lambda layer: own(layer, transposed=True),
    "spatially-separable": spatially_separable,
    "resnet-basic": resnet_basic,
    "resnet-bottleneck": resnet_bottleneck,
    "inverted-residual": inverted_residual,
    "shufflenet": shufflenet,
    "shufflenet-v2": shufflenet_v2,
    "ghost": ghost,
    "partial": partial,
    "convnext": convnext,
    "gather-and-expansion": gather_and_expansion,
}
