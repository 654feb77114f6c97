"""NumPy's own words, ``np.argmax(x, axis=1)``: read as the function of PyTorch of which NumPy's is the counterpart.

Both libraries' rules are kept under PyTorch's names. So a tree gets these names, while its nodes go on pointing to the
text as it is written.
"""

from collections.abc import Callable
from dataclasses import field, replace

from segcli.shapes.operations import SPACES
from segcli.shapes.records import record
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
    Text,
)
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import DTYPES, Span

_ROOTS = ("np", "numpy")
_SAME_NAMES = (
    "argmax argmin sum mean any all std var prod median cumsum cumprod argsort count_nonzero concatenate concat stack "
    "hstack vstack dstack where squeeze reshape ravel swapaxes moveaxis flip roll tile clip exp log log2 log10 log1p "
    "expm1 sqrt square abs sign floor ceil sin cos tan tanh isnan isinf isfinite maximum minimum add subtract multiply "
    "divide true_divide floor_divide remainder logical_and logical_or logical_xor logical_not bitwise_and bitwise_or "
    "bitwise_xor matmul dot outer zeros ones full empty zeros_like ones_like full_like empty_like arange eye linspace "
    "bincount argwhere diff einsum broadcast_to amax amin tril triu"
)
_OTHER = {
    "max": "amax",
    "min": "amin",
    "transpose": "permute",
    "expand_dims": "unsqueeze",
    "repeat": "repeat_interleave",
    "array": "tensor",
    "asarray": "as_tensor",
    "take_along_axis": "take_along_dim",
    "power": "pow",
    "mod": "remainder",
    "negative": "neg",
    "absolute": "abs",
    "equal": "eq",
    "not_equal": "ne",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
}
FUNCTIONS = {**{name: name for name in _SAME_NAMES.split()}, **_OTHER}
# Parameters that have another name in PyTorch, where its parser does not take NumPy's, as it does of axis and keepdims.
_PARAMETERS = {"transpose": {"axes": "dims"}, "take_along_axis": {"arr": "input"}, "array": {"object": "data"}}
_METHODS = {"astype": "to", "copy": "clone"}
_DTYPES = {"bool_": "bool", "int": "int64", "float": "float64", "single": "float32", "double": "float64"}


@record(frozen=False, slots=True)
class Reading:
    """A tree in PyTorch's words.

    Attributes:
        text: The expression as written.
        edits: What is written in place of which parts of it.
        speaks: Whether it calls a function or a method of NumPy, and not only names a dtype or ``np.newaxis``.
    """

    text: str
    edits: list[tuple[Span, str]] = field(default_factory=list)
    speaks: bool = False
    of_torch: Span | None = None


def read_numpy(text: str, node: Node) -> tuple[Node, str | None]:
    """Put a tree into PyTorch's words.

    Args:
        text: The expression.
        node: Its tree.

    Returns:
        The tree, whose nodes point to the text as it is; and the text in PyTorch's words, None where it calls nothing
        of NumPy.

    Raises:
        SegcliError: For a function of NumPy that is not supported, and beside functions of PyTorch.
    """
    reading = Reading(text)
    made = _read(reading, node)
    if reading.speaks and reading.of_torch is not None:
        message = "functions of NumPy and of PyTorch stand in one expression"
        raise refusal(text, reading.of_torch, message, "write all of it in the words of one of them")
    if not reading.speaks:
        return made, None
    for (start, end), words in sorted(reading.edits, reverse=True):
        text = text[:start] + words + text[end:]
    return made, text


def _read(reading: Reading, node: Node) -> Node:
    reader = _READERS.get(type(node))
    return node if reader is None else reader(reading, node)


def _is_numpy(node: Node) -> bool:
    return isinstance(node, Name) and node.name in _ROOTS


def _attribute(reading: Reading, node: Attribute) -> Node:
    if not _is_numpy(node.base):
        return replace(node, base=_read(reading, node.base))
    name = _DTYPES.get(node.name, node.name)
    reading.edits.append((node.span, f"torch.{name}"))
    return replace(node, base=Name("torch", node.base.span), name=name)


def _call(reading: Reading, node: Call) -> Node:
    function = node.function
    if not isinstance(function, Attribute):
        return replace(node, function=_read(reading, function), arguments=_given(reading, node.arguments, {}))
    if _is_numpy(function.base):
        return _function(reading, node, function)
    if isinstance(function.base, Name) and SPACES.get(function.base.name) in ("torch", "functional", "nn"):
        reading.of_torch = function.span
    base = _read(reading, function.base)
    arguments = node.arguments
    name = _METHODS.get(function.name, function.name)
    if name != function.name:
        reading.speaks = True
        reading.edits.append((function.name_span, name))
        arguments = tuple(_dtype(reading, argument) for argument in arguments)
    return replace(node, function=replace(function, base=base, name=name), arguments=_given(reading, arguments, {}))


def _function(reading: Reading, node: Call, function: Attribute) -> Node:
    name = FUNCTIONS.get(function.name)
    if name is None:
        # Most that are called are supported.
        from segcli.shapes.hints import hint_for_numpy

        message = f"np.{function.name[:40]} is not supported"
        raise refusal(reading.text, function.name_span, message, hint_for_numpy(function.name))
    reading.speaks = True
    if name == "permute" and len(node.arguments) == 1 and not isinstance(node.arguments[0].node, Starred):
        return _reversed(reading, node, function)
    reading.edits.append((function.span, f"torch.{name}"))
    arguments = _given(reading, node.arguments, _PARAMETERS.get(function.name, {}))
    made = replace(function, base=Name("torch", function.base.span), name=name)
    return replace(node, function=made, arguments=arguments)


def _reversed(reading: Reading, node: Call, function: Attribute) -> Node:
    """Read ``np.transpose(x)``, which reverses all axes, as ``x.T``."""
    inner = node.arguments[0].node
    plain = isinstance(inner, Name | Subscript | Attribute | Call)
    reading.edits.append(((function.span[0], inner.span[0]), "" if plain else "("))
    reading.edits.append(((inner.span[1], node.span[1]), ".T" if plain else ").T"))
    return Attribute(_read(reading, inner), "T", function.name_span, node.span)


def _given(reading: Reading, arguments: tuple[Argument, ...], names: dict[str, str]) -> tuple[Argument, ...]:
    made = []
    for argument in arguments:
        keyword = names.get(argument.keyword, argument.keyword)
        if keyword != argument.keyword:
            start = argument.span[0]
            reading.edits.append(((start, start + len(argument.keyword)), keyword))
        made.append(replace(argument, keyword=keyword, node=_read(reading, argument.node)))
    return tuple(made)


def _dtype(reading: Reading, argument: Argument) -> Argument:
    """Read a dtype that is a type of Python, or a text."""
    node = argument.node
    given = node.name if isinstance(node, Name) else node.value if isinstance(node, Text) else ""
    name = "bool" if given == "bool" else _DTYPES.get(given, given)
    if name not in DTYPES:
        return argument
    reading.edits.append((node.span, f"torch.{name}"))
    return replace(argument, node=Attribute(Name("torch", node.span), name, node.span, node.span))


def _subscript(reading: Reading, node: Subscript) -> Node:
    return replace(node, base=_read(reading, node.base), index=_read(reading, node.index))


def _sequence(reading: Reading, node: Sequence) -> Node:
    return replace(node, items=tuple(_read(reading, item) for item in node.items))


def _slice(reading: Reading, node: Slice) -> Node:
    start, stop, step = (bound and _read(reading, bound) for bound in node.bounds)
    return replace(node, bounds=(start, stop, step))


def _operator(reading: Reading, node: Operator) -> Node:
    return replace(node, operands=tuple(_read(reading, operand) for operand in node.operands))


def _starred(reading: Reading, node: Starred) -> Node:
    return replace(node, value=_read(reading, node.value))


def _assign(reading: Reading, node: Assign) -> Node:
    target = node.target
    if isinstance(target, Subscript):
        target = replace(target, base=_read(reading, target.base), index=_read(reading, target.index))
    return replace(node, target=target, value=_read(reading, node.value))


_READERS: dict[type, Callable[..., Node]] = {
    Attribute: _attribute,
    Call: _call,
    Subscript: _subscript,
    Sequence: _sequence,
    Slice: _slice,
    Operator: _operator,
    Starred: _starred,
    Assign: _assign,
}
