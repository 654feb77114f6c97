"""Pickles that lie one behind another in a file, of which nobody has said how long they are."""

from typing import BinaryIO, cast

from segcli.errors import SegcliError
from segcli.formats.byte_source import FETCH_AGAIN, ByteSource, damaged
from segcli.formats.persistent_id import Resolve
from segcli.formats.pickle_walk import Walk, walk_stream

_BUFFER_BYTES = 2**16


class _Stream:
    """A part of a file to be read from its first byte on, which is place 0."""

    def __init__(self, source: ByteSource, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self._size = size
        self._buffer = b""
        self._buffer_at = 0
        self._at = 0
        self.ran_out = False

    def tell(self) -> int:
        return self._at

    def read(self, count: int) -> bytes:
        """Return ``count`` bytes, or all that are left."""
        first = self._at - self._buffer_at
        data = self._buffer[first : first + count]
        if len(data) < count:
            data = self._refilled(count)[:count]
        self.ran_out |= len(data) < count
        self._at += len(data)
        return data

    def readline(self) -> bytes:
        """Return what is left of a line, with its end."""
        parts = []
        while True:
            first = self._at - self._buffer_at
            end = self._buffer.find(b"\n", first) + 1 or len(self._buffer)
            parts.append(self._buffer[first:end])
            self._at += end - first
            if parts[-1].endswith(b"\n"):
                return b"".join(parts)
            if not self._refilled(1):
                self.ran_out = True
                return b"".join(parts)

    def _refilled(self, count: int) -> bytes:
        self._buffer_at = self._at
        self._buffer = self._source.at(self._start + self._at, min(max(count, _BUFFER_BYTES), self._size - self._at))
        return self._buffer


def walk_at(source: ByteSource, start: int, name: str, limit: int, resolve: Resolve, end: int | None = None) -> Walk:
    """Follow the pickle that starts at a place of a file; places in what comes back count from there.

    Args:
        source: The file.
        start: The pickle's first byte.
        name: How messages call the pickle.
        limit: How many bytes it may have.
        resolve: Says what its persistent ids stand for.
        end: The byte where it must have ended; None for the file's end.

    Raises:
        SegcliError: As `walk_stream`; where the file ends first, or the pickle is longer.
    """
    end = source.size if end is None else end
    stream = _Stream(source, start, min(limit, end - start))
    try:
        return walk_stream(cast("BinaryIO", stream), name, resolve)
    except SegcliError as error:
        if not stream.ran_out:
            raise
        if start + limit < end:
            message = f"{name} has more than {limit:,} bytes"
            raise SegcliError(message, hint="no checkpoint's has: do not load this file") from error
        if end < source.size:
            raise damaged(source.name, f"{name} ends too early") from error
        where = "its pickle" if name == source.name else name
        message = f"{source.name} is truncated: its {source.size:,} bytes end inside of {where}"
        raise SegcliError(message, hint=FETCH_AGAIN) from error
