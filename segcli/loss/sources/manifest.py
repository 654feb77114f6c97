"""Reads pairs from a list: a CSV table or JSON lines, of any length, line by line."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcli.errors import SegcliError, nearest
from segcli.jsonlines import read_lines, source_of_lines
from segcli.loss.sources.folders import listed
from segcli.loss.sources.sample import Pair
from segcli.tensorio import STANDARD_INPUT, split_reference

_REQUIRED = ("logits", "labels")
_COLUMNS = (*_REQUIRED, "name", "image")
# Two paths of 4,096 bytes, the longest that Linux has, twice over.
_MAX_LINE_BYTES = 2**16
_BYTE_ORDER_MARK = "\ufeff"
_SHOWN = 40


@dataclass(frozen=True)
class _Row:
    """A line that names a pair: its number, and its cells by column, empty ones left out."""

    line: int
    cells: dict[str, str]


def read_manifest(path: Path) -> list[Pair]:
    r"""Read the pairs that a file lists.

    A file that begins with ``{`` holds JSON lines, an object a line; any other is a table of comma-separated values,
    whose first line names the columns. Columns and keys are ``logits`` and ``labels``, and, where wanted,
    ``name`` and ``image``. Files may carry a key, ``out.pt:logits``; they are relative to the manifest's folder.

    A pair without a name is called by the stem of its logits. Where several would be called the same, all of these are
    called by the path as it stands, without the suffix, with the key; where that is the same still, the number of the
    line is added, as in ``out/a (line 7)``.

    Args:
        path: The manifest; ``-`` is standard input, whose files are relative to the folder that one is in.

    Returns:
        Pairs in the order of the lines.

    Raises:
        SegcliError: Naming the line, for what is no such list: unknown and missing columns, missing files, a pair or
            a name that stands there twice, lines of more than 64 KiB, bytes that are not UTF-8.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.pt").touch(), (folder / "b.png").touch()
        >>> _ = (folder / "pairs.csv").write_text("logits,labels\na.pt,b.png\n")
        >>> [pair.name for pair in read_manifest(folder / "pairs.csv")]
        ['a']
    """
    name = "standard input" if str(path) == STANDARD_INPUT else str(path)
    folder = "" if str(path) == STANDARD_INPUT else str(path.parent)
    with source_of_lines(path) as (source, _):
        rows = list(_rows(_decoded(read_lines(source, _MAX_LINE_BYTES), name), name))
    if not rows:
        message = f"{name} lists no pairs"
        raise SegcliError(message, hint="for example: a line logits,labels and below it out/a.pt,gt/a.png")
    _check_repeats(rows, name)
    _check_files(rows, folder, name)
    return [_pair(row, called, folder) for row, called in zip(rows, _names(rows, name), strict=True)]


def _pair(row: _Row, name: str, folder: str) -> Pair:
    logits, labels = (_joined(folder, row.cells[column]) for column in _REQUIRED)
    return Pair(name, logits, labels, _joined(folder, row.cells["image"]) if "image" in row.cells else "")


def _joined(folder: str, reference: str) -> str:
    return os.path.join(folder, reference)  # noqa: PTH118 - a Path a file takes longer than the reading


def _decoded(lines: Iterable[tuple[bytes | None, int]], name: str) -> Iterator[str]:
    for number, (line, _) in enumerate(lines, start=1):
        if line is None:
            raise _wrong(name, number, f"is longer than {_MAX_LINE_BYTES:,} bytes", "is it a list of pairs?")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise _wrong(name, number, f"is not UTF-8: byte {error.start} is 0x{line[error.start]:02x}") from error
        if "\0" in text:
            raise _wrong(name, number, "holds a NUL character", "is it a list of pairs?")
        yield text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text


def _rows(lines: Iterator[str], name: str) -> Iterator[_Row]:
    # Blank lines before the first count as lines.
    for skipped, line in enumerate(lines):
        if line.strip():
            reader = _from_json if line.lstrip().startswith(("{", "[")) else _from_table
            yield from reader(line, lines, skipped, name)


def _from_json(first: str, lines: Iterator[str], skipped: int, name: str) -> Iterator[_Row]:
    for number, line in enumerate(_chain(first, lines), start=skipped + 1):
        if line.strip():
            try:
                content: Any = json.loads(line)
            except (ValueError, RecursionError) as error:
                why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                raise _wrong(name, number, f"is no JSON: {why}", "one object a line") from error
            yield _Row(number, _object_cells(content, number, name))


def _object_cells(content: object, number: int, name: str) -> dict[str, str]:
    if not isinstance(content, dict):
        raise _wrong(name, number, "is no JSON object", 'for example: {"logits": "a.pt", "labels": "a.png"}')
    for key, value in content.items():
        _check_column(key, name, number)
        if not (isinstance(value, str) or value is None):
            raise _wrong(name, number, f"has {key} {_short(json.dumps(value))}, expected text")
    return _complete({key: value for key, value in content.items() if value}, number, name)


def _from_table(first: str, lines: Iterator[str], skipped: int, name: str) -> Iterator[_Row]:
    reader = csv.reader(_chain(first, lines), strict=True)
    try:
        columns = [column.strip() for column in next(reader)]
        _check_header(columns, name, skipped + 1)
        for cells in reader:
            number = skipped + reader.line_num
            if cells and len(cells) != len(columns):
                raise _wrong(name, number, f"has {len(cells)} cells, the first line {len(columns)}", _QUOTED)
            if any(cell.strip() for cell in cells):
                pairs = zip(columns, map(str.strip, cells), strict=True)
                yield _Row(number, _complete({key: value for key, value in pairs if value}, number, name))
    except csv.Error as error:
        raise _wrong(name, skipped + reader.line_num, f"is no line of a table: {error}", _QUOTED) from error


_QUOTED = 'a cell that holds a comma stands in quotes: "a,b.pt"'


def _check_header(columns: list[str], name: str, number: int) -> None:
    for column in columns:
        _check_column(column, name, number)
    for column in _COLUMNS:
        if column in _REQUIRED and column not in columns:
            raise _wrong(name, number, f"names no column {column}", "the first line names the columns: logits,labels")
        if columns.count(column) > 1:
            raise _wrong(name, number, f"names the column {column} twice")


def _check_column(column: str, name: str, number: int) -> None:
    if column not in _COLUMNS:
        hint = nearest(_short(column), list(_COLUMNS))
        if any(mark in column for mark in ";\t"):
            hint = "columns are separated by commas: logits,labels"
        raise _wrong(name, number, f"names the unknown column {_short(column)!r}", hint)


def _complete(cells: dict[str, str], number: int, name: str) -> dict[str, str]:
    for column in _REQUIRED:
        if column not in cells:
            raise _wrong(name, number, f"has no {column}")
        if cells[column] == STANDARD_INPUT:
            raise _wrong(name, number, f"has {column} {STANDARD_INPUT}, expected a file")
    return cells


def _check_repeats(rows: list[_Row], name: str) -> None:
    pairs: dict[tuple[str, str], int] = {}
    names: dict[str, int] = {}
    for row in rows:
        line = pairs.setdefault((row.cells["logits"], row.cells["labels"]), row.line)
        if line != row.line:
            raise _wrong(name, row.line, f"repeats the pair of line {line}", "each pair counts once")
        called = row.cells.get("name")
        if called is not None and (line := names.setdefault(called, row.line)) != row.line:
            raise _wrong(name, row.line, f"has the name {_short(called)!r} of line {line}", "names tell pairs apart")


def _check_files(rows: list[_Row], folder: str, name: str) -> None:
    """Refuse files that are not there before any work is done, all at once; each is looked for once."""
    missing: dict[str, int] = {}
    seen: set[str] = set()
    for row in rows:
        for column in (*_REQUIRED, "image"):
            reference = row.cells.get(column)
            if reference is None or reference in seen:
                continue
            seen.add(reference)
            if not _is_there(_joined(folder, reference), keyed=column != "image"):
                missing[_short(reference)] = row.line
    if missing:
        count = "a file that is" if len(missing) == 1 else f"{len(missing):,} files that are"
        found = [f"{reference} (line {line})" for reference, line in missing.items()]
        message = f"{name} names {count} not there: {listed(found)}"
        raise SegcliError(message, hint=f"files are looked for from {folder or 'the current folder'} on")


def _is_there(path: str, *, keyed: bool) -> bool:
    # Most are files by their whole name, and need not be taken apart.
    return os.path.isfile(path) or (keyed and split_reference(path)[0].is_file())  # noqa: PTH113 - as for PTH118 above


def _names(rows: list[_Row], name: str) -> list[str]:
    """Call each row by its name, or by as little as tells it from the others."""
    called = [row.cells.get("name") or Path(split_reference(row.cells["logits"])[0]).stem for row in rows]
    for longer in (_without_suffix, lambda row: f"{_without_suffix(row)} (line {row.line})"):
        counts = Counter(called)
        called = [
            longer(row) if counts[short] > 1 and "name" not in row.cells else short
            for row, short in zip(rows, called, strict=True)
        ]
    taken = [row for row, count in zip(rows, map(Counter(called).__getitem__, called), strict=True) if count > 1]
    if taken:
        raise _wrong(name, taken[-1].line, f"has the name of line {taken[0].line}", "names tell pairs apart")
    return called


def _without_suffix(row: _Row) -> str:
    path, key = split_reference(row.cells["logits"])
    return f"{path.with_suffix('')}:{key}" if key else str(path.with_suffix(""))


def _chain(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _wrong(name: str, number: int, what: str, hint: str = "") -> SegcliError:
    return SegcliError(f"line {number:,} of {name} {what}", hint)
