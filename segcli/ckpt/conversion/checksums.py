"""Holds values against the checksums of their records on their way to where there are none."""

import zlib
from collections.abc import Iterator

from segcli.formats.byte_source import damaged
from segcli.formats.stored_storage import StoredStorage


def checked_pieces(name: str, storage: StoredStorage) -> Iterator[bytes]:
    """Yield a storage's bytes, and see at the end whether their checksum is right.

    Args:
        name: How messages call the file.
        storage: The storage.

    Raises:
        SegcliError: Where it is another.
    """
    data, crc = storage.elements, 0
    for piece in data.pieces():
        crc = zlib.crc32(piece, crc)
        yield piece
    # 0 stands for "none was computed".
    if data.crc and data.crc != crc:
        raise damaged(name, f"the checksum of storage {storage.key} is {crc:08x}, expected {data.crc:08x}")


def check(name: str, storage: StoredStorage) -> None:
    """Read a storage for the sake of its checksum alone; one that has none is not read.

    Raises:
        SegcliError: As `checked_pieces`.
    """
    if storage.elements.crc:
        for _ in checked_pieces(name, storage):
            pass
