"""The classes that are most often taken for others, as a table."""

from collections.abc import Sequence
from heapq import nlargest

from segcli.loss.result import ClassCount
from segcli.table import Column, Table

_COLUMNS = (
    Column("labelled"),
    Column("predicted"),
    Column("pixels", "count"),
    Column("% of class", "number"),
    Column("", "bar"),
)
# The whole matrix of many classes is wider than any terminal.
_MOST = 8


def confusion_table(confusion: Sequence[Sequence[int]], classes: Sequence[ClassCount]) -> Table:
    """Return the largest numbers beside the diagonal of a confusion matrix, (C, C) by label and prediction.

    Examples:
        >>> classes = [ClassCount(0, "road", 10), ClassCount(1, "car", 4)]
        >>> confusion_table([[9, 1], [3, 1]], classes).rows
        [('car', 'road', 3, 75.0, 0.75), ('road', 'car', 1, 10.0, 0.1)]
    """
    mistakes = [
        (count, entry.index, other.index)
        for entry, row in zip(classes, confusion, strict=True)
        for other, count in zip(classes, row, strict=True)
        if count and other is not entry
    ]
    rows = []
    # The first of those that are alike.
    for count, label, predicted in nlargest(_MOST, mistakes, key=lambda entry: (entry[0], -entry[1], -entry[2])):
        share = count / classes[label].n_pixels
        names = classes[label].name, classes[predicted].name
        rows.append((*names, count, float(f"{100 * share:.3g}"), share))
    more = len(mistakes) - len(rows)
    notes = (f"{more} more pairs: the whole matrix is in the JSON document",) if more else ()
    return Table("most often taken for another class", _COLUMNS, rows, notes)
