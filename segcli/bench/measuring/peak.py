"""The most memory that one call holds beyond what was there before it."""

from collections.abc import Iterable
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Work


def peak_bytes(work: "Work", device: "torch.device") -> int | None:
    """Return the peak of one call's own memory, its output and torch's inner buffers included.

    Memory that libraries below torch take by themselves, such as oneDNN's scratch, is not seen.

    Args:
        work: The call.
        device: Whose memory.

    Returns:
        None where this torch does not tell.

    Examples:
        >>> import torch
        >>> ones = torch.ones(1000)
        >>> peak_bytes(lambda: (ones + ones) * ones, torch.device("cpu"))
        8000
    """
    return _of_cuda(work, device) if device.type == "cuda" else _of_cpu(work)


def _of_cuda(work: "Work", device: "torch.device") -> int:
    import torch

    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    kept = work()
    torch.cuda.synchronize(device)
    peak: int = torch.cuda.max_memory_allocated(device) - before
    del kept
    return peak


def _of_cpu(work: "Work") -> int | None:
    """Add up what torch's allocator reports to its first profiler.

    The newer one, `torch.profiler`, reports the same; but it takes seconds to start and writes to stderr.
    """
    from torch.autograd import profiler_legacy as legacy

    profiler: Any = legacy
    config = legacy.profile(profile_memory=True).config()  # type: ignore[no-untyped-call]
    profiler._enable_profiler_legacy(config)  # noqa: SLF001 - what leaves the records is private
    try:
        kept = work()
    finally:
        threads = profiler._disable_profiler_legacy()  # noqa: SLF001 - as above
    del kept
    return sum(peak_of(_changes(records)) for records in threads)


def _changes(records: Iterable[Any]) -> Iterable[int]:
    return (record.cpu_memory_usage() for record in records if record.kind() == "memory_alloc")


def peak_of(changes: Iterable[int]) -> int:
    """Return the highest sum on the way: of bytes taken, and given back as negative numbers.

    Examples:
        >>> peak_of([400, 100, -400, 200, -100, -200])
        500
        >>> peak_of([-300])
        0
    """
    return max(accumulate(changes, initial=0))
