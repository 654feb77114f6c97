"""What changes an array where it is, ``x += y`` and ``x[i] += y``, as NumPy 2.4 does it.

One element is a scalar, which nothing changes: the result is assigned. An array is changed by its ufunc, whose result
must be of the array's kind of numbers, or of a lower one (``same_kind``), and of its shape.
"""

from dataclasses import replace
from math import isinf, isnan, log2
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.compute.elementwise import MARKS
from segcli.shapes.compute.numpy_arithmetic import apply_numpy
from segcli.shapes.compute.promotion import bounds_of, is_number
from segcli.shapes.computed import Computed
from segcli.shapes.index.numpy_index import index_numpy
from segcli.shapes.operands import as_array
from segcli.shapes.select.numpy_assigning import assign_numpy
from segcli.shapes.select.placing import is_expanded
from segcli.shapes.select.updated import Update, read_update, refuse_growth, updated
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    INTEGER,
    NUMPY_INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Tensor,
    format_sizes,
)

_CAST = "Cannot cast ufunc '{ufunc}' output from dtype('{made}') to dtype('{own}') with casting rule 'same_kind'"
# Beyond every int64, whatever int64 is added.
_ANY_LONG = 2.0**64


def update_numpy(call: Call) -> Computed:
    """Change an array, or the place in it that an index names.

    Args:
        call: The target, the index if there is one, and the value.

    Raises:
        RaisedError: As NumPy would raise.
    """
    update = read_update(call, index_numpy)
    if update.tensor.scalar:
        return _assigned(call, update)
    target = cast("Tensor", update.target.value)
    if is_expanded(target.shape, target.strides):
        words = "assignment destination" if update.region.operands else "output array"
        raise RaisedError(update.target.span, "ValueError", f"{words} is read-only")
    value = update.value.value
    if not isinstance(value, Tensor | Listed | str) and not is_number(value):
        raise _uncast(update, "O")
    made = _made(call, update)
    refuse_growth(update, cast("Tensor", made.result).shape, _growth)
    return updated(call, replace(update, value=_array(update.value)), made)


def _array(value: Item) -> Item:
    return replace(value, value=as_array(value)) if isinstance(value.value, Listed) else value


def _made(call: Call, update: Update) -> Computed:
    """Return what the operator gives; the ufunc looks at dtypes before it broadcasts."""
    function = MARKS[update.mark]
    try:
        made = apply_numpy(update.operation(call), function=function)
    except RaisedError as error:
        if "string multiply" in error.message:
            raise _uncast(update, "<U21") from error
        if error.kind == "ValueError":
            alike = update.alike(_array(update.value).value)
            _check_cast(update, apply_numpy(update.operation(call, alike), function=function))
        if "could not be broadcast" in error.message:
            error.message += f"{format_sizes(update.tensor.shape).replace(' ', '')} "
        raise
    _check_cast(update, made)
    return made


def _check_cast(update: Update, made: Computed) -> None:
    dtype = cast("Tensor", made.result).dtype
    if _kind(dtype) > _kind(update.tensor.dtype):
        raise _uncast(update, dtype)


def _uncast(update: Update, dtype: str) -> RaisedError:
    words = _CAST.format(ufunc=MARKS[update.mark].ufunc, made=dtype, own=update.tensor.dtype)
    return RaisedError(update.value.span, "UFuncTypeError", words)


def _kind(dtype: str) -> int:
    """Return how high a kind of numbers is: to one that is lower, nothing is cast."""
    if dtype in (*FLOATING, *COMPLEX):
        return 3 + (dtype in COMPLEX)
    return 0 if dtype == "bool" else 1 + (not dtype.startswith("u"))


def _growth(own: Shape, shape: Shape) -> tuple[str, str]:
    place, together = (format_sizes(each).replace(" ", "") for each in (own, shape))
    words = f"non-broadcastable output operand with shape {place} doesn't match the broadcast shape {together}"
    return "ValueError", words


def _check_whole(update: Update, dtype: str) -> None:
    """Refuse a float that no integer is, as far as a number tells it whatever is there."""
    value = update.value.value
    if dtype not in FLOATING or not isinstance(value, int | float):
        return
    high = bounds_of(update.tensor.dtype)[1]
    if (isnan(value) and update.mark != "**") or (update.mark == "%" and value == 0):
        raise RaisedError(update.value.span, "ValueError", "cannot convert float NaN to integer")
    if update.mark in "+-" and isinf(value):
        raise RaisedError(update.value.span, "OverflowError", "cannot convert float infinity to integer")
    if update.mark in "+-" and abs(value) > _ANY_LONG:
        raise RaisedError(update.value.span, "OverflowError", "Python int too large to convert to C long")
    if not _is_moderate(update.mark, value, high):
        written = f"{update.place.text} {update.mark} {update.value.text}"
        message = f"whether NumPy can store {written} as {update.tensor.dtype} hangs on what is there"
        raise SegcliError(message, hint="make an array of floats first, with .astype(float)")


def _is_moderate(mark: str, value: float, high: int) -> bool:
    """Tell whether what an operator makes of most integers can be an integer up to ``high`` again."""
    match mark:
        case "**":
            return 0 <= value < log2(high)
        case "/" | "//":
            return abs(value) > 1 / high
        case "%":
            return value > -high
        case _:
            return abs(value) <= high


def _refuse_repeated(value: Item) -> None:
    """Refuse a sequence, which an integer repeats, and of which no integer can be made; of digits one can."""
    if isinstance(value.value, Listed):
        kind = "tuple" if value.value.is_tuple else "list"
        words = f"int() argument must be a string, a bytes-like object or a real number, not '{kind}'"
        raise RaisedError(value.span, "TypeError", words)
    if isinstance(value.value, str) and not any(character.isdigit() for character in value.value):
        words = f"invalid literal for int() with base 10: {value.value!r}"
        raise RaisedError(value.span, "ValueError", words)


def _assigned(call: Call, update: Update) -> Computed:
    """Compute with a scalar, and assign what comes out."""
    if update.mark == "*" and update.tensor.dtype in NUMPY_INTEGER:
        _refuse_repeated(update.value)
    made = apply_numpy(update.operation(call), function=MARKS[update.mark])
    # Bits of uint8 are cut off.
    if update.tensor.dtype in INTEGER and update.tensor.dtype != "uint8":
        _check_whole(update, cast("Tensor", made.result).dtype)
    result = Item(made.result, update.value.text, update.value.span)
    target, index, _ = (item for _, item in call.arguments)
    assign_numpy(replace(call, arguments=(("", target), ("", index), ("", result))))
    return updated(call, update, made)
