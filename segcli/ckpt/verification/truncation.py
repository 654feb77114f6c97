"""Says of a zip checkpoint without an end how many bytes it should have.

The pickle comes first, and says how large each storage is; all else follows from torch's layout.
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.persistent_id import resolve_zip
from segcli.formats.pickle_stream import walk_at
from segcli.formats.torch_zip import MAX_PICKLE_BYTES, PICKLE_NAME
from segcli.formats.zip_directory import Record
from segcli.formats.zip_layout import DEFAULT_ALIGNMENT, Placed, descriptor, directory, local_header
from segcli.formats.zip_records import MAX_RECORDS

_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = struct.Struct("<4sL")
_FLAG_DESCRIPTOR = 1 << 3
# The records of which a file has either all or none, in the order in which torch writes them before and behind the
# storages; it always writes the version.
_MARK = ".format_version"
_BEFORE = {".storage_alignment": 2, "byteorder": 6}
_VERSION = {"version": 2}
_BEHIND = {".data/serialization_id": 40}
# Of torch's small records.
_SMALL_BYTES = 64


@dataclass(frozen=True)
class Remains:
    """What is left of a zip checkpoint.

    Attributes:
        whole: The records that are whole.
        cut: The name of the first one that is not; empty where all are.
        end: The byte behind the last whole one.
        expected: How many bytes the file should have; None where nothing says it.
        is_exact: Whether it may not have more than that.
    """

    whole: tuple[Record, ...]
    cut: str
    end: int
    expected: int | None
    is_exact: bool


def find_remains(source: ByteSource) -> Remains:
    """Follow the local headers of a zip from its first byte on, as far as there are any."""
    reader = _Reader(source)
    whole = tuple(reader.records())
    names = {record.name.partition("/")[2] for record in whole}
    if reader.sizes is None:
        return Remains(whole, reader.cut, reader.at, None, is_exact=False)
    is_exact = _MARK in names
    due = {**_BEFORE, **reader.sizes, **_VERSION, **_BEHIND} if is_exact else {**reader.sizes, **_VERSION}
    rest = {name: size for name, size in due.items() if name not in names}
    placed = [Placed(record.name.encode(), record.size, record.crc, record.header) for record in whole]
    at = reader.at
    for name, size in rest.items():
        place = Placed(f"{reader.prefix}/{name}".encode(), size, 0, at)
        at += len(local_header(place.name, size, at, reader.alignment)) + size + len(descriptor(place))
        placed.append(place)
    cut = f"{reader.prefix}/{next(iter(rest))}" if rest else ""
    return Remains(whole, cut, reader.at, at + len(directory(placed, at)), is_exact)


class _Reader:
    """Reads records one after another, each from its own header.

    Attributes:
        at: The byte behind the last whole record.
        prefix: What the records' names start with.
        cut: The name of the record that is not whole.
        sizes: The bytes of each storage's record by name, as the pickle says it; None before that is read.
        alignment: Of what the offsets of records are multiples.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.at = 0
        self.prefix = ""
        self.cut = ""
        self.sizes: dict[str, int] | None = None
        self.alignment = DEFAULT_ALIGNMENT

    def records(self) -> Iterator[Record]:
        # A file of nothing but headers would fill the memory.
        yield from itertools.islice(iter(self._next, None), MAX_RECORDS)

    def _next(self) -> Record | None:
        head = self._bytes(self.at, _LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
            return None
        fields = _LOCAL.unpack(head)
        flags, method, crc, packed, size, name_length, extra_length = fields[2], fields[3], *fields[6:]
        start = self.at + _LOCAL.size + name_length + extra_length
        if start > self._source.size:
            return None
        self.cut = self._bytes(self.at + _LOCAL.size, name_length).decode("utf-8", "backslashreplace")
        self.prefix, _, name = self.cut.partition("/")
        found = self._size(name, start) if flags & _FLAG_DESCRIPTOR else packed
        if found is None or method or (not flags & _FLAG_DESCRIPTOR and packed != size):
            return None
        tail = descriptor(Placed(b"", found, 0, self.at)) if flags & _FLAG_DESCRIPTOR else b""
        end = start + found + len(tail)
        if end > self._source.size:
            return None
        if tail:
            signature, crc = _DESCRIPTOR.unpack(self._bytes(start + found, _DESCRIPTOR.size))
            if signature != b"PK\x07\x08":
                return None
        if name == ".storage_alignment":
            text = self._bytes(start, min(found, _SMALL_BYTES))
            self.alignment = int(text) if text.isdigit() and 0 < int(text) < 2**16 else DEFAULT_ALIGNMENT
        record = Record(self.cut, self.at, start, found, crc)
        self.at, self.cut = end, ""
        return record

    def _size(self, name: str, start: int) -> int | None:
        """Return how many bytes a record has whose header leaves that to what follows it."""
        if name == PICKLE_NAME:
            return self._pickle_size(start)
        if self.sizes and name in self.sizes:
            return self.sizes[name]
        size = self._bytes(start, _SMALL_BYTES + 4).find(b"PK\x07\x08")
        return None if size < 0 else size

    def _pickle_size(self, start: int) -> int | None:
        try:
            said = walk_at(self._source, start, PICKLE_NAME, MAX_PICKLE_BYTES, resolve_zip)
        except SegcliError:
            return None
        self.sizes = {
            f"data/{storage.key}": storage.numel * ITEM_BYTES[STORAGE_DTYPES[storage.type_name]]
            for storage in said.storages
            if storage.type_name in STORAGE_DTYPES
        }
        return said.end

    def _bytes(self, at: int, count: int) -> bytes:
        return self._source.at(at, max(0, min(count, self._source.size - at))) if at < self._source.size else b""
