"""An evaluation as tables."""

from segcli.loss.result import LossInputs, LossResult, LossValue, OhemValue, Source
from segcli.table import Cell, Column, Table
from segcli.units import format_count, format_number

_LOSS_COLUMNS = (Column("loss"), Column("value", "number"), Column("mean over"), Column("with"))
_OHEM_COLUMNS = (
    Column("pixels"),
    Column("count", "count"),
    Column("of valid", "bar"),
    Column("meaning"),
)


def tables(result: LossResult) -> tuple[Table, ...]:
    """Return the losses, OHEM's choice where it was evaluated, and the classes."""
    ohem = result.losses.get("ohem")
    choice = (_ohem_table(ohem, result),) if isinstance(ohem, OhemValue) else ()
    return _loss_table(result), *choice, _class_table(result)


def _loss_table(result: LossResult) -> Table:
    inputs = result.inputs
    rows = [
        (name, loss.value, _domain(name, loss, result), _parameters(name, result))
        for name, loss in result.losses.items()
    ]
    ignored = (
        f", {format_count(inputs.n_ignored)} of {format_count(inputs.n_labels)} ignored" if inputs.n_ignored else ""
    )
    title = f"{_named(inputs.logits)} against {_named(inputs.labels)}: {inputs.mode}{ignored}"
    return Table(title, _LOSS_COLUMNS, rows)


def _named(source: Source) -> str:
    return f"{source.file} {source.shape} {source.dtype}"


def _domain(name: str, loss: LossValue, result: LossResult) -> str:
    inputs = result.inputs
    if isinstance(loss, OhemValue):
        return f"{format_count(loss.n_kept)} kept pixels"
    if name == "dice":
        n_classes = sum(value is not None for value in loss.per_class)
        classes = f"{n_classes} class{'' if n_classes == 1 else 'es'}"
        return f"{classes} of the batch" if result.settings["reduce"] == "batch" else f"{classes}, {_images(inputs)}"
    what = "valid labels" if inputs.mode == "multilabel" else "valid pixels"
    return f"{format_count(inputs.n_valid)} {what}"


def _images(inputs: LossInputs) -> str:
    return f"{format_count(inputs.n_images)} image{'' if inputs.n_images == 1 else 's'}"


def _parameters(name: str, result: LossResult) -> str:
    names = {
        "ohem": ("thresh", "n_min"),
        "dice": ("smooth", "squared", "reduce", "absent"),
        "focal": ("gamma", "alpha"),
    }.get(name, ())
    shown = ((name, result.settings[name]) for name in names)
    return ", ".join(f"{name} {_setting(value)}" for name, value in shown if value not in (None, False))


def _setting(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_setting(item) for item in value)
    if value is True:
        return "yes"
    return format_number(value) if isinstance(value, float) else str(value)


def _ohem_table(ohem: OhemValue, result: LossResult) -> Table:
    thresh = format_number(result.settings["thresh"])
    counts = (
        ("valid", ohem.n_valid, "not ignored"),
        ("hard", ohem.n_hard, f"p of the true class below thresh {thresh}"),
        ("at least", ohem.n_min, f"n_min {result.settings['n_min']}"),
        ("kept", ohem.n_kept, _branch(ohem)),
    )
    rows = [(name, count, count / ohem.n_valid if ohem.n_valid else 0.0, meaning) for name, count, meaning in counts]
    note = (
        f"effective thresh {format_number(ohem.threshold)}: kept are losses above {format_number(ohem.loss_threshold)}"
    )
    if ohem.branch in ("top-k", "all"):
        note = (
            f"effective thresh {format_number(ohem.threshold)}, not {thresh}: the easiest kept pixel has loss "
            f"{format_number(ohem.loss_threshold)}"
        )
    return Table(f"ohem: branch {ohem.branch}", _OHEM_COLUMNS, rows, () if ohem.branch == "none" else (note,))


def _branch(ohem: OhemValue) -> str:
    return {
        "hard": "every hard pixel, as there are enough",
        "top-k": "the hardest, as fewer are hard than must be kept",
        "all": "all that is valid, as so many must be kept",
        "none": "nothing, so the loss is 0",
    }[ohem.branch]


def _class_table(result: LossResult) -> Table:
    inputs = result.inputs
    columns = [Column("class"), Column("pixels", "count"), Column("of valid", "bar")]
    ohem = result.losses.get("ohem")
    for name in result.losses:
        columns.append(Column(name, "number"))
        if name == "ohem":
            columns.append(Column("kept", "count"))
    rows = []
    for entry in inputs.classes:
        row: list[Cell] = [entry.name, entry.n_pixels, entry.n_pixels / _per_class_total(inputs)]
        for name, loss in result.losses.items():
            row.append(loss.per_class[entry.index])
            if name == "ohem" and isinstance(ohem, OhemValue):
                row.append(round(ohem.n_kept_per_class[entry.index]))
        rows.append(row)
    return Table("by class", columns, rows, (_class_note(result),))


def _class_note(result: LossResult) -> str:
    words = {"ohem": "ohem over its kept ones", "dice": "dice over images"}
    others = [words[name] for name in result.losses if name in words]
    what = "labels" if result.inputs.mode == "multilabel" else "pixels"
    return "; ".join([f"Means over the class's {what}", *others, "- where there are none."])


def _per_class_total(inputs: LossInputs) -> int:
    per_image = inputs.n_valid // len(inputs.classes) if inputs.mode == "multilabel" else inputs.n_valid
    return max(1, per_image)
