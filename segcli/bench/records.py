"""A run as one flat table, for CSV: a row a kernel and condition, with everything but the single samples."""

from segcli.bench.results import Result
from segcli.bench.runs import Run
from segcli.table import Cell, Column, Table
from segcli.units import format_shape, format_size

_COLUMNS = (
    Column("suite"),
    Column("kernel"),
    Column("variant"),
    Column("mode"),
    Column("size"),
    Column("shape"),
    Column("dtype"),
    Column("device"),
    Column("caches"),
    Column("span"),
    Column("status"),
    Column("median", "seconds"),
    Column("ci95 low", "seconds"),
    Column("ci95 high", "seconds"),
    Column("quartile 1", "seconds"),
    Column("quartile 3", "seconds"),
    Column("samples", "count"),
    Column("dropped", "count"),
    Column("passes", "count"),
    Column("calls", "count"),
    Column("bytes", "count"),
    Column("flops", "count"),
    Column("bytes per s", "rate", "B/s"),
    Column("flops per s", "rate", "FLOP/s"),
    Column("fraction", "share"),
    Column("bound"),
    Column("baseline"),
    Column("speedup", "ratio"),
    Column("peak", "bytes"),
    Column("items", "count"),
    Column("unit"),
    Column("items per s", "number"),
    Column("error", "number"),
    Column("tolerance", "number"),
    Column("stopped"),
    Column("steady"),
    Column("allocates"),
    Column("timer"),
    Column("unchecked"),
    Column("reason"),
)


def run_records(run: Run) -> list[Table]:
    """Return one table with a row a result."""
    return [Table("bench", _COLUMNS, [_record(result) for result in run.results])]


def _record(result: Result) -> tuple[Cell, ...]:
    return (
        result.suite,
        result.kernel,
        result.variant,
        result.mode,
        format_size(result.size),
        format_shape(result.shape),
        result.dtype,
        result.device,
        result.caches,
        result.span,
        result.status.value,
        result.median_s,
        *(result.ci95_s or (None, None)),
        *(result.quartiles_s or (None, None)),
        len(result.samples_s),
        result.dropped,
        len(result.passes),
        result.calls,
        result.bytes,
        result.flops,
        result.bytes_per_s,
        result.flops_per_s,
        result.fraction,
        result.bound,
        result.baseline,
        result.speedup,
        result.peak_bytes,
        result.items,
        result.unit,
        result.items_per_s,
        result.error,
        result.tolerance,
        result.stopped,
        result.steady,
        result.allocates,
        result.timer,
        result.unchecked,
        result.reason,
    )
