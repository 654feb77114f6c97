"""What a command shows a person: titled rows of plain data, before anything knows of a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Cell = str | int | float | bool | None
Kind = Literal["text", "count", "number", "seconds", "bytes", "rate", "ratio", "bar"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: The heading, in words.
        kind: How a cell is printed. Cells stay in base units: seconds, bytes, counts.
        unit: For ``rate``, the base unit, such as ``B/s``.
    """

    name: str
    kind: Kind = "text"
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table with notes below it. A table without columns is its title and its notes.

    Attributes:
        title: One line.
        columns: The columns; every row has as many cells.
        rows: The cells, in base units; None where there is nothing to say.
        notes: Lines below the table, printed as they are.
    """

    title: str
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str] = ()
