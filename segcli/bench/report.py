"""A run, and the catalogue, as tables."""

from itertools import groupby

from segcli.bench.kernel import Mode
from segcli.bench.listing import Catalogue, Entry, SuiteEntry
from segcli.bench.results import Result, Status
from segcli.bench.runs import Run
from segcli.table import Cell, Column, Table
from segcli.units import format_shape, format_size

_COLUMNS = (
    Column("kernel"),
    Column("median", "seconds"),
    Column("± 95 %", "seconds"),
    Column("IQR", "seconds"),
    Column("bytes/s", "rate", "B/s"),
    Column("FLOP/s", "rate", "FLOP/s"),
    Column("speed-up", "ratio"),
    Column("time", "bar"),
)
_RECORD_COLUMNS = (
    Column("suite"),
    Column("kernel"),
    Column("mode"),
    Column("size"),
    Column("dtype"),
    Column("device"),
    Column("status"),
    Column("median", "seconds"),
    Column("ci95 low", "seconds"),
    Column("ci95 high", "seconds"),
    Column("quartile 1", "seconds"),
    Column("quartile 3", "seconds"),
    Column("samples", "count"),
    Column("calls", "count"),
    Column("bytes", "count"),
    Column("flops", "count"),
    Column("bytes per s", "rate", "B/s"),
    Column("flops per s", "rate", "FLOP/s"),
    Column("speedup", "ratio"),
    Column("error", "number"),
    Column("reason"),
)
_CATALOGUE_COLUMNS = (
    Column("kernel"),
    Column("computes"),
    Column("modes"),
    Column("bytes", "bytes"),
    Column("FLOPs", "count"),
)
_LEGEND = (
    "± 95 %: half the confidence interval of the median. IQR: the width of the middle half of the samples.",
    "bytes/s, FLOP/s: what a call must move and compute, by formula, over the median; a multiply-add is 2 FLOPs.",
    "time: a bar as long as the median; the slowest of a table has 8.",
)
_FATES = {
    Status.WRONG: "is wrong and was not timed",
    Status.UNSUPPORTED: "is not supported here",
    Status.FAILED: "failed",
    Status.SKIPPED: "was not timed",
}


def run_tables(run: Run) -> list[Table]:
    """Return a table for each suite and mode, for people."""
    groups = groupby(run.results, key=lambda result: (result.suite, result.mode))
    data = [f"data of {suite}: {words}." for suite, words in run.data.items()]
    legend = Table("how to read this", notes=(*_LEGEND, *data))
    return [_header(run), *(_table(list(results)) for _, results in groups), legend]


def run_records(run: Run) -> list[Table]:
    """Return one table with a row a result, for CSV."""
    return [Table("bench", _RECORD_COLUMNS, [_record(result) for result in run.results])]


def catalogue_tables(found: Catalogue) -> list[Table]:
    """Return a table for each suite of the catalogue, for people."""
    return [_catalogue_table(suite) for suite in found.suites]


def catalogue_records(found: Catalogue) -> list[Table]:
    """Return one table with a row a kernel, for CSV."""
    columns = (
        Column("suite"),
        Column("shape"),
        *_CATALOGUE_COLUMNS[:3],
        Column("bytes", "count"),
        _CATALOGUE_COLUMNS[4],
    )
    rows = [
        (suite.name, format_shape(suite.shape), *_catalogue_row(entry))
        for suite in found.suites
        for entry in suite.kernels
    ]
    return [Table("kernels", columns, rows)]


def _catalogue_table(suite: SuiteEntry) -> Table:
    title = f"{suite.name}: {suite.tensor} {format_shape(suite.shape)} {suite.kernels[0].dtype}"
    rows = [_catalogue_row(entry) for entry in suite.kernels]
    return Table(title, _CATALOGUE_COLUMNS, rows, (f"data: {suite.data}.",))


def _catalogue_row(entry: Entry) -> tuple[Cell, ...]:
    modes = "forward, +backward" if Mode.TRAINING.value in entry.modes else "forward"
    return entry.kernel, entry.what, modes, entry.bytes, entry.flops


def _header(run: Run) -> Table:
    where = run.environment
    threads = f"{where.threads} thread{'s' if where.threads > 1 else ''} on {where.cores} cores"
    machine = where.gpu.name if where.gpu else f"{where.cpu}, {threads}"
    partial = " (interrupted)" if run.partial else ""
    kept = ", freed memory kept" if where.flags.keep_freed_memory else ""
    method = f"hot caches, {run.method.timer}, contenders in turn, denormals flushed{kept}; seed {run.seed}"
    return Table(f"{machine}; torch {where.torch}, {where.os}{partial}", notes=(method,))


def _table(results: list[Result]) -> Table:
    first = results[0]
    title = f"{first.suite}, {first.mode}: {first.tensor} {format_shape(first.shape)} {first.dtype}"
    fates = [f"{result.kernel} {_FATES[result.status]}: {result.reason}" for result in results if result.reason]
    return Table(title, _COLUMNS, [_row(result) for result in results], (*_baselines(results), *fates))


def _baselines(results: list[Result]) -> list[str]:
    """Say against what speed-ups are, a line each where a table has several baselines."""
    compared = [result for result in results if result.speedup is not None and result.baseline != result.kernel]
    names = list(dict.fromkeys(result.baseline for result in compared))
    if len(names) == 1 and len({result.baseline for result in results}) == 1:
        return [f"speed-up: against {names[0]}"]
    return [
        f"speed-up of {', '.join(result.kernel for result in compared if result.baseline == name)}: against {name}"
        for name in names
    ]


def _row(result: Result) -> tuple[Cell, ...]:
    low, high = result.ci95_s or (None, None)
    half_width = None if low is None or high is None else (high - low) / 2
    iqr = None if result.quartiles_s is None else result.quartiles_s[1] - result.quartiles_s[0]
    return (
        result.kernel,
        result.median_s if result.median_s is not None else result.status.value,
        half_width,
        iqr,
        result.bytes_per_s,
        result.flops_per_s,
        result.speedup,
        result.time_share,
    )


def _record(result: Result) -> tuple[Cell, ...]:
    return (
        result.suite,
        result.kernel,
        result.mode,
        format_size(result.size),
        result.dtype,
        result.device,
        result.status.value,
        result.median_s,
        *(result.ci95_s or (None, None)),
        *(result.quartiles_s or (None, None)),
        len(result.samples_s),
        result.calls,
        result.bytes,
        result.flops,
        result.bytes_per_s,
        result.flops_per_s,
        result.speedup,
        result.error,
        result.reason,
    )
