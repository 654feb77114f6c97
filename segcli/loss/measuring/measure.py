"""What is measured of one pair of files: the losses for people, and sums that add up over files."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from segcli.errors import SegcliError
from segcli.loss.cases import Case, cases_of, losses_that_apply
from segcli.loss.comparing import project_entries
from segcli.loss.kinds import check_kind, kind_of, names_of_classes
from segcli.loss.measuring.batch import Batch, Needs, needs_of
from segcli.loss.measuring.figures import OF_PIXELS, count_classes, lovasz_of, value_of
from segcli.loss.measuring.gradient import gradient_norms
from segcli.loss.measuring.reader import Read, loaded, read_all, whole_of_file
from segcli.loss.measuring.tallies import tally_of
from segcli.loss.measuring.whole import values_of_whole
from segcli.loss.result import LossValue, OhemValue, Source
from segcli.loss.settings import LossSettings, written
from segcli.loss.spreading.measured import Measured
from segcli.loss.values import check_labels, check_logits, check_one_hot, observations
from segcli.units import format_count

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.loss.evaluation import Evaluation
    from segcli.loss.sources.sample import Sample


def measure(sample: "Sample", evaluation: "Evaluation") -> Measured:
    """Read a sample once, and evaluate every case on it.

    Raises:
        SegcliError: For values that are none, losses that do not apply, and parameters out of range.
    """
    settings, mode = evaluation.settings, sample.layout.mode
    _check_kind(sample, evaluation)
    losses = losses_that_apply(settings, mode, sample.pair.logits)
    if not settings.losses and not settings.metrics:
        return _read_alone(sample, settings)
    if settings.mode == "auto":
        check_one_hot(sample.labels, sample.sources[1], sample.layout)
    cases = cases_of(settings, mode, losses, evaluation.axes)
    needs = needs_of(cases, settings)
    with torch.inference_mode(), explained(sample, evaluation):
        read = read_all(sample, settings, needs, evaluation.device)
        values = _values(cases, read, sample, evaluation, needs)
    gradient = _gradient(cases, sample, evaluation) if settings.gradient else {}
    line = _line(sample, cases, values, read.batch, gradient)
    with torch.inference_mode():
        tally = tally_of(sample, cases, values, read, needs, settings.over, gradient)
        line |= _images(cases, read.batch, sample, evaluation)
        if evaluation.heatmaps is not None:
            line["heatmaps"] = _heatmaps(sample, values, read.batch, evaluation.heatmaps, force=evaluation.force)
        if evaluation.projects:
            line["projects"] = _projects(losses, sample, evaluation)
    line["notes"] = observations(sample, settings, read.batch.found.count)
    return Measured(sample.pair.name, line, tally, sample.n_bytes)


def _check_kind(sample: "Sample", evaluation: "Evaluation") -> None:
    kind = kind_of(sample)
    if evaluation.kind is not None:
        check_kind(kind, evaluation.kind)
    names_of_classes(evaluation.settings, kind)


def _read_alone(sample: "Sample", settings: LossSettings) -> Measured:
    """Touch every byte, and count labels: what reading costs without any loss."""
    sample.logits.sum()
    mode = sample.layout.mode
    valid = sample.labels != settings.ignore_index
    n_classes = sample.layout.n_classes
    if mode == "multilabel":
        classes = ((sample.labels == 1) & valid).transpose(0, 1).flatten(1).sum(1)
    else:
        known = sample.labels[valid].to(torch.int64)
        classes = torch.bincount(known[(known >= 0) & (known < n_classes)], minlength=n_classes)
    n_valid = int(valid.sum())
    line = _facts(sample, "none", n_classes, n_valid) | {"losses": {}, "notes": []}
    counts = [1, len(sample.labels), sample.labels.numel(), n_valid, sample.n_bytes]
    tally = {"counts": torch.tensor(counts), "classes": classes, "values": torch.zeros(0, 2, dtype=torch.float64)}
    return Measured(sample.pair.name, line, tally, sample.n_bytes)


def _values(
    cases: Sequence[Case], read: Read, sample: "Sample", evaluation: "Evaluation", needs: Needs
) -> list[LossValue]:
    settings = evaluation.settings
    of_pixels = [case for case in cases if case.loss in OF_PIXELS]
    others = [case for case in cases if case.loss not in OF_PIXELS]
    found = {
        case.key: value for case, value in zip(others, _of_sums(others, read, sample, evaluation, needs), strict=True)
    }
    if of_pixels:
        known = loaded(sample, settings, evaluation.device)
        for case in of_pixels:
            found[case.key] = lovasz_of(case, *known, read.batch.found, settings.ignore_index)
    return [found[case.key] for case in cases]


def _of_sums(
    cases: Sequence[Case], read: Read, sample: "Sample", evaluation: "Evaluation", needs: Needs
) -> list[LossValue]:
    if not read.levels:
        return [value_of(case, read.batch) for case in cases]
    whole = whole_of_file(sample, evaluation.settings, needs, evaluation.device, read)
    of_ohem = iter(values_of_whole([case for case in cases if case.loss == "ohem"], whole))
    return [next(of_ohem) if case.loss == "ohem" else value_of(case, read.batch) for case in cases]


@contextmanager
def explained(sample: "Sample", evaluation: "Evaluation") -> Iterator[None]:
    """Say what the library says of values as a person who saved them needs it.

    Raises:
        SegcliError: In place of a ValueError.
    """
    try:
        yield
    except ValueError as error:
        settings, layout = evaluation.settings, sample.layout
        last = evaluation.arrangement.layout == "NHWC"
        check_logits(*_as_saved(sample.logits, sample.sources[0], moved=last and layout.mode != "binary"))
        labels = _as_saved(sample.labels, sample.sources[1], moved=last and layout.mode == "multilabel")
        check_labels(*labels, layout, settings.ignore_index)
        message = f"{sample.pair.name}: {error}" if evaluation.n_pairs > 1 else str(error)
        raise SegcliError(message) from error


def _as_saved(tensor: "Tensor", source: Source, *, moved: bool) -> "tuple[Tensor, str]":
    """Return a tensor in the shape that it was saved in, so that places are those of the file, and what to call it."""
    if tensor.numel() != math.prod(source.shape or ()):
        return tensor, f"{source.file}, resized,"
    if moved:
        return tensor, f"{source.file} with channels first"
    return tensor.reshape(source.shape or ()), source.file


def _gradient(cases: Sequence[Case], sample: "Sample", evaluation: "Evaluation") -> dict[str, tuple[float, ...]]:
    settings, mode = evaluation.settings, sample.layout.mode
    known = loaded(sample, settings, evaluation.device)
    plain = [case for case in cases if not case.point]
    return gradient_norms(plain, settings.factors, *known, mode, settings.ignore_index)


def _heatmaps(sample: "Sample", values: Sequence[LossValue], batch: Batch, folder: Path, *, force: bool) -> list[str]:
    """Draw which pixels OHEM keeps."""
    from segcli.loss.pictures.heatmap import write_heatmaps

    ohem = next(value for value in values if isinstance(value, OhemValue))
    pixels = batch.found.pixels
    if pixels is None:
        message = f"{sample.pair.logits} has {format_count(sample.labels.numel())} labels, too many for a --heatmap"
        raise SegcliError(message, hint="leave it out, or save fewer images a file")
    # Pixels that tie for the last places are drawn as kept.
    whole = ohem.branch in ("top-k", "all")
    kept = (pixels >= ohem.loss_threshold if whole else pixels > ohem.loss_threshold) & (pixels >= 0)
    if sample.layout.mode == "multilabel":
        # Of a pixel's labels the hardest.
        pixels, kept = pixels.amax(1), kept.amax(1)
    paths = write_heatmaps(
        folder,
        sample.pair.name,
        pixels.float().cpu(),
        threshold=ohem.loss_threshold,
        kept=kept.float().cpu(),
        image=sample.pair.image,
        force=force,
    )
    return [str(path) for path in paths]


def _projects(losses: Sequence[str], sample: "Sample", evaluation: "Evaluation") -> list[dict[str, Any]]:
    if sample.layout.mode == "multilabel":
        message = f"{sample.pair.logits} is multilabel, expected multiclass or binary with --as"
        raise SegcliError(message)
    known = loaded(sample, evaluation.settings, evaluation.device)
    with explained(sample, evaluation):
        return project_entries(evaluation.projects, losses, *known, sample.layout.mode, evaluation.settings)


def _line(
    sample: "Sample",
    cases: Sequence[Case],
    values: Sequence[LossValue],
    batch: Batch,
    gradient: dict[str, tuple[float, ...]],
) -> dict[str, Any]:
    pairs = list(zip(cases, values, strict=True))
    found = batch.found
    line = _facts(sample, found.backend, count_classes(found).numel(), int(found.count.sum()))
    line["losses"] = {case.loss: _plain(value) for case, value in pairs if not case.point}
    confusion = batch.found.confusion
    if confusion is not None:
        line["accuracy"] = _accuracy(confusion)
    if any(case.point for case in cases):
        line["sweep"] = [
            {"loss": case.loss, **{name: written(x) for name, x in case.point}, "value": value.value}
            for case, value in pairs
            if case.point
        ]
    return line | ({"gradient": {name: list(norms) for name, norms in gradient.items()}} if gradient else {})


def _facts(sample: "Sample", backend: str, n_classes: int, n_valid: int) -> dict[str, Any]:
    return {
        "name": sample.pair.name,
        "logits": sample.pair.logits,
        "labels": sample.pair.labels,
        "mode": sample.layout.mode,
        "backend": backend,
        "shapes": [list(source.shape or ()) for source in sample.sources],
        "dtypes": [source.dtype for source in sample.sources],
        "n_classes": n_classes,
        "n_images": len(sample.labels),
        "n_labels": sample.labels.numel(),
        "n_valid": n_valid,
        "n_bytes": sample.n_bytes,
    }


def _accuracy(confusion: "Tensor") -> float | None:
    """Return the share of what is counted in the diagonal, of one matrix or of one a class."""
    total = int(confusion.sum())
    return int(confusion.diagonal(dim1=-2, dim2=-1).sum()) / total if total else None


def _plain(value: LossValue) -> dict[str, Any]:
    left_out = ("parameters", "n_averaged", "n_files_by_branch")
    return {name: part for name, part in asdict(value).items() if name not in left_out}


def _images(cases: Sequence[Case], batch: Batch, sample: "Sample", evaluation: "Evaluation") -> dict[str, Any]:
    """Evaluate each image of a file of several by itself."""
    plain = [case for case in cases if not case.point]
    if len(sample.labels) == 1 or (batch.found.pixels is None and any(case.loss == "ohem" for case in plain)):
        return {}
    known = loaded(sample, evaluation.settings, evaluation.device) if _sorts(plain) else None
    images = []
    for i in range(len(sample.labels)):
        image = batch.image(i)
        losses = {case.loss: value_of(case, image).value for case in plain if case.loss not in OF_PIXELS}
        if known is not None:
            one = known[0][i : i + 1], known[1][i : i + 1]
            ignored = evaluation.settings.ignore_index
            own = {case.loss: lovasz_of(case, *one, image.found, ignored).value for case in plain if _sorts([case])}
            losses = {case.loss: (losses | own)[case.loss] for case in plain}
        images.append({"index": i, "n_valid": int(image.found.count.sum()), "losses": losses})
    return {"images": images}


def _sorts(cases: Sequence[Case]) -> bool:
    return any(case.loss in OF_PIXELS for case in cases)
