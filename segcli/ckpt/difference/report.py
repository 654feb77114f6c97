"""Differences as tables."""

from shlex import quote

from segcli.ckpt.difference.comparing import Difference, TensorDifference
from segcli.table import Cell, Column, Table
from segcli.units import format_count, format_number, format_shape

_MAX_ROWS = 40
_ROOT = "(the file itself)"
_TENSOR_COLUMNS = (
    Column("key"),
    Column("differs in"),
    Column("first"),
    Column("second"),
    # That are further apart than the tolerance.
    Column("elements", "count"),
    Column("max abs", "number"),
    Column("mean abs", "number"),
    Column("at"),
)
_MORE_COLUMNS = (
    Column("of", "count"),
    Column("unequal", "count"),
    Column("nonfinite", "count"),
    Column("relative", "number"),
    Column("first value"),
    Column("second value"),
)


def difference_tables(result: Difference) -> list[Table]:
    """Return what differs; one line where nothing does."""
    title = f"{result.first} and {result.second}: {'the same' if result.same else 'they differ'}"
    rows = [_row(pair) for pair in result.tensors]
    tables = [Table(title, _TENSOR_COLUMNS if rows else (), rows[:_MAX_ROWS], [*_cut(len(rows)), *_notes(result)])]
    if result.only_first or result.only_second:
        tables.append(_keys_table(result))
    if result.ties:
        ties = [(", ".join(tie.keys), tie.tied_in) for tie in result.ties]
        shared = (Column("tensors"), Column("in which file"))
        tables.append(Table("share memory in one file alone", shared, ties[:_MAX_ROWS], _cut(len(ties))))
    if result.values:
        values = [(value.key or _ROOT, value.first or "-", value.second or "-") for value in result.values]
        columns = (Column("key"), Column("first"), Column("second"))
        tables.append(Table("other values", columns, values[:_MAX_ROWS], _cut(len(values))))
    return tables


def difference_records(result: Difference) -> list[Table]:
    """Return one table of all tensors that differ or that one file does not have."""
    columns = (*_TENSOR_COLUMNS, *_MORE_COLUMNS)
    rows = [(*_row(pair), *_more(pair)) for pair in result.tensors]
    empty = [None] * (len(columns) - 4)
    rows += [(key, "key", "present", "missing", *empty) for key in result.only_first]
    rows += [(key, "key", "missing", "present", *empty) for key in result.only_second]
    return [Table("differences", columns, rows)]


def _row(pair: TensorDifference) -> tuple[Cell, ...]:
    first, second = _side(pair, 0), _side(pair, 1)
    gap = pair.values
    start = (pair.key or _ROOT, ", ".join(pair.differs), first, second)
    if gap is None:
        return (*start, None, None, None, None)
    far = (gap.max_abs, gap.mean_abs) if gap.unequal > gap.nonfinite else (None, None)
    return (*start, gap.beyond, *far, str(list(gap.at)) if gap.at else None)


def _more(pair: TensorDifference) -> tuple[Cell, ...]:
    gap = pair.values
    if gap is None:
        return (None,) * len(_MORE_COLUMNS)
    return (gap.elements, gap.unequal, gap.nonfinite, gap.relative, gap.first, gap.second)


def _side(pair: TensorDifference, side: int) -> str:
    """Say of one tensor what the other does not have alike; its element where they are furthest apart, if nothing."""
    one = (pair.first, pair.second)[side]
    said = {"shape": format_shape(one.shape), "layout": one.layout, "dtype": one.dtype, "tag": one.device}
    words = [said[what] for what in pair.differs if what in said]
    if pair.values and "values" in pair.differs:
        value = (pair.values.first, pair.values.second)[side]
        words.append(format_number(value) if isinstance(value, float) else str(value))
    return " ".join(words)


def _keys_table(result: Difference) -> Table:
    rows = [(key or _ROOT, "first") for key in result.only_first] + [(key, "second") for key in result.only_second]
    notes = [*_cut(len(rows))]
    if result.prefix:
        prefix = result.prefix
        path = result.first if prefix.file == "first" else result.second
        rest = prefix.text.removeprefix(f"{prefix.inside}." if prefix.inside else "")
        options = [f"--keep {quote(prefix.inside)} --weights-only"] * bool(prefix.inside)
        options += [f"--prefix {quote(rest)}"] * bool(rest)
        notes.append(
            f"{format_count(prefix.keys)} keys of {path} are the other's behind {prefix.text!r}; "
            f"without it: segcli ckpt strip {quote(str(path))} DST {' '.join(options)}"
        )
    return Table("tensors that only one file has", (Column("key"), Column("in which file")), rows[:_MAX_ROWS], notes)


def _notes(result: Difference) -> list[str]:
    notes = [f"{format_count(result.equal)} of {format_count(result.compared)} tensors that both have are alike"]
    bad = sum(pair.values.nonfinite for pair in result.tensors if pair.values)
    if bad:
        notes.append(f"NaN or infinite in one file alone: {_several(bad, 'element')}; max and mean leave them out")
    if result.within:
        largest = format_number(result.within_max_abs)
        notes.append(f"within the tolerance, but not equal: {_several(result.within, 'tensor')}, at most {largest}")
    if any("dtype" in pair.differs for pair in result.tensors):
        notes.append("values of different dtypes are compared as the numbers that they are; --ignore dtypes")
    if any(pair.differs == ("tag",) for pair in result.tensors):
        notes.append("where only the device tag differs, values are equal; --ignore tags")
    if result.strides:
        notes.append(f"lie in another order in memory, which does not count: {_several(result.strides, 'tensor')}")
    return notes


def _several(count: int, what: str) -> str:
    return f"{format_count(count)} {what}{'' if count == 1 else 's'}"


def _cut(count: int) -> list[str]:
    return [f"and {format_count(count - _MAX_ROWS)} more, which --json lists"] if count > _MAX_ROWS else []
