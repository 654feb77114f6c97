"""Reads a zip of stored records byte by byte, and refuses every zip that two readers could read differently.

Zip says things twice: in the central directory at the end, and in a header before each record. Readers that trust one
and readers that trust the other see different files, which is how scanners are deceived. Here both must agree, and the
records must lie end to end from the first byte of the file to the directory.

Source: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3 and 4.5.3.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.zip_end import find_directory

MAX_RECORDS = 500_000
MAX_DIRECTORY_BYTES = 128 * 2**20

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_ZIP64_EXTRA = 1
_FLAG_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_FLAG_DESCRIPTOR = 1 << 3
_FLAG_UTF8 = 1 << 11
_SATURATED = 0xFFFFFFFF
# Signature or none, CRC, two sizes of four or eight bytes.
_DESCRIPTORS = {16: "<4xLLL", 24: "<4xLQQ", 12: "<LLL", 20: "<LQQ"}
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_RESAVE = 'open and save it with torch: torch.save(torch.load(SRC, map_location="cpu"), DST)'


@dataclass(frozen=True, slots=True)
class Record:
    """One stored record.

    Attributes:
        name: Its whole name in the archive.
        header: Where its local header starts.
        start: Where its data starts.
        size: Bytes of its data.
        crc: The CRC-32 that the archive gives; torch writes 0 where it was told not to compute one.
    """

    name: str
    header: int
    start: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What the central directory says of a record; the attributes are APPNOTE's."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    size: int
    packed: int
    header: int
    disk: int


# Told what is wrong with which record. It raises, or the reader goes on with the next.
Complain = Callable[[SegcliError, str], None]


def refuse(error: SegcliError, _where: str) -> None:
    """Stop at the first thing that is wrong.

    Raises:
        SegcliError: Always.
    """
    raise error


def read_directory(source: ByteSource, complain: Complain = refuse) -> tuple[Entry, ...]:
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
    data = source.at(directory.start, directory.size)
    entries: list[Entry] = []
    offset = 0
    while offset < len(data):
        entry, offset = _read_entry(source.name, data, offset)
        try:
            _check_entry(source.name, entry)
        except SegcliError as error:
            complain(error, entry.name)
        entries.append(entry)
    if len(entries) != directory.entries:
        what = f"its end record names {directory.entries} records, its directory has {len(entries)}"
        raise damaged(source.name, what)
    if not entries:
        message = f"{source.name} is a zip without records"
        raise SegcliError(message)
    return tuple(entries)


def read_records(source: ByteSource, entries: Sequence[Entry], complain: Complain = refuse) -> tuple[Record, ...]:
    """Read where the records of a zip lie, in the order in which they lie there; no data is read.

    Args:
        source: The file.
        entries: Its directory.
        complain: Told of what is wrong with single records, which are then left out.

    Raises:
        SegcliError: For a zip that is damaged or compressed, whose records repeat, overlap or leave gaps, or whose two
            sets of headers disagree.
    """
    if packed := [entry for entry in entries if entry.method != 0]:
        complain(_compressed(source.name, packed), packed[0].name)
    _check_repeats(source.name, entries, complain)
    ordered = sorted(entries, key=lambda entry: entry.header)
    ends = [entry.header for entry in ordered[1:]] + [find_directory(source).start]
    if ordered[0].header != 0:
        what = f"its first record starts at byte {ordered[0].header}, not at 0"
        complain(damaged(source.name, what), ordered[0].name)
    records = []
    for entry, end in zip(ordered, ends, strict=True):
        if entry.method == 0:
            try:
                records.append(_read_record(source, entry, end))
            except SegcliError as error:
                complain(error, entry.name)
    return tuple(records)


def _read_entry(source: str, data: bytes, offset: int) -> tuple[Entry, int]:
    if len(data) - offset < _CENTRAL.size or not data.startswith(b"PK\x01\x02", offset):
        raise damaged(source, f"its directory has no entry at byte {offset}")
    fields = _CENTRAL.unpack_from(data, offset)
    flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
    name_length, extra_length, comment_length, disk, _, _, header = fields[10:]
    start = offset + _CENTRAL.size
    end = start + name_length + extra_length + comment_length
    if end > len(data):
        raise damaged(source, f"its directory's entry at byte {offset} is cut short")
    raw_name = data[start : start + name_length]
    name = raw_name.decode("utf-8", "backslashreplace")
    extra = data[start + name_length : start + name_length + extra_length]
    size, packed, header = _widened(source, name, extra, (size, packed, header))
    return Entry(raw_name, name, flags, method, crc, size, packed, header, disk), end


def _widened(source: str, name: str, extra: bytes, values: Sequence[int]) -> list[int]:
    """Take from the zip64 extra field the values that did not fit into 32 bits, in the order in which they are due."""
    wide = _zip64_field(source, name, extra)
    if len(wide) != 8 * sum(value == _SATURATED for value in values):
        raise damaged(source, f"the zip64 field of record {name} has {len(wide)} bytes for the values that need it")
    numbers = iter(struct.unpack(f"<{len(wide) // 8}Q", wide))
    return [next(numbers) if value == _SATURATED else value for value in values]


def _zip64_field(source: str, name: str, extra: bytes) -> bytes:
    found = []
    offset = 0
    while offset < len(extra):
        if len(extra) - offset < 4:  # noqa: PLR2004 - a tag and a length
            raise damaged(source, f"the extra field of record {name} is cut short")
        tag, length = struct.unpack_from("<HH", extra, offset)
        field = extra[offset + 4 : offset + 4 + length]
        if len(field) != length:
            raise damaged(source, f"the extra field of record {name} is cut short")
        if tag == _ZIP64_EXTRA:
            found.append(field)
        offset += 4 + length
    if len(found) > 1:
        raise damaged(source, f"record {name} has several zip64 fields")
    return found[0] if found else b""


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


def _compressed(source: str, entries: Sequence[Entry]) -> SegcliError:
    more = f" and {len(entries) - 1:,} more" if len(entries) > 1 else ""
    method = f"record {entries[0].name}, method {entries[0].method}{more}"
    message = f"{source} is compressed ({method}), and torch stores records as they are"
    return SegcliError(message, hint=f"it was zipped by another program; {_RESAVE}")


def _check_repeats(source: str, entries: Sequence[Entry], complain: Complain) -> None:
    seen: set[str] = set()
    for before, entry in zip([None, *entries[:-1]], entries, strict=True):
        # Torch's zip library finds names whatever their case, so two that differ in case alone are one to it.
        if entry.name.lower() in seen:
            message = f"{source} has two records named {entry.name}"
            hint = "torch never writes such a file, and readers differ on which one counts"
            complain(SegcliError(message, hint=hint), entry.name)
        seen.add(entry.name.lower())
        if before is not None and entry.header <= before.header:
            what = f"record {entry.name} does not lie behind {before.name}, as its directory has it"
            complain(damaged(source, what), entry.name)


def _read_record(source: ByteSource, entry: Entry, end: int) -> Record:
    """Hold a record's local header, data and descriptor against the directory; ``end`` is where the next one starts."""
    fields = _LOCAL.unpack(source.at(entry.header, _LOCAL.size))
    flags, method, crc, packed, size, name_length, extra_length = fields[2], fields[3], *fields[6:]
    if fields[0] != b"PK\x03\x04":
        raise damaged(source.name, f"there is no record at byte {entry.header}, where {entry.name} should be")
    rest = source.at(entry.header + _LOCAL.size, name_length + extra_length)
    start = entry.header + _LOCAL.size + name_length + extra_length
    if rest[:name_length] != entry.raw_name or method != 0 or flags != entry.flags:
        raise damaged(source.name, f"the two headers of record {entry.name} disagree")
    if not flags & _FLAG_DESCRIPTOR:
        wide = _SATURATED in (size, packed)
        if wide:
            size, packed = _widened(source.name, entry.name, rest[name_length:], (size, packed))
        if (crc, packed, size) != (entry.crc, entry.size, entry.size):
            raise damaged(source.name, f"the two headers of record {entry.name} disagree on its size or checksum")
    elif any(
        value not in (0, _SATURATED, expected)
        for value, expected in ((crc, entry.crc), (packed, entry.size), (size, entry.size))
    ):
        raise damaged(source.name, f"the two headers of record {entry.name} disagree on its size or checksum")
    _check_descriptor(source, entry, start + entry.size, end)
    return Record(entry.name, entry.header, start, entry.size, entry.crc)


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
