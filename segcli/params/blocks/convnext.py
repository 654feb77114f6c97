"""The block of ConvNeXt: a large depthwise kernel."""

from segcli.params.block import Block, Parallel, Path
from segcli.params.blocks.pieces import finish, unit
from segcli.params.conv import Conv
from segcli.params.description import KERNEL_NAMES, Layer
from segcli.params.formula import Named
from segcli.params.operation import Activation, Scale

# Liu et al. 2022, section 2.5.
_LARGE = 7


def convnext(layer: Layer) -> Block:
    """A depthwise 7 x 7, one norm, pointwise to four times the channels, GELU, pointwise back, scaled, added.

    The kernel is that of the layer where it is larger than 7. Where the shapes differ, a norm and a convolution whose
    kernel is its stride stand before the block, as they do between the paper's stages (section 2.6).

    Source:
        Liu et al. 2022, A ConvNet for the 2020s, section 2 and figure 4; appendix A.1 for the scale. Implementation
        followed: facebookresearch/ConvNeXt, ``models/convnext.py``, whose norm is layer norm.
    """
    wide = Named(4 * layer.out_channels, "M", "4*Cout")
    sides = zip(layer.kernel, KERNEL_NAMES[layer.dims], strict=True)
    kernel = tuple(Named(max(side, _LARGE), f"L{name[1:]}", f"max({name}, 7)") for side, name in sides)
    depthwise = unit(layer, layer.cout, layer.cout, kernel=kernel, groups=layer.cout)
    branch = (
        *depthwise,
        Conv(layer.cout, wide, layer.ones, bias=layer.bias),
        Activation("GELU"),
        Conv(wide, layer.cout, layer.ones, bias=layer.bias),
        Scale(layer.cout),
    )
    block = (Parallel((Path("branch", branch), Path("shortcut")), "add"),)
    return block if layer.keeps_shape else (*_downsample(layer), *block)


def _downsample(layer: Layer) -> Block:
    conv = Conv(layer.cin, layer.cout, layer.stride, stride=layer.stride, bias=layer.bias)
    return *finish(layer, layer.cin), conv
