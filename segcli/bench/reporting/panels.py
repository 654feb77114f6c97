"""Rooflines before anything is drawn: which kernels share a panel, and the roofs above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.ceilings.standing import cache_bytes
from segcli.bench.results import Result, Status
from segcli.bench.runs import Run
from segcli.units import format_size

HOT, COLD = "hot", "cold"
# Roofs that are nearer to one another than by this factor look like one.
_APART = 1.5


@dataclass(frozen=True)
class Roof:
    """Where bytes come from, and how fast.

    Attributes:
        name: ``memory``, ``last-level cache`` or ``fastest cache``.
        bytes_per_s: The best that arrays of its size were seen to do.
    """

    name: str
    bytes_per_s: float


@dataclass(frozen=True)
class Panel:
    """Kernels of one group, drawn together.

    Attributes:
        title: Suite, mode, size, dtype, and whose clock where that is the device's.
        results: Timed ones: all with FLOPs, or all without.
        has_flops: Whether FLOP/s over FLOPs a byte are drawn, or bytes/s alone.
        roofs: Of bandwidth, memory first; none where no ceilings were measured.
        flops_per_s: The ceiling of computing, or None.
    """

    title: str
    results: tuple[Result, ...]
    has_flops: bool
    roofs: tuple[Roof, ...]
    flops_per_s: float | None


def panels(run: Run) -> list[Panel]:
    """Arrange a run: a panel for each suite, mode, size, dtype and clock, and one beside it for what has no FLOPs.

    Kernels that the machine's ceilings do not bound, since they wait for processes or cross a bus, have none.
    """
    groups: dict[str, list[Result]] = {}
    for result in run.results:
        if _is_drawn(result, run.ceilings):
            groups.setdefault(group_title(result), []).append(result)
    return [
        Panel(title, tuple(some), has_flops, _roofs(run.ceilings), _computing(run.ceilings, some[0].dtype))
        for title, results in groups.items()
        for has_flops in (True, False)
        if (some := [result for result in results if bool(result.flops) == has_flops])
    ]


def group_title(result: Result) -> str:
    """Name the group of a result, such as ``index, forward, 256x512 float32``."""
    clock = ", device time" if result.span == "device" else ""
    return f"{result.suite}, {result.mode}, {format_size(result.size)} {result.dtype}{clock}"


def label_of(result: Result) -> str:
    """Name a kernel with its variant."""
    return f"{result.kernel}, {result.variant}" if result.variant else result.kernel


def intensity(result: Result) -> float:
    """Return FLOPs a byte."""
    return result.flops / result.bytes


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Return places as near to those wanted as they can be with a gap between neighbours, in 0 to 1.

    Neighbours that are too near one another move apart together, around the middle of where they wanted to be.

    Args:
        wanted: Ascending places.
        gap: The least distance between two; less where there is no room for so many.

    Examples:
        >>> [round(place, 3) for place in spread([0.2, 0.5, 0.5, 0.51], 0.1)]
        [0.2, 0.403, 0.503, 0.603]
        >>> spread([0.9, 1.0, 1.0], 0.5)
        [0.0, 0.5, 1.0]
    """
    if not wanted:
        return []
    gap = min(gap, 1 / max(1, len(wanted) - 1))
    # Less its own gaps, no place may be below the one before: the least squares of that are means of blocks.
    blocks: list[tuple[float, int]] = []
    for number, place in enumerate(wanted):
        blocks.append((place - number * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (mean, count), (above, more) = blocks[-2:]
            blocks[-2:] = [((mean * count + above * more) / (count + more), count + more)]
    most = 1 - (len(wanted) - 1) * gap
    means = [min(max(mean, 0.0), most) for mean, count in blocks for _ in range(count)]
    return [mean + number * gap for number, mean in enumerate(means)]


def axis_limits(values: Sequence[float], margin: float) -> tuple[float, float]:
    """Return limits around positive values on a logarithmic axis, a factor beyond the first and the last."""
    return min(values) / margin, max(values) * margin


def _is_drawn(result: Result, ceilings: Ceilings | None) -> bool:
    has_rate = result.status is Status.TIMED and bool(result.median_s) and bool(result.bytes)
    return has_rate and (ceilings is None or result.fraction is not None)


def _roofs(ceilings: Ceilings | None) -> tuple[Roof, ...]:
    """Return memory's roof and those of caches, but for those that would lie on another; the slowest first."""
    if ceilings is None:
        return ()
    cached = [each for each in ceilings.bandwidths[:-1] if each.footprint_bytes <= cache_bytes(ceilings)]
    kept = [Roof("memory", ceilings.bandwidths[-1].best_bytes_per_s)]
    fastest = Roof("fastest cache", max((each.best_bytes_per_s for each in cached), default=0.0))
    for roof in (fastest, *(Roof("last-level cache", each.best_bytes_per_s) for each in cached[-1:])):
        slower, faster = sorted((roof.bytes_per_s, kept[-1].bytes_per_s))
        if roof.bytes_per_s >= kept[0].bytes_per_s * _APART and faster >= slower * _APART:
            kept.append(roof)
    return tuple(sorted(kept, key=lambda roof: roof.bytes_per_s))


def _computing(ceilings: Ceilings | None, dtype: str) -> float | None:
    return None if ceilings is None else ceilings.flops_per_s.get(dtype)
