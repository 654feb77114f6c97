"""The tree of an expression, step by step: what stands below a node, and a node with other nodes below it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from segcli.shapes.operations import find_space
from segcli.shapes.text.nodes import (
    Assign,
    Attribute,
    Call,
    Node,
    Operator,
    Sequence,
    Slice,
    Starred,
    Subscript,
)
from segcli.shapes.values import Value


def is_step(node: Node, bound: Mapping[str, Value]) -> bool:
    """Tell whether a node is an operation that has a result of its own."""
    match node:
        case Subscript() | Operator() | Assign():
            return True
        case Attribute(base):
            return find_space(node, bound) is None and find_space(base, bound) is None
        case Call(Attribute(base)):
            return find_space(base, bound) not in ("nn", "math")
        case Call(Call()):
            return True
        case _:
            return False


def with_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with other nodes below it."""
    changed = _CHANGED.get(type(node))
    return node if changed is None else changed(node, change)


def _slice(node: Slice, change: Callable[[Node], Node]) -> Node:
    start, stop, step = (bound and change(bound) for bound in node.bounds)
    return replace(node, bounds=(start, stop, step))


def _call(node: Call, change: Callable[[Node], Node]) -> Node:
    # What is called has no value: its owner has, and the layers that are made are left alone.
    function = node.function
    if isinstance(function, Attribute):
        function = replace(function, base=change(function.base))
    given = tuple(replace(argument, node=change(argument.node)) for argument in node.arguments)
    return replace(node, function=function, arguments=given)


def _assign(node: Assign, change: Callable[[Node], Node]) -> Node:
    value, target = change(node.value), node.target
    if isinstance(target, Subscript):
        # What is assigned to is a place: it is not taken out first.
        target = replace(target, base=change(target.base), index=change(target.index))
    return replace(node, target=target, value=value)


_CHANGED: dict[type, Callable[..., Node]] = {
    Sequence: lambda node, change: replace(node, items=tuple(change(item) for item in node.items)),
    Slice: _slice,
    Subscript: lambda node, change: replace(node, base=change(node.base), index=change(node.index)),
    Attribute: lambda node, change: replace(node, base=change(node.base)),
    Call: _call,
    Operator: lambda node, change: replace(node, operands=tuple(change(operand) for operand in node.operands)),
    Starred: lambda node, change: replace(node, value=change(node.value)),
    Assign: _assign,
}


def below(node: Node) -> Iterable[Node]:
    """Return the nodes below a node, in the order in which they are done."""
    found = _BELOW.get(type(node))
    return () if found is None else found(node)


def _below_assigned(node: Assign) -> tuple[Node, ...]:
    target = node.target
    return (node.value, target.base, target.index) if isinstance(target, Subscript) else (node.value,)


def _below_call(node: Call) -> list[Node]:
    first = [node.function.base] if isinstance(node.function, Attribute) else []
    return [*first, *(argument.node for argument in node.arguments)]


_BELOW: dict[type, Callable[..., Iterable[Node]]] = {
    Sequence: lambda node: node.items,
    Slice: lambda node: [bound for bound in node.bounds if bound is not None],
    Subscript: lambda node: (node.base, node.index),
    Attribute: lambda node: (node.base,),
    Call: _below_call,
    Operator: lambda node: node.operands,
    Starred: lambda node: (node.value,),
    Assign: _below_assigned,
}


def children(node: Node) -> list[Node]:
    """Return the nodes below a node, in the order in which they stand."""
    return sorted(below(node), key=lambda child: child.span)
