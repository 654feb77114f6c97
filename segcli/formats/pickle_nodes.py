"""What a pickle would build, as plain data: nothing here is the thing itself, and names stay names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

Noted = TypeVar("Noted")


class Notes(Protocol[Noted]):
    """What is noted while a pickle is followed, in its order: a list, or less than one."""

    def append(self, one: Noted, /) -> None:
        """Note one more."""

    def __iter__(self) -> Iterator[Noted]:
        """Yield all."""

    def __len__(self) -> int:
        """Return how many there are."""


class Place(NamedTuple):
    """The opcode that put something on the stack: its name, and its first byte and the one after its last."""

    opcode: str
    start: int
    end: int


class Text:
    """A string or bytes, at one place where the pickle puts it on the stack.

    The memo lets a pickle push one string many times; every push is a Text of its own, so that one can be changed
    without the others. A checkpoint has some for each of its tensors, so they are kept small.

    Attributes:
        value: The characters; bytes for what Python 3 reads as bytes or Python 2 wrote.
        source: The literal that it repeats, or None where it is a literal itself.
    """

    __slots__ = ("_length", "_opcode", "_start", "source", "value")

    def __init__(self, value: str | bytes | bytearray, place: Place, source: "Text | None" = None) -> None:
        """Take note of the characters, and of the opcode that pushed them here."""
        self.value = value
        self.source = source
        self._opcode, self._start = place.opcode, place.start
        self._length = place.end - place.start

    @property
    def place(self) -> Place:
        """The opcode that pushed it here."""
        return Place(self._opcode, self._start, self._start + self._length)

    @property
    def literal(self) -> "Text":
        """The literal: where the characters stand in the pickle."""
        return self.source or self

    def decoded(self) -> str:
        """Return the characters as torch reads them from files of Python 2 and 3."""
        return self.value if isinstance(self.value, str) else self.value.decode("latin-1")


class Detached(NamedTuple):
    """A string that was spelled out where the memo's would have said something else, and what it had said before.

    Attributes:
        text: The string.
        literal: What the memo has.
        end: The byte behind what says so; where that is a number to keep it under, the first byte of that.
        number: The memo's number of ``literal``; None where it stands right behind ``text``.
    """

    text: Text
    literal: Text
    end: int
    number: int | None = None


@dataclass(eq=False, slots=True)
class Group:
    """A tuple, list, set or frozenset.

    Attributes:
        kind: Which.
        items: What is in it.
        repeated: Whether the memo put it on the stack again.
        depth: How many tuples deep a tuple is.
    """

    kind: str
    items: "list[Node]"
    repeated: bool = False
    depth: int = 0


@dataclass(eq=False, slots=True)
class Mapping:
    """A dict: keys and values in turn, as the pickle has them."""

    pairs: "list[tuple[Node, Node]]"


@dataclass(eq=False, slots=True)
class Global:
    """The name of a class or function, after Python 2's names are turned into Python 3's.

    Attributes:
        module: Where it lies.
        name: Its name there.
        written: Both as the pickle has them, where that is another name.
    """

    module: str
    name: str
    written: tuple[str, str] | None = None

    @property
    def path(self) -> str:
        """Both names with a dot between."""
        return f"{self.module}.{self.name}"


class Call:
    """What calling ``function`` with ``args`` would give: an object.

    Attributes:
        function: The name that would be called; for other nodes the pickle is odd, but says so.
        args: What with.
        keywords: What with, by name.
        how: The opcode that calls: ``REDUCE``, ``NEWOBJ``, ``NEWOBJ_EX``, or ``OBJ`` (for ``INST``, too).
    """

    __slots__ = ("_items", "_pairs", "_state", "args", "function", "how", "keywords")

    def __init__(
        self,
        function: "Node",
        args: "Node",
        keywords: "Node" = None,
        how: str = "REDUCE",
        state: "list[Node] | None" = None,
        items: "list[Node] | None" = None,
        pairs: "list[tuple[Node, Node]] | None" = None,
    ) -> None:
        """Take note of a call, and of what it was given since."""
        self.function = function
        self.args = args
        self.keywords = keywords
        self.how = how
        # Most calls are given nothing more: their lists are made when one is asked for.
        self._state, self._items, self._pairs = state, items, pairs

    @property
    def state(self) -> "list[Node]":
        """What would be handed to the object afterwards, in order."""
        if self._state is None:
            self._state = []
        return self._state

    @state.setter
    def state(self, state: "list[Node]") -> None:
        self._state = state

    @property
    def items(self) -> "list[Node]":
        """What would be appended to it."""
        if self._items is None:
            self._items = []
        return self._items

    @property
    def pairs(self) -> "list[tuple[Node, Node]]":
        """What would be set in it."""
        if self._pairs is None:
            self._pairs = []
        return self._pairs

    @property
    def path(self) -> str:
        """The dotted name of what is called, or an empty string."""
        return self.function.path if isinstance(self.function, Global) else ""

    @property
    def arguments(self) -> "list[Node]":
        """The positional arguments."""
        return self.args.items if isinstance(self.args, Group) else []


@dataclass(eq=False, slots=True)
class Storage:
    """A tensor's memory, which lies in a record of its own.

    Attributes:
        type_name: Its class, such as ``FloatStorage``.
        key: The record's name behind ``data/``.
        location: The device that it is said to come from.
        numel: How many elements.
        id: The tuple in the pickle that says so.
        view: For a storage that is a part of another, as torch wrote before 0.4: its own key, and the first element
            and the number of elements that it has of the storage ``key``.
    """

    type_name: str
    key: str
    location: Text
    numel: int
    id: Group
    view: tuple[str, int, int] | None = None


Node = None | bool | int | float | Text | Group | Mapping | Global | Call | Storage
