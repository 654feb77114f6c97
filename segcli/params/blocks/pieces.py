"""What blocks are put together from."""

from segcli.errors import SegcliError
from segcli.params.conv import Conv
from segcli.params.description import Layer
from segcli.params.formula import Named
from segcli.params.operation import Activation, Norm, Operation


def unit(
    layer: Layer,
    ins: int,
    outs: int,
    *,
    kernel: tuple[int, ...] | None = None,
    stride: tuple[int, ...] | None = None,
    groups: int = 1,
    activation: str = "",
) -> tuple[Operation, ...]:
    """Return a convolution, pointwise where no kernel is given, with the layer's norm and an activation behind it.

    It is padded by (kernel - 1) / 2, rounded down: as the papers have it, so that odd kernels keep the size.
    """
    kernel = kernel or layer.ones
    padding = tuple((side - 1) // 2 for side in kernel)
    conv = Conv(ins, outs, kernel, stride or layer.ones, padding, groups=groups, bias=layer.bias)
    return (conv, *finish(layer, outs, activation))


def finish(layer: Layer, channels: int, activation: str = "") -> tuple[Operation, ...]:
    """Return what follows a convolution: the layer's norm, where it has one, and an activation, where one is named."""
    norm = () if layer.norm == "none" else (Norm(layer.norm, channels),)
    return (*norm, Activation(activation)) if activation else norm


def own_conv(layer: Layer) -> Conv:
    """Return the standard convolution of ``layer``."""
    return Conv(layer.cin, layer.cout, layer.sides, layer.stride, layer.padding, bias=layer.bias)


def quarter(channels: Named, symbol: str) -> Named:
    """Return a quarter of ``channels``, rounded down, to be called ``symbol``.

    Raises:
        SegcliError: Where that is none.
    """
    if channels < 4:  # noqa: PLR2004 - a quarter needs four
        message = f"a quarter of {channels} channels would be floor({channels} / 4) = 0, expected 1 or more"
        raise SegcliError(message, hint=f"give 4 channels or more for {channels.name}")
    return Named(channels // 4, symbol, f"floor({channels.name}/4)")
