"""Two actions run in turn, A B A B ..., so that a machine that slows down slows both; what counts is their ratio."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

Action = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """Two actions that do the same job, and the ratio that ours should not pass (None: no target was set).

    ``start_s`` is what the target grants ours for starting Python; it is taken off before the ratio.
    """

    name: str
    ours: Action
    theirs: Action
    target: float | None = None
    runs: int = 7
    start_s: float = 0.0


@dataclass(frozen=True)
class Ratio:
    """How long ours took, as a multiple of theirs."""

    name: str
    median: float
    least: float
    greatest: float
    ours_s: float
    theirs_s: float
    target: float | None


def measure(pair: Pair) -> Ratio:
    """Run both in turn, once unmeasured and then ``pair.runs`` times."""
    times: list[tuple[float, float]] = []
    for run in range(pair.runs + 1):
        taken = (timed(pair.ours), timed(pair.theirs))
        if run:
            times.append(taken)
    ratios = [(ours - pair.start_s) / theirs for ours, theirs in times]
    return Ratio(
        pair.name,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(ours for ours, _ in times),
        statistics.median(theirs for _, theirs in times),
        pair.target,
    )


def timed(action: Action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def process(*argv: str) -> Action:
    return lambda: subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def segcli(*argv: str) -> Action:
    return process(sys.executable, "-m", "segcli", *argv)
