"""An expression with the error that it raises, and what is known around the fault."""

from collections.abc import Callable, Iterator, Mapping

from segcli.shapes.evaluate import TORCH
from segcli.shapes.records import record
from segcli.shapes.result import Failure
from segcli.shapes.rewriting.asking import ask
from segcli.shapes.rewriting.place import as_primary
from segcli.shapes.stages import Evaluation
from segcli.shapes.text.nodes import (
    Argument,
    Assign,
    Attribute,
    Call,
    Name,
    Node,
    Operator,
    Sequence,
    Slice,
    Starred,
    Subscript,
)
from segcli.shapes.values import Shape, Span, Tensor, Value


@record(frozen=True, slots=True)
class Fault:
    """An expression with the error that it raises.

    Attributes:
        expr: The expression.
        tree: Its tree.
        error: What PyTorch raises.
        state: PyTorch's way through it, as far as it came.
        nodes: The nodes around the token at fault, the innermost first.
    """

    expr: str
    tree: Node
    error: Failure
    state: Evaluation
    nodes: tuple[Node, ...]

    def text(self, node: Node) -> str:
        """Return a node as written."""
        return self.expr[slice(*node.span)]

    def primary(self, node: Node) -> str:
        """Return a node as written, to be followed by a dot or a bracket."""
        return as_primary(self.text(node))

    def with_text(self, span: Span, text: str) -> str:
        """Return the expression with another text in a place."""
        return self.expr[: span[0]] + text + self.expr[span[1] :]

    def with_texts(self, texts: Mapping[Span, str]) -> str:
        """Return the expression with other texts in several places."""
        expr = self.expr
        for (start, end), text in sorted(texts.items(), reverse=True):
            expr = expr[:start] + text + expr[end:]
        return expr

    def subscripts(self) -> list[Subscript]:
        """Return the innermost index around the fault, if there is one."""
        return [node for node in self.nodes if isinstance(node, Subscript)][:1]

    def calls(self) -> list[Call]:
        """Return the innermost call around the fault, if there is one."""
        return [node for node in self.nodes if isinstance(node, Call)][:1]

    def shape(self, node: Node) -> Shape | None:
        """Return the shape of the tensor at a node, None where there is none."""
        tensor = self.tensor(node)
        return None if tensor is None else tensor.shape

    def tensor(self, node: Node) -> Tensor | None:
        """Return the tensor at a node, None where there is none."""
        value = self.value(node)
        return value if isinstance(value, Tensor) else None

    def value(self, node: Node) -> Value:
        """Return what a node stands for, None where that is not known."""
        if isinstance(node, Name):
            return self.state.bindings.get(node.name)
        text = self.text(node)
        told = next((stage.result for stage in self.state.stages if stage.text == text), None)
        return ask(self.expr, node, self.state.bindings, TORCH).result if told is None else told


Mend = Callable[[Fault], Iterator[str]]


def around(tree: Node, span: Span) -> list[Node]:
    """Return the nodes that hold a place, the innermost first."""
    found: list[Node] = []
    node: Node | None = tree
    while node is not None:
        found.insert(0, node)
        inside = [child for child in _children(node) if child.span[0] <= span[0] and span[1] <= child.span[1]]
        node = inside[0] if inside else None
    return found


def _children(node: Node) -> list[Node]:  # noqa: PLR0911 - a kind, a return
    match node:
        case Sequence(items):
            return list(items)
        case Slice(bounds):
            return [bound for bound in bounds if bound is not None]
        case Subscript(base, index):
            return [base, index]
        case Attribute(base) | Starred(base):
            return [base]
        case Call(function, arguments):
            return [function, *(argument.node for argument in arguments)]
        case Operator(_, operands):
            return list(operands)
        case Assign(target, value):
            return [target, value]
        case _:
            return []


def operands(fault: Fault, *, beyond: bool = False) -> list[Node]:
    """Return what the operation at fault works on; ``beyond`` where the token at fault is one of its operands."""
    at_fault = (fault.error.start, fault.error.end)
    found = (_inputs(fault, node) for node in fault.nodes if not beyond or node.span != at_fault)
    return next(filter(None, found), [])


def _inputs(fault: Fault, node: Node) -> list[Node]:
    """Return what a node works on, nothing for what is no operation of tensors."""
    match node:
        case Assign(_, value):
            return [value]
        case Operator(_, given):
            return list(given)
        case Call(Attribute(base, _), arguments):
            tensors = [argument.node for argument in arguments if _may_be_tensor(argument)]
            return tensors if is_module(fault, base) else [base, *tensors]
        case Call(Call(), arguments):
            return [argument.node for argument in arguments]
        case _:
            return []


def is_module(fault: Fault, node: Node) -> bool:
    """Tell whether a node names a module of PyTorch."""
    return fault.text(node) in ("torch", "F", "nn", "torch.nn.functional", "nn.functional")


def _may_be_tensor(argument: Argument) -> bool:
    return not argument.keyword or argument.keyword in ("input", "other", "target", "weight")


def method_call(fault: Fault) -> list[tuple[Call, Attribute]]:
    """Return the innermost call around the fault, if it is one of a method or a function."""
    return [(call, call.function) for call in fault.calls() if isinstance(call.function, Attribute)]
