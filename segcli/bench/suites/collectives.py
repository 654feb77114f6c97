"""Collectives: what ranks send one another, by gloo between CPUs or NCCL between GPUs.

Bytes are those that a link must carry for each rank, as nccl-tests counts them (``doc/PERFORMANCE.md``, bus bandwidth):
so that the same links give the same rate whatever the number of ranks.
"""

from functools import partial
from math import floor, log
from typing import TYPE_CHECKING

from segcli.bench.kernel import Call, Case, Cost, Kernel, Suite, Tensors
from segcli.bench.measuring.conditions import Caches, Span
from segcli.errors import SegcliError
from segcli.launch import ranks

if TYPE_CHECKING:
    import torch

NAME = "collective"
_LISTED_FOR = 2
"""How many ranks costs are listed for where there is no group."""


def _world() -> int:
    found = ranks().world
    return found if found > 1 else _LISTED_FOR


def _mine(x: "torch.Tensor", rank: int) -> "torch.Tensor":
    """Return what a rank has: the drawn tensor times its rank and one, so that no two ranks have the same."""
    return x * (rank + 1)


class _AllReduce:
    """Sums in place, as gradients are; what was summed before grows, and is put back long before it is too large."""

    def __init__(self, x: "torch.Tensor") -> None:
        import torch
        from torch import distributed

        world = distributed.get_world_size()
        self.mine = _mine(x, distributed.get_rank())
        self.buffer = self.mine.clone()
        room = torch.finfo(x.dtype).max / (float(x.abs().max()) * world * (world + 1))
        self.calls_between = max(1, floor(log(room) / log(world)))
        self.calls = 0
        self.reduce = partial(distributed.all_reduce, self.buffer)

    def __call__(self) -> "torch.Tensor":
        if self.calls % self.calls_between == 0:
            self.buffer.copy_(self.mine)
        self.calls += 1
        self.reduce()
        return self.buffer


def _all_reduce(tensors: Tensors) -> Call:
    _require_group()
    return _AllReduce(tensors["x"])


def _all_gather(tensors: Tensors) -> Call:
    _require_group()
    from torch import distributed

    world = distributed.get_world_size()
    mine = _mine(tensors["x"], distributed.get_rank())
    out = mine.new_empty((world * len(mine), *mine.shape[1:]))

    # Its name from torch 2.13 on, where the one before is deprecated.
    gather = getattr(distributed, "all_gather_single", None) or distributed.all_gather_into_tensor

    def call() -> "torch.Tensor":
        gather(out, mine)
        return out

    return call


def _broadcast(tensors: Tensors) -> Call:
    _require_group()
    from torch import distributed

    buffer = _mine(tensors["x"], distributed.get_rank())

    def call() -> "torch.Tensor":
        distributed.broadcast(buffer, 0)
        return buffer

    return call


def _sum(tensors: Tensors) -> Call:
    return lambda: sum((_mine(tensors["x"], rank) for rank in range(1, _world())), tensors["x"])


def _concatenation(tensors: Tensors) -> Call:
    import torch

    return lambda: torch.cat([_mine(tensors["x"], rank) for rank in range(_world())])


def _firsts(tensors: Tensors) -> Call:
    return lambda: tensors["x"]


def _require_group() -> None:
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        raise no_group()


def no_group() -> SegcliError:
    """Return the error for ranks that are not there."""
    return SegcliError(
        f"suite {NAME} is of several processes, this is one",
        hint=f"segcli bench --suite {NAME} --nproc 2, or start it with torchrun",
    )


def _all_reduce_cost(case: Case) -> Cost:
    """Each rank sends and gets all but its own share, twice: to be summed, and as the sum."""
    world = _world()
    return Cost(2 * _bytes(case) * (world - 1) // world, case.numel * (world - 1) // world)


def _all_gather_cost(case: Case) -> Cost:
    """Each rank gets what all others have."""
    return Cost(_bytes(case) * (_world() - 1), 0)


def _broadcast_cost(case: Case) -> Cost:
    """Each rank but the first gets all."""
    return Cost(_bytes(case), 0)


def _bytes(case: Case) -> int:
    return case.numel * case.item_bytes


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    return {"x": torch.randn(case.shape, generator=generator)}


COLLECTIVES = Suite(
    name=NAME,
    baseline="all-reduce",
    case=Case(1, 64, (256, 256)),
    tensor="x",
    data=f"x normal(0, 1), times the rank and one; bytes as links carry them, without a group those of {_LISTED_FOR}",
    tensors=_tensors,
    check_items=16,
    kernels=(
        Kernel(
            "all-reduce",
            "the sum, on every rank, in place",
            _all_reduce,
            _sum,
            _all_reduce_cost,
            allocates=False,
            bounded=False,
            against="all-reduce",
        ),
        Kernel(
            "all-gather",
            "all ranks' tensors, on every rank",
            _all_gather,
            _concatenation,
            _all_gather_cost,
            allocates=False,
            bounded=False,
            against="all-gather",
        ),
        Kernel(
            "broadcast",
            "the first rank's tensor, on every rank",
            _broadcast,
            _firsts,
            _broadcast_cost,
            allocates=False,
            bounded=False,
            against="broadcast",
        ),
    ),
    by_default=False,
    caches=(Caches.HOT,),
    spans=(Span.HOST,),
)
