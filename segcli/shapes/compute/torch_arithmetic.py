"""PyTorch's operators and functions of two operands (``aten/src/ATen/native/BinaryOps.cpp`` of PyTorch 2.13)."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.compute.broadcasting import Together, broadcast_operands
from segcli.shapes.compute.elementwise import Binary, computed
from segcli.shapes.compute.keeping import tensor_of
from segcli.shapes.compute.promotion import (
    DEFAULT_FLOAT,
    explain_dtype,
    in_bounds,
    is_integral,
    is_number,
    kind_of,
    left_in,
    mixes,
    torch_dtype,
)
from segcli.shapes.compute.strangers import meet_stranger
from segcli.shapes.computed import Computed
from segcli.shapes.kinds import SCALARS
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import COMPLEX, INTEGER, Item, RaisedError, Span, Symbol, Tensor

# Up to where float16 and bfloat16 reach.
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38}
_C_NAMES = {
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int",
    "int64": "int64_t",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
}
_OLD = ("add", "sub", "add_", "sub_")
_NAMES = {"x": "input", "a": "input", "x1": "input", "x2": "other"}
_BOOL_PAIR = (
    "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator "
    "instead."
)
_BOOL = (
    "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the "
    "`~` or `logical_not()` operator instead."
)


def apply_torch(call: Call, function: Binary) -> Computed:
    """Apply an operator as PyTorch does.

    Raises:
        RaisedError: As PyTorch, or Python, would raise.
    """
    items = [item for _, item in call.arguments]
    if not all(isinstance(item.value, Tensor) or is_number(item.value) for item in items):
        return meet_stranger(call, items)
    kernel = function.kernel
    if function.kind == "truth" and kernel and not isinstance(items[0].value, Tensor):
        # A number in front leaves the comparison to the tensor, which turns it round.
        kernel = {"l": "g", "g": "l"}[kernel[0]] + kernel[1:]
    return _compute(call, items, replace(function, kernel=kernel))


def call_torch(call: Call, function: Binary) -> Computed:
    """Call a function as PyTorch does.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    bound = _bind(call, function)
    items = [bound[name].item for name in ("input", "other", "exponent") if name in bound]
    if call.space == "method":
        tensor_of(call, call.arguments[0][1])
        items.insert(0, call.arguments[0][1])
    mode = bound.get("rounding_mode")
    if mode is not None:
        function = _rounding(function, mode)
    alpha = bound["alpha"].item if "alpha" in bound else None
    return _compute(call, items, function, alpha)


def _bind(call: Call, function: Binary) -> dict[str, Given]:
    """Read the arguments; a number that stands for a tensor is shown to the parser as one."""
    other = "exponent" if call.name.startswith("pow") else "other"
    keywords = _NAMES if other == "other" else {}
    named = [(keywords.get(keyword, keyword), item) for keyword, item in call.arguments]
    positional = sum(not keyword for keyword, _ in named)
    # An old order of arguments: x.add(alpha, other).
    old = call.name in _OLD and positional + any(keyword == other for keyword, _ in named) == 3  # noqa: PLR2004
    if old and call.name.endswith("_"):
        old = not isinstance(named[1][1].value, Tensor) or not named[1][1].value.shape
    places = ("input", "alpha", other) if old else ("input", other, "")
    replaced = _replaced(call, function, other)
    shown = []
    for place, (keyword, item) in enumerate(named):
        stands = is_number(item.value) and (keyword or places[min(place, 2)]) in replaced
        shown.append((keyword, replace(item, value=Tensor((), "int64", item.text)) if stands else item))
    numbers = {item.span: item for _, item in call.arguments}
    bound = bind_call(replace(call, arguments=tuple(shown)), _signatures(call, function, other, old=old))
    return {name: replace(given, item=numbers.get(given.item.span, given.item)) for name, given in bound.items()}


def _replaced(call: Call, function: Binary, other: str) -> Sequence[str]:
    """Return which parameters take a number in place of a tensor."""
    beside = any(
        isinstance(item.value, Tensor) and (keyword == other or place == 1)
        for place, (keyword, item) in enumerate(call.arguments)
    )
    # Only the signatures with a tensor in front take out=, but for pow.
    beside = beside and (call.name.startswith("pow") or all(keyword != "out" for keyword, _ in call.arguments))
    if function.takes == "none":
        return ()
    if call.name.startswith("subtract"):
        return ("input", "other") if any(keyword == "out" for keyword, _ in call.arguments) else ("input",)
    return ("input", other) if function.takes == "both" or (function.takes == "either" and beside) else (other,)


def _signatures(call: Call, function: Binary, other: str, *, old: bool) -> Signatures:
    if old:
        return Signatures(("number alpha, Tensor other",), ("Tensor input, number alpha, Tensor other, *, out? out=",))
    if call.name.startswith("subtract"):
        known = ("Tensor other, *, number alpha=", "number other, number alpha=")
        return Signatures(known, (f"Tensor input, {known[0]}, out? out=", f"Tensor input, {known[1]}"))
    extra = f", *, {function.extra}" if function.extra else ""
    out = f"{extra}, out? out=" if extra else ", *, out? out="
    return Signatures((f"Tensor {other}{extra}",), (f"Tensor input, Tensor {other}{out}",))


def _rounding(function: Binary, mode: Given) -> Binary:
    if mode.value is None:
        return function
    if mode.value not in ("trunc", "floor"):
        words = f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode.value}'"
        raise RaisedError(mode.item.span, "RuntimeError", words)
    body = "{0} // {1}" if mode.value == "floor" else "trunc({0} / {1})"
    return replace(function, kind="common", kernel=f"div_{mode.value}_cpu", refused=("bool", *COMPLEX), body=body)


def _compute(call: Call, items: Sequence[Item], function: Binary, alpha: Item | None = None) -> Computed:
    _refuse_early(items, function)
    together = broadcast_operands(call, items)
    common = torch_dtype([item.value for item in items])
    if alpha is not None:
        _check_alpha(alpha, common)
    if function.ufunc == "power" and is_number(items[1].value):
        _check_power(items[1], common)
    elif common in function.refused:
        words = f"\"{function.kernel}\" not implemented for '{SCALARS[common]}'"
        raise RaisedError(call.span, "NotImplementedError", words)
    if function.kernel.startswith(("div_", "remainder")) and 0 not in together.shape:
        _refuse_zero(items[1], common)
    dtype, why = common, explain_dtype(items, common, "torch")
    rules = mixes(items)
    if function.kind == "truth":
        dtype, why = "bool", ""
    elif function.kind == "quotient" and is_integral(common):
        dtype, why = DEFAULT_FLOAT, f"the quotient of {common} is of the default float, {DEFAULT_FLOAT}"
        rules |= {"default-float"}
    body = function.body
    if alpha is not None:
        body = f"{{0}} {body[4]} {alpha.text}*{{1}}"
    notes: tuple[str, ...] = ()
    # A quotient is computed in floats, which hold every number.
    if function.kind != "quotient":
        together, notes = take_numbers(together, common)
    return computed(call, together, dtype, body, why=why, notes=notes, rules=rules)


def take_numbers(together: Together, dtype: str) -> tuple[Together, tuple[str, ...]]:
    """Put for numbers that an integer dtype does not hold what PyTorch takes them for, and tell of it.

    Args:
        together: The operands.
        dtype: What they are computed in.
    """
    inputs, notes = [], []
    for item in together.inputs:
        number = item.value
        if dtype in INTEGER and type(number) is int and not in_bounds(number, dtype):
            taken = left_in(number, dtype)
            notes.append(f"{number} does not fit in {dtype}: PyTorch takes it for {taken}, without a word")
            inputs.append(replace(item, value=taken, text=str(taken)))
        else:
            inputs.append(item)
    return (replace(together, inputs=tuple(inputs)), tuple(notes)) if notes else (together, ())


def _refuse_early(items: Sequence[Item], function: Binary) -> None:
    """Refuse dtypes that PyTorch refuses before it looks at the shapes."""
    span = (items[0].span[0], items[-1].span[1])
    bools = [_is_bool(item) for item in items]
    if function.ufunc == "subtract" and any(bools):
        if all(bools):
            raise RaisedError(span, "RuntimeError", _BOOL_PAIR)
        # A bool that is a number is a bool as well.
        raise RaisedError(items[bools.index(True)].span, "RuntimeError", _BOOL)
    if function.ufunc in ("maximum", "minimum"):
        for item in items:
            if isinstance(item.value, Tensor) and item.value.dtype in COMPLEX:
                words = f"{function.ufunc} not implemented for complex tensors."
                raise RaisedError(item.span, "RuntimeError", words)


def _is_bool(item: Item) -> bool:
    return (item.value.dtype if isinstance(item.value, Tensor) else kind_of(item.value)) == "bool"


def _check_alpha(alpha: Item, common: str) -> None:
    value = alpha.value
    kind = value.dtype if isinstance(value, Tensor) else torch_dtype([value])
    if not is_integral(kind) and is_integral(common):
        words = "For integral input tensors, argument alpha must not be a floating point number."
        raise RaisedError(alpha.span, "RuntimeError", words)
    if kind in COMPLEX and common not in COMPLEX:
        words = "For non-complex input tensors, argument alpha must not be a complex number."
        raise RaisedError(alpha.span, "RuntimeError", words)
    if kind == "bool" and common != "bool":
        raise RaisedError(alpha.span, "RuntimeError", "Boolean alpha only supported for Boolean results.")
    if isinstance(value, int | float):
        check_convertible(value, common, alpha.span)


def _check_power(item: Item, common: str) -> None:
    """Refuse a number as an exponent that the dtype does not hold."""
    exponent = item.value
    if isinstance(exponent, Symbol) or not isinstance(exponent, int | float):
        return
    if common in INTEGER and exponent < 0:
        raise RaisedError(item.span, "RuntimeError", "Integers to negative integer powers are not allowed.")
    check_convertible(exponent, common, item.span)


def check_convertible(number: float, dtype: str, span: Span) -> None:
    """Refuse a number that a dtype does not hold; of an unsigned one, PyTorch lets the negative of a value pass.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    if dtype in INTEGER:
        bits = {"uint8": 8, "int8": 7, "int16": 15, "int32": 31, "int64": 63}[dtype]
        low = -(2**bits) + 1 if dtype == "uint8" else -(2**bits)
        held = low <= number < 2**bits
    else:
        # Infinity and NaN are held as well.
        held = dtype not in _LARGEST or not isfinite(number) or abs(number) <= _LARGEST[dtype]
    if not held:
        words = f"value cannot be converted to type {_C_NAMES[dtype]} without overflow"
        raise RaisedError(span, "RuntimeError", words)


def _refuse_zero(item: Item, common: str) -> None:
    """Refuse integers that are divided by what is zero in their dtype."""
    if common not in INTEGER:
        return
    value = item.value
    known = (value.values or ()) if isinstance(value, Tensor) else (value,)
    if any(isinstance(each, int) and not left_in(each, common) for each in known):
        raise RaisedError(item.span, "RuntimeError", "ZeroDivisionError")
