"""What a run says of one kernel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from segcli.bench.ceilings.ceiling import Bound, Ceilings
from segcli.bench.ceilings.standing import footprint_bytes, standing
from segcli.bench.kernel import Case, Kernel, Mode
from segcli.bench.measuring.conditions import Caches, Condition, Span
from segcli.bench.measuring.order_statistics import summarise
from segcli.bench.measuring.sampling import Sampling, Stop, pooled

if TYPE_CHECKING:
    from segcli.bench.plan import Group

_FEWEST_FOR_QUARTILES = 4
_HOT = Condition()


class Status(Enum):
    """What became of a kernel."""

    TIMED = "timed"
    WRONG = "wrong"
    """Its answer differs from the float64 reference; it was not timed."""
    UNSUPPORTED = "unsupported"
    """Torch has no such kernel for this dtype and device."""
    FAILED = "failed"
    """Torch raised."""
    SKIPPED = "skipped"
    """The time budget or Ctrl-C came first."""


@dataclass(frozen=True)
class Result:
    """One kernel in one mode.

    Attributes:
        suite: The suite.
        kernel: The kernel.
        mode: ``forward`` or ``forward+backward``.
        size: (height, width).
        tensor: What the main tensor is called.
        shape: Its shape.
        dtype: Of the floating tensors.
        device: Where it ran.
        caches: ``hot`` or ``cold``: where calls found their data.
        span: ``host`` or ``device``: by whose clock.
        variant: What was changed about the kernel: ``channels-last``, ``compiled``, or empty.
        status: What became of it.
        reason: Why it was not timed, or empty.
        unchecked: Why its answers were compared with nothing, or empty.
        median_s: Median seconds a call.
        ci95_s: 95 % confidence interval of the median, by order statistics; None below six samples.
        quartiles_s: The first and the third quartile; None below four samples.
        baseline: The kernel that the speed-up is measured against.
        speedup: The baseline's median over this one.
        time_share: The median over that of the slowest kernel of its group under the same condition.
        bytes: What must be read and written, by formula.
        flops: Floating-point operations, by formula.
        bytes_per_s: Bytes over the median.
        flops_per_s: FLOPs over the median; None where there are no FLOPs.
        error: Relative error against the float64 reference, in the 2-norm.
        tolerance: What that may be.
        allocates: Whether a call allocates its output.
        stopped: What ended the sampling.
        steady: Whether warm-up ended because times were steady.
        warm_up_calls: Calls before the first sample.
        calls: Calls a sample.
        samples_s: Seconds a call, one a sample, in the order taken.
        passes: How many of the samples were taken in each pass over the suites, minutes apart where a run is long.
        timer: What was read, in words.
        fraction: The least time that the machine's ceilings allow, over the median; None without ceilings.
        bound: Which ceiling that is.
        peak_bytes: The most memory that a call holds beyond its inputs, its output included.
        items: What a call handles: frames, samples; None where that means nothing.
        unit: What items are, in the plural.
        items_per_s: Items over the median.
        dropped: Samples thrown away because the GPU's clock was throttled.
    """

    suite: str
    kernel: str
    mode: str
    size: tuple[int, int]
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    device: str
    caches: str
    span: str
    variant: str
    status: Status
    reason: str
    bytes: int
    flops: int
    allocates: bool
    baseline: str
    median_s: float | None = None
    ci95_s: tuple[float, float] | None = None
    quartiles_s: tuple[float, float] | None = None
    speedup: float | None = None
    time_share: float | None = None
    bytes_per_s: float | None = None
    flops_per_s: float | None = None
    error: float | None = None
    tolerance: float | None = None
    stopped: Stop | None = None
    steady: bool | None = None
    warm_up_calls: int = 0
    calls: int = 0
    samples_s: tuple[float, ...] = ()
    passes: tuple[int, ...] = ()
    fraction: float | None = None
    bound: Bound | None = None
    peak_bytes: int | None = None
    items: int | None = None
    unit: str = ""
    items_per_s: float | None = None
    dropped: int = 0
    unchecked: str = ""
    timer: str = ""


@dataclass(frozen=True)
class Reference:
    """The reference workload, timed in turn with one group of kernels: what a slower machine slows alike.

    Attributes:
        workload: ``copy`` (bound by memory) or ``matmul`` (bound by computing).
        suite: Of the group.
        mode: Of the group.
        size: Of the group.
        dtype: Of the group.
        device: Where it ran.
        caches: As in `Result`.
        span: As in `Result`.
        samples_s: Seconds a call, in the order taken.
        passes: Samples in each pass over the suites.
    """

    workload: str
    suite: str
    mode: str
    size: tuple[int, int]
    dtype: str
    device: str
    caches: str
    span: str
    samples_s: tuple[float, ...]
    passes: tuple[int, ...]


def passes_of(timed: Result | Reference) -> tuple[tuple[float, ...], ...]:
    """Return samples by pass, those of a pass without any as an empty one."""
    cut, start = [], 0
    for count in timed.passes or (len(timed.samples_s),):
        cut.append(timed.samples_s[start : start + count])
        start += count
    return tuple(cut)


def untimed(
    group: "Group",
    kernel: Kernel,
    device: str,
    status: Status,
    reason: str,
    condition: Condition = _HOT,
) -> Result:
    """Return a result without a time."""
    cost = kernel.cost(group.case, group.mode)
    return Result(
        suite=group.suite.name,
        kernel=kernel.name,
        mode=group.mode.value,
        size=group.case.size,
        tensor=group.suite.tensor,
        shape=group.case.shape,
        dtype=group.case.dtype,
        device=device,
        caches=condition.caches.value,
        span=condition.span.value,
        variant=kernel.variant,
        status=status,
        reason=reason,
        bytes=cost.bytes,
        flops=cost.flops,
        allocates=kernel.allocates or group.mode is Mode.TRAINING,
        baseline=group.suite.baseline_of(kernel),
        items=None if kernel.items is None else kernel.items(group.case),
        unit=kernel.unit,
        unchecked=kernel.unchecked,
    )


def timed(bare: Result, samplings: Sequence[Sampling]) -> Result:
    """Put what was measured, pass by pass, into a result."""
    sampling = pooled(samplings)
    summary = summarise(sampling.samples_s)
    return replace(
        bare,
        status=Status.TIMED,
        reason="",
        median_s=summary.median,
        ci95_s=summary.ci95,
        quartiles_s=summary.quartiles if len(sampling.samples_s) >= _FEWEST_FOR_QUARTILES else None,
        bytes_per_s=_rate(bare.bytes, summary.median),
        flops_per_s=_rate(bare.flops, summary.median),
        stopped=sampling.stopped,
        steady=sampling.steady,
        warm_up_calls=sampling.warm_up_calls,
        calls=sampling.calls,
        samples_s=sampling.samples_s,
        passes=tuple(len(each.samples_s) for each in samplings),
        items_per_s=_rate(bare.items or 0, summary.median),
        dropped=sampling.dropped,
    )


def with_standing(result: Result, kernel: Kernel, case: Case, ceilings: Ceilings | None) -> Result:
    """Compare a timed result with what the machine can do, where that bounds the kernel."""
    if ceilings is None or not kernel.bounded or not result.bytes:
        return result
    mode, caches, span = Mode(result.mode), Caches(result.caches), Span(result.span)
    footprint = footprint_bytes(kernel, case, mode)
    found = standing(
        result.bytes, result.flops, footprint, result.median_s, result.dtype, ceilings, caches=caches, span=span
    )
    return result if found is None else replace(result, fraction=found.fraction, bound=found.bound)


def _rate(count: int, seconds: float) -> float | None:
    """Return a count a second; None for none of it, or where the clock was too coarse to see any time."""
    return count / seconds if count and seconds else None


def with_speedups(results: Sequence[Result]) -> list[Result]:
    """Compare every timed result with its baseline and with the slowest of its group, under the same condition."""
    medians = {(_table(result), result.kernel): result.median_s for result in results if not result.variant}
    slowest: dict[_Table, float] = {}
    for result in results:
        table = _table(result)
        slowest[table] = max(slowest.get(table, 0.0), result.median_s or 0.0)
    return [
        _compared(result, medians.get((_table(result), result.baseline)), slowest[_table(result)]) for result in results
    ]


_Table = tuple[str, str, tuple[int, int], str, str, str]


def _table(result: Result) -> _Table:
    return result.suite, result.mode, result.size, result.dtype, result.caches, result.span


def _compared(result: Result, baseline_s: float | None, slowest_s: float) -> Result:
    if not result.median_s:
        return result
    speedup = None if baseline_s is None else baseline_s / result.median_s
    return replace(result, speedup=speedup, time_share=result.median_s / slowest_s)
