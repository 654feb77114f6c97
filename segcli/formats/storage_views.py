"""Turns tensors on a part of a storage into tensors on the whole of it, which every format can say.

Before 0.4 torch had storages that were a part of another, and tensors on them. Such a tensor starts at its offset in
the part, and so at that and the part's own in the whole.
"""

from collections.abc import Iterable

from segcli.formats.node_walk import containers
from segcli.formats.pickle_nodes import Call, Group, Node, Storage

# What is told a storage and an offset in it first. Source: the functions of ``torch/_utils.py``.
_REBUILT_FROM_STORAGE = frozenset(
    f"torch._utils.{name}"
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor")
)


def resolve_views(root: Node, storages: Iterable[Storage]) -> None:
    """Change every tensor below ``root`` that lies on a part of a storage.

    Args:
        root: The outermost object.
        storages: All that the pickle names.
    """
    if not any(storage.view for storage in storages):
        return
    for call in containers(root):
        if not isinstance(call, Call):
            continue
        if call.path in _REBUILT_FROM_STORAGE and isinstance(call.args, Group):
            _resolve(call.args)
        for state in call.state:
            # What tensors of torch 0.1 were handed: storage, offset, size and stride.
            if isinstance(state, Group) and len(state.items) == 4:  # noqa: PLR2004 - the four
                _resolve(state)


def _resolve(place: Group) -> None:
    match place.items:
        case [Storage(view=(_, start, _)) as part, int() as offset, *_]:
            place.items[:2] = [Storage(part.type_name, part.key, part.location, part.numel, part.id), offset + start]
