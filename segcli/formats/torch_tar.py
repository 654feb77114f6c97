"""A checkpoint in torch's tar format, which torch.save wrote before 0.1.10.

Three files: ``storages`` (their number; of each a pickle of its key, device and class, the number of its elements in 8
bytes, and the elements; at last a list of those that are parts of others), ``tensors`` (their number; of each a pickle
of its key, its storage's and its class, then dimensions, shape, stride and offset as binary numbers), and ``pickle``
(the object, which names tensors by their keys). All numbers are little-endian.

Source: pytorch 2.13, ``torch/serialization.py`` (``_legacy_load``).
"""

import struct
from dataclasses import dataclass
from typing import NoReturn

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, damaged
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.payload import Stretch
from segcli.formats.pickle_nodes import Call, Global, Group, Node, Place, Storage, Text
from segcli.formats.pickle_stream import walk_at
from segcli.formats.pickle_walk import Walk
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.tar_members import Member, read_members

MAX_ENTRIES = 1_000_000
MAX_DIMENSIONS = 64
_MEMBERS = ("storages", "tensors", "pickle")
_MAX_SMALL_BYTES = 2**16
_MAX_PICKLE_BYTES = 256 * 2**20
_COUNT_BYTES = 8
# Of an address, which keys are.
_KEY_DIGITS = 20
_NOWHERE = Place("BINUNICODE", 0, 0)
_STORAGE = Text("storage", _NOWHERE)


@dataclass(frozen=True)
class TorchTar:
    """An open tar checkpoint.

    Attributes:
        members: The names of its files, in their order.
        walk: What its object's pickle says, with a call that rebuilds it in place of each tensor.
        sources: The classes of modules whose source code it holds.
        storages: The storages by key, in the order in which they lie.
        tensors: How many tensors it has.
    """

    members: tuple[str, ...]
    walk: Walk
    sources: tuple[str, ...]
    storages: dict[str, StoredStorage]
    tensors: int


def read_tar(source: ByteSource) -> TorchTar:
    """Read all of a tar checkpoint but its tensors' bytes.

    Raises:
        SegcliError: For an archive that is none, is truncated or damaged.
    """
    members = read_members(source)
    for name in _MEMBERS:
        if name not in members:
            message = f"{source.name} is a tar archive without {name}, not a checkpoint"
            raise SegcliError(message, hint=f"unpack it first: it holds {', '.join(list(members)[:3])}")
    storages, stored = _read_storages(_Reader(source, members["storages"]))
    tensors = _read_tensors(_Reader(source, members["tensors"]), storages)
    sources: list[str] = []

    def resolve(identity: Node) -> Node:
        """Return the class of a module, which comes with its source; else the tensor of a key."""
        match identity:
            case Group(kind="tuple", items=[Global() as kind, _, _]):
                sources.append(kind.path)
                return kind
        key = _key(identity)
        return None if key is None else tensors.get(key)

    pickle = members["pickle"]
    end = pickle.start + pickle.size
    said = walk_at(source, pickle.start, f"pickle in {source.name}", _MAX_PICKLE_BYTES, resolve, end)
    return TorchTar(tuple(members), said, tuple(sources), stored, len(tensors))


class _Reader:
    """Reads a file of the archive from its first byte on."""

    def __init__(self, source: ByteSource, member: Member) -> None:
        self.name = f"{member.name} in {source.name}"
        self.source = source
        self.at = member.start
        self._end = member.start + member.size

    def pickle(self) -> Node:
        said = walk_at(self.source, self.at, self.name, _MAX_SMALL_BYTES, lambda _: None, self._end)
        self.at += said.end
        return said.root

    def skip(self, count: int) -> int:
        """Step over bytes, and return where they start."""
        if count < 0 or self.at + count > self._end:
            self.fail(f"{self._end - self.at:,} bytes left where it says that {count:,} follow")
        self.at += count
        return self.at - count

    def numbers(self, count: int) -> tuple[int, ...]:
        start = self.skip(_COUNT_BYTES * count)
        return struct.unpack(f"<{count}q", self.source.at(start, _COUNT_BYTES * count))

    def count(self) -> int:
        found = self.pickle()
        if not (isinstance(found, int) and 0 <= found <= MAX_ENTRIES):
            self.fail(f"no number from 0 to {MAX_ENTRIES:,} at its start")
        return found

    def fail(self, what: str) -> NoReturn:
        raise damaged(self.source.name, f"{self.name} has {what}")


@dataclass(frozen=True, slots=True)
class _Part:
    """Elements of a storage: all of them, or those from ``start`` on."""

    storage: Storage
    start: int
    count: int


def _read_storages(reader: _Reader) -> tuple[dict[int, _Part], dict[str, StoredStorage]]:
    """Return the storages by key, and where the elements of those lie that are no part of another."""
    parts: dict[int, _Part] = {}
    stored: dict[str, StoredStorage] = {}
    for _ in range(reader.count()):
        match reader.pickle():
            case Group(kind="tuple", items=[int() as key, Text() as location, Global() as kind]):
                if kind.name not in STORAGE_DTYPES or key in parts:
                    reader.fail(f"storage {key} twice, or of the unknown class {kind.name}")
                data = _read_storage(reader, str(key), location, STORAGE_DTYPES[kind.name])
                numel = data.bytes // ITEM_BYTES[data.dtype]
                identity = Group("tuple", [_STORAGE, kind, Text(data.key, _NOWHERE), location, numel])
                parts[key] = _Part(Storage(kind.name, data.key, location, numel, identity), 0, numel)
                stored[data.key] = data
            case _:
                reader.fail("no key, device and class where a storage starts")
    views = reader.pickle()
    for view in views.items if isinstance(views, Group) else [None]:
        match view:
            case Group(items=[int() as key, int() as root, int() as start, int() as count]):
                parts[key] = _part_of(reader, parts, root, start, count)
            case _:
                reader.fail("no list of storages that are parts of others")
    return parts, stored


def _read_storage(reader: _Reader, key: str, location: Text, dtype: str) -> StoredStorage:
    (numel,) = reader.numbers(1)
    size = numel * ITEM_BYTES[dtype]
    start = reader.skip(size)
    return StoredStorage(key, dtype, location.decoded(), size, Stretch(reader.source, start, size))


def _part_of(reader: _Reader, parts: dict[int, _Part], root: int, start: int, count: int) -> _Part:
    whole = parts.get(root)
    if whole is None or min(start, count) < 0 or start + count > whole.count:
        reader.fail(f"elements {start} to {start + count} of storage {root}, which has no such")
    return _Part(whole.storage, whole.start + start, count)


def _read_tensors(reader: _Reader, parts: dict[int, _Part]) -> dict[int, Node]:
    """Return for each tensor, by key, the call that rebuilds it."""
    found: dict[int, Node] = {}
    for _ in range(reader.count()):
        match reader.pickle():
            case Group(kind="tuple", items=[int() as key, int() as storage, _]) if storage in parts:
                found[key] = _read_tensor(reader, parts[storage])
            case _:
                reader.fail("no key, storage and class where a tensor starts")
    return found


def _read_tensor(reader: _Reader, part: _Part) -> Call:
    # Torch reads four bytes and passes over the next four, which hold the upper half of an old number.
    dimensions = reader.numbers(1)[0] & 0xFFFFFFFF
    if dimensions > MAX_DIMENSIONS:
        reader.fail(f"a tensor of {dimensions} dimensions")
    shape, stride, (offset,) = reader.numbers(dimensions), reader.numbers(dimensions), reader.numbers(1)
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if min((offset, *shape, *stride)) < 0 or (all(shape) and last >= part.count):
        what = f"a tensor of shape {shape}, stride {stride} and offset {offset} in a storage of {part.count} elements"
        reader.fail(what)
    hooks = Call(Global("collections", "OrderedDict"), Group("tuple", []))
    place: list[Node] = [part.storage, part.start + offset, Group("tuple", [*shape]), Group("tuple", [*stride])]
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), Group("tuple", [*place, False, hooks]))


def _key(identity: Node) -> int | None:
    """Return the key that an id is: a number, or a text of one."""
    if isinstance(identity, Text):
        text = identity.decoded()
        return int(text) if text.isdecimal() and len(text) <= _KEY_DIGITS else None
    return identity if isinstance(identity, int) else None
