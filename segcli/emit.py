"""Results to JSON, CSV or a rich table; progress bars and notes. The only importer of rich."""

import csv
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from segcli import units
from segcli.errors import SegcliError
from segcli.files import replacing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from segcli.table import Cell, Column, Table

# Rich's SIMPLE_HEAD for terminals that show nothing but ASCII.
_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_BAR_WIDTH = 8
_BAR_FULL = 1.25
# Where nobody looks at a screen, lines are as long as their content.
_UNBOUNDED_WIDTH = 10_000
_PROGRESS_AFTER_S = 1.0


@dataclass(frozen=True)
class Output:
    """How a command was asked to answer: its format, its destination, how much it says beside the result."""

    json: bool = False
    csv: bool = False
    file: Path | None = None
    force: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False


Reporter = Callable[[], Sequence["Table"]]


def emit(
    command: str,
    result: "DataclassInstance | Mapping[str, Any]",
    report: Reporter,
    output: Output,
    *,
    records: Reporter | None = None,
) -> None:
    """Write a result to standard output or to ``output.file``, in the format that was asked for.

    The format is JSON or CSV where asked for by option or by the file's ending, else tables. CSV holds one table, with
    raw values in base units; JSON holds the result itself.

    Args:
        command: The name in the schema: ``segcli.<command>/1``.
        result: A frozen dataclass, or a mapping of plain data.
        report: Makes the tables; called only where they are needed.
        output: The output options.
        records: Makes the table for CSV, where the first table of ``report`` does not hold everything.

    Raises:
        SegcliError: Where ``output.file`` cannot be written.
    """
    suffix = output.file.suffix.lower() if output.file else ""
    if output.json or (suffix == ".json" and not output.csv):
        text = to_json(command, result)
    elif output.csv or suffix == ".csv":
        text = to_csv((records or report)()[0])
    elif output.file is None or str(output.file) == "-":
        _print(report(), output)
        return
    else:
        text = to_text(report())
    if output.file is None or str(output.file) == "-":
        _write_out(text)
        return
    with replacing(output.file, force=output.force) as file:
        file.write(text.encode())


def to_json(command: str, result: "DataclassInstance | Mapping[str, Any]") -> str:
    """Return a JSON document of plain data: enums by value, paths as text, NaN and infinities as null."""
    content = result if isinstance(result, Mapping) else asdict(result)
    document = {"schema": f"segcli.{command}/1", **{key: _plain(value) for key, value in content.items()}}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def to_csv(table: "Table") -> str:
    """Return a table as CSV with raw cells; headings are snake case, with the base unit where there is one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_csv_heading(column) for column in table.columns])
    writer.writerows(table.rows)
    return buffer.getvalue()


def to_text(tables: Sequence["Table"], width: int = _UNBOUNDED_WIDTH, *, ascii_only: bool = False) -> str:
    """Return tables as plain text without colours; lines are broken only where they pass ``width``."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, color_system=None, force_terminal=False)
    _render(console, tables, ascii_only=ascii_only)
    return _without_trailing_spaces(buffer.getvalue())


def note(text: str, output: Output) -> None:
    """Say something beside the result: to standard error, and not under ``--quiet``."""
    if not output.quiet:
        sys.stderr.write(f"note: {printable(text)}\n")


def complain(message: str, hint: str = "") -> None:
    """Write an error in the form that every command keeps, to standard error."""
    lines = [f"error: {printable(message)}"] + ([f"hint: {printable(hint)}"] if hint else [])
    # Where standard error cannot be written either, the exit code says it.
    with suppress(OSError):
        sys.stderr.write("\n".join(lines) + "\n")


def printable(text: str) -> str:
    r"""Return ``text`` with control characters spelled out, so that a file's content cannot drive the terminal.

    Examples:
        >>> printable("weight" + chr(27) + "[2J")
        'weight\\x1b[2J'
    """
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


@contextmanager
def progress(what: str, total: int, output: Output, *, in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Give a function that counts work done; a bar appears on a terminal after a second.

    Args:
        what: What is counted, such as ``records``.
        total: How much there is to do.
        output: No bar under ``--quiet``.
        in_bytes: Whether bytes are counted: they are shown in units, with how many a second.
    """
    console = Console(stderr=True, no_color=output.no_color)
    if output.quiet or not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    counts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn(), console=console, transient=True
    )
    task = bar.add_task(what, total=total)
    started = bar.get_time()

    def advance(count: int) -> None:
        bar.advance(task, count)
        if not bar.live.is_started and bar.get_time() - started > _PROGRESS_AFTER_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()


def _print(tables: Sequence["Table"], output: Output) -> None:
    plain = output.no_color or bool(os.environ.get("NO_COLOR"))
    ascii_only = not str(getattr(sys.stdout, "encoding", "")).lower().startswith("utf")
    # Rich reads TERM=dumb and whether stdout is a terminal by itself.
    console = Console(color_system=None) if plain else Console()
    if console.is_terminal:
        _render(console, tables, ascii_only=ascii_only)
    else:
        width = int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdigit() else _UNBOUNDED_WIDTH
        _write_out(to_text(tables, width, ascii_only=ascii_only))


def _write_out(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"cannot write to standard output: {error.strerror}"
        raise SegcliError(message) from error


def _render(console: Console, tables: Sequence["Table"], *, ascii_only: bool) -> None:
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(Text(printable(table.title), style="bold"), soft_wrap=True)
        if table.columns:
            console.print(_rich_table(table, ascii_only=ascii_only))
        for line in table.notes:
            console.print(Text(printable(line)), soft_wrap=True)


def _rich_table(table: "Table", *, ascii_only: bool) -> RichTable:
    rich = RichTable(
        box=_ASCII_HEAD if ascii_only else box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold"
    )
    for index, column in enumerate(table.columns):
        text = column.kind in ("text", "bar")
        rich.add_column(
            Text(column.name),
            justify="left" if text else "right",
            no_wrap=index == 0 or column.kind != "text",
            style="cyan" if index == 0 else None,
            overflow="fold",
        )
    for row in table.rows:
        cells = (_shown(cell, column) for cell, column in zip(row, table.columns, strict=True))
        rich.add_row(*(Text(printable(cell)) for cell in cells))
    return rich


def _shown(cell: "Cell", column: "Column") -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    if column.kind == "rate":
        return units.format_rate(cell, column.unit)
    return _FORMATS[column.kind](cell)


def _bar(fraction: float) -> str:
    """Draw a fraction of 1; more than the bar can hold ends in a plus sign."""
    filled = max(1, round(min(fraction, _BAR_FULL) * _BAR_WIDTH)) if fraction > 0 else 0
    return "#" * filled + ("+" if fraction > _BAR_FULL else "")


_FORMATS: dict[str, Callable[[float], str]] = {
    "text": str,
    "count": units.format_count,
    "number": units.format_number,
    "seconds": units.format_seconds,
    "bytes": units.format_bytes,
    "ratio": units.format_ratio,
    "bar": _bar,
}


def _csv_heading(column: "Column") -> str:
    unit = {"seconds": "_s", "bytes": "_bytes"}.get(column.kind, "")
    name = column.name.lower().replace(" ", "_")
    return name if name.endswith(unit) else name + unit


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON holds anything
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _without_trailing_spaces(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())
