"""Scalars for TensorBoard. The only importer of tensorboardX."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from segcli.errors import SegcliError

Write = Callable[[str, float, int], None]


def check_folder(folder: Path) -> None:
    """Refuse, before any work is done, a folder that could not be written.

    Raises:
        SegcliError: Where ``folder`` is a file, or the folder that it would lie in cannot be written.
    """
    standing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with _explained(folder):
        if not standing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(standing))
        if not os.access(standing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(standing))


@contextmanager
def scalar_writer(folder: Path, *, filename_suffix: str = "") -> Iterator[Write]:
    """Give a function ``write(tag, value, step)`` that appends to a new event file in ``folder``.

    Values may be tensors of one element in any dtype, bfloat16 too. Events are written by this very thread, so
    that a full disk is an error here and not a lost queue, and the file is closed however the block ends.

    Args:
        folder: Created where it is missing.
        filename_suffix: Ends the file's name. By default it differs by process and moment: TensorBoard's own names
            tell apart seconds only, and a second writer would truncate the first one's file.

    Raises:
        SegcliError: Where the folder or the file cannot be written.

    Examples:
        >>> import tempfile
        >>> with scalar_writer(Path(tempfile.mkdtemp()) / "run") as write:
        ...     write("loss/ce", 0.25, 0)
    """
    # Their modules rather than their SummaryWriter: it hands events to a thread through a bounded queue, and once the
    # thread has died of a full disk, waits for ever.
    from tensorboardX import summary
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event

    suffix = filename_suffix or f".{os.getpid()}.{time.time_ns()}"
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        events = EventsWriter(str(folder / "events"), suffix)
    try:
        with _explained(folder):
            # float() takes what tensorboardX refuses: a bfloat16 tensor, a Fraction.
            yield lambda tag, value, step: events.write_event(
                Event(wall_time=time.time(), step=step, summary=summary.scalar(tag, float(value)))
            )
    finally:
        with _explained(folder):
            events.close()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot write TensorBoard events to {folder}: {error.strerror or error}"
        raise SegcliError(message, hint="choose another folder with --log-dir") from error
