"""Does what an expression says with a machine that is handed in: each operation of our own tree is one call of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from segcli.errors import SegcliError
from segcli.shapes.operations import CONSTANTS, find_space
from segcli.shapes.python_functions import FUNCTIONS
from segcli.shapes.records import record
from segcli.shapes.text.nodes import (
    Assign,
    Attribute,
    Call,
    Constant,
    Name,
    Node,
    Operator,
    Slice,
    Starred,
    Subscript,
    Text,
)
from segcli.shapes.text.nodes import Sequence as Items


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

    def call(self, space: str, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any], device: str) -> Any:  # noqa: ANN401 - as above
        """Run an operation of a space: ``method``, ``attribute``, ``torch``, ``functional``, ``nn`` or ``operator``."""

    def dtype(self, name: str) -> Any:  # noqa: ANN401 - a dtype of the machine
        """Return a dtype by its name."""

    def facts(self, result: Any, sources: Sequence[Any]) -> list[tuple[tuple[int, ...], str, bool]]:  # noqa: ANN401 - as above
        """Return shape, dtype and whether storage is shared, of each tensor of a result; nothing for what is none."""


@record(frozen=True, slots=True)
class Walk:
    """Does the operations of a tree, from the inside out."""

    names: Mapping[str, Any]
    machine: Machine
    device: str = "cpu"

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
            case Text(value):
                return value
            case Items(items, is_tuple):
                made = self._items(items)
                return tuple(made) if is_tuple else made
            case Starred(several):
                return self.value(several)
            case Slice(bounds):
                return slice(*(self.value(bound) for bound in bounds))
            case _:
                return self._done(node)

    def _done(self, node: Subscript | Attribute | Operator | Assign | Call) -> Any:  # noqa: ANN401 - as above
        match node:
            case Subscript(base, index):
                return self.machine.index(self.value(base), self.value(index))
            case Attribute():
                return self._attribute(node)
            case Operator(mark, operands):
                values = [self.value(operand) for operand in operands]
                return self._run("operator", mark if len(values) > 1 else f"unary_{mark}", values)
            case Assign():
                return self._assigned(node)
            case _:
                positional = self._items(argument.node for argument in node.arguments if not argument.keyword)
                keywords = {each.keyword: self.value(each.node) for each in node.arguments if each.keyword}
                return self._called(node.function, positional, keywords)

    def _items(self, nodes: Iterable[Node]) -> list[Any]:
        made: list[Any] = []
        for node in nodes:
            made += self.value(node) if isinstance(node, Starred) else [self.value(node)]
        return made

    def _assigned(self, node: Assign) -> Any:  # noqa: ANN401 - as above
        if isinstance(node.target, Subscript) and not node.mark:
            given, base = self.value(node.value), self.value(node.target.base)
            return self._run("operator", "[]=", [base, self.value(node.target.index), given])
        if not isinstance(node.target, Subscript):
            return self._run("operator", f"{node.mark}=", [self.value(node.target), self.value(node.value)])
        base, index = self.value(node.target.base), self.value(node.target.index)
        # An index that raises does so before the value.
        self.machine.index(base, index)
        return self._run("operator", f"[]{node.mark}=", [base, index, self.value(node.value)])

    def _run(self, space: str, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - as above
        return self.machine.call(space, name, arguments, keywords or {}, self.device)

    def _attribute(self, node: Attribute) -> Any:  # noqa: ANN401 - as above
        if self._space(node.base) in ("torch", "math") and node.name in CONSTANTS:
            return CONSTANTS[node.name]
        if self._space(node.base) == "torch":
            return self.machine.dtype(node.name)
        base = self.value(node.base)
        if node.name in ("values", "indices"):
            return self.machine.index(base, int(node.name == "indices"))
        return self._run("attribute", node.name, [base])

    def _called(self, function: Node, arguments: list[Any], keywords: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        match function:
            case Name("slice") if "slice" not in self.names:
                return slice(*arguments)
            case Name(name) if name in FUNCTIONS and name not in self.names:
                return FUNCTIONS[name](*arguments)
            case Call():
                return self._run("layer", "", [self.value(function), *arguments], keywords)
            case Attribute(base, name):
                space = self._space(base)
                if space == "math":
                    return FUNCTIONS[f"math.{name}"](*arguments)
                if space is None:
                    return self._run("method", name, [self.value(base), *arguments], keywords)
                return self._run(space, name, arguments, keywords)
            case _:
                message = "a function without a tensor is not run"
                raise SegcliError(message)

    def _space(self, node: Node) -> str | None:
        return find_space(node, self.names)
