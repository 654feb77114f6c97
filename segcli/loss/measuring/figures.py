"""A loss of one batch, as numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segcli.loss.cases import Case
from segcli.loss.measuring.batch import Batch
from segcli.loss.result import LossValue, OhemValue
from segcli.nn.kernels.reading import Statistics
from segcli.nn.kernels.selection import Choice, check_thresh
from segcli.nn.losses.cross_entropy import cross_entropy_of
from segcli.nn.losses.dice import dice_of
from segcli.nn.losses.focal import alpha_of_labels, check_alpha, focal_of
from segcli.nn.losses.focal_tversky import focal_tversky_of
from segcli.nn.losses.generalized_dice import generalized_dice_of
from segcli.nn.losses.jaccard import jaccard_of
from segcli.nn.losses.lovasz import lovasz_hinge_loss, lovasz_softmax_loss
from segcli.nn.losses.ohem import effective_thresholds, ohem_of
from segcli.nn.losses.tversky import tversky_of

if TYPE_CHECKING:
    from torch import Tensor

_REGIONS: dict[str, Callable[..., Any]] = {
    "dice": dice_of,
    "jaccard": jaccard_of,
    "tversky": tversky_of,
    "focal-tversky": focal_tversky_of,
    "generalized-dice": generalized_dice_of,
}
# These sort pixels, which no sums of a read replace.
OF_PIXELS = ("lovasz-softmax", "lovasz-hinge")


def value_of(case: Case, batch: Batch) -> LossValue:
    """Return a loss of a read; not one of `OF_PIXELS`.

    Raises:
        ValueError: For parameters out of range.
    """
    if case.loss in _REGIONS:
        return _of_regions(case, batch.at(case))
    return {"ohem": _ohem, "focal": _focal}.get(case.loss, _cross_entropy)(case, batch.at(case))


def lovasz_of(case: Case, logits: "Tensor", labels: "Tensor", found: Statistics, ignore_index: int) -> LossValue:
    """Return a Lovász loss, which looks at the logits themselves; it has no part for each class.

    Args:
        case: One of `OF_PIXELS`.
        logits: (N, C, *S), or (N, *S) for binary; logits, not probabilities.
        labels: (N, *S), or the logits' shape for multilabel.
        found: What a read of them gave.
        ignore_index: The label that does not count.

    Raises:
        ValueError: For parameters out of range, and values that are none.
    """
    shared = {"ignore_index": ignore_index} | dict(case.parameters)
    if case.loss == "lovasz-softmax":
        loss = lovasz_softmax_loss(logits, labels, **shared)
    else:
        loss = lovasz_hinge_loss(logits, labels, mode=found.mode, **shared)
    # By default the softmax's counts the classes that are present, which some class is; the hinge's counts all.
    present = case.loss == "lovasz-hinge" and case.parameters.get("classes") == "present"
    counted = (found.labelled if present else found.count.flatten(1)).sum(1) > 0
    n_averaged = int(counted.sum()) if case.parameters.get("reduce") == "image" else int(counted.any())
    per_class = (None,) * count_classes(found).numel()
    return LossValue(loss.item(), per_class, case.parameters, n_averaged=n_averaged)


def _cross_entropy(case: Case, found: Statistics) -> LossValue:
    loss = cross_entropy_of(found, **case.parameters)
    return LossValue(loss.item(), _means(found.cross_entropy, found), case.parameters)


def _focal(case: Case, found: Statistics) -> LossValue:
    parameters = dict(case.parameters)
    del parameters["gamma"]
    alpha = parameters.get("alpha")
    check_alpha(alpha, found.mode)
    weights = alpha_of_labels(alpha, found.focal, found.mode)
    losses = found.focal if weights is None else found.focal * weights
    return LossValue(focal_of(found, **parameters).item(), _means(losses, found), case.parameters)


def _ohem(case: Case, found: Statistics) -> LossValue:
    parameters = dict(case.parameters)
    check_thresh(parameters.pop("thresh"))
    parts = ohem_of(found, **parameters)
    return ohem_value(case, found.mode, parts.loss.item(), parts.losses, parts.kept, parts.choice)


def ohem_value(case: Case, mode: str, value: float, losses: "Tensor", kept: "Tensor", choice: Choice) -> OhemValue:
    """Return OHEM with what was chosen; ``losses`` and ``kept`` by label, (C,) for multiclass, else (C, 2)."""
    threshold, loss_threshold = effective_thresholds(case.parameters["thresh"], choice)
    by_class = (losses.sum(1), kept.sum(1)) if mode == "multilabel" else (losses.flatten(), kept.flatten())
    return OhemValue(
        value=value,
        per_class=quotients(*by_class),
        parameters=case.parameters,
        n_valid=choice.n_valid,
        n_hard=choice.n_hard,
        n_min=choice.n_min,
        n_kept=choice.n_kept,
        threshold=threshold,
        loss_threshold=loss_threshold,
        branch=choice.branch,
        n_kept_per_class=tuple(by_class[1].tolist()),
    )


def _of_regions(case: Case, found: Statistics) -> LossValue:
    parts = _REGIONS[case.loss](found, **case.parameters)
    counted = parts.counted.to(parts.losses.dtype)
    per_class = quotients((parts.losses * counted).sum(0), counted.sum(0))
    if len(per_class) < count_classes(found).numel():
        # The region of binary is that of the foreground; generalized Dice is one of all classes together.
        per_class = (None, *per_class) if found.mode == "binary" else (None,) * count_classes(found).numel()
    return LossValue(parts.loss.item(), per_class, case.parameters, n_averaged=int(counted.any(1).sum()))


def count_classes(found: Statistics) -> "Tensor":
    """Count the pixels of every class, the background's of binary labels too; for multilabel, those that have it."""
    return found.labelled.sum(0) if found.mode == "multilabel" else _by_class(found.count, found)


def _means(sums: "Tensor", found: Statistics) -> tuple[float | None, ...]:
    return quotients(_by_class(sums, found), _by_class(found.count, found))


def _by_class(sums: "Tensor", found: Statistics) -> "Tensor":
    """Add up over the images: by label for multiclass and binary, over both labels of a class for multilabel."""
    return sums.sum((0, 2)) if found.mode == "multilabel" else sums.sum(0).flatten()


def quotients(sums: "Tensor", counts: "Tensor") -> tuple[float | None, ...]:
    """Divide one by one; None where there is nothing below."""
    pairs = zip(sums.tolist(), counts.tolist(), strict=True)
    return tuple(above / below if below else None for above, below in pairs)
