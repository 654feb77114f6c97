"""Mends what layers, losses and their functions are given."""

import re
from collections.abc import Iterator

from segcli.shapes.mending.fault import Fault, operands
from segcli.shapes.text.nodes import Argument, Attribute, Call, Node, Sequence
from segcli.shapes.values import Shape


def _maker(fault: Fault) -> Call | None:
    """Return the call that makes the layer at fault."""
    for node in fault.nodes:
        if isinstance(node, Call) and isinstance(node.function, Call):
            return node.function
    return next((node for node in fault.nodes if isinstance(node, Call)), None)


def _sources(fault: Fault) -> list[Node]:
    """Return what a layer or its function is applied to, wherever in its call the fault is."""
    applied = [node for node in fault.nodes if isinstance(node, Call) and isinstance(node.function, Call)]
    return [argument.node for node in applied for argument in node.arguments] or operands(fault)


def wider_layer(fault: Fault) -> Iterator[str]:
    """Make a layer for as many channels or features as the tensor has."""
    pattern = r"channels, but got (\d+) channels|\(\d+x(\d+) and \d+x\d+\)|should contain (\d+) elements"
    found = re.search(pattern, fault.error.message)
    maker = _maker(fault)
    if not found or maker is None:
        return
    for argument in maker.arguments[:1]:
        if not argument.keyword:
            yield fault.with_text(argument.node.span, found[1] or found[2] or found[3])


def other_norm(fault: Fault) -> Iterator[str]:
    """Make a norm layer for the axes and the channels that there are."""
    maker = _maker(fault)
    for function in [maker.function] if maker and isinstance(maker.function, Attribute) else []:
        positional = [argument.node for argument in maker.arguments if not argument.keyword] if maker else []
        shape = next((fault.shape(node) for node in _sources(fault)), None) or ()
        if len(shape) > 1:
            yield from _normed(fault, function, positional, shape)


def _normed(fault: Fault, function: Attribute, positional: list[Node], shape: Shape) -> Iterator[str]:
    name = function.name
    if re.search(r"Norm\dd$", name):
        yield fault.with_text(function.name_span, f"{name[:-2]}{max(len(shape) - 2, 1)}d")
    if name == "GroupNorm" and len(positional) > 1 and isinstance(shape[1], int):
        yield fault.with_text(positional[1].span, str(shape[1]))
        for groups in range(min(32, shape[1]), 0, -1):
            if shape[1] % groups == 0:
                yield fault.with_text(positional[0].span, str(groups))
    if name == "LayerNorm" and positional:
        for node in _sources(fault)[:1]:
            yield fault.with_text(node.span, f"{fault.primary(node)}.movedim(1, -1)")
        yield fault.with_text(positional[0].span, str(shape[-1]))


def channels_last(fault: Fault) -> Iterator[str]:
    """Move the channels, or flatten all that one picture has."""
    for node in _sources(fault)[:1]:
        yield fault.with_text(node.span, f"{fault.primary(node)}.movedim(1, -1)")
        yield fault.with_text(node.span, f"{fault.primary(node)}.flatten(1)")


def spatial_sizes(fault: Fault) -> Iterator[str]:
    """Leave the batch and the channels out of a size."""
    calls = [node for node in fault.nodes if isinstance(node, Call)]
    for argument in [argument for call in calls for argument in call.arguments]:
        if isinstance(argument.node, Attribute) and argument.node.name == "shape":
            yield fault.with_text(argument.node.span, f"{fault.text(argument.node)}[2:]")


def batched(fault: Fault) -> Iterator[str]:
    """Give a picture the batch, or the channels, that the function wants, and take them off again."""
    calls = [node for node in fault.nodes if isinstance(node, Call)]
    for call in calls[-1:]:
        for node in operands(fault)[:1]:
            text, whole = fault.primary(node), call.span
            dtype = tensor.dtype if (tensor := fault.tensor(node)) else ""
            cast = "" if dtype.startswith("float") else ".float()"
            for before, after in (("[None]", "[0]"), ("[:, None]", "[:, 0]"), ("[None, None]", "[0, 0]")):
                texts = {node.span: f"{text}{before}{cast}", (whole[1], whole[1]): after}
                yield fault.with_texts(texts)
            yield fault.with_text(node.span, f"{text}.flatten(0, 1)")


def grey(fault: Fault) -> Iterator[str]:
    """Take a picture without channels for one of one channel."""
    maker = _maker(fault)
    for node in operands(fault)[:1]:
        if maker is not None and maker.arguments and len(fault.shape(node) or ()) == 2:  # noqa: PLR2004 - h, w
            channels = maker.arguments[0].node.span
            yield fault.with_texts({channels: "1", node.span: f"{fault.primary(node)}[None, None]"})


def padded(fault: Fault) -> Iterator[str]:
    """Pad so that the kernel fits."""
    maker = _maker(fault)
    for argument in maker.arguments[-1:] if maker else ():
        end = argument.span[1]
        yield fault.with_text((end, end), ", padding='same'")


def resized(fault: Fault) -> Iterator[str]:
    """Bring what a network says to the size of the labels."""
    for source, target in [operands(fault)[:2]] if len(operands(fault)) > 1 else []:
        size = f"{fault.primary(target)}.shape[-2:]"
        yield fault.with_text(source.span, f"F.interpolate({fault.text(source)}, size={size}, mode='bilinear')")


def both_batched(fault: Fault) -> Iterator[str]:
    """Give a picture and its labels a batch of one."""
    nodes = operands(fault)[:2]
    yield fault.with_texts({node.span: f"{fault.primary(node)}[None]" for node in nodes})


def before_argmax(fault: Fault) -> Iterator[str]:
    """Give a loss the logits, and not the classes that are the likeliest."""
    for node in operands(fault)[:1]:
        if isinstance(node, Call) and isinstance(node.function, Attribute) and node.function.name == "argmax":
            yield fault.with_text(node.span, fault.text(node.function.base))


def fitting_padding(fault: Fault) -> Iterator[str]:
    """Pad no more axes than there are, each at both ends; or none of the others."""
    for listed in _lists(fault):
        items = listed.items if isinstance(listed, Sequence) else ()
        kept = items[: len(items) // 2 * 2 - 2 * (len(items) % 2 == 0)]
        if kept:
            yield fault.with_text(listed.span, f"({', '.join(fault.text(item) for item in kept)})")
        yield fault.with_text((listed.span[1] - 1,) * 2, ", 0, 0")


def _lists(fault: Fault) -> list[Node]:
    arguments: list[Argument] = [each for call in fault.calls() for each in call.arguments]
    return [argument.node for argument in arguments if isinstance(argument.node, Sequence)]


def grid_last(fault: Fault) -> Iterator[str]:
    """Move the two coordinates of a grid to its last axis."""
    for node in operands(fault)[1:2]:
        yield fault.with_text(node.span, f"{fault.primary(node)}.movedim(1, -1)")
