"""``segcli ckpt diff``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.ckpt.options import keys_option
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output


def _complete_ignore(incomplete: str) -> list[str]:
    return [word for word in ("tags", "dtypes", "values", "ties", "others") if word.startswith(incomplete)]


@with_output
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A checkpoint of any format.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    *,
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="X", help="Values that differ by at most X are alike.")
    ] = 0.0,
    rtol: Annotated[
        float, typer.Option("--rtol", metavar="R", help="And by R times the magnitude in B, as in torch.allclose.")
    ] = 0.0,
    keys: Annotated[list[str] | None, keys_option("Compare only these keys.")] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="WHAT",
            help="Let these not count: tags, dtypes, values, ties, others; Repeatable.",
            autocompletion=_complete_ignore,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take records of one size and checksum as equal, without reading them.")
    ] = False,
    output: "Output",
) -> None:
    """Say what differs between two checkpoints: keys, shapes, dtypes, device tags, values, ties, other values.

    NaN equals NaN. Exit code 1 says that they differ.

    Examples:

    [bold]segcli ckpt diff before.pth after.pth[/]
    [bold]segcli ckpt diff fp32.pth fp16.pth --tolerance 1e-3 --ignore dtypes[/]
    [bold]segcli ckpt diff a.pth b.safetensors --keys '*.weight'[/]
    """
    from segcli.ckpt.difference.comparing import Question
    from segcli.ckpt.difference.comparing import diff as run
    from segcli.ckpt.difference.report import difference_records, difference_tables
    from segcli.ckpt.sources import bytes_of
    from segcli.emit import emit
    from segcli.errors import ExitCode
    from segcli.progress import progress

    question = Question(tolerance, rtol, tuple(keys or ()), tuple(ignore or ()), quick)
    with progress("compared", bytes_of(first), output, in_bytes=True) as advance:
        result = run(first, second, question, advance=advance)
    emit("ckpt.diff", result, lambda: difference_tables(result), output, records=lambda: difference_records(result))
    if not result.same:
        raise typer.Exit(ExitCode.NO)
