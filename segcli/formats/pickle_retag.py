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
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from segcli.errors import SegcliError
from segcli.formats.payload import Computed, Payload
from segcli.formats.pickle_nodes import Detached, Storage, Text
from segcli.formats.pickle_walk import Walk

Retag = Callable[[str], str]
# Bytes of the pickle, from one place up to another, and what replaces them.
Edit = tuple[int, int, bytes]

# Large enough that a write costs little.
_PIECE_BYTES = 2**16
_BYTE = 0xFF
_LARGEST = 2**32 - 1
_POP = b"0"


def retag(data: bytes, walk: Walk, new: Retag, name: str) -> Payload | None:
    """Return a pickle with its storages' tags changed; None where none of them becomes another.

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
    tags = _Places(storage.location.place.start for storage in _changed(walk.storages, new, name))
    if not tags.places:
        return None
    edits = _Edits(_Changes(data, walk, new, tags).all(name))
    edits = _Edits([*_new_frames(data, walk, edits)], edits)
    return Computed(len(data) + edits.growth(), lambda: edits.applied(data))


def _changed(storages: Iterable[Storage], new: Retag, name: str) -> Iterator[Storage]:
    for storage in storages:
        tag = storage.location.decoded()
        if new(tag) != tag:
            if storage.id.repeated:
                message = f"{name} uses the id of storage {storage.key} for something else, too"
                raise SegcliError(message, hint="torch.save did not write it: load and save it again with torch")
            yield storage


class _Places:
    """Places in a pickle, of which a large one has very many."""

    def __init__(self, places: Iterable[int]) -> None:
        self.places = array("I", sorted(array("I", places)))

    def __contains__(self, place: int) -> bool:
        at = bisect_left(self.places, place)
        return at < len(self.places) and self.places[at] == place


class _Edits:
    """Edits in the order of their places, each in twelve bytes: few of them are made of bytes of their own."""

    def __init__(self, edits: Iterable[Edit], more: "_Edits | None" = None) -> None:
        starts, ends, kinds = array("I"), array("I"), array("I")
        found: dict[bytes, int] = {}
        for some in (edits, more or ()):
            for start, end, data in some:
                starts.append(start)
                ends.append(end)
                kinds.append(found.setdefault(data, len(found)))
        order = sorted(range(len(starts)), key=starts.__getitem__)
        self.starts = array("I", map(starts.__getitem__, order))
        self._ends = array("I", map(ends.__getitem__, order))
        self._kinds = array("I", map(kinds.__getitem__, order))
        self._data = list(found)

    def __iter__(self) -> Iterator[Edit]:
        return (
            (start, end, self._data[kind])
            for start, end, kind in zip(self.starts, self._ends, self._kinds, strict=True)
        )

    def growths(self) -> Iterator[int]:
        """Yield for each how many bytes longer it makes the pickle."""
        return (len(data) - (end - start) for start, end, data in self)

    def growth(self) -> int:
        """Return how many bytes longer all of them make it."""
        return sum(self.growths())

    def applied(self, data: bytes) -> Iterator[bytes]:
        """Yield the pickle with the edits, a piece at a time."""
        piece = bytearray()
        done = 0
        for start, end, new in self:
            piece += data[done:start]
            piece += new
            done = end
            if len(piece) >= _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece) + data[done:]


class _Changes:
    """What changes in a pickle.

    Args:
        data: The pickle.
        walk: What it says.
        new: The tag that each tag becomes.
        tags: Where the tags are pushed that become others.
    """

    def __init__(self, data: bytes, walk: Walk, new: Retag, tags: _Places) -> None:
        self._data = data
        self._walk = walk
        self._new = new
        self._tags = tags
        self._marks = {one.text.place.end for one in walk.detached if one.number is None}

    def all(self, name: str) -> Iterator[Edit]:
        """Yield all edits but those of frames, in no order."""
        rejoined = self._rejoined()
        for one in rejoined.values():
            yield self._rejoin(one)
        for storage in _changed(self._walk.storages, self._new, name):
            tag, literal = storage.location, storage.location.literal
            becomes = _encoded(self._new(literal.decoded()), literal.place.opcode)
            if tag is literal:
                if literal.place.start not in rejoined:
                    yield literal.place.start, literal.place.end, becomes
            elif literal.place.start not in self._tags:
                yield self._detach(tag, becomes)
        for text in self._repeats():
            place = text.literal.place
            if place.start in self._tags and text.place.start not in self._tags:
                yield self._detach(text, self._data[place.start : place.end])

    def _repeats(self) -> Iterator[Text]:
        """Yield the strings that are pushed again, but for marks; on CUDA torch makes a new one for every storage."""
        return (text for text in self._walk.repeats if text.place.start not in self._marks)

    def _rejoined(self) -> dict[int, Detached]:
        """Return the strings that were spelled out and are what their literals say, once tags are changed."""
        detached = {one.text.place.start: one for one in self._walk.detached}
        repeated = detached and {text.literal.place.start for text in self._repeats()}
        return {start: one for start, one in detached.items() if start not in repeated and self._says_the_same(one)}

    def _says_the_same(self, one: Detached) -> bool:
        is_ours = one.number is None or self._data[one.end : one.end + 1] in b"qr"
        return is_ours and self._after(one.text) == self._after(one.literal)

    def _after(self, text: Text) -> str:
        return self._new(text.decoded()) if text.place.start in self._tags else text.decoded()

    def _rejoin(self, one: Detached) -> Edit:
        """Put a reference where a string was spelled out with its mark."""
        start, end = one.text.place.start, one.end
        if one.number is None:
            return start, end, self._data[one.text.place.end : end - len(_POP)]
        put = 2 if self._data[end : end + 1] == b"q" else 5
        return start, end + put, _indexed(b"h", b"j", one.number)

    def _detach(self, text: Text, spelled: bytes) -> Edit:
        """Spell a string out where there is a reference, with a mark."""
        reference = self._data[text.place.start : text.place.end]
        index = _index_of(reference)
        mark = b""
        if index is not None:
            is_counted = "MEMOIZE" in self._walk.opcodes
            mark = reference + _POP if is_counted else self._numbered(self._walk.spare + index)
        return text.place.start, text.place.end, spelled + mark

    def _numbered(self, number: int) -> bytes:
        if number > _LARGEST:
            message = f"the pickle keeps something under {self._walk.spare - 1}, and has no number left for a tag"
            raise SegcliError(message, hint="torch.save did not write it: load and save it again with torch")
        return _indexed(b"q", b"r", number)


def _new_frames(data: bytes, walk: Walk, edits: _Edits) -> Iterator[Edit]:
    """Yield the lengths of frames anew: protocol 4 and later say how many bytes a frame has."""
    grown = [0, *accumulate(edits.growths())] if walk.frames else []
    for field, start, end in walk.frames:
        (length,) = struct.unpack_from("<Q", data, field)
        growth = grown[bisect_left(edits.starts, end)] - grown[bisect_left(edits.starts, start)]
        yield field, start, struct.pack("<Q", length + growth)


def _index_of(reference: bytes) -> int | None:
    """Return the number that is asked for; None for DUP, which asks for none, and for the texts of protocol 0."""
    return int.from_bytes(reference[1:], "little") if reference[:1] in (b"h", b"j") else None


def _indexed(short: bytes, long: bytes, index: int) -> bytes:
    return short + bytes([index]) if index <= _BYTE else long + struct.pack("<I", index)


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
