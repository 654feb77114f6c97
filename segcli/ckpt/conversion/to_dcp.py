"""Writes a checkpoint as a distributed one (DCP): a folder, whose files torch writes.

Torch is told where values lie, and maps them; it is given no pickle to load.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from segcli.ckpt.conversion.checksums import check
from segcli.ckpt.conversion.crossing import to_zip
from segcli.ckpt.conversion.plain_state import Key, PlainState, plain_state
from segcli.ckpt.conversion.request import Request
from segcli.errors import SegcliError
from segcli.files import check_destination, raising_at_the_end, umask
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.copying import Advance
from segcli.formats.dcp_folder import is_dcp
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.joined_source import Joined


def write_dcp(request: Request, destination: Path, advance: Advance, *, state: PlainState, force: bool) -> int:
    """Write the folder of a distributed checkpoint, and return how many bytes it has; of one that is hollow, about.

    Values that no file holds as they are (of another dtype, or put together of pieces) take a zip between.

    Raises:
        SegcliError: For a wrong checksum, a destination that cannot be written, and where torch is not installed (exit
            code 3).
    """
    _check_destination(destination, force=force)
    if request.hollow:
        if request.casting:
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path, but the name of a device
                to_zip(replace(request, file=nothing.fileno()))
        return sum(tensor.view.count * ITEM_BYTES[tensor.dtype] for tensor in state.tensors.values())
    with raising_at_the_end():
        return _write_whole(request, destination, advance, state)


def _write_whole(request: Request, destination: Path, advance: Advance, state: PlainState) -> int:
    if not request.casting and not any(isinstance(one.view.data.source, Joined) for one in state.tensors.values()):
        return _write(request.checkpoint, state, destination, advance)
    with tempfile.NamedTemporaryFile(prefix=f".{destination.name}.", suffix=".part", dir=destination.parent) as file:
        to_zip(replace(request, file=file.fileno()))
        with open_checkpoint(Path(file.name)) as between:
            own = plain_state(between, tensors_only=state.tensors_only)
            return _write(between, own, destination, advance)


def _check_destination(destination: Path, *, force: bool) -> None:
    if destination.is_dir() and force:
        if not is_dcp(destination) and any(destination.iterdir()):
            message = f"{destination} is a folder that is no distributed checkpoint, so it is not replaced"
            raise SegcliError(message, hint="name another one")
    elif destination.is_dir():
        message = f"{destination} exists already"
        raise SegcliError(message, hint="choose another name, or replace it with --force")
    else:
        check_destination(destination, force=False)


def _write(checkpoint: Checkpoint, state: PlainState, destination: Path, advance: Advance) -> int:
    from segcli.tensorshards import write_shards

    for key in dict.fromkeys(tensor.placed.storage.key for tensor in state.tensors.values()):
        check(checkpoint.source.name, checkpoint.storages[key])
    with _replacing_folder(destination, checkpoint.source.mode) as folder:
        write_shards(_located(checkpoint, state, state.root), state.ties, folder, advance)
        checkpoint.source.check_unchanged()
        return sum(one.stat().st_size for one in folder.iterdir())


def abandoned(destination: Path) -> tuple[Path, ...]:
    """Return what runs left beside a destination that were killed while they wrote it."""
    target = destination.resolve()
    hidden = _hidden(target)
    beside = target.parent.iterdir() if target.parent.is_dir() else ()
    return tuple(sorted(one for one in beside if one.name.startswith(hidden) and one.suffix in (".part", ".old")))


def _hidden(target: Path) -> str:
    return f".{target.name[:200]}."


def _located(checkpoint: Checkpoint, state: PlainState, value: Any) -> Any:  # noqa: ANN401 - nested plain data
    """Return plain data with its tensors' keys replaced by where they lie."""
    from segcli.tensorshards import Located

    if isinstance(value, dict):
        return {key: _located(checkpoint, state, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_located(checkpoint, state, one) for one in value)
    tensor = state.tensors.get(value.key) if isinstance(value, Key) else None
    if tensor is None:
        return value
    view = tensor.view
    data = checkpoint.storages[tensor.placed.storage.key].elements
    count = data.size // ITEM_BYTES[view.dtype]
    path = Path(checkpoint.source.name)
    return Located(path, data.start, count, view.dtype, view.offset, view.shape, view.stride)


@contextlib.contextmanager
def _replacing_folder(destination: Path, mode: int) -> Iterator[Path]:
    """Give a folder that becomes the destination when the block ends well; nothing of it is left where it does not.

    Where others may not read what it is made of (``mode``), they may not look into it either.
    """
    target = destination.resolve()
    hidden = _hidden(target)
    folder = Path(tempfile.mkdtemp(prefix=hidden, suffix=".part", dir=target.parent))
    try:
        yield folder
        others = mode & (stat.S_IRGRP | stat.S_IROTH)
        folder.chmod((stat.S_IRWXU | others | others >> 1 | others >> 2) & ~umask())
        if not target.exists():
            folder.rename(target)
            return
        # The one that was there goes once the new one has its name.
        old = Path(tempfile.mkdtemp(prefix=hidden, suffix=".old", dir=target.parent))
        target.rename(old / target.name)
        folder.rename(target)
        shutil.rmtree(old)
    except OSError as error:
        message = f"cannot write {destination}: {error.strerror or error}"
        raise SegcliError(message) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
