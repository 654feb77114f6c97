"""A file opened for reads at given places, which come back whole or as an error."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segcli.errors import SegcliError
from segcli.files import check_source

FETCH_AGAIN = (
    "its download or copy did not finish or went wrong: fetch it again, and compare its size with the original's"
)

# Of what no interrupted copy explains.
MADE_SO = (
    "fetch it again, in case its download or copy went wrong; if it stays as it is, somebody made it so: do not load it"
)


def damaged(name: str, what: str, hint: str = FETCH_AGAIN) -> SegcliError:
    """Return the error for a file that is not what its format says.

    Examples:
        >>> damaged("model.pth", "record data/0 overlaps data/1").message
        'model.pth is damaged: record data/0 overlaps data/1'
    """
    return SegcliError(f"{name} is damaged: {what}", hint=hint)


@dataclass(frozen=True)
class ByteSource:
    """An open file.

    Attributes:
        name: How messages call it.
        fd: Its descriptor; reads leave its position alone.
        size: Its bytes when it was opened.
        modified_ns: When it had last changed by then.
    """

    name: str
    fd: int
    size: int
    modified_ns: int

    def at(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset`` on.

        Raises:
            SegcliError: Where the file ends before.
        """
        if offset < 0 or count < 0 or offset + count > self.size:
            message = f"bytes {offset} to {offset + count} are named, but it has {self.size}"
            raise damaged(self.name, message)
        parts: list[bytes] = []
        while count:
            part = os.pread(self.fd, count, offset)
            if not part:
                message = f"{self.name} became shorter while it was read"
                raise SegcliError(message, hint="wait until whatever writes it is done")
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    @property
    def mode(self) -> int:
        """Who may do what with the file."""
        return stat.S_IMODE(os.fstat(self.fd).st_mode)

    def check_unchanged(self) -> None:
        """Refuse a file that something else wrote to since it was opened.

        Raises:
            SegcliError: Where its size or its time of change is another.
        """
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            message = f"{self.name} changed while it was read"
            raise SegcliError(message, hint="wait until whatever writes it is done")


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[ByteSource]:
    """Open a regular file that has content; ``-`` is standard input, where that is a file.

    Raises:
        SegcliError: Where there is no such file, or it is a folder, empty, unreadable or a pipe.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights"
        >>> _ = path.write_bytes(b"abcdef")
        >>> with open_source(path) as source:
        ...     source.at(2, 3)
        b'cde'
    """
    name = "standard input" if str(path) == "-" else str(path)
    path = Path("/dev/stdin") if str(path) == "-" else path
    check_source(path, pipes=True)
    # Before it is opened: opening a pipe that nobody writes to waits for ever.
    if not path.is_file():
        message = f"{name} is not a regular file, and a checkpoint is read from its end"
        raise SegcliError(message, hint="write it to a file first, and give that file's name")
    with path.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        yield ByteSource(name, file.fileno(), status.st_size, status.st_mtime_ns)


def size_of(path: Path) -> int:
    """Return the bytes of a regular file that has content.

    Raises:
        SegcliError: As `open_source`.
    """
    with open_source(path) as source:
        return source.size
