"""What a pickle keeps under numbers."""

from collections.abc import MutableSequence
from typing import Any


class Memo:
    """Nodes by number.

    Picklers count from 0, or Python 2's from 1. What comes in turn is kept in a list, which takes a tenth of a dict's
    memory; only a pickle that was changed by hand has more.

    Examples:
        >>> memo = Memo()
        >>> memo[0], memo[1], memo[7] = "a", "b", "far"
        >>> memo.get(1), memo.get(7), memo.get(2), len(memo)
        ('b', 'far', None, 3)
    """

    __slots__ = ("_far", "_first", "_row")

    def __init__(self, row: MutableSequence[Any] | None = None) -> None:
        """Start with nothing, and an empty row to keep in what comes in turn; left out: a list."""
        self._first = 0
        self._row: MutableSequence[Any] = [] if row is None else row
        self._far: dict[int, Any] = {}

    def __len__(self) -> int:
        """Return how many numbers are in use."""
        return len(self._row) + len(self._far)

    def __contains__(self, index: int) -> bool:
        """Say whether something is kept under a number."""
        return 0 <= index - self._first < len(self._row) or index in self._far

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401 - whatever was kept
        """Return what is kept under a number."""
        at = index - self._first
        return self._row[at] if 0 <= at < len(self._row) else self._far[index]

    def __setitem__(self, index: int, node: Any) -> None:  # noqa: ANN401 - whatever is to be kept
        """Keep something under a number."""
        if index == 1 and not len(self):
            self._first = 1
        at = index - self._first
        if at == len(self._row):
            self._far.pop(index, None)
            self._row.append(node)
        elif 0 <= at < len(self._row):
            self._row[at] = node
        else:
            self._far[index] = node

    def get(self, index: int) -> Any:  # noqa: ANN401 - whatever was kept
        """Return what is kept under a number, or None."""
        return self[index] if index in self else None  # noqa: SIM401 - this is what it is made of
