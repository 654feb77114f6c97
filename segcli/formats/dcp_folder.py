"""A distributed checkpoint (DCP): a folder with ``.metadata`` and files in which shards lie one behind another.

Each shard is a torch zip of its own, at an offset in a ``.distcp`` file; so is everything that is no tensor. Values are
read where they lie.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged, open_source
from segcli.formats.dcp_metadata import DcpMetadata, DcpTensor, Place, Sizes, read_dcp_metadata
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.joined_source import Chunk, Piece, dense_stride, joined, mosaic, window
from segcli.formats.payload import Stretch
from segcli.formats.pickle_nodes import Group, Mapping, Node, Text
from segcli.formats.pickle_nodes import Place as Nowhere
from segcli.formats.pickle_walk import Walk
from segcli.formats.rebuilt_tensor import rebuilt_tensor, strided_arguments
from segcli.formats.safetensors_nodes import tensor_node
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.tensor_header import TensorHeader
from segcli.formats.torch_zip import TorchZip, read_torch_zip
from segcli.formats.zip_records import Complain, refuse

METADATA_NAME = ".metadata"
# Files of a hostile folder that are opened at once.
_MAX_FILES = 50_000
# Where something was in what was saved.
Steps = tuple[str | int, ...]
_NOWHERE = Nowhere("BINUNICODE", 0, 0)


@dataclass(frozen=True)
class DcpPart:
    """A checkpoint in a file of the folder: a shard of a tensor, or what is no tensor.

    Attributes:
        name: Under which name it was saved.
        source: Its bytes.
        content: What it holds.
    """

    name: str
    source: ByteSource
    content: TorchZip


@dataclass(frozen=True)
class DcpFolder:
    """An open distributed checkpoint.

    Attributes:
        source: All its bytes.
        root: The object that was saved.
        storages: Those that it names.
        metadata: What the pickle ``.metadata`` says.
        parts: The checkpoints in its files, in the order of what was saved.
    """

    source: ByteSource
    root: Node
    storages: dict[str, StoredStorage]
    metadata: Walk
    parts: tuple[DcpPart, ...]

    @property
    def globals(self) -> set[str]:
        """What all its pickles name."""
        walks = [self.metadata, *(part.content.walk for part in self.parts)]
        return {name for one in walks for name in one.globals}


def is_dcp(path: Path) -> bool:
    """Say whether a path is the folder of a distributed checkpoint."""
    return (path / METADATA_NAME).is_file()


@contextlib.contextmanager
def open_dcp(path: Path, complain: Complain = refuse) -> Iterator[DcpFolder]:
    """Open the folder of a distributed checkpoint; values are not read.

    Args:
        path: The folder.
        complain: Told of what is wrong with single entries, in place of which there is then nothing.

    Raises:
        SegcliError: For a folder that is none, or is damaged.
    """
    if not is_dcp(path):
        message = f"{path} is a folder, expected a file, or a distributed checkpoint, which has a {METADATA_NAME}"
        raise SegcliError(message, hint="name the file, or for all checkpoints in it a pattern, such as 'folder/*.pth'")
    with contextlib.ExitStack() as opened:
        files: dict[str, ByteSource] = {}

        def file(name: str) -> ByteSource:
            if name not in files:
                files[name] = opened.enter_context(open_source(path / name))
            return files[name]

        metadata = read_dcp_metadata(file(METADATA_NAME))
        if len({place.file for place in _all_places(metadata)}) > _MAX_FILES:
            message = f"{path} names more than {_MAX_FILES:,} files"
            raise SegcliError(message)
        reader = _Reader(str(path), file)
        nodes: dict[str, Node] = {}
        for name, entry in metadata.entries.items():
            try:
                nodes[name] = reader.entry(name, entry)
            except SegcliError as error:
                complain(error, name)
                nodes[name] = None
        root = _nested(str(path), nodes, metadata)
        pieces = [Piece(source, 0, source.size) for source in files.values()]
        yield DcpFolder(joined(str(path), pieces), root, reader.storages, metadata.walk, reader.parts)


def _all_places(metadata: DcpMetadata) -> Iterator[Place]:
    for entry in metadata.entries.values():
        yield from [entry] if isinstance(entry, Place) else [shard.place for shard in entry.shards]


class _Reader:
    """Reads what the files of a folder hold."""

    def __init__(self, name: str, file: Callable[[str], ByteSource]) -> None:
        self._name = name
        self._file = file
        self._opened: dict[Place, tuple[str, DcpPart]] = {}
        self._whole: set[str] = set()
        self._storages: dict[str, StoredStorage] = {}
        self._joined: dict[str, StoredStorage] = {}

    @property
    def storages(self) -> dict[str, StoredStorage]:
        """The storages that were asked for; those of shards are in those of their tensors."""
        own = {key: one for key, one in self._storages.items() if key.partition("/")[0] in self._whole}
        return {**own, **self._joined}

    @property
    def parts(self) -> tuple[DcpPart, ...]:
        """The checkpoints that were read."""
        return tuple(part for _, part in self._opened.values())

    def entry(self, name: str, entry: DcpTensor | Place) -> Node:
        """Return what lies under a name; shards of a tensor are put together."""
        if isinstance(entry, Place):
            return self._whole_zip(entry, name).walk.root
        whole = [shard for shard in entry.shards if shard.sizes == entry.shape]
        if whole:
            return self._in_one(name, entry, whole[0].place)
        return self._sharded(name, entry)

    def _zip(self, place: Place, name: str) -> TorchZip:
        """Read the checkpoint that lies at a place; its storages are those of the folder, too."""
        if place not in self._opened:
            file = self._file(place.file)
            part = window(file, place.start, place.size, f"{name} in {self._name}")
            found = read_torch_zip(part)
            number = str(len(self._opened))
            for storage in found.walk.storages:
                storage.key = f"{number}/{storage.key}"
            for key, stored in found.storages.items():
                # Out of the file itself it can be copied.
                data = Stretch(file, place.start + stored.data.start, stored.data.size, stored.data.crc)
                own = f"{number}/{key}"
                self._storages[own] = StoredStorage(own, stored.dtype, stored.location, stored.bytes, data)
            if found.byteorder == "big":
                raise damaged(part.name, "it is big-endian, which no distributed checkpoint is")
            self._opened[place] = (number, DcpPart(name, part, found))
        return self._opened[place][1].content

    def _whole_zip(self, place: Place, name: str) -> TorchZip:
        """Read the checkpoint that lies at a place, and keep its storages."""
        found = self._zip(place, name)
        self._whole.add(self._opened[place][0])
        return found

    def _in_one(self, name: str, entry: DcpTensor, place: Place) -> Node:
        """Return a tensor in one piece as it was saved, strides and all."""
        root = self._whole_zip(place, name).walk.root
        header = self._checked(name, root, entry.dtype, entry.shape)
        if header.storage is None:
            raise damaged(self._name, f"{name} has no values")
        return root

    def _sharded(self, name: str, entry: DcpTensor) -> Node:
        item = ITEM_BYTES.get(entry.dtype, 0)
        chunks: list[Chunk] = []
        places: set[Place] = set()
        found = 0
        for shard in entry.shards:
            if not prod(shard.sizes):
                continue
            root = self._zip(shard.place, name).walk.root
            header = self._checked(name, root, entry.dtype, shard.sizes)
            stored = self._storages.get(str(header.storage))
            view = strided_arguments(root)
            if stored is None or view is None or not item or shard.place in places:
                raise damaged(self._name, f"a shard of {name} is no plain tensor, or two of them are one")
            places.add(shard.place)
            last = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.stride, strict=True))
            if (last + 1) * item > stored.bytes:
                raise damaged(self._name, f"a shard of {name} reaches beyond its storage")
            start = stored.data.start + view.offset * item
            chunks.append(Chunk(shard.offsets, shard.sizes, stored.data.source, start, view.stride))
            found += prod(shard.sizes)
        if found != prod(entry.shape):
            what = f"the shards of {name} have {found:,} elements, its shape {entry.shape} needs {prod(entry.shape):,}"
            raise damaged(self._name, what)
        source = mosaic(f"{name} in {self._name}", entry.shape, item, chunks)
        # No other storage has a key of this form.
        key = f"sharded/{name}"
        header = TensorHeader(key, entry.shape, entry.dtype, "cpu", source.size, key, 0, dense_stride(entry.shape))
        node, storage = tensor_node(header)
        dtype = STORAGE_DTYPES[storage.type_name]
        self._joined[key] = StoredStorage(key, dtype, "cpu", source.size, Stretch(source, 0, source.size))
        return node

    def _checked(self, name: str, root: Node, dtype: str, shape: Sizes) -> TensorHeader:
        header = rebuilt_tensor(root)
        if header is None or (header.dtype, header.shape) != (dtype, shape):
            got = f"{header.dtype} of shape {header.shape}" if header else "no tensor"
            raise damaged(self._name, f"where {name} should lie, {dtype} of shape {shape}, there is {got}")
        return header


def _nested(name: str, entries: dict[str, Node], metadata: DcpMetadata) -> Node:
    """Return the object that was saved: dicts in dicts, and lists where the steps of a path are numbers."""
    root = Mapping([])
    made: dict[Steps, Mapping | _Items] = {(): root}
    for key, node in entries.items():
        path = metadata.paths.get(key, (key,))
        for depth in range(1, len(path)):
            if path[:depth] not in made:
                below = _Items(Group("list", []), {}) if isinstance(path[depth], int) else Mapping([])
                _set(made[path[: depth - 1]], path[depth - 1], below.group if isinstance(below, _Items) else below)
                made[path[:depth]] = below
        _set(made[path[:-1]], path[-1], node)
    for one in made.values():
        if isinstance(one, _Items):
            one.group.items += [one.found[index] for index in sorted(one.found, key=int)]
            if len(one.group.items) != 1 + max(map(int, one.found)):
                raise damaged(name, f"a list in it has the item {max(map(int, one.found))}, and not all before it")
    return root


@dataclass(frozen=True)
class _Items:
    """A list, and its items as far as they were found."""

    group: Group
    found: dict[str | int, Node]


def _set(into: Mapping | _Items, step: str | int, node: Node) -> None:
    if isinstance(into, _Items):
        into.found[step] = node
    else:
        into.pairs.append((Text(step, _NOWHERE) if isinstance(step, str) else step, node))
