"""One kernel of one side beside its like of the other: may they be compared, and what comes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from segcli.bench.comparing.bootstrap import Timed, ratio_of
from segcli.bench.comparing.controls import Accompanied
from segcli.bench.comparing.judging import Both, has_many_passes, judged_by_one, judged_by_passes, judged_elsewhere
from segcli.bench.comparing.sides import Group, Key, Side, obstacles, other_machine
from segcli.bench.comparing.verdicts import Verdict
from segcli.bench.measuring.workload import WORKLOADS
from segcli.bench.results import Reference, Result, Status, passes_of
from segcli.units import format_shape, format_size

_LEAST_SAMPLES = 6
"""The fewest that have a 95 % interval of their median."""
_WORKLOADS = {"memory": "copy", "compute": "matmul"}


@dataclass(frozen=True)
class Pair:
    """A kernel on both sides.

    Attributes:
        suite: The suite.
        mode: ``forward`` or ``forward+backward``.
        size: (height, width).
        dtype: Of the floating tensors.
        device: Where it ran.
        caches: ``hot`` or ``cold``.
        span: ``host`` or ``device``.
        kernel: The kernel.
        variant: What was changed about it, or empty.
        verdict: What it comes to.
        reason: Why it is incomparable, or ambiguous whatever its interval; or empty.
        first_s: Median seconds on the first side.
        second_s: On the second.
        ratio: The second over the first, by the clock or beside the reference workload.
        ci95: Its 95 % interval; None of too few samples.
        p_value: How often resampling shows no difference beyond the minimum effect, of both tails; None likewise.
        reference: The workloads without whose changes the ratio is: ``copy``, ``matmul``, ``copy+matmul``, or empty.
        unscaled: The second over the first, by the clock alone.
        unscaled_ci95: Its 95 % interval.
    """

    suite: str
    mode: str
    size: tuple[int, int]
    dtype: str
    device: str
    caches: str
    span: str
    kernel: str
    variant: str
    verdict: Verdict
    reason: str = ""
    first_s: float | None = None
    second_s: float | None = None
    ratio: float | None = None
    ci95: tuple[float, float] | None = None
    p_value: float | None = None
    reference: str = ""
    unscaled: float | None = None
    unscaled_ci95: tuple[float, float] | None = None


def pair(key: Key, first: Side, second: Side, min_effect: float) -> Pair:
    """Compare one kernel.

    Args:
        key: Which.
        first: The side before.
        second: The side after.
        min_effect: The least share that counts as a difference.
    """
    bare = Pair(*key.group, key.kernel, key.variant, Verdict.INCOMPARABLE)
    reason = _reason(key, first, second)
    if reason:
        return replace(bare, reason=reason)
    before, after = first.results[key], second.results[key]
    workload = workload_of(before, after)
    alike = _alike(first, second, key, workload) if workload else None
    foreign = next(other_machine(first.environment, second.environment), "")
    if foreign and not alike:
        return replace(bare, reason=f"{foreign}; there is no reference workload to scale by")
    unscaled = ratio_of(timed_of(before), timed_of(after), min_effect=min_effect)
    names = tuple(name for name in WORKLOADS if _controls(first, second, key, name))
    both = _controls(first, second, key, *names) if names else None
    if alike and foreign:
        judged = judged_elsewhere(alike, workload, min_effect)
    elif both and has_many_passes(both):
        judged = judged_by_passes(both, names, unscaled, min_effect)
    else:
        judged = judged_by_one(alike, workload, unscaled, min_effect)
    few = next(_too_few(before, after), "")
    return replace(
        bare,
        verdict=Verdict.AMBIGUOUS if few else judged.verdict,
        reason=few,
        first_s=before.median_s,
        second_s=after.median_s,
        ratio=judged.ratio.value,
        ci95=None if few else (judged.ratio.low, judged.ratio.high),
        p_value=None if few else judged.ratio.p_value,
        reference=judged.reference,
        unscaled=unscaled.value,
        unscaled_ci95=None if few else (unscaled.low, unscaled.high),
    )


def workload_of(first: Result, second: Result) -> str:
    """Return the reference workload that a kernel is scaled by; empty where neither of them resembles it."""
    return _WORKLOADS.get(first.bound or "", "") if first.bound == second.bound else ""


def reference_of(side: Side, group: Group, workload: str) -> Reference | None:
    """Return the reference workload timed in turn with a group; None where it was not, or no time was seen."""
    found = side.references.get((group, workload))
    return found if found and found.samples_s and min(found.samples_s) > 0 else None


def timed_of(found: Result | Reference) -> Timed:
    """Return the samples, of the passes that have any."""
    return Timed(tuple(each for each in passes_of(found) if each))


def _alike(first: Side, second: Side, key: Key, workload: str) -> tuple[Timed, Timed] | None:
    before, after = (_accompanied(side, key, (workload,)) for side in (first, second))
    if before is None or after is None:
        return None
    return Timed(before.kernel, before.workloads[0]), Timed(after.kernel, after.workloads[0])


def _controls(first: Side, second: Side, key: Key, *workloads: str) -> Both | None:
    """Return each side's runs that timed a kernel, with workloads; None where one has no pass with all of them."""
    before, after = ([_accompanied(run, key, workloads) for run in _timed_runs(side, key)] for side in (first, second))
    if None in before or None in after:
        return None
    return [each for each in before if each], [each for each in after if each]


def _timed_runs(side: Side, key: Key) -> list[Side]:
    return [run for run in side.runs if key in run.results and run.results[key].status is Status.TIMED] or [side]


def _accompanied(side: Side, key: Key, workloads: tuple[str, ...]) -> Accompanied | None:
    """Return the passes that have the kernel and all the workloads; None where there are none."""
    result = side.results[key]
    references = [reference_of(side, key.group, name) for name in workloads]
    beside = [each for each in references if each and len(each.passes) == len(result.passes)]
    if len(beside) < len(workloads):
        return None
    passes = zip(passes_of(result), *(passes_of(each) for each in beside), strict=True)
    kept = [each for each in passes if all(each)]
    if not kept:
        return None
    kernel, *others = zip(*kept, strict=True)
    return Accompanied(kernel, tuple(others))


def _reason(key: Key, first: Side, second: Side) -> str:
    """Return why a kernel cannot be compared, or an empty string."""
    before, after = first.results.get(key), second.results.get(key)
    if after is None:
        return f"only in A{_elsewhere(key, second)}"
    if before is None:
        return f"only in B{_elsewhere(key, first)}"
    otherwise = [*_untimed("A", before), *_untimed("B", after), *_unlike(before, after)]
    if first.data.get(key.group.suite) != second.data.get(key.group.suite):
        otherwise.append("data of another distribution")
    return next(iter([*otherwise, *obstacles(first.environment, second.environment)]), "")


def _untimed(side: str, result: Result) -> Iterator[str]:
    if result.status is not Status.TIMED:
        yield f"{result.status.value} in {side}: {result.reason}"
    elif min(result.samples_s) <= 0:
        yield f"a time of 0 in {side}: its clock is too coarse"


def _unlike(before: Result, after: Result) -> Iterator[str]:
    if before.shape != after.shape:
        yield f"shape {format_shape(before.shape)} and {format_shape(after.shape)}"
    if before.timer != after.timer:
        yield f"timed by {before.timer} and by {after.timer}"


def _elsewhere(key: Key, other: Side) -> str:
    """Say in what the other side's kernel of that name differs."""
    for found in other.results:
        if found[1:] == key[1:] and (found.group.suite, found.group.mode) == (key.group.suite, key.group.mode):
            told = zip(Group._fields, key.group, found.group, strict=True)
            field, value = next((field, theirs) for field, ours, theirs in told if ours != theirs)
            return f"; the other has {field} {format_size(value) if isinstance(value, tuple) else value}"
    return ""


def _too_few(first: Result, second: Result) -> Iterator[str]:
    for side, result in (("A", first), ("B", second)):
        if len(result.samples_s) < _LEAST_SAMPLES:
            count = len(result.samples_s)
            yield f"{count} sample{'s' if count > 1 else ''} in {side}, and an interval takes {_LEAST_SAMPLES}"
