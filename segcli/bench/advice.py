"""What makes a run's numbers less sure, said with the way out."""

from collections.abc import Iterator, Sequence

from segcli.bench.measuring.environment import Environment
from segcli.bench.results import Result, Status

# pyperf warns where the standard deviation is 10 % of the mean; for quartiles, which outliers do not move, the same.
UNSTEADY = 0.10
# Half the cores busy with something else.
_BUSY = 0.5


def advise(results: Sequence[Result], environment: Environment, budget_s: float) -> Iterator[str]:
    """Give a warning for each kind of doubt, with the kernels that it concerns.

    Args:
        results: What was found.
        environment: Where.
        budget_s: The time budget.
    """
    if environment.load is not None and environment.load > _BUSY * environment.cores:
        yield (
            f"other load: {environment.load:g} processes were running on {environment.cores} cores before the start; "
            "close other programs and wait a minute"
        )
    if environment.threads > environment.cores:
        yield (
            f"{environment.threads} threads share {environment.cores} cores; "
            f"give --threads {environment.cores} or fewer"
        )
    timed = [result for result in results if result.status is Status.TIMED]
    yield from _unsteady(timed)
    few = [result for result in timed if result.ci95_s is None]
    if few:
        yield f"too few samples for a 95 % interval: {_named(few)}; give more than --time-budget {budget_s:g}"
    falling = [result for result in timed if not result.steady]
    if falling:
        yield f"still getting faster when warm-up ended: {_named(falling)}; give more than --time-budget {budget_s:g}"
    late = [result for result in results if result.status is Status.SKIPPED and "budget" in result.reason]
    if late:
        yield f"not reached in time: {_named(late)}; give more than --time-budget {budget_s:g}"


def _unsteady(timed: Sequence[Result]) -> Iterator[str]:
    spreads = {_name(result): spread(result) for result in timed}
    wide = {name: share for name, share in spreads.items() if share > UNSTEADY}
    if wide:
        worst = max(wide, key=lambda name: wide[name])
        yield (
            f"unsteady clock: the middle half of the samples spreads over more than {UNSTEADY:.0%} of the median for "
            f"{len(wide)} of {len(timed)} (worst: {worst}, {wide[worst]:.0%}); close other programs, fix the clock "
            "rate, or give a longer --time-budget"
        )


def spread(result: Result) -> float:
    """Return the interquartile range over the median of a timed result."""
    if result.quartiles_s is None or not result.median_s:
        return 0.0
    return (result.quartiles_s[1] - result.quartiles_s[0]) / result.median_s


def _name(result: Result) -> str:
    return f"{result.suite}/{result.kernel} {result.mode}"


def _named(results: Sequence[Result], most: int = 3) -> str:
    more = f" and {len(results) - most} more" if len(results) > most else ""
    return ", ".join(_name(result) for result in results[:most]) + more
