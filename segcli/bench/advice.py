"""What makes a run's numbers less sure, and what they recommend, said with the way out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from segcli.bench.ceilings.standing import MOST
from segcli.bench.measuring.environment import Environment
from segcli.bench.measuring.order_statistics import quantile
from segcli.bench.measuring.threads import BUSY
from segcli.bench.measuring.workload import WORKLOADS
from segcli.bench.results import Reference, Result, Status, passes_of
from segcli.bench.worker_advice import advise_workers
from segcli.units import format_seconds

# pyperf warns where the standard deviation is 10 % of the mean; for quartiles, which outliers do not move, the same.
UNSTEADY = 0.10
# Reading the clock takes some 50 ns; in a thousand times that it is 0.1 % of a call.
_SHORT_S = 5e-5
# More are not wrong each by itself.
_FEW = 0.1
_ONE_BY_ONE = "around each call"
# On two cores of a virtual machine 1.6 to 2.0 where they were moved meanwhile, 1.0 to 1.3 where they were not.
_MOVED = 1.5
# Of a quiet run 0.1 to 1 %; one other program that keeps a core busy makes it 20 to 60 %.
_WAITED = 0.05
# Fewer do not tell a tenth of the passes from one of them.
_LEAST_PASSES = 6
# Of the budget, what comparing with float64 may take before it is said, and may take of the budget that is advised.
_COMPARING, _COMPARING_ADVISED = 0.5, 0.25


@dataclass(frozen=True)
class Spent:
    """Where a run's time went.

    Attributes:
        budget_s: The time budget.
        comparing_s: What comparing with float64 took of it.
        waited: For how much of the run its threads, together, waited for a core.
    """

    budget_s: float
    comparing_s: float = 0.0
    waited: float = 0.0


def advise(
    results: Sequence[Result],
    environment: Environment,
    spent: Spent,
    references: Sequence[Reference] = (),
    differing: str = "",
) -> Iterator[str]:
    """Give a warning for each kind of doubt, with the kernels that it concerns, and what to choose.

    Args:
        results: What was found.
        environment: Where.
        spent: Where the time went.
        references: The reference workload's samples.
        differing: Ceilings that measurements did not agree on, in words.
    """
    timed = [result for result in results if result.status is Status.TIMED]
    more = f"give --time-budget {_enough(spent):g} or more"
    yield from about_the_machine(environment)
    yield from about_waiting(spent.waited)
    if differing:
        yield f"ceilings differ from one measurement to the next: {differing}; run again when nothing else runs"
    if spent.comparing_s > _COMPARING * spent.budget_s:
        yield (
            f"comparing with references took {format_seconds(spent.comparing_s)} of a budget of {spent.budget_s:g} s; "
            f"{more}, fewer kernels, or a smaller --size"
        )
    yield from _moved(references, environment)
    yield from _unsteady(timed)
    few = [result for result in timed if result.ci95_s is None]
    yield from _told(few, lambda names: f"too few samples for a 95 % interval: {names}; {more}")
    falling = [result for result in timed if not result.steady]
    yield from _told(falling, lambda names: f"still getting faster when warm-up ended: {names}; {more}")
    late = [result for result in results if result.status is Status.SKIPPED and "budget" in result.reason]
    yield from _told(late, lambda names: f"not reached in time: {names}; {more}")
    short = [result for result in timed if _ONE_BY_ONE in result.timer and (result.median_s or 0) < _SHORT_S]
    yield from _told(
        short,
        lambda names: f"so short that reading the clock is more than 0.1 % of a call: {names}; give a larger --size",
    )
    yield from _dropped(results)
    yield from _above(timed)
    yield from advise_workers(timed)


def _enough(spent: Spent) -> int:
    """Return a budget in round seconds: twice what was given, or of which comparing takes a quarter."""
    return 10 * ceil(max(2 * spent.budget_s, spent.comparing_s / _COMPARING_ADVISED) / 10)


def about_waiting(waited: float) -> Iterator[str]:
    """Say where threads waited for a core: ``waited`` is for how much of the time, together."""
    if waited > _WAITED:
        yield (
            f"threads waited for a core, together {waited:.0%} of the time: where one of several waits, all do, and a "
            "call takes milliseconds more; close other programs, or give fewer --threads"
        )


def about_the_machine(environment: Environment) -> Iterator[str]:
    """Say what of a machine, and of how a process is set, makes times less sure."""
    threads, cores = environment.threads, environment.cores
    if environment.load is not None and environment.load > BUSY * cores:
        yield (
            f"other load: the load average was {environment.load:g} on {cores} cores before the start; "
            "close other programs and wait a minute"
        )
    if threads > cores:
        yield f"{threads} threads share {cores} cores; give --threads {cores} or fewer"
    limit = next((name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in environment.variables), "")
    # Torchrun's ranks share the cores.
    if limit and threads < cores and "LOCAL_WORLD_SIZE" not in environment.variables:
        yield (
            f"{limit} is {environment.variables[limit]}, so {threads} of {cores} cores compute; "
            f"give --threads {cores} for all of them"
        )
    processor = environment.processor
    if processor.governor == "powersave" and environment.gpu is None:
        yield "the governor is powersave, which may keep the clock low; set it to performance while timing"
    if processor.on_battery:
        yield "the machine runs on its battery, which may keep the clock low; plug it in"


def _unsteady(timed: Sequence[Result]) -> Iterator[str]:
    wide = [result for result in timed if spread(result) > UNSTEADY]
    if wide:
        worst = max(wide, key=spread)
        yield (
            f"unsteady clock: the middle half of the samples spreads over more than {UNSTEADY:.0%} of the median for "
            f"{len(wide)} of {len(timed)} (worst: {_name(worst)}, {spread(worst):.0%}); close other programs, fix the "
            "clock rate, or give a longer --time-budget"
        )


def _moved(references: Sequence[Reference], environment: Environment) -> Iterator[str]:
    """Say where several threads found the cores otherwise from pass to pass.

    A virtual machine's cores may be two threads of one core now and cores with caches of their own a second later. What
    threads tell each other, and what they share, then takes up to twice as long; one thread alone sees little of it.
    """
    if environment.gpu is not None or environment.threads == 1:
        return
    for workload in WORKLOADS:
        hot = [each for each in references if each.workload == workload and each.caches == "hot"]
        ranges = [_range(each) for each in hot if len(each.passes) >= _LEAST_PASSES]
        if ranges and median(high / low if low else 1.0 for low, high in ranges) > _MOVED:
            low, high = (median(ends) for ends in zip(*ranges, strict=True))
            yield (
                f"unsteady cores: one and the same {workload} took {format_seconds(low)} to {format_seconds(high)} "
                "from pass to pass, as where a virtual machine's cores are moved; one thread is steadier: --threads 1"
            )


def _range(reference: Reference) -> tuple[float, float]:
    """Return the medians of passes that a tenth of them lies below, and above."""
    medians = sorted(median(each) for each in passes_of(reference) if each)
    return quantile(medians, 0.1), quantile(medians, 0.9)


def spread(result: Result) -> float:
    """Return the interquartile range over the median of a timed result."""
    if result.quartiles_s is None or not result.median_s:
        return 0.0
    return (result.quartiles_s[1] - result.quartiles_s[0]) / result.median_s


def _dropped(results: Sequence[Result]) -> Iterator[str]:
    throttled = [result for result in results if result.dropped]
    if throttled:
        count = sum(result.dropped for result in throttled)
        yield (
            f"{count} sample{'s' if count > 1 else ''} dropped while the GPU was throttled: {_named(throttled)}; "
            "cool it, or raise its power limit"
        )


def _above(timed: Sequence[Result]) -> Iterator[str]:
    above = [result for result in timed if (result.fraction or 0) > MOST]
    if above:
        worst = max(above, key=lambda result: result.fraction or 0)
        few = len(above) <= max(2, _FEW * len(timed))
        reason = "their count of bytes or FLOPs is wrong, or the" if few else "so many that the"
        yield (
            f"above the ceiling: {len(above)} of {len(timed)} (most: {_name(worst)}, {worst.fraction:.0%}); {reason} "
            f"ceilings were measured while something else ran{'' if few else ': run again when nothing does'}"
        )


def _told(concerned: Sequence[Result], words: Callable[[str], str]) -> Iterator[str]:
    if concerned:
        yield words(_named(concerned))


def _name(result: Result) -> str:
    variant = f" ({result.variant})" if result.variant else ""
    condition = "" if result.caches == "hot" else f" {result.caches}"
    return f"{result.suite}/{result.kernel}{variant} {result.mode}{condition}"


def _named(results: Sequence[Result], most: int = 3) -> str:
    # One kernel at several sizes is named once.
    names = list(dict.fromkeys(map(_name, results)))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
