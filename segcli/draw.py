"""Tables as text, with colours and broken lines where a terminal wants them."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from segcli import units
from segcli.table import Styled
from segcli.words import printable

if TYPE_CHECKING:
    from segcli.table import Cell, Column, Style, Table

# Rich's SIMPLE_HEAD for terminals that show nothing but ASCII.
_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_LEAST_TEXT_WIDTH = 16
_SHORT_TEXT_WIDTH = 10
_BAR_WIDTH = 8
_BAR_FULL = 1.25
# Where nobody looks at a screen, lines are as long as their content.
_UNBOUNDED_WIDTH = 10_000
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


def print_tables(tables: Sequence["Table"], write: Callable[[str], None], *, colour: bool) -> None:
    """Print tables to standard output, as a terminal or a pipe wants them.

    Args:
        tables: The tables.
        write: Writes text to standard output where that is no terminal.
        colour: Whether colours are wanted; ``NO_COLOR`` in the environment says no, too.
    """
    plain = not colour or bool(os.environ.get("NO_COLOR"))
    ascii_only = not str(getattr(sys.stdout, "encoding", "")).lower().startswith("utf")
    # Rich reads TERM=dumb and whether stdout is a terminal by itself.
    console = Console(color_system=None) if plain else Console()
    if console.is_terminal:
        _render(console, tables, ascii_only=ascii_only)
    else:
        width = int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdigit() else _UNBOUNDED_WIDTH
        write(to_text(tables, width, ascii_only=ascii_only))


def to_text(tables: Sequence["Table"], width: int = _UNBOUNDED_WIDTH, *, ascii_only: bool = False) -> str:
    """Return tables as plain text without colours; lines are broken only where they pass ``width``."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, color_system=None, force_terminal=False)
    _render(console, tables, ascii_only=ascii_only)
    return _without_trailing_spaces(buffer.getvalue())


def _render(console: Console, tables: Sequence["Table"], *, ascii_only: bool) -> None:
    for index, table in enumerate(tables):
        if index:
            console.print()
        console.print(_text(table.title, "bold"), soft_wrap=True)
        notes = list(table.notes)
        if table.columns:
            fitting, left_out = _fitting(console, table)
            drawn = _rich_table(fitting, ascii_only=ascii_only)
            if _least_width(console, drawn) > console.width:
                drawn = _rich_table(fitting, ascii_only=ascii_only, narrow=True)
            _print_whole(console, drawn)
            notes += left_out
        for note_ in notes:
            for line in _wrapped(note_, console.width):
                console.print(_text(line), soft_wrap=True)


def _fitting(console: Console, table: "Table") -> tuple["Table", list[str]]:
    """Leave out the columns that may be, in their order, until no line is too long or broken; and say which."""
    spare = sorted((column for column in table.columns if column.spare), key=lambda column: column.spare, reverse=True)
    if not spare:
        return table, []
    needed = width = _natural_width(console, table)
    left_out: list[str] = []
    while width > console.width and spare:
        least = spare.pop()
        left_out.append(least.name)
        table = _without(table, list(table.columns).index(least))
        width = _natural_width(console, table)
    note = f"left out at this width: {', '.join(left_out)}; lines of {needed} characters show all, and --csv"
    return table, [note] if left_out else []


def _natural_width(console: Console, table: "Table") -> int:
    """Return how wide a table is in which no line is broken."""
    options = console.options.update(max_width=_UNBOUNDED_WIDTH)
    return Measurement.get(console, options, _rich_table(table, ascii_only=True)).maximum


def _without(table: "Table", place: int) -> "Table":
    columns = [*table.columns[:place], *table.columns[place + 1 :]]
    return replace(table, columns=columns, rows=[[*row[:place], *row[place + 1 :]] for row in table.rows])


def _print_whole(console: Console, table: RichTable) -> None:
    """Print a table that the terminal is too narrow for as wide as it must be: Rich would cut numbers short."""
    width = console.width
    console.width = max(width, _least_width(console, table))
    console.print(table)
    console.width = width


def _least_width(console: Console, table: RichTable) -> int:
    measured = Measurement.get(console, console.options.update(max_width=_UNBOUNDED_WIDTH), table)
    # One more: at its minimum Rich breaks the last column's lines one character wider than it prints them.
    return measured.minimum + 1


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


def _rich_table(table: "Table", *, ascii_only: bool, narrow: bool = False) -> RichTable:
    rich = RichTable(
        box=_ASCII_HEAD if ascii_only else box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold"
    )
    shown = [[_shown(cell, column) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]
    # Beside colours that mean something there is none that means nothing.
    plain = any(isinstance(cell, Styled) for cells in shown for cell in cells)
    for index, column in enumerate(table.columns):
        text = column.kind in ("text", "bar")
        is_whole = index == 0 or column.kind != "text"
        longest = max((len(str(cells[index])) for cells in shown), default=0)
        if is_whole:
            # Rich takes a heading of two words for one that it may break.
            longest = max(longest, len(column.name))
        rich.add_column(
            Text(column.name),
            justify="left" if text else "right",
            no_wrap=is_whole,
            style="cyan" if index == 0 and not plain else None,
            overflow="fold",
            # What is one word or short stays on one line; longer text may be broken, though not into single letters.
            min_width=longest if is_whole else _least_text_width(shown, index, narrow=narrow),
        )
    for cells in shown:
        rich.add_row(*(_text(cell) for cell in cells))
    return rich


def _least_text_width(rows: Sequence[Sequence[str | Styled]], index: int, *, narrow: bool) -> int:
    """Return how narrow a column of text may become; ``narrow`` where there is room for little more than its words."""
    texts = [str(cells[index]) for cells in rows]
    longest = max(map(len, texts), default=0)
    if narrow:
        word = max((len(word) for text in texts for word in text.split()), default=0)
        longest = max(word, min(longest, _SHORT_TEXT_WIDTH))
    return min(longest, _LEAST_TEXT_WIDTH)


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
    "share": "{:.1%}".format,
    "bar": _bar,
}


def _without_trailing_spaces(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())
