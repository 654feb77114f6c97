"""Trains a small segmentation network on five photographs, and saves what users save.

Run it as ``python docs/examples/train.py FOLDER``. It writes into FOLDER:

- ``logits.pt``, ``labels.pt``: the network's answer on all five pictures, and the truth;
- ``predictions/``, ``labels/``, ``pictures/``, ``loss.yaml``: the same as a file a picture, see ``predictions.py``;
- ``checkpoint.pt``: network, optimiser and step, as a training script saves them;
- ``tensorboard/``: the loss by step, for TensorBoard.

Five pictures teach a network nothing that it could use on a sixth: this is an example of the tools, not of training.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from photographs import CLASSES, IGNORED, load
from predictions import save
from tensorboardX import SummaryWriter
from torch import Tensor, nn

from segcli.nn import DiceLoss, OhemCrossEntropyLoss

CROP = 128
BATCH = 8


def block(ins: int, outs: int, stride: int = 1) -> nn.Sequential:
    """Return a depthwise separable convolution: a twelfth of a standard one's weights at these widths."""
    return nn.Sequential(
        nn.Conv2d(ins, ins, 3, stride, 1, groups=ins, bias=False),
        nn.Conv2d(ins, outs, 1, bias=False),
        nn.BatchNorm2d(outs),
        nn.ReLU(inplace=True),
    )


class SmallSegmenter(nn.Module):
    """An encoder to a sixteenth of the size, and a decoder that adds the finer maps back in."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (24, 48, 96, 128)) -> None:
        """Build one downward and one upward step a width."""
        super().__init__()
        self.down = nn.ModuleList(
            nn.Sequential(_halve(a, b), block(b, b)) for a, b in zip((3, *widths), widths, strict=False)
        )
        self.across = nn.ModuleList(nn.Conv2d(width, widths[0], 1) for width in widths)
        self.head = nn.Sequential(block(widths[0], widths[0]), nn.Conv2d(widths[0], classes, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, classes, H, W)."""
        maps = []
        features = images
        for step in self.down:
            features = step(features)
            maps.append(features)
        merged = self.across[-1](maps[-1])
        for across, features in zip(reversed(self.across[:-1]), reversed(maps[:-1]), strict=True):
            merged = across(features) + nn.functional.interpolate(merged, size=features.shape[2:], mode="bilinear")
        logits: Tensor = nn.functional.interpolate(self.head(merged), size=images.shape[2:], mode="bilinear")
        return logits


def _halve(ins: int, outs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(ins, outs, 3, 2, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True))


def batch(images: Tensor, labels: Tensor, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw crops at random places, half of them mirrored."""
    pictures, truths = [], []
    for _ in range(BATCH):
        index = int(draw.integers(len(images)))
        top = int(draw.integers(images.shape[2] - CROP + 1))
        left = int(draw.integers(images.shape[3] - CROP + 1))
        picture = images[index, :, top : top + CROP, left : left + CROP]
        truth = labels[index, top : top + CROP, left : left + CROP]
        mirrored = bool(draw.integers(2))
        pictures.append(picture.flip(-1) if mirrored else picture)
        truths.append(truth.flip(-1) if mirrored else truth)
    return torch.stack(pictures), torch.stack(truths)


def train(folder: Path, seconds: float) -> None:
    """Train for ``seconds`` and save the results into ``folder``."""
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    images, labels = (torch.from_numpy(array) for array in load())
    network = SmallSegmenter(len(CLASSES))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    ohem = OhemCrossEntropyLoss(thresh=0.7, ignore_index=IGNORED)
    dice = DiceLoss(ignore_index=IGNORED)
    step, value = 0, float("nan")
    started = time.monotonic()
    with SummaryWriter(str(folder / "tensorboard" / "train")) as writer:
        while time.monotonic() - started < seconds:
            pictures, truths = batch(images, labels, draw)
            logits = network(pictures)
            loss = ohem(logits, truths) + dice(logits, truths)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            value = loss.item()
            writer.add_scalar("train/loss", value, step)
            step += 1
    network.eval()
    with torch.no_grad():
        logits = network(images)
    torch.save(logits, folder / "logits.pt")
    torch.save(labels, folder / "labels.pt")
    save(folder, logits.numpy())
    torch.save(
        {"state_dict": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step},
        folder / "checkpoint.pt",
    )
    valid = labels != IGNORED
    accuracy = (logits.argmax(dim=1) == labels)[valid].float().mean().item()
    print(f"{step} steps, last loss {value:.3f}, {accuracy:.1%} of {int(valid.sum()):,} labelled pixels right")


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description="Train a small segmentation network on five photographs.")
    parser.add_argument("folder", type=Path, help="where the results go")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to train")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    train(arguments.folder, arguments.seconds)


if __name__ == "__main__":
    main()
