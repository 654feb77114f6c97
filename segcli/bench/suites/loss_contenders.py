"""How losses are called that are timed: torch's, those that many repositories carry, and segcli's own."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from segcli.bench.kernel import Call, Make, Tensors
from segcli.bench.suites.loss_references import GAMMA, IGNORED, KEPT_SHARE, SMOOTH, THRESH
from segcli.errors import SegcliError

if TYPE_CHECKING:
    import torch


def torch_cross_entropy(tensors: Tensors) -> Call:
    """Return torch's own."""
    from torch.nn import functional

    logits, labels = tensors["logits"], tensors["labels"]
    return lambda: functional.cross_entropy(logits, labels, ignore_index=IGNORED)


def sorting_ohem(tensors: Tensors) -> Call:
    """Sort all pixel losses, as the notes and CoinCheung/BiSeNet's ``loss.py`` do."""
    from torch.nn import functional

    logits, labels = tensors["logits"], tensors["labels"]
    least, bound = labels.numel() // KEPT_SHARE, -math.log(THRESH)

    def call() -> "torch.Tensor":
        losses = functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none").flatten()
        ranked = losses.sort(descending=True).values
        return (ranked[ranked > bound] if ranked[least] > bound else ranked[:least]).mean()

    return call


def one_hot_dice(tensors: Tensors) -> Call:
    """Multiply the softmax with one-hot labels, image by image, as the notes and most repositories write Dice."""
    logits, labels = tensors["logits"], tensors["labels"]

    def call() -> "torch.Tensor":
        p = logits.softmax(1) * (labels != IGNORED).unsqueeze(1)
        targets = _one_hot(labels, logits)
        overlap = (p * targets).sum((2, 3))
        return 1 - ((2 * overlap + SMOOTH) / (p.sum((2, 3)) + targets.sum((2, 3)) + SMOOTH)).mean()

    return call


def one_hot_focal(tensors: Tensors) -> Call:
    """Multiply (1 - p)^gamma log p with one-hot labels, as the notes and most repositories write Focal."""
    logits, labels = tensors["logits"], tensors["labels"]

    def call() -> "torch.Tensor":
        log_p = logits.log_softmax(1)
        losses = -((1 - log_p.exp()) ** GAMMA) * log_p * _one_hot(labels, logits)
        return losses.sum() / (labels != IGNORED).sum()

    return call


def two_losses(tensors: Tensors) -> Call:
    """Add torch's cross-entropy and half of the Dice above."""
    cross_entropy, dice = torch_cross_entropy(tensors), one_hot_dice(tensors)
    return lambda: cross_entropy() + 0.5 * dice()


def of_nn(name: str, targets: str = "labels") -> Make:
    """Return a loss of `segcli.nn`, without its look through the values: the data are known to be right."""

    def make(tensors: Tensors) -> Call:
        from segcli import nn

        return partial(getattr(nn, name)(validate=False), tensors["logits"], tensors[targets])

    return make


def one_pass(backend: Any) -> Make:  # noqa: ANN401 - its names are `segcli.nn`'s, which imports torch
    """Return ``ce + 0.5*dice`` from one read of the logits by a backend."""

    def make(tensors: Tensors) -> Call:
        from segcli.nn import CombinedLoss
        from segcli.nn.kernels.backends import choose

        try:
            choose(tensors["logits"], backend)
        except SegcliError as error:
            # What is lacking here is no failure of the run.
            raise NotImplementedError(error.message) from error
        loss = CombinedLoss("ce + 0.5*dice", backend=backend, validate=False)
        return partial(loss, tensors["logits"], tensors["labels"])

    return make


def _one_hot(labels: "torch.Tensor", logits: "torch.Tensor") -> "torch.Tensor":
    """Return 0 and 1 of the logits' shape and dtype; all 0 where a pixel is ignored."""
    from torch.nn import functional

    valid = labels != IGNORED
    known = functional.one_hot(labels.masked_fill(~valid, 0), logits.shape[1]).movedim(-1, 1)
    return known.to(logits.dtype) * valid.unsqueeze(1)
