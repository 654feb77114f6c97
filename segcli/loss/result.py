"""What an evaluation answers: plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segcli.loss.pictures.pixel_histogram import PixelHistogram

PerClass = tuple[float | None, ...]
# Tells that files went different ways; a branch of `segcli.nn` else.
MIXED = "mixed"


@dataclass(frozen=True)
class LossValue:
    """One loss.

    Attributes:
        value: The loss of the batch; of several files their mean, or that of all pixels as one batch.
        per_class: Its part for each class: the mean over the class's pixels, for region losses over its images. None
            where the class does not enter the mean.
        parameters: What it was computed with; what is not among them is the library's default.
        n_averaged: How many values it is the mean of: files, of all pixels as one batch the images of a region loss (1
            where it is that of the batch). None for means over pixels.
    """

    value: float
    per_class: PerClass
    parameters: Mapping[str, Any] = field(default_factory=dict)
    n_averaged: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class OhemValue(LossValue):
    """OHEM, with what was chosen; described at ``segcli.nn.OhemSelection``. Counts of several files are added up.

    Attributes:
        threshold: The probability that told kept pixels from others; of several files, the mean.
        loss_threshold: The same as a loss.
        branch: That of ``segcli.nn``, or ``mixed``.
        n_kept_per_class: Kept pixels by class; pixels that tie for the last places share them, so parts may occur.
        n_files_by_branch: How many files went which way; None for one batch.
    """

    n_valid: int = field(kw_only=True)
    n_hard: int = field(kw_only=True)
    n_min: int = field(kw_only=True)
    n_kept: int = field(kw_only=True)
    threshold: float = field(kw_only=True)
    loss_threshold: float = field(kw_only=True)
    branch: str = field(kw_only=True)
    n_kept_per_class: tuple[float, ...] = field(kw_only=True)
    n_files_by_branch: Mapping[str, int] | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Source:
    """A tensor as it was saved, or the folder of many.

    Attributes:
        file: Its name.
        shape: That of all; None where they differ.
        dtype: That of all; None where they differ.
    """

    file: str
    shape: tuple[int, ...] | None
    dtype: str | None


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
        logits: The logits' file or folder.
        labels: The labels' file or folder.
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        device: Where it was computed.
        n_files: How many pairs of files.
        n_images: Of all files.
        n_labels: Labels in all: pixels, or for multilabel pixels times classes.
        n_valid: Those that are not ignored.
        n_ignored: Those that are.
        n_bytes: How many were read.
        classes: In order.
    """

    logits: Source
    labels: Source
    mode: str
    device: str
    n_files: int
    n_images: int
    n_labels: int
    n_valid: int
    n_ignored: int
    n_bytes: int
    classes: tuple[ClassCount, ...]


@dataclass(frozen=True)
class Metrics:
    """How predictions, the classes with the largest logit, compare with labels.

    Attributes:
        pixel_accuracy: The share of valid pixels whose prediction is right; None where nothing is valid.
        mean_iou: The mean of the classes' IoU; None where no class has one.
        iou_per_class: Intersection over union; None where a class is neither labelled nor predicted.
        accuracy_per_class: The share of the class's pixels that are predicted so (recall).
        confusion: Pixels by label (rows) and prediction (columns); for multilabel by class, label and prediction.
    """

    pixel_accuracy: float | None
    mean_iou: float | None
    iou_per_class: PerClass
    accuracy_per_class: PerClass
    confusion: tuple[Any, ...]


@dataclass(frozen=True)
class ImageValue:
    """The losses of one image.

    Attributes:
        name: The pair's name, with the image's place in a file of several: ``frame[3]``.
        n_valid: Its labels that are not ignored.
        losses: By name.
        accuracy: The share of pixels that are predicted right, where metrics were asked for.
        heatmap: The picture of its hard pixels, where one was drawn.
    """

    name: str
    n_valid: int
    losses: Mapping[str, float]
    accuracy: float | None = None
    heatmap: str = ""


@dataclass(frozen=True)
class SweepPoint:
    """A loss at one point of a sweep.

    Attributes:
        loss: Which one.
        point: The swept parameters and their values here.
        value: The loss.
        kept: OHEM's share of the valid pixels that were kept.
        branch: OHEM's branch.
    """

    loss: str
    point: Mapping[str, Any]
    value: float
    kept: float | None = None
    branch: str | None = None


@dataclass(frozen=True)
class ProjectFigure:
    """Another project's number beside ours.

    Attributes:
        project: Its name.
        loss: Which one.
        call: How a user of the project calls it, with the same parameters where it has them.
        value: Theirs, in the mean over files; None where they have no number.
        ours: Ours, with the same parameters.
        reasons: Why they differ on this data.
        error: What their code raises or returns in place of a number.
        remark: What is worth knowing though it changes nothing here.
    """

    project: str
    loss: str
    call: str
    value: float | None
    ours: float
    reasons: tuple[str, ...]
    error: str = ""
    remark: str = ""


@dataclass(frozen=True)
class BadFile:
    """A pair that could not be evaluated, and why."""

    name: str
    message: str


@dataclass(frozen=True)
class LossResult:
    """An evaluation.

    Attributes:
        losses: By name.
        total: The sum that was asked for, ``ce + 0.5*dice``; None for a list of losses.
        metrics: Where they were asked for.
        per_image: The worst first, as many as were asked for.
        sweep: Each loss at each point.
        projects: Other projects' numbers.
        gradient: The gradient's norm by class, of each loss; the mean over files.
        histogram: How the losses of pixels are distributed; None unless OHEM was evaluated.
        inputs: What was evaluated.
        settings: With which parameters.
        backend: What computed.
        errors: Files that were left out.
        notes: Remarks in words.
    """

    losses: Mapping[str, LossValue]
    total: float | None
    metrics: Metrics | None
    per_image: tuple[ImageValue, ...]
    sweep: tuple[SweepPoint, ...]
    projects: tuple[ProjectFigure, ...]
    gradient: Mapping[str, PerClass] | None
    histogram: PixelHistogram | None
    inputs: LossInputs
    settings: Mapping[str, Any]
    backend: str
    errors: tuple[BadFile, ...]
    notes: tuple[str, ...]
