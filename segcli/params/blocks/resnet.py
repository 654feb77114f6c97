"""The residual blocks of ResNet.

Source: He et al. 2016, Deep Residual Learning for Image Recognition. Where the shapes differ, the shortcut is a
pointwise convolution with the block's stride and a norm (section 3.3, option B); convolution, norm and ReLU stand as in
section 3.4. Implementation followed: ``torchvision.models.resnet`` 0.28.
"""

from segcli.params.block import Block, Parallel, Path
from segcli.params.blocks.pieces import quarter, unit
from segcli.params.description import Layer
from segcli.params.operation import Activation


def basic(layer: Layer) -> Block:
    """Two convolutions and a shortcut (figure 5, left). The first has the stride."""
    branch = (
        *unit(layer, layer.cin, layer.cout, kernel=layer.sides, stride=layer.stride, activation="ReLU"),
        *unit(layer, layer.cout, layer.cout, kernel=layer.sides),
    )
    return _residual(layer, branch)


def bottleneck(layer: Layer) -> Block:
    """Pointwise to a quarter of the output's channels, a convolution there, pointwise back (figure 5, right).

    The stride is in the middle convolution, as torchvision has it ("v1.5"); the paper has it in the first. That changes
    the MACs and the receptive field of blocks with a stride, and no parameter.

    Raises:
        SegcliError: Where the output has fewer than 4 channels.
    """
    middle = quarter(layer.cout, "M")
    branch = (
        *unit(layer, layer.cin, middle, activation="ReLU"),
        *unit(layer, middle, middle, kernel=layer.sides, stride=layer.stride, activation="ReLU"),
        *unit(layer, middle, layer.cout),
    )
    return _residual(layer, branch)


def _residual(layer: Layer, branch: Block) -> Block:
    projection = () if layer.keeps_shape else unit(layer, layer.cin, layer.cout, stride=layer.stride)
    return Parallel((Path("branch", branch), Path("shortcut", projection)), "add"), Activation("ReLU")
