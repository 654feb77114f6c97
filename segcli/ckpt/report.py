"""Conversions and inspections as tables."""

from segcli.ckpt.conversion import Conversion
from segcli.ckpt.inspection import Inspection
from segcli.formats.globals_verdict import Verdict
from segcli.table import Column, Table
from segcli.units import format_bytes, format_count, format_shape

_MAX_ROWS = 40
# A key of the file's only object.
_ROOT = "(the file itself)"

_TENSOR_COLUMNS = (
    Column("key"),
    Column("shape"),
    Column("dtype"),
    Column("device"),
    Column("size", "bytes"),
    Column("storage"),
)
_TAG_COLUMNS = (Column("tag"), Column("becomes"), Column("storages", "count"), Column("size", "bytes"))


def conversion_tables(result: Conversion) -> tuple[Table]:
    """Return what became of each tag."""
    rows = [(tag.before, tag.after, tag.storages, tag.bytes) for tag in result.tags]
    notes = [f"{format_bytes(result.bytes)} written. Values, names and everything else: as they were, byte for byte."]
    if not result.changed:
        notes = [f"nothing to change: {result.destination} is a copy, byte for byte ({format_bytes(result.bytes)})"]
    if result.device_values:
        notes.append(f"torch.device values among the user's own: {result.device_values}, left as they are")
    if result.tensors_left:
        notes.append(f"tensors that name their device outside of storages, and stay there: {result.tensors_left}")
    return (Table(f"{result.source} -> {result.destination}", _TAG_COLUMNS, rows, notes),)


def inspection_tables(result: Inspection) -> list[Table]:
    """Return the tensors, the other values, and what the pickle names."""
    tables = [_tensor_table(result)]
    if result.aliases:
        tables.append(_alias_table(result))
    if result.other:
        tables.append(_other_table(result))
    if result.globals:
        tables.append(_global_table(result))
    return tables


def _tensor_table(result: Inspection) -> Table:
    rows = [
        (
            tensor.key or _ROOT,
            format_shape(tensor.shape),
            tensor.dtype if tensor.layout == "strided" else f"{tensor.dtype} {tensor.layout}",
            tensor.device,
            tensor.bytes,
            tensor.storage,
        )
        for tensor in result.tensors
    ]
    count = len(result.tensors)
    title = (
        f"{result.file}: {result.format}, {format_bytes(result.bytes)}, {format_count(count)} "
        f"tensor{'' if count == 1 else 's'} in {format_bytes(result.stored_bytes)} of storage"
    )
    return Table(title, _TENSOR_COLUMNS, rows, _notes(result))


def _alias_table(result: Inspection) -> Table:
    rows = [(alias.storage, len(alias.keys), ", ".join(alias.keys)) for alias in result.aliases]
    left = len(rows) - _MAX_ROWS
    notes = [f"and {format_count(left)} more, which --json lists"] if left > 0 else []
    return Table(
        "shared storages", (Column("storage"), Column("tensors", "count"), Column("keys")), rows[:_MAX_ROWS], notes
    )


def _notes(result: Inspection) -> list[str]:
    layout = result.layout
    if layout is None:
        return []
    tags = [
        f"{tag.tag} on {format_count(tag.storages)} storage{'s' * (tag.storages != 1)} ({format_bytes(tag.bytes)})"
        for tag in result.tags
    ]
    order = f"{layout.byteorder}-endian" if layout.byteorder else "byte order not said"
    version = "" if layout.format_version is None else f", format version {layout.format_version}"
    parts = [
        f"archive version {layout.version}{version}",
        f"{format_count(layout.records)} records in {layout.prefix}/",
        f"aligned to {layout.alignment} bytes",
        order,
        f"pickle of {format_bytes(layout.pickle_bytes)}, protocol {layout.protocol}",
    ]
    notes = [f"device tags: {', '.join(tags) or 'none'}", f"layout: {', '.join(parts)}"]
    if layout.refused_opcodes:
        opcodes = ", ".join(layout.refused_opcodes)
        notes.append(f"torch.load(..., weights_only=True) refuses this pickle, whatever it names, for its {opcodes}")
    return notes


def _other_table(result: Inspection) -> Table:
    rows = [
        (other.key or _ROOT, other.type, other.value if isinstance(other.value, str) else repr(other.value))
        for other in result.other
    ]
    left = len(rows) - _MAX_ROWS
    notes = [f"and {format_count(left)} more, which --json lists"] if left > 0 else []
    return Table("other values", (Column("key"), Column("type"), Column("value")), rows[:_MAX_ROWS], notes)


def _global_table(result: Inspection) -> Table:
    rows = [
        (named.name, named.verdict.value)
        for named in sorted(result.globals, key=lambda one: one.verdict != "dangerous")
    ]
    verdicts = {named.verdict for named in result.globals}
    if Verdict.DANGEROUS in verdicts:
        note = "do not load this file with weights_only=False: loading calls what is marked dangerous"
    elif Verdict.UNKNOWN in verdicts:
        note = "torch.load(..., weights_only=True) refuses the unknown ones; without it, loading imports and calls them"
    else:
        note = "all are on the list of names that torch.load(..., weights_only=True) allows"
    return Table("names in the pickle", (Column("global"), Column("verdict")), rows, [note])
