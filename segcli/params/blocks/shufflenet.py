"""The units of ShuffleNet and ShuffleNetV2."""

from segcli.errors import SegcliError
from segcli.params.block import Block, Parallel, Path
from segcli.params.blocks.pieces import quarter, unit
from segcli.params.description import Layer
from segcli.params.formula import Named
from segcli.params.operation import Activation, Pool, Shuffle


def shufflenet(layer: Layer) -> Block:
    """Pointwise in groups to a quarter of the output's channels, shuffled, depthwise, pointwise in groups.

    Input and output are added where their shapes are equal (figure 2 b). Elsewhere the input, averaged over 3 x 3 with
    the stride, is the first part of the output, and the branch makes the other channels (figure 2 c: there stride 2).

    Raises:
        SegcliError: Where the output must have more channels than the input and has not, or groups do not divide.

    Source:
        Zhang et al. 2018, ShuffleNet, section 3.2 and figure 2; section 3.3 for the quarter.
    """
    made = layer.cout if layer.keeps_shape else _rest(layer)
    middle = quarter(layer.cout, "M")
    branch = (
        *unit(layer, layer.cin, middle, groups=layer.g, activation="ReLU"),
        Shuffle(layer.groups),
        *unit(layer, middle, middle, kernel=layer.sides, stride=layer.stride, groups=middle),
        *unit(layer, middle, made, groups=layer.g),
    )
    if layer.keeps_shape:
        return Parallel((Path("branch", branch), Path("shortcut")), "add"), Activation("ReLU")
    pool = Pool((3,) * layer.dims, layer.stride, layer.ones)
    return Parallel((Path("shortcut", (pool,)), Path("branch", branch)), "concatenate"), Activation("ReLU")


def _rest(layer: Layer) -> Named:
    rest = layer.out_channels - layer.in_channels
    if rest < 1:
        message = (
            f"the ShuffleNet unit joins its input to what it makes, which would be {layer.out_channels} - "
            f"{layer.in_channels} = {rest} channels, expected 1 or more"
        )
        raise SegcliError(message, hint="give more output channels, or equal ones and stride 1")
    return Named(rest, "B", "Cout - Cin")


def shufflenet_v2(layer: Layer) -> Block:
    """Half of the channels pass, the others go through pointwise, depthwise, pointwise; then all are shuffled.

    Where the shapes differ, both halves of the output are made from the whole input (figure 3 d, which has stride 2).

    Raises:
        SegcliError: Where the output's channels have no half.

    Source:
        Ma et al. 2018, ShuffleNet V2, section 3.2 and figure 3 c and d. Implementation followed:
        ``torchvision.models.shufflenetv2`` 0.28.
    """
    if layer.out_channels % 2:
        message = f"out_channels {layer.out_channels} does not divide into 2 halves"
        raise SegcliError(message, hint="give an even number of output channels")
    half = Named(layer.out_channels // 2, "H", "Cout/2")
    if layer.keeps_shape:
        passing = Path("shortcut", channels=half)
        working = Path("branch", _through(layer, half, half), channels=half)
    else:
        passing = Path(
            "shortcut",
            (
                *unit(layer, layer.cin, layer.cin, kernel=layer.sides, stride=layer.stride, groups=layer.cin),
                *unit(layer, layer.cin, half, activation="ReLU"),
            ),
        )
        working = Path("branch", _through(layer, layer.cin, half))
    return Parallel((passing, working), "concatenate"), Shuffle(2)


def _through(layer: Layer, ins: int, half: int) -> Block:
    return (
        *unit(layer, ins, half, activation="ReLU"),
        *unit(layer, half, half, kernel=layer.sides, stride=layer.stride, groups=half),
        *unit(layer, half, half, activation="ReLU"),
    )
