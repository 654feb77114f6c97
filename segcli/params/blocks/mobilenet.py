"""The block of MobileNetV2."""

from segcli.params.block import Block, Parallel, Path
from segcli.params.blocks.pieces import unit
from segcli.params.description import Layer
from segcli.params.formula import Named


def inverted_residual(layer: Layer) -> Block:
    """Pointwise to six times the channels, depthwise there, pointwise back without an activation.

    Input and output are added where their shapes are equal; elsewhere the paper has no shortcut.

    Source:
        Sandler et al. 2018, MobileNetV2, section 3.3 and table 1, and section 4 for the factor of 6. Implementation
        followed: ``torchvision.models.mobilenetv2`` 0.28.
    """
    wide = Named(6 * layer.in_channels, "M", "6*Cin")
    branch = (
        *unit(layer, layer.cin, wide, activation="ReLU6"),
        *unit(layer, wide, wide, kernel=layer.sides, stride=layer.stride, groups=wide, activation="ReLU6"),
        *unit(layer, wide, layer.cout),
    )
    if not layer.keeps_shape:
        return branch
    return (Parallel((Path("branch", branch), Path("shortcut")), "add"),)
