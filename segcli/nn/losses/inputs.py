"""What every loss does with its inputs first: check them, give ignored places a harmless label, choose a dtype.

A mistake is a `ValueError`, as torch's own losses raise, and not segcli's error for command lines: training code
catches it by a name it knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Mode = Literal["multiclass", "multilabel", "binary"]
Weights = Tensor | Sequence[float] | None
Place = tuple[int, ...]

MODES: tuple[Mode, ...] = ("multiclass", "multilabel", "binary")
# One class axis and the batch axis.
_MIN_LOGITS_DIMS = 2


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs made ready for arithmetic.

    Attributes:
        logits: In float32 or float64, with the graph of what was given.
        labels: 0 where ignored; int64 for multiclass, else of the logits' dtype.
        valid: True where the label counts; of the labels' shape.
    """

    logits: Tensor
    labels: Tensor
    valid: Tensor

    @property
    def n_classes(self) -> int:
        """The size of the class axis."""
        return self.logits.shape[1]


def prepare(
    logits: Tensor, labels: Tensor, *, mode: Mode, ignore_index: int | None, validate: bool, soft: bool = False
) -> Inputs:
    """Check the inputs of a loss and make them ready.

    Shapes, dtypes and devices are always checked, at no cost. Values are checked under ``validate``, before any
    kernel that would index with them; that reads both tensors once, and on CUDA waits for the device twice.

    Args:
        logits: (N, C, *S) for multiclass and multilabel, (N, *S) for binary.
        labels: (N, *S) for multiclass, of the logits' shape for the others.
        mode: How logits and labels belong together.
        ignore_index: The label of pixels that do not count; None where all do.
        validate: Whether values are checked.
        soft: Whether labels may lie between 0 and 1.

    Raises:
        ValueError: For a wrong shape, dtype, device or value, naming the first bad place.

    Examples:
        >>> prepare(
        ...     torch.zeros(1, 2, 3), torch.tensor([[0, 255, 1]]), mode="multiclass", ignore_index=255, validate=True
        ... ).valid
        tensor([[ True, False,  True]])
    """
    _check_kinds(logits, labels, mode)
    _check_shapes(logits, labels, mode)
    n_classes = logits.shape[1] if mode == "multiclass" else 2
    if validate:
        _check_values(logits, labels, n_classes, ignore_index, soft=soft)
    valid = torch.ones_like(labels, dtype=torch.bool) if ignore_index is None else labels != ignore_index
    logits = logits.to(compute_dtype(logits.dtype))
    ready = labels.to(torch.int64 if mode == "multiclass" else logits.dtype)
    return Inputs(logits, ready.masked_fill(~valid, 0), valid)


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return what a loss on ``dtype`` computes and answers in: float32 for the half types, else the same.

    Examples:
        >>> compute_dtype(torch.bfloat16)
        torch.float32
    """
    return dtype if dtype == torch.float64 else torch.float32


def class_weights(weight: Weights, n_classes: int, like: Tensor, name: str = "weight") -> Tensor | None:
    """Return a weight a class on the device and in the dtype of ``like``, or None.

    Raises:
        ValueError: Where there are not ``n_classes`` of them.

    Examples:
        >>> class_weights([1, 2], 2, torch.zeros(1))
        tensor([1., 2.])
    """
    if weight is None:
        return None
    weights = torch.as_tensor(weight, dtype=like.dtype, device=like.device)
    if tuple(weights.shape) != (n_classes,):
        message = f"{name} has shape {tuple(weights.shape)}, expected ({n_classes},): one a class"
        raise ValueError(message)
    return weights


def checked_weights(weight: Weights, name: str = "weight") -> Tensor | None:
    """Return class weights as a module keeps them, refusing what could never be any.

    Raises:
        ValueError: Where they are not a row of finite numbers of 0 or more.

    Examples:
        >>> checked_weights([1, -1])
        Traceback (most recent call last):
        ValueError: weight is [1.0, -1.0], expected finite numbers of 0 or more, one a class
    """
    if weight is None:
        return None
    weights = torch.as_tensor(weight).detach()
    weights = weights if weights.is_floating_point() else weights.to(torch.get_default_dtype())
    if weights.dim() != 1 or not bool(((weights >= 0) & weights.isfinite()).all()):
        message = f"{name} is {weights.tolist()}, expected finite numbers of 0 or more, one a class"
        raise ValueError(message)
    return weights


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


def _check_values(logits: Tensor, labels: Tensor, n_classes: int, ignore_index: int | None, *, soft: bool) -> None:
    found = first_bad_logit(logits.detach())
    if found:
        message = f"logits hold {found[1]} at {found[0]}, expected finite numbers"
        raise ValueError(message)
    found = first_bad_label(labels.detach(), n_classes, ignore_index, soft=soft)
    if found:
        ignored = "" if ignore_index is None else f", or ignore_index {ignore_index}"
        message = f"labels hold {found[1]:g} at {found[0]}, expected 0 to {n_classes - 1}{ignored}"
        raise ValueError(message)
