"""The dtype that operands have in common: PyTorch 2.13's three categories, NumPy 2.4's weak numbers (its NEP 50).

PyTorch (``aten/src/ATen/native/TypeProperties.cpp``) sorts operands into tensors that have axes, 0-d tensors and Python
numbers. A category decides by itself, unless a later one has a higher kind: bool, integer, float, complex.
NumPy takes arrays of any number of axes in full; Python's ints and floats adopt the dtype of the array beside them.
"""

from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.operands import BITS, promote
from segcli.shapes.values import COMPLEX, FLOATING, INTEGER, Item, RaisedError, Symbol, Tensor, Unknown, Value

# What PyTorch takes a Python float for, and the quotient of two integers.
DEFAULT_FLOAT = "float32"
_TO_COMPLEX = {"float16": "complex32", "bfloat16": "complex64", "float32": "complex64", "float64": "complex128"}
_KINDS = {"bool": "bool", "int": "int64", "float": DEFAULT_FLOAT, "complex": "complex64"}
_NUMBERS = {bool: "bool", int: "int64", float: DEFAULT_FLOAT, Symbol: "int64"}


def is_number(value: Value) -> bool:
    """Tell whether a value is a Python number, known or not."""
    return isinstance(value, int | float | Symbol | Unknown)


def is_integral(dtype: str) -> bool:
    """Tell whether a dtype is one of bool and integers."""
    return dtype not in (*FLOATING, *COMPLEX)


def torch_dtype(values: Sequence[Value]) -> str:
    """Return the dtype in which PyTorch computes with tensors and numbers.

    Args:
        values: Tensors and Python numbers.

    Raises:
        SegcliError: For complex32.

    Examples:
        >>> x, n = Tensor((2, 3), "int32", "x"), Tensor((), "int64", "n")
        >>> torch_dtype([x, n]), torch_dtype([x, 300]), torch_dtype([x, 0.5]), torch_dtype([n, True])
        ('int32', 'int32', 'float32', 'int64')
    """
    wide = _common([value.dtype for value in values if isinstance(value, Tensor) and value.shape])
    single = _common([value.dtype for value in values if isinstance(value, Tensor) and not value.shape])
    numbers = _common([_number_dtype(value) for value in values if not isinstance(value, Tensor)])
    dtype = _decided(wide, _decided(single, numbers))
    if dtype == "complex32":
        message = "a float16 tensor and a 0-d complex one give complex32, which is not supported"
        raise SegcliError(message)
    return dtype


def _number_dtype(value: Value) -> str:
    return _KINDS[value.kind] if isinstance(value, Unknown) else _NUMBERS[type(value)]


def kind_of(value: Value) -> str:
    """Return the name of a Python number's type, known or not; empty for anything else."""
    if isinstance(value, Unknown):
        return value.kind
    return "int" if isinstance(value, Symbol) else type(value).__name__ if isinstance(value, int | float) else ""


def _common(dtypes: Sequence[str]) -> str:
    found = ""
    for dtype in dtypes:
        found = promote(found, dtype, "torch") if found else dtype
    return found


def _decided(first: str, then: str) -> str:
    """Let a category decide unless the next is of a higher kind."""
    if not first or not then:
        return first or then
    if first in FLOATING and then in COMPLEX:
        return _TO_COMPLEX[first]
    if first in FLOATING or first in COMPLEX or (first != "bool" and is_integral(then)):
        return first
    return promote(first, then, "torch")


def numpy_dtype(values: Sequence[Value]) -> str:
    """Return the dtype in which NumPy computes with arrays and numbers.

    Examples:
        >>> x, n = Tensor((2, 3), "int32", "x"), Tensor((), "int64", "n")
        >>> numpy_dtype([x, n]), numpy_dtype([x, 300]), numpy_dtype([x, 0.5]), numpy_dtype([2, 3])
        ('int64', 'int32', 'float64', 'int64')
    """
    found = "bool"
    for value in values:
        if isinstance(value, Tensor):
            found = promote(found, value.dtype, "numpy")
    kinds = {kind_of(value) for value in values}
    if "complex" in kinds and found not in COMPLEX:
        return "complex128" if is_integral(found) or found == "float64" else "complex64"
    if "float" in kinds and is_integral(found):
        return "float64"
    return "int64" if "int" in kinds and found == "bool" else found


def refuse_out_of_bounds(items: Sequence[Item], dtype: str) -> None:
    """Refuse Python integers that NumPy's dtype does not hold.

    Raises:
        RaisedError: NumPy's OverflowError.
    """
    if dtype not in BITS:
        return
    for item in items:
        value = item.value
        if isinstance(value, int) and not isinstance(value, bool) and not in_bounds(value, dtype):
            words = f"Python integer {value} out of bounds for {dtype}"
            raise RaisedError(item.span, "OverflowError", words)


def in_bounds(value: int, dtype: str) -> bool:
    """Tell whether an integer dtype holds a number.

    Examples:
        >>> in_bounds(255, "uint8"), in_bounds(-1, "uint8"), in_bounds(-128, "int8")
        (True, False, True)
    """
    low, high = bounds_of(dtype)
    return low <= value <= high


def bounds_of(dtype: str) -> tuple[int, int]:
    """Return the smallest and the largest number of an integer dtype."""
    bits = BITS[dtype]
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def left_in(value: int, dtype: str) -> int:
    """Return what an integer dtype makes of a number: its lowest bits.

    Examples:
        >>> left_in(256, "uint8"), left_in(300, "uint8"), left_in(255, "int8")
        (0, 44, -1)
    """
    low, _ = bounds_of(dtype)
    left: int = (value - low) % 2 ** BITS[dtype] + low
    return left


def explain_dtype(items: Sequence[Item], dtype: str, library: str) -> str:
    """Say why operands of several dtypes compute in one; empty where they have it all.

    Args:
        items: The operands: tensors and numbers.
        dtype: The one that they have in common.
        library: ``torch`` or ``numpy``.

    Examples:
        >>> x, n = Tensor((2, 3), "int32", "x"), Tensor((), "int64", "n")
        >>> explain_dtype([Item(x, "x", (0, 1)), Item(n, "n", (4, 5))], "int32", "torch")
        'in int32: n is 0-d, so its int64 gives way to x, which has axes'
    """
    reasons = [*_of_tensors(items, dtype, library), *_of_numbers(items, dtype, library)]
    return f"in {dtype}: {'; '.join(reasons)}" if reasons else ""


def _of_tensors(items: Sequence[Item], dtype: str, library: str) -> list[str]:
    tensors = [(item.text, item.value) for item in items if isinstance(item.value, Tensor)]
    wide = [(text, tensor) for text, tensor in tensors if tensor.shape or library == "numpy"]
    single = [(text, tensor) for text, tensor in tensors if not tensor.shape and library == "torch"]
    full = wide or single
    reasons = []
    dtypes = list(dict.fromkeys(tensor.dtype for _, tensor in full))
    if len(dtypes) > 1:
        reasons.append(_of_dtypes(dtypes))
    for text, tensor in single if wide else ():
        if tensor.dtype != dtype:
            reasons.append(f"{text} is 0-d, so its {tensor.dtype} gives way to {wide[0][0]}, which has axes")
        elif tensor.dtype not in dtypes:
            reasons.append(f"{text} is 0-d, but {tensor.dtype} is of a higher kind than {dtypes[0]}")
    return reasons


def _of_dtypes(dtypes: Sequence[str]) -> str:
    others = [dtype for dtype in dtypes if dtype != "bool"]
    promoted = f"{' and '.join(others)} promote to it" if len(others) > 1 else ""
    return "; ".join(filter(None, [promoted, "bool counts as 0 and 1" if "bool" in dtypes else ""]))


def _of_numbers(items: Sequence[Item], dtype: str, library: str) -> list[str]:
    tensors = [item.value.dtype for item in items if isinstance(item.value, Tensor)]
    if dtype in tensors or not tensors:
        return []
    numbers = [item for item in items if not isinstance(item.value, Tensor)]
    item = next((item for item in numbers if isinstance(item.value, float)), numbers[0] if numbers else None)
    if item is None:
        return []
    kind = "float" if isinstance(item.value, float) else "int"
    taken = "its default float" if library == "torch" else "the float that is as wide as Python's"
    if kind == "int":
        taken = "its default integer"
    name = "PyTorch" if library == "torch" else "NumPy"
    return [f"{item.text} is a Python {kind}, of a higher kind than {tensors[0]}, and {name} takes {taken}"]


def mixes(items: Sequence[Item]) -> frozenset[str]:
    """Name the rules of promotion at work that the two libraries do not share."""
    tensors = [item.value for item in items if isinstance(item.value, Tensor)]
    kinds = {tensor.dtype for tensor in tensors}
    rules = set()
    if len(kinds) > 1 and len({bool(tensor.shape) for tensor in tensors}) > 1:
        rules.add("0-d-gives-way")
    if kinds & set(INTEGER) and kinds - set(INTEGER) - {"bool"}:
        rules.add("integers-with-floats")
    if any(isinstance(item.value, float) for item in items) and all(is_integral(kind) for kind in kinds):
        rules.add("default-float")
    return frozenset(rules)
