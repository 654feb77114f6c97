"""Lovász losses by the conventions of all projects."""

import math
from typing import TYPE_CHECKING, Literal

from segcli.loss.projects.chain import Chain
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.region import many
from segcli.nn.losses.lovasz import lovasz_hinge_loss, lovasz_softmax_loss

if TYPE_CHECKING:
    from torch import Tensor


def softmax_chain(project: str, reads: Reads) -> Chain:
    """Go from our Lovász-Softmax to a project's: smp and mmseg group as they are told, kornia by image."""
    settings = reads.settings
    chain = Chain(our_softmax(reads))
    if project != "kornia":
        return chain
    words = "the errors of each image are sorted by themselves"
    chain = chain.then("reduce", words, _softmax(reads, settings.ignore_index, "present", "image"))
    absent = "classes that no label names count with their largest error"
    chain = chain.then("absent", absent, _softmax(reads, settings.ignore_index, "all", "image"))
    words = f"there is no ignore_index: {many(reads.n_ignored, 'ignored pixel')} of class {settings.ignore_index}"
    return chain.then("ignored", words, _softmax(reads, None, "all", "image"))


def hinge_chain(project: str, reads: Reads) -> Chain:
    """Go from our Lovász hinge to a project's."""
    settings = reads.settings
    chain = Chain(our_hinge(reads))
    if project == "kornia":
        words = "the errors of each image are sorted by themselves"
        chain = chain.then("reduce", words, _hinge(reads, "image"))
        ignored = many(reads.n_ignored, "ignored pixel")
        words = f"there is no ignore_index: {ignored} with {settings.ignore_index} for a target"
        return chain.then("ignored", words, _any_target(reads)) if reads.n_ignored else chain
    words = f"{many(reads.n_empty, 'image')} without a valid pixel counted as 0"
    n_counted = reads.n_images - reads.n_empty
    of_images = settings.reduce == "image" and reads.n_images
    return chain.then("empty", words, chain.value * n_counted / reads.n_images) if of_images else chain


def our_softmax(reads: Reads) -> float:
    """Return our Lovász-Softmax."""
    return _softmax(reads, reads.settings.ignore_index, "present", reads.settings.reduce)


def our_hinge(reads: Reads) -> float:
    """Return our Lovász hinge."""
    return _hinge(reads, reads.settings.reduce)


def _softmax(
    reads: Reads, ignore_index: int | None, classes: Literal["present", "all"], reduce: Literal["image", "batch"]
) -> float:
    return lovasz_softmax_loss(
        reads.logits, reads.labels, classes=classes, reduce=reduce, ignore_index=ignore_index
    ).item()


def _hinge(reads: Reads, reduce: Literal["image", "batch"]) -> float:
    return lovasz_hinge_loss(reads.logits, reads.labels, reduce=reduce, ignore_index=reads.settings.ignore_index).item()


def _any_target(reads: Reads) -> float:
    """Return kornia's hinge, for which a target may be any number."""
    return math.fsum(map(_hinge_of, reads.logits.flatten(1), reads.labels.flatten(1))) / reads.n_images


def _hinge_of(logits: "Tensor", labels: "Tensor") -> float:
    import torch

    x, y = logits.to(torch.float64), labels.to(torch.float64)
    errors, order = (1 - x * (2 * y - 1)).sort(descending=True)
    y = y[order]
    jaccard = 1 - (y.sum() - y.cumsum(0)) / (y.sum() + (1 - y).cumsum(0))
    steps = jaccard.diff(prepend=jaccard.new_zeros(1))
    return float((errors.relu() * steps).sum())
