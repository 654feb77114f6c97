"""What a merge gives, and how it is written."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path

from segcli.ckpt.assembly import assemble
from segcli.errors import SegcliError
from segcli.files import allow_open_files, check_destination, replacing
from segcli.formats.byte_source import ByteSource
from segcli.formats.payload import Hollow, Payload
from segcli.formats.pickle_nodes import Node
from segcli.formats.zip_layout import DEFAULT_ALIGNMENT
from segcli.formats.zip_write import torch_records, write_zip

Advance = Callable[[int], None]

# What torch calls a zip's records by where it writes into no named file.
_PREFIX = "archive"


@dataclass(frozen=True)
class Count:
    """How many tensors have a dtype."""

    dtype: str
    tensors: int


@dataclass(frozen=True)
class Merge:
    """What was done.

    Attributes:
        sources: The files that were read, in their order.
        destination: The file that was written.
        how: ``average``, ``ema`` or ``join``.
        weights: What each source weighs, of 1; empty for a join.
        tensors: How many tensors the destination has.
        averaged: Of those that were averaged, how many of each dtype.
        kept: Of those that are the last source's, how many of each dtype.
        repeated: Keys that several sources have alike, in a join.
        bytes: The size of the destination.
        dry_run: Whether nothing was written.
    """

    sources: tuple[Path, ...]
    destination: Path
    how: str
    weights: tuple[float, ...]
    tensors: int
    averaged: tuple[Count, ...]
    kept: tuple[Count, ...]
    repeated: tuple[str, ...]
    bytes: int
    dry_run: bool


@dataclass(frozen=True)
class Content:
    """What shall be written.

    Attributes:
        root: The outermost object.
        protocol: The protocol of its pickle.
        storages: The bytes of the storages that it names, by their keys.
        byteorder: ``little`` or ``big``.
        sources: What they are read from.
    """

    root: Node
    protocol: int
    storages: dict[str, Payload]
    byteorder: str
    sources: Sequence[ByteSource]


def write(content: Content, destination: Path, *, force: bool, dry_run: bool, advance: Advance) -> int:
    """Write a zip checkpoint with torch's own layout, and return how many bytes it has, or would have.

    Raises:
        SegcliError: Where a source changed meanwhile, and as `assemble` and `replacing`.
    """
    assembly = assemble(content.root, content.protocol)
    storages = [content.storages[key] for key in assembly.keys]
    if dry_run:
        check_destination(destination, force=force)
        storages = [Hollow(storage.size) for storage in storages]
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path, but the name of a device
            return write_zip(
                nothing.fileno(), _PREFIX, _records(assembly.pickle, storages, content), DEFAULT_ALIGNMENT, advance
            )
    records = _records(assembly.pickle, storages, content)
    mode = reduce(and_, (source.mode for source in content.sources))
    with replacing(destination, force=force, mode=mode) as file:
        written = write_zip(file.fileno(), _PREFIX, records, DEFAULT_ALIGNMENT, advance)
        for source in content.sources:
            source.check_unchanged()
    return written


def _records(pickle: bytes, storages: Sequence[Payload], content: Content) -> Iterator[tuple[str, Payload]]:
    return torch_records(pickle, storages, alignment=DEFAULT_ALIGNMENT, byteorder=content.byteorder)


def check_files(sources: Sequence[Path], destination: Path) -> None:
    """Refuse too few sources or too many, and a destination that is one of them or is no zip's name.

    Raises:
        SegcliError: For these.
    """
    if len(sources) < 2:  # noqa: PLR2004 - one file has nothing to be merged with
        message = f"{len(sources)} file is given, expected two or more to merge"
        raise SegcliError(message)
    if destination.suffix == ".safetensors":
        message = f"{destination} is named like a safetensors file, and a merge is written as a zip checkpoint"
        raise SegcliError(message, hint=f"write a .pth, then: segcli ckpt convert merged.pth {destination}")
    allow_open_files(len(sources))
    for source in sources:
        if destination.exists() and source.exists() and source.samefile(destination):
            message = f"{destination} is one of the files that are merged"
            raise SegcliError(message, hint="choose another name for the result")
