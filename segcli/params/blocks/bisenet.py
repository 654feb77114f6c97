"""The gather-and-expansion layer of BiSeNetV2."""

from segcli.params.block import Block, Parallel, Path
from segcli.params.blocks.pieces import unit
from segcli.params.description import Layer
from segcli.params.formula import Named
from segcli.params.operation import Activation


def gather_and_expansion(layer: Layer) -> Block:
    """A convolution, depthwise to six times the channels, pointwise back, added to the input.

    Where the shapes differ, a second depthwise convolution follows the first, which has the stride, and the shortcut is
    a depthwise convolution with the stride and a pointwise one (figure 5 c, which has stride 2).

    Source:
        Yu et al. 2021, BiSeNet V2, section 4.2 and figure 5 b and c. Implementation followed, the factor of 6 with
        it: ``GELayerS1`` and ``GELayerS2`` of CoinCheung/BiSeNet.
    """
    wide = Named(6 * layer.in_channels, "M", "6*Cin")
    if layer.keeps_shape:
        shortcut: Block = ()
        expansion = unit(layer, layer.cin, wide, kernel=layer.sides, groups=layer.cin, activation="ReLU")
    else:
        shortcut = (
            *unit(layer, layer.cin, layer.cin, kernel=layer.sides, stride=layer.stride, groups=layer.cin),
            *unit(layer, layer.cin, layer.cout),
        )
        expansion = (
            *unit(layer, layer.cin, wide, kernel=layer.sides, stride=layer.stride, groups=layer.cin),
            *unit(layer, wide, wide, kernel=layer.sides, groups=wide, activation="ReLU"),
        )
    branch = (
        *unit(layer, layer.cin, layer.cin, kernel=layer.sides, activation="ReLU"),
        *expansion,
        *unit(layer, wide, layer.cout),
    )
    return Parallel((Path("branch", branch), Path("shortcut", shortcut)), "add"), Activation("ReLU")
