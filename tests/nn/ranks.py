"""What each process of `test_processes` does: its part of a batch, by itself and in the group."""

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from segcli.nn import (
    bce_with_logits_loss,
    combined_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
    ohem_cross_entropy_loss,
)

# Images of each rank; label 9 of the last one says that nothing of it is valid.
SHARDS = {2: (3, 1), 3: (2, 4, 1)}
N_CLASSES = 4


def soft(logits: Tensor, masks: Tensor, **settings: Any) -> Tensor:  # noqa: ANN401 - of the loss
    """Return the binary cross-entropy of labels of 0 and 0.75."""
    return bce_with_logits_loss(logits, torch.where(masks == 1, 0.75, masks.to(logits.dtype)), **settings)


def of_masks(loss: Callable[..., Tensor], logits: Tensor, labels: Tensor, **settings: Any) -> Tensor:  # noqa: ANN401 - of any loss
    """Return a loss of 0 and 1 by class."""
    masks = torch.stack([torch.where(labels == 255, 255, labels.eq(c).long()) for c in range(N_CLASSES)], 1)
    return loss(logits, masks, mode="multilabel", **settings)


# (name, loss, settings): the branches of OHEM, weights, and what is divided by.
LOSSES: dict[str, tuple[Callable[..., Tensor], dict[str, Any]]] = {
    "ce": (cross_entropy_loss, {}),
    "ce-weighted": (cross_entropy_loss, {"weight": [1.0, 0.5, 2.0, 0.0]}),
    "ce-all": (cross_entropy_loss, {"mean": "all"}),
    "focal": (focal_loss, {"gamma": 1.5, "alpha": [1.0, 0.2, 0.3, 0.4]}),
    "ohem-hard": (ohem_cross_entropy_loss, {"thresh": 0.5}),
    "ohem-few-hard": (ohem_cross_entropy_loss, {"thresh": 0.03, "n_min": 1}),
    "ohem-top-k": (ohem_cross_entropy_loss, {"thresh": 0.01, "n_min": 37}),
    "ohem-weighted": (ohem_cross_entropy_loss, {"thresh": 0.01, "n_min": 0.3, "weight": [1.0, 0.5, 2.0, 0.0]}),
    "ohem-all": (ohem_cross_entropy_loss, {"n_min": 1.0}),
    "ohem-none": (ohem_cross_entropy_loss, {"thresh": 0.0, "n_min": 0}),
    "dice-image": (dice_loss, {}),
    "dice-batch": (dice_loss, {"reduce": "batch", "squared": True}),
    "lovasz-softmax": (lovasz_softmax_loss, {"weight": [1.0, 0.5, 2.0, 0.0]}),
    "lovasz-hinge": (partial(of_masks, lovasz_hinge_loss), {"classes": "present"}),
    "bce": (partial(of_masks, bce_with_logits_loss), {"weight": [1.0, 0.5, 2.0, 0.0], "pos_weight": 3.0}),
    "bce-soft": (partial(of_masks, soft), {"mean": "all"}),
    "combined": (combined_loss, {"expression": "ce + 0.5 * dice + ohem - 0.1 * lovasz-softmax"}),
}


def batch(world: int, *, last_valid: bool) -> tuple[Tensor, Tensor]:
    """Return the whole batch; the last rank's labels are all ignored unless asked for."""
    generator = torch.Generator().manual_seed(world)
    n = sum(SHARDS[world])
    logits = 2 * torch.randn(n, N_CLASSES, 5, 6, generator=generator)
    labels = torch.randint(N_CLASSES, (n, 5, 6), generator=generator)
    labels[0, 0] = 255
    if not last_valid:
        labels[n - SHARDS[world][-1] :] = 255
    # Losses that tie, some on every rank.
    logits[:, :, 3] = torch.tensor([2.5, 0.0, 0.0, 0.0]).view(N_CLASSES, 1)
    return logits, labels


def value_and_gradient(name: str, logits: Tensor, labels: Tensor, group: Any = None) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - an optional group
    """Return a loss and its gradient."""
    loss, settings = LOSSES[name]
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, labels, process_group=group, **settings)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def small_network() -> torch.nn.Module:
    """Return the same network in every process."""
    torch.manual_seed(0)
    return torch.nn.Conv2d(N_CLASSES, N_CLASSES, 3, padding=1)


def trained(world: int, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Return the gradients of a network's parameters after one step of distributed training."""
    network = DistributedDataParallel(small_network())
    loss = ohem_cross_entropy_loss(network(images), labels, thresh=0.2, process_group=distributed.group.WORLD)
    # DistributedDataParallel divides by the number of ranks, what the loss has done already.
    (loss * world).backward()  # type: ignore[no-untyped-call]
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def main(folder: Path, rank: int, world: int) -> None:
    """Compute this rank's part, and leave it in a file."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world, timeout=timedelta(seconds=60)
    )
    found: dict[str, Any] = {}
    first = sum(SHARDS[world][:rank])
    mine = slice(first, first + SHARDS[world][rank])
    for last_valid in (True, False):
        logits, labels = batch(world, last_valid=last_valid)
        for name in LOSSES:
            found[f"{name}-{last_valid}"] = value_and_gradient(
                name, logits[mine], labels[mine], distributed.group.WORLD
            )
    images, labels = batch(world, last_valid=False)
    found["trained"] = trained(world, images[mine], labels[mine])
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
