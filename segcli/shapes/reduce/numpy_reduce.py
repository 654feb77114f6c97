"""NumPy's reductions (NumPy 2.4), errors included; NumPy says ``axis`` for ``dim`` and ``keepdims`` for ``keepdim``."""

from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.reduce.reductions import (
    FUNCTIONS,
    dim_items,
    element_needs,
    reduced_shape,
    reduction_step,
    spread_words,
)
from segcli.shapes.reduced import Reduced
from segcli.shapes.request import Request
from segcli.shapes.values import COMPLEX, FLOATING, REAL, DType, Listed, RaisedError, Shape, Tensor, Value, type_name

# They count the elements that they divide by before they look at anything else.
_SPREAD = ("std", "var")
_COUNTING = ("mean", *_SPREAD)
_IDENTITYLESS = {"max": "maximum", "amax": "maximum", "min": "minimum", "amin": "minimum"}


def reduce_numpy(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Reduce an array as NumPy does.

    Args:
        source: The array.
        request: The call, by PyTorch's names.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As NumPy would raise.
    """
    _check_both_corrections(request)
    if request.name in _COUNTING:
        _check_counted_axis(source.shape, request)
    _check_correction(request)
    keepdim = _read_keepdim(request)
    raw = _read_axes(request)
    dims = tuple(range(len(source.shape))) if raw is None else _wrapped(raw, source.shape, request)
    _check_elements(source, request, dims)
    if request.name == "median":
        _check_reshape(source.shape, request, raw, dims)
    return Reduced(
        shape=reduced_shape(source.shape, dims, keepdim=keepdim),
        dtype=asked_dtype(request) or _dtype(source.dtype, request.name),
        dims=tuple(sorted(dims)),
        keepdim=keepdim,
        flat=raw is None,
        pair=False,
        step=reduction_step(request, tuple(sorted(dims)), keepdim=keepdim, stage=stage),
        needs=element_needs(source.shape, dims) if FUNCTIONS[request.name].needs == "all" else (),
        words=_words(request),
        scalar=not (request.name == "median" and keepdim),
    )


def asked_dtype(request: Request) -> str:
    """Return what ``dtype=`` asks for, empty where it asks for nothing.

    Raises:
        RaisedError: The TypeError of NumPy for what is no dtype.
    """
    given = request.given.get("dtype")
    if given is None or given.value is None:
        return ""
    if isinstance(given.value, DType) and given.value.name != "bfloat16":
        return given.value.name
    words = f"Cannot interpret '{given.item.text}' as a data type"
    raise RaisedError(given.item.span, "TypeError", words)


def _read_axes(request: Request) -> tuple[int, ...] | None:
    value = None if request.dim is None else request.dim.value
    if value is None:
        return None
    single = request.name.startswith("arg")
    if request.name == "median" and not isinstance(value, int | Listed):
        raise _type_error(request, f"'{type_name(value)}' object is not iterable")
    if isinstance(value, Listed) and (value.is_tuple or request.name == "median") and not single:
        return tuple(_axis_of(request, item) for item in dim_items(value) or ())
    return (_axis_of(request, value),)


def _axis_of(request: Request, value: Value) -> int:
    if request.name == "median" and isinstance(value, int | float):
        if isinstance(value, float):
            raise _type_error(request, "integer argument expected, got float")
        return int(value)
    if isinstance(value, bool):
        words = "an integer is required for the axis" if request.name.startswith("arg") else "an integer is required"
        raise _type_error(request, words)
    if isinstance(value, int):
        return value
    if request.name in _COUNTING and isinstance(value, float):
        raise _type_error(request, "integer argument expected, got float")
    raise _type_error(request, f"'{type_name(value)}' object cannot be interpreted as an integer")


def _check_counted_axis(shape: Shape, request: Request) -> None:
    """Refuse an axis that is none: these take a bool for an int while they count, and refuse it later."""
    value = None if request.dim is None else request.dim.value
    values = [value] if not (isinstance(value, Listed) and value.is_tuple) else dim_items(value) or []
    for axis in values:
        if axis is not None:
            _wrapped((int(axis) if isinstance(axis, int) else _axis_of(request, axis),), shape, request)


def _check_both_corrections(request: Request) -> None:
    unbiased, correction = request.given.get("unbiased"), request.given.get("correction")
    if unbiased is not None and correction is not None and unbiased.value != 0:
        words = "ddof and correction can't be provided simultaneously."
        raise RaisedError(correction.item.span, "ValueError", words)


def _check_correction(request: Request) -> None:
    """Refuse what cannot be compared with a count."""
    given = request.given.get("correction") or request.given.get("unbiased")
    if given is None or isinstance(given.value, int | float):
        return
    if isinstance(given.value, Listed):
        message = f"{request.name}(): a {given.value.kind} of corrections is not supported"
        raise SegcliError(message, hint="write correction=1, or 0")
    words = f"'<=' not supported between instances of 'int' and '{type_name(given.value)}'"
    raise RaisedError(given.item.span, "TypeError", words)


def _words(request: Request) -> str:
    if request.name == "median":
        return "median"
    if request.name not in _SPREAD:
        return ""
    given = request.given.get("correction") or request.given.get("unbiased")
    correction = 0 if given is None else given.value
    return spread_words(request.name, correction)


def _read_keepdim(request: Request) -> bool:
    value = None if request.keepdim is None else request.keepdim.value
    if request.keepdim is None or isinstance(value, int):
        return bool(value)
    raise _type_error(request, f"'{type_name(value)}' object cannot be interpreted as an integer")


def _type_error(request: Request, words: str) -> RaisedError:
    return RaisedError(request.dim.item.span if request.dim else request.span, "TypeError", words)


def _wrapped(raw: Sequence[int], shape: Shape, request: Request) -> tuple[int, ...]:
    # A lone axis of a 0-d array may be 0 or -1, except to mean and to tuples; argmax takes it for one of one axis.
    single = request.name.startswith("arg")
    tupled = request.dim is not None and isinstance(request.dim.value, Listed)
    ndim = len(shape)
    lenient = 1 if ndim == 0 and not tupled and request.name not in (*_COUNTING, "median") else ndim
    span = request.span_of("dim")
    for axis in raw:
        if not -lenient <= axis < lenient:
            shown = lenient if single else ndim
            words = f"axis {axis} is out of bounds for array of dimension {shown}"
            raise RaisedError(span, "AxisError", words, axis)
    axes = tuple(axis % lenient for axis in raw)
    if len(set(axes)) < len(axes):
        words = "repeated axis" if request.name == "median" else "duplicate value in 'axis'"
        raise RaisedError(span, "ValueError", words)
    return tuple(axis for axis in axes if axis < ndim)


def _check_reshape(shape: Shape, request: Request, raw: Sequence[int] | None, dims: Sequence[int]) -> None:
    """Refuse what ``median`` does over several axes, which it makes one, where the axes that stay have no elements."""
    kept = [size for axis, size in enumerate(shape) if axis not in dims]
    if raw is not None and len(raw) != 1 and 0 in kept:
        words = f"cannot reshape array of size 0 into shape ({','.join(map(str, kept))},newaxis)"
        raise RaisedError(request.span_of("dim"), "ValueError", words)


def _check_elements(source: Tensor, request: Request, dims: Sequence[int]) -> None:
    if not any(source.shape[axis] == 0 for axis in dims):
        return
    if request.name.startswith("arg"):
        raise RaisedError(request.span, "ValueError", f"attempt to get {request.name} of an empty sequence")
    if request.name in _IDENTITYLESS:
        ufunc = _IDENTITYLESS[request.name]
        words = f"zero-size array to reduction operation {ufunc} which has no identity"
        raise RaisedError(request.span, "ValueError", words)


def _dtype(dtype: str, name: str) -> str:
    if name.startswith("arg") or name == "count_nonzero":
        return "int64"
    if name in ("any", "all"):
        return "bool"
    if dtype in (*FLOATING, *COMPLEX):
        return REAL.get(dtype, dtype) if name in _SPREAD else dtype
    if name in (*_COUNTING, "median"):
        return "float64"
    if name in ("sum", "prod"):
        return "uint64" if dtype in ("uint8", "uint64") else "int64"
    return dtype
