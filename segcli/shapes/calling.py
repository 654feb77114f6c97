"""Evaluates calls: of functions, methods and layers."""

from dataclasses import replace
from typing import cast

from segcli.shapes.attributes import no_attribute, unsupported
from segcli.shapes.calls import Layer, Operation
from segcli.shapes.finish import finish
from segcli.shapes.kinds import SCALARS
from segcli.shapes.operations import BUILTINS, MATH, find_operation, find_space
from segcli.shapes.slicing import call_slice
from segcli.shapes.stages import Done, Evaluation
from segcli.shapes.text.nodes import Attribute, Name, Node, Starred
from segcli.shapes.text.nodes import Call as CallNode
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import Item, Listed, RaisedError, Tensor, Value, type_name
from segcli.shapes.walking import make_call, read_item, read_items, read_tensor, run, visit


def visit_call(state: Evaluation, node: CallNode) -> Value | Layer:
    """Evaluate a call: what it gives, or a layer that is made."""
    function = node.function
    if not isinstance(function, Attribute):
        return _plain_call(state, node, function)
    space = find_space(function.base, state.bindings)
    if space == "math":
        return _of_math(state, node, function)
    operation = find_operation(space or "method", function.name)
    if operation is None:
        unsupported(state, function, (space or "method",))
    arguments = _owner(state, node, function, operation) if space is None else []
    if space is not None and state.library.name == "numpy" and operation.numpy is None:
        _lack(state, operation, function)
        words = f"module 'numpy' has no attribute '{function.name}'"
        raise RaisedError(function.name_span, "AttributeError", words)
    if space == "nn" and function.name == "Sequential":
        return _chain(state, node, operation)
    arguments += _given(state, node)
    if space == "nn":
        return Layer(make_call(state, "nn", function.name, arguments, node), operation)
    do = _change if function.name.endswith("_") else run
    return do(state, operation, space or "method", function.name, arguments, node)


def _plain_call(state: Evaluation, node: CallNode, function: Node) -> Value:
    """Evaluate a call of what stands without a module: a function of Python, or a layer."""
    if isinstance(function, CallNode):
        return _applied(state, node, function)
    if isinstance(function, Name) and function.name not in state.bindings:
        if function.name == "slice":
            return call_slice(state, node, [argument.node for argument in node.arguments if not argument.keyword])
        if function.name in BUILTINS:
            return _of_python(state, node, function.name)
    name = state.text(function)
    message = f"{name[:40]} is not a function that is supported"
    # Most functions stand in a module.
    from segcli.shapes.hints import hint_for_function

    raise refusal(state.expr, function.span, message, hint_for_function(name))


def _change(
    state: Evaluation, operation: Operation, space: str, name: str, arguments: list[tuple[str, Item]], node: CallNode
) -> Value:
    """Let a method change its tensor; that it reads what it writes, PyTorch sees before shapes and dtypes."""
    # Most methods make a new tensor.
    from segcli.shapes.select.overlapping import SCATTERED_LATER, SEEN_LATER, check_method

    try:
        value = run(state, operation, space, name, arguments, node)
    except RaisedError as error:
        later = SCATTERED_LATER if name.startswith(("scatter", "index_add")) else SEEN_LATER
        if any(words in error.message for words in later) and not name.startswith(("index_fill", "fill")):
            check_method(state, name, arguments)
        raise
    check_method(state, name, arguments)
    return value


def _given(state: Evaluation, node: CallNode) -> list[tuple[str, Item]]:
    """Evaluate the arguments of a call."""
    given = []
    for argument in node.arguments:
        if isinstance(argument.node, Starred):
            given += [("", item) for item in read_items(state, [argument.node])]
        else:
            given.append((argument.keyword, read_item(state, argument.node)))
    return given


def _chain(state: Evaluation, node: CallNode, operation: Operation) -> Layer:
    """Make ``nn.Sequential`` of layers."""
    layers = []
    for argument in node.arguments:
        given = argument.node
        named = isinstance(given, CallNode) and isinstance(given.function, Name)
        if argument.keyword or named or isinstance(given, Starred):
            hint = "write nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())"
            raise refusal(state.expr, argument.span, "nn.Sequential takes layers here, without names", hint)
        layer = visit(state, given)
        if not isinstance(layer, Layer):
            kind = f"torch.{SCALARS[layer.dtype]}Tensor" if isinstance(layer, Tensor) else type_name(layer)
            raise RaisedError(given.span, "TypeError", f"{kind} is not a Module subclass")
        layers.append(layer)
    return Layer(make_call(state, "nn", "Sequential", [], node), operation, tuple(layers))


def _of_python(state: Evaluation, node: CallNode, name: str) -> Value:
    """Evaluate a call of a function of Python, such as ``len(x)``."""
    # Most expressions have none.
    from segcli.shapes.python_functions import call_python

    return call_python(state, node, name)


def _of_math(state: Evaluation, node: CallNode, function: Attribute) -> Value:
    if function.name not in MATH:
        message = f"math.{function.name[:40]} is not supported"
        raise refusal(state.expr, function.name_span, message, f"math has {', '.join(sorted(MATH))} here")
    return _of_python(state, node, f"math.{function.name}")


def _owner(state: Evaluation, node: CallNode, function: Attribute, operation: Operation) -> list[tuple[str, Item]]:
    """Evaluate what a method belongs to: its first argument."""
    base = read_tensor(state, function.base)
    if state.library.name == "numpy" and operation.numpy is None:
        _lack(state, operation, function)
        raise no_attribute(base.value, function, state.library)
    if not isinstance(base.value, Tensor) and not _has_method(base.value, function.name):
        words = f"'{type_name(base.value)}' object has no attribute '{function.name}'"
        raise RaisedError(node.span, "AttributeError", words)
    return [("", base)]


def _has_method(value: Value, name: str) -> bool:
    """Tell whether what is no tensor has a method of a tensor."""
    return isinstance(value, Listed) and value.is_size and name == "numel"


def _applied(state: Evaluation, node: CallNode, function: CallNode) -> Value:
    """Apply a layer to a tensor."""
    layer = visit(state, function)
    if not isinstance(layer, Layer):
        raise RaisedError(function.span, "TypeError", f"'{type_name(layer)}' object is not callable")
    arguments = _given(state, node)
    if layer.layers is not None:
        from segcli.shapes.layer.chaining import MOST_LAYERS, applied, flat, named

        item = cast("Item", layer.operation.torch(make_call(state, "nn", "Sequential", arguments, node)))
        layers = list(flat(layer))
        if len(layers) > MOST_LAYERS:
            raise refusal(state.expr, function.span, f"more than {MOST_LAYERS} layers", "ask for a part of them")
        for each in layers:
            call = applied(each, item, len(state.stages))
            value = finish(state, call, cast("Done", named(call, each.operation.torch(call))))
            item = Item(value, call.result_text, call.span)
        return item.value
    call = replace(make_call(state, "nn", layer.call.name, arguments, node), layer=layer.call)
    return finish(state, call, cast("Done", layer.operation.torch(call)))


def _lack(state: Evaluation, operation: Operation, function: Attribute) -> None:
    state.lacking = f"NumPy has no {function.name}" + (f": {operation.advice}" if operation.advice else "")
