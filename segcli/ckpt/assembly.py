"""Puts a checkpoint together anew: an object, and the storages that are still named in it, under new names."""

from collections.abc import Callable
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.pickle_nodes import Group, Node, Place, Storage, Text
from segcli.formats.pickle_write import write_pickle

_NOWHERE = Place("BINUNICODE", 0, 0)


def text(value: str) -> Text:
    """Return a string that stands in no file.

    Examples:
        >>> text("state_dict").decoded()
        'state_dict'
    """
    return Text(value, _NOWHERE)


@dataclass(frozen=True)
class Assembly:
    """A pickle, and the storages that it names.

    Attributes:
        pickle: The pickle.
        keys: The storages' keys in the source, in the order in which the pickle first names them; it calls them by
            their places in it: 0, 1, ...
    """

    pickle: bytes
    keys: tuple[str, ...]


def assemble(
    root: Node, protocol: int, location: Callable[[Storage], str] | None = None, *, is_legacy: bool = False
) -> Assembly:
    """Write an object as a pickle whose storages are numbered as torch numbers them.

    Args:
        root: The outermost object.
        protocol: The protocol of the pickle that it comes from.
        location: The device tag that each storage shall have; None leaves them as they are.
        is_legacy: Whether ids have the sixth member that torch's legacy format gives them.

    Raises:
        SegcliError: As `write_pickle`; for a part of a storage that stands on its own, and not for a tensor's values.
    """
    keys: dict[str, Text] = {}
    tags: dict[str, Text] = {}

    def identify(storage: Storage) -> Group:
        if storage.view:
            message = (
                f"the part {storage.view[0]} of storage {storage.key} stands on its own, which only legacy files hold"
            )
            raise SegcliError(message, hint="load it with torch, and save it again")
        what, kind, key, _, numel = storage.id.items[:5]
        number = str(len(keys))
        key = keys.setdefault(storage.key, key if isinstance(key, Text) and key.value == number else text(number))
        tag = storage.location
        wanted = tag.decoded() if location is None else location(storage)
        if tag.decoded() != wanted:
            tag = tags.setdefault(wanted, text(wanted))
        return Group("tuple", [what, kind, key, tag, numel, *([None] if is_legacy else [])])

    return Assembly(write_pickle(root, protocol, identify), tuple(keys))
