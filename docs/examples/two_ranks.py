"""One batch of five images: by one process, and by two that have one image and four."""

import tempfile
from pathlib import Path

import torch
import torch.distributed.nn  # Before a group is made: it would keep it for good, and gloo's threads with it.
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from segcli.nn import CombinedLoss

SHARDS = (slice(0, 1), slice(1, 5))
OHEM = {"thresh": 0.3, "n_min": 1 / 4}


def batch() -> tuple[Tensor, Tensor]:
    """Return images (5, 3, 8, 8) and labels (5, 8, 8); the first image is the hard one."""
    images = torch.sin(torch.arange(5 * 3 * 64, dtype=torch.float64)).view(5, 3, 8, 8)
    labels = images.argmax(1)
    labels[0] = (labels[0] + 1) % 3
    labels[:, 0] = 255
    return images, labels


def network() -> nn.Module:
    """Return the same network in every process."""
    layer = nn.Conv2d(3, 3, 1, dtype=torch.float64)
    nn.init.constant_(layer.bias, 0)
    with torch.no_grad():
        layer.weight.copy_(2 * torch.eye(3).view(3, 3, 1, 1))
    return layer


def loss_of(group: distributed.ProcessGroup | None = None) -> CombinedLoss:
    """Return the loss, of this process or of all those of ``group``."""
    return CombinedLoss("ohem + dice", process_group=group, ohem=OHEM, dice={"reduce": "batch"})


def train(rank: int, folder: str) -> None:
    """Do what each of the two processes does."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(step(rank), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def step(rank: int) -> tuple[float, float, Tensor]:
    """Return the loss of ``rank``'s images, that of all, and the gradient; the network goes before the group does.

    DistributedDataParallel would destroy a group that it is the last to hold, and wait for gloo's threads with
    Python's lock held, for which such a thread may wait in turn (torch 2.13).
    """
    images, labels = (part[SHARDS[rank]] for part in batch())
    model = DistributedDataParallel(network())
    logits = model(images)
    alone, together = loss_of()(logits, labels), loss_of(distributed.group.WORLD)(logits, labels)
    # DistributedDataParallel divides gradients by the number of ranks.
    (together * distributed.get_world_size()).backward()
    return alone.item(), together.item(), model.module.weight.grad


def main() -> None:
    """Print the losses side by side."""
    images, labels = batch()
    model = network()
    whole = loss_of()(model(images), labels)
    whole.backward()
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(train, (folder,), nprocs=2)
        found = [torch.load(Path(folder) / f"{rank}.pt") for rank in range(2)]
    alone, together = [each[0] for each in found], [each[1] for each in found]
    same = all(torch.allclose(each[2], model.weight.grad, rtol=1e-12) for each in found)
    print(f"one process, five images           {whole.item():.6f}")
    print(f"each rank by itself                {alone[0]:.6f} and {alone[1]:.6f}")
    print(f"their mean, which DDP would train  {sum(alone) / 2:.6f}")
    print(f"each rank with process_group       {together[0]:.6f} and {together[1]:.6f}")
    print(f"DDP's gradient is one process's    {same}")


if __name__ == "__main__":
    main()
