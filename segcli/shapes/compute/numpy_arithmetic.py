"""NumPy's operators and functions of two operands (NumPy 2.4), errors included."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.elementwise import MARKS, SWAPPED, Binary, computed
from segcli.shapes.compute.promotion import (
    explain_dtype,
    is_integral,
    is_number,
    mixes,
    numpy_dtype,
    refuse_out_of_bounds,
)
from segcli.shapes.compute.single import UNCOERCED
from segcli.shapes.compute.strangers import python_name
from segcli.shapes.computed import Computed
from segcli.shapes.operands import as_array
from segcli.shapes.values import (
    FLOATING,
    INTEGER,
    NUMPY_INTEGER,
    Item,
    Listed,
    Parts,
    RaisedError,
    Tensor,
    type_name,
)

# What a Python object of a dtype is.
PYTHON_NAMES = {"bool": "bool", **dict.fromkeys(NUMPY_INTEGER, "int"), **dict.fromkeys(FLOATING, "float")}
_KEYWORDS = ("input", "other", "exponent")
NO_LOOP = "ufunc '{ufunc}' did not contain a loop with signature matching types ({types}) -> None"
_TIMES_TEXT = (
    "The 'out' kwarg is necessary when using the string multiply ufunc directly. Use numpy.strings.multiply to "
    "multiply strings without specifying 'out'."
)
_BOOL_SUBTRACT = (
    "numpy boolean subtract, the `-` operator, is not supported, use the bitwise_xor, the `^` operator, or the "
    "logical_xor function instead."
)


def apply_numpy(call: Call, function: Binary) -> Computed:
    """Apply an operator, or call a function, as NumPy does.

    Raises:
        RaisedError: As NumPy, or Python, would raise.
        SegcliError: For arrays of objects, and sequences that are repeated.
    """
    items = [item for _, item in call.arguments] if call.space == "operator" else _read(call, function)
    if function.ufunc == "multiply" and call.space == "operator":
        _refuse_repeating(items)
    nested = any(isinstance(item.value, Listed | Parts) for item in items)
    items = [_array(item) for item in items]
    if call.space == "operator" and call.name in SWAPPED and not isinstance(call.arguments[0][1].value, Tensor):
        # What is no array leaves the comparison to the array, which turns it round.
        items.reverse()
        function = MARKS[SWAPPED[call.name]]
    if not all(isinstance(item.value, Tensor) or is_number(item.value) for item in items):
        return _of_objects(call, items, function)
    made = _compute(call, items, function)
    # A list of lists takes no index of several coordinates.
    return replace(made, formula=None) if nested else made


def _read(call: Call, function: Binary) -> list[Item]:
    """Read the operands of a function."""
    positional = [item for keyword, item in call.arguments if not keyword]
    for keyword, item in call.arguments:
        if keyword == "out" and item.value is None:
            continue
        if keyword in _KEYWORDS:
            positional.append(item)
        elif keyword:
            words = f"{function.ufunc}() got an unexpected keyword argument '{keyword}'"
            raise RaisedError(item.span, "TypeError", words)
    if len(positional) == 3 and not isinstance(positional[2].value, Tensor):  # noqa: PLR2004 - two operands, and out
        raise RaisedError(positional[2].span, "TypeError", "return arrays must be of ArrayType")
    if len(positional) != 2:  # noqa: PLR2004 - two operands
        count = len(positional)
        given = f"{count} {'was' if count == 1 else 'were'} given"
        words = f"{function.ufunc}() takes from 2 to 3 positional arguments but {given}"
        raise RaisedError(call.span, "TypeError", words)
    return positional


def _array(item: Item) -> Item:
    """Make an array of a list, as NumPy does."""
    value = item.value
    if isinstance(value, Parts):
        tensors = value.tensors()
        if tensors is None:
            message = f"how many arrays {value.function}() returns is not known"
            raise SegcliError(message)
        value = Listed(tuple(Item(tensor, item.text, item.span) for tensor in tensors))
    if not isinstance(value, Listed):
        return item
    array = as_array(Item(value, item.text, item.span))
    return Item(array, item.text, item.span)


def _refuse_repeating(items: Sequence[Item]) -> None:
    """Look out for ``[1, 2] * n``, which repeats the list, and ``'a' * n``, where ``n`` is no array."""
    for one, other in (items, items[::-1]):
        value = other.value
        if not isinstance(one.value, Listed | str) or not isinstance(value, Tensor) or value.shape:
            continue
        if isinstance(one.value, str) and not value.scalar:
            # Of a text NumPy makes an array too.
            continue
        if value.dtype in NUMPY_INTEGER:
            message = (
                f"{one.text} times a single integer repeats the list: how long it gets, the value of {other.text} says"
            )
            raise SegcliError(message, hint="for arithmetic, make an array of the list")
        if value.scalar:
            words = f"can't multiply sequence by non-int of type 'numpy.{value.dtype}'"
            raise RaisedError(other.span, "TypeError", words)


def _of_text(call: Call, items: Sequence[Item], function: Binary) -> RaisedError:
    """Return the error for a text, of which NumPy makes an array as well."""
    text = next(item for item in items if isinstance(item.value, str))
    dtypes = [None if item is text else _dtype(item) for item in items]
    other = items[1].value
    if call.space == "operator" and call.name == "+" and isinstance(other, Tensor) and other.scalar:
        # A text in front has the operator itself.
        words = f'can only concatenate str (not "numpy.{other.dtype}") to str'
        return RaisedError(items[1].span, "TypeError", words)
    if function.ufunc == "multiply" and any(dtype in NUMPY_INTEGER for dtype in dtypes):
        return RaisedError(text.span, "TypeError", _TIMES_TEXT)
    if function.ufunc in ("logical_and", "logical_or", "logical_xor"):
        message = f"{function.ufunc} of a text is not supported"
        raise SegcliError(message)
    if function.kind == "truth":
        types = ", ".join(f"<class 'numpy.dtypes.{_class_name(dtype)}DType'>" for dtype in dtypes)
    elif function.ufunc in ("add", "subtract", "multiply", "maximum", "minimum"):
        types = ", ".join(f"dtype('{dtype or f'<U{max(len(str(text.value)), 1)}'}')" for dtype in dtypes)
    else:
        return RaisedError(call.span, "TypeError", UNCOERCED.format(ufunc=function.ufunc))
    return RaisedError(text.span, "UFuncTypeError", NO_LOOP.format(ufunc=function.ufunc, types=types))


def _class_name(dtype: str | None) -> str:
    return "Str" if dtype is None else dtype.capitalize().replace("Uint", "UInt")


def _dtype(item: Item) -> str:
    return item.value.dtype if isinstance(item.value, Tensor) else numpy_dtype([item.value])


def _of_objects(call: Call, items: Sequence[Item], function: Binary) -> Computed:
    """Compute with what NumPy makes an array of objects, or of text, of."""
    stranger, tensor = items if isinstance(items[1].value, Tensor) else items[::-1]
    together = broadcast_operands(call, items, "numpy")
    is_text = isinstance(stranger.value, str)
    equality = function.ufunc in ("equal", "not_equal")
    compares = function.kind == "truth" and function.takes == "second"
    if isinstance(tensor.value, Tensor) and tensor.value.dtype in function.lacking and _is_single(call, function):
        raise no_operand(call, items)
    if is_text and not (equality and call.space == "operator"):
        raise _of_text(call, items, function)
    if (
        equality
        and call.space == "operator"
        and not is_text
        and isinstance(tensor.value, Tensor)
        and tensor.value.scalar
    ):
        # A scalar has no answer, so that Python gives its own.
        return Computed(function.ufunc == "not_equal", together.inputs, together.steps)
    if equality or (compares and 0 in together.shape):
        return computed(call, together, "bool", "", rules=frozenset({"compared-with-a-stranger"}), scalar=True)
    if 0 in together.shape or (function.kind == "truth" and not compares):
        message = f"{function.ufunc} of {stranger.text} gives an array of objects, which is not supported"
        raise SegcliError(message)
    names = [PYTHON_NAMES.get(_dtype(item), "complex") if item is tensor else python_name(item.value) for item in items]
    mark = next((mark for mark, each in MARKS.items() if each.ufunc == function.ufunc), function.ufunc)
    if function.ufunc in ("maximum", "minimum"):
        mark, compares = (">=" if function.ufunc == "maximum" else "<="), True
    words = f"'{mark}' not supported between instances of '{names[0]}' and '{names[1]}'"
    if not compares:
        shown = "** or pow()" if mark == "**" else mark
        words = f"unsupported operand type(s) for {shown}: '{names[0]}' and '{names[1]}'"
    raise RaisedError(stranger.span, "TypeError", words)


def _compute(call: Call, items: Sequence[Item], function: Binary) -> Computed:
    values = [item.value for item in items]
    common = numpy_dtype(values)
    if common in function.lacking:
        raise _unsupported(call, function)
    if function.ufunc == "subtract" and common == "bool":
        raise RaisedError(call.span, "TypeError", _BOOL_SUBTRACT)
    squared = function.ufunc == "power" and _is_squared(call, items)
    if function.kind == "common":
        refuse_out_of_bounds(items, common)
    together = broadcast_operands(call, items, "numpy")
    if function.ufunc == "power" and 0 not in together.shape:
        _refuse_negative(items[1], common)
    dtype, why = common, explain_dtype(items, common, "numpy")
    rules = mixes(items)
    if function.kind == "truth":
        dtype, why = "bool", ""
    elif function.kind == "quotient" and is_integral(common):
        dtype, why = "float64", f"the quotient of {common} is float64"
        rules |= {"default-float"}
    elif function.wide and (common == "bool" or squared):
        dtype, why = "int8", "NumPy has no such operation of bools and takes int8"
        rules |= {"bool-as-int8"}
    return computed(call, together, dtype, function.body, why=why, rules=rules, scalar=True)


def _is_squared(call: Call, items: Sequence[Item]) -> bool:
    """Tell whether ``**`` is a square of bools, for which NumPy has a way of its own."""
    base, exponent = items
    return (
        call.space == "operator"
        and isinstance(base.value, Tensor)
        and not base.value.scalar
        and base.value.dtype == "bool"
        and isinstance(exponent.value, int)
        and exponent.value == 2  # noqa: PLR2004 - a square
    )


def _unsupported(call: Call, function: Binary) -> RaisedError:
    if _is_single(call, function):
        return no_operand(call, [item for _, item in call.arguments])
    return RaisedError(call.span, "TypeError", UNCOERCED.format(ufunc=function.ufunc))


def _is_single(call: Call, function: Binary) -> bool:
    """Tell whether a division is one of scalars, in which no array has a say."""
    if call.space != "operator" or not function.wide or function.ufunc not in ("floor_divide", "remainder"):
        return False
    return not any(isinstance(item.value, Tensor) and not item.value.scalar for _, item in call.arguments)


def no_operand(call: Call, items: Sequence[Item]) -> RaisedError:
    """Return Python's error for two of which none has the operator."""
    names = [f"numpy.{item.value.dtype}" if isinstance(item.value, Tensor) else type_name(item.value) for item in items]
    words = f"unsupported operand type(s) for {call.name}: '{names[0]}' and '{names[1]}'"
    return RaisedError(call.span, "TypeError", words)


def _refuse_negative(item: Item, common: str) -> None:
    """Refuse integers to the power of what is known to be negative."""
    if common not in INTEGER:
        return
    value = item.value
    known = (value.values or ()) if isinstance(value, Tensor) else (value,)
    if any(isinstance(each, int) and each < 0 for each in known):
        words = "Integers to negative integer powers are not allowed."
        raise RaisedError(item.span, "ValueError", words)
