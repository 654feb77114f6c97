"""What a command shows a person: titled rows of plain data, before anything knows of a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "axis0", "axis1", "axis2", "axis3", "axis4", "axis5", "gone"]
# One style an axis; further axes begin anew.
AXIS_STYLES: tuple[Style, ...] = ("axis0", "axis1", "axis2", "axis3", "axis4", "axis5")


@dataclass(frozen=True)
class Styled:
    """Text of which parts are coloured on a terminal; everywhere else it is that text and nothing more.

    Attributes:
        spans: Each part with its style. What a style looks like, ``emit`` knows.

    Examples:
        >>> str(Styled((("x[", ""), ("0", "axis0"), ("]", ""))))
        'x[0]'
    """

    spans: Sequence[tuple[str, Style]]

    def __str__(self) -> str:
        """Return the text alone."""
        return "".join(text for text, _ in self.spans)


Cell = str | int | float | bool | Styled | None
Kind = Literal["text", "count", "number", "seconds", "bytes", "rate", "ratio", "share", "bar"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: The heading, in words.
        kind: How a cell is printed. Cells stay in base units: seconds, bytes, counts.
        unit: For ``rate``, the base unit, such as ``B/s``.
        spare: Where the table is wider than the terminal, columns above 0 are left out until it fits, 1 first, and a
            note says which. CSV has them.
    """

    name: str
    kind: Kind = "text"
    unit: str = ""
    spare: int = 0


@dataclass(frozen=True)
class Table:
    """A titled table with notes below it. A table without columns is its title and its notes.

    Attributes:
        title: One line.
        columns: The columns; every row has as many cells.
        rows: The cells, in base units; None where there is nothing to say.
        notes: Lines below the table. They are wrapped at the terminal's width with a hanging indent, but for those that
            begin with a space and those with styles, which stay as they are.
    """

    title: str | Styled
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Cell]] = ()
    notes: Sequence[str | Styled] = ()
