"""Lays a zip out exactly as torch does, so that readers that compute offsets instead of reading them stay right.

With ``torch.utils.serialization.config.load.calculate_storage_offsets`` torch never looks at a record's header: it adds
up names, sizes, padding and descriptors. A file laid out in another way then loads as garbage, and no error is raised.

Source: pytorch 2.13, ``caffe2/serialize/inline_container.cc`` (``getPadding``) and ``third_party/miniz-3.0.2/miniz.c``
(``mz_zip_writer_add_mem_ex_v2``, ``mz_zip_writer_finalize_archive``). Every test of this module is against its output.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_ALIGNMENT = 64

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_UINT16_MAX = 0xFFFF
_UINT32_MAX = 0xFFFFFFFF
_ZIP64_TAG = 1
# Names are UTF-8; a data descriptor follows what is not empty.
_FLAG_UTF8, _FLAG_DESCRIPTOR = 0x0800, 0x0008
# Made on UNIX by a writer of version 3.0, to be read by one of version 4.5 (which is zip64).
_MADE_BY, _NEEDED = 0x031E, 45


@dataclass(frozen=True, slots=True)
class Placed:
    """A record that has its place: its name, size, checksum, and where its local header starts."""

    name: bytes
    size: int
    crc: int
    header: int


def local_header(name: bytes, size: int, header: int, alignment: int) -> bytes:
    """Return all that stands before a record's data: header, name, zip64 field, and padding up to ``alignment``.

    Args:
        name: The record's whole name.
        size: Bytes of its data.
        header: Where the header starts.
        alignment: Of what the data's offset shall be a multiple.

    Examples:
        >>> len(local_header(b"archive/data.pkl", 10, 0, 64))
        64
    """
    # Torch writes this header before it knows how many bytes the record will take in the archive, and leaves 0.
    wide = _zip64_field((size, 0), header)
    start = header + _LOCAL.size + len(name) + len(wide) + 4
    padding = -start % alignment
    filler = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    fields = (b"PK\x03\x04", 0, _flags(size), 0, 0, 0, 0, 0, 0, len(name), len(wide) + len(filler))
    return _LOCAL.pack(*fields) + name + wide + filler


def descriptor(record: Placed) -> bytes:
    """Return what stands behind a record's data: nothing where it is empty.

    Examples:
        >>> len(descriptor(Placed(b"archive/data/0", 48, 0, 704)))
        16
    """
    if record.size == 0:
        return b""
    wide = record.size >= _UINT32_MAX or record.header >= _UINT32_MAX
    return struct.pack("<4sLQQ" if wide else "<4sLLL", b"PK\x07\x08", record.crc, record.size, record.size)


def directory(records: Iterable[Placed], start: int) -> bytes:
    """Return the central directory, which starts at ``start``, and the end records behind it."""
    entries, count = bytearray(), 0
    for record in records:
        entries += central_header(record)
        count += 1
    return bytes(entries + end_records(count, len(entries), start))


def end_records(count: int, size: int, start: int) -> bytes:
    """Return what stands behind a central directory.

    Args:
        count: How many records it has.
        size: Its bytes.
        start: Where it starts.
    """
    end = start + size
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, _MADE_BY, _NEEDED, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    short, place = min(count, _UINT16_MAX), min(start, _UINT32_MAX)
    return end64 + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, short, short, size, place, 0)


def central_header(record: Placed) -> bytes:
    """Return what the central directory says of a record."""
    wide = _zip64_field((record.size, record.size), record.header)
    size = min(record.size, _UINT32_MAX)
    fields = (b"PK\x01\x02", 0, 0, _flags(record.size), 0, 0, 0, record.crc, size, size, len(record.name), len(wide))
    return _CENTRAL.pack(*fields, 0, 0, 0, 0, min(record.header, _UINT32_MAX)) + record.name + wide


def _zip64_field(sizes: tuple[int, int], header: int) -> bytes:
    """Return the values that do not fit into 32 bits; torch writes a header's own offset before it, too."""
    values = [*(sizes if sizes[0] >= _UINT32_MAX else ()), *((header,) if header >= _UINT32_MAX else ())]
    return struct.pack(f"<HH{len(values)}Q", _ZIP64_TAG, 8 * len(values), *values) if values else b""


def _flags(size: int) -> int:
    return _FLAG_UTF8 | (_FLAG_DESCRIPTOR if size else 0)
