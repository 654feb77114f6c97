"""Region losses under the conventions of all projects: one formula, and a rule that says which."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from segcli.loss.projects.chain import Chain
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.result import ProjectSettings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RegionRule:
    """The conventions; the index is (TP + above) / (TP + alpha FP + beta FN + below).

    Attributes:
        alpha: What a false positive costs.
        beta: What a false negative costs.
        above: Added above.
        below: Added below.
        guard: What stands below is this at least.
        nothing: The index where nothing stands below; NaN for 0 / 0.
        smooth_words: What the project does in place of our ``smooth``.
        squared: Whether sum(p^2) stands in place of sum(p).
        form: ``own``: the softmax of classes, the sigmoid of binary. ``sigmoid``: one for each class.
        ignored: ``out``: in no sum. ``predicted``: p of ignored pixels is in sum(p). ``labelled``: their label is
            taken for that of the nearest class, too.
        flipped: Whether the target is where the label is 0.
        dropped: A class that is left out.
        zeroed: A class that counts as a loss of 0.
        reduce: ``image`` or ``batch``.
        merged: Whether all classes are one sum.
        absent: What a class is that no label names: ``skip``, ``zero`` or ``count``.
        empty: What an image is in which nothing counts: ``skip``; ``one``, a loss of 1; or ``formula``.
    """

    alpha: float
    beta: float
    above: float
    below: float
    guard: float = 0.0
    nothing: float = 1.0
    smooth_words: str = ""
    squared: bool = False
    form: Literal["own", "sigmoid"] = "own"
    ignored: Literal["out", "predicted", "labelled"] = "out"
    flipped: bool = False
    dropped: int | None = None
    zeroed: int | None = None
    reduce: Literal["image", "batch"] = "image"
    merged: bool = False
    absent: Literal["skip", "zero", "count"] = "skip"
    empty: Literal["skip", "one", "formula"] = "skip"


# In which order conventions are changed; those of one row change together.
_ORDER = (
    ("form", ("form",)),
    ("target", ("flipped",)),
    ("ignored", ("ignored",)),
    ("dropped", ("dropped",)),
    ("squared", ("squared",)),
    ("reduce", ("reduce",)),
    ("merged", ("merged",)),
    ("absent", ("absent",)),
    ("zeroed", ("zeroed",)),
    ("smooth", ("above", "below", "guard", "nothing", "smooth_words")),
    ("empty", ("empty",)),
)


def our_rule(settings: ProjectSettings, alpha: float, beta: float, smooth: float) -> RegionRule:
    """Return the conventions that segcli has under these settings."""
    return RegionRule(
        alpha, beta, smooth, smooth, squared=settings.squared, reduce=settings.reduce, absent=settings.absent
    )


def region_chain(reads: Reads, ours: RegionRule, theirs: RegionRule) -> Chain:
    """Go from one rule to another."""
    rule, chain = ours, Chain(region_loss(reads, ours))
    for key, names in _ORDER:
        values: dict[str, Any] = {name: getattr(theirs, name) for name in names}
        rule = replace(rule, **values)
        value = region_loss(reads, rule)
        if chain.moves(value):
            chain = chain.then(key, _words(key, reads, rule), value)
    return chain


def region_loss(reads: Reads, rule: RegionRule) -> float:
    """Return the loss by one rule; NaN where that divides 0 by 0.

    Examples:
        >>> import torch
        >>> reads = Reads(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]), ProjectSettings())
        >>> region_loss(reads, RegionRule(0.5, 0.5, 0, 0))
        0.5
    """
    sums = region_sums(reads, rule)
    index = _index(sums, rule)
    present = sums[2] > 0
    losses = (1 - index).masked_fill(~present, 0) if rule.absent != "count" else 1 - index
    if rule.zeroed is not None:
        losses[:, rule.zeroed] = 0
    counted = present if rule.absent == "skip" else present | True
    if rule.empty != "formula":
        counted = counted & (sums[3] > 0)
    of_images = losses.masked_fill(~counted, 0).sum(1) / counted.sum(1).clamp_min(1)
    images = counted.any(1)
    if rule.empty == "one":
        of_images, images = of_images.masked_fill(~images, 1), images | True
    return float(of_images[images].mean()) if bool(images.any()) else 0.0


def region_sums(reads: Reads, rule: RegionRule) -> "Tensor":
    """Return sum(p y), sum(p) or sum(p^2), sum(y) and how many are valid: (4, N, C)."""
    import torch

    inner = reads.sigmoids if rule.form == "sigmoid" else reads.found
    outer = inner
    if rule.ignored != "out":
        outer = reads.sigmoids_everywhere if rule.form == "sigmoid" else reads.everywhere
    targets = outer if rule.ignored == "labelled" else inner
    predicted = outer.squares if rule.squared else outer.cardinality
    overlap, labelled = targets.intersection, targets.labelled
    if rule.flipped:
        overlap, labelled = targets.cardinality - overlap, targets.valid - labelled
    sums = torch.stack([overlap, predicted, labelled, outer.valid.expand_as(overlap)])
    if rule.dropped is not None:
        sums = torch.cat([sums[..., : rule.dropped], sums[..., rule.dropped + 1 :]], -1)
    sums = sums.sum(1, keepdim=True) if rule.reduce == "batch" else sums
    return sums.sum(2, keepdim=True) if rule.merged else sums


def _index(sums: "Tensor", rule: RegionRule) -> "Tensor":
    overlap, predicted, labelled, _ = sums
    below = (1 - rule.alpha - rule.beta) * overlap + rule.alpha * predicted + rule.beta * labelled + rule.below
    below = below.clamp_min(rule.guard)
    empty = below <= 0
    index: Tensor = ((overlap + rule.above) / below.masked_fill(empty, 1)).masked_fill(empty, rule.nothing)
    return index


def _words(key: str, reads: Reads, rule: RegionRule) -> str:
    n_ignored = many(reads.n_ignored, "ignored pixel")
    where = f"taken for class {max(0, reads.settings.ignore_index or 0)}"
    if rule.ignored == "predicted":
        where = "stay in: what is predicted there is wrong"
    return {
        "ignored": f"{n_ignored} {where}",
        "form": "a sigmoid for each class in place of the softmax",
        "target": "the target is where the label is 0",
        "dropped": f"class {rule.dropped} is left out: ignore_index takes out a class, not pixels",
        "zeroed": f"class {rule.zeroed}, which is ignored, is counted as a loss of 0",
        "squared": "sum(p^2) below in place of sum(p)" if rule.squared else "sum(p) below in place of sum(p^2)",
        "reduce": _reduce_words(reads, rule),
        "merged": f"one sum over all {reads.n_classes} classes in place of the mean over classes",
        "absent": _absent_words(reads, rule),
        "smooth": rule.smooth_words,
        "empty": _empty_words(reads, rule),
    }[key]


def _reduce_words(reads: Reads, rule: RegionRule) -> str:
    of_batch = f"sums of all {reads.n_images} images together in place of the mean over images"
    return of_batch if rule.reduce == "batch" else "sums of each image in place of the batch's"


def _absent_words(reads: Reads, rule: RegionRule) -> str:
    how = {
        "skip": "left out of the mean",
        "zero": "counted as a loss of 0",
        "count": "counted by the formula, near 1 as soon as anything is predicted",
    }[rule.absent]
    sums = region_sums(reads, rule)
    absent = ~(sums[2] > 0)
    classes = absent.all(0).nonzero().flatten().tolist()
    if not reads.multiclass:
        return f"{many(int(absent.sum()), 'image')} without label 1 {how}"
    if rule.reduce == "batch" or len(classes) * reads.n_images == int(absent.sum()):
        names = ", ".join(map(str, classes[:8])) + (", ..." if len(classes) > 8 else "")  # noqa: PLR2004 - one line
        return f"{'class' if len(classes) == 1 else 'classes'} {names} absent: {how}"
    return f"{int(absent.sum()):,} times a class is absent from an image: {how}"


def _empty_words(reads: Reads, rule: RegionRule) -> str:
    value = "1" if rule.empty == "one" else "the formula has it"
    return f"{many(reads.n_empty, 'image')} without a valid pixel counted as {value}"


def many(count: int, thing: str) -> str:
    """Count things.

    Examples:
        >>> many(1, "image"), many(12288, "pixel")
        ('1 image', '12,288 pixels')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def nan_or(index: float, below: float) -> float:
    """Return ``index`` where something is added ``below``, so that there is no 0 / 0, and NaN else."""
    return index if below else math.nan
