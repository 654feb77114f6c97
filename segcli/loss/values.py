"""What the values of logits and labels must be, in the words of a person who saved them."""

from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.loss.result import Source
from segcli.loss.settings import LossSettings
from segcli.loss.sources.layout import Layout
from segcli.nn.kernels.checks import first_bad_label, first_bad_logit
from segcli.units import format_count

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.sources.sample import Sample

# What datasets use to mark pixels that do not count.
_USUAL_IGNORES = (-1, -100, 255)
_PROBABILITY_SLACK = 1e-3
# At so many pixels of the first image it is told whether logits look like probabilities.
_LOOKED_AT = 4096


def check_logits(logits: "Tensor", name: str) -> None:
    """Refuse logits that are none: NaN, infinities.

    Raises:
        SegcliError: Naming the first bad place.
    """
    found = first_bad_logit(logits)
    if found:
        place, value = found
        bad = int((~logits.isfinite()).sum())
        message = f"{name} holds {value} at {place}, expected finite numbers"
        hint = f"{format_count(bad)} of {format_count(logits.numel())} values are NaN or infinite: the network diverged"
        raise SegcliError(message, hint)


def check_one_hot(labels: "Tensor", source: Source, layout: Layout) -> None:
    """Refuse one-hot labels that are taken for a batch of masks, as the shapes alone say.

    Raises:
        SegcliError: Where each pixel has one 1 along the first axis.
    """
    if layout.mode == "binary" and source.shape == layout.labels and _is_one_hot(labels):
        message = f"{source.file} {source.shape} has one 1 along its first axis at every pixel: one-hot labels"
        raise SegcliError(message, hint="save labels.argmax(0) for classes, or say --mode binary for a batch of masks")


def check_labels(labels: "Tensor", name: str, layout: Layout, ignore_index: int) -> None:
    """Refuse labels that are none: fractions, classes that the logits do not have.

    Args:
        labels: As they were saved.
        name: What to call them.
        layout: What the shapes said.
        ignore_index: What else a label may be.

    Raises:
        SegcliError: Naming the first bad place.
    """
    found = first_bad_label(labels, layout.n_classes if layout.mode == "multiclass" else 2, ignore_index)
    if found:
        place, value = found
        top = layout.n_classes - 1 if layout.mode == "multiclass" else 1
        message = f"{name} holds {value:g} at {place}, expected 0 to {top}, or {ignore_index} where ignored"
        raise SegcliError(message, hint=_label_reason(labels, top, ignore_index))


def observations(sample: "Sample", settings: LossSettings, counts: "Tensor") -> list[str]:
    """Return what a careful reader would remark about values that are valid.

    Args:
        sample: What was read.
        settings: What does not count.
        counts: How many valid labels there are, by image and label as `segcli.nn.kernels.Statistics.count`.
    """
    notes = []
    n_valid = int(counts.sum())
    n_ignored = sample.labels.numel() - n_valid
    if not n_valid:
        notes.append("no pixel is valid, so every loss is 0 by definition")
    elif n_ignored and sample.layout.mode == "binary" and not int(counts[..., 1].sum()):
        ignored = settings.ignore_index
        notes.append(
            f"no label is 1 and there are ignored ones ({ignored}): if {ignored} is the "
            f"foreground, save labels == {ignored}"
        )
    if settings.from_logits and _are_probabilities(sample.logits, sample.layout):
        notes.append("the logits look like probabilities (from 0 to 1): if they are, say --probabilities")
    return notes


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


def _is_one_hot(labels: "Tensor") -> bool:
    import torch

    if len(labels) < 2 or not labels.numel():  # noqa: PLR2004 - a choice needs two
        return False
    # A look at one row spares most files the look at all.
    for part in (labels[:, :1], labels):
        if not bool(((part == 1).sum(0, dtype=torch.int64) == 1).all()) or not bool((part <= 1).all()):
            return False
    return True


def _are_probabilities(logits: "Tensor", layout: Layout) -> bool:
    """Look at some pixels from end to end: a network's logits leave the range of 0 to 1 almost anywhere."""
    import torch

    axis = 1 if layout.mode == "binary" else 2
    flat = logits[:1].flatten(axis)
    some = flat[..., :: max(1, flat.shape[-1] // _LOOKED_AT)].to(torch.float32)
    if not some.numel() or not (float(some.min()) >= 0 and float(some.max()) <= 1):
        return False
    if layout.mode != "multiclass":
        return bool((some > 0).any())
    return bool(((some.sum(1) - 1).abs() < _PROBABILITY_SLACK).all())
