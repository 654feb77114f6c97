"""Reads the ``.metadata`` of a distributed checkpoint: a pickle that is followed on plain data, and never loaded.

Source: the dataclasses of ``torch/distributed/checkpoint/metadata.py`` and ``filesystem.py`` of pytorch 2.6 to 2.13.
"""

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import PurePath

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Text
from segcli.formats.pickle_walk import Walk, walk

MAX_METADATA_BYTES = 256 * 2**20
_PACKAGE = "torch.distributed.checkpoint"

Sizes = tuple[int, ...]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something lies: the file's name in the folder, the first byte there, and how many."""

    file: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A box of a tensor, by its first element's place in it and its shape, and where it lies."""

    offsets: Sizes
    sizes: Sizes
    place: Place


@dataclass(frozen=True, slots=True)
class DcpTensor:
    """A tensor: torch's name of its dtype, its shape, and its shards."""

    dtype: str
    shape: Sizes
    shards: tuple[Shard, ...]


@dataclass(frozen=True)
class DcpMetadata:
    """What a distributed checkpoint holds.

    Attributes:
        entries: What lies under each name: a tensor, or where there is a checkpoint of something else.
        paths: Where each was in the object that was saved; of names that are missing nothing is known.
        walk: What the pickle says.
    """

    entries: Dict[str, DcpTensor | Place]
    paths: Dict[str, Path]
    walk: Walk


def read_dcp_metadata(source: ByteSource) -> DcpMetadata:
    """Read the metadata of a distributed checkpoint.

    Raises:
        SegcliError: Where it is damaged, or none that is known here.
    """
    if source.size > MAX_METADATA_BYTES:
        message = f"{source.name} has {source.size:,} bytes, expected at most {MAX_METADATA_BYTES:,}"
        raise SegcliError(message)
    walked = walk(source.at(0, source.size), source.name, _no_ids)
    reader = _Reader(source.name)
    said = reader.fields(walked.root, "metadata.Metadata")
    places = reader.places(said.get("storage_data"))
    entries: dict[str, DcpTensor | Place] = {}
    for key, node in reader.pairs(said.get("state_dict_metadata")):
        name = reader.text(key)
        entries[name] = reader.entry(name, node, places)
    return DcpMetadata(entries, reader.paths(said.get("planner_data")), walked)


def _no_ids(_identity: Node) -> Node:
    return None


@dataclass(frozen=True)
class _Reader:
    """Reads nodes as what they stand for; refuses all else."""

    name: str

    def fields(self, node: Node, kind: str) -> dict[str, Node]:
        """Return the fields of a dataclass."""
        match node:
            case Call(state=[Mapping() as state]) if _called(node) == f"{_PACKAGE}.{kind}":
                return {self.text(key): value for key, value in state.pairs}
        raise damaged(self.name, f"it has no {kind.rpartition('.')[2]} where one is expected")

    def pairs(self, node: Node) -> list[tuple[Node, Node]]:
        if not isinstance(node, Mapping):
            raise damaged(self.name, "it has no dict where one is expected")
        return node.pairs

    def text(self, node: Node) -> str:
        if not (isinstance(node, Text) and isinstance(node.value, str)):
            raise damaged(self.name, "a name in it is no text")
        return node.value

    def count(self, node: Node) -> int:
        if not isinstance(node, int) or isinstance(node, bool) or node < 0:
            raise damaged(self.name, "a number in it is none, or below zero")
        return node

    def sizes(self, node: Node) -> Sizes:
        """Return a ``torch.Size``."""
        match node:
            case Call(args=Group(items=[Group(kind="tuple", items=items)])) if node.path == "torch.Size":
                return tuple(self.count(item) for item in items)
        raise damaged(self.name, "a shape in it is none")

    def places(self, node: Node) -> dict[tuple[str, Sizes | None], Place]:
        """Return where everything lies, by its name and a shard's first element."""
        found = {}
        for key, value in self.pairs(node):
            index = self.fields(key, "metadata.MetadataIndex")
            offset = index.get("offset")
            name = self.text(index.get("fqn"))
            found[name, None if offset is None else self.sizes(offset)] = self.place(name, value)
        return found

    def place(self, name: str, node: Node) -> Place:
        info = self.fields(node, "filesystem._StorageInfo")
        if info.get("transform_descriptors") is not None:
            message = f"{name} in {self.name} was changed by an extension as it was saved (compressed, say)"
            raise SegcliError(message, hint="load it with torch.distributed.checkpoint, and save it without")
        file = self.text(info.get("relative_path"))
        if PurePath(file).name != file or file in ("", ".", ".."):
            message = f"{self.name} names the file {file!r}, expected one in its own folder"
            raise SegcliError(message, hint="torch never writes such names: do not load this checkpoint")
        return Place(file, self.count(info.get("offset")), self.count(info.get("length")))

    def entry(self, name: str, node: Node, places: dict[tuple[str, Sizes | None], Place]) -> DcpTensor | Place:
        if _called(node) == f"{_PACKAGE}.metadata.BytesStorageMetadata":
            return self.known(name, None, places)
        said = self.fields(node, "metadata.TensorStorageMetadata")
        chunks = said.get("chunks")
        shards = []
        for chunk in chunks.items if isinstance(chunks, Group) else []:
            box = self.fields(chunk, "metadata.ChunkStorageMetadata")
            offsets, sizes = self.sizes(box.get("offsets")), self.sizes(box.get("sizes"))
            shards.append(Shard(offsets, sizes, self.known(name, offsets, places)))
        shape = self.sizes(said.get("size"))
        if any(len(shard.offsets) != len(shape) or len(shard.sizes) != len(shape) for shard in shards):
            raise damaged(self.name, f"a shard of {name} has another number of axes than it")
        return DcpTensor(self.dtype(name, said.get("properties")), shape, tuple(shards))

    def known(self, name: str, offsets: Sizes | None, places: dict[tuple[str, Sizes | None], Place]) -> Place:
        if (name, offsets) not in places:
            raise damaged(self.name, f"it does not say where {name} lies")
        return places[name, offsets]

    def dtype(self, name: str, node: Node) -> str:
        """Return the dtype among a tensor's properties, of which it is the first."""
        match node:
            case Call(state=[Group(items=[Global() as dtype, *_])]) if dtype.module == "torch":
                return dtype.name
        raise damaged(self.name, f"it does not say the dtype of {name}")

    def paths(self, node: Node) -> dict[str, Path]:
        """Return where everything was in what was saved; only the standard planner says it."""
        pairs = node.pairs if isinstance(node, Mapping) else []
        found = {}
        for key, value in pairs:
            parts = value.items if isinstance(value, Group) else []
            path = tuple(self.text(part) if isinstance(part, Text) else self.count(part) for part in parts)
            if path:
                found[self.text(key)] = path
        return found


def _called(node: Node) -> str:
    return node.path if isinstance(node, Call) else ""
