"""A run as scalars for TensorBoard."""

from collections.abc import Callable

from segcli.bench.results import Status
from segcli.bench.runs import Run


def log_run(run: Run, write: Callable[[str, float, int], None]) -> None:
    """Write every timed kernel's samples, in their order, and its median and rates.

    Args:
        run: The run.
        write: Takes a tag, a value and a step.

    Examples:
        >>> from segcli.bench import Request, run
        >>> tags = set()
        >>> request = Request(suites=("norm",), kernel="layer", modes=("forward",), size=(4, 4), budget_s=0.02)
        >>> log_run(run(request), lambda tag, value, step: tags.add(tag))
        >>> sorted(tag.rpartition("/")[2] for tag in tags)
        ['bytes_per_s', 'flops_per_s', 'median_s', 'sample_s']
    """
    for result in run.results:
        if result.status is not Status.TIMED:
            continue
        tag = f"bench/{result.suite}/{result.kernel}/{result.mode}"
        for step, sample_s in enumerate(result.samples_s):
            write(f"{tag}/sample_s", sample_s, step)
        for name in ("median_s", "bytes_per_s", "flops_per_s"):
            value = getattr(result, name)
            if value is not None:
                write(f"{tag}/{name}", value, 0)
