"""The reference workload: what a slower machine slows alike, whatever has become of the kernels."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from segcli.bench.ceilings.ceiling import Ceilings, raised, raised_bandwidth
from segcli.bench.measuring.conditions import Caches

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Work
    from segcli.bench.results import Reference

WORKLOADS = ("copy", "matmul")
"""Their names."""
COPY_BYTES = 16 * 2**20
"""Bound by memory, or by the last-level cache where that holds both arrays."""
MATMUL_SIDE = 512
"""Bound by computing, on one core as on many."""
MATMUL_FLOPS = 2 * MATMUL_SIDE**3
HELD_BYTES = 2 * COPY_BYTES + 3 * 4 * MATMUL_SIDE**2


def reference_works(device: "torch.device", seed: int = 0) -> dict[str, "Work"]:
    """Return one call each: a copy of 16 MiB and a product of two 512x512 matrices, in float32 of normal(0, 1).

    Neither allocates. That of a matrix is always float32, also beside kernels of other dtypes.

    Examples:
        >>> import torch
        >>> {name: tuple(work().shape) for name, work in reference_works(torch.device("cpu")).items()}
        {'copy': (4194304,), 'matmul': (512, 512)}
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(COPY_BYTES // 4, generator=generator).to(device)
    left, right = torch.randn(2, MATMUL_SIDE, MATMUL_SIDE, generator=generator).to(device)
    into, product = torch.empty_like(source), torch.empty_like(left)
    return {"copy": partial(into.copy_, source), "matmul": partial(torch.mm, left, right, out=product)}


def raised_by(ceilings: Ceilings, references: Sequence["Reference"]) -> Ceilings:
    """Raise ceilings to what the reference workload was seen to do, where that is more.

    Args:
        ceilings: What was measured.
        references: The workload's samples, beside each group.
    """
    ranked = sorted(references, key=lambda each: -min(each.samples_s))
    best_s = {(each.workload, each.caches): min(each.samples_s) for each in ranked if min(each.samples_s)}
    products = [seconds for (workload, _), seconds in best_s.items() if workload == "matmul"]
    if products:
        ceilings = raised(ceilings, MATMUL_FLOPS / min(products))
    for caches, footprint_bytes in ((Caches.HOT, 2 * COPY_BYTES), (Caches.COLD, None)):
        seconds = best_s.get(("copy", caches.value))
        if seconds is not None:
            ceilings = raised_bandwidth(ceilings, 2 * COPY_BYTES / seconds, footprint_bytes)
    return ceilings
