"""``segcli params``: what layers hold and cost."""

from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output
    from segcli.params.variants import Layer

app = typer.Typer(rich_markup_mode="rich")

# The notes' example: 16 -> 64 channels, 3x3, on 8x8.
_IN_CHANNELS, _OUT_CHANNELS = 16, 64


def _complete_variants(incomplete: str) -> list[str]:
    from segcli.params.variants import VARIANTS

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in VARIANTS if name.startswith(last)]


Variants = Annotated[
    str,
    typer.Option(
        "--variants",
        metavar="NAME,...",
        help="Which variants; all that the layer can have where not given.",
        autocompletion=_complete_variants,
    ),
]


@app.callback(invoke_without_command=True)
@with_output
def params(*, variants: Variants = "all", output: "Output") -> None:
    """Count parameters, MACs and receptive field of convolution variants, without torch.

    Examples:

    [bold]segcli params[/]                               every variant of 16 -> 64, 3x3, on 8x8
    [bold]segcli params conv 64 128 --size 32x32[/]      of your own layer
    """
    from segcli.params.variants import Layer

    _compare(Layer(_IN_CHANNELS, _OUT_CHANNELS), variants, output)


@app.command("conv")
@with_output
def conv(
    in_channels: Annotated[int, typer.Argument(metavar="IN", help="Channels of the input.")],
    out_channels: Annotated[int, typer.Argument(metavar="OUT", help="Channels of the output.")],
    *,
    kernel: Annotated[str, typer.Option("--kernel", "-k", metavar="K|KHxKW", help="Kernel sides.")] = "3",
    size: Annotated[str, typer.Option("--size", metavar="HxW", help="Spatial size of the input.")] = "8x8",
    stride: Annotated[str, typer.Option("--stride", metavar="S|SHxSW", help="Stride.")] = "1",
    padding: Annotated[str, typer.Option("--padding", metavar="P|PHxPW", help="Zero padding.")] = "0",
    dilation: Annotated[str, typer.Option("--dilation", metavar="D|DHxDW", help="Of the dilated variant.")] = "2",
    groups: Annotated[int, typer.Option("--groups", help="Of the grouped variant.")] = 8,
    bias: Annotated[bool, typer.Option("--bias/--no-bias", help="Whether every convolution has one.")] = False,
    variants: Variants = "all",
    output: "Output",
) -> None:
    """Compare the variants of a convolution from IN to OUT channels.

    Examples:

    [bold]segcli params conv 64 128 --size 32x32 --padding 1[/]
    [bold]segcli params conv 64 64 -k 1x7 --padding 0x3 --variants standard,depthwise[/]
    """
    from segcli.params.variants import Layer

    layer = Layer(
        in_channels,
        out_channels,
        kernel=_pair(kernel, "--kernel"),
        size=_pair(size, "--size"),
        stride=_pair(stride, "--stride"),
        padding=_pair(padding, "--padding"),
        dilation=_pair(dilation, "--dilation"),
        groups=groups,
        bias=bias,
    )
    _compare(layer, variants, output)


def _compare(layer: "Layer", variants: str, output: "Output") -> None:
    from segcli.emit import emit
    from segcli.params.report import tables
    from segcli.params.variants import compare

    # A name that is given twice is one row.
    names = dict.fromkeys(name.strip() for name in variants.split(","))
    result = compare(layer, () if variants == "all" else tuple(names))
    emit("params", result, lambda: tables(result), output)


def _pair(text: str, option: str) -> tuple[int, int]:
    from segcli.errors import SegcliError
    from segcli.units import parse_size

    match parse_size(text, option):
        case (side,):
            return side, side
        case (high, wide):
            return high, wide
        case sides:
            message = f"{option} {text} has {len(sides)} sides, expected one or two"
            raise SegcliError(message)
