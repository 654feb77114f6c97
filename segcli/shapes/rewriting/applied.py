"""A layer, or its function, that is applied to a tensor: what it is given."""

from collections.abc import Callable, Iterator, Mapping

from segcli.shapes.records import record
from segcli.shapes.rewriting.place import Place, as_primary
from segcli.shapes.text.nodes import Node, Text
from segcli.shapes.text.nodes import Sequence as Listed
from segcli.shapes.values import Tensor


@record(frozen=True, slots=True)
class Applied:
    """A layer, or its function, with the tensor that it is applied to.

    Attributes:
        place: Where it stands.
        node: The tensor's node.
        source: The tensor.
        given: The other arguments, by name.
    """

    place: Place
    node: Node
    source: Tensor
    given: Mapping[str, Node]

    @property
    def text(self) -> str:
        """The tensor's text, to be followed by a dot or a bracket."""
        return as_primary(self.place.text(self.node))

    def pair(self, name: str, default: int) -> tuple[int, int] | None:
        """Return one int for both axes of a picture, or one for each."""
        node = self.given.get(name)
        if node is None:
            return default, default
        values = [self.place.value(each) for each in (node.items if isinstance(node, Listed) else (node, node))]
        numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
        return (numbers[0], numbers[1]) if len(values) == len(numbers) == 2 else None  # noqa: PLR2004 - a pair

    def says(self, name: str, default: object) -> object:
        """Return a number or a text that is given, else the default."""
        node = self.given.get(name)
        if node is None:
            return default
        return node.value if isinstance(node, Text) else self.place.value(node)


Way = Callable[[Applied], Iterator[str]]
