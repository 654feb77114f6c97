"""How PyTorch reads lists in an index (``python_variable_indexing.cpp`` and ``tensor_new.cpp`` of PyTorch 2.13)."""

from dataclasses import replace
from math import isfinite, prod

from segcli.shapes.symbols import refuse_unequal
from segcli.shapes.values import (
    Item,
    Listed,
    RaisedError,
    Size,
    SliceBounds,
    Span,
    Symbol,
    Tensor,
    Value,
    _Ellipsis,
    type_name,
)

# Longer lists were never taken for tuples: the heuristic is NumPy's of old.
LEGACY_LENGTH = 32

_INT64_END = 2.0**63
_MASKS = ("bool", "uint8")


def is_legacy_tuple(value: Listed) -> bool:
    """Tell whether PyTorch takes a list for a tuple of indices: a short one that holds anything but numbers."""
    if value.is_tuple or len(value.items) >= LEGACY_LENGTH:
        return False
    return any(
        item.value is None or isinstance(item.value, Listed | Tensor | SliceBounds | _Ellipsis) for item in value.items
    )


def holds_floats(value: Value) -> bool:
    """Tell whether a list holds floats, which PyTorch truncates."""
    if isinstance(value, Listed):
        return any(holds_floats(item.value) for item in value.items)
    return isinstance(value, float)


def tensor_from_list(item: Item, value: Listed) -> Tensor:
    """Make the tensor that PyTorch makes of a list: a mask of bools, else int64, floats truncated.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    dtype = _infer_dtype(value, item.span)
    kept = dtype if dtype in _MASKS else "int64"
    shape = _sizes(value)
    leaves: list[int | bool | None] = []
    if 0 not in shape:
        # With no element to store, PyTorch looks at none.
        _store(value, shape, 0, kept, leaves, item.span)
    if not any(leaf is None for leaf in leaves):
        return Tensor(shape, kept, item.text, values=tuple(leaf for leaf in leaves if leaf is not None))
    return Tensor(shape, kept, item.text)


def _infer_dtype(value: Value, span: Span) -> str:
    match value:
        case bool():
            return "bool"
        case int() | Symbol():
            return "int64"
        case float():
            return "float32"
        case Tensor():
            return value.dtype
        case Listed(items):
            dtypes = {_infer_dtype(item.value, span) for item in items} or {"float32"}
            if dtypes <= {"bool"}:
                return "bool"
            # Bool and uint8 promote to uint8; with anything else to something that is no mask.
            return "uint8" if dtypes <= set(_MASKS) else "int64"
        case _:
            raise RaisedError(span, "RuntimeError", f"Could not infer dtype of {type_name(value)}")


def _sizes(value: Value) -> tuple[int, ...]:
    """Follow the first items down, as PyTorch does; the others are checked when they are stored."""
    sizes: list[int] = []
    while isinstance(value, Listed):
        sizes.append(len(value.items))
        if not value.items:
            break
        value = value.items[0].value
    return tuple(sizes)


def _store(
    value: Value, sizes: tuple[int, ...], dim: int, dtype: str, leaves: list[int | bool | None], span: Span
) -> None:
    if dim == len(sizes):
        leaf = _whole_number(value, span)
        leaves.append(leaf if leaf is None or dtype != "bool" else bool(leaf))
        return
    length = _length(value)
    if length is None:
        raise RaisedError(span, "TypeError", "not a sequence")
    refuse_unequal([sizes[dim], length], "a list")
    if length != sizes[dim]:
        words = f"expected sequence of length {sizes[dim]} at dim {dim} (got {length})"
        raise RaisedError(span, "ValueError", words)
    for row in _rows(value, sizes[dim]):
        _store(row, sizes, dim + 1, dtype, leaves, span)


def _length(value: Value) -> Size | None:
    """Return the length of a sequence; a tensor is one of its rows."""
    if isinstance(value, Listed):
        return len(value.items)
    return value.shape[0] if isinstance(value, Tensor) and value.shape else None


def _rows(value: Value, count: int) -> list[Value]:
    if isinstance(value, Listed):
        return [item.value for item in value.items]
    return [_row(value, place) for place in range(count) if isinstance(value, Tensor)]


def _row(tensor: Tensor, place: int) -> Tensor:
    width = prod(size for size in tensor.shape[1:] if isinstance(size, int))
    values = None if tensor.values is None else tensor.values[place * width : (place + 1) * width]
    return replace(tensor, shape=tensor.shape[1:], values=values)


def _whole_number(value: Value, span: Span) -> int | None:
    match value:
        case Tensor():
            if _known_count(value) != 1 or value.dtype.startswith(("float", "bfloat", "complex")):
                words = "only integer tensors of a single element can be converted to an index"
                raise RaisedError(span, "TypeError", words)
            return None if value.values is None else int(value.values[0])
        case Symbol():
            return None
        case float():
            if not isfinite(value) or abs(value) >= _INT64_END:
                words = "value cannot be converted to type int64 without overflow"
                raise RaisedError(span, "RuntimeError", words)
            return int(value)
        case int():
            return int(value)
        case _:
            words = f"'{type_name(value)}' object cannot be interpreted as an integer"
            raise RaisedError(span, "TypeError", words)


def _known_count(tensor: Tensor) -> int:
    sizes = [size for size in tensor.shape if isinstance(size, int)]
    # A symbol may be 1, but nobody should count on it: taken for many.
    return prod(sizes) if len(sizes) == len(tensor.shape) else 2
