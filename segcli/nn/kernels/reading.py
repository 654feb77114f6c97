"""One read of logits and labels, from which every loss but Lovász's is arithmetic on small tensors."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from segcli.nn.kernels.backends import Backend, choose
from segcli.nn.kernels.checks import Mode, check_inputs, unsoundness
from segcli.nn.kernels.operators import UnsoundError, ask, largest
from segcli.nn.kernels.problem import (
    COUNT,
    CROSS_ENTROPY,
    FOCAL,
    HARD,
    N_HARD,
    OVERLAP,
    PREDICTED,
    SQUARES,
    Problem,
    Wanted,
)
from segcli.nn.kernels.selection import NMin, Selection, check_n_min, check_thresh, loss_bound, select
from segcli.nn.kernels.selection import histogram as loss_histogram


@dataclass(frozen=True, eq=False)
class Statistics:
    """What one read of the logits gave, by image: of it every loss is made.

    Sums *by label* have the shape (N, C) for multiclass: those of the pixels with that label. With sigmoids they have
    the shape (N, C, 2): those of the elements of class c with label 0, and with label 1. Sums *by class* are (N, C) in
    every mode. Ignored places count nowhere. Sums of reals have the accumulator's dtype (float64, but float32 on MPS)
    and a graph.

    Attributes:
        mode: ``multiclass``, ``multilabel`` or ``binary`` (C is 1).
        backend: Which backend read; ``auto`` inside a graph of torch.compile, where that is decided as it runs.
        labels: What was read, as whole numbers; of the labels' shape.
        thresh: What a pixel's probability has to be below to be hard.
        has_squares: Whether p^2 was added up.
        sums: (N, rows, columns), as `segcli.nn.kernels.problem` describes; the properties below are parts of it.
        pixels: -log p_t of the labels' shape, with a graph; -1 where ignored. None unless asked for.
        selection: Which pixels OHEM keeps; None unless ``n_min`` was given.
        predictions: The class with the largest logit, (N, *S) int64; None unless asked for.
        confusion: (C, C) int64, rows are labels, columns are predictions; None unless asked for.
        histogram: (2048,) int64, how many pixel losses share the first 11 bits of their float32; None unless asked for.
    """

    mode: Mode
    backend: Backend
    labels: Tensor
    thresh: float
    sums: Tensor
    has_squares: bool = False
    pixels: Tensor | None = None
    selection: Selection | None = None
    predictions: Tensor | None = None
    confusion: Tensor | None = None
    histogram: Tensor | None = None

    @property
    def count(self) -> Tensor:
        """How many, by label."""
        return self._by_label(COUNT).detach()

    @property
    def cross_entropy(self) -> Tensor:
        """Sum of -log p_t, by label."""
        return self._by_label(CROSS_ENTROPY)

    @property
    def focal(self) -> Tensor:
        """Sum of (1 - p_t)^gamma (-log p_t), by label."""
        return self._by_label(FOCAL)

    @property
    def n_hard(self) -> Tensor:
        """How many have p_t below ``thresh``, by label."""
        return self._by_label(N_HARD).detach()

    @property
    def hard(self) -> Tensor:
        """Sum of their -log p_t, by label."""
        return self._by_label(HARD)

    @property
    def intersection(self) -> Tensor:
        """Sum of p over the pixels that have the class, by class."""
        overlap = self._by_label(OVERLAP)
        return overlap if self.mode == "multiclass" else overlap[..., 1]

    @property
    def cardinality(self) -> Tensor:
        """Sum of p over all valid pixels, by class."""
        return self._by_class(PREDICTED)

    @property
    def squares(self) -> Tensor:
        """Sum of p^2 over all valid pixels, by class.

        Raises:
            ValueError: Where it was not asked for.
        """
        if not self.has_squares:
            message = "the sums of p^2 were not read, expected statistics(..., squares=True)"
            raise ValueError(message)
        return self._by_class(SQUARES)

    @property
    def labelled(self) -> Tensor:
        """How many valid pixels have the class, by class."""
        return self.count if self.mode == "multiclass" else self.count[..., 1]

    @property
    def valid(self) -> Tensor:
        """How many pixels are valid, by class; for multiclass the same for all, (N, 1)."""
        return self.count.sum(-1, keepdim=self.mode == "multiclass")

    def _by_label(self, column: int) -> Tensor:
        part = self.sums[:, :, column]
        return part if self.mode == "multiclass" else part.view(len(part), part.shape[1] // 2, 2)

    def _by_class(self, column: int) -> Tensor:
        part = self._by_label(column)
        return part if self.mode == "multiclass" else part.sum(-1)


def statistics(  # noqa: PLR0913 - each asks for something else
    logits: Tensor,
    labels: Tensor,
    *,
    ignore_index: int | None = 255,
    thresh: float = 0.7,
    n_min: NMin = None,
    gamma: float = 2.0,
    mode: Mode = "multiclass",
    backend: Backend = "auto",
    pixels: bool = False,
    squares: bool = False,
    predictions: bool = False,
    confusion: bool = False,
    histogram: bool = False,
    validate: bool = True,
) -> Statistics:
    """Read logits and labels once, and return the sums that losses are made of.

    Args:
        logits: float16, bfloat16, float32 or float64; the half types are computed in float32.
        labels: Any whole-number dtype; multilabel and binary take 0 and 1, as floats and bools too.
        ignore_index: The label of pixels that do not count; None where all do.
        thresh: A pixel is hard where its label has a probability below this.
        n_min: Choose OHEM's pixels, and keep at least so many: a count (int), or a share of the valid pixels (float
            or Fraction). None chooses none.
        gamma: The focal exponent.
        mode: How logits and labels belong together.
        backend: ``auto``, ``eager``, ``compiled`` or ``triton``; see `segcli.nn.kernels.backends.choose`.
        pixels: Whether the loss of every pixel is kept.
        squares: Whether p^2 is added up.
        predictions: Whether the class with the largest logit is kept, for multiclass.
        confusion: Whether labels and predictions are counted together, for multiclass.
        histogram: Whether the losses of pixels are counted by their first bits.
        validate: Refuse logits that are not finite and labels that are none. The same read finds them, and is safe
            from them; on CUDA the device is waited for.

    Shape:
        logits (N, C, *S) for multiclass and multilabel, (N, *S) for binary; labels (N, *S) for multiclass, of the
        logits' shape for the others.

    Raises:
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.
        SegcliError: Where the backend that was named cannot be had.

    Source:
        The one-pass idea is that of online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867), here by tiles.

    Examples:
        >>> read = statistics(torch.zeros(1, 2, 4), torch.tensor([[0, 1, 1, 255]]))
        >>> read.count, read.cardinality, read.backend
        (tensor([[1., 2.]], dtype=torch.float64), tensor([[1.5000, 1.5000]], dtype=torch.float64), 'eager')
    """
    check_thresh(thresh)
    check_n_min(n_min)
    check_gamma(gamma)
    check_inputs(logits, labels, mode)
    multiclass, chosen = mode == "multiclass", n_min is not None
    if not multiclass and (predictions or confusion):
        message = f"predictions and confusion are of classes that exclude one another, the mode is {mode}"
        raise ValueError(message)
    problem = Problem(
        rows_of_pixels(logits, mode),
        whole_labels(rows_of_pixels(labels, mode, labels=True)),
        multiclass,
        ignore_index,
        float(gamma),
        loss_bound(thresh),
    )
    wanted = Wanted(pixels or chosen or histogram, squares, predictions, confusion)
    try:
        answer = ask(problem, wanted, backend=backend, validate=validate)
    except UnsoundError as error:
        # Once more, with places and values as they were given.
        known = unsoundness(logits, labels, logits.shape[1] if multiclass else 2, ignore_index)
        raise ValueError(known or str(error)) from None
    losses = answer.pixels.view(labels.shape) if wanted.pixels else None
    return Statistics(
        mode=mode,
        backend=backend if torch.compiler.is_compiling() else choose(problem.logits, backend),
        labels=problem.labels.view(labels.shape),
        thresh=thresh,
        sums=answer.sums,
        has_squares=squares,
        pixels=losses if pixels else None,
        selection=None if losses is None or not chosen else select(losses, bound=problem.bound, n_min=n_min),
        predictions=answer.predictions.view(labels.shape) if predictions else None,
        confusion=answer.confusion if confusion else None,
        histogram=None if losses is None or not histogram else loss_histogram(losses.detach()),
    )


def argmax(logits: Tensor, *, backend: Backend = "auto") -> Tensor:
    """Return ``logits.argmax(1)``, the class with the largest logit, many times faster than torch on the CPU.

    The first of those that tie; NaN counts as the largest, as torch has it.

    Args:
        logits: float16, bfloat16, float32 or float64.
        backend: As in `statistics`.

    Shape:
        (N, C, *S) to (N, *S), int64.

    Raises:
        ValueError: For logits without a class axis, or of another dtype.
        SegcliError: Where the backend that was named cannot be had.

    Examples:
        >>> argmax(torch.tensor([[[1.0, 5.0], [3.0, 4.0]]]))
        tensor([[1, 0]])
    """
    if logits.dim() < 2 or not logits.is_floating_point() or not logits.shape[1]:  # noqa: PLR2004 - N and C
        message = (
            f"logits are {logits.dtype} of shape {tuple(logits.shape)}, expected floats (N, C, *S) with C of 1 or more"
        )
        raise ValueError(message)
    found = largest(rows_of_pixels(logits, "multiclass"), backend)
    return found.view(logits.shape[:1] + logits.shape[2:])


def check_gamma(gamma: float) -> None:
    """Refuse what is no exponent here.

    Raises:
        ValueError: Where ``gamma`` is negative or not finite.
    """
    if not 0 <= gamma < math.inf:
        message = f"gamma is {gamma:g}, expected a finite number of 0 or more"
        raise ValueError(message)


def rows_of_pixels(tensor: Tensor, mode: Mode, *, labels: bool = False) -> Tensor:
    """View (N, C, *S) as (N, C, P), and labels without a class axis as (N, P); binary gets a class axis of 1."""
    axes = 1 if mode == "multiclass" and labels else 2
    classed = tensor.unsqueeze(1) if mode == "binary" else tensor
    return classed.unsqueeze(axes) if classed.dim() == axes else classed.flatten(axes)


def whole_labels(labels: Tensor) -> Tensor:
    """Return labels as uint8, int32 or int64; what is no whole number becomes one that is no class.

    Examples:
        >>> whole_labels(torch.tensor([0.0, 0.5, 1.0])).tolist()
        [0, -2147483648, 1]
    """
    if labels.is_floating_point():
        whole = (labels == labels.trunc()) & (labels.abs() < 2**31)
        return labels.where(whole, -(2.0**31)).to(torch.int32)
    if labels.dtype in (torch.uint8, torch.int32, torch.int64):
        return labels
    if labels.dtype == torch.bool:
        return labels.to(torch.uint8)
    return labels.to(torch.int32 if labels.dtype in (torch.int8, torch.int16, torch.uint16) else torch.int64)
