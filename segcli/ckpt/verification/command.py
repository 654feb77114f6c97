"""``segcli ckpt verify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output


@with_output
def verify(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint of any format, or what is left of one.")],
    *,
    values: Annotated[bool, typer.Option("--values", help="Look for NaN and infinite values, too.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NAME", help="A class or function that the pickle may name; may be repeated."),
    ] = None,
    output: "Output",
) -> None:
    """Say whether a checkpoint is whole, and safe to load: exit code 1 where it is not.

    Compares every record with its checksum, which torch never does, and its headers with one another and with what the
    pickle says; judges every name in the pickle by the list that torch.load(..., weights_only=True) goes by. Nothing
    in the file is imported or run. What a file is that is no checkpoint is said, and how much of a truncated one is
    missing.

    Examples:

    [bold]segcli ckpt verify model.pth[/]
    [bold]segcli ckpt verify model.pth --values --json[/]                NaN, too
    [bold]segcli ckpt verify model.pth --allow argparse.Namespace[/]     a class that you know
    """
    from segcli.ckpt.sources import known_bytes
    from segcli.ckpt.verification.report import finding_records, verification_tables
    from segcli.ckpt.verification.verifying import verify as run
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.progress import progress

    with progress("verified", known_bytes(source) * (2 if values else 1), output, in_bytes=True) as advance:
        result = run(source, values=values, allow=tuple(allow or ()), advance=advance)
    emit("ckpt.verify", result, lambda: verification_tables(result), output, records=lambda: finding_records(result))
    if not result.ok:
        raise typer.Exit(ExitCode.NO)
