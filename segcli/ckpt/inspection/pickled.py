"""A plain pickle with tensors in it: each storage is a whole legacy checkpoint in a string of bytes.

That is what ``pickle.dump`` makes of a tensor, by way of ``torch.storage._load_from_bytes``.
"""

from dataclasses import dataclass, replace

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.node_walk import containers
from segcli.formats.numpy_nodes import raw_bytes
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Storage, Text
from segcli.formats.pickle_stream import walk_at
from segcli.formats.sniff import Kind
from segcli.formats.stored_storage import StoredStorage  # noqa: TC001 - one import a block, as everywhere
from segcli.formats.torch_legacy import MAX_PICKLE_BYTES, TorchLegacy, read_legacy

_NESTING = "torch.storage._load_from_bytes"


@dataclass(frozen=True)
class Pickled:
    """A plain pickle, and the names that it has."""

    checkpoint: Checkpoint
    globals: tuple[str, ...]


def read_pickled(source: ByteSource) -> Pickled:
    """Read a pickle that ``pickle.dump`` wrote, and the heads of the legacy checkpoints in it.

    Raises:
        SegcliError: Where it is damaged, or longer than any checkpoint's pickle may be.
    """
    said = walk_at(source, 0, source.name, MAX_PICKLE_BYTES, lambda _: None)
    if said.end < source.size:
        raise damaged(source.name, f"{source.size - said.end} bytes follow the end of its pickle")
    storages: dict[str, StoredStorage] = {}
    found: dict[int, Node] = {}
    names = set(said.globals)
    # One string of bytes is read once, however often it is named.
    read: dict[int, TorchLegacy | None] = {}
    for call in _nested(said.root):
        literal = _literal(call)
        if id(literal) not in read:
            read[id(literal)] = _read_nested(literal, source.name)
        legacy = read[id(literal)]
        if legacy and isinstance(root := legacy.walk.root, Storage):
            stored = replace(legacy.storages[root.key], key=str(len(storages)))
            found[id(call)] = replace(root, key=stored.key)
            storages[stored.key] = stored
            names |= legacy.walk.globals.keys()
    root = _replaced(said.root, found)
    checkpoint = Checkpoint(source, Kind.PICKLE, root, storages, "little", said.protocol, source.name)
    return Pickled(checkpoint, tuple(sorted(names)))


class _Memory(ByteSource):
    """Bytes that are in memory, read like a file."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, -1, len(data), 0)
        object.__setattr__(self, "_data", data)

    _data: bytes

    def at(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset`` on; those that there are."""
        return self._data[offset : offset + count]


def _literal(call: Call) -> Node:
    """Return the bytes that a call is given, where they stand first."""
    match call.arguments:
        case [Text() as text]:
            return text.literal
        case [data]:
            return data
    return None


def _read_nested(literal: Node, name: str) -> TorchLegacy | None:
    data = raw_bytes(literal)
    if data is None:
        return None
    try:
        return read_legacy(_Memory(f"a storage in {name}", data))
    except SegcliError:
        # It is listed as the call that it is.
        return None


def _nested(root: Node) -> list[Call]:
    return [node for node in containers(root) if isinstance(node, Call) and node.path == _NESTING]


def _replaced(root: Node, found: dict[int, Node]) -> Node:
    """Return an object with nodes in place of others, wherever they stand as items, values or arguments."""
    # What is replaced stays in the walk: nothing is to be replaced below it.
    for node in list(containers(root)):
        if isinstance(node, Group | Call):
            node.items[:] = [found.get(id(one), one) for one in node.items]
        if isinstance(node, Mapping | Call):
            node.pairs[:] = [(key, found.get(id(value), value)) for key, value in node.pairs]
    return found.get(id(root), root)
