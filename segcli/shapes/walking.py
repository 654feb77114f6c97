"""Goes down the tree of an expression: what the kinds of nodes need of one another."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from segcli.shapes.calls import Call, Layer, Operation, Rule
from segcli.shapes.computed import closing
from segcli.shapes.finish import finish
from segcli.shapes.operations import operation_of
from segcli.shapes.stages import Done, Evaluation
from segcli.shapes.text.nodes import Attribute, Constant, Name, Node, Operator, Sequence, Starred, Text
from segcli.shapes.text.nodes import Call as CallNode
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import Item, Symbol, Tensor, Value

LITERALS = (Constant, Sequence, Text)
NO_TENSOR = "expected a tensor here: a name, indexed or computed with"

# How each kind of node is evaluated; ``evaluate`` fills it in, since nodes of a kind hold nodes of any other. A table
# and no match: a batch comes through here a hundred thousand times a second.
VISITORS: dict[type, Callable[[Evaluation, Any], Value | Layer]] = {}


def visit(state: Evaluation, node: Node) -> Value | Layer:
    """Evaluate a node.

    Raises:
        RaisedError: As the library would raise.
        SegcliError: Where it uses what is not supported.
    """
    return VISITORS[type(node)](state, node)


def visit_value(state: Evaluation, node: Node) -> Value:
    """Evaluate what is no layer."""
    value = VISITORS[type(node)](state, node)
    if isinstance(value, Layer):
        hint = "apply it to a tensor: nn.Conv2d(3, 64, 3)(x)"
        raise refusal(state.expr, node.span, "a layer alone is no tensor", hint)
    return value


def read_item(state: Evaluation, node: Node) -> Item:
    """Evaluate what is no layer, and note down where it stands."""
    return Item(visit_value(state, node), state.text(node), node.span)


def read_tensor(state: Evaluation, node: Node) -> Item:
    """Evaluate what is indexed or asked for an attribute; a literal, or what is bound to one, is neither."""
    if isinstance(node, Name) and not isinstance(state.bindings[node.name], (Tensor, Symbol)):
        message = f"{node.name} is bound to a literal, expected a tensor here"
        hint = f"write {node.name}='tensor(...)', or a shape such as {node.name}=8,16"
        raise refusal(state.expr, node.span, message, hint)
    if isinstance(node, LITERALS):
        raise refusal(state.expr, node.span, NO_TENSOR)
    return read_item(state, node)


def read_items(
    state: Evaluation, nodes: Iterable[Node], read: Callable[[Evaluation, Node], Item] = read_item
) -> list[Item]:
    """Evaluate several, of which a star may unpack some."""
    items: list[Item] = []
    for node in nodes:
        if isinstance(node, Starred):
            from segcli.shapes.unpacking import unpack

            items += unpack(read_item(state, node.value), node.span)
        else:
            items.append(read(state, node))
    return items


def apply(state: Evaluation, name: str, arguments: list[tuple[str, Item]], node: Node) -> Value:
    """Apply an operator, such as ``+``."""
    return run(state, operation_of("operator", name), "operator", name, arguments, node)


def run(
    state: Evaluation, operation: Operation, space: str, name: str, arguments: list[tuple[str, Item]], node: Node
) -> Value:
    """Apply an operation that the library has."""
    call = make_call(state, space, name, arguments, node)
    if state.library.name == "torch":
        return finish(state, call, cast("Done", operation.torch(call)))
    if operation.read_as:
        state.read_as.setdefault(name, operation.read_as)
    return finish(state, call, cast("Done", cast("Rule", operation.numpy)(call)))


def make_call(state: Evaluation, space: str, name: str, arguments: list[tuple[str, Item]], node: Node) -> Call:
    """Return a call with its arguments, evaluated."""
    text = state.text(node)
    short = text
    if space == "method" and isinstance(node, CallNode) and isinstance(node.function, Attribute):
        short = state.expr[node.function.name_span[0] - 1 : node.span[1]]
    elif space == "attribute" and isinstance(node, Attribute):
        short = f".{name}"
    elif space == "operator" and isinstance(node, Operator):
        short = node.mark
        text = text if text.startswith("(") and closing(text, 0) == len(text) - 1 else f"({text})"
    return Call(name, space, tuple(arguments), node.span, short, text, len(state.stages))
