"""How strongly each class pulls: the norm of a loss's gradient, by the label of the pixel it is taken at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from segcli.loss.cases import Case
from segcli.loss.settings import KnownMode
from segcli.nn.losses.combined import CombinedLoss

if TYPE_CHECKING:
    from torch import Tensor

TOTAL = "total"


def gradient_norms(
    cases: Sequence[Case],
    factors: Sequence[float],
    logits: "Tensor",
    labels: "Tensor",
    mode: KnownMode,
    ignore_index: int,
) -> dict[str, tuple[float, ...]]:
    """Return the norm of the gradient by the logits of each loss, and of their sum where factors are given.

    Args:
        cases: The losses.
        factors: What each counts in the sum; none where there is no sum.
        logits: (N, C, *S), or (N, *S) for binary.
        labels: (N, *S), or the logits' shape for multilabel.
        mode: How they belong together.
        ignore_index: The label that does not count.

    Returns:
        By loss, a norm a class: over all logits of the pixels with that label; for multilabel over the logits of that
        class; for binary over those of label 0 and of label 1.

    Examples:
        >>> gradient_norms([Case("ce", (), {})], (), torch.zeros(1, 2, 2), torch.tensor([[0, 1]]), "multiclass", 255)
        {'ce': (0.3535533905932738, 0.3535533905932738)}
    """
    gradients = [_gradient(case, logits, labels, mode, ignore_index) for case in cases]
    found = {case.loss: _norms(part, labels, mode, ignore_index) for case, part in zip(cases, gradients, strict=True)}
    if factors:
        total = sum(factor * part for factor, part in zip(factors, gradients, strict=True))
        found[TOTAL] = _norms(torch.as_tensor(total), labels, mode, ignore_index)
    return found


def _gradient(case: Case, logits: "Tensor", labels: "Tensor", mode: KnownMode, ignore_index: int) -> "Tensor":
    # Binary cross-entropy is cross-entropy of sigmoids, and takes the same weights there.
    name = "ce" if case.loss == "bce" else case.loss
    own: dict[str, Any] = {name.replace("-", "_"): case.parameters}
    criterion = CombinedLoss(name, mode=mode, ignore_index=ignore_index, validate=False, **own)
    known = logits.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = criterion(known, labels)
    (gradient,) = torch.autograd.grad(loss, known)
    return gradient


def _norms(gradient: "Tensor", labels: "Tensor", mode: KnownMode, ignore_index: int) -> tuple[float, ...]:
    squares = gradient.to(torch.float64).square()
    if mode == "multilabel":
        return tuple(squares.transpose(0, 1).flatten(1).sum(1).sqrt().tolist())
    n_classes = 2 if mode == "binary" else gradient.shape[1]
    by_pixel = squares if mode == "binary" else squares.sum(1)
    whole = labels.to(torch.int64)
    valid = (whole != ignore_index) & (whole >= 0) & (whole < n_classes)
    sums = torch.bincount(whole[valid], weights=by_pixel[valid], minlength=n_classes)
    return tuple(sums.sqrt().tolist())
