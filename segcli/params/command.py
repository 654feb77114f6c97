"""``segcli params``: what layers and blocks hold and cost."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segcli.options import with_output
from segcli.params.network.command import file, module, net

if TYPE_CHECKING:
    from segcli.emit import Output
    from segcli.params.description import Layer

app = typer.Typer(rich_markup_mode="rich")

# The notes' example: 16 -> 64 channels, 3x3, on 8x8.
_IN_CHANNELS, _OUT_CHANNELS = 16, 64
# More digits than any number that a layer may be made of.
_LONGEST = 19


def integer(value: str | int) -> int:
    """Read a whole number, or take a default; int() of a megabyte of digits would take minutes.

    Raises:
        typer.BadParameter: For anything else, and for more digits than any layer's number has.
    """
    text = str(value).strip()
    digits = text.removeprefix("-")
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    if not (digits.isascii() and digits.isdigit()):
        message = f"{shown!r} is not a valid int"
        raise typer.BadParameter(message)
    if len(digits) > _LONGEST:
        message = f"{shown!r} has {len(digits)} digits, expected at most {_LONGEST}"
        raise typer.BadParameter(message)
    return int(text)


def _complete_variants(incomplete: str) -> list[str]:
    from segcli.params.variants import VARIANTS

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in VARIANTS if name.startswith(last)]


def _complete_norms(incomplete: str) -> list[str]:
    from segcli.params.operation import NORMS

    return [name for name in NORMS if name.startswith(incomplete)]


def _complete_dtypes(incomplete: str) -> list[str]:
    from segcli.params.description import ITEM_BYTES

    return [name for name in ITEM_BYTES if name.startswith(incomplete)]


Kernel = Annotated[str, typer.Option("--kernel", "-k", metavar="K|KHxKW", help="Kernel sides.")]
Size = Annotated[str, typer.Option("--size", metavar="S|HxW", help="Spatial size of the input.")]
Stride = Annotated[str, typer.Option("--stride", metavar="S|SHxSW", help="Stride.")]
Padding = Annotated[
    str,
    typer.Option(
        "--padding", metavar="P|PHxPW|same", help="Zeros on both sides; blocks of papers pad as they do there."
    ),
]
Dilation = Annotated[str, typer.Option("--dilation", metavar="D|DHxDW", help="Of the dilated variant.")]
Groups = Annotated[
    int, typer.Option("--groups", parser=integer, metavar="G", help="Of the grouped variant and the ShuffleNet unit.")
]
Dims = Annotated[int, typer.Option("--dims", parser=integer, metavar="1|2|3", help="Spatial dimensions.")]
Bias = Annotated[bool, typer.Option("--bias/--no-bias", help="Whether every convolution has one.")]
Norm = Annotated[
    str,
    typer.Option(
        "--norm",
        metavar="NAME",
        help="Where blocks have one, and behind plain convolutions: none, batch, layer, instance or group.",
        autocompletion=_complete_norms,
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="Of parameters and activations: float32, float64, bfloat16, float16, float8_e4m3fn, float8_e5m2 or int8.",
        autocompletion=_complete_dtypes,
    ),
]
Variants = Annotated[
    str,
    typer.Option(
        "--variants",
        metavar="NAME,...",
        help="Which variants; all that the layer can have where not given.",
        autocompletion=_complete_variants,
    ),
]
Formula = Annotated[bool, typer.Option("--formula", help="Explain each of the variants term by term instead.")]


@app.callback(invoke_without_command=True)
@with_output
def params(
    *,
    kernel: Kernel = "3",
    size: Size = "8",
    stride: Stride = "1",
    padding: Padding = "0",
    dilation: Dilation = "2",
    groups: Groups = 8,
    dims: Dims = 2,
    bias: Bias = False,
    norm: Norm = "none",
    dtype: Dtype = "float32",
    variants: Variants = "all",
    formula: Formula = False,
    output: "Output",
) -> None:
    """Count parameters, MACs and receptive fields of layers, blocks and whole networks.

    Bare, it compares every variant of a layer from 16 to 64 channels, without torch.

    Examples:

    [bold]segcli params[/]                                     every variant of 16 -> 64, 3x3, on 8x8
    [bold]segcli params conv 64 128 --size 32x32[/]            of your own layer
    [bold]segcli params --variants resnet-basic --formula[/]   one of them, term by term
    [bold]segcli params net bisenet_v2 --size 512x1024[/]      of a whole network
    """
    layer = _layer(
        _IN_CHANNELS,
        _OUT_CHANNELS,
        dims,
        {"kernel": kernel, "size": size, "stride": stride, "padding": padding, "dilation": dilation},
        groups=groups,
        bias=bias,
        norm=norm,
        dtype=dtype,
    )
    _compare(layer, variants, output, formula=formula)


@app.command("conv")
@with_output
def conv(
    in_channels: Annotated[int, typer.Argument(metavar="IN", parser=integer, help="Channels of the input.")],
    out_channels: Annotated[int, typer.Argument(metavar="OUT", parser=integer, help="Channels of the output.")],
    *,
    kernel: Kernel = "3",
    size: Size = "8",
    stride: Stride = "1",
    padding: Padding = "0",
    dilation: Dilation = "2",
    groups: Groups = 8,
    dims: Dims = 2,
    bias: Bias = False,
    norm: Norm = "none",
    dtype: Dtype = "float32",
    variants: Variants = "all",
    formula: Formula = False,
    output: "Output",
) -> None:
    """Compare the variants of a convolution from IN to OUT channels, and the blocks that take its place.

    One side stands for every axis. The variants, for --variants:

    [bold]plain[/]    standard pointwise grouped depthwise dilated transposed
    [bold]parted[/]   depthwise-separable spatially-separable ghost partial
    [bold]blocks[/]   resnet-basic resnet-bottleneck inverted-residual shufflenet
             shufflenet-v2 convnext (a large depthwise kernel)
             gather-and-expansion (of BiSeNetV2)

    Examples:

    [bold]segcli params conv 64 128 --size 32x32 --padding 1 --norm batch[/]
    [bold]segcli params conv 64 64 -k 1x7 --padding same --variants standard,depthwise[/]
    [bold]segcli params conv 64 128 --stride 2 --variants inverted-residual --formula[/]
    """
    layer = _layer(
        in_channels,
        out_channels,
        dims,
        {"kernel": kernel, "size": size, "stride": stride, "padding": padding, "dilation": dilation},
        groups=groups,
        bias=bias,
        norm=norm,
        dtype=dtype,
    )
    _compare(layer, variants, output, formula=formula)


app.command("net")(net)
app.command("module")(module)
app.command("file")(file)


def _layer(
    in_channels: int,
    out_channels: int,
    dims: int,
    sides: dict[str, str],
    *,
    groups: int,
    bias: bool,
    norm: str,
    dtype: str,
) -> "Layer":
    from segcli.params.description import Layer
    from segcli.params.operation import norm_kind

    padding = sides.pop("padding").strip()
    kept: Literal["same"] = "same"
    return Layer(
        in_channels,
        out_channels,
        dims,
        padding=kept if padding == kept else _sides("padding", padding),
        groups=groups,
        bias=bias,
        norm=norm_kind(norm),
        dtype=dtype,
        **{name: _sides(name, text) for name, text in sides.items()},
    )


def _sides(name: str, text: str) -> tuple[int, ...]:
    from segcli.units import parse_size

    return parse_size(text, f"--{name}")


def _compare(layer: "Layer", variants: str, output: "Output", *, formula: bool) -> None:
    from segcli.emit import emit
    from segcli.params.report import explanation, records, tables
    from segcli.params.variants import compare

    # A name that is given twice is one row.
    names = dict.fromkeys(name.strip() for name in variants.split(","))
    result = compare(layer, () if variants == "all" else tuple(names))
    emit(
        "params",
        result,
        lambda: explanation(result) if formula else tables(result),
        output,
        records=lambda: records(result),
    )
