"""Which checkpoints a command is given: files, patterns, folders of checkpoints, folders that are one."""

import glob
from collections.abc import Sequence
from pathlib import Path

from segcli.errors import SegcliError
from segcli.formats.byte_source import size_of
from segcli.formats.dcp_folder import is_dcp

# What checkpoints in a folder are called.
_ENDINGS = (".pth", ".pt", ".ckpt", ".bin", ".tar", ".safetensors")
_PATTERN = frozenset("*?[")


def expand(sources: Sequence[Path]) -> list[Path]:
    """Return the checkpoints that are meant: patterns and folders stand for what is in them.

    Raises:
        SegcliError: Where one stands for nothing.
    """
    found: list[Path] = []
    for source in sources:
        if source.is_dir() and not is_dcp(source):
            inside = [one for one in sorted(source.iterdir()) if is_dcp(one) or one.suffix.lower() in _ENDINGS]
            if not inside:
                message = f"{source} holds no checkpoints, of which the names end in {', '.join(_ENDINGS)}"
                raise SegcliError(message, hint=f"name them, or a pattern: '{source}/*'")
            found += inside
        else:
            found += matching(source)
    return list(dict.fromkeys(found))


def matching(source: Path) -> list[Path]:
    """Return what a pattern stands for where no shell has put that in its place; of another path, itself.

    Raises:
        SegcliError: Where it stands for nothing.
    """
    if not _PATTERN & set(str(source)) or source.exists():
        return [source]
    found = sorted(glob.glob(str(source), recursive=True))  # noqa: PTH207 - of any folder, also absolute
    if not found:
        message = f"nothing is called {source}"
        raise SegcliError(message, hint="check the pattern and the folder you are in")
    return [Path(one) for one in found]


def bytes_of(source: Path) -> int:
    """Return the bytes of a checkpoint, be it a file or a folder.

    Raises:
        SegcliError: Where it is none, or cannot be read.
    """
    if source.is_dir():
        return sum(one.stat().st_size for one in source.iterdir() if one.is_file())
    return size_of(source)


def known_bytes(source: Path) -> int:
    """Return the bytes of a checkpoint, 0 of one that cannot be read."""
    try:
        return bytes_of(source)
    except SegcliError:
        return 0
