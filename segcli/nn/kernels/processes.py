"""Sums over the processes of a group, so that N ranks with a shard each answer as one process with everything would."""

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.distributed_c10d import GroupName


def name_of(group: "ProcessGroup | None") -> str:
    """Return the name by which operators find ``group``; empty for this process alone."""
    return "" if group is None else group.group_name


def all_reduce(values: Tensor, group: str) -> Tensor:
    """Return the sum of the ranks' ``values``; those themselves for this process alone. No gradient.

    Examples:
        >>> all_reduce(torch.ones(2), "")
        tensor([1., 1.])
    """
    if not group:
        return values
    from torch import distributed

    total = values.detach().clone()
    # By torch's own register, which lets go of a group that is destroyed. Gloo's threads would go on else, and one that
    # frees a tensor as Python ends aborts the process.
    by_name = torch._C._distributed_c10d._resolve_process_group  # noqa: SLF001
    distributed.all_reduce(total, group=by_name(cast("GroupName", group)))
    return total


def total_over(values: Tensor, group: "ProcessGroup | None") -> Tensor:
    """Return the sum of the ranks' ``values``, with a graph to this rank's.

    Every rank computes the same loss from the total, and its gradient is that of the one loss by the rank's own
    logits: what one process would have at these pixels. `torch.nn.parallel.DistributedDataParallel` divides the
    gradients of parameters by the number of ranks, so multiply the loss by that number there.

    Examples:
        >>> total_over(torch.ones(2), None)
        tensor([1., 1.])
    """
    return values if group is None else _total(values, name_of(group))


@torch.library.custom_op("segcli::total_over", mutates_args=())
def _total(values: Tensor, group: str) -> Tensor:
    return all_reduce(values, group)


@_total.register_fake
def _(values: Tensor, group: str) -> Tensor:
    del group
    return torch.empty_like(values)


def _identity(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's own context
    del ctx
    return gradient, None


_total.register_autograd(_identity)
