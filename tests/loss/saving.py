"""Saves small predictions and labels as a person would, and says what the library makes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from segcli import nn

N_CLASSES = 4
Shape = tuple[int, int]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "ce": nn.cross_entropy_loss,
    "bce": nn.bce_with_logits_loss,
    "ohem": nn.ohem_cross_entropy_loss,
    "focal": nn.focal_loss,
    "dice": nn.dice_loss,
    "jaccard": nn.jaccard_loss,
    "tversky": nn.tversky_loss,
    "focal-tversky": nn.focal_tversky_loss,
    "generalized-dice": nn.generalized_dice_loss,
    "lovasz-softmax": nn.lovasz_softmax_loss,
    "lovasz-hinge": nn.lovasz_hinge_loss,
}


@dataclass(frozen=True, eq=False)
class Saved:
    """A pair that was saved: logits (C, H, W), labels (H, W)."""

    name: str
    logits: Tensor
    labels: Tensor

    def loss(self, loss: str, **parameters: object) -> float:
        """Return what the library says."""
        return LOSSES[loss](self.logits[None], self.labels[None], **parameters).item()


def tensors(seed: int, size: Shape = (8, 10), n_classes: int = N_CLASSES) -> tuple[Tensor, Tensor]:
    """Return logits that are right more often than not, and labels with an ignored row."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, n_classes, size, generator=generator)
    logits = torch.randn(n_classes, *size, generator=generator) * (1 + seed % 3)
    logits += 2 * torch.nn.functional.one_hot(labels, n_classes).permute(2, 0, 1)
    labels[seed % size[0]] = 255
    return logits, labels


def save_folders(
    folder: Path, names: Sequence[str] = ("a", "b", "c", "d/e", "f"), sizes: Sequence[Shape] = ((8, 10),)
) -> list[Saved]:
    """Write ``out/NAME.npy`` and ``truth/NAME.png``; sizes take turns."""
    saved = []
    for seed, name in enumerate(names):
        logits, labels = tensors(seed, sizes[seed % len(sizes)])
        for place in (folder / "out" / name, folder / "truth" / name):
            place.parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / "out" / f"{name}.npy", logits.numpy())
        Image.fromarray(labels.numpy().astype("uint8")).save(folder / "truth" / f"{name}.png")
        saved.append(Saved(name, logits, labels))
    return saved


def together(saved: Sequence[Saved]) -> tuple[Tensor, Tensor]:
    """Return the pixels of all pairs as one image, for losses over pixels."""
    logits = torch.cat([pair.logits.flatten(1) for pair in saved], 1)
    labels = torch.cat([pair.labels.flatten() for pair in saved])
    return logits[None, :, :, None], labels[None, :, None]


def mean(saved: Sequence[Saved], loss: str, **parameters: object) -> float:
    """Return the mean of the losses of the pairs."""
    return sum(pair.loss(loss, **parameters) for pair in saved) / len(saved)


def save_near(folder: Path, names: Sequence[str] = ("a", "b", "c", "d/e", "f")) -> list[Saved]:
    """Write folders of pairs whose losses differ by parts of a hundred thousand."""
    saved = []
    for seed, pair in enumerate(save_folders(folder, names)):
        generator = torch.Generator().manual_seed(100 + seed)
        logits = torch.zeros_like(pair.logits)
        logits[0] = 3e-5 * torch.rand(pair.labels.shape, generator=generator)
        np.save(folder / "out" / f"{pair.name}.npy", logits.numpy())
        saved.append(Saved(pair.name, logits, pair.labels))
    return saved
