"""What ceilings are measured with: streams through arrays of many sizes, products, convolutions, the smallest call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from math import prod
from typing import TYPE_CHECKING, Literal

from segcli.bench.measuring.replay import replay_of

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Work

What = Literal["copy", "read", "write", "matmul", "convolution", "call", "launch"]

_FIRST_BYTES = 2**16
_STEP = 4
# On a machine with small caches, still more than any of them, and long enough for all threads to be at work.
_LEAST_LAST_BYTES = 2**28
_LAST_CACHES = 4
_FLOAT_BYTES = 4
# Long enough to drown what a call takes, short enough to run undisturbed.
_PIECE_BYTES = 2**24
# Random numbers repeat after this many: to draw them all would take longer than the measurement.
_DRAWN = 2**18
_IMAGE_SIDE = 64


@dataclass(frozen=True)
class Workload:
    """One piece of work whose best time is a ceiling.

    Attributes:
        what: Which ceiling.
        of: The footprint in bytes, or the dtype.
        amount: Bytes or FLOPs that a call moves or computes.
        work: The call.
        times: How often a call does it.
    """

    what: What
    of: int | str
    amount: int
    work: "Work"
    times: int = 1


def footprints(cache_bytes: int | None) -> list[int]:
    """Return the sizes of arrays: from 64 KiB in steps of four to four last-level caches, or 256 MiB if that is more.

    Examples:
        >>> [size // 1024 for size in footprints(2**25)]
        [64, 256, 1024, 4096, 16384, 65536, 262144]
        >>> footprints(3 * 2**25)[-2:] == [2**28, 3 * 2**27]
        True
    """
    last = max(_LAST_CACHES * (cache_bytes or 0), _LEAST_LAST_BYTES)
    sizes = [_FIRST_BYTES]
    while sizes[-1] * _STEP < last:
        sizes.append(sizes[-1] * _STEP)
    return [*sizes, last]


def stream_bytes(sizes: Sequence[int]) -> int:
    """Return the memory that `streams` takes: half the last array more than it."""
    return sizes[-1] + sizes[-1] // 2


def streams(device: "torch.device", sizes: Sequence[int]) -> Iterator[Workload]:
    """Make a write, a copy and a read of each size; they share one piece of memory.

    On a CPU large arrays are walked through a piece a call, round and round: a call of many milliseconds seldom runs
    undisturbed where other programs run too, and the best of a few such calls would be too slow.

    The first half of an array's size is random and never written. Writes fill what comes after it with one number, and
    copies make it random again: zeros take less power, so that a GPU reads them faster.
    """
    import torch

    half = sizes[-1] // 2 // _FLOAT_BYTES
    drawn = torch.rand(_DRAWN, generator=torch.Generator().manual_seed(0)).to(device)
    memory = drawn.repeat(-(-3 * half // _DRAWN))
    for size in sizes:
        piece = size if device.type == "cuda" else min(size, _PIECE_BYTES)
        count, step = size // _FLOAT_BYTES, piece // _FLOAT_BYTES
        read, source = torch.split(memory[:count], step), torch.split(memory[: count // 2], step // 2)
        into = memory[half : half + count]
        written, target = torch.split(into, step), torch.split(into[: count // 2], step // 2)
        works: dict[What, list[Work]] = {
            "write": [partial(each.fill_, 0.5) for each in written],
            "copy": [partial(to.copy_, each) for to, each in zip(target, source, strict=True)],
            "read": [each.sum for each in read],
        }
        for what, each in works.items():
            # A last, smaller piece would pass for one that is done faster.
            yield _repeated(what, size, piece, partial(_next_of, cycle(each[: size // piece])), device)


def _next_of(works: "Iterator[Work]") -> object:
    return next(works)()


def matmul(device: "torch.device", dtype: str, side: int) -> Workload:
    """Make a product of two square matrices of normal(0, 1) into a third."""
    import torch

    generator = torch.Generator(device).manual_seed(side)
    kind = getattr(torch, dtype)
    a, b = (torch.randn(side, side, generator=generator, device=device).to(kind) for _ in range(2))
    out = torch.empty(side, side, device=device, dtype=kind)
    return Workload("matmul", dtype, 2 * side**3, lambda: torch.mm(a, b, out=out))


def convolution(device: "torch.device", dtype: str, channels: int) -> Workload:
    """Make a 3x3 convolution of as many channels to as many, over 64x64 pixels, channels last.

    A CPU's convolutions come from another library than its products do (oneDNN, and MKL or OpenBLAS): on processors of
    another maker than MKL's the products may reach less than half of what the convolutions do.
    """
    import torch
    from torch.nn import functional

    generator = torch.Generator(device).manual_seed(channels)
    kind, last = getattr(torch, dtype), torch.channels_last
    shapes = (1, channels, _IMAGE_SIDE, _IMAGE_SIDE), (channels, channels, 3, 3)
    x, weight = (
        torch.randn(shape, generator=generator, device=device).to(kind).contiguous(memory_format=last)
        for shape in shapes
    )
    # Every weight meets every position, as convolutions of the suites are counted: padding is computed, too.
    flops = 2 * prod(shapes[1]) * _IMAGE_SIDE**2
    return Workload("convolution", dtype, flops, lambda: functional.conv2d(x, weight, padding=1))


def smallest(device: "torch.device") -> Iterator[Workload]:
    """Make the smallest call, from the host; on a GPU also the smallest kernel, without it."""
    import torch

    one = torch.ones((), device=device)
    yield Workload("call", "", 0, one.zero_)
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        yield _repeated("launch", "", 0, one.zero_, device, times=100)


def _repeated(
    what: What, of: int | str, amount: int, work: "Work", device: "torch.device", times: int = 20
) -> Workload:
    """On a GPU let a graph repeat the work: launched from the host, small arrays would wait for it."""
    replay = None
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        replay = replay_of(lambda: [work() for _ in range(times)], device)
    return Workload(what, of, amount, replay or work, times if replay else 1)
