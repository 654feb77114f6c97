"""Whether logits and labels fit each other: kinds and shapes before they are read, values by the reading itself.

A mistake is a `ValueError`, as torch's own losses raise: training code catches it by a name it knows.
"""

from typing import Literal

import torch
from torch import Tensor

from segcli.nn.kernels.precision import compute_dtype

Mode = Literal["multiclass", "multilabel", "binary"]
Place = tuple[int, ...]

MODES: tuple[Mode, ...] = ("multiclass", "multilabel", "binary")
# One class axis and the batch axis.
_MIN_LOGITS_DIMS = 2


def check_inputs(logits: Tensor, labels: Tensor, mode: Mode) -> None:
    """Refuse a mode, dtypes, devices and shapes that do not go together; no value is read.

    Raises:
        ValueError: Naming what was expected, and what was got.

    Examples:
        >>> check_inputs(torch.zeros(1, 2, 3), torch.zeros(1, 4, dtype=torch.uint8), "multiclass")
        Traceback (most recent call last):
        ValueError: labels have shape (1, 4), expected (1, 3) to match multiclass logits of shape (1, 2, 3)
    """
    _check_kinds(logits, labels, mode)
    _check_shapes(logits, labels, mode)


def first_bad_logit(logits: Tensor) -> tuple[Place, float] | None:
    """Find the first NaN or infinity, in row-major order.

    Examples:
        >>> first_bad_logit(torch.tensor([[0.0, float("nan")]]))
        ((0, 1), nan)
    """
    # A finite sum has finite terms: one read, nothing allocated. An infinite one may be mere overflow, so look closer.
    if bool(logits.sum(dtype=compute_dtype(logits.dtype)).isfinite()):
        return None
    return _first(~logits.isfinite(), logits)


def first_bad_label(
    labels: Tensor, n_classes: int, ignore_index: int | None, *, soft: bool = False
) -> tuple[Place, float] | None:
    """Find the first label, in row-major order, that is no class and not ignored.

    Args:
        labels: Of any shape and dtype.
        n_classes: Labels are 0 to ``n_classes - 1``.
        ignore_index: What else a label may be.
        soft: Whether fractions between 0 and ``n_classes - 1`` are labels too.

    Examples:
        >>> first_bad_label(torch.tensor([[0, 1], [33, 255]]), 19, 255)
        ((1, 0), 33)
    """
    # Comparisons of unsigned 16-bit and wider types are not built into torch; in uint8, -1 and 256 would wrap around.
    whole = labels if labels.is_floating_point() else labels.to(torch.int64)
    good = (whole >= 0) & (whole <= n_classes - 1)
    if labels.is_floating_point() and not soft:
        good &= whole == whole.round()
    if ignore_index is not None:
        good |= whole == ignore_index
    return None if bool(good.all()) else _first(~good, whole)


def _first(bad: Tensor, values: Tensor) -> tuple[Place, float] | None:
    places = bad.nonzero()
    if not len(places):
        return None
    place = tuple(places[0].tolist())
    return place, values[place].item()


def _check_kinds(logits: Tensor, labels: Tensor, mode: Mode) -> None:
    if mode not in MODES:
        message = f"mode is {mode!r}, expected {', '.join(MODES)}"
        raise ValueError(message)
    if not logits.is_floating_point():
        message = f"logits are {logits.dtype}, expected a floating dtype"
        raise ValueError(message)
    if labels.is_complex() or (mode == "multiclass" and labels.is_floating_point()):
        message = f"labels are {labels.dtype}, expected whole numbers such as torch.int64 or torch.uint8"
        raise ValueError(message)
    if logits.device != labels.device:
        message = f"labels are on {labels.device}, logits on {logits.device}: expected one device"
        raise ValueError(message)


def _check_shapes(logits: Tensor, labels: Tensor, mode: Mode) -> None:
    shape, got = tuple(logits.shape), tuple(labels.shape)
    if len(shape) < _MIN_LOGITS_DIMS - (mode == "binary"):
        message = f"logits have shape {shape}, expected (N, {'' if mode == 'binary' else 'C, '}*S)"
        raise ValueError(message)
    if mode == "multiclass" and shape[1] < 2:  # noqa: PLR2004 - a choice needs two
        message = f"logits have shape {shape}: the softmax of {shape[1]} class is no choice, expected 2 classes or more"
        raise ValueError(message)
    expected = (*shape[:1], *shape[2:]) if mode == "multiclass" else shape
    if got != expected:
        message = f"labels have shape {got}, expected {expected} to match {mode} logits of shape {shape}"
        raise ValueError(message)


def unsoundness(
    logits: Tensor, labels: Tensor, n_labels: int, ignore_index: int | None, *, soft: bool = False
) -> str | None:
    """Look for the first value that should not be there, and return a sentence with its place; None where all is well.

    Examples:
        >>> unsoundness(torch.zeros(1, 2), torch.tensor([7]), 2, 255)
        'labels hold 7 at (0,), expected 0 to 1, or ignore_index 255'
    """
    found = first_bad_logit(logits.detach())
    if found:
        return f"logits hold {found[1]} at {found[0]}, expected finite numbers"
    found = first_bad_label(labels.detach(), n_labels, ignore_index, soft=soft)
    if found:
        ignored = "" if ignore_index is None else f", or ignore_index {ignore_index}"
        return f"labels hold {found[1]:g} at {found[0]}, expected 0 to {n_labels - 1}{ignored}"
    return None


def refuse_unsound(
    logits: Tensor, labels: Tensor, n_labels: int, ignore_index: int | None, *, soft: bool = False
) -> None:
    """Raise with what `unsoundness` says, if anything.

    Raises:
        ValueError: For logits that are not finite, and labels that are none.
    """
    message = unsoundness(logits, labels, n_labels, ignore_index, soft=soft)
    if message:
        raise ValueError(message)
