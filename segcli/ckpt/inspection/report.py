"""Inspections as tables."""

from collections.abc import Sequence

from segcli.ckpt.inspection.layout import Layout, OldLayout
from segcli.ckpt.inspection.listing import DCP, Inspection
from segcli.formats.globals_verdict import Verdict
from segcli.formats.subtotals import Subtotal
from segcli.formats.tensor_header import TensorHeader
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_count, format_shape

# Rows of tensors, of which the middle is left out; --json and --csv have all.
MAX_TENSORS = 200
_MAX_ROWS = 40
_MAX_KEYS = 6
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
_TREE_COLUMNS = (
    Column("module"),
    Column("tensors", "count"),
    Column("elements", "count"),
    Column("size", "bytes"),
)


def inspection_tables(result: Inspection) -> list[Table]:
    """Return the tensors, or their subtotals, the other values, and what the pickle names."""
    tables = [_tree_table(result) if result.tree else _tensor_table(result)]
    if result.aliases and result.grep is None:
        tables.append(_alias_table(result))
    if result.slack and result.grep is None:
        tables.append(_slack_table(result))
    if result.other:
        tables.append(_other_table(result))
    if result.globals:
        tables.append(_global_table(result))
    return tables


def inspection_records(results: Sequence[Inspection]) -> list[Table]:
    """Return one table with all tensors, or all subtotals; of several files with a column for these."""
    columns: tuple[Column, ...] = _TENSOR_COLUMNS
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        file = (str(result.file),) if len(results) > 1 else ()
        if result.tree:
            columns = _TREE_COLUMNS
            rows += [(*file, one.path, one.tensors, one.elements, one.bytes) for one in result.tree]
        else:
            rows += [(*file, *_row(tensor)) for tensor in result.tensors]
    return [Table("tensors", (Column("file"), *columns) if len(results) > 1 else columns, rows)]


def _row(tensor: TensorHeader) -> tuple[Cell, ...]:
    return (
        tensor.key or _ROOT,
        format_shape(tensor.shape),
        tensor.dtype if tensor.layout == "strided" else f"{tensor.dtype} {tensor.layout}",
        tensor.device,
        tensor.bytes,
        tensor.storage,
    )


def _title(result: Inspection) -> str:
    count = result.tensors_in_all
    return (
        f"{result.file}: {result.format}, {format_bytes(result.bytes)}, {format_count(count)} "
        f"tensor{'' if count == 1 else 's'} in {format_bytes(result.stored_bytes)} of storage"
    )


def _tensor_table(result: Inspection) -> Table:
    rows = [_row(tensor) for tensor in _ends(result.tensors, MAX_TENSORS)]
    left = len(result.tensors) - len(rows)
    if left > 0:
        rows.insert(MAX_TENSORS // 2, (f"... {format_count(left)} more ...", "", "", "", "", ""))
    notes = _notes(result)
    if left > 0:
        notes.insert(0, f"{format_count(left)} tensors in the middle are left out: --json and --csv have all of them")
        notes[0] += ", --grep those that are meant, --tree 2 their sums"
    if result.grep is not None:
        found = f"{format_count(len(result.tensors))} of {format_count(result.tensors_in_all)}"
        notes.insert(0, f"tensors whose keys {_how(result.grep)}: {found}")
    return Table(_title(result), _TENSOR_COLUMNS if rows else (), rows, notes)


def _how(grep: str) -> str:
    return f"match the glob {grep!r}" if any(one in grep for one in "*?[") else f"contain {grep!r}"


def _tree_table(result: Inspection) -> Table:
    rows: list[tuple[Cell, ...]] = [(_drawn(one), one.tensors, one.elements, one.bytes) for one in result.tree]
    left = len(rows) - MAX_TENSORS
    notes = _notes(result)
    if left > 0:
        del rows[MAX_TENSORS // 2 : MAX_TENSORS // 2 + left]
        rows.insert(MAX_TENSORS // 2, (f"... {format_count(left)} more ...", "", "", ""))
    if result.grep is not None:
        notes.insert(0, f"of tensors whose keys {_how(result.grep)}")
    return Table(_title(result), _TREE_COLUMNS, rows, notes)


def _drawn(one: Subtotal) -> str:
    if not one.is_last:
        return "(all)"
    above = "".join("   " if last else "│  " for last in one.is_last[:-1])
    return f"{above}{'└─ ' if one.is_last[-1] else '├─ '}{one.part or _ROOT}"


def _ends(rows: Sequence[TensorHeader], most: int) -> list[TensorHeader]:
    """Return the first and the last of many."""
    return [*rows] if len(rows) <= most else [*rows[: most // 2], *rows[-(most // 2) :]]


def _alias_table(result: Inspection) -> Table:
    rows = [(alias.storage, len(alias.keys), _keys(alias.keys)) for alias in result.aliases[:_MAX_ROWS]]
    columns = (Column("storage"), Column("tensors", "count"), Column("keys"))
    return Table("shared storages", columns, rows, _more(len(result.aliases)))


def _slack_table(result: Inspection) -> Table:
    ordered = sorted(result.slack, key=lambda one: -one.unused)
    rows = [(one.storage, one.bytes, one.unused, _keys(one.keys)) for one in ordered[:_MAX_ROWS]]
    columns = (Column("storage"), Column("size", "bytes"), Column("unused", "bytes"), Column("keys"))
    return Table(
        f"view slack: {format_bytes(result.slack_bytes)} that no tensor uses", columns, rows, _more(len(ordered))
    )


def _keys(keys: Sequence[str]) -> str:
    left = len(keys) - _MAX_KEYS
    return ", ".join(key or _ROOT for key in keys[:_MAX_KEYS]) + (f" and {format_count(left)} more" if left > 0 else "")


def _more(count: int) -> list[str]:
    return [f"and {format_count(count - _MAX_ROWS)} more, which --json lists"] if count > _MAX_ROWS else []


def _notes(result: Inspection) -> list[str]:
    notes = []
    if result.tags or result.layout:
        tags = [
            f"{tag.tag} on {format_count(tag.storages)} storage{'s' * (tag.storages != 1)} ({format_bytes(tag.bytes)})"
            for tag in result.tags
        ]
        notes.append(f"device tags: {', '.join(tags) or 'none'}")
    layout = result.layout
    if layout:
        notes.append(f"layout: {', '.join(_layout_parts(layout))}")
        if isinstance(layout, OldLayout) and layout.version is None:
            notes.append("torch.load(..., weights_only=True) reads no tar file")
        elif layout.refused_opcodes:
            opcodes = ", ".join(layout.refused_opcodes)
            notes.append(
                f"torch.load(..., weights_only=True) refuses this pickle, whatever it names, for its {opcodes}"
            )
    if result.format == "pickle":
        notes.append("pickle.dump wrote this file, and torch.load does not read it: pickle.load does, which runs it")
    return [*notes, *(line for one in result.hints for line in (f"{one.why}:", f"  {one.command}"))]


def _layout_parts(layout: Layout | OldLayout) -> list[str]:
    if isinstance(layout, OldLayout):
        return _old_parts(layout)
    order = f"{layout.byteorder}-endian" if layout.byteorder else "byte order not said"
    version = "" if layout.format_version is None else f", format version {layout.format_version}"
    return [
        f"archive version {layout.version}{version}",
        f"{format_count(layout.records)} records in {layout.prefix}/",
        f"aligned to {layout.alignment} bytes",
        order,
        f"pickle of {format_bytes(layout.pickle_bytes)}, protocol {layout.protocol}",
    ]


def _old_parts(layout: OldLayout) -> list[str]:
    parts = [f"protocol {layout.protocol}"]
    if layout.version is not None:
        parts.insert(0, f"version {layout.version}")
    if layout.little_endian is not None:
        parts.append(f"written on a {'little' if layout.little_endian else 'big'}-endian machine")
    if layout.sources:
        parts.append(f"with the source code of {format_count(len(layout.sources))} classes")
    return parts


def _other_table(result: Inspection) -> Table:
    rows = [
        (other.key or _ROOT, other.type, other.value if isinstance(other.value, str) else repr(other.value))
        for other in result.other[:_MAX_ROWS]
    ]
    columns = (Column("key"), Column("type"), Column("value"))
    return Table("other values", columns, rows, _more(len(result.other)))


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
    elif result.format == DCP:
        note = "all are what torch writes into a distributed checkpoint"
    else:
        note = "all are on the list of names that torch.load(..., weights_only=True) allows"
    return Table("names in the pickle", (Column("global"), Column("verdict")), rows, [note])
