"""Verifications as tables."""

from segcli.ckpt.batch import failure_table
from segcli.ckpt.verification.batch import Verifications
from segcli.ckpt.verification.findings import Severity
from segcli.ckpt.verification.verifying import Verification
from segcli.table import Column, Table
from segcli.units import format_bytes, format_count

_COLUMNS = (Column("severity"), Column("where"), Column("what"))
_MAX_ROWS = 100


def verification_tables(result: Verification) -> list[Table]:
    """Return what was found, and what follows from it."""
    title = f"{result.file}: {result.format}, {format_bytes(result.bytes)}: {_verdict(result)}"
    rows = [(one.severity.value, one.where, one.what) for one in result.findings]
    left = len(rows) - _MAX_ROWS
    notes = [f"and {format_count(left)} more, which --json lists"] if left > 0 else []
    notes += [f"hint: {hint}" for hint in result.hints]
    if result.checked:
        notes.append(f"the checksums of {format_count(result.checked)} records were compared, which torch never does")
    return [Table(title, _COLUMNS if rows else (), rows[:_MAX_ROWS], notes)]


def finding_records(result: Verification) -> list[Table]:
    """Return all findings."""
    return [Table("", _COLUMNS, [(one.severity.value, one.where, one.what) for one in result.findings])]


def batch_tables(batch: Verifications) -> list[Table]:
    """Return what was found in each of several, and in how many nothing was."""
    tables = [table for one in batch.files for table in verification_tables(one)]
    count = len(batch.files) + len(batch.failures)
    whole = sum(one.ok for one in batch.files)
    tables.append(Table(f"{whole:,} of {count:,} checkpoints are whole, and safe to load", (), []))
    return [*tables, failure_table(batch.failures, "verified")] if batch.failures else tables


def batch_records(batch: Verifications) -> list[Table]:
    """Return all findings of several, each with its file."""
    rows = [(str(one.file), each.severity.value, each.where, each.what) for one in batch.files for each in one.findings]
    return [Table("", (Column("file"), *_COLUMNS), rows)]


def _verdict(result: Verification) -> str:
    counts = {severity: sum(one.severity is severity for one in result.findings) for severity in Severity}
    words = [f"{count:,} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count]
    return ", ".join([*([] if not result.ok else ["whole, and safe to load"]), *words])
