"""Bytes on their way into a file: a stretch of another file as it is, what is computed from one, or a few of one's own.

All are written a piece at a time, so that memory does not grow with them.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from segcli.formats.byte_source import ByteSource
from segcli.formats.copying import Advance, copy_range, write_at

# Of what is read, looked at and written; small enough to stay in a processor's cache.
PIECE_BYTES = 2**20
_ZEROS = bytes(PIECE_BYTES)


class Payload(Protocol):
    """Bytes that can be written, and whose number is known before."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def pieces(self) -> Iterator[bytes]:
        """Yield them from the first to the last, a piece at a time."""

    def write(self, file: int, at: int, advance: Advance) -> int:
        """Write them at an offset of a descriptor, and return their CRC-32."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of an open file.

    Attributes:
        source: The file.
        start: The first byte's offset.
        size: How many bytes.
        crc: Their CRC-32 where the file says it; None where it must be computed.
    """

    source: ByteSource
    start: int
    size: int
    crc: int | None = None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, a piece at a time."""
        for done in range(0, self.size, PIECE_BYTES):
            yield self.source.at(self.start + done, min(PIECE_BYTES, self.size - done))

    def write(self, file: int, at: int, advance: Advance) -> int:
        """Write the bytes, inside the kernel where nobody needs to look at them."""
        if self.crc is None:
            return write_pieces(self.pieces(), file, at, advance)
        copy_range(self.source.fd, file, self.size, self.start, at, advance)
        return self.crc


@dataclass(frozen=True, slots=True)
class Computed:
    """Bytes that are computed while they are written.

    Attributes:
        size: How many bytes will come.
        compute: Starts yielding them, in pieces of any size.
    """

    size: int
    compute: Callable[[], Iterator[bytes]]

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, a piece at a time."""
        return self.compute()

    def write(self, file: int, at: int, advance: Advance) -> int:
        """Compute and write the bytes."""
        return write_pieces(self.compute(), file, at, advance)


@dataclass(frozen=True, slots=True)
class Hollow:
    """As many bytes as a payload has, none of which is written: to learn how large a file would be."""

    size: int

    def pieces(self) -> Iterator[bytes]:
        """Yield nothing."""
        return iter(())

    def write(self, _file: int, _at: int, _advance: Advance) -> int:
        """Write nothing."""
        return 0


def inline(data: bytes) -> Computed:
    r"""Return bytes that are in memory, as a payload.

    Examples:
        >>> inline(b"3\n").size
        2
    """
    return Computed(len(data), lambda: iter([data]))


def write_pieces(pieces: Iterator[bytes], file: int, at: int, advance: Advance) -> int:
    """Write pieces one behind another from an offset on, and return the CRC-32 of all."""
    crc = 0

    def summed() -> Iterator[bytes]:
        nonlocal crc
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            yield piece

    put_pieces(summed(), file, at, advance)
    return crc


def put_pieces(pieces: Iterator[bytes], file: int, at: int, advance: Advance) -> int:
    """Write pieces one behind another from an offset on, and return where they end; large zeros become holes."""
    is_hole = False
    for piece in pieces:
        is_hole = piece == _ZEROS
        if not is_hole:
            write_at(file, piece, at)
        at += len(piece)
        advance(len(piece))
    if is_hole:
        os.ftruncate(file, max(at, os.fstat(file).st_size))
    return at
