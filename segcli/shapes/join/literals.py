"""Tensors made of literals: ``torch.tensor([0, 2, 5])`` of PyTorch 2.13 and ``np.array`` of NumPy 2.4."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.join.making import asked_dtype, check_options
from segcli.shapes.operands import as_array
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    Item,
    Listed,
    Pair,
    Parts,
    RaisedError,
    Shape,
    Symbol,
    Tensor,
    Unknown,
    type_name,
)

_OPTIONS = {
    "tensor": Signatures((), ("*, dtype? dtype=, str? device=, bool? pin_memory=, bool? requires_grad=",)),
    "as_tensor": Signatures((), ("*, dtype? dtype=, str? device=",)),
}
# What an integer may be to be stored; one below 0 wraps round where the dtype has no sign.
_RANGES = {
    "uint8": (-255, 255),
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}
# In the order in which one takes in the others.
_KINDS = ("bool", "int64", "float32", "complex64")


def _read(call: Call) -> tuple[Item, dict[str, Given]]:
    """Return the data of a call, and its options.

    Raises:
        RaisedError: PyTorch's TypeError for any other arguments.
    """
    positional = [item for keyword, item in call.arguments if not keyword]
    named = [item for keyword, item in call.arguments if keyword == "data"]
    if len(positional) > 1:
        words = f"{call.name}() takes 1 positional argument but {len(positional)} were given"
        raise RaisedError(positional[1].span, "TypeError", words)
    if positional and named:
        raise RaisedError(named[0].span, "TypeError", f"{call.name}() got multiple values for argument 'data'")
    if not positional and not named:
        words = f'{call.name}() missing 1 required positional arguments: "data"'
        raise RaisedError(call.span, "TypeError", words)
    rest = tuple((keyword, item) for keyword, item in call.arguments if keyword not in ("", "data"))
    return (positional or named)[0], bind_call(replace(call, arguments=rest), _OPTIONS[call.name])


def _made(call: Call) -> Computed:
    item, bound = _read(call)
    _refuse_tensors(call, item)
    if isinstance(item.value, str):
        raise RaisedError(item.span, "TypeError", "new(): invalid data type 'str'")
    kinds = [_kind(leaf, typed="dtype" in bound) for leaf in _leaves(item)]
    shape = _shape(item)
    kinds += ["float32"] * _has_empty(item)
    dtype = asked_dtype(bound, max(kinds, key=_KINDS.index))
    # Where there is no element, PyTorch looks at no other row.
    values = [] if 0 in shape else _rows(call.name, item, shape, dtype)
    check_options(dtype, bound)
    return _holding(call, shape, dtype, values)


def _holding(call: Call, shape: Shape, dtype: str, values: list[float | None]) -> Computed:
    """Return a new tensor, its values where all of them are known."""
    known = tuple(value for value in values if value is not None)
    made = call.make(shape, dtype)
    return Computed(replace(made, values=known) if len(known) == len(values) else made, (), ())


def _refuse_tensors(call: Call, item: Item) -> None:
    if isinstance(item.value, Tensor | Pair | Parts):
        message = f"{call.name}() takes numbers and lists of them here, and {item.text} is a tensor already"
        raise SegcliError(message, hint=f"write {item.text}.clone(), or {item.text} itself")
    if isinstance(item.value, Listed):
        for each in item.value.items:
            if isinstance(each.value, Tensor | Pair | Parts):
                message = f"{call.name}() takes numbers and lists of them here, and {each.text} is a tensor"
                raise SegcliError(message, hint="write torch.stack([x, y])")
            _refuse_tensors(call, each)


def _shape(item: Item) -> tuple[int, ...]:
    """Return the shape of nested lists: that of the first rows, which the others must have."""
    sizes: list[int] = []
    value = item.value
    while isinstance(value, Listed):
        sizes.append(len(value.items))
        value = value.items[0].value if value.items else None
    return tuple(sizes)


def _rows(name: str, item: Item, sizes: tuple[int, ...], dtype: str, dim: int = 0) -> list[float | None]:
    """Return the numbers row by row, as they are stored.

    Raises:
        RaisedError: As PyTorch would raise, where rows are not of one length.
    """
    value = item.value
    if dim == len(sizes):
        if isinstance(value, Listed):
            message = f"numbers and lists stand side by side in what {name}() takes, which is not supported"
            raise SegcliError(message, hint="write rows of one length")
        return [_stored(item, dtype)]
    if not isinstance(value, Listed):
        raise RaisedError(item.span, "TypeError", "not a sequence")
    if len(value.items) != sizes[dim]:
        words = f"expected sequence of length {sizes[dim]} at dim {dim} (got {len(value.items)})"
        raise RaisedError(item.span, "ValueError", words)
    return [number for each in value.items for number in _rows(name, each, sizes, dtype, dim + 1)]


def _leaves(item: Item) -> Iterator[Item]:
    if isinstance(item.value, Listed):
        for each in item.value.items:
            yield from _leaves(each)
    else:
        yield item


def _has_empty(item: Item) -> bool:
    """Tell whether a list holds nothing, which PyTorch takes for floats."""
    value = item.value
    return isinstance(value, Listed) and (not value.items or any(map(_has_empty, value.items)))


def _kind(leaf: Item, *, typed: bool) -> str:
    """Return the dtype that holds a number.

    Raises:
        RaisedError: As PyTorch would raise, of what is none.
    """
    value = leaf.value
    if isinstance(value, bool) or (isinstance(value, Unknown) and value.kind == "bool"):
        return "bool"
    if isinstance(value, int | Symbol) or (isinstance(value, Unknown) and value.kind == "int"):
        return "int64"
    if isinstance(value, float | Unknown):
        return "complex64" if isinstance(value, Unknown) and value.kind == "complex" else "float32"
    if typed or isinstance(value, str):
        message = f"{leaf.text} is no number, as what a tensor is made of must be here"
        raise SegcliError(message, hint="write numbers")
    raise RaisedError(leaf.span, "RuntimeError", f"Could not infer dtype of {type_name(value)}")


def _stored(leaf: Item, dtype: str) -> float | None:
    """Return a number as a dtype holds it, None where it is not known.

    Raises:
        RaisedError: PyTorch's RuntimeError for one that it does not hold.
    """
    value = leaf.value
    if not isinstance(value, int | float):
        return None
    if dtype == "bool":
        return bool(value)
    if dtype in (*FLOATING, *COMPLEX):
        return value if dtype in FLOATING else None
    low, high = _RANGES[dtype]
    if not math.isfinite(value) or not low <= int(value) <= high:
        words = f"value cannot be converted to type {dtype} without overflow"
        raise RaisedError(leaf.span, "RuntimeError", words)
    return int(value) % 256 if dtype == "uint8" else int(value)


_ONLY_OF_TORCH = {"tensor": ("requires_grad", "pin_memory", "device"), "as_tensor": ()}


def _made_numpy(call: Call) -> Computed:
    item, bound = _read(call)
    _refuse_tensors(call, item)
    odd = next((name for name in _ONLY_OF_TORCH[call.name] if name in bound), None)
    if odd:
        words = f"{'array' if call.name == 'tensor' else 'asarray'}() got an unexpected keyword argument '{odd}'"
        raise RaisedError(bound[odd].item.span, "TypeError", words)
    if any(isinstance(leaf.value, str) for leaf in _leaves(item)):
        message = "arrays of texts are not supported"
        raise SegcliError(message)
    array = as_array(item)
    dtype = asked_dtype(bound, array.dtype)
    if dtype == "bfloat16":
        raise RaisedError(bound["dtype"].item.span, "TypeError", "data type 'bfloat16' not understood")
    values = [_stored_numpy(leaf, dtype) for leaf in _leaves(item)]
    return _holding(call, array.shape, dtype, values)


def _stored_numpy(leaf: Item, dtype: str) -> float | None:
    value: Any = leaf.value
    if not isinstance(value, int | float):
        return None
    if dtype not in _RANGES:
        return bool(value) if dtype == "bool" else None if dtype in COMPLEX else value
    low, high = (0, 255) if dtype == "uint8" else _RANGES[dtype]
    if isinstance(value, int) and not low <= value <= high:
        raise RaisedError(leaf.span, "OverflowError", f"Python integer {value} out of bounds for {dtype}")
    if not math.isfinite(value) or not low <= value <= high:
        message = f"what NumPy makes of {value} as {dtype} is not supported"
        raise SegcliError(message)
    return int(value)


OPERATIONS = {
    "tensor": Operation(_made, _made_numpy, read_as="np.array"),
    "as_tensor": Operation(_made, _made_numpy, read_as="np.asarray"),
}
