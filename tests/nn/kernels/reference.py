"""What a kernel should answer, in float64 and from the definitions: the oracle of every backend.

Softmax, sigmoid and logarithms are torch's own; gradients are autograd's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segcli.nn.kernels.problem import (
    COUNT,
    CROSS_ENTROPY,
    FOCAL,
    HARD,
    IGNORED,
    N_COLUMNS,
    N_HARD,
    OVERLAP,
    PREDICTED,
    SQUARES,
    Problem,
)


@dataclass(frozen=True, eq=False)
class Expected:
    """Sums (N, rows, columns) and pixel losses, in float64 and with a graph, and the counts of predictions."""

    sums: Tensor
    pixels: Tensor
    predictions: Tensor
    confusion: Tensor


def expected(problem: Problem, logits: Tensor) -> Expected:
    """Answer ``problem`` with ``logits`` (float64, so that a gradient can be asked for) in place of its own."""
    return _softmax(problem, logits) if problem.multiclass else _sigmoid(problem, logits)


def expected_gradient(problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor:
    """Return what autograd says the gradient of the logits is."""
    logits = problem.logits.detach().double().requires_grad_()
    answer = expected(problem, logits)
    value = (answer.sums * grad_sums).sum()
    if grad_pixels is not None:
        value = value + (answer.pixels * grad_pixels).sum()
    (gradient,) = torch.autograd.grad(value, logits)
    return gradient


def _softmax(problem: Problem, logits: Tensor) -> Expected:
    n_images, n_classes, n_pixels = logits.shape
    labels, valid = _labels(problem, n_classes)
    log_p = logits.log_softmax(1)
    p = log_p.exp()
    one_hot = functional.one_hot(labels, n_classes).movedim(2, 1).double() * valid.unsqueeze(1)
    losses = -(log_p * one_hot).sum(1)
    columns = _columns(problem, losses)
    parts = {name: (one_hot * value.unsqueeze(1)).sum(2) for name, value in columns.items()}
    parts[OVERLAP] = (one_hot * p).sum(2)
    parts[PREDICTED] = (valid.unsqueeze(1) * p).sum(2)
    parts[SQUARES] = (valid.unsqueeze(1) * p.square()).sum(2)
    sums = torch.stack([parts[column] for column in range(N_COLUMNS)], 2)
    predictions = problem.logits.argmax(1) if n_pixels else torch.empty(n_images, 0, dtype=torch.int64)
    pairs = (labels * n_classes + predictions)[valid]
    confusion = torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes)
    return Expected(sums, losses.masked_fill(~valid, IGNORED), predictions, confusion)


def _sigmoid(problem: Problem, logits: Tensor) -> Expected:
    labels, valid = _labels(problem, 2)
    losses = functional.binary_cross_entropy_with_logits(logits, labels.double(), reduction="none")
    losses = losses.masked_fill(~valid, 0)
    p = logits.sigmoid()
    columns = _columns(problem, losses) | {OVERLAP: p, PREDICTED: p, SQUARES: p.square()}
    rows = [(labels == label) & valid for label in (0, 1)]
    by_row = [torch.stack([(row * columns[c]).sum(2) for c in range(N_COLUMNS)], 2) for row in rows]
    sums = torch.stack(by_row, 2).flatten(1, 2)
    nothing = torch.empty(0, dtype=torch.int64)
    return Expected(sums, losses.masked_fill(~valid, IGNORED), nothing, nothing)


def _labels(problem: Problem, n_labels: int) -> tuple[Tensor, Tensor]:
    labels = problem.labels.to(torch.int64)
    valid = (labels >= 0) & (labels < n_labels)
    if problem.ignore_index is not None:
        valid &= labels != problem.ignore_index
    return labels.masked_fill(~valid, 0), valid


def _columns(problem: Problem, losses: Tensor) -> dict[int, Tensor]:
    hard = (losses > problem.bound).double()
    # The power has no slope at 0 that autograd could multiply by 0.
    sure = losses == 0
    wrong = -torch.expm1(-losses.masked_fill(sure, 1))
    focal = losses if problem.gamma == 0 else (wrong**problem.gamma * losses).masked_fill(sure, 0)
    return {
        COUNT: torch.ones_like(losses),
        CROSS_ENTROPY: losses,
        FOCAL: focal,
        N_HARD: hard,
        HARD: hard * losses,
    }
