"""How near a kernel came to what its machine can do. Pure arithmetic, without torch.

The least time of a call is the greatest of what memory, arithmetic and the call itself take at their ceilings.

What memory takes depends on where the bytes lie. A cold call fetches all that it touches from memory. A hot one finds
as much of it in the caches as these hold, and the rest comes from memory; how fast a cache is, arrays of the same size
told. A call that touches each byte once streams as those arrays do, whose every byte has left the cache when its turn
comes again; one that comes back to its bytes, as training does, may find a cache full of them. No call passes more
bytes than the fastest cache can.

Source:
    The roofline of Williams, Waterman and Patterson (2009), with the caches' roofs of Ilic, Pratas and Sousa (2014).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segcli.bench.ceilings.ceiling import Bandwidth, Bound, Ceilings, Standing
from segcli.bench.measuring.conditions import Caches, Span

if TYPE_CHECKING:
    from segcli.bench.kernel import Case, Kernel, Mode

MOST = 1.05
"""A fraction above this is no noise: the count of bytes or FLOPs is wrong."""

# The last footprint that is measured is at least this many caches.
_LAST_CACHES = 4
_HALVES = ("bfloat16", "float16")


def footprint_bytes(kernel: "Kernel", case: "Case", mode: "Mode") -> int:
    """Return how many different bytes a call touches at least.

    Of a forward call that is what it reads and writes. Backward reads again what forward has read, so that the sum of
    both counts some bytes twice; but no fewer than the greater of the two are different ones.

    Examples:
        >>> from segcli.bench.kernel import Mode
        >>> from segcli.bench.suites import SUITES
        >>> kernel, case = SUITES["norm"].kernels[0], SUITES["norm"].case
        >>> footprint_bytes(kernel, case, Mode.FORWARD) == kernel.forward(case).bytes
        True
    """
    forward = kernel.cost(case, type(mode).FORWARD).bytes
    return max(forward, kernel.cost(case, mode).bytes - forward)


def standing(
    bytes: int,  # noqa: A002 - as a result calls it
    flops: int,
    footprint_bytes: int,
    median_s: float | None,
    dtype: str,
    ceilings: Ceilings,
    caches: Caches,
    span: Span = Span.HOST,
) -> Standing | None:
    """Return a kernel's fraction of its ceiling, and which ceiling that is.

    Args:
        bytes: What a call must read and write; what it must read twice, twice.
        flops: What it must compute.
        footprint_bytes: How many different bytes it touches.
        median_s: What it took.
        dtype: Of its floating tensors.
        ceilings: What the machine can do.
        caches: Where the call found its data.
        span: By whose clock it was timed: the device's alone sees no call from the host.

    Returns:
        None where the clock saw no time, or there are FLOPs and no ceiling for them.

    Examples:
        >>> bandwidths = Bandwidth(2**20, 100e9, 80e9), Bandwidth(2**28, 20e9, 25e9)
        >>> ceilings = Ceilings("cpu", 2, 2**24, bandwidths, {"float32": 100e9}, 1e-6)
        >>> standing(2**26, 2**26, 2**26, 5e-3, "float32", ceilings, Caches.COLD)
        Standing(fraction=0.5368..., bound='memory')
    """
    compute_s = _compute_s(flops, dtype, ceilings.flops_per_s)
    if not median_s or compute_s is None:
        return None
    least: dict[Bound, float] = {
        "memory": _memory_s(bytes, footprint_bytes, ceilings, caches),
        "compute": compute_s,
        "call": (ceilings.launch_s or 0.0) if span is Span.DEVICE else ceilings.call_s,
    }
    bound = max(least, key=lambda each: least[each])
    return Standing(least[bound] / median_s, bound)


def _compute_s(flops: int, dtype: str, flops_per_s: Mapping[str, float]) -> float | None:
    # What is stored in half a float32 is often computed in float32, and faster so where there are no units for halves.
    dtypes = (dtype, "float32") if dtype in _HALVES else (dtype,)
    fastest = max(flops_per_s.get(each, 0.0) for each in dtypes)
    if not flops:
        return 0.0
    return flops / fastest if fastest else None


def _memory_s(n_bytes: int, footprint: int, ceilings: Ceilings, caches: Caches) -> float:
    bandwidths = ceilings.bandwidths
    memory = bandwidths[-1].best_bytes_per_s
    through_caches_s = n_bytes / _rate(0, bandwidths)
    if caches is Caches.COLD:
        return max(footprint / memory, through_caches_s)
    cache = cache_bytes(ceilings)
    streamed = footprint if n_bytes <= footprint else min(footprint, cache)
    return max((footprint - cache) / memory, streamed / _rate(streamed, bandwidths), through_caches_s)


def cache_bytes(ceilings: Ceilings) -> int:
    """Return the last-level cache's size; where the system does not say, the most that it can be."""
    return ceilings.cache_bytes or ceilings.bandwidths[-1].footprint_bytes // _LAST_CACHES


def _rate(footprint: int, bandwidths: Sequence[Bandwidth]) -> float:
    """Return the best rate of arrays from the measured size below ``footprint`` on.

    Small arrays are slow, since their calls take longer than their bytes; larger ones tell what their cache could do.
    """
    below = max((each.footprint_bytes for each in bandwidths if each.footprint_bytes <= footprint), default=0)
    return max(each.best_bytes_per_s for each in bandwidths if each.footprint_bytes >= below)
