"""``segcli ckpt``: checkpoints moved between devices and looked into."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output

app = typer.Typer(rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def ckpt(context: typer.Context) -> None:
    """Convert and inspect PyTorch checkpoints, without torch, a GPU, or running what they say.

    Examples:

    [bold]segcli ckpt inspect model.pth[/]                   what is inside
    [bold]segcli ckpt convert gpu.pth cpu.pth --to cpu[/]    loads anywhere
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _complete_device(incomplete: str) -> list[str]:
    return [tag for tag in ("cpu", "cuda", "cuda:0", "mps", "meta", "xpu") if tag.startswith(incomplete)]


@app.command("convert")
@with_output
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A zip checkpoint, as torch.save writes.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Where to write it.")],
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="DEVICE",
            help="cpu, cuda, cuda:N, mps, meta, xpu, hpu, mtia.",
            autocompletion=_complete_device,
        ),
    ],
    output: "Output",
) -> None:
    """Rewrite the devices that a checkpoint names, and copy all else byte for byte.

    torch.load then puts the tensors on DEVICE by itself, without map_location.

    Values are copied, never loaded: memory does not grow with them, and neither torch nor the device is needed.

    Examples:

    [bold]segcli ckpt convert gpu.pth cpu.pth --to cpu[/]
    [bold]segcli ckpt convert trained.pt here.pt --to cuda:0[/]    from cuda:7, say
    """
    from segcli.ckpt.conversion import convert as run
    from segcli.ckpt.report import conversion_tables
    from segcli.emit import emit
    from segcli.formats.byte_source import size_of
    from segcli.progress import progress

    with progress("copied", size_of(source), output, in_bytes=True) as advance:
        result = run(source, destination, to, force=output.force, advance=advance)
    emit("ckpt.convert", result, lambda: conversion_tables(result), output)


@app.command("inspect")
@with_output
def inspect(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A zip checkpoint or a .safetensors file.")],
    *,
    output: "Output",
) -> None:
    """List a checkpoint's tensors, other values, devices, and every name in its pickle.

    Only headers and the pickle are read, and nothing in it is run.

    Examples:

    [bold]segcli ckpt inspect model.pth[/]
    [bold]segcli ckpt inspect model.safetensors --json[/]
    """
    from segcli.ckpt.inspection import inspect as run
    from segcli.ckpt.report import inspection_tables
    from segcli.emit import emit

    result = run(source)
    emit("ckpt", result, lambda: inspection_tables(result), output)
