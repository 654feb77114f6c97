"""Losses written out from their definitions, for float64 tensors; they share no code with `segcli.nn`."""

import math
from typing import TYPE_CHECKING

from segcli.bench.kernel import Tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

IGNORED = 255
THRESH = 0.7
KEPT_SHARE = 16
"""At least one pixel in 16 is kept by OHEM, as in BiSeNet."""
GAMMA = 2.0
SMOOTH = 1.0
TVERSKY = 0.3, 0.7
"""What false positives and false negatives cost."""
FOCAL_TVERSKY_GAMMA = 0.75


def cross_entropy(tensors: Tensors) -> "torch.Tensor":
    """Return the mean over the valid pixels."""
    return _pixel_losses(tensors).mean()


def ohem(tensors: Tensors) -> "torch.Tensor":
    """Return the mean of the hard pixels, at least a share of the valid ones."""
    losses = _pixel_losses(tensors)
    return _mean_of_hardest(losses, losses.numel() // KEPT_SHARE)


def sorting_ohem(tensors: Tensors) -> "torch.Tensor":
    """Return the same with a share of all pixels, the ignored ones included."""
    return _mean_of_hardest(_pixel_losses(tensors), tensors["labels"].numel() // KEPT_SHARE)


def focal(tensors: Tensors) -> "torch.Tensor":
    """Return the mean of (1 - p)^gamma (-log p) over the valid pixels."""
    losses = _pixel_losses(tensors)
    return ((1 - (-losses).exp()) ** GAMMA * losses).mean()


def bce(tensors: Tensors) -> "torch.Tensor":
    """Return the mean of sigmoid cross-entropy over the valid elements."""
    from torch.nn import functional

    valid = tensors["targets"] != IGNORED
    logits, targets = tensors["logits"][valid], tensors["targets"][valid]
    positive, negative = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return -(targets * positive + (1 - targets) * negative).mean()


def dice(tensors: Tensors) -> "torch.Tensor":
    """Return 1 - (2 TP + 1) / (2 TP + FP + FN + 1), a mean over the classes present, then over images."""
    return _over_images(tensors, lambda tp, fp, fn: 1 - (2 * tp + SMOOTH) / (2 * tp + fp + fn + SMOOTH))


def dice_of_all_classes(tensors: Tensors) -> "torch.Tensor":
    """Return the same, with the classes that are absent in the mean."""
    every = range(tensors["logits"].shape[1])
    return _over_images(tensors, lambda tp, fp, fn: 1 - (2 * tp + SMOOTH) / (2 * tp + fp + fn + SMOOTH), every)


def jaccard(tensors: Tensors) -> "torch.Tensor":
    """Return 1 - (TP + 1) / (TP + FP + FN + 1), likewise."""
    return _over_images(tensors, lambda tp, fp, fn: 1 - (tp + SMOOTH) / (tp + fp + fn + SMOOTH))


def tversky(tensors: Tensors) -> "torch.Tensor":
    """Return 1 - (TP + 1) / (TP + 0.3 FP + 0.7 FN + 1), likewise."""
    return _over_images(tensors, _tversky_of_class)


def focal_tversky(tensors: Tensors) -> "torch.Tensor":
    """Return the same to the power of gamma, class by class."""
    return _over_images(tensors, lambda tp, fp, fn: _tversky_of_class(tp, fp, fn) ** FOCAL_TVERSKY_GAMMA)


def generalized_dice(tensors: Tensors) -> "torch.Tensor":
    """Return 1 - 2 sum(w TP) / sum(w (2 TP + FP + FN)) with w = 1 / volume^2, a mean over images."""
    import torch

    losses = []
    for p, y in _images(tensors):
        above = below = p.new_zeros(())
        for tp, fp, fn in _counts(p, y, _present(y)):
            weight = (tp + fn).detach() ** -2
            above, below = above + weight * 2 * tp, below + weight * (2 * tp + fp + fn)
        losses.append(1 - above / below)
    return torch.stack(losses).mean()


def lovasz_softmax(tensors: Tensors) -> "torch.Tensor":
    """Return Berman's algorithm 1 of the classes present, a mean over them, then over images."""
    import torch

    losses = []
    for p, y in _images(tensors):
        rows = p.unbind()
        of_classes = [_lovasz_of_class(rows[index], y == index) for index in _present(y)]
        losses.append(torch.stack(of_classes).mean())
    return torch.stack(losses).mean()


def cross_entropy_and_dice(tensors: Tensors) -> "torch.Tensor":
    """Return ``ce + 0.5*dice``."""
    return cross_entropy(tensors) + 0.5 * dice(tensors)


def cross_entropy_and_dice_of_all_classes(tensors: Tensors) -> "torch.Tensor":
    """Return the same, with the classes that are absent in Dice's mean."""
    return cross_entropy(tensors) + 0.5 * dice_of_all_classes(tensors)


def _pixel_losses(tensors: Tensors) -> "torch.Tensor":
    """Return log(sum(exp(z))) - z[label] of the valid pixels, as one row."""
    logits, labels = tensors["logits"], tensors["labels"]
    valid = labels != IGNORED
    labelled = logits.gather(1, labels.masked_fill(~valid, 0).unsqueeze(1)).squeeze(1)
    return (logits.logsumexp(1) - labelled)[valid]


def _mean_of_hardest(losses: "torch.Tensor", least: int) -> "torch.Tensor":
    n_hard = int((losses > -math.log(THRESH)).sum())
    n_kept = max(min(least, losses.numel()), n_hard)
    return losses.sort(descending=True).values[:n_kept].sum() / max(n_kept, 1)


def _images(tensors: Tensors) -> "Iterator[tuple[torch.Tensor, torch.Tensor]]":
    """Give, image by image, the softmax (C, valid pixels) and the labels (valid pixels)."""
    for logits, labels in zip(tensors["logits"], tensors["labels"], strict=True):
        valid = labels != IGNORED
        yield logits[:, valid].softmax(0), labels[valid]


def _present(y: "torch.Tensor") -> list[int]:
    """Return the classes that occur."""
    return [int(index) for index in y.bincount().nonzero()]


def _counts(
    p: "torch.Tensor", y: "torch.Tensor", classes: "list[int] | range"
) -> "Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]":
    """Give, class by class, the true positives, false positives and false negatives, as sums of probabilities."""
    of_classes = p.unbind()
    for index in classes:
        has = y == index
        found = of_classes[index][has].sum()
        yield found, of_classes[index].sum() - found, has.sum() - found


def _over_images(
    tensors: Tensors,
    loss: "Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]",
    classes: "range | None" = None,
) -> "torch.Tensor":
    import torch

    losses = []
    for p, y in _images(tensors):
        counts = _counts(p, y, _present(y) if classes is None else classes)
        losses.append(torch.stack([loss(*counted) for counted in counts]).mean())
    return torch.stack(losses).mean()


def _tversky_of_class(tp: "torch.Tensor", fp: "torch.Tensor", fn: "torch.Tensor") -> "torch.Tensor":
    alpha, beta = TVERSKY
    return 1 - (tp + SMOOTH) / (tp + alpha * fp + beta * fn + SMOOTH)


def _lovasz_of_class(p: "torch.Tensor", has: "torch.Tensor") -> "torch.Tensor":
    errors = p.where(~has, 1 - p)
    ranked, order = errors.sort(descending=True, stable=True)
    found = has[order].to(p.dtype)
    union = has.sum() + (1 - found).cumsum(0)
    jaccard_loss = 1 - (has.sum() - found.cumsum(0)) / union
    steps = jaccard_loss.diff(prepend=jaccard_loss.new_zeros(1))
    return (ranked * steps).sum()
