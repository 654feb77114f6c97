"""What one rank of a group does in the test of losses across processes: its shard's loss and gradients, to a file."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from tests.nn.losses.regions import KINDS, MODES, draw

# Images of the two ranks: unequal shards.
SHARDS = (slice(0, 1), slice(1, 4))


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Return the losses and settings that are compared."""
    return [
        (name, {"mode": mode, "reduce": reduce} | chosen)
        for name, kind in KINDS.items()
        for chosen in kind.settings
        for mode in MODES
        for reduce in ("image", "batch")
    ]


def inputs(mode: str) -> tuple[Tensor, Tensor]:
    """Return the whole batch: a class is in the second shard alone, and an image there has nothing valid."""
    logits, labels = draw(mode, (4, 3, 6))
    labels[0][labels[0] == 1] = 0
    labels[2] = 255
    return logits, labels


def values(rank: int | None) -> list[tuple[Tensor, Tensor]]:
    """Return loss and gradient of every case, for a rank's shard or for the whole batch."""
    group = None if rank is None else distributed.group.WORLD
    shard = slice(None) if rank is None else SHARDS[rank]
    found = []
    for name, chosen in cases():
        logits, labels = inputs(chosen["mode"])
        part = logits[shard].clone().requires_grad_()
        loss = KINDS[name].module(process_group=group, **chosen)(part, labels[shard])
        found.append((loss.detach(), *torch.autograd.grad(loss, part)))
    return found


def main(rank: int, folder: Path) -> None:
    """Join the group, compute, and write what came out."""
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'store'}",
        rank=rank,
        world_size=len(SHARDS),
        timeout=timedelta(seconds=60),
    )
    torch.save(values(rank), folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
