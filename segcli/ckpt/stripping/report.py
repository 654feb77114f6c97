"""Strips as tables."""

from segcli.ckpt.batch import Batch, failure_table
from segcli.ckpt.stripping.strip import Strip
from segcli.table import Column, Table
from segcli.units import format_bytes, format_count

# Rows of a table; --json has all.
_ROWS = 20

_DROPPED = (Column("dropped"), Column("tensors", "count"), Column("size", "bytes"))
_BATCH = (
    Column("source"),
    Column("destination"),
    Column("tensors", "count"),
    Column("size", "bytes"),
    Column("becomes", "bytes"),
)
_RENAMED = (Column("key"), Column("becomes"))


def strip_tables(result: Strip) -> list[Table]:
    """Return what went, and which keys are others now; first how many bytes that saves, and by what."""
    tables = [Table(f"{result.source} -> {result.destination}", notes=_notes(result))]
    if result.dropped:
        rows = [(one.key, one.tensors, one.bytes) for one in result.dropped[:_ROWS]]
        tables.append(Table("dropped", _DROPPED, rows, _more(len(result.dropped))))
    if result.renamed:
        names = [(one.before, one.after) for one in result.renamed[:_ROWS]]
        tables.append(Table("renamed", _RENAMED, names, _more(len(result.renamed))))
    return tables


def batch_tables(batch: Batch[Strip]) -> list[Table]:
    """Return a row for each file that was stripped, and what was wrong with the others."""
    rows = [
        (str(one.source), str(one.destination), one.tensors, one.bytes_before, one.bytes_after) for one in batch.results
    ]
    saved = format_bytes(max(sum(one.bytes_before - one.bytes_after for one in batch.results), 0))
    count = len(rows) + len(batch.failures)
    dry = "would be saved" if batch.dry_run else "saved"
    notes = [f"{format_count(len(rows))} of {format_count(count)} checkpoints, {saved} {dry}"]
    tables = [Table(f"{batch.out_dir}", _BATCH, rows, notes)]
    return [*tables, failure_table(batch.failures, "stripped")] if batch.failures else tables


def _more(count: int) -> list[str]:
    return [f"and {format_count(count - _ROWS)} more, which --json lists"] if count > _ROWS else []


def _notes(result: Strip) -> list[str]:
    unused = " or ".join(result.prefixes_unused)
    told = [f"no key of a state dict starts with {unused}"] if unused else []
    if not result.changed:
        if result.dry_run:
            return ["nothing to strip", *told]
        size = format_bytes(result.bytes_after)
        return [f"nothing to strip: {result.destination} is a copy, byte for byte ({size})", *told]
    saved = result.bytes_before - result.bytes_after
    words = f"{format_bytes(abs(saved))} {'less' if saved >= 0 else 'more'} than {format_bytes(result.bytes_before)}"
    tensors = f"{format_count(result.tensors)} tensor{'s' * (result.tensors != 1)}"
    verb = "would have" if result.dry_run else "has"
    notes = [
        f"{result.destination} {verb} {tensors} in {format_bytes(result.bytes_after)}, {words}{_causes(result)}",
        *told,
    ]
    if result.weights is not None:
        notes.append(
            f"the state dict alone: {result.weights}" if result.weights else "the file is its state dict alone"
        )
    if result.renamed:
        notes.append(f"keys with another name: {format_count(len(result.renamed))}")
    notes.append("values, strides, ties and the order of what is left: as they were")
    return notes


def _causes(result: Strip) -> str:
    causes = []
    if result.dropped_bytes:
        causes.append(f"{format_bytes(result.dropped_bytes)} of what was dropped")
    if result.slack_bytes:
        storages = f"{format_count(result.cut)} storage{'s' * (result.cut != 1)}"
        causes.append(f"{format_bytes(result.slack_bytes)} that no tensor used of {storages}")
    return f": {', '.join(causes)}" if causes else ""
