"""Numbers that are stored in a tensor of some dtype: which ones PyTorch refuses (``c10/util/overflows.h`` of 2.13)."""

from math import isfinite, isnan

from segcli.shapes.compute.promotion import bounds_of, in_bounds, left_in
from segcli.shapes.values import COMPLEX, FLOATING, INTEGER, Item, RaisedError, Tensor, Value

# What PyTorch calls the types of C++.
_NAMES = {
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int",
    "int64": "int64_t",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "complex64": "c10::complex<float>",
}
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}
# The real part of a complex number is stored in a float.
_LARGEST["complex64"] = _LARGEST["float32"]


def check_number(item: Item, dtype: str, *, lenient: bool = False) -> None:
    """Refuse a number that PyTorch refuses to store.

    Args:
        item: A Python number, or a tensor of one element, whose value may be known.
        dtype: What it is stored as.
        lenient: Whether 16-bit floats take what is too large for them as infinity.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    value = _number(item.value)
    if value is None or (lenient and dtype in ("float16", "bfloat16")) or fits(value, dtype):
        return
    words = f"value cannot be converted to type {_NAMES[dtype]} without overflow"
    raise RaisedError(item.span, "RuntimeError", words)


def _number(value: Value) -> int | float | None:
    if isinstance(value, Tensor):
        number = None if value.values is None else value.values[0]
        if number is None:
            return None
        return float(number) if value.dtype in FLOATING else int(number)
    return value if isinstance(value, int | float) else None


def fits(value: float, dtype: str) -> bool:
    """Tell whether PyTorch stores a number; of uint8, negative ints may wrap around.

    Examples:
        >>> fits(300, "uint8"), fits(-255, "uint8"), fits(-1.0, "uint8"), fits(1e5, "float16"), fits(7, "bool")
        (False, True, False, False, True)
    """
    if dtype in INTEGER:
        low, high = bounds_of(dtype)
        wraps = dtype == "uint8" and isinstance(value, int)
        return not isnan(value) and (-high if wraps else low) <= value <= high
    return dtype not in _LARGEST or not isfinite(value) or abs(value) <= _LARGEST[dtype]


def explain_stored(item: Item, target: Item) -> str:
    """Say that a value takes the dtype of what it is stored in; empty where it has it.

    Examples:
        >>> x = Item(Tensor((3,), "uint8", "x"), "x", (0, 1))
        >>> explain_stored(Item(1.5, "1.5", (4, 7)), x), explain_stored(Item(2, "2", (4, 5)), x)
        ('1.5 becomes uint8, as x is', '')
        >>> explain_stored(Item(-1, "-1", (4, 6)), x)
        '-1 becomes 255, as x is uint8'
    """
    dtype = target.value.dtype if isinstance(target.value, Tensor) else ""
    if dtype in INTEGER and isinstance(item.value, int) and not in_bounds(item.value, dtype):
        return f"{item.text} becomes {left_in(item.value, dtype)}, as {target.text} is {dtype}"
    if isinstance(item.value, Tensor):
        own = item.value.dtype
    elif isinstance(item.value, float):
        own = dtype if dtype in (*FLOATING, *COMPLEX) else "float"
    else:
        own = "int" if dtype == "bool" and not isinstance(item.value, bool) else dtype
    return "" if own == dtype else f"{item.text} becomes {dtype}, as {target.text} is"
