"""Runs as the tables of the page."""

from collections.abc import Sequence

from segcli.bench.measuring.gpu import Gpu
from segcli.bench.reporting.gathering import Group, Named, Row
from segcli.bench.reporting.shortfalls import fates
from segcli.bench.results import Result
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_rate, format_seconds, format_size

_ONE = (
    Column("kernel"),
    Column("caches"),
    Column("median", "seconds"),
    Column("± 95 %", "seconds"),
    Column("bytes/s", "rate", "B/s"),
    Column("FLOP/s", "rate", "FLOP/s"),
    Column("of its ceiling", "bar"),
    Column("bound by"),
    Column("speed-up", "ratio"),
    Column("peak memory", "bytes"),
)


def environment_table(runs: Sequence[Named]) -> Table:
    """Return what a timing depends on, a column a run; variables that no run has are no rows."""
    variables = sorted({name for each in runs for name in each.run.environment.variables})
    columns = [
        _environment(each) | {name: each.run.environment.variables.get(name) for name in variables} for each in runs
    ]
    rows: list[tuple[Cell, ...]] = [(what, *(of[what] for of in columns)) for what in columns[0]]
    return Table("environment", (Column("what"), *(Column(each.mark) for each in runs)), rows)


def _environment(each: Named) -> dict[str, str | None]:
    where, method = each.run.environment, each.run.method
    flags = where.flags
    return {
        "file": each.name,
        "started": each.run.started + (" (interrupted)" if each.run.partial else ""),
        "processor": f"{where.cpu}, {where.threads} thread{'s' if where.threads > 1 else ''} on {where.cores} cores",
        "GPU": _gpu(where.gpu) if where.gpu else None,
        "device": where.device,
        "load before": None if where.load is None else f"{where.load:g}",
        "software": f"torch {where.torch}, Python {where.python}, {where.os}",
        "flags": ", ".join(name.replace("_", " ") for name, value in vars(flags).items() if value is True),
        "timer": method.timer,
        "budget": format_seconds(method.budget_s),
        "seed": str(each.run.seed),
    }


def _gpu(gpu: Gpu) -> str:
    return f"{gpu.name}, {format_bytes(gpu.memory_bytes)}, capability {gpu.capability}, CUDA {gpu.cuda}"


def ceiling_table(runs: Sequence[Named]) -> Table:
    """Return the ceilings, a column a run; a dash where one was not measured."""
    columns = [_ceilings(each) for each in runs]
    names = list(dict.fromkeys(name for of in columns for name in of))
    rows: list[tuple[Cell, ...]] = [(name, *(of.get(name) for of in columns)) for name in names]
    note = "bandwidth is the best of copy_, a sum and fill_ through arrays of that size"
    # Rates, or seconds: the kind sets them as numbers.
    return Table("ceilings", (Column("what"), *(Column(each.mark, "rate") for each in runs)), rows, (note,))


def _ceilings(each: Named) -> dict[str, str]:
    ceilings = each.run.ceilings
    if ceilings is None:
        return {}
    said = {
        f"bandwidth, {format_bytes(of.footprint_bytes)}": format_rate(of.best_bytes_per_s, "B/s")
        for of in ceilings.bandwidths
    }
    computing = ("matmul", ceilings.matmul_flops_per_s), ("convolution", ceilings.convolution_flops_per_s)
    for what, rates in computing:
        said |= {f"{what}, {dtype}": format_rate(rate, "FLOP/s") for dtype, rate in rates.items()}
    said["smallest call"] = format_seconds(ceilings.call_s)
    if ceilings.launch_s is not None:
        said["smallest kernel of a CUDA graph"] = format_seconds(ceilings.launch_s)
    return said


def group_table(group: Group, runs: Sequence[Named]) -> Table:
    """Return a group's kernels: all there is to say of one run, or medians and ratios of several."""
    return _of_one(group, runs) if len(runs) == 1 else _of_many(group, runs)


def _of_one(group: Group, runs: Sequence[Named]) -> Table:
    found = [row.results[0] for row in group.rows]
    unit = next((result.unit for result in found if result and result.items_per_s), "")
    columns = (*_ONE, Column(f"{unit}/s", "rate", unit)) if unit else _ONE
    rows = [_row(row, with_items=bool(unit)) for row in group.rows]
    return Table(group.title, columns, rows, fates(group, runs))


def _row(row: Row, *, with_items: bool) -> tuple[Cell, ...]:
    result = row.results[0]
    assert result is not None  # noqa: S101 - for the types: of one run, each row has its result
    cells: tuple[Cell, ...] = (
        row.kernel,
        row.caches,
        _median(result),
        _half_width(result),
        result.bytes_per_s,
        result.flops_per_s,
        result.fraction,
        result.bound,
        result.speedup,
        result.peak_bytes,
    )
    return (*cells, result.items_per_s) if with_items else cells


def _of_many(group: Group, runs: Sequence[Named]) -> Table:
    """Return of each run medians, how sure they are, their ratios to the first run's, and fractions."""
    columns = [Column("kernel"), Column("caches")]
    for place, each in enumerate(runs):
        ratio = [Column(f"time {each.mark} / {runs[0].mark}", "ratio")] if place else []
        columns += [Column(f"{each.mark}: median", "seconds"), Column("± 95 %", "seconds"), *ratio]
        columns.append(Column("of its ceiling", "bar"))
    rows = [
        (row.kernel, row.caches, *(cell for place in range(len(runs)) for cell in _of_run(row, place)))
        for row in group.rows
    ]
    return Table(group.title, columns, rows, fates(group, runs))


def _of_run(row: Row, place: int) -> list[Cell]:
    """Return a run's cells of a row; the first run has no ratio."""
    result = row.results[place]
    ratio = [row.ratio(place)] if place else []
    if result is None:
        return [None, None, *ratio, None]
    return [_median(result), _half_width(result), *ratio, result.fraction]


def _median(result: Result) -> float | str:
    return result.status.value if result.median_s is None else result.median_s


def _half_width(result: Result) -> float | None:
    return None if result.ci95_s is None else (result.ci95_s[1] - result.ci95_s[0]) / 2


def size_of(group: Group) -> str:
    """Return the main tensor of a group, in words."""
    result = next(result for row in group.rows for result in row.results if result is not None)
    return f"{result.tensor} {format_size(result.shape)}"
