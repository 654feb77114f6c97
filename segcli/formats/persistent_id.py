"""Says what the persistent ids in a pickle stand for: what a checkpoint keeps outside of its pickle.

Source: ``persistent_load`` in ``torch/serialization.py`` of pytorch 2.13, for zip and for legacy files.
"""

from collections.abc import Callable
from typing import TypeGuard

from segcli.formats.pickle_nodes import Global, Group, Node, Storage, Text

# From an id to what it stands for; None where torch would not know it.
Resolve = Callable[[Node], Node]

_STORAGE_FIELDS = 5


def resolve_zip(identity: Node) -> Node:
    """Return the storage that an id in a zip checkpoint stands for: ("storage", class, key, device, elements)."""
    if isinstance(identity, Group) and len(identity.items) == _STORAGE_FIELDS:
        return _storage(identity, identity.items, None)
    return None


def resolve_legacy(identity: Node) -> Node:
    """Return what an id in a legacy file stands for: a storage, or a module's class.

    A storage's id has a sixth member: None, or for a part of another storage its own key, start and length. A class
    comes with the path and the text of its source, which torch only compares.
    """
    match identity:
        case Group(kind="tuple", items=[Text() as what, Global() as kind, _, _]) if what.decoded() == "module":
            return kind
        case Group(items=[*fields, None]):
            return _storage(identity, fields, None)
        case Group(items=[*fields, Group(kind="tuple", items=[Text() as key, start, count])]):
            if _is_count(start) and _is_count(count):
                return _storage(identity, fields, (key.decoded(), start, count))
    return None


def _storage(identity: Group, fields: list[Node], view: tuple[str, int, int] | None) -> Storage | None:
    match fields:
        case [Text() as what, Global() as kind, Text() as key, Text() as location, numel]:
            if identity.kind == "tuple" and what.decoded() == "storage" and _is_count(numel):
                return Storage(kind.name, key.decoded(), location, numel, identity, view)
    return None


def _is_count(value: Node) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
