"""Several runs side by side: what is alike in them in one row."""

from collections.abc import Sequence
from dataclasses import dataclass

from segcli.bench.reporting.panels import Panel, group_title, label_of, panels
from segcli.bench.results import Result
from segcli.bench.runs import Run


@dataclass(frozen=True)
class Named:
    """A run and what it is called.

    Attributes:
        mark: A letter, short enough for a heading.
        name: Of its file.
        run: What was found.
    """

    mark: str
    name: str
    run: Run


@dataclass(frozen=True)
class Row:
    """A kernel under one condition.

    Attributes:
        kernel: Its name and variant.
        caches: ``hot`` or ``cold``.
        results: One a run, None where it has none.
    """

    kernel: str
    caches: str
    results: tuple[Result | None, ...]

    def ratio(self, place: int) -> float | None:
        """Return a run's median over that of the first; None where one of them has none."""
        first, result = self.results[0], self.results[place]
        if result is None or first is None or result.median_s is None or not first.median_s:
            return None
        return result.median_s / first.median_s


@dataclass(frozen=True)
class Group:
    """Kernels that took turns.

    Attributes:
        title: Suite, mode, size and dtype.
        rows: Its kernels.
        panels: Those of the roofline, by run.
    """

    title: str
    rows: tuple[Row, ...]
    panels: tuple[tuple[Panel, ...], ...]


def named(names: Sequence[str], runs: Sequence[Run]) -> list[Named]:
    """Give each run a mark: A to Z, then A2 and so on."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    marks = [
        letters[place % len(letters)] + (str(place // len(letters) + 1) if place >= len(letters) else "")
        for place in range(len(runs))
    ]
    return [Named(*each) for each in zip(marks, names, runs, strict=True)]


def gathered(runs: Sequence[Named]) -> list[Group]:
    """Put results of several runs into groups, and in these into rows, in the order in which they first appear."""
    results: dict[str, dict[tuple[str, str], dict[str, Result]]] = {}
    for each in runs:
        for result in each.run.results:
            rows = results.setdefault(group_title(result), {})
            rows.setdefault((label_of(result), result.caches), {})[each.mark] = result
    drawn = [panels(each.run) for each in runs]
    return [
        Group(
            title,
            tuple(Row(*key, tuple(of.get(each.mark) for each in runs)) for key, of in rows.items()),
            tuple(tuple(panel for panel in some if panel.title == title) for some in drawn),
        )
        for title, rows in results.items()
    ]
