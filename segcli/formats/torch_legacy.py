"""A checkpoint in torch's legacy format, which torch.save wrote before 1.6: five pickles, and the storages behind them.

The pickles are a magic number, the protocol's version, what machine wrote it, the object, and the keys of the storages.
Of each storage there follow the number of its elements, in 8 bytes, and the elements; both are little-endian, whatever
machine wrote them.

Source: pytorch 2.13, ``torch/serialization.py`` (``_legacy_save``, ``_legacy_load``), and
``torch/csrc/serialization.cpp`` (``THPStorage_writeFileRaw``).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.byte_source import FETCH_AGAIN, MADE_SO, ByteSource, damaged
from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.payload import Stretch
from segcli.formats.persistent_id import Resolve, resolve_legacy
from segcli.formats.pickle_nodes import Global, Group, Mapping, Node, Storage, Text
from segcli.formats.pickle_stream import walk_at
from segcli.formats.pickle_walk import Walk
from segcli.formats.storage_views import resolve_views
from segcli.formats.stored_storage import StoredStorage

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
# Of the number of elements in front of a storage.
COUNT_BYTES = 8

MAX_PICKLE_BYTES = 256 * 2**20
_MAX_SMALL_BYTES = 2**16


@dataclass(frozen=True)
class SystemInfo:
    """The machine that wrote a file, as far as the file says it.

    Attributes:
        little_endian: Whether it was; values are little-endian in any case.
        type_sizes: The bytes of C's ``short``, ``int`` and ``long`` there.
    """

    little_endian: bool | None
    type_sizes: dict[str, int]


@dataclass(frozen=True)
class TorchLegacy:
    """An open legacy checkpoint.

    Attributes:
        version: The protocol's version: 1001.
        system: The machine that wrote it.
        start: The first byte of the object's pickle.
        pickle: The bytes of the object's pickle.
        walk: What they say, with tensors on parts of storages turned into tensors on the whole.
        sources: The classes of modules whose source code it holds.
        keys: The storages' keys, in the order in which they lie.
        storages: The storages by key, in the order in which the pickle names them.
        end: The byte behind the last storage, where the file should end.
    """

    version: int
    system: SystemInfo
    start: int
    pickle: bytes
    walk: Walk
    sources: tuple[str, ...]
    keys: tuple[str, ...]
    storages: dict[str, StoredStorage]
    end: int


def read_legacy(source: ByteSource) -> TorchLegacy:
    """Read all of a legacy checkpoint but its tensors' bytes.

    Raises:
        SegcliError: For a file that is none, is truncated or damaged.
    """
    at, small = 0, []
    for what in ("the magic number", "the version", "the system's description"):
        said = walk_at(source, at, f"{what} in {source.name}", _MAX_SMALL_BYTES, _no_ids)
        small.append(said.root)
        at += said.end
    version = _checked_version(source.name, small)
    sources: list[str] = []
    name = f"the object's pickle in {source.name}"
    said = walk_at(source, at, name, MAX_PICKLE_BYTES, _noting(sources))
    listed = walk_at(source, at + said.end, f"the list of keys in {source.name}", MAX_PICKLE_BYTES, _no_ids)
    keys = _checked_keys(source.name, listed.root, said.storages)
    storages, end = _stored(source, keys, said.storages, at + said.end + listed.end)
    resolve_views(said.root, said.storages)
    return TorchLegacy(
        version=version,
        system=_system(small[2]),
        start=at,
        pickle=source.at(at, said.end),
        walk=said,
        sources=tuple(sources),
        keys=keys,
        storages=storages,
        end=end,
    )


def _no_ids(_identity: Node) -> Node:
    return None


def _noting(sources: list[str]) -> Resolve:
    """Return a reader of persistent ids that takes note of the classes among what they stand for."""

    def resolve(identity: Node) -> Node:
        found = resolve_legacy(identity)
        if isinstance(found, Global):
            sources.append(found.path)
        return found

    return resolve


def _checked_version(name: str, small: list[Node]) -> int:
    magic, version = small[:2]
    if magic != MAGIC_NUMBER:
        raise damaged(name, "it does not start with torch's magic number")
    if version != PROTOCOL_VERSION:
        message = f"{name} has version {version} of torch's legacy format, expected {PROTOCOL_VERSION}"
        raise SegcliError(message, hint="torch.load does not read it either")
    return PROTOCOL_VERSION


def _system(said: Node) -> SystemInfo:
    # Torch reads it and looks at nothing in it, and so nothing in it is a reason to refuse.
    found = _by_name(said)
    little = found.get("little_endian")
    sizes = {name: size for name, size in _by_name(found.get("type_sizes")).items() if isinstance(size, int)}
    return SystemInfo(little if isinstance(little, bool) else None, sizes)


def _by_name(node: Node) -> dict[str, Node]:
    pairs = node.pairs if isinstance(node, Mapping) else []
    return {key.decoded(): value for key, value in pairs if isinstance(key, Text)}


def _checked_keys(name: str, listed: Node, storages: Iterable[Storage]) -> tuple[str, ...]:
    items = listed.items if isinstance(listed, Group) and listed.kind == "list" else [None]
    keys = tuple(item.decoded() for item in items if isinstance(item, Text))
    if len(keys) != len(items):
        raise damaged(name, "behind its object there is no list of the storages' keys")
    if len(set(keys)) != len(keys):
        raise damaged(name, "it lists a storage twice")
    named = dict.fromkeys(storage.key for storage in storages)
    _refuse_missing(name, keys, named, "it lists storage {}, which its object does not name")
    _refuse_missing(name, named, keys, "it does not hold storage {}, which its object names")
    return keys


def _refuse_missing(name: str, keys: Iterable[str], known: Iterable[str], what: str) -> None:
    known = set(known)
    for key in keys:
        if key not in known:
            raise damaged(name, what.format(key))


def _stored(
    source: ByteSource, keys: tuple[str, ...], storages: Iterable[Storage], at: int
) -> tuple[dict[str, StoredStorage], int]:
    """Return where each storage lies, and the byte behind the last."""
    named = _checked_storages(source.name, storages)
    sizes = [named[key].numel * ITEM_BYTES[STORAGE_DTYPES[named[key].type_name]] for key in keys]
    end = at + sum(sizes) + len(keys) * COUNT_BYTES
    if end > source.size:
        message = f"{source.name} is truncated: it has {source.size:,} bytes, and {end - source.size:,} are missing"
        raise SegcliError(message, hint=FETCH_AGAIN)
    found = {}
    for key, size in zip(keys, sizes, strict=True):
        storage = named[key]
        count = int.from_bytes(source.at(at, COUNT_BYTES), "little", signed=True)
        if count != storage.numel:
            raise damaged(source.name, f"storage {key} has {count} elements, its object says {storage.numel}")
        data = Stretch(source, at + COUNT_BYTES, size)
        dtype = STORAGE_DTYPES[storage.type_name]
        found[key] = StoredStorage(key, dtype, storage.location.decoded(), size, data)
        at += COUNT_BYTES + size
    return {key: found[key] for key in named}, end


def _checked_storages(name: str, storages: Iterable[Storage]) -> dict[str, Storage]:
    """Return the first mention of each storage, since torch goes by that, if all others agree with it."""
    found: dict[str, Storage] = {}
    parts: dict[str, tuple[str, int, int]] = {}
    for storage in storages:
        if storage.type_name not in STORAGE_DTYPES:
            raise damaged(name, f"storage {storage.key} is of the unknown class {storage.type_name}", MADE_SO)
        first = found.setdefault(storage.key, storage)
        if (first.numel, first.type_name) != (storage.numel, storage.type_name):
            what = f"{first.numel} elements of {first.type_name}, and {storage.numel} of {storage.type_name}"
            raise damaged(name, f"storage {storage.key} is said to have {what}")
        if storage.view:
            _check_part(name, storage, storage.view, parts)
    for key in parts:
        if key in found:
            raise damaged(name, f"storage {key} is a part of another, and one of its own")
    return found


def _check_part(
    name: str, storage: Storage, view: tuple[str, int, int], parts: dict[str, tuple[str, int, int]]
) -> None:
    key, start, count = view
    if start + count > storage.numel:
        what = f"elements {start} to {start + count} of storage {storage.key}, which has {storage.numel}"
        raise damaged(name, f"part {key} is {what}")
    part = (storage.key, start, count)
    if parts.setdefault(key, part) != part:
        raise damaged(name, f"part {key} of storage {storage.key} is said to be another part, too")
