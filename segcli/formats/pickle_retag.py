"""Changes the device tags in a checkpoint's pickle, and nothing else.

A tag is the fourth member of a storage's id. Python keeps one string for equal short strings, and pickle writes it once
and refers to it by number from then on; so a tag and a user's own ``"cpu"`` can be one literal. Each place where a
string is put on the stack is therefore told apart: where all of them are tags, the literal changes; where a user's
value is among them, whichever kind comes second is spelled out in place of its reference to the memo.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.pickle_nodes import Storage, Text
from segcli.formats.pickle_walk import Walk

Retag = Callable[[str], str]


@dataclass(frozen=True)
class _Edit:
    """Bytes of the pickle, from ``start`` up to ``end``, and what replaces them."""

    start: int
    end: int
    data: bytes

    @property
    def growth(self) -> int:
        return len(self.data) - (self.end - self.start)


def retag(data: bytes, walk: Walk, new: Retag, name: str) -> bytes:
    """Return a pickle with its storages' tags changed.

    No opcode is used that the pickle does not have already, and the memo's numbers stay, so whatever could read the
    pickle can read the result.

    Args:
        data: The pickle.
        walk: What it says.
        new: The tag that each tag becomes.
        name: How messages call the pickle.

    Raises:
        SegcliError: Where a storage's id is a user's value, too, so that no change could leave that alone.
    """
    edits = sorted(_edits(data, walk, new, name), key=lambda edit: edit.start)
    lengths = [_frame_edit(data, frame, edits) for frame in walk.frames]
    return _applied(data, sorted([*edits, *lengths], key=lambda edit: edit.start))


def _edits(data: bytes, walk: Walk, new: Retag, name: str) -> Iterator[_Edit]:
    changed = [storage for storage in walk.storages if new(storage.location.decoded()) != storage.location.decoded()]
    _refuse_shared(changed, name)
    tags = {id(storage.location) for storage in changed}
    literals = {id(storage.location.literal): storage.location.literal for storage in changed}
    repeats = _repeats(walk, set(literals))
    for key, literal in literals.items():
        was = data[literal.place.start : literal.place.end]
        becomes = _encoded(new(literal.decoded()), literal.place.opcode)
        is_tag = id(literal) in tags
        if is_tag:
            yield _Edit(literal.place.start, literal.place.end, becomes)
        for text in repeats.get(key, ()):
            if (id(text) in tags) != is_tag:
                yield _Edit(text.place.start, text.place.end, was if is_tag else becomes)


def _repeats(walk: Walk, literals: set[int]) -> dict[int, list[Text]]:
    """Return where each literal is pushed again; on CUDA torch makes a new one for every storage."""
    found: dict[int, list[Text]] = {}
    for text in walk.repeats:
        if id(text.literal) in literals:
            found.setdefault(id(text.literal), []).append(text)
    return found


def _refuse_shared(storages: Sequence[Storage], name: str) -> None:
    for storage in storages:
        if storage.id.repeated:
            message = f"{name} uses the id of storage {storage.key} for something else, too"
            raise SegcliError(message, hint="torch.save did not write it: load and save it again with torch")


def _encoded(tag: str, opcode: str) -> bytes:
    """Spell a tag with the opcode that the literal had, or for those of protocol 0 with what torch reads everywhere."""
    raw = tag.encode("ascii")
    code, length = _SPELLINGS.get(opcode, ("X", "<I"))
    return code.encode("latin-1") + struct.pack(length, len(raw)) + raw


# The opcode's byte, and how its length is written. Source: CPython's Lib/pickle.py.
_SPELLINGS = {
    "SHORT_BINSTRING": ("U", "<B"),
    "BINSTRING": ("T", "<i"),
    "BINUNICODE": ("X", "<I"),
    "SHORT_BINUNICODE": ("\x8c", "<B"),
    "BINUNICODE8": ("\x8d", "<Q"),
    "SHORT_BINBYTES": ("C", "<B"),
    "BINBYTES": ("B", "<I"),
    "BINBYTES8": ("\x8e", "<Q"),
}


def _frame_edit(data: bytes, frame: tuple[int, int, int], edits: Sequence[_Edit]) -> _Edit:
    """Write a frame's length anew: protocol 4 and later say how many bytes a frame has."""
    field, start, end = frame
    (length,) = struct.unpack_from("<Q", data, field)
    growth = sum(edit.growth for edit in edits if start <= edit.start < end)
    return _Edit(field, start, struct.pack("<Q", length + growth))


def _applied(data: bytes, edits: Sequence[_Edit]) -> bytes:
    parts: list[bytes] = []
    done = 0
    for edit in edits:
        parts += [data[done : edit.start], edit.data]
        done = edit.end
    return b"".join([*parts, data[done:]])
