"""Changes the device tags in a checkpoint's pickle, and nothing else.

A tag is the fourth member of a storage's id. Python keeps one string for equal short strings, and pickle writes it once
and refers to it by number from then on; so a tag and a user's own ``"cpu"`` can be one literal. Each place where a
string is put on the stack is therefore told apart: where all of them are tags, the literal changes; where a user's
value is among them, whichever kind comes second is spelled out in place of its reference to the memo.

A string that is spelled out so is marked with what its reference was: it is kept in the memo, under a number as far
beyond all others as that number is from 0, which nothing asks for. Where both say the same again, the reference comes
back; so a pickle that goes to another device and returns is what it was, byte for byte. Pickles of protocol 4 count
what they keep, so there the reference itself is the mark: it is pushed, and dropped.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.pickle_nodes import Detached, Storage, Text
from segcli.formats.pickle_walk import Walk

Retag = Callable[[str], str]

_BYTE = 0xFF
_POP = b"0"


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

    No opcode is used that weights-only loading does not know, unless the pickle has such already, and the memo's
    numbers stay, so whatever could read the pickle can read the result.

    Args:
        data: The pickle.
        walk: What it says.
        new: The tag that each tag becomes.
        name: How messages call the pickle.

    Raises:
        SegcliError: Where a storage's id is a user's value, too, so that no change could leave that alone.
    """
    changed = [storage for storage in walk.storages if new(storage.location.decoded()) != storage.location.decoded()]
    if not changed:
        return data
    _refuse_shared(changed, name)
    edits = sorted(_Edits(data, walk, new, changed).all(), key=lambda edit: edit.start)
    lengths = [_frame_edit(data, frame, edits) for frame in walk.frames]
    return _applied(data, sorted([*edits, *lengths], key=lambda edit: edit.start))


class _Edits:
    """What changes in a pickle.

    Args:
        data: The pickle.
        walk: What it says.
        new: The tag that each tag becomes.
        changed: The storages whose tag becomes another.
    """

    def __init__(self, data: bytes, walk: Walk, new: Retag, changed: Sequence[Storage]) -> None:
        self._data = data
        self._walk = walk
        self._new = new
        self._tags = {id(storage.location) for storage in changed}
        self._literals = {id(storage.location.literal): storage.location.literal for storage in changed}

    def all(self) -> Iterator[_Edit]:
        """Yield them, in no order."""
        repeats = self._repeats()
        rejoined = {id(one.text): one for one in self._walk.detached if self._says_the_same(one, repeats)}
        for one in rejoined.values():
            yield self._rejoin(one)
        for key, literal in self._literals.items():
            is_tag = key in self._tags
            becomes = _encoded(self._new(literal.decoded()), literal.place.opcode)
            if is_tag and key not in rejoined:
                yield _Edit(literal.place.start, literal.place.end, becomes)
            was = self._data[literal.place.start : literal.place.end]
            for text in repeats.get(key, ()):
                if (id(text) in self._tags) != is_tag:
                    yield self._detach(text, was if is_tag else becomes)

    def _repeats(self) -> dict[int, list[Text]]:
        """Return where each literal is pushed again; on CUDA torch makes a new one for every storage."""
        wanted = set(self._literals) | {id(one.text) for one in self._walk.detached}
        marks = {one.text.place.end for one in self._walk.detached if one.number is None}
        found: dict[int, list[Text]] = {}
        for text in self._walk.repeats:
            if id(text.literal) in wanted and text.place.start not in marks:
                found.setdefault(id(text.literal), []).append(text)
        return found

    def _says_the_same(self, one: Detached, repeats: dict[int, list[Text]]) -> bool:
        """Whether a string that was spelled out is what its literal says, once tags are changed."""
        is_ours = id(one.text) not in repeats and (one.number is None or self._data[one.end : one.end + 1] in b"qr")
        return is_ours and self._after(one.text) == self._after(one.literal)

    def _after(self, text: Text) -> str:
        return self._new(text.decoded()) if id(text) in self._tags else text.decoded()

    def _rejoin(self, one: Detached) -> _Edit:
        """Put a reference where a string was spelled out with its mark."""
        start, end = one.text.place.start, one.end
        if one.number is None:
            return _Edit(start, end, self._data[one.text.place.end : end - len(_POP)])
        put = 2 if self._data[end : end + 1] == b"q" else 5
        return _Edit(start, end + put, _indexed(b"h", b"j", one.number))

    def _detach(self, text: Text, spelled: bytes) -> _Edit:
        """Spell a string out where there is a reference, with a mark."""
        reference = self._data[text.place.start : text.place.end]
        index = _index_of(reference)
        mark = b""
        if index is not None:
            is_counted = "MEMOIZE" in self._walk.opcodes
            mark = reference + _POP if is_counted else _indexed(b"q", b"r", self._walk.kept + 1 + index)
        return _Edit(text.place.start, text.place.end, spelled + mark)


def _index_of(reference: bytes) -> int | None:
    """Return the number that is asked for; None for DUP, which asks for none, and for the texts of protocol 0."""
    return int.from_bytes(reference[1:], "little") if reference[:1] in (b"h", b"j") else None


def _indexed(short: bytes, long: bytes, index: int) -> bytes:
    return short + bytes([index]) if index <= _BYTE else long + struct.pack("<I", index)


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
