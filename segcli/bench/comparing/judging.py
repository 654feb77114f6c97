"""What two sides' samples of a kernel come to, by the clock and beside the reference workloads."""

from collections.abc import Sequence
from dataclasses import dataclass

from segcli.bench.comparing.bootstrap import FEW_PASSES, Ratio, Timed, ratio_of
from segcli.bench.comparing.controls import Accompanied, following, without
from segcli.bench.comparing.verdicts import Verdict, fair_verdict, verdict_of

Both = tuple[Sequence[Accompanied], Sequence[Accompanied]]
"""The runs of the first side and of the second."""

_CLEARLY = 0.9
"""How much narrower an interval must be to stand for the clock's, which needs no explaining."""
_LEAST_SHARE = 0.05
"""What of a workload's change must be in a ratio for its name to be shown."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Judged:
    """A ratio and what it says.

    Attributes:
        ratio: The one that is shown.
        verdict: What it comes to, with the other ratio where there is one.
        reference: The workloads without whose changes the ratio is; empty for the clock's.
    """

    ratio: Ratio
    verdict: Verdict
    reference: str = ""


def has_many_passes(both: Both) -> bool:
    """Tell whether passes are enough to see in them what a kernel follows."""
    return min(sum(len(run.kernel) - 1 for run in side) for side in both) >= FEW_PASSES


def judged_by_passes(both: Both, names: tuple[str, ...], unscaled: Ratio, min_effect: float) -> Judged:
    """Judge what is left of a ratio without what the kernel follows of the workloads from pass to pass.

    Args:
        both: The kernel with all workloads.
        names: Of the workloads.
        unscaled: The ratio by the clock.
        min_effect: The least share that counts as a difference.
    """
    shares = following(*both[0], *both[1])
    first, second = (without(side, shares) for side in both)
    scaled = ratio_of(first, second, min_effect=min_effect)
    followed = [name for name, share in zip(names, shares, strict=True) if share >= _LEAST_SHARE]
    return Judged(scaled, fair_verdict(scaled, unscaled, min_effect), "+".join(followed))


def judged_by_one(both: tuple[Timed, Timed] | None, name: str, unscaled: Ratio, min_effect: float) -> Judged:
    """Judge a ratio by the clock and, where there is one, beside the workload that the kernel resembles.

    Where the workload is sure to have changed, the machine did, and the ratio beside it is shown; where it is not,
    both ratios are right, and the narrower one is shown: the one beside a workload that slows with the kernel from
    pass to pass, the clock's where a workload would only add its own noise.

    Args:
        both: Either side's samples with that one workload's; None where there is none.
        name: Of the workload.
        unscaled: The ratio by the clock.
        min_effect: The least share that counts as a difference.
    """
    if both is None:
        return Judged(unscaled, verdict_of(unscaled, min_effect))
    first, second = both
    scaled = ratio_of(first, second, min_effect=min_effect)
    is_changed = is_sure(ratio_of(Timed(first.reference), Timed(second.reference)))
    if is_changed or scaled.spread < _CLEARLY * unscaled.spread - _ROUNDING:
        return Judged(scaled, fair_verdict(scaled, unscaled, min_effect), name)
    return Judged(unscaled, fair_verdict(unscaled, scaled, min_effect))


def judged_elsewhere(both: tuple[Timed, Timed], name: str, min_effect: float) -> Judged:
    """Judge a ratio on another machine: the one beside the workload is all there is."""
    scaled = ratio_of(*both, min_effect=min_effect)
    return Judged(scaled, verdict_of(scaled, min_effect), name)


def is_sure(ratio: Ratio) -> bool:
    """Tell whether a ratio is sure to differ from 1."""
    # A clock too coarse to see noise gives an interval of no width, and its ends are rounded.
    return not ratio.low - _ROUNDING <= 1 <= ratio.high + _ROUNDING
