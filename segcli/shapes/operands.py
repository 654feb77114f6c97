"""What operations of several tensors share: the dtype of a result, and what NumPy makes of an operand."""

from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.symbols import refuse_unequal
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    NUMPY_INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Symbol,
    Tensor,
    format_sizes,
)

_FLOAT_BITS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64, "complex64": 32, "complex128": 64}
# How wide an integer is.
BITS = {"uint8": 8, "int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint64": 64}
_FAMILIES = (("bool",), NUMPY_INTEGER, FLOATING, COMPLEX)
_OBJECT = "object"


def _family(dtype: str) -> int:
    return next(place for place, family in enumerate(_FAMILIES) if dtype in family)


def promote(one: str, other: str, library: str) -> str:
    """Return the dtype that holds the values of both, as a library sees it.

    Args:
        one: A dtype of tensors that have axes.
        other: Another.
        library: ``torch``, where any float holds integers, or ``numpy``, where it must be wide enough.

    Examples:
        >>> promote("int64", "float32", "torch"), promote("int64", "float32", "numpy")
        ('float32', 'float64')
    """
    if _OBJECT in (one, other):
        message = "NumPy makes an array of objects of what is no number, which is not supported"
        raise SegcliError(message)
    low, high = sorted((one, other), key=_family)
    if low in (high, "bool"):
        return high
    if high in NUMPY_INTEGER:
        return _of_integers(low, high)
    if low in NUMPY_INTEGER:
        # The narrowest float of NumPy that holds every value of the integers.
        held = {8: 16, 16: 32}.get(BITS[low], 64)
        bits = _FLOAT_BITS[high] if library == "torch" else max(held, _FLOAT_BITS[high])
        if bits == _FLOAT_BITS[high]:
            return high
    else:
        bits = max(_FLOAT_BITS[low], _FLOAT_BITS[high], 32 if {low, high} == {"float16", "bfloat16"} else 0)
    if high in COMPLEX:
        return "complex128" if bits > 32 else "complex64"  # noqa: PLR2004 - bits of a float32
    return f"float{bits}" if bits != _FLOAT_BITS[high] or high != "bfloat16" else high


def _of_integers(one: str, other: str) -> str:
    narrow, wide = sorted((one, other), key=lambda dtype: (BITS[dtype], dtype.startswith("u")))
    if wide.startswith("u") and not narrow.startswith("u"):
        return "int16" if wide == "uint8" else "float64"
    return wide


def promote_all(tensors: Sequence[Tensor], library: str) -> str:
    """Return the dtype that holds the values of all."""
    if any(tensor.dtype == _OBJECT for tensor in tensors):
        promote(_OBJECT, _OBJECT, library)
    # NumPy looks at floats first: beside float16, uint8 and int8 are not int16.
    first, *others = sorted((tensor.dtype for tensor in tensors), key=_family, reverse=True)
    for other in others:
        first = promote(first, other, library)
    return first


def as_array(item: Item) -> Tensor:
    """Return what NumPy makes of an operand: numbers and lists are arrays as well.

    Raises:
        RaisedError: NumPy's ValueError for rows of several lengths.
        SegcliError: For an array of objects.
    """
    if isinstance(item.value, Tensor):
        return item.value
    shape, dtype = _discover(item)
    return Tensor(shape, dtype, item.text)


def _discover(item: Item) -> tuple[Shape, str]:
    value = item.value
    if isinstance(value, Tensor):
        return value.shape, value.dtype
    if not isinstance(value, Listed):
        return (), _dtype_of(item)
    inner = [_discover(each) for each in value.items]
    if not inner:
        return (0,), "float64"
    dtype = inner[0][1]
    for shape, kind in inner[1:]:
        if len(shape) == len(inner[0][0]):
            for sizes in zip(shape, inner[0][0], strict=True):
                refuse_unequal(sizes, item.text)
        if shape != inner[0][0]:
            words = (
                "setting an array element with a sequence. The requested array has an inhomogeneous shape after "
                f"1 dimensions. The detected shape was {format_sizes((len(inner),))} + inhomogeneous part."
            )
            raise RaisedError(item.span, "ValueError", words)
        dtype = promote(dtype, kind, "numpy")
    return (len(inner), *inner[0][0]), dtype


def _dtype_of(item: Item) -> str:
    match item.value:
        case bool():
            return "bool"
        case int() | Symbol():
            return "int64"
        case float():
            return "float64"
        case _:
            return _OBJECT
