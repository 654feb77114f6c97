"""How many workers a DataLoader needs here, from what the suite ``loader`` timed."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from segcli.bench.results import Result, Status

NEAR = 0.05
"""Fewer workers that load within this share of the most samples a second are enough."""
_PREFIX = "workers-"


def advise_workers(results: Sequence[Result]) -> Iterator[str]:
    """Give, for each size and dtype, the fewest workers that are enough.

    Args:
        results: All that was found; other suites are passed over.
    """
    counts = [result for result in results if _is_count(result)]
    for (size, dtype), group in groupby(counts, key=lambda result: (result.size, result.dtype)):
        found = sorted(group, key=_workers)
        if len(found) > 1:
            yield _said(found, f"{size[0]}x{size[1]} {dtype}")


def _said(found: Sequence[Result], case: str) -> str:
    best = max(_rate(result) for result in found)
    enough = next(result for result in found if _rate(result) >= best * (1 - NEAR))
    count = _workers(enough)
    words = {0: "no workers are needed", 1: "1 worker is enough"}.get(count, f"{count} workers are enough")
    one = _rate(found[0]) if _workers(found[0]) == 0 else None
    beside = f", {_rate(enough) / one:.2g} times those of none" if one and count else ""
    rate = f"{_rate(enough):.3g} samples/s{beside}"
    return f"loader at {case}: {words}: {rate}; with more, less than {NEAR:.0%} more was seen"


def _is_count(result: Result) -> bool:
    return (
        result.suite == "loader"
        and result.status is Status.TIMED
        and result.kernel.startswith(_PREFIX)
        and bool(result.items_per_s)
    )


def _workers(result: Result) -> int:
    return int(result.kernel.removeprefix(_PREFIX))


def _rate(result: Result) -> float:
    return result.items_per_s or 0.0
