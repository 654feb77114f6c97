"""Results to JSON, CSV or tables, and what is said beside them."""

import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError
from segcli.files import replacing
from segcli.words import printable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from segcli.table import Column, Table


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
        from segcli.draw import print_tables

        print_tables(report(), _write_out, colour=not output.no_color)
        return
    else:
        from segcli.draw import to_text

        text = to_text(report())
    emit_text(text, output)


def emit_text(text: str, output: Output) -> None:
    """Write text that is the result as it stands to standard output, or to ``output.file``.

    Raises:
        SegcliError: Where it cannot be written.
    """
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
    # Most results are shown as tables.
    import csv

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_csv_heading(column) for column in table.columns])
    writer.writerows(table.rows)
    return buffer.getvalue()


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


def _write_out(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"cannot write to standard output: {error.strerror}"
        raise SegcliError(message) from error


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
    if isinstance(value, Path | Fraction):
        return str(value)
    return value
