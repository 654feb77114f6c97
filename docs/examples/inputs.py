"""Writes the small files that the documentation's examples read: ``python docs/examples/inputs.py FOLDER``.

- ``logits.pt`` (2, 3, 32, 48) and ``labels.pt`` (2, 32, 48): three stripes that a network gets mostly right, with a
  frame of ignored pixels. In float64, so that every machine prints the same digits.
- ``gpu.pth``: a checkpoint whose tensors are tagged ``cuda:0``, as one that was saved on a GPU.
- ``ddp.pth``: one as distributed training leaves it, with prefixed keys, an optimizer and a view of a large tensor.
- ``tied.pth``: a state dict in which two names have one tensor.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

CLASSES = ("road", "car", "sky")


def stripes() -> tuple[Tensor, Tensor]:
    """Return logits and labels of three horizontal stripes; the logits blur the borders between them."""
    rows = torch.arange(32, dtype=torch.float64)
    centres = torch.tensor([26.0, 15.5, 5.0], dtype=torch.float64)
    closeness = -((rows[None, :] - centres[:, None]) ** 2) / 24
    wave = torch.sin(torch.arange(48, dtype=torch.float64) / 3)
    logits = torch.stack([closeness[:, :, None] + 0.5 * sign * wave for sign in (1, -1)])
    labels = torch.full((2, 32, 48), 255, dtype=torch.uint8)
    labels[:, 2:11, 2:-2] = 2
    labels[:, 11:21, 2:-2] = 1
    labels[:, 21:-2, 2:-2] = 0
    return logits, labels


def gpu_checkpoint() -> dict[str, object]:
    """Return what a training script saves."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 3, 1)
    )
    return {"state_dict": network.state_dict(), "epoch": 12}


def training_checkpoint() -> dict[str, object]:
    """Return what a script saves that trains with several processes, and keeps what it had at hand."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    weights = {f"module.{key}": value for key, value in network.state_dict().items()}
    preview = torch.zeros(64, 3, 32, 32)[0]
    return {"state_dict": weights, "optimizer": optimizer.state_dict(), "epoch": 12, "preview": preview}


def tied_weights() -> dict[str, Tensor]:
    """Return an embedding that is the head, too."""
    embedding = torch.arange(12.0).reshape(4, 3)
    return {"embed.weight": embedding, "head.weight": embedding, "norm.weight": torch.ones(3)}


def main(folder: Path) -> None:
    """Write all files into ``folder``."""
    logits, labels = stripes()
    torch.save(logits, folder / "logits.pt")
    torch.save(labels, folder / "labels.pt")
    torch.save(training_checkpoint(), folder / "ddp.pth")
    torch.save(tied_weights(), folder / "tied.pth")
    # torch asks this before its own rules: the file says cuda:0 though there need not be a GPU.
    torch.serialization.register_package(0, lambda _: "cuda:0", lambda storage, _: storage)
    torch.save(gpu_checkpoint(), folder / "gpu.pth")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
