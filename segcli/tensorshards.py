"""Writes distributed checkpoints with torch, of values that it maps from other files. Nothing is unpickled."""

import dataclasses
import mmap
import os
import pickle
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import ExitCode, SegcliError

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Located:
    """A tensor that lies in a file.

    Attributes:
        file: The file.
        start: The first byte of its storage there.
        count: The storage's elements.
        dtype: Torch's name of their dtype.
        offset: The first element's place in the storage, in elements.
        shape: The shape.
        stride: Elements between neighbours, an axis.
    """

    file: Path
    start: int
    count: int
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


# A tensor under another's name: by its dotted key, its path, and the dotted key of the other.
Ties = Mapping[str, tuple[tuple[str, ...], str]]


def write_shards(state: Mapping[str, Any], ties: Ties, folder: Path, advance: Callable[[int], None]) -> None:
    """Write the files of a distributed checkpoint into an empty folder.

    Args:
        state: What it shall hold: dicts and lists of `Located` tensors and of plain values.
        ties: Tensors that are the same as others; both find their values in one place.
        folder: Where to write.
        advance: Told of bytes of tensors before they are written.

    Raises:
        SegcliError: Where torch, or its distributed part, is not installed (exit code 3).
    """
    try:
        import torch
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
        from torch.distributed.checkpoint.filesystem import FileSystemWriter
        from torch.distributed.checkpoint.planner import WriteItem
        from torch.distributed.checkpoint.state_dict_saver import save
    except ImportError as error:
        message = (
            f"writing a distributed checkpoint takes torch with torch.distributed, which cannot be imported: {error}"
        )
        raise SegcliError(message, hint="pip install torch", code=ExitCode.UNAVAILABLE) from error

    class Planner(DefaultSavePlanner):
        """Tells of every tensor that is written."""

        def resolve_data(self, write_item: WriteItem) -> Any:  # noqa: ANN401 - a tensor, or a stream of bytes
            """Return what is written for an item."""
            data = super().resolve_data(write_item)
            if isinstance(data, torch.Tensor):
                advance(data.nbytes)
            return data

    with ExitStack() as opened, warnings.catch_warnings():
        # That one process writes alone is what is meant.
        warnings.simplefilter("ignore")
        maps: dict[Path, mmap.mmap] = {}
        tensors = _tensors(state, maps, opened)
        try:
            metadata = save(tensors, storage_writer=FileSystemWriter(folder), planner=Planner())
        except CheckpointException as error:
            # What went wrong in this one process, without torch's report around it.
            raise _reason(next(iter(error.failures.values()))[0]) from error
        # Before the maps are closed.
        del tensors
    _finish(metadata, ties, folder / ".metadata")


def _reason(error: BaseException) -> BaseException:
    """Return why writing ended: torch's writer of zips complains of what it left, and hides a full disk behind that."""
    reason: BaseException | None = error
    while reason is not None and not isinstance(reason, OSError | KeyboardInterrupt | SystemExit):
        reason = reason.__cause__ or reason.__context__
    return reason or error


def _tensors(state: Any, maps: dict[Path, mmap.mmap], opened: ExitStack) -> Any:  # noqa: ANN401 - nested plain data
    if isinstance(state, Mapping):
        return {key: _tensors(value, maps, opened) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_tensors(value, maps, opened) for value in state)
    return _mapped(state, maps, opened) if isinstance(state, Located) else state


def _mapped(located: Located, maps: dict[Path, mmap.mmap], opened: ExitStack) -> "Tensor":
    import torch

    dtype = getattr(torch, located.dtype)
    if not located.count:
        return torch.empty(located.shape, dtype=dtype)
    if located.file not in maps:
        file = opened.enter_context(located.file.open("rb"))
        # What would be written into the map stays out of the file; nothing is.
        maps[located.file] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    storage = torch.frombuffer(maps[located.file], dtype=dtype, count=located.count, offset=located.start)
    return storage.as_strided(located.shape, located.stride, located.offset)


def _finish(metadata: Any, ties: Ties, path: Path) -> None:  # noqa: ANN401 - torch's Metadata
    """Give tied tensors names in the metadata, where their values' places are those of the others."""
    # It names the folder, which has another name soon.
    metadata.storage_meta = None
    places = metadata.storage_data
    for name, (steps, other) in ties.items():
        metadata.state_dict_metadata[name] = metadata.state_dict_metadata[other]
        metadata.planner_data[name] = steps
        for index in [one for one in places if one.fqn == other]:
            places[dataclasses.replace(index, fqn=name)] = places[index]
    with path.open("wb") as file:
        pickle.dump(metadata, file)
        file.flush()
        os.fsync(file.fileno())
