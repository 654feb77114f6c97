"""A step that is to be written in another way: its texts, and what is known of what they stand for."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from segcli.shapes.computed import closing
from segcli.shapes.evaluate import TORCH
from segcli.shapes.operations import find_space
from segcli.shapes.records import record
from segcli.shapes.rewriting.asking import ask
from segcli.shapes.rewriting.steps import Survey, stand_in
from segcli.shapes.rewriting.tree import below, children
from segcli.shapes.text.nodes import Argument, Attribute, Call, Constant, Name, Node, Operator, Sequence, Subscript
from segcli.shapes.values import Parts, Shape, Size, Tensor, Value

# The numbers that a node stands for, where it is a number or several.
Number = int | float | bool | None


class Sure(str):  # noqa: SLOT000 - what it is, and the names beside it
    """A proposal of a kind that fits whatever the sizes are, where the tensor is plain: it needs no check.

    Attributes:
        names: The operations in it that NumPy calls by another name.
    """

    names: tuple[str, ...] = ()


# A proposal: a text, or one for each of several results.
Proposal = str | tuple[str, ...]

CASTS = {
    "bool": "bool",
    "uint8": "byte",
    "int8": "char",
    "int16": "short",
    "int32": "int",
    "int64": "long",
    "float16": "half",
    "float32": "float",
    "float64": "double",
}

# A cut into more has no rewrite.
_MOST_PARTS = 32


@record(frozen=True, slots=True)
class Place:
    """A step, with the texts that were chosen for the steps below it.

    Attributes:
        found: The expression, and what PyTorch gives at its nodes.
        node: The step.
        chosen: The text of each step that was written anew, by its node's identity.
    """

    found: Survey
    node: Node
    chosen: Mapping[int, str] = field(default_factory=dict)

    def text(self, node: Node) -> str:
        """Write a node with what was chosen for the steps below it."""
        if id(node) in self.chosen:
            return self.chosen[id(node)]
        written, end = "", node.span[0]
        for child in children(node):
            text = self.text(child)
            changed = text != self.found.expr[slice(*child.span)]
            binds = isinstance(node, Operator | Attribute | Subscript | Call) and not _is_inside(node, child)
            written += self.found.expr[end : child.span[0]] + (as_primary(text) if changed and binds else text)
            end = child.span[1]
        return written + self.found.expr[end : node.span[1]]

    def value(self, node: Node) -> Value:
        """Return what PyTorch gives at a node, None where that is not known."""
        if isinstance(node, Name):
            return self.found.bindings.get(node.name)
        if isinstance(node, Constant):
            return None if isinstance(node.value, str) else node.value
        known = self.found.values.get(id(node))
        if known is None and isinstance(node, Call | Attribute):
            # No step, such as float('inf') and torch.pi.
            return ask(self.found.expr, stand_in(self.found, node), self.found.bindings, TORCH).result
        return known

    def tensor(self, node: Node) -> Tensor | None:
        """Return the tensor that stands at a node, if one does."""
        value = self.value(node)
        return value if isinstance(value, Tensor) else None

    def texts(self) -> dict[str, str]:
        """Return the names that stand for what is done before the step, by its text here."""
        stands: dict[str, str] = {}
        self._note(self.node, stands)
        return stands

    def _note(self, node: Node, stands: dict[str, str]) -> None:
        for child in below(node):
            stand = self.found.stands.get(id(child))
            if stand is None:
                self._note(child, stands)
            else:
                stands[without_brackets(self.text(child))] = stand.name

    @property
    def result(self) -> Value:
        """What PyTorch gives at the step."""
        return self.found.values.get(id(self.node))


@record(frozen=True, slots=True)
class Called:
    """A call of an operation that works on a tensor first, as a method or as a function.

    Attributes:
        place: Where it stands.
        name: The operation.
        space: Where its name stands.
        node: What it works on.
        source: The tensor there.
        arguments: What else it is given.
    """

    place: Place
    name: str
    space: str
    node: Node
    source: Tensor
    arguments: tuple[Argument, ...]

    @property
    def owner(self) -> str:
        """The text of what it works on, to be followed by a dot or a bracket."""
        return as_primary(self.place.text(self.node))

    @property
    def bare(self) -> str:
        """The text of what it works on, to stand between brackets."""
        return self.place.text(self.node)

    def node_of(self, position: int, keyword: str) -> Node | None:
        """Return an argument, by its position behind the tensor or its keyword."""
        positional = [argument.node for argument in self.arguments if not argument.keyword]
        if position < len(positional):
            return positional[position]
        return next((argument.node for argument in self.arguments if argument.keyword == keyword), None)

    def text_of(self, position: int, keyword: str, default: str = "") -> str:
        """Return the text of an argument."""
        node = self.node_of(position, keyword)
        return default if node is None else self.place.text(node)

    def number(self, position: int, keyword: str, default: Number = None) -> Number:
        """Return an argument that is a number."""
        node = self.node_of(position, keyword)
        return default if node is None else _number(self.place.value(node))

    def numbers(self, position: int, keyword: str) -> tuple[int, ...] | None:
        """Return an argument that is one int or several."""
        node = self.node_of(position, keyword)
        return None if node is None else _integers(self.place, node)

    def rest(self) -> tuple[int, ...] | None:
        """Return the ints that stand by themselves, or in one tuple."""
        positional = [argument.node for argument in self.arguments if not argument.keyword]
        if len(positional) == 1:
            return _integers(self.place, positional[0])
        return _several(self.place, positional)

    def size(self, axis: int) -> str:
        """Write the size of an axis: asked of a short name, else as a number, so that no long text stands twice."""
        size: Size = self.source.shape[axis] if self.source.shape else 1
        asked = f"{self.owner}.shape[{axis}]"
        return asked if isinstance(size, str) or self.owner.isidentifier() else str(size)

    def axis(self, position: int = 0, keyword: str = "dim", default: int = 0) -> int:
        """Return a dim, counted from the front; PyTorch took it, so that it is one."""
        return int(self.number(position, keyword, default) or 0) % max(len(self.source.shape), 1)

    @property
    def given_shape(self) -> Shape:
        """The shape of what it gives."""
        result = self.place.result
        return result.shape if isinstance(result, Tensor) else ()

    def at(self, axis: int, index: str) -> str:
        """Write an index of one axis."""
        return "[" + ":, " * axis + index + "]"


def _number(value: Value) -> Number:
    """Return a number, which may stand in a 0-d tensor."""
    if isinstance(value, Tensor) and value.values is not None:
        return value.values[0]
    return value if isinstance(value, int | float) else None


def _integers(place: Place, node: Node) -> tuple[int, ...] | None:
    value = place.value(node)
    if isinstance(value, int):
        return (int(value),)
    return _several(place, node.items) if isinstance(node, Sequence) else None


def _several(place: Place, nodes: "list[Node] | tuple[Node, ...]") -> tuple[int, ...] | None:
    values = [place.value(node) for node in nodes]
    known = tuple(int(value) for value in values if isinstance(value, int))
    return known if len(known) == len(values) else None


def read_call(place: Place, node: Node) -> Called | None:
    """Read a call of a method or a function that works on a tensor; None for any other node."""
    if not isinstance(node, Call) or not isinstance(node.function, Attribute):
        return None
    function, arguments = node.function, node.arguments
    space = find_space(function.base, place.found.bindings)
    owner: Node | None = function.base
    if space is not None:
        first = next((argument for argument in arguments if argument.keyword in ("", "input")), None)
        owner = None if first is None else first.node
        arguments = tuple(argument for argument in arguments if argument is not first)
    source = None if owner is None else place.tensor(owner)
    if owner is None or source is None:
        return None
    return Called(place, function.name, space or "method", owner, source, arguments)


def _is_inside(node: Node, child: Node) -> bool:
    """Tell whether a child stands between brackets of its own, where an operator needs no others."""
    match node:
        case Subscript(base):
            return child is not base
        case Call(Attribute(base)):
            return child is not base
        case Call():
            return True
        case _:
            return False


def as_primary(text: str) -> str:
    """Put brackets around a text that a dot or a bracket may not follow.

    Examples:
        >>> as_primary("x + y"), as_primary("(x + y)"), as_primary("x[i + 1].sum(-1)"), as_primary("(a) + (b)")
        ('(x + y)', '(x + y)', 'x[i + 1].sum(-1)', '((a) + (b))')
    """
    depth = 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if not depth and char in "+-*/%@<>=!&|^~ ":
            return f"({text})"
    return text


def without_brackets(text: str) -> str:
    """Take off the brackets around the whole of a text.

    Examples:
        >>> without_brackets("(x + y)"), without_brackets("(a) + (b)")
        ('x + y', '(a) + (b)')
    """
    return text[1:-1] if text.startswith("(") and closing(text, 0) == len(text) - 1 else text


def parts_of(value: Value) -> Iterator[Tensor]:
    """Go through the tensors of several, where their number is known, and a line of code has room for as many."""
    if isinstance(value, Parts) and isinstance(value.count, int) and value.count <= _MOST_PARTS:
        yield from value.tensors() or []


def is_plain(tensor: Tensor) -> bool:
    """Tell whether a tensor has axes, none of which is empty, and a dtype that both libraries compute in."""
    return tensor.dtype in ("float32", "float64") and bool(tensor.shape) and 0 not in tensor.shape


def are_known(shape: Shape) -> bool:
    """Tell whether every size is a number, and none is 0."""
    return all(isinstance(size, int) and size for size in shape)


def sure_if(known: bool, text: str, *names: str) -> str:  # noqa: FBT001 - it reads as it is said
    """Propose a text that needs no check where something is known.

    Args:
        known: Whether it is.
        text: The proposal.
        names: The operations in it that NumPy calls by another name.
    """
    if not known:
        return text
    sure = Sure(text)
    sure.names = names
    return sure
