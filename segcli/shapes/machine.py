"""Does what an expression says with a machine that is handed in: each operation of our own tree is one call of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from segcli.errors import SegcliError
from segcli.shapes.nodes import Attribute, Call, Constant, Name, Node, Slice, Subscript
from segcli.shapes.nodes import Sequence as Items


class Machine(Protocol):
    """What does the operations; ``segcli.tensorrun`` has one of torch."""

    version: str

    def make(
        self,
        shape: Sequence[int],
        dtype: str,
        *,
        values: Sequence[float] | None = None,
        true_count: int = 0,
        device: str = "cpu",
    ) -> Any:  # noqa: ANN401 - a tensor of the machine
        """Make a tensor."""

    def index(self, tensor: Any, index: Any) -> Any:  # noqa: ANN401 - as above
        """Index a tensor."""

    def call(self, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any], *, method: bool = True) -> Any:  # noqa: ANN401 - as above
        """Run an operation."""

    def facts(self, result: Any, sources: Sequence[Any]) -> list[tuple[tuple[int, ...], str, bool]]:  # noqa: ANN401 - as above
        """Return shape, dtype and whether storage is shared, of each result."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Does the operations of a tree, from the inside out."""

    names: Mapping[str, Any]
    machine: Machine

    def value(self, node: Node | None) -> Any:  # noqa: ANN401, PLR0911 - a tensor or a plain value; a kind, a return
        """Do what a node says.

        Raises:
            SegcliError: Where the machine does not do that. Of its own, whatever the library raises.
        """
        match node:
            case None:
                return None
            case Name(name):
                return self.names[name]
            case Constant(value):
                return ... if value == "..." else value
            case Items(items, is_tuple):
                made = [self.value(item) for item in items]
                return tuple(made) if is_tuple else made
            case Slice(bounds):
                return slice(*(self.value(bound) for bound in bounds))
            case Subscript(base, index):
                return self.machine.index(self.value(base), self.value(index))
            case Attribute(base, "values" | "indices" as name):
                return self.machine.index(self.value(base), int(name == "indices"))
            case Call(function, arguments):
                keywords = {argument.keyword: self.value(argument.node) for argument in arguments if argument.keyword}
                return self._called(
                    function, [self.value(argument.node) for argument in arguments if not argument.keyword], keywords
                )
            case _:
                message = f"{type(node).__name__.lower()} is not run"
                raise SegcliError(message)

    def _called(self, function: Node, arguments: list[Any], keywords: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        match function:
            case Name("slice") if "slice" not in self.names:
                return slice(*arguments)
            case Attribute(Name("torch"), name) if "torch" not in self.names:
                return self.machine.call(name, arguments, keywords, method=False)
            case Attribute(base, name):
                return self.machine.call(name, [self.value(base), *arguments], keywords)
            case _:
                message = "a function without a tensor is not run"
                raise SegcliError(message)
