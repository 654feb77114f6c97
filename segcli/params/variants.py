"""The variants of one layer, side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError, nearest
from segcli.params.block import Block
from segcli.params.blocks import bisenet, cheap, convnext, mobilenet, plain, resnet, separable, shufflenet
from segcli.params.count import Baseline, LayerCount, baseline, count
from segcli.params.description import Layer


@dataclass(frozen=True)
class Variant:
    """How a layer becomes a block.

    Attributes:
        block: Makes the block.
        source: The paper that the block is from.
        own_padding: Whether it pads by (kernel - 1) / 2 as its paper does, whatever the layer's padding is.
    """

    block: Callable[[Layer], Block]
    source: str
    own_padding: bool = False


VARIANTS: dict[str, Variant] = {
    "standard": Variant(plain.standard, "every output channel sees every input channel"),
    "pointwise": Variant(plain.pointwise, "Lin, Chen and Yan 2014, Network In Network"),
    "grouped": Variant(plain.grouped, "Krizhevsky et al. 2012, AlexNet; Xie et al. 2017, ResNeXt"),
    "depthwise": Variant(plain.depthwise, "as many groups as input channels"),
    "depthwise-separable": Variant(separable.depthwise_separable, "Howard et al. 2017, MobileNets"),
    "dilated": Variant(plain.dilated, "Yu and Koltun 2016"),
    "transposed": Variant(plain.transposed, "the gradient of a convolution, as a layer"),
    "spatially-separable": Variant(separable.spatially_separable, "Szegedy et al. 2016, Inception v3"),
    "resnet-basic": Variant(resnet.basic, "He et al. 2016", own_padding=True),
    "resnet-bottleneck": Variant(resnet.bottleneck, "He et al. 2016, stride as in torchvision", own_padding=True),
    "inverted-residual": Variant(mobilenet.inverted_residual, "Sandler et al. 2018, MobileNetV2", own_padding=True),
    "shufflenet": Variant(shufflenet.shufflenet, "Zhang et al. 2018", own_padding=True),
    "shufflenet-v2": Variant(shufflenet.shufflenet_v2, "Ma et al. 2018", own_padding=True),
    "ghost": Variant(cheap.ghost, "Han et al. 2020, GhostNet"),
    "partial": Variant(cheap.partial, "Chen et al. 2023, FasterNet", own_padding=True),
    "convnext": Variant(convnext.convnext, "Liu et al. 2022", own_padding=True),
    "gather-and-expansion": Variant(bisenet.gather_and_expansion, "Yu et al. 2021, BiSeNetV2", own_padding=True),
}
CONVENTIONS = (
    "MAC: one multiply-accumulate of a convolution. FLOPs = 2 x MACs. Biases, norms, activations: counted apart.",
    "Activations: the outputs of all convolutions, batch 1.",
    "FLOP/byte: where each convolution moves its input, parameters and output once.",
    "Field: the receptive field, a norm's view of the whole map left out.",
)


@dataclass(frozen=True)
class Comparison:
    """The variants of a layer.

    Attributes:
        layer: The layer.
        layers: Its variants, counted.
        skipped: A line each, which variants the layer cannot have, and why.
        conventions: What the words mean.
    """

    layer: Layer
    layers: tuple[LayerCount, ...]
    skipped: tuple[str, ...]
    conventions: tuple[str, ...] = CONVENTIONS


def compare(layer: Layer, names: Sequence[str] = ()) -> Comparison:
    """Count the variants of ``layer``.

    Args:
        layer: The layer.
        names: Which variants; none for all that the layer can have, the others named in ``skipped``.

    Raises:
        SegcliError: For an unknown name, or a named variant that the layer cannot have.

    Examples:
        >>> compare(Layer(16, 64), ["depthwise-separable"]).layers[0].params
        1168
    """
    for name in names:
        if name not in VARIANTS:
            message = f"unknown variant {name[:60]!r}"
            raise SegcliError(message, hint=nearest(name[:60], list(VARIANTS)))
    reference = baseline(layer, plain.standard(layer))
    counts, skipped = [], []
    for name in names or VARIANTS:
        try:
            counts.append(_count(name, layer, reference))
        except SegcliError as error:
            if names or name == "standard":
                raise
            skipped.append(f"{name} left out: {error.message}")
    return Comparison(layer, tuple(counts), tuple(skipped))


def _count(name: str, layer: Layer, reference: Baseline) -> LayerCount:
    return count(name, layer, VARIANTS[name].block(layer), reference)
