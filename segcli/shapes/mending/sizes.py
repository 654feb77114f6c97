"""Mends dims, sizes and counts that are given to an operation."""

import re
from collections.abc import Iterator

from segcli.shapes.mending.fault import Fault, Mend, is_module, method_call
from segcli.shapes.text.nodes import Attribute, Call, Constant, Node, Sequence


def renamed(old: str, new: str) -> Mend:
    """Call another operation."""

    def mend(fault: Fault) -> Iterator[str]:
        for node in fault.nodes:
            if isinstance(node, Call) and isinstance(node.function, Attribute) and node.function.name == old:
                yield fault.with_text(node.function.name_span, new)

    return mend


def transposed(fault: Fault) -> Iterator[str]:
    """Write ``.mT`` where ``t()`` takes no more than two axes."""
    for call, owner in _methods(fault):
        yield fault.with_text(call.span, f"{fault.text(owner)}.mT")


def _methods(fault: Fault) -> list[tuple[Call, Node]]:
    """Return the innermost call around the fault with its owner, if it is one of a method."""
    return [(call, function.base) for call, function in method_call(fault) if not is_module(fault, function.base)]


def _given(fault: Fault) -> list[Node]:
    """Return the sizes that are given, by themselves or in one tuple."""
    nodes = [argument.node for call, _ in method_call(fault) for argument in call.arguments]
    inner = [item for node in nodes if isinstance(node, Sequence) for item in node.items]
    return inner or nodes


def size_left_open(fault: Fault) -> Iterator[str]:
    """Let one size follow from the others."""
    nodes = [node for node in _given(fault) if isinstance(node, Constant)]
    for node in nodes[::-1]:
        yield fault.with_text(node.span, "-1")
    for first in nodes[:1]:
        yield fault.with_text((first.span[0], nodes[-1].span[1]), "-1")


def every_dim(fault: Fault) -> Iterator[str]:
    """Say the dims that are missing in a permutation."""
    found = re.search(r"input\.dim\(\) = (\d+)", fault.error.message)
    nodes = _given(fault)
    given = [fault.text(node) for node in nodes]
    ndim = int(found[1]) if found else len(nodes)
    every = [str(dim) for dim in range(ndim)]
    kept = [dim for dim in dict.fromkeys(given) if dim in every]
    order = [*kept, *(dim for dim in every if dim not in kept)]
    for first in nodes[:1]:
        yield fault.with_text((first.span[0], nodes[-1].span[1]), ", ".join(order))


def other_way_round(fault: Fault) -> Iterator[str]:
    """Let a range of dims begin with the first of the two."""
    nodes = _given(fault)[-2:]
    yield fault.with_texts({node.span: fault.text(other) for node, other in zip(nodes, nodes[::-1], strict=True)})


def last_size(fault: Fault) -> Iterator[str]:
    """Let the last piece have what is left."""
    for found in re.finditer(r"sum exactly to (\d+)", fault.error.message):
        nodes = [node for node in _given(fault) if isinstance(node, Constant)]
        left = int(found[1]) - sum(int(fault.text(size)) for size in nodes[:-1])
        for last in nodes[-1:]:
            yield fault.with_text(last.span, str(left))


def kept_sizes(fault: Fault) -> Iterator[str]:
    """Keep the axes in front as they are."""
    for found in re.finditer(r"provided \((\d+)\).*in the tensor \((\d+)\)", fault.error.message):
        for first in _given(fault)[:1]:
            yield fault.with_text((first.span[0],) * 2, "-1, " * (int(found[2]) - int(found[1])))


def last_dim(fault: Fault) -> Iterator[str]:
    """Count dims from the end: they begin with 0, so that the last one has no number as high as the number of axes."""
    found = re.search(r"range of \[-(\d+), \d+\], but got (\d+)", fault.error.message)
    if found and found[1] == found[2] and fault.error.token == found[2]:
        yield fault.with_text((fault.error.start, fault.error.end), "-1")


def all_dims(fault: Fault) -> Iterator[str]:
    """Say that every dim is meant, where keepdim= is given without a dim."""
    for call, _ in _without_dim(fault):
        for first in call.arguments[:1]:
            yield fault.with_text((first.span[0],) * 2, "dim=None, ")


def with_dim(fault: Fault) -> Iterator[str]:
    """Say a dim where none has a default: that of the channels; of all elements in a row there is one."""
    for call, function in _without_dim(fault):
        end = (call.span[1] - 1,) * 2
        if function.name.startswith("cum") and not call.arguments:
            yield fault.with_texts({(function.base.span[1],) * 2: ".flatten()", end: "0"})
        for dim in (1, 0):
            yield fault.with_text(end, f"{', ' * bool(call.arguments)}dim={dim}")


def _without_dim(fault: Fault) -> list[tuple[Call, Attribute]]:
    """Return the call around the fault, if nothing is said in it that may be a dim."""
    found = []
    for call, function in method_call(fault):
        given = call.arguments[1:] if is_module(fault, function.base) else call.arguments
        if not any(argument.keyword in ("", "dim", "axis") for argument in given):
            found.append((call, function))
    return found


def one_dim(fault: Fault) -> Iterator[str]:
    """Make one axis of the dims that are given, where they stand side by side."""
    for call, owner in _methods(fault):
        ndim = len(fault.shape(owner) or ())
        for listed in [argument.node for argument in call.arguments if isinstance(argument.node, Sequence)]:
            texts = [fault.text(item) for item in listed.items]
            dims = [int(text) % max(ndim, 1) for text in texts if text.lstrip("-").isdecimal()]
            if dims and dims == list(range(dims[0], dims[0] + len(texts))):
                flat = f".flatten({texts[0]}, {texts[-1]})" if len(texts) > 1 else ""
                yield fault.with_texts({(owner.span[1],) * 2: flat, listed.span: str(dims[0])})


def in_range(fault: Fault) -> Iterator[str]:
    """Ask for no more elements than there are."""
    for _, owner in _methods(fault):
        shape, axis = fault.shape(owner) or (1,), fault.error.axis or 0
        yield fault.with_text((fault.error.start, fault.error.end), str(shape[axis]))
