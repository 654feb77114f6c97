"""Which tensors share memory, written into a safetensors file's metadata and read from it again.

The format gives every tensor bytes of its own. So that none is lost to readers that know nothing of ties, all are
written in full, and what they shared stands beside them; a checkpoint made of such a file shares it again, as far as
the values still are the same.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from segcli.ckpt.assembly import text
from segcli.ckpt.conversion.state_tensors import StateTensor, used_twice
from segcli.elements.strides import View, boxes, gather
from segcli.errors import SegcliError
from segcli.formats.byte_source import damaged
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.joined_source import Piece, joined
from segcli.formats.payload import Stretch
from segcli.formats.pickle_nodes import Group, Mapping, Node, Storage, Text
from segcli.formats.rebuilt_tensor import strided_arguments
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.stored_storage import StoredStorage

# The name of the text that says which tensors share memory.
TIES = "segcli.ties"


def ties_of(tensors: list[StateTensor]) -> str:
    """Return what the metadata says of tensors that share memory; empty where none do.

    It is JSON: a list of storages, each of which has a tensor's offset in bytes, and its strides in elements, by key.
    """
    groups = [
        {one.key: [one.placed.offset * one.view.item_bytes, list(one.placed.stride)] for one in found}
        for found in used_twice(tensors).values()
    ]
    return json.dumps(groups, separators=(",", ":")) if groups else ""


@dataclass(frozen=True)
class _Member:
    """A tensor of a safetensors file that shared a storage: its place there in bytes, and its own bytes in the file."""

    key: str
    start: int
    stride: tuple[int, ...]
    own: View
    arguments: Group
    storage: Storage

    @property
    def end(self) -> int:
        last = sum((size - 1) * step for size, step in zip(self.own.shape, self.stride, strict=True))
        return self.start + (last + 1) * self.own.item_bytes

    @property
    def is_dense(self) -> bool:
        return replace(self.own, stride=self.stride).is_dense


def tied(checkpoint: Checkpoint) -> tuple[Checkpoint, tuple[str, ...], tuple[str, ...]]:
    """Return a safetensors file's checkpoint with the storages that its metadata says, and which tensors share them.

    Returns:
        The checkpoint; the keys of tensors that share memory; and of those whose values are no longer what the others
        have there, which keep their own.

    Raises:
        SegcliError: Where the metadata is not what was written.
    """
    said = read_safetensors_header(checkpoint.source).metadata.get(TIES)
    if said is None or not isinstance(checkpoint.root, Mapping):
        return checkpoint, (), ()
    nodes = {key.decoded(): node for key, node in checkpoint.root.pairs if isinstance(key, Text)}
    storages = dict(checkpoint.storages)
    shared: list[str] = []
    apart: list[str] = []
    for group in _groups(checkpoint.source.name, said):
        members = [_member(checkpoint, key, place, nodes[key]) for key, place in group.items() if key in nodes]
        if len(members) > 1 and len({member.own.dtype for member in members}) == 1:
            _share(checkpoint, members, storages, shared, apart)
    return replace(checkpoint, storages=storages), tuple(shared), tuple(apart)


def _groups(name: str, said: str) -> list[dict[str, tuple[int, tuple[int, ...]]]]:
    try:
        content = json.loads(said)
        groups = [{key: (start, tuple(stride)) for key, (start, stride) in group.items()} for group in content]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        message = f"{name} is damaged: its metadata {TIES} is no list of which tensors share memory"
        hint = "save it anew without that metadata: save_file(load_file(...), ...) of safetensors.torch"
        raise SegcliError(message, hint=hint) from error
    if not all(_is_count(one) for group in groups for start, stride in group.values() for one in (start, *stride)):
        raise damaged(name, f"its {TIES} has something else than numbers as a place")
    if len({key for group in groups for key in group}) != sum(map(len, groups)):
        raise damaged(name, f"its {TIES} has one tensor in two storages")
    return groups


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _member(checkpoint: Checkpoint, key: str, place: tuple[int, tuple[int, ...]], node: Node) -> _Member:
    view = strided_arguments(node)
    stored = checkpoint.storages[key]
    start, stride = place
    if view is None or len(stride) != len(view.shape) or not stored.bytes or start % ITEM_BYTES[view.dtype]:
        message = f"{key} in {checkpoint.source.name} is not the tensor that its {TIES} is about"
        raise SegcliError(message, hint=f"whatever wrote the file kept the metadata of another: leave out its {TIES}")
    item = ITEM_BYTES[view.dtype]
    own = View(stored.data, view.dtype, "little", item, 0, view.shape, view.stride)
    return _Member(key, start, stride, own, view.arguments, view.storage)


@dataclass(frozen=True)
class _Run:
    """Bytes of a storage that lie one behind another: where, and where they come to lie in the new one."""

    start: int
    end: int
    at: int


def _share(
    checkpoint: Checkpoint,
    members: Sequence[_Member],
    storages: dict[str, StoredStorage],
    shared: list[str],
    apart: list[str],
) -> None:
    """Put tensors on one storage, made of the bytes of those that lie dense; the others must be views of those."""
    ordered = sorted(members, key=lambda one: (one.start, -one.end))
    runs, pieces = _runs([member for member in ordered if member.is_dense])
    if not pieces:
        return
    size, item = sum(piece.size for piece in pieces), members[0].own.item_bytes
    # The first of those whose bytes it is made of.
    base = next(member for member in ordered if member.is_dense)
    source = pieces[0].source if len(pieces) == 1 else joined(f"{base.key} in {checkpoint.source.name}", pieces)
    data = Stretch(source, pieces[0].start if len(pieces) == 1 else 0, size)
    places = {member.key: _place(member, runs) for member in ordered}
    same = [member for member in members if _is_same(member, data, places[member.key])]
    apart += [member.key for member in members if member not in same]
    if len(same) == 1:
        return
    count = size if base.storage.type_name == "UntypedStorage" else size // item
    for member in same:
        what, kind, _, tag, _ = member.storage.id.items
        identity = Group("tuple", [what, kind, text(base.key), tag, count])
        new = Storage(member.storage.type_name, base.key, member.storage.location, count, identity)
        member.arguments.items[:2] = [new, (places[member.key] or 0) // item]
        member.arguments.items[3] = Group("tuple", [*member.stride])
        storages.pop(member.key)
        shared.append(member.key)
    storages[base.key] = StoredStorage(base.key, checkpoint.storages[base.key].dtype, "cpu", size, data)


def _runs(ordered: Sequence[_Member]) -> tuple[list[_Run], list[Piece]]:
    """Return which bytes of the storage are known from tensors that lie dense, and where each lies in the file."""
    runs: list[_Run] = []
    pieces: list[Piece] = []
    size = 0
    for member in ordered:
        data = member.own.data
        if not runs or runs[-1].end < member.start:
            runs.append(_Run(member.start, member.start, size))
        known = runs[-1].end - member.start
        if known < data.size:
            runs[-1] = replace(runs[-1], end=member.end)
            pieces.append(Piece(data.source, data.start + known, data.size - known))
            size += data.size - known
    return runs, pieces


def _place(member: _Member, runs: Sequence[_Run]) -> int | None:
    """Return a tensor's place in the new storage, in bytes; None where not all of it is known."""
    for run in runs:
        if run.start <= member.start and member.end <= run.end:
            return run.at + member.start - run.start
    return None


def _is_same(member: _Member, data: Stretch, at: int | None) -> bool:
    """Whether a tensor has the same values in the new storage as in the file."""
    if at is None:
        return False
    there = replace(member.own, data=data, offset=at // member.own.item_bytes, stride=member.stride)
    if there.is_dense and (data.source, data.start + at) == (member.own.data.source, member.own.data.start):
        return True
    both = (member.own, there)
    return all(len({gather(view, start, size) for view in both}) == 1 for start, size in boxes(*both))
