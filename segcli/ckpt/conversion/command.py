"""``segcli ckpt convert``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.ckpt.options import DryRun, OutDir
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.ckpt.conversion.recipe import Recipe
    from segcli.emit import Output


def _complete_device(incomplete: str) -> list[str]:
    return [tag for tag in ("cpu", "cuda", "cuda:0", "mps", "meta", "xpu") if tag.startswith(incomplete)]


def _complete_format(incomplete: str) -> list[str]:
    return [name for name in ("zip", "legacy", "safetensors", "dcp") if name.startswith(incomplete)]


def _complete_dtype(incomplete: str) -> list[str]:
    return [name for name in ("bfloat16", "float16", "float32", "float64") if name.startswith(incomplete)]


@with_output
def convert(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SRC... [DST]",
            help="A checkpoint (zip, legacy, tar, .safetensors, a DCP folder), and where to write it; with --out-dir: "
            "checkpoints, patterns, folders of checkpoints.",
        ),
    ],
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DEVICE",
            help="cpu, cuda, cuda:N, mps, meta, xpu, hpu, mtia.",
            autocompletion=_complete_device,
        ),
    ] = None,
    tag_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="OLD=NEW",
            help="This tag, or all of a device's type, becomes NEW; the others --to. Repeatable.",
        ),
    ] = None,
    device_objects: Annotated[
        bool, typer.Option("--also-device-objects", help="Change torch.device objects among your values, too.")
    ] = False,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="zip, legacy (torch before 1.6), safetensors or dcp; left out: by DST's ending, else SRC's own.",
            autocompletion=_complete_format,
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="DTYPE",
            help="bfloat16, float16, float32 or float64 for floating tensors.",
            autocompletion=_complete_dtype,
        ),
    ] = None,
    keep_dtype: Annotated[
        list[str] | None,
        typer.Option("--keep-dtype", metavar="GLOB", help="With --dtype: keys that keep theirs. Repeatable."),
    ] = None,
    allow_overflow: Annotated[
        bool, typer.Option("--allow-overflow", help="With --dtype: let numbers become infinite that are too large.")
    ] = False,
    tensors_only: Annotated[
        bool, typer.Option("--tensors-only", help="Leave out what safetensors or DCP has no place for.")
    ] = False,
    out_dir: OutDir = None,
    dry_run: DryRun = False,
    output: "Output",
) -> None:
    """Rewrite the devices that a checkpoint names, its format or its dtype, and copy all else byte for byte.

    torch.load then puts the tensors on DEVICE by itself, without map_location.

    Values are copied, never loaded: memory does not grow with them, and neither torch nor the device is needed (torch
    only to write DCP).

    Examples:

    [bold]segcli ckpt convert gpu.pth cpu.pth --to cpu[/]
    [bold]segcli ckpt convert trained.pt here.pt --map cuda:1=cuda:0 --map cuda=cpu[/]
    [bold]segcli ckpt convert old.pth new.pth --format zip[/]               from before torch 1.6
    [bold]segcli ckpt convert model.pth model.safetensors --tensors-only[/] and back
    [bold]segcli ckpt convert step_100/ model.pth[/]                        from a DCP folder
    [bold]segcli ckpt convert model.pth half.pth --dtype bfloat16 --keep-dtype '*.norm.*'[/]
    [bold]segcli ckpt convert 'runs/*.pth' --out-dir cpu --to cpu[/]
    """
    from segcli.ckpt.conversion.recipe import Recipe
    from segcli.errors import SegcliError

    recipe = Recipe(
        map=tuple(tag_map or ()),
        device_objects=device_objects,
        dtype=dtype,
        keep_dtype=tuple(keep_dtype or ()),
        allow_overflow=allow_overflow,
        tensors_only=tensors_only,
        dry_run=dry_run,
    )
    if out_dir is not None:
        _convert_all(paths, out_dir, to, file_format, recipe, output)
    elif len(paths) == 2:  # noqa: PLR2004 - SRC and DST
        _convert_one(paths[0], paths[1], to, file_format, recipe, output)
    else:
        message = f"expected SRC and DST, got {len(paths)} path{'s' * (len(paths) > 1)}"
        raise SegcliError(message, hint="for several sources name a folder: --out-dir DIR")


def _convert_one(
    source: Path, destination: Path, to: str | None, file_format: str | None, recipe: "Recipe", output: "Output"
) -> None:
    from segcli.ckpt.conversion.converting import convert as run
    from segcli.ckpt.conversion.report import conversion_tables
    from segcli.ckpt.sources import bytes_of
    from segcli.emit import emit
    from segcli.progress import progress

    with progress("copied", bytes_of(source), output, in_bytes=True) as advance:
        result = run(
            source, destination, to, file_format=file_format, recipe=recipe, force=output.force, advance=advance
        )
    emit("ckpt.convert", result, lambda: conversion_tables(result), output)


def _convert_all(
    paths: list[Path], out_dir: Path, to: str | None, file_format: str | None, recipe: "Recipe", output: "Output"
) -> None:
    from segcli.ckpt.conversion.batch import convert_all
    from segcli.ckpt.conversion.report import batch_tables
    from segcli.ckpt.sources import expand, known_bytes
    from segcli.emit import emit
    from segcli.progress import progress

    sources = expand(paths)
    with progress("copied", sum(map(known_bytes, sources)), output, in_bytes=True) as advance:
        batch = convert_all(
            sources, out_dir, to, file_format=file_format, recipe=recipe, force=output.force, advance=advance
        )
    emit("ckpt.convert", batch, lambda: batch_tables(batch), output)
    if batch.code:
        raise typer.Exit(batch.code)
