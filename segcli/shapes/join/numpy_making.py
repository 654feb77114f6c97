"""NumPy's functions that make arrays (NumPy 2.4), read from the calls that PyTorch's names make."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from segcli.errors import SegcliError
from segcli.shapes.answering import ITEM_BYTES
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step, broadcast_sizes
from segcli.shapes.integers import int_words, read_size
from segcli.shapes.join.ranges import count_steps, range_formula
from segcli.shapes.operands import as_array
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.values import (
    DTYPES,
    FLOATING,
    INTEGER,
    DType,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Symbol,
    Tensor,
    format_sizes,
    type_name,
)

_NAMES = {"size": "shape", "end": "stop", "input": "a"}
_ONLY_OF_TORCH = ("requires_grad", "layout", "pin_memory", "memory_format", "out")
_MAX_BYTES = 2**63


def _bind(call: Call, signature: str) -> dict[str, Given]:
    arguments = tuple((_NAMES.get(keyword, keyword), item) for keyword, item in call.arguments)
    return bind_python(replace(call, arguments=arguments), call.name, signature)


def _dtype(bound: dict[str, Given], default: str) -> str:
    given = bound.get("dtype")
    value = given.value if given else None
    if value is None or given is None:
        return default
    if isinstance(value, DType):
        if value.name == "bfloat16":
            raise RaisedError(given.item.span, "TypeError", "data type 'bfloat16' not understood")
        return value.name
    if isinstance(value, Tensor):
        raise RaisedError(given.item.span, "TypeError", "Cannot construct a dtype from an array")
    if isinstance(value, str) and value in DTYPES:
        return value
    if isinstance(value, str):
        message = f"{given.item.text} as a dtype is not supported"
        raise SegcliError(message, hint="write dtype=torch.int64")
    raise RaisedError(given.item.span, "TypeError", f"Cannot interpret '{given.item.text}' as a data type")


def _check_device(bound: dict[str, Given]) -> None:
    given = bound.get("device")
    if given is not None and given.value not in (None, "cpu"):
        words = f'Device not understood. Only "cpu" is allowed, but received: {given.value}'
        raise RaisedError(given.item.span, "ValueError", words)


def _shape(given: Given) -> Shape:
    item, value = given.item, given.value
    if value is None:
        raise RaisedError(item.span, "TypeError", "Use () not None as shape arguments")
    if isinstance(value, Tensor) and value.shape:
        return _of_array(item, value)
    items = value.items if isinstance(value, Listed) else (item,)
    for each in items:
        _check_size(each, alone=not isinstance(value, Listed))
    sizes = tuple(read_size(each) for each in items)
    if any(isinstance(size, int) and size < 0 for size in sizes):
        raise RaisedError(item.span, "ValueError", "negative dimensions are not allowed")
    return sizes


def _of_array(item: Item, value: Tensor) -> Shape:
    if value.dtype in FLOATING or len(value.shape) > 1 or value.dtype == "bool":
        words = "only integer scalar arrays can be converted to a scalar index"
        raise RaisedError(item.span, "TypeError", words)
    if value.values is None:
        message = f"the values of {item.text} are not known, and the shape of the result needs them"
        raise SegcliError(message, hint=f"bind {item.text} to a literal")
    return tuple(int(size) for size in value.values)


def _check_size(item: Item, *, alone: bool) -> None:
    value = item.value
    if isinstance(value, Tensor) and not value.shape and value.dtype not in (*FLOATING, "bool"):
        return
    if isinstance(value, int | Symbol) and not isinstance(value, bool):
        return
    if isinstance(value, str) or not alone:
        words = "an integer is required" if isinstance(value, bool) else int_words(value)
        raise RaisedError(item.span, "TypeError", words)
    words = f"expected a sequence of integers or a single integer, got '{item.text}'"
    raise RaisedError(item.span, "TypeError", words)


def _made(call: Call, shape: Shape, dtype: str) -> Computed:
    if dtype not in ITEM_BYTES:
        message = f"np.{call.name} of a text is not supported"
        raise SegcliError(message)
    known = [size for size in shape if isinstance(size, int)]
    if any(size >= _MAX_BYTES for size in known):
        raise RaisedError(call.span, "ValueError", "Maximum allowed dimension exceeded")
    if prod(size for size in known if size) * ITEM_BYTES[dtype] >= _MAX_BYTES:
        words = "array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size."
        raise RaisedError(call.span, "ValueError", words)
    return Computed(call.make(shape, dtype), (), ())


def filled_numpy(call: Call) -> Computed:
    """Make an array as ``np.zeros``, ``np.ones``, ``np.empty`` and ``np.full`` do: the second argument is no size.

    Raises:
        RaisedError: As NumPy would raise.
    """
    value = "fill_value, " if call.name == "full" else ""
    bound = _bind(call, f"shape, {value}dtype=None, order='C', *, device=None, like=None")
    default = "float64"
    filling: Item | None = bound["fill_value"].item if value else None
    if filling is not None:
        default = as_array(filling).dtype
    dtype = _dtype(bound, default)
    _check_device(bound)
    order = bound.get("order")
    if order is not None and not isinstance(order.value, str | None):
        words = f"order must be str, not {type_name(order.value)}"
        raise RaisedError(order.item.span, "TypeError", words)
    shape = _shape(bound["shape"])
    done = _made(call, shape, dtype)
    if filling is not None:
        _check_filling(filling, shape)
    return done


def _check_filling(item: Item, shape: Shape) -> None:
    filling = as_array(item)
    needs: list[str] = []
    if broadcast_sizes([filling.shape, shape], needs) != shape:
        words = f"could not broadcast input array from shape {_tight(filling.shape)} into shape {_tight(shape)}"
        raise RaisedError(item.span, "ValueError", words)


def _tight(shape: Shape) -> str:
    return format_sizes(shape).replace(" ", "")


def like_numpy(call: Call) -> Computed:
    """Make an array of another one's shape as ``np.zeros_like`` and its like do.

    Raises:
        RaisedError: As NumPy would raise.
    """
    value = "fill_value, " if call.name == "full_like" else ""
    bound = _bind(call, f"a, {value}dtype=None, order='K', subok=True, shape=None, *, device=None")
    item = bound["a"].item
    source = as_array(item)
    dtype = _dtype(bound, source.dtype)
    _check_device(bound)
    if value:
        _check_filling(bound["fill_value"].item, source.shape)
    axes = tuple(range(len(source.shape)))
    inputs = (item,) if isinstance(item.value, Tensor) else ()
    step = Step(call.stage, item.text, item.span, source.dtype, axes, axes, "gives its shape, not its values")
    result = replace(call.make(source.shape, dtype), labels=source.labels)
    return Computed(result, inputs, (step,) if inputs else ())


def arange_numpy(call: Call) -> Computed:
    """Count as ``np.arange`` does, where nothing to count is no error.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "start=None, stop=None, step=None, dtype=None, *, device=None, like=None")
    if "stop" not in bound and ("start" not in bound or call.arguments[0][0]):
        raise RaisedError(call.span, "TypeError", "arange() requires stop to be specified.")
    given: dict[str, Item] = {name: bound[name].item for name in ("start", "stop", "step") if name in bound}
    given = {name: item for name, item in given.items() if item.value is not None or name == "start"}
    if "stop" not in given:
        given["stop"] = given.pop("start") if "start" in given else bound["stop"].item
    _check_difference(bound, given)
    for item in given.values():
        _check_bound(item)
    default = "float64" if any(_is_float(item) for item in given.values()) else "int64"
    dtype = _dtype(bound, default)
    _check_device(bound)
    left_out = {"start": 0, "stop": 0, "step": 1}
    start, stop, step = (_number(given[name]) if name in given else value for name, value in left_out.items())
    if step == 0:
        raise _no_step(given, start, stop)
    known = [float(each) for each in (start, stop) if isinstance(each, int | float)]
    if any(math.isnan(each) for each in known):
        raise RaisedError(call.span, "ValueError", "arange: cannot compute length")
    if any(abs(each) >= _MAX_BYTES for each in known):
        raise RaisedError(call.span, "ValueError", "Maximum allowed size exceeded")
    needs: list[str] = []
    size = count_steps(start, stop, step, needs)
    size = max(size, 0) if isinstance(size, int) else size
    if isinstance(step, float) and math.isinf(step) and len(known) > 1:
        # The first number is in any range that has one.
        size = int((known[1] - known[0]) * step > 0)
    if dtype == "bool" and isinstance(size, int) and size > 2:  # noqa: PLR2004 - False and True
        words = "arange() is only supported for booleans when the result has at most length 2."
        raise RaisedError(call.span, "TypeError", words)
    if isinstance(start, int) and isinstance(size, int):
        written = [start, start + step] if isinstance(step, int) else [start]
        _check_held(given["stop"], dtype, written[:size])
    formula = range_formula(start, step) if dtype == default else None
    return replace(_made(call, (size,), dtype), formula=formula, needs=tuple(needs))


def _no_step(given: Mapping[str, Item], start: Size | float, stop: Size | float) -> RaisedError:
    """Return the error of a step of 0: Python does not divide by it, arrays give infinity or nothing."""
    span = given["step"].span
    if any(isinstance(item.value, Tensor) for item in given.values()):
        words = "arange: cannot compute length" if start == stop else "Maximum allowed size exceeded"
        return RaisedError(span, "ValueError", words)
    floating = any(_is_float(item) for item in given.values())
    return RaisedError(span, "ZeroDivisionError", "float division by zero" if floating else "division by zero")


def _check_held(item: Item, dtype: str, numbers: Sequence[int]) -> None:
    """Refuse what the dtype does not hold of the first two numbers, from which NumPy goes on."""
    if dtype not in INTEGER:
        return
    bits = int(dtype.lstrip("uint"))
    low, high = (0, 2**bits) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    for number in numbers:
        if not low <= number < high:
            raise RaisedError(item.span, "OverflowError", f"Python integer {number} out of bounds for {dtype}")


def _check_difference(bound: Mapping[str, Given], given: Mapping[str, Item]) -> None:
    """Refuse to take a text from an array, or an array from a text: with a dtype given, NumPy starts with that."""
    ends = [given[name] for name in ("stop", "start") if name in given]
    texts = [end for end in ends if isinstance(end.value, str)]
    if "dtype" in bound and bound["dtype"].value is not None and texts and len(texts) < len(ends):
        kinds = [f"dtype('{value.dtype}')" for value in (end.value for end in ends) if isinstance(value, Tensor)]
        kinds.insert(ends.index(texts[0]), f"dtype('<U{len(str(texts[0].value))}')")
        if len(kinds) > 1:
            words = (
                f"ufunc 'subtract' did not contain a loop with signature matching types ({', '.join(kinds)}) -> None"
            )
            raise RaisedError(texts[0].span, "UFuncTypeError", words)


def _check_bound(item: Item) -> None:
    value = item.value
    if isinstance(value, Tensor) and value.shape:
        words = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
        raise RaisedError(item.span, "ValueError", words)
    if isinstance(value, str):
        words = "arange() not supported for inputs with DType <class 'numpy.dtypes.StrDType'>."
        raise RaisedError(item.span, "TypeError", words)
    if not isinstance(value, int | float | Symbol | Tensor):
        words = f"unsupported operand type(s) for -: '{type_name(value)}' and 'int'"
        raise RaisedError(item.span, "TypeError", words)


def _is_float(item: Item) -> bool:
    value = item.value
    return isinstance(value, float) or (isinstance(value, Tensor) and value.dtype in FLOATING)


def _number(item: Item) -> Size | float:
    value = item.value
    if isinstance(value, Tensor) and value.values is not None and value.dtype in FLOATING:
        return float(value.values[0])
    return value if isinstance(value, float) else read_size(item)
