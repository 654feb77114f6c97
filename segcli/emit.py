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
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
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
from segcli.table import Styled

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from segcli.table import Cell, Column, Style, Table

# Rich's SIMPLE_HEAD for terminals that show nothing but ASCII.
_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_LEAST_TEXT_WIDTH = 16
_BAR_WIDTH = 8
_BAR_FULL = 1.25
# Where nobody looks at a screen, lines are as long as their content.
_UNBOUNDED_WIDTH = 10_000
_PROGRESS_AFTER_S = 1.0
# Each has a contrast of 4 and more against white and against black, and differs from its neighbours in more than hue.
PALETTE: dict["Style", str] = {
    "": "",
    "axis0": "#d7005f",
    "axis1": "#005fff",
    "axis2": "#008700",
    "axis3": "#af5f00",
    "axis4": "#af00ff",
    "axis5": "#008787",
    "gone": "#767676",
}


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
def progress(
    what: str, total: int, output: Output, *, in_bytes: bool = False, streams: bool = False
) -> Iterator[Callable[[int], None]]:
    """Give a function that counts work done; a bar appears on a terminal after a second.

    Args:
        what: What is counted, such as ``records``.
        total: How much there is to do; no bar for 0.
        output: No bar under ``--quiet``.
        in_bytes: Whether bytes are counted: they are shown in units, with how many a second.
        streams: Whether results are written meanwhile: no bar runs through them on the same terminal.
    """
    console = Console(stderr=True, no_color=output.no_color or None)
    in_the_way = streams and output.file is None and sys.stdout.isatty()
    if output.quiet or in_the_way or not total or not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    counts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # What a command writes to standard output while the bar stands stays there.
        redirect_stdout=False,
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
        console.print(_text(table.title, "bold"), soft_wrap=True)
        if table.columns:
            _print_whole(console, _rich_table(table, ascii_only=ascii_only))
        for note_ in table.notes:
            for line in _wrapped(note_, console.width):
                console.print(_text(line), soft_wrap=True)


def _print_whole(console: Console, table: RichTable) -> None:
    """Print a table that the terminal is too narrow for as wide as it must be: Rich would cut numbers short."""
    width = console.width
    console.width = max(
        width, Measurement.get(console, console.options.update(max_width=_UNBOUNDED_WIDTH), table).minimum
    )
    console.print(table)
    console.width = width


def _text(content: str | Styled, style: str = "") -> Text:
    if isinstance(content, str):
        return Text(_on_one_line(content), style=style)
    return Text.assemble(*((_on_one_line(part), PALETTE[name]) for part, name in content.spans), style=style)


def _on_one_line(text: str) -> str:
    """Spell out a name's line breaks, too: in a table they would break the row."""
    return printable(text).replace("\n", "\\n")


def _wrapped(line: str | Styled, width: int) -> list[str] | list[Styled]:
    """Break prose between words; what is laid out already stays."""
    if isinstance(line, Styled):
        return [line]
    if len(line) <= width or line.startswith(" "):
        return [line]
    return wrap(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _rich_table(table: "Table", *, ascii_only: bool) -> RichTable:
    rich = RichTable(
        box=_ASCII_HEAD if ascii_only else box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold"
    )
    shown = [[_shown(cell, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]
    for index, column in enumerate(table.columns):
        text = column.kind in ("text", "bar")
        longest = max((len(str(cells[index])) for cells in shown), default=0)
        rich.add_column(
            Text(column.name),
            justify="left" if text else "right",
            no_wrap=index == 0 or column.kind != "text",
            style="cyan" if index == 0 else None,
            overflow="fold",
            # What is one word or short stays on one line; longer text may be broken, though not into single letters.
            min_width=min(longest, _LEAST_TEXT_WIDTH) if column.kind == "text" and index else longest,
        )
    for cells in shown:
        rich.add_row(*(_text(cell) for cell in cells))
    return rich


def _shown(cell: "Cell", column: "Column") -> str | Styled:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str | Styled):
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
