"""What a pickle would build, as plain data: nothing here is the thing itself, and names stay names."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """The opcode that put something on the stack: its name, and its first byte and the one after its last."""

    opcode: str
    start: int
    end: int


@dataclass(eq=False, slots=True)
class Text:
    """A string or bytes, at one place where the pickle puts it on the stack.

    The memo lets a pickle push one string many times; every push is a Text of its own, so that one can be changed
    without the others.

    Attributes:
        value: The characters; bytes for what Python 3 reads as bytes or Python 2 wrote.
        place: The opcode that pushed it here.
        source: The literal that it repeats, or None where it is a literal itself.
    """

    value: str | bytes | bytearray
    place: Place
    source: "Text | None" = None

    @property
    def literal(self) -> "Text":
        """The literal: where the characters stand in the pickle."""
        return self.source or self

    def decoded(self) -> str:
        """Return the characters as torch reads them from files of Python 2 and 3."""
        return self.value if isinstance(self.value, str) else self.value.decode("latin-1")


@dataclass(eq=False, slots=True)
class Group:
    """A tuple, list, set or frozenset; ``repeated`` where the memo put it on the stack again."""

    kind: str
    items: "list[Node]"
    repeated: bool = False


@dataclass(eq=False, slots=True)
class Mapping:
    """A dict: keys and values in turn, as the pickle has them."""

    pairs: "list[tuple[Node, Node]]"


@dataclass(eq=False, slots=True)
class Global:
    """The name of a class or function, after Python 2's names are turned into Python 3's."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """Both names with a dot between."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Call:
    """What calling ``function`` with ``args`` would give: an object.

    Attributes:
        function: The name that would be called; for other nodes the pickle is odd, but says so.
        args: What with.
        keywords: What with, by name.
        state: What would be handed to the object afterwards, in order.
        items: What would be appended to it.
        pairs: What would be set in it.
    """

    function: "Node"
    args: "Node"
    keywords: "Node" = None
    state: "list[Node]" = field(default_factory=list)
    items: "list[Node]" = field(default_factory=list)
    pairs: "list[tuple[Node, Node]]" = field(default_factory=list)

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
    """

    type_name: str
    key: str
    location: Text
    numel: int
    id: Group


Node = None | bool | int | float | Text | Group | Mapping | Global | Call | Storage
