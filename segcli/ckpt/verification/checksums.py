"""Compares the checksums of a zip's records with their bytes, which torch.load never does."""

import zlib
from collections.abc import Callable, Sequence

from segcli.ckpt.verification.findings import Findings, Severity
from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource
from segcli.formats.payload import Stretch
from segcli.formats.torch_zip import wrong_checksum
from segcli.formats.zip_directory import Record

Advance = Callable[[int], None]


def check_sums(source: ByteSource, records: Sequence[Record], findings: Findings, advance: Advance) -> int:
    """Read every record, and take note of each whose bytes are not those that were written.

    Args:
        source: The file.
        records: The records.
        findings: Where to take note.
        advance: Told of bytes as they are read.

    Returns:
        How many records have a checksum.
    """
    without = [record for record in records if record.crc == 0 and record.size]
    for record in without:
        advance(record.size)
    for record in records:
        if record.crc or not record.size:
            _check(source, record, findings, advance)
    if without:
        what = f"{len(without):,} of {len(records):,} records have no checksum, so damage to them would not be seen"
        findings.add(Severity.NOTE, what, without[0].name)
    return len(records) - len(without)


def _check(source: ByteSource, record: Record, findings: Findings, advance: Advance) -> None:
    crc = 0
    # A file that was made at full size and never filled is zeros from some place on.
    zeros = 0
    for piece in Stretch(source, record.start, record.size).pieces():
        crc = zlib.crc32(piece, crc)
        zeros = zeros + len(piece) if not piece[-1] and not any(piece) else len(piece) - len(piece.rstrip(b"\0"))
        advance(len(piece))
    if crc != record.crc:
        error = wrong_checksum(source.name, record, crc)
        tail = ": all of its bytes are zeros" if zeros == record.size else ""
        findings.complain(SegcliError(error.message + tail, hint=error.hint), record.name)
