"""What a zip's directory says of its records, and where these lie: kept as bytes and numbers, since there may be many.

Source: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3.12 and 4.5.3.
"""

import struct
from abc import abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from segcli.formats.byte_source import damaged

_CENTRAL = struct.Struct("<4s6H3L5H2L")
_NAME_LENGTH, _NAME_LENGTH_AT = struct.Struct("<H"), 28
_ZIP64_EXTRA = 1
SATURATED = 0xFFFFFFFF
# A number below half a million has fewer bits; the others of 64 are for the name that it is found by.
_ROW_BITS = 20

Item = TypeVar("Item")


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


class Names:
    """Finds numbers by names, in eight bytes for each."""

    def __init__(self, names: Iterable[str], name_of: Callable[[int], str]) -> None:
        """Take the names in the order of their numbers, and what says the name of a number."""
        self._name_of = name_of
        self._rows = array("Q", sorted(_head(name) | row for row, name in enumerate(names)))

    def rows(self, name: str) -> Iterator[int]:
        """Yield the numbers that have a name, the least first."""
        head = _head(name)
        for at in range(bisect_left(self._rows, head), len(self._rows)):
            row = self._rows[at] - head
            if row >> _ROW_BITS:
                return
            if self._name_of(row) == name:
                yield row


def _head(name: str) -> int:
    return (hash(name) << _ROW_BITS) & 0xFFFFFFFFFFFFFFFF


class Made(Sequence[Item]):
    """A sequence whose items are made when they are asked for."""

    @abstractmethod
    def made(self, at: int, /) -> Item:
        """Return the item at a place."""

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> list[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | list[Item]:
        """Return one, or several."""
        if isinstance(at, slice):
            return [self.made(one) for one in range(*at.indices(len(self)))]
        return self.made(at)


class Entries(Made[Entry]):
    """The entries of a directory, of which each is made when it is asked for."""

    def __init__(self, source: str, data: bytes) -> None:
        """Read a directory.

        Args:
            source: How messages call the file.
            data: The directory.

        Raises:
            SegcliError: For one that is cut short or contradicts itself.
        """
        self._source = source
        self._data = data
        self._starts = array("I")
        offset = 0
        while offset < len(data):
            self._starts.append(offset)
            _, offset = read_entry(source, data, offset)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._starts)

    def made(self, row: int) -> Entry:
        """Return one."""
        return read_entry(self._source, self._data, self._starts[row])[0]

    def name(self, row: int) -> str:
        """Return the name of one, which takes less than the whole of it."""
        start = self._starts[row]
        (length,) = _NAME_LENGTH.unpack_from(self._data, start + _NAME_LENGTH_AT)
        return _name(self._data[start + _CENTRAL.size : start + _CENTRAL.size + length])


class Records(Made[Record]):
    """The records of a zip in the order in which they lie, of which each is made when it is asked for."""

    def __init__(self, entries: Entries) -> None:
        """Start without any; ``entries`` are those of the zip."""
        self._entries = entries
        self._rows = array("I")
        self._starts = array("Q")
        self._names: Names | None = None

    def append(self, row: int, start: int) -> None:
        """Take in the record of an entry, whose data starts at a byte."""
        self._rows.append(row)
        self._starts.append(start)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._rows)

    def made(self, at: int) -> Record:
        """Return one."""
        entry = self._entries[self._rows[at]]
        return Record(entry.name, entry.header, self._starts[at], entry.size, entry.crc)

    def name(self, at: int) -> str:
        """Return the name of one, which takes less than the whole of it."""
        return self._entries.name(self._rows[at])

    def find(self, name: str) -> int | None:
        """Return the place of the first record of a name; None where there is none."""
        if self._names is None:
            self._names = Names(map(self.name, range(len(self))), self.name)
        return next(self._names.rows(name), None)


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def read_entry(source: str, data: bytes, offset: int) -> tuple[Entry, int]:
    """Return an entry of a directory, and the byte behind it.

    Args:
        source: How messages call the file.
        data: The directory.
        offset: The entry's first byte.

    Raises:
        SegcliError: For one that is cut short or contradicts itself.
    """
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
    name = _name(raw_name)
    if extra_length or SATURATED in (size, packed, header):
        extra = data[start + name_length : start + name_length + extra_length]
        size, packed, header = widened(source, name, extra, (size, packed, header))
    return Entry(raw_name, name, flags, method, crc, size, packed, header, disk), end


def widened(source: str, name: str, extra: bytes, values: Sequence[int]) -> list[int]:
    """Take from the zip64 extra field the values that did not fit into 32 bits, in the order in which they are due.

    Args:
        source: How messages call the file.
        name: How they call the record.
        extra: All of its extra fields.
        values: What stands in 32 bits.

    Raises:
        SegcliError: Where the field has more or less than is due.
    """
    wide = _zip64_field(source, name, extra)
    if len(wide) != 8 * sum(value == SATURATED for value in values):
        raise damaged(source, f"the zip64 field of record {name} has {len(wide)} bytes for the values that need it")
    numbers = iter(struct.unpack(f"<{len(wide) // 8}Q", wide))
    return [next(numbers) if value == SATURATED else value for value in values]


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
