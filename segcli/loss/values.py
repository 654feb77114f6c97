"""What the values of logits and labels must be, in the words of a person who saved them."""

from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.loss.layout import Layout
from segcli.nn.kernels.checks import first_bad_label, first_bad_logit
from segcli.units import format_count

if TYPE_CHECKING:
    from torch import Tensor

# What datasets use to mark pixels that do not count.
_USUAL_IGNORES = (-1, -100, 255)
_PROBABILITY_SLACK = 1e-3


def check_logits(logits: "Tensor", name: str) -> None:
    """Refuse logits that are none: whole numbers, NaN, infinities.

    Raises:
        SegcliError: Naming the first bad place.
    """
    if not logits.is_floating_point():
        message = f"{name} holds {_dtype(logits)}, expected floating logits"
        raise SegcliError(message, hint="are LOGITS and LABELS swapped, or are these classes after an argmax?")
    found = first_bad_logit(logits)
    if found:
        place, value = found
        bad = int((~logits.isfinite()).sum())
        message = f"{name} holds {value} at {place}, expected finite numbers"
        hint = f"{format_count(bad)} of {format_count(logits.numel())} values are NaN or infinite: the network diverged"
        raise SegcliError(message, hint)


def check_labels(labels: "Tensor", name: str, layout: Layout, ignore_index: int, *, guessed: bool) -> None:
    """Refuse labels that are none: fractions, classes that the logits do not have, one-hot labels taken for binary.

    Args:
        labels: As they were saved.
        name: What to call them.
        layout: What the shapes said.
        ignore_index: What else a label may be.
        guessed: Whether the mode was told by the shapes alone.

    Raises:
        SegcliError: Naming the first bad place.
    """
    if labels.is_complex() or (layout.mode == "multiclass" and labels.is_floating_point()):
        message = f"{name} holds {_dtype(labels)}, expected whole numbers"
        raise SegcliError(message, hint="save classes: labels.long() or labels.astype('int64'), without scaling")
    found = first_bad_label(labels, layout.n_classes if layout.mode == "multiclass" else 2, ignore_index)
    if found:
        place, value = found
        top = layout.n_classes - 1 if layout.mode == "multiclass" else 1
        message = f"{name} holds {value:g} at {place}, expected 0 to {top}, or {ignore_index} where ignored"
        raise SegcliError(message, hint=_label_reason(labels, top, ignore_index))
    if guessed and layout.mode == "binary" and _is_one_hot(labels, layout):
        message = f"{name} {tuple(labels.shape)} has one 1 along its first axis at every pixel: one-hot labels"
        raise SegcliError(message, hint="save labels.argmax(0) for classes, or say --mode binary for a batch of masks")


def observations(logits: "Tensor", labels: "Tensor", layout: Layout, ignore_index: int) -> list[str]:
    """Return what a careful reader would remark about values that are valid."""
    notes = []
    n_ignored = int((labels == ignore_index).sum())
    if n_ignored == labels.numel():
        notes.append("no pixel is valid, so every loss is 0 by definition")
    elif n_ignored and layout.mode == "binary" and not bool((labels == 1).any()):
        notes.append(
            f"no label is 1 and {format_count(n_ignored)} are ignored ({ignore_index}): if {ignore_index} is the "
            f"foreground, save labels == {ignore_index}"
        )
    if _are_probabilities(logits, layout):
        notes.append("the logits look like probabilities (from 0 to 1): losses expect what comes before the softmax")
    return notes


def _dtype(tensor: "Tensor") -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _label_reason(labels: "Tensor", top: int, ignore_index: int) -> str:
    import torch

    # A float64 holds every label that is a label.
    values = labels.to(torch.float64)
    bad = torch.unique(values[(values != ignore_index) & ((values < 0) | (values > top) | (values != values.round()))])
    least, most = float(values.min()), float(values[values != ignore_index].max())
    if len(bad) == 1 and bad[0].item() in _USUAL_IGNORES:
        return f"if {bad[0]:g} marks ignored pixels: --ignore-index {bad[0]:g}"
    if bool((bad != bad.round()).any()):
        return "probabilities? save classes: 0 or 1"
    if len(bad) == 1 and least >= 1 and most == top + 1:
        return f"labels from 1 to {most:g}: subtract 1"
    return f"labels reach {most:g}, the logits have classes 0 to {top}: map the raw ids to these first"


def _is_one_hot(labels: "Tensor", layout: Layout) -> bool:
    import torch

    # Where a batch axis was added or a class axis of one taken off, the first axis cannot be that of classes.
    if layout.labels[0] < 2 or tuple(labels.shape) != layout.labels:  # noqa: PLR2004 - a choice needs two
        return False
    return bool(((labels == 1).sum(0, dtype=torch.int64) == 1).all()) and bool((labels <= 1).all())


def _are_probabilities(logits: "Tensor", layout: Layout) -> bool:
    import torch

    if not logits.numel() or not (float(logits.min()) >= 0 and float(logits.max()) <= 1):
        return False
    if layout.mode != "multiclass":
        return bool((logits > 0).any())
    sums = logits.reshape(layout.logits).sum(1, dtype=torch.float32)
    return bool(((sums - 1).abs() < _PROBABILITY_SLACK).all())
