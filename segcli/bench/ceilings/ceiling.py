"""What bounds a kernel from above, as measured on the machine that timed it. Plain data, without torch."""

from dataclasses import dataclass
from typing import Literal

Bound = Literal["memory", "compute", "call"]


@dataclass(frozen=True)
class Bandwidth:
    """The best rates seen for arrays of one size.

    Attributes:
        footprint_bytes: All that a call touches, so that small footprints stay in caches.
        copy_bytes_per_s: Of ``copy_``, what is read and what is written both counted.
        read_bytes_per_s: Of a sum, which only reads.
    """

    footprint_bytes: int
    copy_bytes_per_s: float
    read_bytes_per_s: float

    @property
    def best_bytes_per_s(self) -> float:
        """The greater of the two."""
        return max(self.copy_bytes_per_s, self.read_bytes_per_s)


@dataclass(frozen=True)
class Ceilings:
    """What was measured of a device, with the threads and flags of the run.

    Attributes:
        device: Which.
        threads: torch's threads.
        cache_bytes: Of the last-level cache; None where the system does not say.
        bandwidths: By footprint, ascending; the last is far larger than every cache.
        flops_per_s: Of the best square matrix product, by dtype.
        call_s: What the smallest call takes: one addition to one number.
    """

    device: str
    threads: int
    cache_bytes: int | None
    bandwidths: tuple[Bandwidth, ...]
    flops_per_s: dict[str, float]
    call_s: float


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
