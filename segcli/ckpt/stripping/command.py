"""``segcli ckpt strip``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.ckpt.options import DryRun, OutDir
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.ckpt.stripping.strip import Wish
    from segcli.emit import Output


def _complete_prefix(incomplete: str) -> list[str]:
    prefixes = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "model.")
    return [prefix for prefix in prefixes if prefix.startswith(incomplete)]


@with_output
def strip(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SRC... [DST]",
            help="A checkpoint (zip, legacy, tar, .safetensors, a DCP folder), and where to write it, in the same "
            "format; with --out-dir: checkpoints, patterns, folders of checkpoints.",
        ),
    ],
    *,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="GLOB", help="Leave only these paths and what is below them. Repeatable."),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="GLOB", help="Leave these paths out, and what is below. Repeatable."),
    ] = None,
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="Leave the state dict alone, as what the file is.")
    ] = False,
    prefix: Annotated[
        list[str] | None,
        typer.Option(
            "--prefix",
            metavar="TEXT",
            help="Take it off the start of state dicts' keys, once; with _ in front, off any part. Repeatable.",
            autocompletion=_complete_prefix,
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="OLD=NEW",
            help="Keys of dicts that are OLD, or start with OLD and a dot; * stands for any text. Repeatable.",
        ),
    ] = None,
    compact: Annotated[
        bool, typer.Option("--compact", help="Cut off memory that no tensor uses, as around saved views.")
    ] = False,
    out_dir: OutDir = None,
    dry_run: DryRun = False,
    output: "Output",
) -> None:
    """Leave out of a checkpoint what nobody needs: optimizers, wrappers' prefixes, memory around views.

    It is done in the order of the options below; GLOBs are of the paths that inspect lists in SRC.

    Values, strides and ties stay. Keys that would become one are refused.

    Examples:

    [bold]segcli ckpt strip trained.pth weights.pth --weights-only --prefix module.[/]
    [bold]segcli ckpt strip compiled.pth plain.pth --prefix _orig_mod.[/]
    [bold]segcli ckpt strip last.ckpt small.ckpt --drop optimizer_states --drop '*.num_batches_tracked'[/]
    [bold]segcli ckpt strip old.pth new.pth --rename backbone=encoder --rename '*.gamma=*.weight'[/]
    [bold]segcli ckpt strip view.pth cut.pth --compact --dry-run[/]
    [bold]segcli ckpt strip 'runs/*.ckpt' --out-dir small --weights-only[/]
    """
    from segcli.ckpt.stripping.strip import Wish
    from segcli.errors import SegcliError

    wish = Wish(tuple(keep or ()), tuple(drop or ()), weights_only, tuple(prefix or ()), tuple(rename or ()), compact)
    if out_dir is not None:
        _strip_all(paths, out_dir, wish, output, dry_run=dry_run)
    elif len(paths) == 2:  # noqa: PLR2004 - SRC and DST
        _strip_one(paths[0], paths[1], wish, output, dry_run=dry_run)
    else:
        message = f"expected SRC and DST, got {len(paths)} path{'s' * (len(paths) > 1)}"
        raise SegcliError(message, hint="for several sources name a folder: --out-dir DIR")


def _strip_one(source: Path, destination: Path, wish: "Wish", output: "Output", *, dry_run: bool) -> None:
    from segcli.ckpt.sources import bytes_of
    from segcli.ckpt.stripping.report import strip_tables
    from segcli.ckpt.stripping.strip import strip as run
    from segcli.emit import emit
    from segcli.progress import progress

    with progress("written", bytes_of(source), output, in_bytes=True) as advance:
        result = run(source, destination, wish, dry_run=dry_run, force=output.force, advance=advance)
    emit("ckpt.strip", result, lambda: strip_tables(result), output)


def _strip_all(paths: list[Path], out_dir: Path, wish: "Wish", output: "Output", *, dry_run: bool) -> None:
    from segcli.ckpt.sources import expand, known_bytes
    from segcli.ckpt.stripping.batch import strip_all
    from segcli.ckpt.stripping.report import batch_tables
    from segcli.emit import emit
    from segcli.progress import progress

    sources = expand(paths)
    with progress("written", sum(map(known_bytes, sources)), output, in_bytes=True) as advance:
        batch = strip_all(sources, out_dir, wish, dry_run=dry_run, force=output.force, advance=advance)
    emit("ckpt.strip", batch, lambda: batch_tables(batch), output)
    if batch.code:
        raise typer.Exit(batch.code)
