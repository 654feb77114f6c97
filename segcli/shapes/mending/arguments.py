"""Mends numbers, flags and modes that are given to a function or an index."""

import re
from collections.abc import Iterator

from segcli.shapes.mending.fault import Fault, method_call, operands
from segcli.shapes.rewriting.tree import children
from segcli.shapes.text.nodes import Argument, Constant, Node, Operator, Sequence, Text

# By the number of axes: how what lies between is found, behind the batch and the channels; how many axes a picture has.
_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}
_SPATIAL = {1: 1, 2: 2, 3: 2, 4: 2, 5: 3}


def whole(fault: Fault) -> Iterator[str]:
    """Divide with ``//``, or leave out the ``.0``: sizes and positions are whole numbers."""
    nodes = list(_within(fault))
    marks = [node.mark_span for node in nodes if isinstance(node, Operator) and node.mark == "/"]
    if marks:
        yield fault.with_texts(dict.fromkeys(marks, "//"))
    numbers = [(node, node.value) for node in nodes if isinstance(node, Constant)]
    texts = {node.span: str(int(value)) for node, value in numbers if isinstance(value, float) and value.is_integer()}
    if texts:
        yield fault.with_texts(texts)


def _within(fault: Fault) -> Iterator[Node]:
    """Go through the nodes of the token at fault."""
    waiting = list(fault.nodes[:1])
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        yield node


def flag(fault: Fault) -> Iterator[str]:
    """Write ``True`` or ``False`` for 1 or 0."""
    meant = {"0": "False", "1": "True"}.get(fault.error.token)
    if meant:
        yield fault.with_text((fault.error.start, fault.error.end), meant)


def half_padding(fault: Fault) -> Iterator[str]:
    """Pad by half of the kernel, which is the most."""
    for found in re.finditer(r"kernel_size=(\d+)", fault.error.message):
        yield fault.with_text((fault.error.start, fault.error.end), str(int(found[1]) // 2))


def every_side(fault: Fault) -> Iterator[str]:
    """Pad a picture at every side by the number that is given."""
    for node in operands(fault)[:1]:
        axes = _SPATIAL.get(len(fault.shape(node) or ()))
        sides = ", ".join([fault.error.token] * 2 * (axes or 0))
        if sides:
            yield fault.with_text((fault.error.start, fault.error.end), f"({sides})")


def fitting_mode(fault: Fault) -> Iterator[str]:
    """Interpolate in the way that is there for so many axes."""
    for call, node in [(call, node) for call in fault.calls() for node in operands(fault)[:1]]:
        mode = _MODES.get(len(fault.shape(node) or ()), "")
        given = [argument.node for argument in call.arguments if isinstance(argument.node, Text)]
        place, text = (given[0].span, f"'{mode}'") if given else ((call.span[1] - 1,) * 2, f", mode='{mode}'")
        yield fault.with_text(place, text)


def one_of_two(fault: Fault) -> Iterator[str]:
    """Leave out one of two arguments that say the same."""
    for call in fault.calls():
        for before, argument in zip(call.arguments, call.arguments[1:], strict=False):
            yield fault.with_text((before.span[1], argument.span[1]), "")


def one_list(fault: Fault) -> Iterator[str]:
    """Join the tensors, which are given one by one, in a list."""
    for call, _ in method_call(fault):
        given = [argument for argument in call.arguments if _is_tensor(fault, argument)]
        for first in given[:1]:
            place = (first.span[0], given[-1].span[1])
            yield fault.with_text(place, f"[{fault.expr[slice(*place)]}]")


def _is_tensor(fault: Fault, argument: Argument) -> bool:
    return not argument.keyword and fault.tensor(argument.node) is not None


def swapped(fault: Fault) -> Iterator[str]:
    """Give a loss the scores first, and then the labels."""
    for one, other in [operands(fault)[:2]] if len(operands(fault)) > 1 else []:
        yield fault.with_texts({one.span: fault.text(other), other.span: fault.text(one)})


def expanded(fault: Fault) -> Iterator[str]:
    """Repeat the labels along the axes of the scores."""
    for one, other in [operands(fault)[:2]] if len(operands(fault)) > 1 else []:
        yield fault.with_text(other.span, f"{fault.primary(other)}.expand_as({fault.text(one)})")


def one_ellipsis(fault: Fault) -> Iterator[str]:
    """Leave out every ``...`` but the first: each goes over all axes that no index takes."""
    for subscript in fault.subscripts():
        items = subscript.index.items if isinstance(subscript.index, Sequence) and subscript.index.is_tuple else ()
        dots = [item for item in items if isinstance(item, Constant) and item.value == "..."]
        kept = [fault.text(item) for item in items if item not in dots[1:]]
        if len(dots) > 1:
            yield fault.with_text(subscript.index.span, ", ".join(kept))
