"""The convolution variants of one layer, side by side."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from segcli.errors import SegcliError, nearest
from segcli.params.conv import Conv, require_positive
from segcli.params.receptive_field import receptive_field

# float32, torch's default dtype.
_ITEM_BYTES = 4


@dataclass(frozen=True)
class Layer:
    """The layer whose variants are compared. The defaults are the notes' example, but for its channels.

    Attributes:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Kernel sides.
        size: Spatial size of the input.
        stride: Stride an axis.
        padding: Zero padding an axis, on both sides.
        dilation: What the dilated variant uses; the others have 1.
        groups: What the grouped variant uses.
        bias: Whether every convolution has one.
    """

    in_channels: int
    out_channels: int
    kernel: tuple[int, int] = (3, 3)
    size: tuple[int, int] = (8, 8)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (2, 2)
    groups: int = 8
    bias: bool = False

    def __post_init__(self) -> None:
        """Refuse what no variant could have; what only some can have, they refuse themselves."""
        require_positive("groups", self.groups)
        for side in (*self.dilation, *self.size):
            require_positive("a side of size or dilation", side)


@dataclass(frozen=True)
class LayerCount:
    """What one variant holds and costs, batch 1.

    Attributes:
        variant: Its name.
        params: Parameters, biases included.
        macs: Multiply-accumulates.
        flops: 2 x MACs.
        output_shape: (channels, height, width).
        receptive_field: (height, width) of the input that one output position sees.
        weight_bytes: Bytes of the parameters in float32.
        ratio: Parameters over those of the standard convolution.
        formula: The parameters in symbols.
        formula_numbers: The same with the numbers put in.
        stages: The convolutions it is made of, in order.
    """

    variant: str
    params: int
    macs: int
    flops: int
    output_shape: tuple[int, ...]
    receptive_field: tuple[int, ...]
    weight_bytes: int
    ratio: float
    formula: str
    formula_numbers: str
    stages: tuple[Conv, ...]


@dataclass(frozen=True)
class Comparison:
    """The variants of a layer. ``skipped`` says, a line each, which ones the layer cannot have."""

    layer: Layer
    layers: tuple[LayerCount, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Variant:
    """How a layer becomes convolutions, and the weights and the biases of all of them in symbols."""

    stages: Callable[[Layer], tuple[Conv, ...]]
    weights: str
    biases: str = "Cout"


def _one(layer: Layer) -> Conv:
    return Conv(
        layer.in_channels,
        layer.out_channels,
        layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        bias=layer.bias,
    )


def _pointwise(layer: Layer) -> Conv:
    return replace(_one(layer), kernel=(1, 1), padding=(0, 0))


def _depthwise_separable(layer: Layer) -> tuple[Conv, ...]:
    """Spatial filters a channel, then a mix of channels (Howard et al. 2017, MobileNets, section 3.1)."""
    depthwise = replace(_one(layer), out_channels=layer.in_channels, groups=layer.in_channels)
    return depthwise, replace(_pointwise(layer), stride=(1, 1))


def _spatially_separable(layer: Layer) -> tuple[Conv, ...]:
    """1 x kw, then kh x 1 (Szegedy et al. 2016, Rethinking the Inception Architecture, section 3.2)."""
    (high, wide), (down, across), (top, left) = layer.kernel, layer.stride, layer.padding
    row = replace(_one(layer), kernel=(1, wide), stride=(1, across), padding=(0, left))
    column = replace(_one(layer), kernel=(high, 1), stride=(down, 1), padding=(top, 0))
    return row, replace(column, in_channels=layer.out_channels)


VARIANTS: dict[str, _Variant] = {
    "standard": _Variant(lambda layer: (_one(layer),), "Cin*Cout*kh*kw"),
    "pointwise": _Variant(lambda layer: (_pointwise(layer),), "Cin*Cout"),
    "grouped": _Variant(lambda layer: (replace(_one(layer), groups=layer.groups),), "Cin/g*Cout*kh*kw"),
    "depthwise": _Variant(lambda layer: (replace(_one(layer), groups=layer.in_channels),), "Cout*kh*kw"),
    "depthwise-separable": _Variant(_depthwise_separable, "Cin*kh*kw + Cin*Cout", "Cin + Cout"),
    "dilated": _Variant(lambda layer: (replace(_one(layer), dilation=layer.dilation),), "Cin*Cout*kh*kw"),
    "transposed": _Variant(lambda layer: (replace(_one(layer), transposed=True),), "Cin*Cout*kh*kw"),
    "spatially-separable": _Variant(_spatially_separable, "Cin*Cout*kw + Cout*Cout*kh", "Cout + Cout"),
}


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
    counts, skipped = [], []
    for name in names or VARIANTS:
        if name not in VARIANTS:
            message = f"unknown variant {name!r}"
            raise SegcliError(message, hint=nearest(name, list(VARIANTS)))
        try:
            counts.append(_count(name, layer))
        except SegcliError as error:
            if names or name == "standard":
                raise
            skipped.append(f"{name} left out: {error.message}")
    return Comparison(layer, tuple(counts), tuple(skipped))


def _count(name: str, layer: Layer) -> LayerCount:
    variant = VARIANTS[name]
    stages = variant.stages(layer)
    size: tuple[int, ...] = layer.size
    macs = 0
    for conv in stages:
        macs += conv.macs(size)
        size = conv.output_size(size)
    params = sum(conv.params for conv in stages)
    formula = f"{variant.weights} + {variant.biases}" if layer.bias else variant.weights
    return LayerCount(
        variant=name,
        params=params,
        macs=macs,
        flops=2 * macs,
        output_shape=(stages[-1].out_channels, *size),
        receptive_field=receptive_field(stages),
        weight_bytes=params * _ITEM_BYTES,
        ratio=params / _one(layer).params,
        formula=formula,
        formula_numbers=_with_numbers(formula, layer),
        stages=stages,
    )


def _with_numbers(formula: str, layer: Layer) -> str:
    high, wide = layer.kernel
    values = {"Cin": layer.in_channels, "Cout": layer.out_channels, "kh": high, "kw": wide, "g": layer.groups}
    return re.sub(r"[A-Za-z]+", lambda symbol: str(values[symbol.group()]), formula)
