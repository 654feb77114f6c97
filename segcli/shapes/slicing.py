"""Evaluates slices."""

from segcli.shapes.stages import Evaluation
from segcli.shapes.text.nodes import Call as CallNode
from segcli.shapes.text.nodes import Node, Slice
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import INTEGER, RaisedError, Size, SliceBounds, Symbol, Tensor
from segcli.shapes.walking import visit_value

# A stride times a step must fit in an int64; no tensor has that many elements to step over.
_MAX_STEP = 2**31


def call_slice(state: Evaluation, node: CallNode, nodes: list[Node]) -> SliceBounds:
    """Evaluate ``slice(...)``."""
    if len(nodes) != len(node.arguments) or not 1 <= len(nodes) <= 3:  # noqa: PLR2004 - start, stop, step
        raise refusal(state.expr, node.span, "slice() takes one to three numbers")
    start, stop, step, *_ = [None, *nodes, None] if len(nodes) == 1 else [*nodes, None]
    return visit_slice(state, Slice((start, stop, step), node.span))


def visit_slice(state: Evaluation, node: Slice) -> SliceBounds:
    """Evaluate ``start:stop:step``."""
    start, stop, step = (None if bound is None else _bound(state, bound) for bound in node.bounds)
    if isinstance(step, str):
        message = f"the value of {step} is not known, and the size of a slice needs it"
        raise refusal(state.expr, node.span, message, "give that size a number")
    if step is not None and abs(step) >= _MAX_STEP:
        raise refusal(state.expr, node.span, f"a step of {step} is larger than 2^31 - 1")
    return SliceBounds(start, stop, step)


def _bound(state: Evaluation, node: Node) -> Size | None:
    state.depth += 1
    value = visit_value(state, node)
    state.depth -= 1
    if isinstance(value, Symbol):
        return value.size
    if isinstance(value, Tensor) and not value.shape and value.dtype in INTEGER:
        if value.values is None:
            message = f"the value of {state.text(node)} is not known, and the size of a slice needs it"
            raise refusal(state.expr, node.span, message, "bind it to a number, or to tensor(3)")
        return int(value.values[0])
    if isinstance(value, Tensor):
        raise refusal(state.expr, node.span, "a slice's bound must be a number")
    if value is None or isinstance(value, int):
        return None if value is None else int(value)
    words = "slice indices must be integers or None or have an __index__ method"
    raise RaisedError(node.span, "TypeError", words)
