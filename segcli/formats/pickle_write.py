"""Writes what a pickle would build, as the nodes of `pickle_nodes` have it, as a pickle again.

What torch.save wrote comes out byte for byte as it was, since the opcodes, their order and the memo's numbers are those
of Python's own pickler. Objects that the nodes share stay shared, and cycles stay cycles.

Source: PEP 307, PEP 3154, and CPython 3.11: ``Lib/pickle.py`` (``_Pickler.save`` and what it calls), and where that
differs ``Modules/_pickle.c``, which is what torch.save runs.
"""

import pickle
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from segcli.errors import SegcliError
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Storage, Text

Item = TypeVar("Item")
# What a storage's persistent id shall be.
Identify = Callable[[Storage], Node]

# The protocol that torch writes: any older one is raised to it.
LOWEST_PROTOCOL = 2
# How many items or pairs one opcode adds, as in Python's pickler.
_BATCH = 1000
_BYTE, _SHORT = 0xFF, 0xFFFF
_INT = range(-(2**31), 2**31)
_SHORT_TUPLES = {1: b"\x85", 2: b"\x86", 3: b"\x87"}


def write_pickle(root: Node, protocol: int, identify: Identify) -> bytes:
    """Return a pickle that would build ``root``.

    Args:
        root: The outermost object.
        protocol: The protocol of what it was read from; bytes and sets need the one that they came with.
        identify: Gives the persistent id of each storage.

    Raises:
        SegcliError: Where a name stands in a registry of the program that wrote it (``copyreg.add_extension``), or has
            a line break.

    Examples:
        >>> from segcli.formats.pickle_walk import walk
        >>> data = pickle.dumps({"epoch": 12, "best": [0.5, 0.75]}, protocol=2)
        >>> write_pickle(walk(data, "a pickle").root, 2, lambda storage: storage.id) == data
        True
    """
    writer = _Writer(max(protocol, LOWEST_PROTOCOL), identify)
    # A stack of what is half done, and not recursion: nodes nest as deep as their file says.
    stack = [iter([root])]
    while stack:
        node = next(stack[-1], _DONE)
        if node is _DONE:
            stack.pop()
        else:
            stack.append(writer.save(node))
    return writer.finish()


_DONE = Global("", "")


class _Writer:
    """The bytes so far, and the memo.

    Every method that writes a node is a generator of the nodes that have to be written at that point.
    """

    def __init__(self, protocol: int, identify: Identify) -> None:
        self._protocol = protocol
        self._identify = identify
        self._out = bytearray(pickle.PROTO + bytes([self._protocol]))
        # By the identity of what the nodes stand for: one literal, one name, one object.
        self._memo: dict[int | bytes, int] = {}
        # What nothing else holds on to: the next object would get the same identity.
        self._ids: list[Node] = []

    def finish(self) -> bytes:
        return bytes(self._out + pickle.STOP)

    def save(self, node: Node) -> Iterator[Node]:
        """Write a node, or a reference to it where it has been written."""
        match node:
            case Text():
                self._save_once(id(node.literal), lambda: _spelled(node))
            case Global():
                name = _named(node)
                self._save_once(name, lambda: name)
            case Storage():
                self._ids.append(self._identify(node))
                yield self._ids[-1]
                self._out += pickle.BINPERSID
            case Group() | Mapping() | Call():
                if id(node) in self._memo:
                    self._get(id(node))
                else:
                    yield from self._save_object(node)
            case _:
                self._out += _plain(node)

    def _save_object(self, node: Group | Mapping | Call) -> Iterator[Node]:
        match node:
            case Group():
                yield from self._save_group(node)
            case Mapping():
                self._out += pickle.EMPTY_DICT
                self._put(id(node))
                yield from self._save_own_pairs(node.pairs)
            case _:
                yield from self._save_call(node)

    # -- the memo

    def _save_once(self, key: int | bytes, write: Callable[[], bytes]) -> None:
        if key in self._memo:
            self._get(key)
        else:
            self._out += write()
            self._put(key)

    def _put(self, key: int | bytes) -> None:
        index = self._memo.setdefault(key, len(self._memo))
        self._out += _indexed(pickle.BINPUT, pickle.LONG_BINPUT, index)

    def _get(self, key: int | bytes) -> None:
        self._out += _indexed(pickle.BINGET, pickle.LONG_BINGET, self._memo[key])

    def _put_unless_cycle(self, key: int, build: bytes, undo: bytes) -> None:
        """Build and keep; where its own members led back to it, it is there already, and what was built with goes."""
        if key in self._memo:
            self._out += undo
            self._get(key)
        else:
            self._out += build
            self._put(key)

    # -- containers

    def _save_group(self, group: Group) -> Iterator[Node]:
        match group.kind:
            case "list":
                self._out += pickle.EMPTY_LIST
                self._put(id(group))
                yield from self._save_own_items(group.items)
            case "set":
                self._out += pickle.EMPTY_SET
                self._put(id(group))
                for batch in _batches_and_rest(group.items):
                    self._out += pickle.MARK
                    yield from batch
                    self._out += pickle.ADDITEMS
            case "frozenset":
                self._out += pickle.MARK
                yield from group.items
                self._put_unless_cycle(id(group), pickle.FROZENSET, pickle.POP_MARK)
            case _:
                yield from self._save_tuple(group)

    def _save_tuple(self, group: Group) -> Iterator[Node]:
        count = len(group.items)
        if not count:
            self._out += pickle.EMPTY_TUPLE
        elif count in _SHORT_TUPLES:
            yield from group.items
            self._put_unless_cycle(id(group), _SHORT_TUPLES[count], pickle.POP * count)
        else:
            self._out += pickle.MARK
            yield from group.items
            self._put_unless_cycle(id(group), pickle.TUPLE, pickle.POP_MARK)

    def _save_own_items(self, items: Sequence[Node]) -> Iterator[Node]:
        """Save a list's items; only the first alone goes without a mark."""
        if len(items) == 1:
            yield from self._save_items(items)
            return
        for batch in _batches(items):
            self._out += pickle.MARK
            yield from batch
            self._out += pickle.APPENDS

    def _save_own_pairs(self, pairs: Sequence[tuple[Node, Node]]) -> Iterator[Node]:
        """Save a dict's pairs; a full batch is followed by another, be it empty."""
        if len(pairs) == 1:
            yield from self._save_pairs(pairs)
            return
        for batch in _batches_and_rest(pairs):
            self._out += pickle.MARK
            for pair in batch:
                yield from pair
            self._out += pickle.SETITEMS

    def _save_items(self, items: Sequence[Node]) -> Iterator[Node]:
        """Save what an object is extended with."""
        for batch in _batches(items):
            self._out += pickle.MARK if len(batch) > 1 else b""
            yield from batch
            self._out += pickle.APPENDS if len(batch) > 1 else pickle.APPEND

    def _save_pairs(self, pairs: Sequence[tuple[Node, Node]]) -> Iterator[Node]:
        for batch in _batches(pairs):
            self._out += pickle.MARK if len(batch) > 1 else b""
            for pair in batch:
                yield from pair
            self._out += pickle.SETITEMS if len(batch) > 1 else pickle.SETITEM

    def _save_call(self, call: Call) -> Iterator[Node]:
        if call.how == "OBJ":
            self._out += pickle.MARK
            yield call.function
            yield from call.arguments
        else:
            yield call.function
            yield call.args
            if call.how == "NEWOBJ_EX":
                yield call.keywords
        self._out += _CALLS[call.how]
        self._put_unless_cycle(id(call), b"", pickle.POP)
        yield from self._save_items(call.items)
        yield from self._save_pairs(call.pairs)
        for state in call.state:
            yield state
            self._out += pickle.BUILD


_CALLS = {"REDUCE": pickle.REDUCE, "NEWOBJ": pickle.NEWOBJ, "NEWOBJ_EX": pickle.NEWOBJ_EX, "OBJ": pickle.OBJ}


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _batches_and_rest(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items) + 1 if items else 0, _BATCH):
        yield items[start : start + _BATCH]


def _indexed(short: bytes, long: bytes, index: int) -> bytes:
    return short + bytes([index]) if index <= _BYTE else long + struct.pack("<I", index)


def _plain(value: float | None) -> bytes:
    if value is None:
        return pickle.NONE
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    return _integer(value) if isinstance(value, int) else pickle.BINFLOAT + struct.pack(">d", value)


def _integer(value: int) -> bytes:
    if 0 <= value <= _BYTE:
        return pickle.BININT1 + bytes([value])
    if 0 <= value <= _SHORT:
        return pickle.BININT2 + struct.pack("<H", value)
    if value in _INT:
        return pickle.BININT + struct.pack("<i", value)
    raw = pickle.encode_long(value)
    return pickle.LONG1 + bytes([len(raw)]) + raw if len(raw) <= _BYTE else pickle.LONG4 + _counted(raw)


def _counted(raw: bytes) -> bytes:
    return struct.pack("<I", len(raw)) + raw


def _named(node: Global) -> bytes:
    if node.module == "copyreg extension":
        message = f"the pickle names a class by the number {node.name}, which only the program that wrote it knows"
        raise SegcliError(message, hint="load it in that program, and save it again")
    module, name = node.written or (node.module, node.name)
    if any(char == "\n" or "\ud800" <= char <= "\udfff" for char in module + name):
        # A line break would end the name, and what follows would be read as opcodes.
        message = f"the pickle names {node.path!r}, which has a line break, or half of a surrogate pair"
        raise SegcliError(message, hint="no class has such a name: do not load this file")
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _spelled(text: Text) -> bytes:
    """Spell a string or bytes with the opcode for its kind: Python 2's strings are neither of Python 3's."""
    value, opcode = text.value, text.place.opcode
    if isinstance(value, bytearray):
        return pickle.BYTEARRAY8 + struct.pack("<Q", len(value)) + value
    if isinstance(value, bytes):
        short, long, raw = pickle.SHORT_BINBYTES, pickle.BINBYTES, value
    elif opcode in ("STRING", "BINSTRING", "SHORT_BINSTRING"):
        short, long, raw = pickle.SHORT_BINSTRING, pickle.BINSTRING, value.encode("latin-1")
    else:
        return pickle.BINUNICODE + _counted(value.encode("utf-8", "surrogatepass"))
    return short + bytes([len(raw)]) + raw if len(raw) <= _BYTE else long + _counted(raw)
