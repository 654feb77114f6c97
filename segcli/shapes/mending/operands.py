"""Mends what an operation works on: its axes, its dtype."""

from collections.abc import Iterator

from segcli.shapes.mending.fault import Fault, Mend, method_call, operands
from segcli.shapes.text.nodes import Assign, Attribute, Call, Constant, Node, Operator, Sequence, Slice

# More axes than that nobody adds by hand.
_MOST_NEW_AXES = 3
_PAIRS = ("max", "min", "median", "sort", "topk", "kthvalue")


def line_up(fault: Fault) -> Iterator[str]:
    """Give an operand new axes, so that its own meet those of the other."""
    for node in operands(fault, beyond=True)[::-1]:
        for count in range(1, _MOST_NEW_AXES + 1):
            yield fault.with_text(node.span, f"{fault.primary(node)}[..., {', '.join(['None'] * count)}]")
        # A batch, and then the channels that are not there.
        yield fault.with_text(node.span, f"{fault.primary(node)}[:, None]")


def turn(fault: Fault) -> Iterator[str]:
    """Turn the matrices of one operand, or make one of its axes of several."""
    nodes = operands(fault)[::-1]
    for node in nodes:
        yield fault.with_text(node.span, f"{fault.primary(node)}.mT")
    for node in nodes:
        yield fault.with_text(node.span, f"{fault.primary(node)}.flatten(2)")


def out_of_place(fault: Fault) -> Iterator[str]:
    """Make a new tensor of what does not fit where it would be changed."""
    for node in fault.nodes:
        if isinstance(node, Assign) and node.mark:
            yield fault.with_text(node.mark_span, node.mark)


def cloned(fault: Fault) -> Iterator[str]:
    """Copy what is written, where it shares memory with the place that it is written to."""
    for node in fault.nodes:
        if isinstance(node, Assign):
            yield fault.with_text(node.value.span, f"{fault.primary(node.value)}.clone()")


def as_matmul(fault: Fault) -> Iterator[str]:
    """Multiply by matmul, which takes tensors of any number of axes."""
    for _, function in method_call(fault):
        yield fault.with_text(function.name_span, "matmul")


def source_as(method: str) -> Mend:
    """Convert what a function works on."""

    def mend(fault: Fault) -> Iterator[str]:
        for node in operands(fault)[:1]:
            yield fault.with_text(node.span, f"{fault.primary(node)}.{method}")

    return mend


def target_as(method: str) -> Mend:
    """Convert the second tensor of a function, such as the labels of a loss."""

    def mend(fault: Fault) -> Iterator[str]:
        # The token at fault is the whole call, or the second tensor itself.
        for node in (*operands(fault)[1:2], *operands(fault, beyond=True)[1:2]):
            yield fault.with_text(node.span, f"{fault.primary(node)}.{method}")

    return mend


def any_as(method: str) -> Mend:
    """Convert one of a function's tensors, whichever it is, or all of them."""

    def mend(fault: Fault) -> Iterator[str]:
        for nodes in (operands(fault), operands(fault, beyond=True)):
            for node in nodes:
                yield fault.with_text(node.span, f"{fault.primary(node)}.{method}")
            yield fault.with_texts({node.span: f"{fault.primary(node)}.{method}" for node in nodes})

    return mend


def token_as(method: str) -> Mend:
    """Convert the token at fault."""

    def mend(fault: Fault) -> Iterator[str]:
        yield fault.with_text((fault.error.start, fault.error.end), f"{fault.error.token}.{method}()")

    return mend


def other_mark(fault: Fault) -> Iterator[str]:
    """Write what PyTorch has for masks: ^ for their difference, ~ for their opposite."""
    for node in fault.nodes:
        if isinstance(node, Operator):
            yield fault.with_text(node.mark_span, "^" if len(node.operands) > 1 else "~")


def values_of_pair(fault: Fault) -> Iterator[str]:
    """Take the values of what returned values and indices."""
    for node in (*fault.nodes, *operands(fault)):
        owner = [node.function.base] if isinstance(node, Call) and isinstance(node.function, Attribute) else []
        for pair in (node, *owner):
            if isinstance(pair, Call) and isinstance(pair.function, Attribute) and pair.function.name in _PAIRS:
                yield fault.with_text((pair.span[1],) * 2, ".values")


def as_list(fault: Fault) -> Iterator[str]:
    """Join the tensors of a list."""
    yield fault.with_text((fault.error.start, fault.error.end), f"[{fault.error.token}]")


def join_elsewhere(fault: Fault) -> Iterator[str]:
    """Join along another axis, or make the pictures of one size first."""
    for call, function in method_call(fault):
        yield from _joined(fault, [argument.node for argument in call.arguments], function)


def _joined(fault: Fault, nodes: list[Node], function: Attribute) -> Iterator[str]:
    listed, *others = nodes
    # What is stacked must be of one size; what is joined, along all axes but one.
    name = {function.name_span: "cat"} if function.name == "stack" else {}
    for dim in range(_MOST_NEW_AXES + 1):
        place, text = (others[0].span, f"{dim}") if others else ((listed.span[1],) * 2, f", dim={dim}")
        yield fault.with_texts({**name, place: text})
    items = listed.items if isinstance(listed, Sequence) else ()
    size = "".join(f"{fault.primary(item)}.shape[2:]" for item in items[:1])
    yield fault.with_texts({each.span: f"F.interpolate({fault.text(each)}, size={size})" for each in items[1:]})


def more_axes(fault: Fault) -> Iterator[str]:
    """Give what is joined as many axes as the others have."""
    lists = [argument.node for node in fault.nodes if isinstance(node, Call) for argument in node.arguments[:1]]
    items = [item for listed in lists if isinstance(listed, Sequence) for item in listed.items]
    for node in items:
        for new in ("[None]", "[..., None]"):
            yield fault.with_text(node.span, f"{fault.primary(node)}{new}")


def index_axes(fault: Fault) -> Iterator[str]:
    """Give the positions of gather and scatter the axis along which they look up."""
    for argument in [argument for call, _ in method_call(fault) for argument in call.arguments]:
        for dim in (1, -1, 0):
            yield fault.with_text(argument.node.span, f"{fault.primary(argument.node)}.unsqueeze({dim})")


def grid(fault: Fault) -> Iterator[str]:
    """Let two indices pair every one with every other."""
    for subscript in fault.subscripts():
        items = subscript.index.items if isinstance(subscript.index, Sequence) else ()
        for item in items:
            # Of a list, a number or a slice there is no index.
            if not isinstance(item, Constant | Sequence | Slice):
                yield fault.with_text(item.span, f"{fault.primary(item)}[:, None]")
