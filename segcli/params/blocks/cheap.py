"""Convolutions that work on a part of the channels and get the others for little."""

from dataclasses import replace

from segcli.params.block import Block, Parallel, Path
from segcli.params.blocks.pieces import finish, own_conv, quarter, unit
from segcli.params.description import Layer
from segcli.params.formula import Named
from segcli.params.operation import Crop

# Han et al. 2020, section 3.1 and table 3: kernel 3 for the cheap operation, and half of the channels made by it.
_CHEAP_KERNEL = 3


def ghost(layer: Layer) -> Block:
    """A convolution makes half of the channels, a depthwise 3 x 3 of these the other half.

    Source:
        Han et al. 2020, GhostNet, section 3.1 and figure 1 b. Implementation followed: ``GhostModule`` of
        huawei-noah/Efficient-AI-Backbones, which makes one channel too many of an odd number and drops it.
    """
    half = Named(-(-layer.out_channels // 2), "M", "ceil(Cout/2)")
    primary = (replace(own_conv(layer), out_channels=half), *finish(layer, half, "ReLU"))
    cheap = unit(layer, half, half, kernel=(_CHEAP_KERNEL,) * layer.dims, groups=half, activation="ReLU")
    joined = Parallel((Path("intrinsic"), Path("ghost", cheap)), "concatenate")
    return (*primary, joined, Crop(layer.cout)) if layer.out_channels % 2 else (*primary, joined)


def partial(layer: Layer) -> Block:
    """A convolution of the first quarter of the channels; the others pass.

    Where the shapes differ, a pointwise convolution with norm and ReLU follows, as the paper appends one.

    Raises:
        SegcliError: Where the input has fewer than 4 channels.

    Source:
        Chen et al. 2023, Run, Don't Walk (FasterNet), section 3.2; section 3.3 for the pointwise one. Implementation
        followed: ``Partial_conv3`` of JierunChen/FasterNet, its quarter (``n_div=4``) with it.
    """
    convolved = quarter(layer.cin, "P")
    # The convolution alone, without the norm of the unit.
    branch = unit(layer, convolved, convolved, kernel=layer.sides)[:1]
    passing = Path("rest", channels=layer.in_channels - convolved)
    block = (Parallel((Path("quarter", branch, channels=convolved), passing), "concatenate"),)
    if layer.keeps_shape:
        return block
    return (*block, *unit(layer, layer.cin, layer.cout, stride=layer.stride, activation="ReLU"))
