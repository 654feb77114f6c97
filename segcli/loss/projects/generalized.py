"""MONAI's generalized Dice beside ours."""

import math
from typing import TYPE_CHECKING

from segcli.loss.projects.chain import Chain
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.region import many
from segcli.nn.losses.generalized_dice import generalized_dice_of

if TYPE_CHECKING:
    from torch import Tensor


def generalized_chain(reads: Reads) -> Chain:
    """Go from our generalized Dice to MONAI's, which has no ``ignore_index``.

    For binary, the label of ignored pixels is a target like any other number there. For multiclass it has to be a
    class; where it is none, MONAI raises, and the caller has seen to it.
    """
    settings = reads.settings
    chain = Chain(our_generalized(reads))
    words = "absent classes weigh as much as the class that weighs most"
    chain = chain.then("absent", words, _ours(reads, "count"))
    if reads.n_ignored:
        how = "are pixels of their class" if reads.multiclass else "have that number for a target"
        words = (
            f"there is no ignore_index: {many(reads.n_ignored, 'ignored pixel')} labelled {settings.ignore_index} {how}"
        )
        chain = chain.then("ignored", words, _theirs(reads, weightless=False))
    words = "an image without label 1 weighs nothing"
    return chain.then("empty", words, _theirs(reads, weightless=True))


def our_generalized(reads: Reads) -> float:
    """Return ours, which leaves absent classes out unless they count."""
    return _ours(reads, "count" if reads.settings.absent == "count" else "skip")


def _ours(reads: Reads, absent: str) -> float:
    settings = reads.settings
    how = {"smooth": settings.smooth, "reduce": settings.reduce, "absent": absent}
    return generalized_dice_of(reads.found, **how).loss.item()  # type: ignore[arg-type]


def _theirs(reads: Reads, *, weightless: bool) -> float:
    import torch

    smooth = reads.settings.smooth
    overlap, predicted, labelled = _sums(reads)
    weights = torch.where(labelled != 0, 1 / (labelled * labelled), 0)
    most = weights.amax(1, keepdim=True)
    if not weightless:
        most = torch.where(most > 0, most, 1.0)
    weights = torch.where(labelled != 0, weights, most)
    above = 2 * (weights * overlap).sum(1) + smooth
    below = (weights * (predicted + labelled)).sum(1) + smooth
    loss = float((1 - above / below).mean())
    return loss if math.isfinite(loss) else math.nan


def _sums(reads: Reads) -> tuple["Tensor", "Tensor", "Tensor"]:
    """Return sum(p y), sum(p) and sum(y) by image and class, with ignored labels as the numbers they are."""
    import torch

    every = reads.everywhere
    sums = torch.stack([every.intersection, every.cardinality, every.labelled])
    index = reads.settings.ignore_index
    if reads.n_ignored and index is not None and not reads.multiclass:
        # What is labelled 1 and valid, and the ignored pixels times their number.
        found = reads.found
        sums[0] = found.intersection + index * (every.cardinality - found.cardinality)
        sums[2] = found.labelled + index * (every.valid - found.valid)
    overlap, predicted, labelled = sums.sum(1, keepdim=True) if reads.settings.reduce == "batch" else sums
    return overlap, predicted, labelled
