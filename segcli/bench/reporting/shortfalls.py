"""What runs lack, in words: for the top of the page, and for the notes below a table."""

from collections.abc import Iterator, Sequence

from segcli.bench.reporting.gathering import Group, Named, Row
from segcli.bench.reporting.panels import label_of
from segcli.bench.results import Status
from segcli.bench.runs import Run

_FATES = {
    Status.WRONG: "wrong and not timed",
    Status.UNSUPPORTED: "not supported",
    Status.FAILED: "failed",
    Status.SKIPPED: "not timed",
}


def shortfalls(runs: Sequence[Named], groups: Sequence[Group]) -> list[str]:
    """Say of each run whether Ctrl-C ended it, nothing was timed, or nothing can be compared with the first.

    Args:
        runs: From `named`.
        groups: The same runs, `gathered`.
    """
    rows = [row for group in groups for row in group.rows]
    return [
        f"{each.mark}: {words}" if len(runs) > 1 else words
        for place, each in enumerate(runs)
        for words in _lacks(place, runs, rows)
    ]


def _lacks(place: int, runs: Sequence[Named], rows: Sequence[Row]) -> Iterator[str]:
    run = runs[place].run
    timed, count = _tally(run)
    of = f"of {count} kernel{'' if count == 1 else 's'}"
    if run.partial:
        yield f"partial: ended by Ctrl-C, {timed} {of} timed"
    elif not timed:
        yield f"none {of} was timed" if count else "holds no kernel"
    if place and timed and all(row.ratio(place) is None for row in rows):
        first = runs[0].mark
        yield f"nothing to compare with {first}: no kernel was timed in both at the same size, mode and dtype"


def _tally(run: Run) -> tuple[int, int]:
    """Count kernels: those timed under any condition, and all of them."""
    timed: dict[tuple[object, ...], bool] = {}
    for result in run.results:
        key = result.suite, result.mode, result.size, result.dtype, label_of(result)
        timed[key] = timed.get(key, False) or result.status is Status.TIMED
    return sum(timed.values()), len(timed)


def fates(group: Group, runs: Sequence[Named]) -> list[str]:
    """Say what became of kernels that were not timed: those that share a reason, and runs that share all, once."""
    marks: dict[tuple[str, str, str], list[str]] = {}
    for place, each in enumerate(runs):
        for (what, reason), rows in _untimed(group, place).items():
            names = ", ".join(_names(rows, group, place))
            marks.setdefault((names, what, reason), []).append(each.mark)
    where = {key: f" in {', '.join(found)}" if len(runs) > 1 else "" for key, found in marks.items()}
    return [f"{names}: {what}{where[names, what, reason]}: {reason}" for names, what, reason in marks]


def _untimed(group: Group, place: int) -> dict[tuple[str, str], list[Row]]:
    """Return what became of rows that a run has no time for, and why."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in group.rows:
        result = row.results[place]
        if result is not None and result.reason:
            found.setdefault((_FATES.get(result.status, result.status.value), result.reason), []).append(row)
    return found


def _names(rows: Sequence[Row], group: Group, place: int) -> list[str]:
    """Name kernels, once for all of the run's conditions where all are among the rows."""
    names: dict[str, None] = {}
    for row in rows:
        held = {other.caches for other in group.rows if other.kernel == row.kernel and other.results[place] is not None}
        told = {other.caches for other in rows if other.kernel == row.kernel}
        names[row.kernel if told == held else f"{row.kernel} ({row.caches})"] = None
    return list(names)
