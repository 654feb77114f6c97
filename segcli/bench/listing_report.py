"""The catalogue as tables."""

from segcli.bench.kernel import Mode
from segcli.bench.listing import Catalogue, Entry, SuiteEntry
from segcli.table import Cell, Column, Table
from segcli.units import format_shape

_COLUMNS = (
    Column("kernel"),
    Column("computes"),
    Column("modes"),
    Column("bytes", "bytes"),
    Column("FLOPs", "count"),
)
_RECORD_COLUMNS = (
    Column("suite"),
    Column("shape"),
    Column("dtype"),
    Column("kernel"),
    Column("computes"),
    Column("modes"),
    Column("devices"),
    Column("baseline"),
    Column("bytes", "count"),
    Column("flops", "count"),
    Column("items", "count"),
    Column("unit"),
    Column("allocates"),
)
_EVERYWHERE = ("cpu", "cuda")


def catalogue_tables(found: Catalogue) -> list[Table]:
    """Return a table for each suite of the catalogue, size and dtype, for people."""
    return [_suite_table(suite) for suite in found.suites]


def catalogue_records(found: Catalogue) -> list[Table]:
    """Return one table with a row a kernel, for CSV."""
    rows = [_record(suite, entry) for suite in found.suites for entry in suite.kernels]
    return [Table("kernels", _RECORD_COLUMNS, rows)]


def _suite_table(suite: SuiteEntry) -> Table:
    title = f"{suite.name}: {suite.tensor} {format_shape(suite.shape)} {suite.kernels[0].dtype}"
    return Table(title, _COLUMNS, [_row(entry) for entry in suite.kernels], tuple(_notes(suite)))


def _notes(suite: SuiteEntry) -> list[str]:
    notes = [f"data: {suite.data}."]
    for unit in dict.fromkeys(entry.unit for entry in suite.kernels if entry.items is not None):
        counts = dict.fromkeys(entry.items for entry in suite.kernels if entry.unit == unit)
        notes.append(f"{unit} a call: {', '.join(map(str, counts))}.")
    for devices in dict.fromkeys(entry.devices for entry in suite.kernels if entry.devices != _EVERYWHERE):
        names = [entry.kernel for entry in suite.kernels if entry.devices == devices]
        notes.append(f"on {' and '.join(devices)} alone: {', '.join(names)}.")
    if not suite.by_default:
        notes.append(f"timed where it is asked for: --suite {suite.name}.")
    elif some := [entry.kernel for entry in suite.kernels if not entry.by_default]:
        notes.append(f"timed where they are asked for, by --suite or --kernel: {', '.join(some)}.")
    return notes


def _row(entry: Entry) -> tuple[Cell, ...]:
    modes = "forward, +backward" if Mode.TRAINING.value in entry.modes else "forward"
    return entry.kernel, entry.what, modes, entry.bytes, entry.flops


def _record(suite: SuiteEntry, entry: Entry) -> tuple[Cell, ...]:
    return (
        suite.name,
        format_shape(suite.shape),
        entry.dtype,
        entry.kernel,
        entry.what,
        " ".join(entry.modes),
        " ".join(entry.devices),
        entry.baseline,
        entry.bytes,
        entry.flops,
        entry.items,
        entry.unit,
        entry.allocates,
    )
