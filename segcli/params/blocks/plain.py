"""One convolution, with the layer's norm behind it."""

from dataclasses import replace

from segcli.params.block import Block
from segcli.params.blocks.pieces import finish, own_conv
from segcli.params.description import Layer
from segcli.params.operation import Operation


def standard(layer: Layer) -> tuple[Operation, ...]:
    """Every output channel sees every input channel (``torch.nn.Conv2d``)."""
    return (own_conv(layer), *finish(layer, layer.cout))


def pointwise(layer: Layer) -> Block:
    """A kernel of 1, which mixes channels only (Lin, Chen and Yan 2014, Network In Network, section 3.1)."""
    zeros = (0,) * layer.dims
    return (replace(own_conv(layer), kernel=layer.ones, padding=zeros), *finish(layer, layer.cout))


def grouped(layer: Layer) -> Block:
    """Channels in groups that do not see one another (Krizhevsky et al. 2012; Xie et al. 2017, ResNeXt)."""
    return (replace(own_conv(layer), groups=layer.g), *finish(layer, layer.cout))


def depthwise(layer: Layer) -> Block:
    """As many groups as input channels (Chollet 2017, Xception, section 2, without what follows it there)."""
    return (replace(own_conv(layer), groups=layer.cin), *finish(layer, layer.cout))


def dilated(layer: Layer) -> Block:
    """Gaps between the kernel's taps: the same weights see further (Yu and Koltun 2016, section 2)."""
    return (replace(own_conv(layer), dilation=layer.dilation), *finish(layer, layer.cout))


def transposed(layer: Layer) -> Block:
    """The gradient of a convolution as a layer, which enlarges (Dumoulin and Visin 2016, chapter 4)."""
    return (replace(own_conv(layer), transposed=True), *finish(layer, layer.cout))
