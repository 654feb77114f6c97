"""An evaluation as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from segcli.loss.confusion_table import confusion_table
from segcli.loss.pictures.histogram_table import histogram_table
from segcli.loss.result import (
    MIXED,
    ImageValue,
    LossInputs,
    LossResult,
    LossValue,
    OhemValue,
    PerClass,
    Source,
    SweepPoint,
)
from segcli.loss.settings import written
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_count, format_number

_LOSS_COLUMNS = (Column("loss"), Column("value", "number"), Column("mean over"), Column("with"))
_OHEM_COLUMNS = (
    Column("pixels"),
    Column("count", "count"),
    Column("of valid", "bar"),
    Column("meaning"),
)
_PROJECT_COLUMNS = (
    Column("project"),
    Column("loss"),
    Column("theirs", "number"),
    Column("ours", "number"),
    Column("their call, and why it differs here"),
)
_OF_REGIONS = ("dice", "jaccard", "tversky", "focal-tversky", "generalized-dice", "lovasz-softmax", "lovasz-hinge")
# Defaults that go without saying.
_UNSAID: Mapping[str, Any] = {"semantics": "exact", "mean": None, "squared": False, "weight": None}
_MOST_ERRORS = 20
# What goes first where a terminal is too narrow; then losses, from the last on.
_BAR_GOES, _KEPT_GOES = 1, 2


def tables(result: LossResult) -> tuple[Table, ...]:
    """Return the losses, then whatever else was asked for, a table each."""
    ohem = result.losses.get("ohem")
    found = [_loss_table(result)]
    if isinstance(ohem, OhemValue):
        found.append(_ohem_table(ohem))
        if result.histogram is not None and ohem.n_valid:
            found.append(histogram_table(result.histogram))
    found.append(_class_table(result))
    if result.metrics is not None and result.inputs.mode != "multilabel":
        found += [table] if (table := confusion_table(result.metrics.confusion, result.inputs.classes)).rows else []
    if result.gradient is not None:
        found.append(_gradient_table(result.gradient, result.inputs))
    if result.per_image:
        found.append(_image_table(result.per_image, result))
    found += [_sweep_table(loss, list(points)) for loss, points in groupby(result.sweep, lambda point: point.loss)]
    if result.projects:
        found.append(_project_table(result))
    if result.errors:
        found.append(_error_table(result))
    return tuple(found)


def records(result: LossResult) -> tuple[Table, ...]:
    """Return what a program reads as one table: the points of the sweep, or the losses where there is none."""
    if not result.sweep:
        return (replace(_loss_table(result), columns=_LOSS_COLUMNS),)
    names = tuple(dict.fromkeys(name for point in result.sweep for name in point.point))
    columns = (Column("loss"), *map(Column, names), Column("value", "number"), Column("kept"), Column("branch"))
    rows = [
        (point.loss, *(point.point.get(name) for name in names), point.value, point.kept, point.branch)
        for point in result.sweep
    ]
    return (Table("sweep", columns, rows),)


def _loss_table(result: LossResult) -> Table:
    rows: list[Sequence[Cell]] = [
        (name, loss.value, _domain(name, loss, result), _parameters(loss)) for name, loss in result.losses.items()
    ]
    if result.total is not None:
        rows.append(("total", result.total, "the sum that was asked for", ""))
    if result.metrics is not None:
        rows.append(("pixel accuracy", result.metrics.pixel_accuracy, _pixels(result.inputs), ""))
        n_classes = sum(value is not None for value in result.metrics.iou_per_class)
        rows.append(("mean IoU", result.metrics.mean_iou, _classes(n_classes), ""))
    inputs = result.inputs
    title = f"{_named(inputs.logits)} against {_named(inputs.labels)}: {inputs.mode}"
    return Table(title, _LOSS_COLUMNS if rows else (), rows, _read(inputs))


def _read(inputs: LossInputs) -> tuple[str, ...]:
    files = f"{format_count(inputs.n_files)} files, {format_bytes(inputs.n_bytes)}" if inputs.n_files > 1 else ""
    what = "labels" if inputs.mode == "multilabel" else "pixels"
    of_all = f"{format_count(inputs.n_ignored)} of {format_count(inputs.n_labels)} {what} are ignored"
    said = "; ".join(part for part in (files, of_all if inputs.n_ignored else "") if part)
    return (said,) if said else ()


def _named(source: Source) -> str:
    shape = "of several shapes" if source.shape is None else str(source.shape)
    return " ".join(part for part in (source.file, shape, source.dtype) if part)


def _domain(name: str, loss: LossValue, result: LossResult) -> str:
    inputs = result.inputs
    if _by_file(result):
        return f"{format_count(inputs.n_files)} files, each by itself"
    if isinstance(loss, OhemValue):
        return f"{format_count(loss.n_kept)} kept pixels"
    if name in _OF_REGIONS:
        n_classes = sum(value is not None for value in loss.per_class)
        classes = f"{_classes(n_classes)} " if n_classes else ""
        if loss.parameters.get("reduce") == "batch":
            return f"{classes}of the batch"
        return f"{classes.strip()}{', ' if classes else ''}{_images(inputs)}"
    return _pixels(inputs)


def _pixels(inputs: LossInputs) -> str:
    return f"{format_count(inputs.n_valid)} {'valid labels' if inputs.mode == 'multilabel' else 'valid pixels'}"


def _classes(count: int) -> str:
    return f"{count} class{'' if count == 1 else 'es'}"


def _images(inputs: LossInputs) -> str:
    return f"{format_count(inputs.n_images)} image{'' if inputs.n_images == 1 else 's'}"


def _parameters(loss: LossValue) -> str:
    shown = ((name, value) for name, value in loss.parameters.items() if name not in _UNSAID or value != _UNSAID[name])
    return ", ".join(f"{name} {setting(value)}" for name, value in shown)


def setting(value: object) -> str:
    """Return a parameter as a person writes it.

    Examples:
        >>> setting((1.0, 0.5)), setting(True)
        ('1,0.5', 'yes')
    """
    if isinstance(value, tuple):
        return ",".join(setting(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format_number(value) if isinstance(value, float) else str(written(value))


def _ohem_table(ohem: OhemValue) -> Table:
    thresh = format_number(ohem.parameters["thresh"])
    counts = (
        ("valid", ohem.n_valid, "not ignored"),
        ("hard", ohem.n_hard, f"p of the true class below thresh {thresh}"),
        ("at least", ohem.n_min, f"n_min {setting(ohem.parameters['n_min'])}"),
        ("kept", ohem.n_kept, _branch(ohem)),
    )
    rows = [(name, count, count / ohem.n_valid if ohem.n_valid else 0.0, meaning) for name, count, meaning in counts]
    return Table(f"ohem: branch {ohem.branch}", _OHEM_COLUMNS, rows, _ohem_notes(ohem, thresh))


def _ohem_notes(ohem: OhemValue, thresh: str) -> tuple[str, ...]:
    threshold, loss = format_number(ohem.threshold), format_number(ohem.loss_threshold)
    if ohem.branch == "none":
        return ()
    if ohem.n_files_by_branch is not None:
        words = ", ".join(f"{branch} in {format_count(n)}" for branch, n in ohem.n_files_by_branch.items() if n)
        return (f"branch of files: {words}; the effective thresh is {threshold} in their mean",)
    if ohem.branch in ("top-k", "all"):
        return (f"effective thresh {threshold}, not {thresh}: the easiest kept pixel has loss {loss}",)
    return (f"effective thresh {threshold}: kept are losses above {loss}",)


def _branch(ohem: OhemValue) -> str:
    return {
        "hard": "every hard pixel, as there are enough",
        "top-k": "the hardest, as fewer are hard than must be kept",
        "all": "all that is valid, as so many must be kept",
        "none": "nothing, so the loss is 0",
        MIXED: "of each file what its branch says",
    }[ohem.branch]


def _class_table(result: LossResult) -> Table:
    inputs, metrics = result.inputs, result.metrics
    columns = [Column("class"), Column("pixels", "count"), Column("of valid", "bar", spare=_BAR_GOES)]
    ohem = result.losses.get("ohem")
    shown = {name: loss for name, loss in result.losses.items() if any(part is not None for part in loss.per_class)}
    for column in _loss_columns(list(shown)):
        columns.append(column)
        if column.name == "ohem":
            columns.append(Column("kept", "count", spare=_KEPT_GOES))
    columns += [Column("IoU", "number")] if metrics else []
    rows: list[list[Cell]] = []
    for entry in inputs.classes:
        row: list[Cell] = [entry.name, entry.n_pixels, entry.n_pixels / _per_class_total(inputs)]
        for name, loss in shown.items():
            row.append(loss.per_class[entry.index])
            if name == "ohem" and isinstance(ohem, OhemValue):
                row.append(round(ohem.n_kept_per_class[entry.index]))
        row += [metrics.iou_per_class[entry.index]] if metrics else []
        rows.append(row)
    notes = _class_notes(shown, result)
    if any(None in row for row in rows):
        notes = (*notes, "-: the class has none")
    return Table("by class", columns, rows, notes)


def _loss_columns(names: Sequence[str]) -> list[Column]:
    """Return a column a loss; where the terminal is too narrow, the last one is left out first, the first one never."""
    spare = [0, *range(_KEPT_GOES + len(names) - 1, _KEPT_GOES, -1)]
    return [Column(name, "number", spare=place) for name, place in zip(names, spare, strict=False)]


def _class_notes(shown: Mapping[str, LossValue], result: LossResult) -> tuple[str, ...]:
    if not shown:
        return ()
    ohem, regions = "ohem" in shown, [name for name in shown if name in _OF_REGIONS]
    others = ["ohem's over the kept ones"] if ohem else []
    others += [f"{', '.join(regions)} over images"] if regions else []
    what = "labels" if result.inputs.mode == "multilabel" else "pixels"
    mean = f"means over the class's {what}" + (" of each file, then over files" if _by_file(result) else "")
    return ("; ".join([mean, *others]),)


def _by_file(result: LossResult) -> bool:
    return result.inputs.n_files > 1 and result.settings["over"] == "file"


def _gradient_table(gradient: Mapping[str, PerClass], inputs: LossInputs) -> Table:
    columns = [Column("class"), *_loss_columns(list(gradient))]
    rows = [[entry.name, *(norms[entry.index] for norms in gradient.values())] for entry in inputs.classes]
    notes = ("the norm over all logits of the class's pixels",)
    if inputs.mode == "multilabel":
        notes = ("the norm over the class's own logits",)
    return Table("gradient by class", columns, rows, notes)


def _per_class_total(inputs: LossInputs) -> int:
    per_image = inputs.n_valid // len(inputs.classes) if inputs.mode == "multilabel" else inputs.n_valid
    return max(1, per_image)


def _image_table(images: Sequence[ImageValue], result: LossResult) -> Table:
    names = list(images[0].losses)
    has_accuracy = any(image.accuracy is not None for image in images)
    columns = [Column("image"), Column("valid", "count"), *_loss_columns(names)]
    columns += [Column("accuracy", "number")] if has_accuracy else []
    rows: list[list[Cell]] = []
    for image in images:
        row: list[Cell] = [image.name, image.n_valid, *(image.losses.get(name) for name in names)]
        rows.append(row + ([image.accuracy] if has_accuracy else []))
    title = f"worst images by {names[0]}: {len(images)} of {format_count(result.inputs.n_images)}"
    return Table(title, columns, rows)


def _sweep_table(loss: str, points: Sequence[SweepPoint]) -> Table:
    names = list(points[0].point)
    of_ohem = points[0].branch is not None
    columns = [*(Column(name) for name in names), Column(loss, "number")]
    columns += [Column("kept %", "number"), Column("", "bar"), Column("branch")] if of_ohem else []
    rows: list[list[Cell]] = []
    for point in points:
        row: list[Cell] = [*(setting(value) for value in point.point.values()), point.value]
        share = None if point.kept is None else float(f"{100 * point.kept:.3g}")
        rows.append(row + ([share, point.kept, point.branch] if of_ohem else []))
    return Table(f"{loss} by {' and '.join(names)}", columns, rows)


def _project_table(result: LossResult) -> Table:
    rows: list[Sequence[Cell]] = []
    for figure in result.projects:
        rows.append((figure.project, figure.loss, figure.value, figure.ours, figure.call))
        # Of one file the last reason says what there is in place of a number; of many files, each says so.
        is_told = figure.error and any(figure.error in reason for reason in figure.reasons)
        remarks = ["" if is_told else figure.error, figure.remark]
        said = [text for text in (*figure.reasons, *remarks) if text] or ["the same"]
        rows += [("", "", "", "", f"- {text}") for text in said]
    return Table("as other projects have it", _PROJECT_COLUMNS, rows)


def _error_table(result: LossResult) -> Table:
    shown = [(error.name, error.message) for error in result.errors[:_MOST_ERRORS]]
    more = len(result.errors) - len(shown)
    notes = (f"{format_count(more)} more are in the JSON document.",) if more else ()
    n_bad = len(result.errors)
    was = "was" if n_bad == 1 else "were"
    title = f"{format_count(n_bad)} of {format_count(n_bad + result.inputs.n_files)} pairs {was} left out"
    return Table(title, (Column("pair"), Column("why")), shown, notes)
