"""Copies ranges of bytes between files inside the kernel, where it can; holes stay holes."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator

from segcli.errors import SegcliError

Advance = Callable[[int], None]
# (source, destination, count, source offset, destination offset) -> bytes copied.
CopyCall = Callable[[int, int, int, int, int], int]

# Large enough that calls cost nothing, small enough that progress moves and Ctrl-C is heard.
_CHUNK_BYTES = 32 * 2**20
_BUFFER_BYTES = 2**20
# Of ioctl: lets two files share their blocks (btrfs, XFS). Source: ``linux/fs.h``.
_FICLONE = 0x40049409
# What says that a call cannot serve these two files, as against that the disk is full.
_UNSUPPORTED = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.ETXTBSY}


def copy_range(source: int, destination: int, count: int, start: int, at: int, advance: Advance) -> None:
    """Copy ``count`` bytes from offset ``start`` of one descriptor to offset ``at`` of another.

    Args:
        source: Where to read.
        destination: Where to write.
        count: Bytes.
        start: The first byte's offset in ``source``.
        at: Its offset in ``destination``.
        advance: Told of bytes as they are copied.

    Raises:
        SegcliError: Where ``source`` ends before.
        OSError: Where the disk is full.
    """
    end = start + count
    done = start
    for first, last in _extents(source, start, end):
        advance(first - done)
        _copy_extent(source, destination, last - first, first, at + first - start, advance)
        done = last
    advance(end - done)
    if os.fstat(destination).st_size < at + count:
        # What remains is a hole.
        os.ftruncate(destination, at + count)


def copy_file(source: int, destination: int, advance: Advance) -> None:
    """Copy a whole file into an empty one: its blocks are shared where the file system can, and else copied.

    Raises:
        SegcliError: As `copy_range`.
        OSError: As `copy_range`.
    """
    size = os.fstat(source).st_size
    with contextlib.suppress(OSError):
        fcntl.ioctl(destination, _FICLONE, source)
        advance(size)
        return
    copy_range(source, destination, size, 0, 0, advance)


def write_at(descriptor: int, data: bytes | bytearray, at: int) -> None:
    """Write all of ``data`` at an offset.

    Raises:
        OSError: Where the disk is full.
    """
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def _extents(source: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where a sparse file has data between two offsets; any other file has data everywhere."""
    status = os.fstat(source)
    if status.st_blocks * 512 >= status.st_size or not hasattr(os, "SEEK_DATA"):
        yield start, end
        return
    position = start
    while position < end:
        try:
            first = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                # No data up to the end of the file.
                return
            raise
        if first >= end:
            return
        position = min(os.lseek(source, first, os.SEEK_HOLE), end)
        yield first, position


def _copy_extent(source: int, destination: int, count: int, start: int, at: int, advance: Advance) -> None:
    calls = list(_COPY_CALLS)
    while count:
        try:
            copied = calls[0](source, destination, min(count, _CHUNK_BYTES), start, at)
        except OSError as error:
            if error.errno not in _UNSUPPORTED or len(calls) == 1:
                raise
            copied = 0
        if copied == 0 and len(calls) > 1:
            # Some file systems return 0 where they should say that they cannot.
            calls.pop(0)
            continue
        if copied == 0:
            message = "the source file became shorter while it was copied"
            raise SegcliError(message, hint="wait until whatever writes it is done")
        advance(copied)
        _start_writing(destination, at, copied)
        start, at, count = start + copied, at + copied, count - copied


def _start_writing(destination: int, at: int, count: int) -> None:
    """Let the disk begin with what has been copied, while more is: what the end waits for is then nearly done."""
    # Linux writes dirty pages of which it is told that nobody needs them. Elsewhere, and in pipes, it is no matter.
    with contextlib.suppress(OSError, AttributeError):
        os.posix_fadvise(destination, at, count, os.POSIX_FADV_DONTNEED)


def _with_copy_file_range(source: int, destination: int, count: int, start: int, at: int) -> int:
    return os.copy_file_range(source, destination, count, start, at)


def _with_sendfile(source: int, destination: int, count: int, start: int, at: int) -> int:
    os.lseek(destination, at, os.SEEK_SET)
    return os.sendfile(destination, source, start, count)


def _with_buffer(source: int, destination: int, count: int, start: int, at: int) -> int:
    data = os.pread(source, min(count, _BUFFER_BYTES), start)
    write_at(destination, data, at)
    return len(data)


_COPY_CALLS: tuple[CopyCall, ...] = (
    *((_with_copy_file_range,) if hasattr(os, "copy_file_range") else ()),
    *((_with_sendfile,) if hasattr(os, "sendfile") else ()),
    _with_buffer,
)
