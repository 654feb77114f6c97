"""Many results as JSON lines: one document a line, written as it comes."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from segcli.errors import SegcliError
from segcli.files import check_source, replacing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# The plain fields of a dataclass, without the deep copy that asdict makes: that copy takes longer than the rest. No
# document holds itself, and to look for that takes an eighth of the writing.
_ENCODER = json.JSONEncoder(default=vars, allow_nan=False, check_circular=False)
_CHUNK_BYTES = 2**16


def to_line(command: str, result: "DataclassInstance | dict[str, Any]") -> str:
    r"""Return a document on one line.

    Args:
        command: The name in the schema: ``segcli.<command>/1``.
        result: A dataclass, or a dict, that holds dataclasses without slots and plain data.

    Examples:
        >>> to_line("shapes", {"same": True})
        '{"schema": "segcli.shapes/1", "same": true}\n'
    """
    content = result if isinstance(result, dict) else vars(result)
    return _ENCODER.encode({"schema": f"segcli.{command}/1", **content}) + "\n"


def write_lines(lines: Iterable[str], file: Path | None, *, force: bool = False) -> None:
    """Write lines as they come: to standard output, each at once, or to a file that appears when all are there.

    Args:
        lines: The lines, with their ends.
        file: The destination; None or ``-`` is standard output.
        force: Whether a file that exists is replaced.

    Raises:
        SegcliError: Where the destination cannot be written.
    """
    if file is not None and str(file) != "-":
        with replacing(file, force=force) as destination:
            destination.writelines(line.encode() for line in lines)
        return
    for line in lines:
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            message = f"cannot write to standard output: {error.strerror}"
            raise SegcliError(message) from error


@contextmanager
def source_of_lines(file: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file of lines, or standard input for ``-``, to be read with `read_lines`; with its size, 0 if unknown.

    Raises:
        SegcliError: Where it cannot be read.
    """
    if str(file) == "-":
        if sys.stdin is None:
            message = "standard input is closed"
            raise SegcliError(message)
        yield sys.stdin.buffer, 0
        return
    check_source(file)
    with file.open("rb") as source:
        yield source, os.fstat(source.fileno()).st_size


def read_lines(source: BinaryIO, max_bytes: int) -> Iterator[tuple[bytes | None, int]]:
    r"""Go through the lines of a file in constant memory.

    Args:
        source: The file.
        max_bytes: How long a line may be.

    Yields:
        Each line, None for one that is too long, and how many bytes it took.

    Examples:
        >>> import io
        >>> list(read_lines(io.BytesIO(b"abc\n" + b"x" * 20 + b"\nd"), max_bytes=8))
        [(b'abc\n', 4), (None, 21), (b'd', 1)]
    """
    while line := source.readline(max_bytes + 1):
        if len(line) <= max_bytes:
            yield line, len(line)
            continue
        skipped = len(line)
        while not line.endswith(b"\n") and (line := source.readline(_CHUNK_BYTES)):
            skipped += len(line)
        yield None, skipped
