"""Lists what a checkpoint's pickle holds: every tensor under its key, and what else there is, in few words.

An object that the pickle names twice is listed once, however often it is reached: forty tuples that each hold the one
before twice would be 2^40 entries.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.node_preview import preview, type_name
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Storage, Text
from segcli.formats.rebuilt_tensor import attached, rebuilt_tensor
from segcli.formats.tensor_header import TensorHeader

MAX_DEPTH = 1_000
MAX_KEY_CHARACTERS = 100_000_000

# A module keeps its members in these, which its state_dict leaves out of keys.
_MODULE_MEMBERS = ("_parameters", "_buffers", "_modules")
_LONGEST_WHOLE_TEXT = 200


@dataclass(frozen=True, slots=True)
class OtherValue:
    """What is not a tensor.

    Attributes:
        key: Its dotted path.
        type: The type that it would have.
        value: Numbers and short texts as they are, else a few words.
    """

    key: str
    type: str
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An object that is listed.

    Attributes:
        key: Its dotted path.
        node: What stands there.
        tensor: Its header where it is a tensor.
        same_as: The key under which an object that holds tensors was reached before; what is below it stands there.
        way: How it was reached, where it is a tensor.
    """

    key: str
    node: Node
    tensor: TensorHeader | None = None
    same_as: str | None = None
    way: "_Step | None" = None

    @property
    def quoted(self) -> str:
        """Its path with the parts in quotes that hold dots themselves."""
        parts = self.way.parts if self.way else [self.key]
        return ".".join(repr(part) if "." in part else part for part in parts)


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds, in its own order."""

    tensors: tuple[TensorHeader, ...]
    other: tuple[OtherValue, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """A node that is still to be listed, and the way to it: joined only where it is listed, for depth's sake."""

    node: Node
    tensor: TensorHeader | None = None
    part: str = ""
    before: "_Step | None" = None
    depth: int = 0
    length: int = 0
    # How far inside of what was saved along with a tensor; 0 for what lies in none.
    inside: int = 0

    @property
    def is_opened(self) -> bool:
        """Whether its members are listed and not itself: the outermost object, and what only modules see."""
        if self.before is None:
            return bool(members(self.node))
        return is_module(self.before.node)

    def below(self, tensors: dict[int, TensorHeader]) -> "list[_Step]":
        depth, length = self.depth + 1, self.length + 1
        inside = 1 if self.tensor else self.inside and self.inside + 1
        return [
            _Step(node, tensors.get(id(node)), part, self, depth, length + len(part), inside)
            for part, node in _members(self.node, is_tensor=self.tensor is not None)
        ]

    @property
    def key(self) -> str:
        return ".".join(self.parts)

    @property
    def parts(self) -> list[str]:
        parts = []
        step: _Step | None = self
        while step is not None and step.before is not None:
            parts.append(step.part)
            step = step.before
        return parts[::-1]


def list_contents(root: Node, name: str) -> Contents:
    """List the tensors and other values below the outermost object of a pickle.

    Args:
        root: That object.
        name: How messages call the pickle.

    Raises:
        SegcliError: Where it is nested deeper, or its keys are longer, than any checkpoint's.
    """
    tensors: list[TensorHeader] = []
    other: list[OtherValue] = []
    for entry in list_entries(root, name):
        if entry.tensor:
            tensors.append(entry.tensor)
        elif entry.same_as is not None:
            other.append(OtherValue(entry.key, type_name(entry.node), f"the same object as {entry.same_as}"))
        else:
            other.append(_other(entry.key, entry.node))
    return Contents(tuple(tensors), tuple(other))


def list_entries(root: Node, name: str) -> Iterator[Entry]:
    """Yield what `list_contents` lists, with the nodes themselves.

    Raises:
        SegcliError: As `list_contents`.
    """
    tensors = _tensors(root)
    holding = tensors.holding
    first_key: dict[int, str] = {}
    for step in _steps(root, tensors, name):
        node, key = step.node, step.key
        if step.tensor:
            yield Entry(key, node, tensor=step.tensor.under(key), way=step)
        elif id(node) in first_key:
            yield Entry(key, node, same_as=first_key[id(node)])
        elif step.inside:
            # Of a DTensor's mesh and placements one line is enough.
            if step.inside == 1:
                yield Entry(key, node)
        elif is_module(node) or (id(node) not in holding and not step.is_opened):
            yield Entry(key, node)
        if id(node) in holding:
            first_key.setdefault(id(node), key or "the whole")


def _steps(root: Node, tensors: "_Tensors", name: str) -> Iterator[_Step]:
    """Walk the tree in its own order, below an object that has tensors only the first time that it is reached."""
    seen: set[int] = set()
    characters = 0
    steps = [_Step(root, tensors.headers.get(id(root)))]
    while steps:
        step = steps.pop()
        characters += step.length
        if step.depth > MAX_DEPTH or characters > MAX_KEY_CHARACTERS:
            message = f"{name} is nested more than {MAX_DEPTH:,} levels deep, or its keys are too long to list"
            raise SegcliError(message, hint="no checkpoint needs as much: do not load this file")
        yield step
        if (id(step.node) in tensors.holding or step.before is None) and id(step.node) not in seen:
            seen.add(id(step.node))
            steps += reversed(step.below(tensors.headers))


def holders(root: Node) -> set[int]:
    """Return the ids of the nodes from which a tensor can be reached, the tensors among them."""
    return _tensors(root).holding


@dataclass(frozen=True)
class _Tensors:
    """The tensors below an object by the ids of their nodes, and the ids of all from which one can be reached."""

    headers: dict[int, TensorHeader]
    holding: set[int]


def _tensors(root: Node) -> _Tensors:
    parents: dict[int, list[Node]] = {id(root): []}
    headers: dict[int, TensorHeader] = {}
    found: list[Node] = []
    nodes = [root]
    while nodes:
        node = nodes.pop()
        header = rebuilt_tensor(node)
        if header:
            headers[id(node)] = header
            found.append(node)
        for _, below in _members(node, is_tensor=header is not None):
            if isinstance(below, Group | Mapping | Call | Storage):
                if id(below) in parents:
                    parents[id(below)].append(node)
                else:
                    parents[id(below)] = [node]
                    nodes.append(below)
    holding: set[int] = set()
    while found:
        node = found.pop()
        if id(node) not in holding:
            holding.add(id(node))
            found += parents[id(node)]
    return _Tensors(headers, holding)


def members(node: Node) -> list[tuple[str, Node]]:
    """Return what is right below an object, each with the part that it adds to the key."""
    return _members(node, is_tensor=rebuilt_tensor(node) is not None)


def _members(node: Node, *, is_tensor: bool) -> list[tuple[str, Node]]:
    if is_tensor:
        state = attached(node)
        # The attributes of a class with slots: its dict, and its slots.
        parts = state.items if isinstance(state, Group) and state.kind == "tuple" else [state]
        return [pair for part in parts if isinstance(part, Mapping) for pair in _named(part.pairs)]
    match node:
        case Group():
            return _numbered(node.items)
        case Mapping():
            return _named(node.pairs)
        case Call():
            return [*_numbered(node.arguments), *_numbered(node.items), *_named(node.pairs), *_attributes(node)]
    return []


def _numbered(items: list[Node]) -> list[tuple[str, Node]]:
    return [(str(index), item) for index, item in enumerate(items)]


def _named(pairs: list[tuple[Node, Node]]) -> list[tuple[str, Node]]:
    return [(key.decoded() if isinstance(key, Text) else preview(key), value) for key, value in pairs]


def _attributes(call: Call) -> Iterator[tuple[str, Node]]:
    for state in call.state:
        # A class with slots has a tuple of two: its dict, and its slots.
        for part in state.items if isinstance(state, Group) else [state]:
            if isinstance(part, Mapping):
                yield from _without_module_members(part)
            elif part is not None:
                yield "state", part


def _without_module_members(state: Mapping) -> Iterator[tuple[str, Node]]:
    is_module = _keeps_module_members(state)
    for name, value in _named(state.pairs):
        if is_module and name in _MODULE_MEMBERS:
            yield from members(value)
        else:
            yield name, value


def is_module(node: Node) -> bool:
    """Say whether a node stands for a module saved whole."""
    return isinstance(node, Call) and any(_keeps_module_members(state) for state in node.state)


def _keeps_module_members(state: Node) -> bool:
    if not isinstance(state, Mapping):
        return False
    return {key.decoded() for key, _ in state.pairs if isinstance(key, Text)}.issuperset(_MODULE_MEMBERS)


def _other(key: str, node: Node) -> OtherValue:
    match node:
        case bool() | float() | None:
            return OtherValue(key, type_name(node), node)
        case int() if node.bit_length() < 64:  # noqa: PLR2004 - what every reader of JSON holds
            return OtherValue(key, "int", node)
        case Text(value=str() as text) if len(text) <= _LONGEST_WHOLE_TEXT:
            return OtherValue(key, "str", text)
    return OtherValue(key, type_name(node), preview(node))
