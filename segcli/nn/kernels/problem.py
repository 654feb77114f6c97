"""What a kernel is asked, and what it answers: plain data that every backend shares.

A backend is a module with three functions::

    forward(problem: Problem, wanted: Wanted) -> Answer
    backward(problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor
    argmax(logits: Tensor) -> Tensor

Logits are seen as (N, C, P): images, classes, pixels. A *row* is what sums are kept for in each image. For
``multiclass`` there is a row a class. With sigmoids (multilabel, and binary with C of 1) each element has a label of
its own, 0 or 1, and there are two rows a class: row ``2 c + y`` for the elements of class c with label y.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segcli.nn.kernels.precision import accumulator, compute_dtype

# The columns of the sums, by the label of the pixel (of the element, with sigmoids) unless said otherwise. Ignored
# places count nowhere.
COUNT = 0  # how many
CROSS_ENTROPY = 1  # sum of -log p_t, p_t being the probability of the label
FOCAL = 2  # sum of (1 - p_t)^gamma (-log p_t)
N_HARD = 3  # how many have -log p_t above the bound
HARD = 4  # sum of their -log p_t
OVERLAP = 5  # sum of p at the row: p_t for multiclass, p = sigmoid(x) with sigmoids
PREDICTED = 6  # multiclass: sum of p of the row's class over all valid pixels; with sigmoids the same as OVERLAP
SQUARES = 7  # the same of p^2
N_COLUMNS = 8
DIFFERENTIABLE = (CROSS_ENTROPY, FOCAL, HARD, OVERLAP, PREDICTED, SQUARES)

# What stands in the pixel losses where a label is ignored: no loss is negative.
IGNORED = -1.0


@dataclass(frozen=True, eq=False)
class Problem:
    """One reading of logits and labels.

    A label that is neither a class nor ``ignore_index`` is never used to index: it counts as ignored, and is reported
    in `Answer.sound`.

    Attributes:
        logits: (N, C, P), of any strides; float16, bfloat16, float32 or float64. What is computed on the half types is
            computed in float32.
        labels: (N, P) for multiclass, (N, C, P) with sigmoids, of any strides; uint8, int32 or int64.
        multiclass: Whether p is the softmax over C, else the sigmoid of each.
        ignore_index: The label that does not count; None where all do. It may lie outside the labels' dtype.
        gamma: The focal exponent, 0 or more.
        bound: The loss above which a pixel is hard, ``-log(thresh)``; may be infinite.
    """

    logits: Tensor
    labels: Tensor
    multiclass: bool
    ignore_index: int | None
    gamma: float
    bound: float

    @property
    def n_rows(self) -> int:
        """How many rows of sums an image has."""
        return self.logits.shape[1] * (1 if self.multiclass else 2)


@dataclass(frozen=True)
class Wanted:
    """What is asked beside the sums.

    Attributes:
        pixels: The loss of every pixel.
        squares: The sums of p^2, which cost `eager` one more pass; without it their column is 0.
        predictions: The class with the largest logit of every pixel (multiclass).
        confusion: How often each class was predicted where each is labelled (multiclass).
    """

    pixels: bool = False
    squares: bool = False
    predictions: bool = False
    confusion: bool = False


@dataclass(frozen=True, eq=False)
class Answer:
    """What a backend returns of one reading.

    Attributes:
        sums: (N, rows, `N_COLUMNS`), in the accumulator's dtype (float64, but float32 on MPS).
        pixels: -log p_t of the labels' shape, in float32 (float64 for float64 logits); `IGNORED` where ignored.
            Empty, (0,), where it was not wanted.
        predictions: (N, P), int64, the first of those that tie; empty where not wanted.
        confusion: (C, C), int64: rows are labels, columns predictions, of the valid pixels; empty where not wanted.
        sound: (2,), bool: whether all logits are finite, and whether all labels are classes or ignored.
    """

    sums: Tensor
    pixels: Tensor
    predictions: Tensor
    confusion: Tensor
    sound: Tensor


def blank(problem: Problem, wanted: Wanted) -> Answer:
    """Return an answer whose tensors are not yet written.

    Examples:
        >>> problem = Problem(torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.uint8), True, None, 2.0, 0.3)
        >>> blank(problem, Wanted(pixels=True)).pixels.shape
        torch.Size([2, 4])
    """
    logits, labels = problem.logits, problem.labels
    n_images, n_classes = logits.shape[:2]
    of_losses, whole = compute_dtype(logits.dtype), torch.int64
    return Answer(
        sums=logits.new_empty((n_images, problem.n_rows, N_COLUMNS), dtype=accumulator(logits)),
        pixels=logits.new_empty(labels.shape, dtype=of_losses) if wanted.pixels else empty(logits, of_losses),
        predictions=logits.new_empty(labels.shape, dtype=whole) if wanted.predictions else empty(logits, whole),
        confusion=logits.new_empty((n_classes, n_classes), dtype=whole) if wanted.confusion else empty(logits, whole),
        sound=logits.new_empty(2, dtype=torch.bool),
    )


def empty(like: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what stands where nothing was wanted.

    Examples:
        >>> empty(torch.zeros(3), torch.int64)
        tensor([], dtype=torch.int64)
    """
    return torch.empty(0, dtype=dtype, device=like.device)
