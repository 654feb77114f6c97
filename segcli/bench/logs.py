"""A run as scalars for TensorBoard."""

import re
from collections.abc import Callable

from segcli.bench.results import Result, Status
from segcli.bench.runs import Run
from segcli.units import format_size

_SCALARS = ("median_s", "bytes_per_s", "flops_per_s", "fraction", "speedup", "peak_bytes", "items_per_s")


def log_run(run: Run, write: Callable[[str, float, int], None]) -> None:
    """Write every timed kernel's samples, in their order, and its median, rates, fraction and speed-up.

    Args:
        run: The run.
        write: Takes a tag, a value and a step.

    Examples:
        >>> from segcli.bench import Request, run
        >>> norm = Request(("norm",), "layer", ("forward",), ((4, 4),), caches=("hot",), budget_s=0.02, passes=1)
        >>> tags = set()
        >>> log_run(run(norm), lambda tag, value, step: tags.add(tag))
        >>> sorted(tags)[0]
        'bench/norm/layer/forward/4x4/float32/hot-host/bytes_per_s'
    """
    for result in run.results:
        if result.status is not Status.TIMED:
            continue
        tag = tag_of(result)
        for step, sample_s in enumerate(result.samples_s):
            write(f"{tag}/sample_s", sample_s, step)
        for name in _SCALARS:
            value = getattr(result, name)
            if value is not None:
                write(f"{tag}/{name}", value, 0)


def tag_of(result: Result) -> str:
    """Return where the scalars of a result stand: every kernel, variant, case and condition apart from all others."""
    parts = (
        result.suite,
        f"{result.kernel}-{result.variant}" if result.variant else result.kernel,
        result.mode,
        format_size(result.size),
        result.dtype,
        f"{result.caches}-{result.span}",
    )
    # TensorBoard shows other characters as underscores, and says so each time.
    return "/".join(("bench", *(re.sub(r"[^-\w.]+", "-", part) for part in parts)))
