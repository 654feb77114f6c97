"""Assignment to an index as NumPy 2.4 does it (``array_assign_subscript`` of ``multiarray/mapping.c``).

A single element takes a scalar, a mask of the whole array a list of values, and anything else what broadcasts to it.
"""

from functools import partial
from math import isinf, isnan

from segcli.shapes.calls import Call
from segcli.shapes.compute.promotion import in_bounds
from segcli.shapes.computed import Computed
from segcli.shapes.index.numpy_index import index_numpy
from segcli.shapes.indexing import Indexing
from segcli.shapes.operands import as_array
from segcli.shapes.select.placing import (
    Assignment,
    assigned,
    fitting_needs,
    is_expanded,
    stripped,
    unfit_axes,
    writable,
)
from segcli.shapes.select.regions import find_region
from segcli.shapes.values import (
    COMPLEX,
    INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Symbol,
    Tensor,
    Unknown,
    format_sizes,
    type_name,
)

_SEQUENCE = "setting an array element with a sequence."
_BOOLEAN = "NumPy boolean array indexing assignment"


def assign_numpy(call: Call) -> Computed:
    """Write a value to the place that an index names.

    Args:
        call: The target, the index and the value.

    Raises:
        RaisedError: As NumPy would raise.
    """
    target, index, value = (item for _, item in call.arguments)
    tensor = writable(target)
    if is_expanded(tensor.shape, tensor.strides):
        raise RaisedError(target.span, "ValueError", "assignment destination is read-only")
    try:
        late_axis = partial(_is_late, index)
        region, late = find_region(
            index_numpy, tensor, index, call.stage, masks=("bool",), tuples=_is_tuple, late=late_axis
        )
    except RaisedError as error:
        if "indexing arrays" in error.message:
            # NumPy makes an array of the value before it broadcasts the index.
            _check_leaves(value, tensor.dtype)
        raise
    if region.scalar:
        _check_element(value, tensor.dtype)
        needs: list[str] = []
    else:
        value = _stored(value, tensor.dtype, region)
        needs = _check_fit(Assignment(target, value, region), index)
    if late is not None:
        raise late
    return assigned(call, Assignment(target, value, region), needs)


def _is_tuple(value: Listed) -> bool:
    return value.is_tuple


def _is_late(index: Item, error: RaisedError) -> bool:
    """Tell whether positions are out of range, and no integer, at which NumPy looks at once."""
    items = index.value.items if isinstance(index.value, Listed) and index.value.is_tuple else (index,)
    at = next((item.value for item in items if item.span == error.span), None)
    return "out of bounds" in error.message and (isinstance(at, Listed) or (isinstance(at, Tensor) and bool(at.shape)))


def _check_element(value: Item, dtype: str) -> None:
    """Refuse what cannot be one element; to a bool, any list is True or False."""
    given = value.value
    shape = given.shape if isinstance(given, Tensor) else ()
    if isinstance(given, Listed):
        if dtype == "bool":
            return
        if dtype not in (*INTEGER, *COMPLEX):
            raise RaisedError(value.span, "ValueError", _SEQUENCE)
        raise _no_number(value, dtype)
    if shape and dtype in COMPLEX:
        raise RaisedError(value.span, "TypeError", "only 0-dimensional arrays can be converted to Python scalars")
    if shape and (dtype != "bool" or set(shape) != {1}):
        raise RaisedError(value.span, "ValueError", _SEQUENCE)
    _check_leaf(value, dtype)


def _no_number(value: Item, dtype: str) -> RaisedError:
    """Return Python's error for what is no number."""
    name = type_name(value.value)
    words = f"float() argument must be a string or a real number, not '{name}'"
    if dtype in INTEGER:
        words = f"int() argument must be a string, a bytes-like object or a real number, not '{name}'"
    elif dtype in COMPLEX:
        words = f"must be real number, not {name}"
    return RaisedError(value.span, "TypeError", words)


def _stored(value: Item, dtype: str, region: Indexing) -> Item:
    """Return a value as the array that NumPy makes of it, a number as it is."""
    if not isinstance(value.value, Listed):
        _check_leaf(value, dtype)
        return value
    array = as_array(value)
    if not region.operands and len(array.shape) > len(region.shape):
        words = f"{_SEQUENCE} The requested array would exceed the maximum number of dimension of {len(region.shape)}."
        raise RaisedError(value.span, "ValueError", words)
    _check_leaves(value, dtype)
    return Item(array, value.text, value.span)


def _check_leaves(value: Item, dtype: str) -> None:
    for leaf in _leaves(value):
        _check_leaf(leaf, dtype)


def _leaves(value: Item) -> list[Item]:
    if isinstance(value.value, Listed):
        return [leaf for item in value.value.items for leaf in _leaves(item)]
    return [value]


def _check_leaf(leaf: Item, dtype: str) -> None:
    """Refuse what Python and NumPy do not convert to a dtype."""
    value = leaf.value
    if dtype == "bool" or isinstance(value, Tensor | Symbol | Unknown) or (value is None and dtype not in INTEGER):
        return
    if isinstance(value, str):
        _check_text(leaf, value, dtype)
    elif not isinstance(value, int | float):
        raise _no_number(leaf, dtype)
    elif dtype in INTEGER:
        _check_integer(leaf, value, dtype)


def _check_text(leaf: Item, value: str, dtype: str) -> None:
    convert = int if dtype in INTEGER else complex if dtype in COMPLEX else float
    try:
        convert(value)
    except ValueError as error:
        raise RaisedError(leaf.span, "ValueError", str(error)) from None


def _check_integer(leaf: Item, value: float, dtype: str) -> None:
    if isnan(value):
        raise RaisedError(leaf.span, "ValueError", "cannot convert float NaN to integer")
    if isinf(value):
        raise RaisedError(leaf.span, "OverflowError", "cannot convert float infinity to integer")
    whole = int(value)
    if not in_bounds(whole, "int64"):
        raise RaisedError(leaf.span, "OverflowError", "Python int too large to convert to C long")
    if not in_bounds(whole, dtype):
        raise RaisedError(leaf.span, "OverflowError", f"Python integer {whole} out of bounds for {dtype}")


def _check_fit(assignment: Assignment, index: Item) -> list[str]:
    """Check whether a value broadcasts to the place, or is a list of values for a mask of the whole array."""
    value, region = assignment.value, assignment.region
    shape = value.value.shape if isinstance(value.value, Tensor) else ()
    if _is_whole_mask(assignment, index):
        return _check_listed(value, shape, region.shape[0])
    short = stripped(shape)
    wrong = unfit_axes(short, region.shape)
    longer = len(short) > len(region.shape) and not any(isinstance(size, str) for size in short)
    if region.operands and 0 in short[len(short) - len(region.shape) :]:
        # Of nothing that is put nowhere, NumPy does not look at the axes in front.
        longer, short = False, short[len(short) - len(region.shape) :]
    if wrong or longer:
        given, place = (format_sizes(each).replace(" ", "") for each in (shape, region.shape))
        words = f"could not broadcast input array from shape {given} into shape {place}"
        if region.operands:
            words = f"value array of shape {given} could not be broadcast to indexing result of shape {place}"
            words = f"shape mismatch: {words}"
        raise RaisedError(value.span, "ValueError", words, wrong[-1] if wrong else None)
    return fitting_needs(short, region.shape)


def _is_whole_mask(assignment: Assignment, index: Item) -> bool:
    operands = assignment.region.operands
    alone = not isinstance(index.value, Listed) or not index.value.is_tuple or len(index.value.items) == 1
    target = writable(assignment.target)
    return alone and len(operands) == 1 and operands[0].kind != "positions" and operands[0].tensor.shape == target.shape


def _check_listed(value: Item, shape: Shape, count: Size) -> list[str]:
    """Check the values for a mask of the whole array: as many as it has True, or one."""
    if len(shape) > 1:
        words = f"{_BOOLEAN} requires a 0 or 1-dimensional input, input has {len(shape)} dimensions"
        raise RaisedError(value.span, "TypeError", words)
    if unfit_axes(shape, (count,)):
        words = f"{_BOOLEAN} cannot assign {shape[0]} input values to the {count} output values where the mask is true"
        raise RaisedError(value.span, "ValueError", words)
    return fitting_needs(shape, (count,))
