"""Proposes an expression that works, where PyTorch raises: what people write after they have understood the error.

A proposal is a change of the text; whether it works, the caller finds out by asking the rules.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from segcli.shapes.result import Failure
from segcli.shapes.text.nodes import Argument, Assign, Attribute, Call, Node, Operator, Sequence, Slice, Subscript
from segcli.shapes.values import Span

# More axes than that nobody adds by hand.
_MOST_NEW_AXES = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """An expression with the error that it raises.

    Attributes:
        expr: The expression.
        error: What PyTorch raises.
        nodes: The nodes around the token at fault, the innermost first.
    """

    expr: str
    error: Failure
    nodes: tuple[Node, ...]

    def text(self, node: Node) -> str:
        """Return a node as written."""
        return self.expr[slice(*node.span)]

    def with_text(self, span: Span, text: str) -> str:
        """Return the expression with another text in a place."""
        return self.expr[: span[0]] + text + self.expr[span[1] :]

    def subscripts(self) -> list[Subscript]:
        """Return the innermost index around the fault, if there is one."""
        return [node for node in self.nodes if isinstance(node, Subscript)][:1]


def propose(expr: str, tree: Node, error: Failure) -> Iterator[str]:
    """Propose expressions that may work, the likeliest first.

    Args:
        expr: The expression.
        tree: Its tree.
        error: What PyTorch raises.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> expr = "x.permute(0, 2, 1).view(-1, 3)"
        >>> error = Failure("RuntimeError", "view size is not compatible with ...", "", 24, 29, None)
        >>> list(propose(expr, parse(expr), error))
        ['x.permute(0, 2, 1).reshape(-1, 3)']
    """
    if not _KNOWN.search(error.message):
        return
    fault = Fault(expr, error, tuple(_around(tree, (error.start, error.end))))
    for pattern, mend in _MENDS:
        if re.search(pattern, error.message):
            yield from mend(fault)


def _around(tree: Node, span: Span) -> list[Node]:
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
        case Attribute(base):
            return [base]
        case Call(function, arguments):
            return [function, *(argument.node for argument in arguments)]
        case Operator(_, operands):
            return list(operands)
        case Assign(target, value):
            return [target, value]
        case _:
            return []


def _reshape(fault: Fault) -> Iterator[str]:
    """Copy where a view cannot be: reshape does both."""
    for node in fault.nodes:
        if isinstance(node, Call) and isinstance(node.function, Attribute) and node.function.name == "view":
            yield fault.with_text(node.function.name_span, "reshape")


def _flip(fault: Fault) -> Iterator[str]:
    """Walk an axis backwards with flip, and slice what comes out."""
    for subscript in fault.subscripts():
        yield _flipped(fault, subscript)


def _flipped(fault: Fault, subscript: Subscript) -> str:
    index = subscript.index
    items = list(index.items) if isinstance(index, Sequence) and index.is_tuple else [index]
    texts, dims = [], []
    for axis, item in enumerate(items):
        text = fault.text(item).replace(" ", "")
        if text == "::-1":
            dims.append(str(axis))
            text = ":"
        texts.append(text)
    while texts and texts[-1] == ":":
        texts.pop()
    rest = f"[{', '.join(texts)}]" if texts else ""
    return fault.with_text(subscript.span, f"{fault.text(subscript.base)}.flip({', '.join(dims)}){rest}")


def _token_as(method: str) -> Callable[[Fault], Iterator[str]]:
    """Convert the token at fault."""

    def mend(fault: Fault) -> Iterator[str]:
        yield fault.with_text((fault.error.start, fault.error.end), f"{fault.error.token}.{method}()")

    return mend


def _skip_axes(fault: Fault) -> Iterator[str]:
    """Let a mask take later axes."""
    for subscript in fault.subscripts():
        start = subscript.index.span[0]
        for count in (1, 2):
            yield fault.with_text((start, start), ":, " * count)


def _line_up(fault: Fault) -> Iterator[str]:
    """Give an operand new axes at its end, so that its own meet those of the other."""
    for node in _operands(fault, beyond=True)[::-1]:
        for count in range(1, _MOST_NEW_AXES + 1):
            yield fault.with_text(node.span, f"{_as_primary(fault, node)}[..., {', '.join(['None'] * count)}]")


def _transpose(fault: Fault) -> Iterator[str]:
    """Turn the matrices of one operand."""
    for node in _operands(fault)[::-1]:
        yield fault.with_text(node.span, f"{_as_primary(fault, node)}.mT")


def _source_as(method: str) -> Callable[[Fault], Iterator[str]]:
    """Convert what a function works on."""

    def mend(fault: Fault) -> Iterator[str]:
        for node in _operands(fault)[:1]:
            yield fault.with_text(node.span, f"{_as_primary(fault, node)}.{method}")

    return mend


def _target_as(method: str) -> Callable[[Fault], Iterator[str]]:
    """Convert the second tensor of a function, such as the labels of a loss."""

    def mend(fault: Fault) -> Iterator[str]:
        # The token at fault is the whole call, or the second tensor itself.
        for node in (*_operands(fault)[1:2], *_operands(fault, beyond=True)[1:2]):
            yield fault.with_text(node.span, f"{_as_primary(fault, node)}.{method}")

    return mend


def _any_as(method: str) -> Callable[[Fault], Iterator[str]]:
    """Convert one of a function's tensors, whichever it is."""

    def mend(fault: Fault) -> Iterator[str]:
        for node in (*_operands(fault), *_operands(fault, beyond=True)):
            yield fault.with_text(node.span, f"{_as_primary(fault, node)}.{method}")

    return mend


def _wider_layer(fault: Fault) -> Iterator[str]:
    """Make a layer for as many channels or features as the tensor has."""
    found = re.search(r"channels, but got (\d+) channels|\(\d+x(\d+) and \d+x\d+\)", fault.error.message)
    makers = [node.function for node in fault.nodes if isinstance(node, Call) and isinstance(node.function, Call)]
    firsts = [argument for maker in makers for argument in maker.arguments[:1]]
    for argument in firsts if found else ():
        if found and not argument.keyword:
            yield fault.with_text(argument.node.span, found[1] or found[2])


def _spatial_sizes(fault: Fault) -> Iterator[str]:
    """Leave the batch and the channels out of a size."""
    calls = [node for node in fault.nodes if isinstance(node, Call)]
    for argument in [argument for call in calls for argument in call.arguments]:
        if isinstance(argument.node, Attribute) and argument.node.name == "shape":
            yield fault.with_text(argument.node.span, f"{fault.text(argument.node)}[2:]")


def _last_dim(fault: Fault) -> Iterator[str]:
    """Count dims from the end: they begin with 0, so that the last one has no number as high as the number of axes."""
    found = re.search(r"range of \[-(\d+), \d+\], but got (\d+)", fault.error.message)
    if found and found[1] == found[2] and fault.error.token == found[2]:
        yield fault.with_text((fault.error.start, fault.error.end), "-1")


def _more_axes(fault: Fault) -> Iterator[str]:
    """Give what is joined as many axes as the others have."""
    lists = [argument.node for node in fault.nodes if isinstance(node, Call) for argument in node.arguments[:1]]
    items = [item for listed in lists if isinstance(listed, Sequence) for item in listed.items]
    for node in items:
        for new in ("[None]", "[..., None]"):
            yield fault.with_text(node.span, f"{_as_primary(fault, node)}{new}")


def _operands(fault: Fault, *, beyond: bool = False) -> list[Node]:
    """Return what the operation at fault works on; ``beyond`` where the token at fault is one of its operands."""
    at_fault = (fault.error.start, fault.error.end)
    found = (_inputs(fault, node) for node in fault.nodes if not beyond or node.span != at_fault)
    return next(filter(None, found), [])


def _inputs(fault: Fault, node: Node) -> list[Node]:
    """Return what a node works on, nothing for what is no operation of tensors."""
    match node:
        case Assign(_, value):
            return [value]
        case Operator(_, operands):
            return list(operands)
        case Call(Attribute(base, _), arguments):
            given = [argument.node for argument in arguments if _may_be_tensor(argument)]
            return given if fault.text(base) in ("torch", "F", "torch.nn.functional") else [base, *given]
        case Call(Call(), arguments):
            return [argument.node for argument in arguments]
        case _:
            return []


def _may_be_tensor(argument: Argument) -> bool:
    return not argument.keyword or argument.keyword in ("input", "other", "target", "weight")


def _as_primary(fault: Fault, node: Node) -> str:
    text = fault.text(node)
    return f"({text})" if isinstance(node, Operator) and not text.startswith("(") else text


# What PyTorch says, and what people do about it.
_MENDS: tuple[tuple[str, Callable[[Fault], Iterator[str]]], ...] = (
    (r"view size is not compatible", _reshape),
    (r"step must be greater than zero", _flip),
    (r"tensors used as indices must be", _token_as("long")),
    (r"The shape of the mask", _skip_axes),
    (r"must match the size of tensor b|not broadcastable|must match the existing size", _line_up),
    (r"shapes cannot be multiplied|Expected size for first two dimensions of batch2|size mismatch, got", _transpose),
    (
        r"could not infer output dtype|std and var only support|Expected a floating point or complex",
        _source_as("float()"),
    ),
    (r"not implemented for '(Long|Int|Short|Byte|Char|Bool)'", _source_as("float()")),
    (r"does not support bool input", _source_as("int()")),
    (r"index tensor|Expected dtype int(32.*|64) for index", _any_as("long()")),
    (r"number of spatial dimensions|spatial dimensions in the input", _spatial_sizes),
    (
        r"channels, but got|Expected target size|size mismatch \(got input|Expected .* to have",
        _source_as("movedim(-1, 1)"),
    ),
    (
        r"Expected floating point type for target|expected scalar type Long|target dtype to be Long",
        _target_as("long()"),
    ),
    (r"but got targets of dimension", _target_as("squeeze(1)")),
    (r"but got targets of dimension", _target_as("argmax(-1)")),
    (r"result type .* can't be cast to the desired output type", _target_as("float()")),
    (r"expected scalar type (Float|Double|Half)|must have the same dtype", _target_as("float()")),
    (r"Target size .* must be the same as input size|Expected target size", _target_as("squeeze(1)")),
    (r"Target size .* must be the same as input size", _target_as("unsqueeze(1)")),
    (r"channels, but got|shapes cannot be multiplied", _wider_layer),
    (r"Dimension out of range", _last_dim),
    (r"same number of dimensions", _more_axes),
)
_KNOWN = re.compile("|".join(pattern for pattern, _ in _MENDS))
