"""A run as tables: one for each suite, mode, size and dtype, with a row a kernel."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.results import Result, Status
from segcli.bench.runs import Run
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_rate, format_seconds, format_shape

# The first that was timed is what a table is about: what is bounded by memory is told best from there, and what a
# kernel takes beside its launch is the kernel's own.
_PREFERRED = (("hot", "device"), ("hot", "host"), ("cold", "device"), ("cold", "host"))
# Of one kernel, and of several.
_FATES = {
    Status.WRONG: ("is wrong and was not timed", "are wrong and were not timed"),
    Status.UNSUPPORTED: ("is not supported here", "are not supported here"),
    Status.FAILED: ("failed", "failed"),
    Status.SKIPPED: ("was not timed", "were not timed"),
}
_LEGEND = {
    "± 95 %": "half the confidence interval of the median.",
    "cold": "the median of calls that find nothing of their own in the caches.",
    "host": "the median by the host's clock, launches included.",
    "bytes/s": "what a call must move, by formula, over the median.",
    "FLOP/s": "what a call must compute, by formula, over the median; a multiply-add is 2 FLOPs.",
    "of ceiling": "the least time that this machine's ceilings allow, over the median; above 100% a count is wrong.",
    "bound": "which ceiling that is: memory (or the cache that holds the data), compute, or the smallest call.",
    "peak": "the most memory that a call holds beyond its inputs.",
    "time": "a bar as long as the median; the slowest of a table has 8.",
}


@dataclass(frozen=True)
class _Line:
    """One kernel of a table, under all conditions that it was timed under."""

    main: Result
    cold: Result | None
    host: Result | None

    @property
    def all(self) -> tuple[Result, ...]:
        return tuple(one for one in (self.main, self.cold, self.host) if one is not None)


@dataclass(frozen=True)
class _Field:
    """A column with what stands in it, and whether anything does."""

    column: Column
    cell: Callable[[_Line], Cell]
    always: bool = False


# What follows from the median is left out first on a narrow terminal: rates, by the counts that the list of kernels
# has, and the bar. No other column tells of memory.
_FIELDS = (
    _Field(Column("kernel"), lambda line: name_of(line.main), always=True),
    _Field(Column("median", "seconds"), lambda line: _median(line.main), always=True),
    _Field(Column("± 95 %", "seconds"), lambda line: _half_width(line.main), always=True),
    _Field(Column("cold", "seconds", spare=5), lambda line: _beside(line.main, line.cold)),
    _Field(Column("host", "seconds", spare=7), lambda line: _beside(line.main, line.host)),
    _Field(Column("bytes/s", "rate", "B/s", spare=2), lambda line: line.main.bytes_per_s),
    _Field(Column("FLOP/s", "rate", "FLOP/s", spare=1), lambda line: line.main.flops_per_s),
    _Field(Column("of ceiling", "share"), lambda line: line.main.fraction),
    _Field(Column("bound", spare=6), lambda line: line.main.bound),
    _Field(Column("speed-up", "ratio"), lambda line: line.main.speedup, always=True),
    _Field(Column("peak", "bytes", spare=4), lambda line: line.main.peak_bytes),
    _Field(Column("time", "bar", spare=3), lambda line: line.main.time_share, always=True),
)


def run_tables(run: Run) -> list[Table]:
    """Return the machine with its ceilings, the tables, and how to read them."""
    groups = groupby(run.results, key=lambda result: (result.suite, result.mode, result.size, result.dtype))
    tables = [_table(list(results)) for _, results in groups]
    shown = {column.name for table in tables for column in table.columns}
    legend = [f"{name}: {words}" for name, words in _LEGEND.items() if name in shown]
    data = [f"data of {suite}: {words}." for suite, words in run.data.items()]
    return [_header(run), *tables, Table("how to read this", notes=(*legend, *data))]


def name_of(result: Result) -> str:
    """Return a kernel's name with its variant."""
    return f"{result.kernel}, {result.variant}" if result.variant else result.kernel


def _header(run: Run) -> Table:
    where = run.environment
    threads = f"{where.threads} thread{'s' if where.threads > 1 else ''} on {where.cores} cores"
    machine = where.gpu.name if where.gpu else f"{where.cpu}, {threads}"
    partial = " (interrupted)" if run.partial else ""
    notes = [] if run.ceilings is None else [_ceilings(run.ceilings)]
    return Table(f"{machine}; torch {where.torch}, {where.os}{partial}", notes=(*notes, _method(run)))


def _ceilings(ceilings: Ceilings) -> str:
    memory = format_rate(ceilings.bandwidths[-1].best_bytes_per_s, "B/s")
    fastest = max(ceilings.bandwidths, key=lambda each: each.best_bytes_per_s)
    cached = f"{format_rate(fastest.best_bytes_per_s, 'B/s')} in caches ({format_bytes(fastest.footprint_bytes)})"
    rates = ", ".join(f"{format_rate(rate, 'FLOP/s')} {dtype}" for dtype, rate in ceilings.flops_per_s.items())
    return f"ceilings: {memory} memory, {cached}, {rates}, {format_seconds(ceilings.call_s)} the smallest call"


def _method(run: Run) -> str:
    method, flags = run.method, run.environment.flags
    passes = f"{method.passes} pass{'es' if method.passes > 1 else ''}"
    settled = {
        "denormals flushed": flags.flush_denormal,
        "freed memory kept": flags.keep_freed_memory,
        "TF32": flags.tf32,
    }
    said = [passes, f"{' and '.join(method.caches)} caches", "contenders in turn"]
    return f"{', '.join((*said, *(words for words, is_so in settled.items() if is_so)))}; seed {run.seed}"


def _table(results: list[Result]) -> Table:
    first = results[0]
    title = f"{first.suite}, {first.mode}: {first.tensor} {format_shape(first.shape)} {first.dtype}"
    lines = list(_lines(results))
    fields = [field for field in _with_items(lines) if field.always or any(_says(field.cell(line)) for line in lines)]
    rows = [[field.cell(line) for field in fields] for line in lines]
    notes = (*_about(lines[0].main), *_baselines(lines), *_fates(lines), *_unchecked(lines))
    return Table(title, [field.column for field in fields], rows, notes)


def _lines(results: Sequence[Result]) -> Iterator[_Line]:
    """Put the conditions of a kernel into one line."""
    by_kernel: dict[str, dict[tuple[str, str], Result]] = {}
    for result in results:
        by_kernel.setdefault(name_of(result), {})[result.caches, result.span] = result
    for found in by_kernel.values():
        caches, span = next(condition for condition in _PREFERRED if condition in found)
        yield _Line(
            found[caches, span],
            cold=found.get(("cold", span)) if caches == "hot" else None,
            host=found.get((caches, "host")) if span == "device" else None,
        )


def _with_items(lines: Sequence[_Line]) -> list[_Field]:
    """Return the columns, with items a second by their own name before memory."""
    fields = list(_FIELDS)
    for unit in dict.fromkeys(line.main.unit for line in lines if line.main.items_per_s is not None):
        column = Column(f"{unit}/s", "number", spare=8)
        fields.insert(-2, _Field(column, lambda line, unit=unit: _items(line, unit)))  # type: ignore[misc]
    return fields


def _items(line: _Line, unit: str) -> Cell:
    found = line.main.items_per_s if line.main.unit == unit else None
    return None if found is None else float(f"{found:.3g}")


def _says(cell: Cell) -> bool:
    return cell is not None and cell != ""


def _median(result: Result) -> Cell:
    return result.status.value if result.median_s is None else result.median_s


def _beside(main: Result, other: Result | None) -> Cell:
    """Return a median under another condition; what was not timed at all is said once."""
    return None if other is None or main.median_s is None else _median(other)


def _half_width(result: Result) -> float | None:
    return None if result.ci95_s is None else (result.ci95_s[1] - result.ci95_s[0]) / 2


def _about(main: Result) -> list[str]:
    """Say what the median is of, where that is not the usual."""
    if (main.caches, main.span) == ("hot", "device"):
        return ["median: of the device alone, hot caches"]
    return [] if main.caches == "hot" else [f"median: {main.caches} caches"]


def _baselines(lines: Sequence[_Line]) -> list[str]:
    """Say against what speed-ups are, a line each where a table has several baselines."""
    mains = [line.main for line in lines]
    compared = [one for one in mains if one.speedup is not None and name_of(one) != one.baseline]
    names = list(dict.fromkeys(one.baseline for one in compared))
    if len(names) == 1 and len({one.baseline for one in mains}) == 1:
        return [f"speed-up: against {names[0]}"]
    return [
        f"speed-up of {', '.join(name_of(one) for one in compared if one.baseline == name)}: against {name}"
        for name in names
    ]


def _fates(lines: Sequence[_Line]) -> list[str]:
    """Say what became of kernels that were not timed, a line for each reason."""
    found: dict[tuple[str, Status, str], list[str]] = {}
    for line in lines:
        untimed = [one for one in line.all if one.reason]
        for one in untimed:
            # Once for all conditions where it is the same.
            where = "" if len(untimed) == len(line.all) else f" ({one.caches} caches, {one.span}'s clock)"
            names = found.setdefault((where, one.status, one.reason), [])
            if name_of(one) not in names:
                names.append(name_of(one))
    return [
        f"{', '.join(names)}{where} {_FATES[status][len(names) > 1]}: {reason}"
        for (where, status, reason), names in found.items()
    ]


def _unchecked(lines: Sequence[_Line]) -> list[str]:
    """Say which answers nobody has looked at, a line for each reason; what was not timed has none."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.main.unchecked and any(one.median_s is not None for one in line.all):
            found.setdefault(line.main.unchecked, []).append(name_of(line.main))
    return [f"unchecked, compared with nothing: {', '.join(names)}: {why}" for why, names in found.items()]
