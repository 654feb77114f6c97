"""``segcli ckpt verify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from segcli.emit import Output


@with_output
def verify(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="A checkpoint of any format, or what is left of one; or several, patterns, folders of checkpoints.",
        ),
    ],
    *,
    values: Annotated[bool, typer.Option("--values", help="Look for NaN and infinite values, too.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NAME", help="A class or function that the pickle may name; repeatable."),
    ] = None,
    output: "Output",
) -> None:
    """Say whether a checkpoint is whole, and safe to load: exit code 1 where it is not.

    Compares every record with its checksum, which torch never does, and its headers with one another and with what the
    pickle says; judges every name in the pickle by the list that torch.load(..., weights_only=True) goes by. Nothing
    in the file is imported or run. What a file is that is no checkpoint is said, and how much of a truncated one is
    missing. Of several files --json has a list, files, of what it says of one.

    Examples:

    [bold]segcli ckpt verify model.pth[/]
    [bold]segcli ckpt verify model.pth --values --json[/]                NaN, too
    [bold]segcli ckpt verify 'runs/*.pth'[/]                             many
    [bold]segcli ckpt verify model.pth --allow argparse.Namespace[/]     a class that you know
    """
    from segcli.ckpt.sources import expand

    paths = expand(sources)
    run = _verify_all if len(paths) > 1 else _verify_one
    if code := run(paths, tuple(allow or ()), output, values=values):
        raise typer.Exit(code)


def _verify_one(paths: "Sequence[Path]", allow: tuple[str, ...], output: "Output", *, values: bool) -> int:
    from segcli.ckpt.verification.report import finding_records, verification_tables
    from segcli.ckpt.verification.verifying import verify as run
    from segcli.emit import emit
    from segcli.errors import ExitCode

    with _progress(paths, output, values=values) as advance:
        result = run(paths[0], values=values, allow=allow, advance=advance)
    emit("ckpt.verify", result, lambda: verification_tables(result), output, records=lambda: finding_records(result))
    return ExitCode.DONE if result.ok else ExitCode.NO


def _verify_all(paths: "Sequence[Path]", allow: tuple[str, ...], output: "Output", *, values: bool) -> int:
    from segcli.ckpt.verification.batch import verify_all
    from segcli.ckpt.verification.report import batch_records, batch_tables
    from segcli.emit import emit

    with _progress(paths, output, values=values) as advance:
        batch = verify_all(paths, values=values, allow=allow, advance=advance)
    emit("ckpt.verify", batch, lambda: batch_tables(batch), output, records=lambda: batch_records(batch))
    return batch.code


def _progress(
    paths: "Sequence[Path]", output: "Output", *, values: bool
) -> "AbstractContextManager[Callable[[int], None]]":
    from segcli.ckpt.sources import known_bytes
    from segcli.progress import progress

    return progress("verified", sum(map(known_bytes, paths)) * (2 if values else 1), output, in_bytes=True)
