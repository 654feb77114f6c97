"""Merges as tables."""

from segcli.ckpt.merging.merge import Count, Merge
from segcli.ckpt.tensors import listed
from segcli.table import Cell, Column, Table
from segcli.units import format_bytes, format_count


def merge_tables(result: Merge) -> tuple[Table]:
    """Return the sources with what each weighs, and what became of their tensors."""
    columns: tuple[Column, ...] = (Column("file"),)
    rows: list[tuple[Cell, ...]] = [(str(source),) for source in result.sources]
    if result.weights:
        columns = (Column("file"), Column("weight", "number"))
        rows = list(zip(map(str, result.sources), result.weights, strict=True))
    title = f"{result.how} -> {result.destination}"
    return (Table(title, columns, rows, _notes(result)),)


def _notes(result: Merge) -> list[str]:
    tensors = f"{format_count(result.tensors)} tensor{'s' * (result.tensors != 1)}"
    notes = [f"{format_bytes(result.bytes)} {'would be ' * result.dry_run}written, {tensors}"]
    if result.averaged:
        notes.append(f"averaged in float64, and rounded once: {_counted(result.averaged)}")
    if result.kept:
        notes.append(f"taken from the last file, {result.sources[-1]}: {_counted(result.kept)}")
    if result.weights:
        notes.append("what is no tensor is the last file's, too")
    if result.repeated:
        notes.append(f"the same in several files, and written once: {listed(list(result.repeated))}")
    return notes


def _counted(counts: tuple[Count, ...]) -> str:
    return ", ".join(f"{format_count(count.tensors)} {count.dtype}" for count in counts)
