"""The region losses in plain words, class by class and image by image: the oracle of their tests."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segcli.nn import (
    DiceLoss,
    FocalTverskyLoss,
    GeneralizedDiceLoss,
    JaccardLoss,
    TverskyLoss,
    dice_loss,
    focal_tversky_loss,
    generalized_dice_loss,
    jaccard_loss,
    tversky_loss,
)
from segcli.nn.losses.region import RegionLoss

MODES = ("multiclass", "multilabel", "binary")


@dataclass(frozen=True)
class Kind:
    """A loss, and settings of its own that are worth a look."""

    function: Callable[..., Tensor]
    module: Callable[..., RegionLoss]
    settings: tuple[dict[str, Any], ...]


KINDS = {
    "dice": Kind(dice_loss, DiceLoss, ({}, {"squared": True, "smooth": 0.0})),
    "tversky": Kind(tversky_loss, TverskyLoss, ({}, {"alpha": 0.9, "beta": 0.4, "smooth": 1e-6})),
    "focal tversky": Kind(focal_tversky_loss, FocalTverskyLoss, ({}, {"gamma": 2.0, "alpha": 0.0, "smooth": 0.0})),
    "jaccard": Kind(jaccard_loss, JaccardLoss, ({}, {"squared": True, "smooth": 0.0})),
    "generalized dice": Kind(
        generalized_dice_loss, GeneralizedDiceLoss, ({}, {"weighting": "simple", "smooth": 1e-3, "absent": "count"})
    ),
}


@dataclass(frozen=True)
class Region:
    """The probabilities of one class in one image or batch, and whether its valid pixels have it."""

    p: Tensor
    y: Tensor


def regions(logits: Tensor, labels: Tensor, mode: str, reduce: str) -> list[list[Region]]:
    """Return the regions of every image, or of the batch, by class; without ignored pixels (255)."""
    if mode == "binary":
        logits, labels = logits.unsqueeze(1), labels.unsqueeze(1)
    n_classes = logits.shape[1]
    valid = (labels != 255).unsqueeze(1).expand_as(logits) if mode == "multiclass" else labels != 255
    known = labels.masked_fill(labels == 255, 0)
    y = functional.one_hot(known, n_classes).movedim(-1, 1) if mode == "multiclass" else known
    p = logits.softmax(1) if mode == "multiclass" else logits.sigmoid()
    images = [
        [Region(p[i, c][valid[i, c]], y[i, c][valid[i, c]].double()) for c in range(n_classes)]
        for i in range(len(logits))
    ]
    if reduce == "image" or not images:
        return images
    whole = [[image[c] for image in images] for c in range(n_classes)]
    return [[Region(torch.cat([part.p for part in parts]), torch.cat([part.y for part in parts])) for parts in whole]]


def expected(name: str, logits: Tensor, labels: Tensor, settings: dict[str, Any]) -> float:
    """Return the loss as its docstring defines it."""
    chosen = {"reduce": "image", "absent": "skip", "weight": None, "mode": "multiclass"} | settings
    images = regions(logits, labels, chosen["mode"], chosen["reduce"])
    one = _generalized if name == "generalized dice" else _mean
    losses = [loss for loss in (one(name, image, chosen) for image in images) if loss is not None]
    return sum(losses) / len(losses) if losses else 0.0


def _mean(name: str, classes: list[Region], settings: dict[str, Any]) -> float | None:
    above = below = 0.0
    for c, region in enumerate(classes):
        there = bool(region.y.any())
        if len(region.y) and (there or settings["absent"] != "skip"):
            weight = 1.0 if settings["weight"] is None else settings["weight"][c]
            loss = 0.0 if settings["absent"] == "zero" and not there else _loss(name, region, settings)
            above, below = above + weight * loss, below + weight
    return above / below if below else None


def _loss(name: str, region: Region, settings: dict[str, Any]) -> float:
    p, y = region.p, region.y
    smooth = settings.get("smooth", 1.0)
    overlap, labelled = (p * y).sum().item(), y.sum().item()
    predicted = (p**2 if settings.get("squared") else p).sum().item()
    false_positive, false_negative = (p * (1 - y)).sum().item(), ((1 - p) * y).sum().item()
    if name == "dice":
        return 1 - _ratio(2 * overlap + smooth, predicted + labelled + smooth)
    if name == "jaccard":
        return 1 - _ratio(overlap + smooth, predicted + labelled - overlap + smooth)
    alpha, beta = settings.get("alpha", 0.3), settings.get("beta", 0.7)
    loss = 1 - _ratio(overlap + smooth, overlap + alpha * false_positive + beta * false_negative + smooth)
    return loss if name == "tversky" else max(loss, 0.0) ** settings.get("gamma", 0.75)


def _generalized(name: str, classes: list[Region], settings: dict[str, Any]) -> float | None:
    del name
    power = {"square": 2, "simple": 1, "uniform": 0}[settings.get("weighting", "square")]
    volumes = [region.y.sum().item() for region in classes]
    largest = max((volume**-power for volume in volumes if volume), default=1.0)
    of_absent = largest if settings["absent"] == "count" else 0.0
    above = below = whole = 0.0
    for c, (region, volume) in enumerate(zip(classes, volumes, strict=True)):
        weight = 1.0 if settings["weight"] is None else settings["weight"][c]
        weight *= (volume**-power if volume else of_absent) if len(region.y) else 0.0
        above += 2 * weight * (region.p * region.y).sum().item()
        below += weight * (region.p.sum().item() + volume)
        whole += weight
    smooth = settings.get("smooth", 0.0)
    return 1 - _ratio(above + smooth, below + smooth) if whole else None


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else 1.0


def draw(
    mode: str = "multiclass",
    shape: tuple[int, ...] = (2, 3, 5),
    *,
    ignored: float = 0.2,
    classes: int | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return float64 logits (N, C, *S), less C for binary, and int64 labels of ``classes`` kinds, some of them 255."""
    generator = torch.Generator().manual_seed(seed)
    shape = (shape[0], *shape[2:]) if mode == "binary" else shape
    logits = torch.randn(shape, dtype=torch.float64, generator=generator) * scale
    of_labels = (shape[0], *shape[2:]) if mode == "multiclass" else shape
    n_labels = shape[1] if mode == "multiclass" else 2
    labels = torch.randint(0, min(classes or n_labels, n_labels), of_labels, generator=generator)
    return logits, labels.masked_fill(torch.rand(of_labels, generator=generator) < ignored, 255)


def agrees(got: float, want: float, tolerance: float) -> bool:
    """Whether two losses are the same but for rounding."""
    return math.isclose(got, want, rel_tol=tolerance, abs_tol=tolerance)
