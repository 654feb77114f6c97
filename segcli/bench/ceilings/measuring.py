"""Measures ceilings: each piece of work in turn, round after round, and of all rounds the best."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import ceil, isqrt
from typing import TYPE_CHECKING

from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.ceilings.last_level import last_level_cache_bytes
from segcli.bench.ceilings.workloads import (
    Workload,
    convolution,
    footprints,
    matmul,
    smallest,
    stream_bytes,
    streams,
)
from segcli.bench.kernel import ITEM_BYTES
from segcli.bench.measuring.environment import available_bytes
from segcli.errors import ExitCode, SegcliError
from segcli.units import format_bytes

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Timer

QUICK_S = 1.5
THOROUGH_S = 10.0

# A block this long hides what reading a timer costs; the shorter it is, the likelier nothing else disturbs it.
_BLOCK_S = 1e-4
# A piece of work has as many blocks a turn as fit into this, and one at least.
_TURN_S = 4e-3
_LEAST_ROUNDS = 2
# Shares of the time: a product that takes more has no larger one after it; and for heating the processor up before.
_PRODUCT_SHARE = 1 / 60
_SOAK_SHARE = 0.15
_LONGEST_SOAK_S = 1.5
# Sides between which the best is looked for: powers of two, and those half as large again.
_SIDES = (256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
# Of a square image of 64x64: two convolutions are as large as a network's, and a small one comes first, lest half types
# that a CPU computes by the number take seconds.
_CHANNELS = (16, 64, 128, 256)
_TRIED = 4
_MATRICES = 3
_HALVES = ("bfloat16", "float16")

Advance = Callable[[float], None]


def measure_ceilings(
    device: "torch.device",
    dtypes: Sequence[str],
    timer: "Timer",
    *,
    seconds: float = QUICK_S,
    advance: Advance = lambda _: None,
) -> Ceilings:
    """Measure what a device can do at most, with the threads and flags that the process has now.

    Bandwidth is that of ``fill_``, ``copy_`` and a sum of random float32, through arrays of 64 KiB to four last-level
    caches; computing is the best of four square matrix products and of up to four dense convolutions, of random
    numbers, after a soak. All take turns until the time is spent, two rounds at least, and the best time of each
    counts: what disturbs a ceiling only lowers it.

    Args:
        device: ``cpu`` or a CUDA device.
        dtypes: Those whose products are timed; float32 joins halves, since much of them is computed in it. One that
            torch cannot multiply on this device is left out.
        timer: What times.
        seconds: How long it may take, about.
        advance: Called with the share of the time that has passed, 0 to 1.

    Raises:
        SegcliError: With exit code 3, before anything is allocated, where the arrays do not fit into memory.
    """
    import torch

    started_ns = timer.clock.now_ns()
    cache_bytes = last_level_cache_bytes(device)
    sizes = footprints(cache_bytes)
    left_bytes = available_bytes(device) - stream_bytes(sizes)
    largest_side = _largest_side(left_bytes)
    wanted = dict.fromkeys([*dtypes, *(["float32"] if any(dtype in _HALVES for dtype in dtypes) else [])])
    with torch.no_grad():
        limit_s = seconds * _PRODUCT_SHARE / max(1, len(wanted))
        products = [each for dtype in wanted for each in _products(device, dtype, timer, limit_s, largest_side)]
        products += [each for dtype in wanted for each in _convolutions(device, dtype, timer, limit_s)]
        _soak(products[-1:], timer, min(_LONGEST_SOAK_S, seconds * _SOAK_SHARE))
        workloads = [*streams(device, sizes), *products, *smallest(device)]
        best_s = best_times(workloads, timer, started_ns, seconds, advance)
    return ceilings_of(str(device), torch.get_num_threads(), cache_bytes, workloads, best_s)


def best_times(
    workloads: Sequence[Workload], timer: "Timer", started_ns: int, seconds: float, advance: Advance = lambda _: None
) -> list[float]:
    """Return the least seconds that each piece of work took, of all rounds until the time is spent.

    Args:
        workloads: What takes turns.
        timer: What times.
        started_ns: When the time began, by the timer's clock.
        seconds: The time.
        advance: Called with the share of it that has passed.
    """
    calls = [_calls(workload, timer) for workload in workloads]
    best_s = [float("inf")] * len(workloads)
    rounds, passed = 0, 0.0
    while rounds < _LEAST_ROUNDS or passed < 1:
        for place, (workload, count) in enumerate(zip(workloads, calls, strict=True)):
            taken_s = _best_block_s(workload, count, timer) / (count * workload.times)
            best_s[place] = min(best_s[place], taken_s)
            passed = (timer.clock.now_ns() - started_ns) / 1e9 / seconds
            advance(min(passed, 1.0))
        rounds += 1
    return best_s


def ceilings_of(
    device: str, threads: int, cache_bytes: int | None, workloads: Sequence[Workload], best_s: Sequence[float]
) -> Ceilings:
    """Turn best times into rates.

    Examples:
        >>> copy, read = (Workload(what, 64, 64, print) for what in ("copy", "read"))
        >>> ceilings_of("cpu", 1, None, [copy, read, Workload("call", "", 0, print)], [2.0, 4.0, 0.5])
        Ceilings(device='cpu', threads=1, cache_bytes=None, bandwidths=(Bandwidth(footprint_bytes=64, \
copy_bytes_per_s=32.0, read_bytes_per_s=16.0, write_bytes_per_s=0.0),), matmul_flops_per_s={}, call_s=0.5, \
launch_s=None, convolution_flops_per_s={})
    """
    rates: dict[tuple[str, int | str], float] = {}
    for workload, seconds in zip(workloads, best_s, strict=True):
        key = workload.what, workload.of
        # A clock too coarse to see the work says nothing of its rate.
        rates[key] = max(rates.get(key, 0.0), workload.amount / seconds if seconds else 0.0)
    least = {workload.what: seconds for workload, seconds in zip(workloads, best_s, strict=True)}
    sizes = sorted({of for what, of in rates if what == "copy" and isinstance(of, int)})
    return Ceilings(
        device=device,
        threads=threads,
        cache_bytes=cache_bytes,
        bandwidths=tuple(
            Bandwidth(size, rates["copy", size], rates["read", size], rates.get(("write", size), 0.0)) for size in sizes
        ),
        matmul_flops_per_s={str(of): rate for (what, of), rate in rates.items() if what == "matmul"},
        call_s=least["call"],
        launch_s=least.get("launch"),
        convolution_flops_per_s={str(of): rate for (what, of), rate in rates.items() if what == "convolution"},
    )


def _largest_side(left_bytes: int) -> int:
    """Return the largest side whose matrices, of the widest items, fit into half of what streams leave."""
    item_bytes = max(ITEM_BYTES.values())
    side = isqrt(max(0, left_bytes) // (2 * _MATRICES * item_bytes))
    if side < _SIDES[0]:
        message = f"measuring ceilings takes {format_bytes(-left_bytes)} more memory than is available"
        if left_bytes >= 0:
            message = f"measuring ceilings leaves {format_bytes(left_bytes)} of memory, too little for a matrix product"
        raise SegcliError(message, hint="end what else uses the memory", code=ExitCode.UNAVAILABLE)
    return side


def _convolutions(device: "torch.device", dtype: str, timer: "Timer", limit_s: float) -> list[Workload]:
    return _computable(lambda: _of_growing(partial(convolution, device, dtype), _CHANNELS, timer, limit_s))


def _products(device: "torch.device", dtype: str, timer: "Timer", limit_s: float, largest_side: int) -> list[Workload]:
    """Return products of the last few sides up to the first that takes too long; none where torch has none."""
    sides = [side for side in _SIDES if side <= max(largest_side, _SIDES[0])]
    return _computable(lambda: _of_growing(partial(matmul, device, dtype), sides, timer, limit_s))


def _computable(make: Callable[[], Iterator[Workload]]) -> list[Workload]:
    try:
        return list(make())[-_TRIED:]
    except RuntimeError as error:
        if "not implemented" in str(error):
            return []
        raise


def _of_growing(
    make: Callable[[int], Workload], sizes: Sequence[int], timer: "Timer", limit_s: float
) -> Iterator[Workload]:
    for size in sizes:
        workload = make(size)
        yield workload
        # Not what the next is expected to take: where other programs disturb, small ones say little of large ones.
        if _best_block_s(workload, 1, timer) > limit_s:
            return


def _soak(products: Sequence[Workload], timer: "Timer", seconds: float) -> None:
    """Keep the processor busy until its clock rate is one that it can hold."""
    end_ns = timer.clock.now_ns() + round(seconds * 1e9)
    while products and timer.clock.now_ns() < end_ns:
        for product in products:
            timer.time_s(product.work, 1)


def _calls(workload: Workload, timer: "Timer") -> int:
    """Return how many calls make a block."""
    return max(1, ceil(_BLOCK_S / max(_best_block_s(workload, 1, timer), 1e-9)))


def _best_block_s(workload: Workload, calls: int, timer: "Timer") -> float:
    """Return the least time of a turn's blocks."""
    end_ns = timer.clock.now_ns() + round(_TURN_S * 1e9)
    best_s = timer.time_s(workload.work, calls)
    while timer.clock.now_ns() < end_ns:
        best_s = min(best_s, timer.time_s(workload.work, calls))
    return best_s
