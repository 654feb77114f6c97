"""``segcli bench report``."""

import sys
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
        list[str],
        typer.Argument(
            metavar="RUN.json...", help="What segcli bench -o run.json wrote; several, or a pattern: side by side."
        ),
    ],
    *,
    output: "Output",
) -> None:
    """Write runs as one HTML page that opens offline: environment, ceilings, rooflines, tables, every sample.

    Examples:

    [bold]segcli bench report run.json -o report.html[/]
    [bold]segcli bench report old.json new.json -o report.html[/]  with ratios
    [bold]segcli bench report 'main-*.json' -o report.html[/]  all that match
    """
    from segcli.bench.comparing.stored import read_run
    from segcli.bench.reporting.gathering import named
    from segcli.bench.reporting.page import page
    from segcli.emit import emit_text

    _refuse_other_formats(output)
    paths = _each_once(files)
    runs = [read_run(path) for path in paths]
    emit_text(page(named([str(path) for path in paths], runs)), output)


def _refuse_other_formats(output: "Output") -> None:
    from segcli.errors import SegcliError

    if output.json or output.csv:
        message = f"the report is HTML, expected no {'--json' if output.json else '--csv'}"
        raise SegcliError(message, hint="the run's own file is the JSON")
    if output.file is None or str(output.file) == "-":
        if sys.stdout.isatty():
            message = "the report is HTML, expected a file or a pipe, not a terminal"
            raise SegcliError(message, hint="-o report.html")
    elif output.file.suffix.lower() not in _SUFFIXES:
        message = f"the report is HTML, expected a name that ends in .html, not {output.file.name}"
        raise SegcliError(message, hint=f"-o {output.file.with_suffix('.html')}")


def _each_once(patterns: list[str]) -> list[Path]:
    """Return the files of these names or patterns; a file beside itself would show ratios of 1 and mean nothing."""
    from segcli.bench.comparing.stored import matching
    from segcli.errors import SegcliError

    found: dict[Path, Path] = {}
    for path in (path for pattern in patterns for path in matching(pattern)):
        first = found.setdefault(path.resolve(), path)
        if first is not path:
            name = "standard input" if str(path) == "-" else str(path)
            said = "" if first == path else f" first as {first};"
            message = f"{name} was given twice,{said} expected each run once"
            raise SegcliError(message, hint="leave one of them out")
    return list(found.values())
