"""What an evaluation answers: plain data."""

from dataclasses import dataclass
from typing import Any

PerClass = tuple[float | None, ...]


@dataclass(frozen=True)
class LossValue:
    """One loss.

    Attributes:
        value: The loss of the batch.
        per_class: Its part for each class: the mean over the class's pixels, for Dice over its images. None where
            the class does not enter the mean.
    """

    value: float
    per_class: PerClass


@dataclass(frozen=True)
class OhemValue(LossValue):
    """OHEM, with what was chosen; described at ``segcli.nn.OhemSelection``.

    Attributes:
        n_kept_per_class: Kept pixels by class; pixels that tie for the last places share them, so parts may occur.
    """

    n_valid: int
    n_hard: int
    n_min: int
    n_kept: int
    threshold: float
    loss_threshold: float
    branch: str
    n_kept_per_class: tuple[float, ...]


@dataclass(frozen=True)
class Source:
    """A tensor as it was saved."""

    file: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class ClassCount:
    """A class, and the valid pixels labelled so."""

    index: int
    name: str
    n_pixels: int


@dataclass(frozen=True)
class LossInputs:
    """What was evaluated.

    Attributes:
        logits: The logits' file.
        labels: The labels' file.
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        device: Where it was computed.
        n_images: Of the batch.
        n_labels: Labels in all: pixels, or for multilabel pixels times classes.
        n_valid: Those that are not ignored.
        n_ignored: Those that are.
        classes: In order.
    """

    logits: Source
    labels: Source
    mode: str
    device: str
    n_images: int
    n_labels: int
    n_valid: int
    n_ignored: int
    classes: tuple[ClassCount, ...]


@dataclass(frozen=True)
class LossResult:
    """The losses by name, what they were computed from and with, and remarks in words."""

    losses: dict[str, LossValue]
    inputs: LossInputs
    settings: dict[str, Any]
    notes: tuple[str, ...]
