"""``segcli bench report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output


_SUFFIXES = (".html", ".htm")


@with_output
def report(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="RUN.json...", help="What segcli bench -o run.json wrote; several side by side."),
    ],
    *,
    output: "Output",
) -> None:
    """Write runs as one HTML page that opens offline: environment, ceilings, rooflines, tables, every sample.

    Examples:

    [bold]segcli bench report run.json -o report.html[/]
    [bold]segcli bench report before.json after.json -o report.html[/]   side by side, with ratios
    """
    from segcli.bench.comparing.stored import read_run
    from segcli.bench.reporting.gathering import named
    from segcli.bench.reporting.page import page
    from segcli.emit import emit_text
    from segcli.errors import SegcliError

    if output.json or output.csv:
        message = f"the report is HTML, expected no {'--json' if output.json else '--csv'}"
        raise SegcliError(message, hint="the run's own file is the JSON")
    if output.file is not None and output.file.suffix.lower() not in _SUFFIXES:
        message = f"the report is HTML, expected a name that ends in .html, not {output.file.name}"
        raise SegcliError(message, hint=f"-o {output.file.with_suffix('.html')}")
    runs = [read_run(file) for file in files]
    emit_text(page(named([str(file) for file in files], runs)), output)
