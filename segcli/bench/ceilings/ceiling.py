"""What bounds a kernel from above, as measured on the machine that timed it. Plain data, without torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from segcli.units import format_rate

# Of quiet measurements of 1.5 s each the two best differ by 0 to 5 %.
_AGREE = 0.9

Bound = Literal["memory", "compute", "call"]


@dataclass(frozen=True)
class Bandwidth:
    """The best rates seen for arrays of one size.

    Attributes:
        footprint_bytes: All that a call of ``copy_`` or of the sum touches, so that small footprints stay in caches.
        copy_bytes_per_s: Of ``copy_``, what is read and what is written both counted.
        read_bytes_per_s: Of a sum, which only reads.
        write_bytes_per_s: Of ``fill_``, which only writes; 0 where it was not measured.
    """

    footprint_bytes: int
    copy_bytes_per_s: float
    read_bytes_per_s: float
    write_bytes_per_s: float = 0.0

    @property
    def best_bytes_per_s(self) -> float:
        """The greatest of them."""
        return max(self.copy_bytes_per_s, self.read_bytes_per_s, self.write_bytes_per_s)


@dataclass(frozen=True)
class Ceilings:
    """What was measured of a device, with the threads and flags of the run.

    Attributes:
        device: Which.
        threads: torch's threads.
        cache_bytes: Of the last-level cache; None where the system does not say.
        bandwidths: By footprint, ascending; the last is far larger than every cache.
        matmul_flops_per_s: Of the best square matrix product, by dtype.
        call_s: What the smallest call takes: one number set to zero.
        launch_s: What the smallest kernel takes on the device alone, launched by a replayed CUDA graph; None on a CPU.
        convolution_flops_per_s: Of the best dense 3x3 convolution, channels last, by dtype.
    """

    device: str
    threads: int
    cache_bytes: int | None
    bandwidths: tuple[Bandwidth, ...]
    matmul_flops_per_s: dict[str, float]
    call_s: float
    launch_s: float | None = None
    convolution_flops_per_s: dict[str, float] = field(default_factory=dict)

    @property
    def flops_per_s(self) -> dict[str, float]:
        """The ceiling of computing, by dtype: the better of product and convolution.

        They come from different libraries on a CPU, and either may know the processor better.
        """
        return _greatest(self.matmul_flops_per_s, self.convolution_flops_per_s)


@dataclass(frozen=True)
class Standing:
    """How near a kernel came to its ceiling.

    Attributes:
        fraction: The least time that the ceilings allow over the time taken; above 1.05 the count of bytes or FLOPs is
            wrong.
        bound: Which ceiling allows no less.
    """

    fraction: float
    bound: Bound


def better(one: Ceilings, other: Ceilings) -> Ceilings:
    """Merge two measurements of a device: of each ceiling the better one.

    A measurement is never too good, only disturbed; so what was measured before and after a run bounds all of it.

    Raises:
        ValueError: Where they are of different devices, threads or caches.

    Examples:
        >>> one = Ceilings("cpu", 2, None, (Bandwidth(64, 1.0, 4.0),), {"float32": 5.0}, 1e-6)
        >>> other = Ceilings("cpu", 2, None, (Bandwidth(64, 2.0, 3.0),), {"float16": 6.0}, 2e-6)
        >>> merged = better(one, other)
        >>> merged.bandwidths, merged.flops_per_s, merged.call_s
        ((Bandwidth(footprint_bytes=64, copy_bytes_per_s=2.0, read_bytes_per_s=4.0, write_bytes_per_s=0.0),), \
{'float32': 5.0, 'float16': 6.0}, 1e-06)
    """
    of_one, of_other = ((each.device, each.threads, each.cache_bytes) for each in (one, other))
    if of_one != of_other:
        message = f"ceilings of {of_one} and of {of_other} cannot be merged"
        raise ValueError(message)
    return Ceilings(
        *of_one,
        _better_bandwidths((*one.bandwidths, *other.bandwidths)),
        _greatest(one.matmul_flops_per_s, other.matmul_flops_per_s),
        min(one.call_s, other.call_s),
        min((each.launch_s for each in (one, other) if each.launch_s is not None), default=None),
        _greatest(one.convolution_flops_per_s, other.convolution_flops_per_s),
    )


def differing(measured: Sequence[Ceilings]) -> str:
    """Return the ceilings whose two best measurements lie further apart than 10 %, in words; of fewer than two, none.

    Examples:
        >>> one = Ceilings("cpu", 2, None, (Bandwidth(64, 8e10, 4e10),), {"float32": 5e11}, 1e-6)
        >>> other = Ceilings("cpu", 2, None, (Bandwidth(64, 4e10, 4e10),), {"float32": 4.9e11}, 1e-6)
        >>> differing([one, other]), differing([one, other, one])
        ('memory 80.0 GB/s and 40.0 GB/s', '')
    """
    return ", ".join(_disagreements(measured))


def _disagreements(measured: Sequence[Ceilings]) -> Iterator[str]:
    memory = [each.bandwidths[-1].best_bytes_per_s for each in measured if each.bandwidths]
    dtypes = dict.fromkeys(dtype for each in measured for dtype in each.flops_per_s)
    computing = {dtype: [each.flops_per_s.get(dtype, 0.0) for each in measured] for dtype in dtypes}
    for name, unit, rates in [("memory", "B/s", memory), *((dtype, "FLOP/s", computing[dtype]) for dtype in dtypes)]:
        best, second = [*sorted(rates, reverse=True), 0.0, 0.0][:2]
        if len(rates) > 1 and second < _AGREE * best:
            yield f"{name} {format_rate(best, unit)} and {format_rate(second, unit)}"


def raised(ceilings: Ceilings, matmul_flops_per_s: float) -> Ceilings:
    """Raise the ceiling of float32 products to what one was seen to do, where that is more.

    Examples:
        >>> raised(Ceilings("cpu", 2, None, (), {"float32": 5.0}, 1e-6), 7.0).flops_per_s
        {'float32': 7.0}
    """
    seen = {"float32": matmul_flops_per_s}
    return replace(ceilings, matmul_flops_per_s=_greatest(ceilings.matmul_flops_per_s, seen))


def raised_bandwidth(ceilings: Ceilings, copy_bytes_per_s: float, footprint_bytes: int | None) -> Ceilings:
    """Raise the ceiling of copying to what one copy was seen to do, where that is more.

    Args:
        ceilings: What was measured.
        copy_bytes_per_s: What was read and written by a copy, a second.
        footprint_bytes: What it read and wrote, from hot caches: no smaller copy is slower. None from cold ones: no
            copy at all is.

    Examples:
        >>> measured = Ceilings("cpu", 2, None, (Bandwidth(64, 1.0, 9.0), Bandwidth(256, 2.0, 9.0)), {}, 1e-6)
        >>> [each.copy_bytes_per_s for each in raised_bandwidth(measured, 3.0, 128).bandwidths]
        [3.0, 2.0]
        >>> [each.copy_bytes_per_s for each in raised_bandwidth(measured, 1.5, None).bandwidths]
        [1.5, 2.0]
    """
    bandwidths = tuple(
        replace(each, copy_bytes_per_s=max(each.copy_bytes_per_s, copy_bytes_per_s))
        if footprint_bytes is None or each.footprint_bytes <= footprint_bytes
        else each
        for each in ceilings.bandwidths
    )
    return replace(ceilings, bandwidths=bandwidths)


def _greatest(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {dtype: max(one.get(dtype, 0.0), other.get(dtype, 0.0)) for dtype in {**one, **other}}


def _better_bandwidths(bandwidths: tuple[Bandwidth, ...]) -> tuple[Bandwidth, ...]:
    best: dict[int, Bandwidth] = {}
    for each in bandwidths:
        known = best.get(each.footprint_bytes, each)
        best[each.footprint_bytes] = Bandwidth(
            each.footprint_bytes,
            max(known.copy_bytes_per_s, each.copy_bytes_per_s),
            max(known.read_bytes_per_s, each.read_bytes_per_s),
            max(known.write_bytes_per_s, each.write_bytes_per_s),
        )
    return tuple(best[footprint] for footprint in sorted(best))
