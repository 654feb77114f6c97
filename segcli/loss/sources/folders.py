"""What lies in a folder and those below, by name; a hundred thousand files are listed without a look at each."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from segcli.errors import SegcliError

# What desktops leave in folders, beside what is hidden.
_LITTER = frozenset(["Thumbs.db", "desktop.ini", "__MACOSX"])
_SHOWN = 3


@dataclass(frozen=True)
class Listing:
    """The files of a folder that are for something.

    Attributes:
        what: What for: ``logits``, ``labels`` or ``pictures``.
        folder: The folder.
        files: Those that can be it, by name: the path below the folder, without the suffix and what else they end in.
        others: Files of other suffixes, the same way; they are left out.
    """

    what: str
    folder: Path
    files: Mapping[str, str]
    others: Mapping[str, str]

    def path(self, name: str) -> str:
        """Return where a file is."""
        return f"{self.folder}/{self.files[name]}"


def list_folder(
    folder: Path,
    what: str,
    suffixes: tuple[str, ...],
    *,
    ending: str = "",
    unlike: str = "",
    without: Path | None = None,
) -> Listing:
    """List the files of a folder and those below it, by name.

    Hidden files, and what desktops leave behind, are no files here. Links are followed, but not to a folder that they
    lie in.

    Args:
        folder: Where to look.
        what: What for, in messages.
        suffixes: Which suffixes such a file may have, in lower case; upper case counts too.
        ending: What stands before the suffix in all of them, and is no part of the name; others are left out.
        unlike: What must not stand there.
        without: A folder that is not entered.

    Raises:
        SegcliError: Where it is no folder, or cannot be read, or holds two such files of one name, or none.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.pt").touch(), (folder / "log.txt").touch()
        >>> list_folder(folder, "logits", (".pt",)).files
        {'a': 'a.pt'}
    """
    files: dict[str, str] = {}
    others: dict[str, str] = {}
    twice: dict[str, tuple[str, str]] = {}
    for path in _walk(folder, without):
        stem, suffix = os.path.splitext(path)  # noqa: PTH122 - a Path a file takes longer than the listing
        name = stem.removesuffix(ending)
        if not stem.endswith(ending) or not name or name.endswith("/") or (unlike and stem.endswith(unlike)):
            continue
        if suffix.lower() not in suffixes:
            others[name] = path
        elif name in files:
            twice[name] = (files[name], path)
        else:
            files[name] = path
    if twice:
        raise _ambiguous(what, folder, twice)
    if not files:
        raise _nothing(what, folder, suffixes, ending, others)
    return Listing(what, folder, files, others)


def _walk(folder: Path, without: Path | None) -> Iterator[str]:
    """Yield the paths of files below a folder, with ``/`` between names."""
    avoided = None if without is None else _identity(without)
    waiting = [("", frozenset([_identity(folder)]))]
    while waiting:
        prefix, around = waiting.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name in _LITTER:
                        continue
                    if not entry.is_dir():
                        yield prefix + entry.name
                        continue
                    identity = _identity(entry)
                    if identity not in around and identity != avoided:
                        waiting.append((f"{prefix}{entry.name}/", around | {identity}))
        except OSError as error:
            message = f"cannot read {folder / prefix}: {error.strerror}"
            raise SegcliError(message) from error


def _identity(folder: "Path | os.DirEntry[str]") -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        message = f"{folder} does not exist" if isinstance(error, FileNotFoundError) else f"cannot read {folder}"
        raise SegcliError(message, hint="check the name and the folder you are in") from error
    return status.st_dev, status.st_ino


def _ambiguous(what: str, folder: Path, twice: Mapping[str, tuple[str, str]]) -> SegcliError:
    pairs = [" and ".join(sorted(paths)) for _, paths in sorted(twice.items())]
    count = "a name" if len(pairs) == 1 else f"{len(pairs):,} names"
    message = f"{folder} holds {count} twice, expected one file of {what} for each: {listed(pairs)}"
    return SegcliError(message, hint="keep one of each in the folder, or list the pairs in a manifest")


def _nothing(what: str, folder: Path, suffixes: tuple[str, ...], ending: str, others: Mapping[str, str]) -> SegcliError:
    wanted = ", ".join(f"{ending}{suffix}" for suffix in suffixes)
    found = f"; what it holds: {listed(sorted(others.values()))}" if others else ""
    return SegcliError(f"{folder} holds no {what}", hint=f"{what} are files that end in {wanted}{found}")


def listed(names: list[str]) -> str:
    """Name the first few.

    Examples:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
