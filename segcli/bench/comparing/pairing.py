"""One kernel of one side beside its like of the other: may they be compared, and what comes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from segcli.bench.comparing.bootstrap import FEW_PASSES, Ratio, Timed, following, ratio_of
from segcli.bench.comparing.sides import Group, Key, Side, obstacles, other_machine
from segcli.bench.comparing.verdicts import Verdict, fair_verdict, verdict_of
from segcli.bench.results import Reference, Result, Status, passes_of
from segcli.units import format_shape, format_size

_LEAST_SAMPLES = 6
"""The fewest that have a 95 % interval of their median."""
_CLEARLY = 0.9
"""How much narrower an interval must be to stand for the clock's, which needs no explaining."""
_LEAST_SHARE = 0.05
"""What of the reference's change must be in a ratio for its name to be shown."""
_ROUNDING = 1e-9
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
        reference: ``copy`` or ``matmul``, where the ratio is that beside it; or empty.
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
    beside = [_beside(side, key, workload) for side in (first, second)]
    foreign = next(other_machine(first.environment, second.environment), "")
    if foreign and None in beside:
        return replace(bare, reason=f"{foreign}; there is no reference workload to scale by")
    unscaled = ratio_of(timed_of(before), timed_of(after))
    judged = _judged(unscaled, [each for each in beside if each], min_effect, is_foreign=bool(foreign))
    few = next(_too_few(before, after), "")
    return replace(
        bare,
        verdict=Verdict.AMBIGUOUS if few else judged.verdict,
        reason=few,
        first_s=before.median_s,
        second_s=after.median_s,
        ratio=judged.ratio.value,
        ci95=None if few else (judged.ratio.low, judged.ratio.high),
        reference=workload if judged.is_scaled else "",
        unscaled=unscaled.value,
        unscaled_ci95=None if few else (unscaled.low, unscaled.high),
    )


@dataclass(frozen=True)
class _Judged:
    ratio: Ratio
    verdict: Verdict
    is_scaled: bool


def _judged(unscaled: Ratio, beside: list[Timed], min_effect: float, *, is_foreign: bool) -> _Judged:
    """Judge a ratio by the clock and, where there is one, beside the reference workload.

    Many passes tell how far the kernel follows the reference, and so far it is made up for. Few do not: where the
    reference is sure to have changed, the machine did, and the ratio beside it is shown; where it is not, both ratios
    are right, and the narrower one is shown: the one beside a reference that slows with the kernel from pass to pass,
    the clock's where a reference would only add its own noise.
    """
    if len(beside) < 2:  # noqa: PLR2004 - one a side
        return _Judged(unscaled, verdict_of(unscaled, min_effect), is_scaled=False)
    before, after = beside
    if not is_foreign and min(len(side.kernel) for side in beside) > FEW_PASSES:
        share = following(before, after)
        scaled = ratio_of(before.made_up_for(share), after.made_up_for(share))
        return _Judged(scaled, fair_verdict(scaled, unscaled, min_effect), is_scaled=share >= _LEAST_SHARE)
    scaled = ratio_of(before, after)
    if is_foreign:
        return _Judged(scaled, verdict_of(scaled, min_effect), is_scaled=True)
    is_changed = is_sure(ratio_of(Timed(before.reference), Timed(after.reference)))
    if is_changed or scaled.spread < _CLEARLY * unscaled.spread - _ROUNDING:
        return _Judged(scaled, fair_verdict(scaled, unscaled, min_effect), is_scaled=True)
    return _Judged(unscaled, fair_verdict(unscaled, scaled, min_effect), is_scaled=False)


def is_sure(ratio: Ratio) -> bool:
    """Tell whether a ratio is sure to differ from 1."""
    # A clock too coarse to see noise gives an interval of no width, and its ends are rounded.
    return not ratio.low - _ROUNDING <= 1 <= ratio.high + _ROUNDING


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


def _beside(side: Side, key: Key, workload: str) -> Timed | None:
    """Return a kernel's samples and its reference's, of the passes that have both."""
    result, reference = side.results[key], reference_of(side, key.group, workload)
    if reference is None or len(result.passes) != len(reference.passes):
        return None
    both = [each for each in zip(passes_of(result), passes_of(reference), strict=True) if all(each)]
    return Timed(*zip(*both, strict=True)) if both else None


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
