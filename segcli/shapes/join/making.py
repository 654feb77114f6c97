"""Operations that make tensors: PyTorch 2.13's and NumPy 2.4's."""

import math
from dataclasses import replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.integers import read_size, sizes_in
from segcli.shapes.join.numpy_making import arange_numpy, filled_numpy, like_numpy
from segcli.shapes.join.ranges import count_steps, range_formula
from segcli.shapes.kinds import SCALARS
from segcli.shapes.request import Given
from segcli.shapes.select.storing import check_number
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    INTEGER,
    DType,
    Item,
    Listed,
    RaisedError,
    Size,
    Symbol,
    Tensor,
    Unknown,
    Value,
    check_elements,
    type_name,
)

OPTIONS = "Tensor? out=, dtype? dtype=, layout? layout=, str? device=, bool? pin_memory=, bool? requires_grad="
_LIKE = "dtype? dtype=, layout? layout=, str? device=, bool? pin_memory=, bool? requires_grad=, format? memory_format="
_BOUNDS = ("number end", "number start, number end", "number start, number end, number step")
_SIZES = f"ints size, *, {OPTIONS}"
_FULL = f"ints size, number fill_value, *, {OPTIONS}"
_BITS = 2**63


def made(call: Call, shape: tuple[Size, ...], dtype: str, bound: dict[str, Given]) -> Computed:
    """Return a new tensor.

    Args:
        call: The operation.
        shape: Its shape.
        dtype: Its dtype.
        bound: The arguments, ``out`` and ``requires_grad`` among them.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    check_options(dtype, bound)
    if _overflows(shape):
        words = f"Storage size calculation overflowed with sizes=[{', '.join(map(str, shape))}]"
        raise RaisedError(call.span, "RuntimeError", words)
    check_elements(shape, call.name)
    return Computed(call.make(shape, dtype), (), ())


def _overflows(shape: tuple[Size, ...]) -> bool:
    """Tell whether the number of elements overflows as sizes are multiplied, whatever comes after."""
    total = 1
    for size in shape:
        total *= size if isinstance(size, int) else 1
        if total >= _BITS:
            return True
    return False


def check_options(dtype: str, bound: dict[str, Given]) -> None:
    """Refuse ``out=``, and gradients of what has none."""
    out = bound.get("out")
    if out is not None and out.value is not None:
        message = "out= is not supported"
        raise SegcliError(message, hint="leave it out: the shape of the result is the same")
    wanted = bound.get("requires_grad")
    if wanted is not None and wanted.value and dtype not in (*FLOATING, *COMPLEX):
        words = "Only Tensors of floating point and complex dtype can require gradients"
        raise RaisedError(wanted.item.span, "RuntimeError", words)


def asked_dtype(bound: dict[str, Given], default: str) -> str:
    """Return what ``dtype=`` asks for, or what there is without it."""
    given = bound.get("dtype")
    return given.value.name if given is not None and isinstance(given.value, DType) else default


def gathered(call: Call) -> Call:
    """Make one list of sizes that stand by themselves."""
    sizes = [item for keyword, item in call.arguments if not keyword]
    rest = tuple(argument for argument in call.arguments if argument[0])
    first = sizes[0].value if sizes else None
    integral = isinstance(first, int | Symbol | Tensor) and not isinstance(first, bool)
    if not integral:
        return call
    if isinstance(first, Tensor) and (first.shape or first.dtype in (*FLOATING, *COMPLEX)):
        return call
    span = (sizes[0].span[0], sizes[-1].span[1])
    one = Item(Listed(tuple(sizes), is_tuple=True), ", ".join(item.text for item in sizes), span)
    return replace(call, arguments=(("", one), *rest))


def read_shape(call: Call, given: Given) -> tuple[Size, ...]:
    """Return a shape that is asked for.

    Raises:
        RaisedError: PyTorch's TypeError for what is no list of ints.
    """
    if not isinstance(given.value, Listed):
        words = f"{call.name}(): argument 'size'{_place(given)} must be tuple of ints, not {type_name(given.value)}"
        raise RaisedError(given.item.span, "TypeError", words)
    return tuple(sizes_in(call.name, "size", given))


def _place(given: Given) -> str:
    return f" (position {given.position})" if given.position else ""


def check_signs(call: Call, shape: tuple[Size, ...], given: Given) -> None:
    """Refuse a negative size.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    negative = next((size for size in shape if isinstance(size, int) and size < 0), None)
    if negative is None:
        return
    words = f"Trying to create tensor with negative dimension {negative}: [{', '.join(map(str, shape))}]"
    if call.name == "zeros":
        words = "zeros: Dimension size must be non-negative."
    raise RaisedError(given.item.span, "RuntimeError", words)


def _filled(call: Call) -> Computed:
    bound = bind_call(gathered(call), Signatures((), (_SIZES,)))
    shape = read_shape(call, bound["size"])
    check_signs(call, shape, bound["size"])
    return replace(
        made(call, shape, asked_dtype(bound, "float32"), bound), rules=frozenset({"default-float", "sizes-apart"})
    )


def _full(call: Call) -> Computed:
    positional = [item for keyword, item in call.arguments if not keyword]
    if len(positional) in (1, 2) and not isinstance(positional[0].value, Listed):
        # Sizes by themselves are for those that take nothing else.
        read_shape(call, Given("size", positional[0], 1))
    bound = bind_call(call, Signatures((), (_FULL,)))
    shape = read_shape(call, bound["size"])
    check_signs(call, shape, bound["size"])
    dtype = asked_dtype(bound, fill_dtype(bound["fill_value"].value, "float32"))
    done = made(call, shape, dtype, bound)
    check_number(bound["fill_value"].item, dtype)
    return replace(done, rules=frozenset({"default-float"}))


def fill_dtype(value: Value, floating: str) -> str:
    """Return the dtype that a number has as a tensor.

    Examples:
        >>> fill_dtype(True, "float32"), fill_dtype(1, "float32"), fill_dtype(1.0, "float64")
        ('bool', 'int64', 'float64')
    """
    match value:
        case Tensor():
            return value.dtype if value.dtype in ("bool", *COMPLEX) else _number_dtype(value.dtype, floating)
        case bool() | Unknown("bool"):
            return "bool"
        case int() | Symbol():
            return "int64"
        case _:
            return floating


def _number_dtype(dtype: str, floating: str) -> str:
    return floating if dtype in FLOATING else "int64"


def _like(call: Call) -> Computed:
    first = "Tensor input, number fill_value" if call.name == "full_like" else "Tensor input"
    bound = bind_call(call, Signatures((), (f"{first}, *, {_LIKE}",)))
    source = cast("Tensor", bound["input"].value)
    dtype = asked_dtype(bound, source.dtype)
    check_options(dtype, bound)
    if "fill_value" in bound:
        check_number(bound["fill_value"].item, dtype)
    item = bound["input"].item
    return like(call, item, source, dtype)


def like(call: Call, item: Item, source: Tensor, dtype: str) -> Computed:
    """Return a new tensor of another one's shape.

    Args:
        call: The operation.
        item: The other tensor, as written.
        source: It itself.
        dtype: The new one's dtype.
    """
    from segcli.shapes.indexing import Step

    axes = tuple(range(len(source.shape)))
    step = Step(call.stage, item.text, item.span, f"{source.dtype}", axes, axes, "gives its shape, not its values")
    result = replace(call.make(source.shape, dtype), labels=source.labels)
    return Computed(result, (item,), (step,))


def _bounds(call: Call) -> str:
    """Return the bounds that a call gives: the end, the start too, or a step as well."""
    names = [keyword for keyword, _ in call.arguments]
    positional = names.count("")
    if "step" in names or positional > len(_BOUNDS) - 1:
        return _BOUNDS[2]
    return _BOUNDS[int("start" in names or positional + ("end" in names) > 1)]


def _check_int64(call: Call, numbers: tuple[Size | float, ...]) -> None:
    if any(isinstance(each, float) and abs(each) >= _BITS for each in numbers):
        words = "value cannot be converted to type int64_t without overflow"
        raise RaisedError(call.span, "RuntimeError", words)


def _arange(call: Call) -> Computed:
    bound = bind_call(call, Signatures((), (f"{_bounds(call)}, *, {OPTIONS}",)))
    numbers = [read_number(bound[name].item) if name in bound else None for name in ("start", "end", "step")]
    start, end, step = (0 if numbers[0] is None else numbers[0]), numbers[1], (1 if numbers[2] is None else numbers[2])
    integral = not any(isinstance(each, float) for each in numbers)
    dtype = asked_dtype(bound, "int64" if integral else "float32")
    end = 0 if end is None else end
    if dtype in ("bool", *COMPLEX):
        words = f"\"arange_cpu\" not implemented for '{SCALARS[dtype]}'"
        raise RaisedError(call.span, "NotImplementedError", words)
    _check_range(call, bound, (start, end, step))
    _check_int64(call, (start, end, step) if dtype == "int64" else ())
    if dtype == "int64":
        # Computed in integers, to which the bounds are rounded first; all others in float64.
        start, end, step = (int(each) if isinstance(each, float) else each for each in (start, end, step))
        if step == 0:
            raise RaisedError(bound["step"].item.span, "ValueError", "step must be nonzero")
    needs: list[str] = []
    size = count_steps(start, end, step, needs)
    if isinstance(size, int) and size >= _BITS:
        raise RaisedError(call.span, "RuntimeError", "invalid size, possible overflow?")
    _check_int64(call, (step,) if dtype in INTEGER else ())
    done = made(call, (size,), dtype, bound)
    # Where each step is rounded, or wraps around, no line of plain arithmetic says it.
    is_rounded = dtype == "int32" and (isinstance(start, float) or isinstance(step, float))
    has_formula = not is_rounded and dtype not in ("uint8", "int8", "int16", "float16", "bfloat16")
    formula = range_formula(start, step) if has_formula else None
    return replace(done, needs=tuple(needs), formula=formula, rules=frozenset({"default-float"}))


def _check_range(call: Call, bound: dict[str, Given], numbers: tuple[Size | float, ...]) -> None:
    start, end, step = numbers
    floats = [float(each) for each in (start, end) if isinstance(each, int | float)]
    if step == 0:
        raise RaisedError(bound["step"].item.span, "RuntimeError", "step must be nonzero")
    if not all(math.isfinite(each) for each in floats):
        shown = " -> ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in (start, end))
        raise RaisedError(call.span, "RuntimeError", f"unsupported range: {shown}")
    if len(floats) == 2 and isinstance(step, int | float):  # noqa: PLR2004 - start and end
        ahead = float(end) - float(start)
        if ahead * step < 0:
            words = "upper bound and lower bound inconsistent with step sign"
            raise RaisedError(call.span, "RuntimeError", words)


def read_number(item: Item) -> Size | float:
    """Return a number, a size that is not known, or what a 0-d tensor holds.

    Raises:
        SegcliError: For a tensor whose value is not known.
    """
    value = item.value
    if isinstance(value, Tensor) and value.values is not None:
        held = value.values[0]
        return float(held) if value.dtype in FLOATING else int(held)
    return value if isinstance(value, float) else read_size(item)


_FILLED = Operation(_filled, filled_numpy)
_OF_ANOTHER = Operation(_like, like_numpy)

OPERATIONS = {
    "arange": Operation(_arange, arange_numpy),
    "zeros": _FILLED,
    "ones": _FILLED,
    "empty": _FILLED,
    "full": Operation(_full, filled_numpy),
    "zeros_like": _OF_ANOTHER,
    "ones_like": _OF_ANOTHER,
    "full_like": _OF_ANOTHER,
    "empty_like": _OF_ANOTHER,
}
