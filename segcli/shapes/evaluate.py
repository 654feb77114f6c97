"""Walks the tree of an expression with one library's rules. Nothing is executed: only shapes and dtypes flow."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn, cast

from segcli.shapes.calls import Call, Layer, Operation, Rule
from segcli.shapes.computed import closing
from segcli.shapes.finish import finish, finish_indexing
from segcli.shapes.index.numpy_index import index_numpy
from segcli.shapes.index.numpy_sequence import INVALID
from segcli.shapes.index.torch_index import index_torch
from segcli.shapes.operations import CONSTANTS, find_operation, find_space, operation_of
from segcli.shapes.picking import pick, pick_member
from segcli.shapes.plain import compute, index_plain
from segcli.shapes.stages import Done, Evaluation, Library
from segcli.shapes.text.nodes import (
    Assign,
    Attribute,
    Constant,
    Name,
    Node,
    Operator,
    Sequence,
    Slice,
    Subscript,
    Text,
)
from segcli.shapes.text.nodes import Call as CallNode
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import (
    DTYPES,
    ELLIPSIS,
    INTEGER,
    DType,
    Item,
    Listed,
    Pair,
    Parts,
    RaisedError,
    SliceBounds,
    Span,
    Symbol,
    Tensor,
    Value,
    type_name,
)

# A stride times a step must fit in an int64; no tensor has that many elements to step over.
_MAX_STEP = 2**31
_DTYPE_ALIASES = {"half": "float16", "float": "float32", "double": "float64"} | {
    "short": "int16",
    "int": "int32",
    "long": "int64",
}

_NO_TENSOR = "expected a tensor here: a name, indexed or computed with"

TORCH = Library("torch", index_torch)
NUMPY = Library("numpy", index_numpy)


def evaluate(state: Evaluation, node: Node) -> Value:
    """Find what an expression gives, noting the way there in ``state``.

    Args:
        state: The expression, its bindings and the library whose rules hold.
        node: The expression's tree.

    Raises:
        RaisedError: As the library would raise.
        SegcliError: Where the expression uses what is not supported.
    """
    if isinstance(node, Assign):
        return _assigned(state, node)
    result = _value(state, node)
    if isinstance(node, Constant | Sequence | Text) or (isinstance(node, Name) and not isinstance(result, Tensor)):
        raise refusal(state.expr, node.span, _NO_TENSOR)
    if isinstance(result, Layer):
        hint = f"apply it to a tensor: {state.text(node)}(x)"
        raise refusal(state.expr, node.span, "a layer alone has no shape", hint)
    return result


def _assigned(state: Evaluation, node: Assign) -> Value:
    """Evaluate the value first, as Python does, then what is assigned to, and then the index."""
    value = _item(state, node.value)
    target = Item(_tensor_of(state, node.target.base), state.text(node.target.base), node.target.base.span)
    state.depth += 1
    index = _index_item(state, node.target.index)
    state.depth -= 1
    # Most expressions assign nothing.
    from segcli.shapes.select.placing import copied_note

    state.notes.extend(copied_note(state, target))
    return _apply(state, "operator", "[]=", [("", target), ("", index), ("", value)], node)


def _tensor_of(state: Evaluation, node: Node) -> Value:
    """Evaluate what is indexed or asked for an attribute; a literal that is bound to a name is neither."""
    if isinstance(node, Name) and not isinstance(state.bindings[node.name], Tensor | Symbol):
        message = f"{node.name} is bound to a literal, expected a tensor here"
        hint = f"write {node.name}='tensor(...)', or a shape such as {node.name}=8,16"
        raise refusal(state.expr, node.span, message, hint)
    if isinstance(node, Constant | Sequence | Text):
        raise refusal(state.expr, node.span, _NO_TENSOR)
    return _plain_value(state, node)


def _plain_value(state: Evaluation, node: Node) -> Value:
    value = _value(state, node)
    if isinstance(value, Layer):
        hint = "apply it to a tensor: nn.Conv2d(3, 64, 3)(x)"
        raise refusal(state.expr, node.span, "a layer alone is no tensor", hint)
    return value


def _value(state: Evaluation, node: Node) -> Value | Layer:
    # By a table, not by match: a batch comes through here a hundred thousand times a second.
    return _VISITORS[type(node)](state, node)


def _constant(_: Evaluation, node: Constant) -> Value:
    return ELLIPSIS if isinstance(node.value, str) else node.value


def _text(_: Evaluation, node: Text) -> Value:
    return node.value


def _listed(state: Evaluation, node: Sequence) -> Value:
    return Listed(tuple(_item(state, item) for item in node.items), node.is_tuple)


def _computed(state: Evaluation, node: Operator) -> Value:
    items = [_item(state, operand) for operand in node.operands]
    if not any(isinstance(item.value, Tensor) for item in items):
        return compute(node.mark, items, node.mark_span)
    mark = node.mark if len(items) > 1 else f"unary_{node.mark}"
    return _apply(state, "operator", mark, [("", item) for item in items], node)


def _named(state: Evaluation, node: Name) -> Value:
    value = state.bindings[node.name]
    text = state.text(node)
    if not isinstance(value, Tensor):
        return _respanned(value, text, node.span)
    if state.library.name == "numpy" and value.dtype == "bfloat16":
        raise RaisedError(node.span, "TypeError", "data type 'bfloat16' not understood")
    return value if value.text == text else replace(value, text=text)


def _subscript(state: Evaluation, node: Subscript) -> Value:
    base = Item(_tensor_of(state, node.base), state.text(node.base), node.base.span)
    state.depth += 1
    several = isinstance(base.value, Pair | Parts) and not isinstance(node.index, Text)
    index = (_index_item if several or isinstance(base.value, Tensor) else _item)(state, node.index)
    state.depth -= 1
    if isinstance(base.value, Pair | Parts):
        return pick(state, node, base, index)
    if not isinstance(base.value, Tensor):
        return index_plain(base, index)
    done = state.library.index(base.value, index, len(state.stages))
    return finish_indexing(state, state.input(base.text, base.value), done, state.text(node))


def _item(state: Evaluation, node: Node) -> Item:
    return Item(_plain_value(state, node), state.text(node), node.span)


def _index_item(state: Evaluation, node: Node) -> Item:
    """Evaluate an index; several tensors are a tuple there, and a number that is not known a 0-d tensor."""
    text = state.text(node)
    if isinstance(node, Constant):
        return Item(_constant(state, node), text, node.span)
    if isinstance(node, Sequence):
        items = tuple(_index_item(state, item) for item in node.items)
        return Item(Listed(items, node.is_tuple), text, node.span)
    value = _plain_value(state, node)
    if isinstance(value, Pair | Parts):
        tensors = [value.values, value.indices] if isinstance(value, Pair) else value.tensors()
        if tensors is None:
            raise refusal(state.expr, node.span, f"how many tensors {value.function}() returns is not known")
        items = tuple(Item(tensor, f"{text}[{place}]", node.span) for place, tensor in enumerate(tensors))
        value = Listed(items, isinstance(value, Pair) or value.is_tuple)
    elif isinstance(value, Symbol):
        value = Tensor((), "int64", text)
    elif isinstance(value, str | DType):
        raise _no_index(state, node, value)
    return Item(value, text, node.span)


def _no_index(state: Evaluation, node: Node, value: Value) -> RaisedError:
    """Return the error for what no library indexes with."""
    if state.library.name == "numpy":
        return RaisedError(node.span, "IndexError", INVALID)
    if isinstance(value, str):
        return RaisedError(node.span, "TypeError", "new(): invalid data type 'str'")
    words = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices"
    return RaisedError(node.span, "IndexError", f"{words} (got {type_name(value)})")


def _attribute(state: Evaluation, node: Attribute) -> Value:
    space = find_space(node.base, state.bindings)
    if space == "torch" and node.name in CONSTANTS:
        return CONSTANTS[node.name]
    if space is not None:
        dtype = _DTYPE_ALIASES.get(node.name, node.name)
        if space == "torch" and dtype in DTYPES:
            return DType(dtype)
        hint = _nearest(node.name, (space,))
        raise refusal(state.expr, node.name_span, f"{state.text(node)[:40]} is not a value", hint)
    operation = find_operation("attribute", node.name)
    if operation is None and node.name not in ("values", "indices"):
        _unsupported(state, node, ("attribute", "method"))
    base = Item(_tensor_of(state, node.base), state.text(node.base), node.base.span)
    if isinstance(base.value, Pair) and node.name in ("values", "indices"):
        return pick_member(state, node, base, node.name)
    if operation is None and state.library.name == "torch":
        _unsupported(state, node, ("attribute", "method"))
    if operation is None or not isinstance(base.value, Tensor):
        raise _no_attribute(base.value, node, state.library)
    return _run(state, operation, "attribute", node.name, [("", base)], node)


def _no_attribute(owner: Value, node: Attribute, library: Library) -> RaisedError:
    """Return the error for an attribute that a value lacks."""
    name = type_name(owner)
    if library.name == "numpy" and isinstance(owner, Tensor):
        name = f"numpy.{owner.dtype}" if owner.scalar else "numpy.ndarray"
    return RaisedError(node.name_span, "AttributeError", f"'{name}' object has no attribute '{node.name}'")


def _unsupported(state: Evaluation, node: Attribute, spaces: tuple[str, ...]) -> NoReturn:
    raise refusal(state.expr, node.name_span, f"{node.name} is not supported", _nearest(node.name, spaces))


def _nearest(name: str, spaces: tuple[str, ...]) -> str:
    """Return the hint with the supported names that are nearest, those of the same spaces first."""
    if name in ("tensor", "as_tensor"):
        return "give known values a name: i='tensor([0, 1])'"
    # Most expressions are understood.
    from difflib import get_close_matches

    from segcli.shapes.operations import names_in, written

    places = [*spaces, *(space for space in ("method", "torch", "functional", "nn") if space not in spaces)]
    known: dict[str, str] = {}
    for space in places:
        for candidate in names_in(space):
            known.setdefault(candidate, space)
    close = get_close_matches(name, known, n=4, cutoff=0.5)
    meant = ", ".join(written(known[candidate], candidate) for candidate in close)
    return f"the nearest: {meant}" if close else "segcli shapes --help lists what is supported"


def _call(state: Evaluation, node: CallNode) -> Value | Layer:
    function = node.function
    if isinstance(function, Name) and function.name == "slice" and "slice" not in state.bindings:
        return _slice_call(state, node, [argument.node for argument in node.arguments if not argument.keyword])
    if isinstance(function, Name) and function.name == "float" and "float" not in state.bindings:
        return _float_call(state, node)
    if isinstance(function, CallNode):
        return _applied(state, node, function)
    if not isinstance(function, Attribute):
        name = state.text(function)
        message = f"{name[:40]} is not a function that is supported"
        hint = "write x.sum(...), torch.sum(x, ...), F.pad(x, ...) or nn.Conv2d(...)(x)"
        raise refusal(state.expr, function.span, message, hint)
    space = find_space(function.base, state.bindings)
    operation = find_operation(space or "method", function.name)
    if operation is None:
        _unsupported(state, function, (space or "method",))
    arguments = _owner(state, node, function, operation) if space is None else []
    if space is not None and state.library.name == "numpy" and operation.numpy is None:
        _lack(state, operation, function)
        words = f"module 'numpy' has no attribute '{function.name}'"
        raise RaisedError(function.name_span, "AttributeError", words)
    arguments += [(argument.keyword, _item(state, argument.node)) for argument in node.arguments]
    if space == "nn":
        return Layer(_made(state, "nn", function.name, arguments, node), operation)
    return _run(state, operation, space or "method", function.name, arguments, node)


def _float_call(state: Evaluation, node: CallNode) -> Value:
    """Evaluate ``float('-inf')``, which is how Python writes infinity."""
    values = [_plain_value(state, argument.node) for argument in node.arguments]
    if len(values) == 1 and isinstance(values[0], int | float | str):
        with suppress(ValueError):
            return float(values[0])
    raise refusal(state.expr, node.span, "float() takes a number or 'inf' here", "write float('-inf')")


def _owner(state: Evaluation, node: CallNode, function: Attribute, operation: Operation) -> list[tuple[str, Item]]:
    """Evaluate what a method belongs to: its first argument."""
    base = Item(_tensor_of(state, function.base), state.text(function.base), function.base.span)
    if state.library.name == "numpy" and operation.numpy is None:
        _lack(state, operation, function)
        raise _no_attribute(base.value, function, state.library)
    if not isinstance(base.value, Tensor) and not _has_method(base.value, function.name):
        words = f"'{type_name(base.value)}' object has no attribute '{function.name}'"
        raise RaisedError(node.span, "AttributeError", words)
    return [("", base)]


def _has_method(value: Value, name: str) -> bool:
    """Tell whether what is no tensor has a method of a tensor."""
    return isinstance(value, Listed) and value.is_size and name == "numel"


def _applied(state: Evaluation, node: CallNode, function: CallNode) -> Value:
    """Apply a layer to a tensor."""
    layer = _value(state, function)
    if not isinstance(layer, Layer):
        raise RaisedError(function.span, "TypeError", f"'{type_name(layer)}' object is not callable")
    arguments = [(argument.keyword, _item(state, argument.node)) for argument in node.arguments]
    call = replace(_made(state, "nn", layer.call.name, arguments, node), layer=layer.call)
    return finish(state, call, cast("Done", layer.operation.torch(call)))


def _lack(state: Evaluation, operation: Operation, function: Attribute) -> None:
    state.lacking = f"NumPy has no {function.name}" + (f": {operation.advice}" if operation.advice else "")


def _apply(state: Evaluation, space: str, name: str, arguments: list[tuple[str, Item]], node: Node) -> Value:
    return _run(state, operation_of(space, name), space, name, arguments, node)


def _run(
    state: Evaluation, operation: Operation, space: str, name: str, arguments: list[tuple[str, Item]], node: Node
) -> Value:
    call = _made(state, space, name, arguments, node)
    # NumPy's is there: who lacks one has raised before.
    rule = cast("Rule", operation.torch if state.library.name == "torch" else operation.numpy)
    if operation.read_as and state.library.name == "numpy":
        state.read_as.setdefault(name, operation.read_as)
    return finish(state, call, cast("Done", rule(call)))


def _made(state: Evaluation, space: str, name: str, arguments: list[tuple[str, Item]], node: Node) -> Call:
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


def _respanned(value: Value, text: str, span: Span) -> Value:
    """Let the parts of a bound literal point to the name that stands for it."""
    if not isinstance(value, Listed):
        return value
    items = (Item(_respanned(item.value, text, span), text, span) for item in value.items)
    return Listed(tuple(items), value.is_tuple)


def _slice_call(state: Evaluation, node: CallNode, nodes: list[Node]) -> SliceBounds:
    if len(nodes) != len(node.arguments) or not 1 <= len(nodes) <= 3:  # noqa: PLR2004 - start, stop, step
        raise refusal(state.expr, node.span, "slice() takes one to three numbers")
    first, second, third = ([None, *nodes] if len(nodes) == 1 else [*nodes, None, None])[:3] + [None] * (
        len(nodes) == 1
    )
    return _slice(state, Slice((first, second, third), node.span))


def _slice(state: Evaluation, node: Slice) -> SliceBounds:
    start, stop, step = (None if bound is None else _bound(state, bound) for bound in node.bounds)
    if step is not None and abs(step) >= _MAX_STEP:
        raise refusal(state.expr, node.span, f"a step of {step} is larger than 2^31 - 1")
    return SliceBounds(start, stop, step)


def _bound(state: Evaluation, node: Node) -> int | None:
    state.depth += 1
    value = _plain_value(state, node)
    state.depth -= 1
    if isinstance(value, Symbol):
        message = f"the value of {state.text(node)} is not known, and the size of a slice needs it"
        raise refusal(state.expr, node.span, message, "give that size a number")
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


_VISITORS: dict[type, Callable[[Evaluation, Any], Value | Layer]] = {
    Constant: _constant,
    Text: _text,
    Name: _named,
    Sequence: _listed,
    Slice: _slice,
    Subscript: _subscript,
    Attribute: _attribute,
    Operator: _computed,
    CallNode: _call,
}
