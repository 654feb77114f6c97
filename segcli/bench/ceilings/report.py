"""Ceilings as tables."""

from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.ceilings.finding import Found
from segcli.bench.ceilings.standing import cache_bytes
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_seconds

_BANDWIDTHS = (
    Column("arrays of", "bytes"),
    Column("copy", "rate", "B/s"),
    Column("read", "rate", "B/s"),
    Column("write", "rate", "B/s"),
    Column("best", "bar"),
    Column("where"),
)
_RATES = (
    Column("dtype"),
    Column("matmul", "rate", "FLOP/s"),
    Column("convolution", "rate", "FLOP/s"),
    Column("ridge", "rate", "FLOP/B"),
)
_RECORDS = (
    Column("ceiling"),
    Column("footprint", "bytes"),
    Column("dtype"),
    Column("per s", "number"),
    Column("time", "seconds"),
)
_LEGEND = (
    "copy: copy_, what is read and what is written both counted; read: a sum; write: fill_. All of random float32.",
    "The best of all rounds counts: whatever disturbs a ceiling lowers it.",
)


def ceiling_tables(found: Found) -> list[Table]:
    """Return tables of bandwidth by footprint, of FLOP/s by dtype, and of the smallest call."""
    return [_header(found), _bandwidth_table(found.ceilings), _rate_table(found.ceilings)]


def ceiling_records(found: Found) -> list[Table]:
    """Return one table with a row a ceiling, for CSV."""
    ceilings = found.ceilings
    rows: list[tuple[Cell, ...]] = []
    for each in ceilings.bandwidths:
        rows += [
            (name, each.footprint_bytes, "float32", rate, None)
            for name, rate in (
                ("copy", each.copy_bytes_per_s),
                ("read", each.read_bytes_per_s),
                ("write", each.write_bytes_per_s),
            )
        ]
    rows += [("matmul", None, dtype, rate, None) for dtype, rate in ceilings.matmul_flops_per_s.items()]
    rows += [("convolution", None, dtype, rate, None) for dtype, rate in ceilings.convolution_flops_per_s.items()]
    rows.append(("call", None, "float32", None, ceilings.call_s))
    if ceilings.launch_s is not None:
        rows.append(("launch", None, "float32", None, ceilings.launch_s))
    return [Table("ceilings", _RECORDS, rows)]


def _header(found: Found) -> Table:
    where, threads = found.environment, found.ceilings.threads
    of_threads = f"{threads} thread{'s' if threads > 1 else ''} on {where.cores} cores"
    machine = where.gpu.name if where.gpu else f"{where.cpu}, {of_threads}"
    cache = found.ceilings.cache_bytes
    level = f"last-level cache {format_bytes(cache)}" if cache else "the system names no last-level cache"
    return Table(f"{machine}; torch {where.torch}, {where.os}", notes=(level,))


def _bandwidth_table(ceilings: Ceilings) -> Table:
    fastest = max(each.best_bytes_per_s for each in ceilings.bandwidths)
    rows = [
        (
            each.footprint_bytes,
            each.copy_bytes_per_s,
            each.read_bytes_per_s,
            each.write_bytes_per_s,
            each.best_bytes_per_s / fastest if fastest else 0.0,
            _where(each, ceilings),
        )
        for each in ceilings.bandwidths
    ]
    return Table("bandwidth", _BANDWIDTHS, rows, _LEGEND)


def _where(bandwidth: Bandwidth, ceilings: Ceilings) -> str:
    if bandwidth is ceilings.bandwidths[-1]:
        return "memory"
    return "caches" if bandwidth.footprint_bytes <= cache_bytes(ceilings) else "caches and memory"


def _rate_table(ceilings: Ceilings) -> Table:
    memory = ceilings.bandwidths[-1].best_bytes_per_s
    product, convolution = ceilings.matmul_flops_per_s, ceilings.convolution_flops_per_s
    rows = [
        (dtype, product.get(dtype), convolution.get(dtype), rate / memory if memory else None)
        for dtype, rate in ceilings.flops_per_s.items()
    ]
    calls = [f"The smallest call takes {format_seconds(ceilings.call_s)}."]
    if ceilings.launch_s is not None:
        calls.append(f"The smallest kernel of a replayed CUDA graph takes {format_seconds(ceilings.launch_s)}.")
    ridge = "ridge: FLOPs that a byte of memory must pay for before computing, not memory, is what bounds."
    return Table("computing", _RATES, rows, (ridge, *calls))
