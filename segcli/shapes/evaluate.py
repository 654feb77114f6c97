"""Walks the tree of an expression with one library's rules. Nothing is executed: only shapes and dtypes flow."""

from dataclasses import replace
from difflib import get_close_matches
from typing import NoReturn

from segcli.shapes.labels import label_indexed, label_reduced
from segcli.shapes.nodes import Attribute, Call, Constant, Name, Node, Sequence, Slice, Subscript
from segcli.shapes.numpy_index import index_numpy
from segcli.shapes.operations import OPERATIONS, Rule, nearest_operations
from segcli.shapes.request import Request
from segcli.shapes.scan import refusal
from segcli.shapes.stages import Evaluation, Library, Stage
from segcli.shapes.torch_index import index_torch
from segcli.shapes.values import (
    ELLIPSIS,
    INTEGER,
    Item,
    Listed,
    Pair,
    RaisedError,
    SliceBounds,
    Span,
    Tensor,
    Value,
    type_name,
)

# A stride times a step must fit in an int64; no tensor has that many elements to step over.
_MAX_STEP = 2**31


TORCH = Library("torch", index_torch)
NUMPY = Library("numpy", index_numpy)


def evaluate(state: Evaluation, node: Node) -> Tensor | Pair:
    """Find what an expression gives, noting the way there in ``state``.

    Args:
        state: The expression, its bindings and the library whose rules hold.
        node: The expression's tree.

    Raises:
        RaisedError: As the library would raise.
        SegcliError: Where the expression uses what is not supported.
    """
    return _tensor(state, node)


def _tensor(state: Evaluation, node: Node) -> Tensor | Pair:
    """Evaluate a node that must be a tensor (or the pair that max(dim) returns)."""
    match node:
        case Name(name):
            return _named_tensor(state, node, name)
        case Subscript(base, index):
            source = _tensor(state, base)
            return _subscript(state, node, base, source, _inside(state, index))
        case Attribute(base, name):
            return _attribute(state, node, base, name)
        case Call():
            return _call(state, node)
        case _:
            raise refusal(state.expr, node.span, "expected a tensor here: a name, indexed or reduced")


def _inside(state: Evaluation, index: Node) -> Item:
    """Evaluate an index: stages in there belong to another chain."""
    state.depth += 1
    item = _item(state, index)
    state.depth -= 1
    return item


def _named_tensor(state: Evaluation, node: Node, name: str) -> Tensor:
    value = state.bindings[name]
    if not isinstance(value, Tensor):
        message = f"{name} is bound to a literal, expected a tensor here"
        raise refusal(state.expr, node.span, message, f"write {name}='tensor(...)', or a shape such as {name}=8,16")
    if state.library.name == "numpy" and value.dtype == "bfloat16":
        raise RaisedError(node.span, "TypeError", "data type 'bfloat16' not understood")
    text = state.text(node)
    return value if value.text == text else replace(value, text=text)


def _note(state: Evaluation, stage: Stage) -> None:
    if not isinstance(stage.done, str):
        state.notes.extend(stage.done.notes)
        state.rules |= stage.done.rules
        state.needs.extend(stage.done.needs)
    if not state.depth:
        state.stages.append(stage)


def _subscript(state: Evaluation, node: Subscript, base: Node, source: Tensor | Pair, index: Item) -> Tensor | Pair:
    text = state.text(node)
    if isinstance(source, Pair):
        return _picked(state, node, base, source, index)
    done = state.library.index(source, index, len(state.stages))
    labels = label_indexed(source.labels, done)
    result = Tensor(done.shape, source.dtype, text, scalar=done.scalar, labels=labels)
    _note(state, Stage(state.text(base), text, source, done, result))
    return result


def _picked(state: Evaluation, node: Subscript, base: Node, pair: Pair, index: Item) -> Tensor:
    value = index.value
    if isinstance(value, Tensor):
        if set(value.shape) - {1} or value.dtype not in ("bool", *INTEGER):
            words = "only integer tensors of a single element can be converted to an index"
            raise RaisedError(index.span, "TypeError", words)
        value = None if value.values is None else int(value.values[0])
    if isinstance(value, SliceBounds) or (value is None and index.value is not None):
        raise refusal(state.expr, index.span, f"{pair.function}(dim) returns two tensors: pick one with [0] or [1]")
    if not isinstance(value, int):
        words = f"tuple indices must be integers or slices, not {type_name(value)}"
        raise RaisedError(index.span, "TypeError", words)
    if not -2 <= value < 2:  # noqa: PLR2004 - a pair
        raise RaisedError(index.span, "IndexError", "tuple index out of range")
    return _pick(state, node, base, pair, "indices" if value % 2 else "values")


def _pick(state: Evaluation, node: Node, base: Node, pair: Pair, member: str) -> Tensor:
    text = state.text(node)
    result = replace(pair.values if member == "values" else pair.indices, text=text)
    _note(state, Stage(state.text(base), text, pair, member, result))
    return result


def _attribute(state: Evaluation, node: Attribute, base: Node, name: str) -> Tensor:
    if name not in ("values", "indices"):
        _unsupported(state, node, name)
    source = _tensor(state, base)
    if isinstance(source, Pair):
        return _pick(state, node, base, source, name)
    if state.library.name == "torch":
        _unsupported(state, node, name)
    raise _no_attribute(source, node)


def _no_attribute(source: Tensor | Pair, node: Attribute) -> RaisedError:
    """Return NumPy's error for an attribute that an array or a scalar lacks."""
    owner = f"numpy.{source.dtype}" if isinstance(source, Tensor) and source.scalar else "numpy.ndarray"
    return RaisedError(node.name_span, "AttributeError", f"'{owner}' object has no attribute '{node.name}'")


def _unsupported(state: Evaluation, node: Attribute, name: str) -> NoReturn:
    close = get_close_matches(name, OPERATIONS, n=3, cutoff=0.5)
    supported = nearest_operations()
    hint = f"did you mean {' or '.join(close)}? supported: {supported}" if close else f"supported: {supported}"
    raise refusal(state.expr, node.name_span, f"{name} is not supported", hint)


def _call(state: Evaluation, node: Call) -> Tensor | Pair:
    function = node.function
    if not isinstance(function, Attribute):
        name = state.text(function)
        raise refusal(
            state.expr,
            function.span,
            f"{name[:40]} is not a function that is supported",
            f"supported: {nearest_operations()}, as x.sum(...) or torch.sum(x, ...)",
        )
    operation = OPERATIONS.get(function.name)
    if operation is None:
        _unsupported(state, function, function.name)
    of_torch = isinstance(function.base, Name) and function.base.name == "torch" and "torch" not in state.bindings
    base = _input_of(state, node, function) if of_torch else function.base
    rule = operation.rules.get(state.library.name)
    if rule is None:
        raise _lacking(state, base, function, of_torch=of_torch)
    source = _tensor(state, base)
    arguments = [
        (argument.keyword, _inside(state, argument.node)) for argument in node.arguments if argument.node is not base
    ]
    text = _call_text(state, node, of_torch=of_torch)
    request = operation.read(function.name, arguments, node.span, text, of_torch=of_torch)
    return _operated(state, node, base, source, request, rule)


def _lacking(state: Evaluation, base: Node, function: Attribute, *, of_torch: bool) -> RaisedError:
    """Return NumPy's error for a function that it lacks; it looks for ``np.f`` first, for ``x.f`` after ``x``."""
    if of_torch:
        words = f"module 'numpy' has no attribute '{function.name}'"
        return RaisedError(function.name_span, "AttributeError", words)
    source = _tensor(state, base)
    return _no_attribute(source, function)


def _input_of(state: Evaluation, node: Call, function: Attribute) -> Node:
    """Find the tensor among the arguments of ``torch.f``."""
    for place, argument in enumerate(node.arguments):
        if argument.keyword in ("input", "x", "a") or (place == 0 and not argument.keyword):
            return argument.node
    raise refusal(state.expr, node.span, f"torch.{function.name}() needs a tensor as its first argument")


def _call_text(state: Evaluation, node: Call, *, of_torch: bool) -> str:
    if of_torch or not isinstance(node.function, Attribute):
        return state.text(node)
    return state.expr[node.function.name_span[0] - 1 : node.span[1]]


def _operated(
    state: Evaluation, node: Call, base: Node, source: Tensor | Pair, request: Request, rule: Rule
) -> Tensor | Pair:
    text = state.text(node)
    if isinstance(source, Pair):
        raise _no_tensor(source, request, base)
    done = rule(source, request, len(state.stages))
    labels = label_reduced(source.labels, done)
    result: Tensor | Pair = Tensor(done.shape, done.dtype, text, scalar=done.scalar and not done.shape, labels=labels)
    if done.pair:
        values = Tensor(done.shape, done.dtype, text, labels=labels)
        result = Pair(values, Tensor(done.shape, "int64", text, labels=labels), request.name)
    _note(state, Stage(state.text(base), text, source, done, result))
    return result


def _no_tensor(pair: Pair, request: Request, base: Node) -> RaisedError:
    """Return PyTorch's error for a call of the pair that a function returned."""
    if not request.of_torch:
        words = f"'torch.return_types.{pair.function}' object has no attribute '{request.name}'"
        return RaisedError(request.span, "AttributeError", words)
    if request.name == "norm":
        # It is Python, and asks for the layout first.
        words = f"'torch.return_types.{pair.function}' object has no attribute 'layout'"
        return RaisedError(base.span, "AttributeError", words)
    words = f"{request.name}(): argument 'input' (position 1) must be Tensor, not torch.return_types.{pair.function}"
    return RaisedError(base.span, "TypeError", words)


def _item(state: Evaluation, node: Node) -> Item:
    text = state.text(node)
    return Item(_value(state, node), text, node.span)


def _value(state: Evaluation, node: Node) -> Value:
    match node:
        case Constant(value):
            return ELLIPSIS if isinstance(value, str) else value
        case Name(name) if not isinstance(state.bindings[name], Tensor):
            return _respanned(state.bindings[name], state.text(node), node.span)
        case Sequence(items, is_tuple):
            return Listed(tuple(_item(state, item) for item in items), is_tuple)
        case Slice(bounds):
            return _slice(state, node, bounds)
        case Call(Name("slice"), arguments) if "slice" not in state.bindings:
            return _slice_call(state, node, [argument.node for argument in arguments if not argument.keyword])
        case _:
            return _indexable(state, node)


def _indexable(state: Evaluation, node: Node) -> Value:
    """Evaluate a tensor in an index; a pair is a tuple there."""
    result = _tensor(state, node)
    if isinstance(result, Tensor):
        return result
    text = state.text(node)
    return Listed((Item(result.values, text, node.span), Item(result.indices, text, node.span)), is_tuple=True)


def _respanned(value: Value, text: str, span: Span) -> Value:
    """Let the parts of a bound literal point to the name that stands for it."""
    if not isinstance(value, Listed):
        return value
    items = (Item(_respanned(item.value, text, span), text, span) for item in value.items)
    return Listed(tuple(items), value.is_tuple)


def _slice_call(state: Evaluation, node: Call, nodes: list[Node]) -> SliceBounds:
    if len(nodes) != len(node.arguments) or not 1 <= len(nodes) <= 3:  # noqa: PLR2004 - start, stop, step
        raise refusal(state.expr, node.span, "slice() takes one to three numbers")
    first, second, third = ([None, *nodes] if len(nodes) == 1 else [*nodes, None, None])[:3] + [None] * (
        len(nodes) == 1
    )
    return _slice(state, node, (first, second, third))


def _slice(state: Evaluation, node: Node, bounds: tuple[Node | None, Node | None, Node | None]) -> SliceBounds:
    start, stop, step = (None if bound is None else _bound(state, bound) for bound in bounds)
    if step is not None and abs(step) >= _MAX_STEP:
        raise refusal(state.expr, node.span, f"a step of {step} is larger than 2^31 - 1")
    return SliceBounds(start, stop, step)


def _bound(state: Evaluation, node: Node) -> int | None:
    value = _inside(state, node).value
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
