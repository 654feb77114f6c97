"""Conversions as tables."""

from collections.abc import Iterator, Sequence
from shlex import quote

from segcli.ckpt.batch import Batch, failure_table
from segcli.ckpt.conversion.result import CastSummary, Conversion
from segcli.ckpt.tensors import listed
from segcli.table import Column, Table
from segcli.units import format_bytes

_TAG_COLUMNS = (Column("tag"), Column("becomes"), Column("storages", "count"), Column("size", "bytes"))
_BATCH_COLUMNS = (Column("source"), Column("destination"), Column("format"), Column("size", "bytes"), Column("changed"))


def conversion_tables(result: Conversion) -> tuple[Table]:
    """Return what became of each tag, and of all else in notes."""
    rows = [(tag.before, tag.after, tag.storages, tag.bytes) for tag in result.tags]
    columns = _TAG_COLUMNS if rows else ()
    return (Table(f"{result.source} -> {result.destination}", columns, rows, tuple(_notes(result))),)


def batch_tables(batch: Batch[Conversion]) -> tuple[Table, ...]:
    """Return a row for each file that was converted, and what was wrong with the others."""
    rows = [(str(one.source), str(one.destination), one.format, one.bytes, _changed(one)) for one in batch.results]
    total = format_bytes(sum(one.bytes for one in batch.results))
    dry = "would be written" if batch.dry_run else "written"
    notes = [f"{len(rows):,} of {len(rows) + len(batch.failures):,} checkpoints, {total} {dry}"]
    if any(one.untied or one.left_out or one.made_contiguous for one in batch.results):
        notes.append("some could not be kept whole: --json says what of each")
    tables = [Table(f"{batch.out_dir}", _BATCH_COLUMNS, rows, notes)]
    if batch.failures:
        tables.append(failure_table(batch.failures, "converted"))
    return tuple(tables)


def _changed(result: Conversion) -> str:
    tags = [f"{tag.before} -> {tag.after}" for tag in result.tags if tag.before != tag.after]
    formats = [f"{result.source_format} -> {result.format}"] if result.format != result.source_format else []
    dtypes = [f"{len(result.cast.cast):,} to {result.cast.dtype}"] if result.cast else []
    return ", ".join([*tags, *formats, *dtypes]) or "nothing"


def _notes(result: Conversion) -> Iterator[str]:
    yield _first_note(result)
    if result.cast:
        yield from _cast_notes(result.cast)
    if result.sources_dropped:
        classes = listed(list(result.sources_dropped))
        yield f"classes whose source code only the old format holds, and which is left out: {classes}"
    if result.device_objects_changed:
        yield f"torch.device objects and tensors without storages that are on another device now: {_devices(result)}"
    elif result.device_values and result.tags:
        yield f"torch.device values among the user's own: {result.device_values}, left as they are"
    if result.tensors_left and not result.device_objects_changed:
        yield f"tensors that name their device outside of storages, and stay there: {result.tensors_left}"
    if result.rules_unused:
        there = ", ".join(tag.before for tag in result.tags) or "none"
        yield f"of no storage is said what --map {', '.join(result.rules_unused)} is about; the tags are: {there}"
    yield from _state_notes(result)
    if result.abandoned:
        left = " ".join(quote(str(one)) for one in result.abandoned)
        yield f"left by runs that were killed, unless one is writing there now; remove it: rm -r {left}"


def _first_note(result: Conversion) -> str:
    size = format_bytes(result.bytes)
    verb = "would be written" if result.dry_run else "written"
    if result.format != result.source_format:
        values = "" if result.cast else ": values as they were"
        return f"{size} {verb}, {result.format} from {result.source_format}{values}."
    if result.cast or result.device_objects_changed:
        return f"{size} {verb}."
    if not result.changed and result.laid_out:
        return f"{size} {verb}: the same records, as torch lays them out"
    if not result.changed:
        copy = "would be" if result.dry_run else "is"
        return f"nothing to change: {result.destination} {copy} a copy, byte for byte ({size})"
    return f"{size} {verb}. Values, names and everything else: as they were, byte for byte."


def _devices(result: Conversion) -> str:
    return f"{result.device_objects_changed:,}"


def _cast_notes(cast: CastSummary) -> Iterator[str]:
    sizes = f"{format_bytes(cast.bytes_before)} became {format_bytes(cast.bytes_after)}"
    yield f"tensors cast to {cast.dtype}: {len(cast.cast):,} ({sizes})"
    if cast.left:
        yield f"floating tensors left as they are: {listed(list(cast.left))}"
    for one in cast.overflows:
        yield f"{listed(list(one.keys))}: {one.elements:,} elements are infinite now, the first was {one.value:g}"


def _state_notes(result: Conversion) -> Iterator[str]:
    if result.made_contiguous:
        yield f"tensors that were not contiguous, and are now: {_some(result.made_contiguous)}"
    if result.expanded:
        yield f"tensors that show one element many times (expand), written in full: {_some(result.expanded)}"
    if result.slack_bytes:
        yield f"memory that no tensor used, left out: {format_bytes(result.slack_bytes)}"
    if result.ties:
        repeated = f", {format_bytes(result.repeated_bytes)} more" if result.repeated_bytes else ""
        how = f"written in full{repeated}, and recorded" if result.format == "safetensors" else "as they did"
        yield f"tensors that share memory, {how}: {_some(result.ties)}"
    if result.untied:
        yield f"tensors that shared memory once, and have values of their own now: {_some(result.untied)}"
    if result.left_out:
        yield f"left out, since {result.format} has no place for it: {_some(result.left_out)}"


def _some(keys: Sequence[str]) -> str:
    return listed(list(keys))
