"""Reads a zip of stored records byte by byte, and refuses every zip that two readers could read differently.

Zip says things twice: in the central directory at the end, and in a header before each record. Readers that trust one
and readers that trust the other see different files, which is how scanners are deceived. Here both must agree, and the
records must lie end to end from the first byte of the file to the directory.

Source: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3 and 4.5.3.
"""

import struct
from array import array
from collections.abc import Callable, Sequence
from itertools import chain

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.zip_directory import SATURATED, Entries, Entry, Names, Records, widened
from segcli.formats.zip_end import find_directory

MAX_RECORDS = 500_000
MAX_DIRECTORY_BYTES = 128 * 2**20

_LOCAL = struct.Struct("<4s5H3L2H")
_FLAG_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_FLAG_DESCRIPTOR = 1 << 3
_FLAG_UTF8 = 1 << 11
# Signature or none, CRC, two sizes of four or eight bytes.
_DESCRIPTORS = {16: "<4xLLL", 24: "<4xLQQ", 12: "<LLL", 20: "<LQQ"}
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_RESAVE = 'open and save it with torch: torch.save(torch.load(SRC, map_location="cpu"), DST)'


# Told what is wrong with which record. It raises, or the reader goes on with the next.
Complain = Callable[[SegcliError, str], None]


def refuse(error: SegcliError, _where: str) -> None:
    """Stop at the first thing that is wrong.

    Raises:
        SegcliError: Always.
    """
    raise error


def read_directory(source: ByteSource, complain: Complain = refuse) -> Entries:
    """Read what the directory at the end of a zip names, which says what kind of archive it is.

    Args:
        source: The file.
        complain: Told of what is wrong with single records.

    Raises:
        SegcliError: For a zip that is cut short, damaged, encrypted or split, or has names that lead outside.
    """
    directory = find_directory(source)
    if directory.entries > MAX_RECORDS or directory.size > MAX_DIRECTORY_BYTES:
        message = f"{source.name} names {directory.entries} records, more than the {MAX_RECORDS} that are read"
        raise SegcliError(message)
    entries = Entries(source.name, source.at(directory.start, directory.size))
    for entry in entries:
        try:
            _check_entry(source.name, entry)
        except SegcliError as error:
            complain(error, entry.name)
    if len(entries) != directory.entries:
        what = f"its end record names {directory.entries} records, its directory has {len(entries)}"
        raise damaged(source.name, what)
    if not entries:
        message = f"{source.name} is a zip without records"
        raise SegcliError(message)
    return entries


def read_records(source: ByteSource, entries: Entries, complain: Complain = refuse) -> Records:
    """Read where the records of a zip lie, in the order in which they lie there; no data is read.

    Args:
        source: The file.
        entries: Its directory.
        complain: Told of what is wrong with single records, which are then left out, as compressed ones are.

    Raises:
        SegcliError: For a zip that is damaged, whose records repeat, overlap or leave gaps, or whose two
            sets of headers disagree.
    """
    _check_repeats(source.name, entries, complain)
    headers = array("Q", (entry.header for entry in entries))
    rows = sorted(range(len(entries)), key=headers.__getitem__)
    if first := headers[rows[0]]:
        what = f"its first record starts at byte {first}, not at 0"
        complain(damaged(source.name, what), entries[rows[0]].name)
    ends = chain((headers[row] for row in rows[1:]), [find_directory(source).start])
    records = Records(entries)
    for row, end in zip(rows, ends, strict=True):
        entry = entries[row]
        if entry.method == 0:
            try:
                records.append(row, _data_start(source, entry, end))
            except SegcliError as error:
                complain(error, entry.name)
    return records


def _check_entry(source: str, entry: Entry) -> None:
    _check_name(source, entry.raw_name)
    if entry.flags & _FLAG_ENCRYPTED:
        message = f"{source} is encrypted (record {entry.name})"
        raise SegcliError(message, hint="decrypt it first, with 7z or unzip and its password")
    if entry.flags & ~(_FLAG_DESCRIPTOR | _FLAG_UTF8) or entry.disk:
        flags = f"flags {entry.flags:#06x} on disk {entry.disk}"
        raise damaged(source, f"record {entry.name} has {flags}, expected 0x0808 on disk 0")
    if entry.packed != entry.size and entry.method == 0:
        raise damaged(source, f"record {entry.name} is stored, but has {entry.packed} bytes for {entry.size}")


def _check_name(source: str, raw: bytes) -> None:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise damaged(source, f"the record name {raw!r} is not UTF-8") from None
    if name.endswith("/"):
        message = f"{source} holds a folder entry, {name}, which torch never writes"
        raise SegcliError(message, hint=f"it was zipped by another program; {_RESAVE}")
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts or "\\" in name or not name.isprintable() or name[1:2] == ":":
        message = f"{source} has a record named {name!r}, which leads out of the archive or is no plain name"
        raise SegcliError(message, hint="torch never writes such names: do not load this file")


def refuse_compressed(source: str, entries: Sequence[Entry]) -> None:
    """Refuse a zip of which a record is not stored as it is.

    Args:
        source: How messages call the file.
        entries: Its directory.

    Raises:
        SegcliError: Where there is one.
    """
    first = next((entry for entry in entries if entry.method != 0), None)
    if first is None:
        return
    count = sum(entry.method != 0 for entry in entries)
    more = f" and {count - 1:,} more" if count > 1 else ""
    method = f"record {first.name}, method {first.method}{more}"
    message = f"{source} is compressed ({method}), and torch stores records as they are"
    hint = f"it was zipped by another program; {_RESAVE}"
    raise SegcliError(message, hint=hint)


def _check_repeats(source: str, entries: Entries, complain: Complain) -> None:
    # Torch's zip library finds names whatever their case, so two that differ in case alone are one to it.
    names = Names((entry.name.lower() for entry in entries), lambda row: entries.name(row).lower())
    before: Entry | None = None
    for row, entry in enumerate(entries):
        if next(names.rows(entry.name.lower())) < row:
            message = f"{source} has two records named {entry.name}"
            hint = "torch never writes such a file, and readers differ on which one counts"
            complain(SegcliError(message, hint=hint), entry.name)
        if before is not None and entry.header <= before.header:
            what = f"record {entry.name} does not lie behind {before.name}, as its directory has it"
            complain(damaged(source, what), entry.name)
        before = entry


def _data_start(source: ByteSource, entry: Entry, end: int) -> int:
    """Return where a record's data starts, and hold its header and descriptor against the directory.

    The next one starts at ``end``.
    """
    fields = _LOCAL.unpack(source.at(entry.header, _LOCAL.size))
    flags, method, crc, packed, size = fields[2], fields[3], *fields[6:9]
    name_length, extra_length = int(fields[9]), int(fields[10])
    if fields[0] != b"PK\x03\x04":
        raise damaged(source.name, f"there is no record at byte {entry.header}, where {entry.name} should be")
    rest = source.at(entry.header + _LOCAL.size, name_length + extra_length)
    start = entry.header + _LOCAL.size + name_length + extra_length
    if rest[:name_length] != entry.raw_name or method != 0 or flags != entry.flags:
        raise damaged(source.name, f"the two headers of record {entry.name} disagree")
    if not flags & _FLAG_DESCRIPTOR:
        wide = SATURATED in (size, packed)
        if wide:
            size, packed = widened(source.name, entry.name, rest[name_length:], (size, packed))
        if (crc, packed, size) != (entry.crc, entry.size, entry.size):
            raise damaged(source.name, f"the two headers of record {entry.name} disagree on its size or checksum")
    elif any(
        value not in (0, SATURATED, expected)
        for value, expected in ((crc, entry.crc), (packed, entry.size), (size, entry.size))
    ):
        raise damaged(source.name, f"the two headers of record {entry.name} disagree on its size or checksum")
    _check_descriptor(source, entry, start + entry.size, end)
    return start


def _check_descriptor(source: ByteSource, entry: Entry, offset: int, end: int) -> None:
    if offset > end:
        raise damaged(source.name, f"record {entry.name} overlaps what follows it by {offset - end} bytes")
    length = end - offset
    if length == 0 and (not entry.flags & _FLAG_DESCRIPTOR or entry.size == 0):
        return
    if length not in _DESCRIPTORS or not entry.flags & _FLAG_DESCRIPTOR:
        raise damaged(source.name, f"{length} bytes behind record {entry.name} belong to nothing")
    raw = source.at(offset, length)
    signed = length in (16, 24)
    expected = (entry.crc, entry.size, entry.size)
    if (signed and not raw.startswith(_DESCRIPTOR_SIGNATURE)) or struct.unpack(_DESCRIPTORS[length], raw) != expected:
        raise damaged(source.name, f"what is said behind record {entry.name} of its size and checksum is not so")
