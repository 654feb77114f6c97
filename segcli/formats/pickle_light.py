"""A machine that keeps of a pickle's strings and storages only where they stand: some twenty bytes a tensor.

It is for pickles as torch writes them. Where one asks for more, such as a storage's id that is a value, too, it gives
up, and the pickle is followed once more by the machine that keeps everything.
"""

import io
import pickletools
from array import array
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from typing import cast

from segcli.formats.pickle_machine import Machine
from segcli.formats.pickle_memo import Memo
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Place, Storage, Text

# What is asked for again and again is "storage", a device and a dtype; names of tensors are asked for once.
_FEW_TEXTS = 64
_MAX_COUNT = 2**64 - 1


class UnkeptError(Exception):
    """Raised where a pickle asks for something that was not kept."""


class _Strings:
    """Reads strings again from where they stand."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        self.literal = lru_cache(_FEW_TEXTS)(self._literal)

    def pushed(self, start: int, literal: int) -> Text:
        """Return what is pushed at one place, and has its characters at another."""
        source = self.literal(literal)
        return source if start == literal else Text(source.value, self._read(start)[0], source)

    @staticmethod
    def place_of(text: Text) -> int:
        """Return where a string's characters stand.

        Raises:
            UnkeptError: For a string of protocol 0, whose odd escapes are a matter for a warning each time.
        """
        place = text.literal.place
        if place.opcode == "STRING":
            raise UnkeptError
        return place.start

    def _literal(self, start: int) -> Text:
        place, value = self._read(start)
        return Text(value, place)

    def _read(self, start: int) -> tuple[Place, str | bytes]:
        self._stream.seek(start)
        opcode, value, _ = next(pickletools.genops(self._stream))
        return Place(opcode.name, start, self._stream.tell()), value  # type: ignore[return-value]


class _Repeats:
    """Strings that the memo pushed again."""

    def __init__(self, strings: _Strings) -> None:
        self._strings = strings
        self._starts = array("I")
        self._literals = array("I")

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Text]:
        return map(self._strings.pushed, self._starts, self._literals)

    def append(self, text: Text) -> None:
        """Keep one."""
        self._starts.append(text.place.start)
        self._literals.append(self._strings.place_of(text))


class _Storages:
    """Storages, of which each is made when it is asked for; none has its id."""

    def __init__(self, strings: _Strings) -> None:
        self._strings = strings
        self._kinds: dict[str, int] = {}
        self._kind_of = array("I")
        self._keys = array("I")
        self._tags = _Repeats(strings)
        self._counts = array("Q")

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[Storage]:
        kinds, no_id = list(self._kinds), Group("tuple", [])
        for kind, key, tag, count in zip(self._kind_of, self._keys, self._tags, self._counts, strict=True):
            yield Storage(kinds[kind], self._strings.literal(key).decoded(), tag, count, no_id)

    def append(self, storage: Storage) -> None:
        """Keep one."""
        key = cast("Text", storage.id.items[2])
        if storage.numel > _MAX_COUNT:
            raise UnkeptError
        self._kind_of.append(self._kinds.setdefault(storage.type_name, len(self._kinds)))
        self._keys.append(self._strings.place_of(key))
        self._tags.append(storage.location)
        self._counts.append(storage.numel)


class _LightMemo(Memo):
    """Keeps a number of each node: where a string stands, or which of few nodes stands for all that are like it."""

    # A tuple with strings may be a storage's id.
    _UNKEPT = 0

    def __init__(self, strings: _Strings) -> None:
        super().__init__(array("I"))
        self._strings = strings
        self._nodes: list[Node] = [None]
        self._codes: dict[Hashable, int] = {}

    def __getitem__(self, index: int) -> Node:
        code = super().__getitem__(index)
        if code == self._UNKEPT:
            raise UnkeptError
        return self._strings.literal(code >> 1) if code & 1 else self._nodes[code >> 1]

    def __setitem__(self, index: int, node: Node) -> None:
        super().__setitem__(index, self._code(node))

    def _code(self, node: Node) -> int:
        if isinstance(node, Text):
            return self._strings.place_of(node) << 1 | 1
        if is_id(node):
            return self._UNKEPT
        like, alike = _like(node)
        if alike not in self._codes:
            self._codes[alike] = len(self._nodes) << 1
            self._nodes.append(like)
        return self._codes[alike]


def is_id(node: Node) -> bool:
    """Say whether a node may be a storage's id."""
    return isinstance(node, Group) and any(isinstance(item, Text | Global) for item in node.items)


def _like(node: Node) -> tuple[Node, Hashable]:
    """Return an empty node of a kind, and what all of its kind have in common."""
    match node:
        case Group():
            return Group(node.kind, []), node.kind
        case Mapping():
            return Mapping([]), Mapping
        case Call():
            return Call(node.function, None), (Call, node.path)
        case Global():
            return node, (Global, node.path, node.written)
        case Storage():
            return node, Storage
    return node, (type(node), node)


class LightMachine(Machine):
    """The stack, the marks and the memo, where nothing keeps what is put into it.

    Raises:
        UnkeptError: Anywhere, for what it cannot follow.
    """

    def __init__(self, name: str, tell: Callable[[], int], data: bytes) -> None:
        """Start with nothing on the stack.

        Args:
            name: How messages call the pickle.
            tell: Says which byte is read next.
            data: The pickle.
        """
        super().__init__(name, tell)
        strings = _Strings(data)
        self.storages = _Storages(strings)
        self.repeats = _Repeats(strings)
        self._memo = _LightMemo(strings)
        self._hollow = Group("tuple", [])

    def discard(self) -> None:
        """Give up: what is pushed and dropped at once may be a mark of `pickle_retag`'s."""
        raise UnkeptError

    def put(self, index: int) -> None:
        """Keep the last node under a number; one that is out of turn may be such a mark, too."""
        if index > max(self.kept, 1):
            raise UnkeptError
        super().put(index)

    def repeat(self, node: Node) -> None:
        """Put on the stack what stood there before."""
        if is_id(node):
            raise UnkeptError
        super().repeat(node)

    def push_tuple(self, items: list[Node]) -> None:
        """Put a tuple on the stack, without its items where it cannot be a storage's id."""
        node = Group("tuple", items)
        self.push(node if is_id(node) else self._hollow)

    def extend(self, _items: list[Node], kind: str) -> None:
        """See whether the container below takes items."""
        super().extend([], kind)

    def update(self, pairs: list[tuple[Node, Node]]) -> None:
        """See whether the container below takes keys."""
        self.check_keys(pairs)
        super().update([])

    def build(self) -> None:
        """See whether the object below takes a state."""
        self.pop()
        self.push(None)
        super().build()

    def stop(self) -> None:
        """See whether something is left over."""
        super().stop()
        self.root = None
