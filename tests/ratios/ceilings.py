"""Ceilings beside plain loops of the same: a STREAM-like copy, and a large matrix product."""

import statistics
from collections.abc import Callable
from itertools import cycle

import torch

from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.ceilings.measuring import measure_ceilings
from segcli.bench.measuring.environment import settled_process
from segcli.bench.measuring.timer import timer_for
from tests.ratios.measuring import Action, Ratio, timed

CPU = torch.device("cpu")
ROUNDS = 5
PIECES, LOOPS = 96, 16
PIECE = 2**21
SIDE = 1536
# The target: within 10 % either way.
TARGET = 1.1


def ceilings() -> list[Ratio]:
    """Compare the time that our ceilings grant with the best that plain loops in the same run take."""
    copy_bytes, copy = plain_copy()
    product = plain_product()
    with settled_process(), torch.no_grad():
        rounds = [
            (measure_ceilings(CPU, ["float32"], timer_for(CPU)), best(copy, PIECES), best(product, LOOPS))
            for _ in range(ROUNDS)
        ]
    found = [measured for measured, _, _ in rounds]
    return [
        _ratio(
            "ceiling of memory: copy_ / a loop of copy_", [each[1] for each in rounds], found, copy_bytes, _copy_rate
        ),
        _ratio(
            f"ceiling of float32: matmul / a loop of {SIDE} x {SIDE}",
            [each[2] for each in rounds],
            found,
            2 * SIDE**3,
            lambda each: each.matmul_flops_per_s["float32"],
        ),
    ]


def plain_copy() -> tuple[int, Action]:
    """Return what a call reads and writes, and the copy: the next 8 MiB of arrays far larger than any cache here.

    A call through all of it would take so long that on a shared machine none runs undisturbed.
    """
    source = torch.rand(2**26)
    pairs = cycle(list(zip(torch.split(source, PIECE), torch.split(torch.empty_like(source), PIECE), strict=True)))

    def copy() -> None:
        piece, target = next(pairs)
        target.copy_(piece)

    return 2 * 4 * PIECE, copy


def plain_product() -> Action:
    a, b = torch.randn(2, SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)
    return lambda: torch.mm(a, b, out=out)


def best(action: Action, times: int) -> float:
    return min(timed(action) for _ in range(times))


def _copy_rate(measured: Ceilings) -> float:
    return measured.bandwidths[-1].copy_bytes_per_s


def _ratio(
    name: str, theirs: list[float], found: list[Ceilings], amount: int, rate: Callable[[Ceilings], float]
) -> Ratio:
    ours = [amount / rate(each) for each in found]
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Ratio(
        name,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(ours),
        statistics.median(theirs),
        TARGET,
    )
