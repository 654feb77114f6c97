"""Convolutions that are taken apart into two or more."""

from dataclasses import replace
from typing import Literal

from segcli.params.block import Block
from segcli.params.blocks.pieces import finish, own_conv, unit
from segcli.params.conv import Conv
from segcli.params.description import Layer


def depthwise_separable(layer: Layer) -> Block:
    """Spatial filters a channel, then a mix of channels, each with norm and ReLU.

    Source:
        Howard et al. 2017, MobileNets, section 3.1 and figure 3.
    """
    depthwise = replace(own_conv(layer), out_channels=layer.cin, groups=layer.cin)
    return (
        depthwise,
        *finish(layer, layer.cin, "ReLU"),
        *unit(layer, layer.cin, layer.cout, activation="ReLU"),
    )


def spatially_separable(layer: Layer) -> Block:
    """1 x kw, then kh x 1: a convolution an axis, the last axis first, each with norm and ReLU.

    Source:
        Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision, section 3.2.
    """
    block: Block = ()
    ins = layer.cin
    for axis in reversed(range(layer.dims)):
        block += (_along(layer, axis, ins), *finish(layer, layer.cout, "ReLU"))
        ins = layer.cout
    return block


def _along(layer: Layer, axis: int, ins: int) -> Conv:
    """Return the convolution along one axis: its side of the kernel, the stride and the padding, 1 and 0 elsewhere."""
    padding: tuple[int, ...] | Literal["same"] = "same"
    if layer.padding != "same":
        padding = _only(axis, layer.padding, 0)
    return replace(
        own_conv(layer),
        in_channels=ins,
        kernel=_only(axis, layer.sides, 1),
        stride=_only(axis, layer.stride, 1),
        padding=padding,
    )


def _only(axis: int, sides: tuple[int, ...], other: int) -> tuple[int, ...]:
    return tuple(side if index == axis else other for index, side in enumerate(sides))
