"""Opens sources and writes destinations so that nothing is ever lost."""

import contextlib
import os
import resource
import secrets
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import BinaryIO, NoReturn

from segcli.errors import SegcliError

# What a process has open besides: its streams, modules, the destination.
_OTHER_FILES = 64
# What open gives, before the mask.
_USUAL_MODE = 0o666


def allow_open_files(count: int) -> None:
    """Let this process have so many files open at once, where the system allows more than it does by default.

    Args:
        count: How many.

    Raises:
        SegcliError: Where it does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError) as error:
        message = f"{count:,} files are needed at once, and this system lets a process open {hard:,}"
        hint = "let it open more (ulimit -Hn, as root), or take the files in groups, and then what comes of these"
        raise SegcliError(message, hint=hint) from error


def check_source(path: Path, *, pipes: bool = False) -> None:
    """Refuse what cannot be read as a file with content.

    Args:
        path: The file.
        pipes: Whether a pipe or a device will do. Files that are mapped or read twice cannot be one, and opening a
            pipe that nobody writes to waits for ever.

    Raises:
        SegcliError: Where ``path`` is missing, a folder, a pipe or a device, empty, or not readable.
    """
    try:
        mode = path.stat()
    except OSError as error:
        raise _explained(path, error, "read") from error
    if stat.S_ISDIR(mode.st_mode):
        message = f"{path} is a folder, expected a file"
        raise SegcliError(message)
    if not pipes and not stat.S_ISREG(mode.st_mode):
        message = f"{path} is a pipe or a device, expected a file"
        raise SegcliError(message, hint="copy its content into a file first")
    if stat.S_ISREG(mode.st_mode) and mode.st_size == 0:
        message = f"{path} is empty (0 bytes)"
        raise SegcliError(message, hint="its copy or download did not finish; fetch it again")
    if not os.access(path, os.R_OK):
        message = f"cannot read {path}: Permission denied"
        raise SegcliError(message)


def check_destination(path: Path, *, force: bool) -> None:
    """Refuse, before any work is done, a destination that could not be written.

    Raises:
        SegcliError: Where ``path`` is a folder or a device, exists and ``force`` is not given, or lies in no
            writable folder.
    """
    folder = path.parent
    if path.is_dir():
        message = f"{path} is a folder, expected a file to write"
        raise SegcliError(message)
    if path.exists() and not path.is_file():
        # Renaming over /dev/null would replace the device itself.
        message = f"{path} is not a regular file, so it cannot be replaced"
        raise SegcliError(message, hint="name a file")
    if os.path.lexists(path) and not force:
        message = f"{path} exists already"
        raise SegcliError(message, hint="choose another name, or replace it with --force")
    if not folder.is_dir():
        message = f"cannot write {path}: there is no folder {folder}"
        raise SegcliError(message, hint=f"create it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"cannot write {path}: the folder {folder} is not writable"
        raise SegcliError(message)


@contextlib.contextmanager
def replacing(path: Path, *, force: bool = False, mode: int = _USUAL_MODE) -> Iterator[BinaryIO]:
    """Give a file that becomes ``path`` when the block ends well.

    Until then it has no name, so whatever ends the process, ``kill -9`` and a loss of power included, nothing of it is
    left, and what stood at ``path`` stays. It is flushed to the disk before it gets its name, and so is its folder
    after. Where the file system has no files without a name (network mounts, say), it is a hidden one in ``path``'s
    folder, which is removed where the block raises, by an interrupt too.

    Args:
        path: The destination.
        force: Whether to replace one that exists, whose mode stays.
        mode: What others may do with a new one at most: what is made of a private file stays private.

    Raises:
        SegcliError: As `check_destination`, and where writing fails (a full disk, say).

    Examples:
        >>> import tempfile
        >>> destination = Path(tempfile.mkdtemp()) / "result.txt"
        >>> with replacing(destination) as file:
        ...     _ = file.write(b"done")
        >>> destination.read_bytes()
        b'done'
    """
    check_destination(path, force=force)
    # A link is written through, so that the link stays one.
    target = path.resolve()
    temporary: Path | None = None
    try:
        descriptor, temporary = _open_temporary(target)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(descriptor, _mode_for(target, mode))
            os.fsync(descriptor)
            if temporary is None and not _give_name(descriptor, target, force=force):
                # Only a rename replaces a file, and a rename takes a name: for that moment there is one, of a whole
                # file.
                temporary = target.with_name(f"{_hidden(target)}{secrets.token_hex(8)}.part")
                _link(descriptor, temporary)
        if temporary is not None:
            _move(temporary, target, force=force)
            temporary = None
        _sync_folder(target.parent)
    except OSError as error:
        raise _explained(path, error, "write") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _open_temporary(target: Path) -> tuple[int, Path | None]:
    """Open a file without a name on the target's file system; one with a name where there is no other way."""
    # Linux alone has the flag.
    unnamed = getattr(os, "O_TMPFILE", None)
    if unnamed is not None:
        # Whatever the reason, a file with a name is tried next, and says it.
        with contextlib.suppress(OSError):
            descriptor = os.open(target.parent, unnamed | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            if Path(_handle(descriptor)).exists():
                return descriptor, None
            # Without /proc it could never be given a name.
            os.close(descriptor)
    # Few file systems need it.
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix=_hidden(target), suffix=".part", dir=target.parent)
    return descriptor, Path(name)


def _give_name(descriptor: int, target: Path, *, force: bool) -> bool:
    """Call a file without a name by the target's; return False where that is taken, and may be."""
    try:
        _link(descriptor, target)
    except FileExistsError:
        if not force:
            raise
        return False
    return True


def _link(descriptor: int, name: Path) -> None:
    # That a folder's descriptor is given, which is not used, makes Python follow the link under /proc.
    os.link(_handle(descriptor), name, src_dir_fd=descriptor)


def _handle(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _hidden(target: Path) -> str:
    """Return the start of a hidden name, which with what follows stays below the 255 bytes that a name may have."""
    return f".{os.fsdecode(os.fsencode(target.name)[:200])}."


def _mode_for(target: Path, mode: int) -> int:
    """Keep the mode of the file that is replaced; else what ``open`` would give (mkstemp gives 0600), or less."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    return _USUAL_MODE & (mode | stat.S_IRUSR | stat.S_IWUSR) & ~umask()


def umask() -> int:
    """Return which rights new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def raising_at_the_end() -> Iterator[None]:
    """Let a request to end (SIGTERM) raise ``SystemExit`` in the block, so that what was begun is removed.

    Whoever listens to the signal already goes on doing so; other threads than the first cannot.
    """
    is_free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not (is_free and threading.current_thread() is threading.main_thread()):
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    # As shells count it.
    raise SystemExit(128 + number)


def _move(temporary: Path, target: Path, *, force: bool) -> None:
    if not force:
        # A link fails where the name was taken since the check; a rename would overwrite.
        with contextlib.suppress(PermissionError, NotImplementedError):
            os.link(temporary, target)
            temporary.unlink()
            return
        # Some file systems (FAT, some network mounts) have no links.
        if os.path.lexists(target):
            raise FileExistsError(17, "File exists", str(target))
    temporary.replace(target)


def _sync_folder(folder: Path) -> None:
    # Not every file system lets a folder be opened or synced; the file itself is safe by then.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(path: Path, error: OSError, verb: str) -> SegcliError:
    if isinstance(error, FileNotFoundError) and verb == "read" and path.is_symlink():
        return SegcliError(f"{path} is a link to {path.readlink()}, which does not exist", hint="mend the link")
    if isinstance(error, FileNotFoundError) and verb == "read":
        return SegcliError(f"{path} does not exist", hint=_neighbours(path))
    if isinstance(error, FileExistsError):
        return SegcliError(f"{path} exists already", hint="choose another name, or replace it with --force")
    return SegcliError(f"cannot {verb} {path}: {error.strerror or error}")


def _neighbours(path: Path) -> str:
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    # A folder of 100,000 files is not searched through for the sake of a hint.
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
    close = get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the name and the folder you are in"
