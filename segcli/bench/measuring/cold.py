"""Cold caches: what is put into them before a call, so that the call finds nothing of its own."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from segcli.bench.ceilings.last_level import last_level_cache_bytes

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Work

# A cache that may hold half of a buffer when it was walked through once holds nothing of what was there before.
_TIMES = 2
# Of a core's own second level and its share of a third one, on servers of the last decade.
_ASSUMED_BYTES = 32 * 2**20


@dataclass(frozen=True)
class CacheSize:
    """The last-level cache of a device.

    Attributes:
        bytes: Its size.
        known: Whether the system says so; else it is assumed.
    """

    bytes: int
    known: bool

    @property
    def flush_bytes(self) -> int:
        """How much is written to fill it with something else."""
        return _TIMES * self.bytes


def cache_size(device: "torch.device") -> CacheSize:
    """Return the size of the last-level cache: as the system says, or 32 MiB where it says nothing."""
    known = last_level_cache_bytes(device)
    return CacheSize(known or _ASSUMED_BYTES, known is not None)


def flush_of(device: "torch.device", size: CacheSize) -> "Work":
    """Return a call that fills the caches with something else; it allocates nothing.

    On a CPU a buffer is read and written by as many threads as compute, so that each core's own caches are filled too.
    On a GPU it is set to zero, in the stream in which kernels run, as triton's ``do_bench`` does.

    Args:
        device: Whose caches.
        size: How large they are.

    Examples:
        >>> import torch
        >>> flush_of(torch.device("cpu"), CacheSize(1024, known=True))().sum().item()
        512
    """
    import torch

    buffer = torch.ones(size.flush_bytes // 8, dtype=torch.int64, device=device)
    return partial(buffer.add_, 1) if device.type == "cpu" else buffer.zero_
