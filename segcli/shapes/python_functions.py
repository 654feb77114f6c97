"""What functions of Python give: ``len``, ``int``, ``min``, ``math.sqrt`` and the like, of numbers, sizes, tensors.

Of numbers that are known the functions themselves are asked; what hangs on sizes that are not known stays a symbol.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, cast

from segcli.errors import SegcliError
from segcli.shapes.operations import operation_of
from segcli.shapes.stages import Evaluation
from segcli.shapes.symbols import is_at_least, product
from segcli.shapes.text.nodes import Call, Starred
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import (
    INTEGER,
    Item,
    Listed,
    Pair,
    Parts,
    RaisedError,
    Size,
    Symbol,
    Tensor,
    Unknown,
    Value,
    type_name,
)
from segcli.shapes.walking import read_item, read_items, run

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in (abs, float, int, len, list, max, min, tuple)},
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "exp", "floor", "log", "log2", "prod", "sqrt")},
}
_OF_ONE = ("float", "int", "math.ceil", "math.exp", "math.floor", "math.log", "math.log2", "math.sqrt")
_WHOLE = ("int", "math.ceil", "math.floor")
_LARGEST = 2**63
# Python's messages name the type of a shape.
_SIZES = type("torch.Size", (tuple,), {})


def call_python(state: Evaluation, node: Call, name: str) -> Value:
    """Evaluate a call of a function of Python.

    Args:
        state: The walk.
        node: The call.
        name: The function: one of ``FUNCTIONS``.

    Raises:
        RaisedError: As Python, or the library of a tensor, would raise.
        SegcliError: For what is not known, and what is not supported.
    """
    items: list[Item] = []
    for argument in node.arguments:
        if argument.keyword:
            raise refusal(state.expr, argument.span, f"{name}() takes no {argument.keyword}= here")
        several = isinstance(argument.node, Starred)
        items += read_items(state, [argument.node]) if several else [read_item(state, argument.node)]
    values = [item.value for item in items]
    if len(items) == 1 and isinstance(values[0], Tensor):
        return _of_tensor(state, node, name, items[0], values[0])
    if name == "len" and len(items) == 1 and isinstance(values[0], Pair | Parts):
        return _as_value(values[0].count if isinstance(values[0], Parts) else 2)
    flat = [item.value for value in values for item in (value.items if isinstance(value, Listed) else ())]
    several = isinstance(values[0] if values else None, Pair) and name in _COPYING
    if several or (name not in ("len", *_COPYING) and any(map(_holds_tensors, (*values, *flat)))):
        raise refusal(state.expr, node.span, f"{name}() takes numbers here", _HINTS.get(name, "write torch.stack(...)"))
    if name in _COPYING and len(items) == 1 and isinstance(values[0], Parts):
        return replace(values[0], is_tuple=name == "tuple")
    if name in _COPYING and len(items) == 1 and isinstance(values[0], Listed):
        return replace(values[0], is_tuple=name == "tuple", is_size=False)
    if name != "len" and any(isinstance(value, Symbol | Unknown) for value in (*values, *flat)):
        return _untold(state, node, name, values[0].items if isinstance(values[0], Listed) else items)
    return _computed(state, node, name, values)


def _holds_tensors(value: Value) -> bool:
    return isinstance(value, Tensor | Pair | Parts)


_COPYING = ("list", "tuple")
_HINTS = {"max": "write torch.maximum(x, y)", "min": "write torch.minimum(x, y)"}


def _computed(state: Evaluation, node: Call, name: str, values: Sequence[Value]) -> Value:
    """Ask the function itself, of numbers, texts and lists of them."""
    try:
        made = FUNCTIONS[name](*map(_python_value, values))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise RaisedError(node.span, type(error).__name__, str(error)) from error
    if isinstance(made, int | float) and not (isinstance(made, int) and abs(made) > _LARGEST):
        return cast("Value", made)
    if isinstance(made, tuple | list) and not made:
        return Listed((), isinstance(made, tuple))
    raise refusal(state.expr, node.span, f"what {name}() gives is no number here")


def _python_value(value: Value) -> object:
    """Return what a value is in Python, as far as the functions here look at it."""
    if isinstance(value, Listed):
        items = [_python_value(item.value) for item in value.items]
        return (_SIZES if value.is_size else tuple)(items) if value.is_tuple else items
    return value


def _of_tensor(state: Evaluation, node: Call, name: str, item: Item, tensor: Tensor) -> Value:
    if name == "abs":
        return run(state, operation_of("method", "abs"), "method", "abs", [("", item)], node)
    if name == "len":
        return _as_value(_length(state, item, tensor))
    if name not in _OF_ONE:
        raise refusal(state.expr, node.span, f"{name}() of a tensor is not supported", _OF_TENSOR.get(name, ""))
    _check_one(state, item, tensor)
    if tensor.values is not None:
        return _computed(state, node, name, tensor.values)
    whole = name in _WHOLE
    if whole and tensor.dtype in INTEGER and name != "int":
        return Symbol(item.text)
    return Symbol(state.text(node)) if whole else Unknown("float")


_OF_TENSOR = {
    "max": "write x.max()",
    "min": "write x.min()",
    "list": "write x.unbind(0)",
    "tuple": "write x.unbind(0)",
    "math.prod": "write x.prod()",
}


def _length(state: Evaluation, item: Item, tensor: Tensor) -> Size:
    if tensor.shape:
        return tensor.shape[0]
    words = "len() of a 0-d tensor"
    if state.library.name == "numpy":
        words = f"object of type 'numpy.{tensor.dtype}' has no len()" if tensor.scalar else "len() of unsized object"
    raise RaisedError(item.span, "TypeError", words)


def _check_one(state: Evaluation, item: Item, tensor: Tensor) -> None:
    """Refuse a tensor that is no single number: of one element in PyTorch, of no axes in NumPy."""
    if state.library.name == "numpy":
        if tensor.shape:
            words = "only 0-dimensional arrays can be converted to Python scalars"
            raise RaisedError(item.span, "TypeError", words)
        return
    count = product(tensor.shape)
    if isinstance(count, int) and count != 1:
        words = "only one element tensors can be converted to Python scalars"
        raise RaisedError(item.span, "ValueError", words)
    if isinstance(count, str):
        state.needs.append(f"{count} == 1")


def _untold(state: Evaluation, node: Call, name: str, items: Sequence[Item]) -> Value:
    """Compute with numbers of which some are not known."""
    values = [item.value for item in items]
    odd = [value for value in values if not isinstance(value, int | float | Symbol | Unknown)]
    if odd:
        message = f"{name}() of a {type_name(odd[0])} beside sizes that are not known is not supported"
        raise SegcliError(message, hint="give the sizes numbers")
    sizes = [_size(value) for value in values]
    known = [size for size in sizes if size is not None]
    one = known[0] if len(known) == len(sizes) == 1 else None
    if name in ("max", "min") and len(known) == len(sizes):
        return _as_value(reduce(lambda left, right: _extreme(name, left, right), known))
    if name == "math.prod" and len(known) == len(sizes):
        return _as_value(product(known))
    if one is not None and name in _WHOLE:
        return _as_value(one)
    if name in _WHOLE or (name == "abs" and one is not None):
        return Symbol(state.text(node))
    return Unknown("float")


def _size(value: Value) -> Size | None:
    """Return a whole number, known or not; None for any other."""
    if isinstance(value, Symbol):
        return value.size
    return int(value) if isinstance(value, int) else None


def _extreme(name: str, one: Size, other: Size) -> Size:
    """Return the larger, or the smaller, of two sizes; both where neither is known to be it."""
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other) if name == "max" else min(one, other)
    if is_at_least(one, other):
        return one if name == "max" else other
    if is_at_least(other, one):
        return other if name == "max" else one
    # A number stands first, as in what slices make.
    first, second = (other, one) if isinstance(other, int) else (one, other)
    return f"{name}({first}, {second})"


def _as_value(size: Size) -> Value:
    return Symbol(size) if isinstance(size, str) else size
