"""NumPy's reductions (NumPy 2.4), errors included; NumPy says ``axis`` for ``dim`` and ``keepdims`` for ``keepdim``."""

from collections.abc import Sequence

from segcli.shapes.reductions import Reduced, Request, dim_items, element_needs, reduced_shape, reduction_step
from segcli.shapes.values import COMPLEX, FLOATING, Listed, RaisedError, Shape, Tensor, Value, type_name

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
    keepdim = _read_keepdim(request)
    if request.name == "mean":
        _check_mean_axis(source.shape, request)
    raw = _read_axes(request)
    dims = tuple(range(len(source.shape))) if raw is None else _wrapped(raw, source.shape, request)
    _check_elements(source, request, dims)
    return Reduced(
        shape=reduced_shape(source.shape, dims, keepdim=keepdim),
        dtype=_dtype(source.dtype, request.name),
        dims=tuple(sorted(dims)),
        keepdim=keepdim,
        flat=raw is None,
        pair=False,
        step=reduction_step(request, tuple(sorted(dims)), keepdim=keepdim, stage=stage),
        needs=element_needs(request, source.shape, dims),
    )


def _read_axes(request: Request) -> tuple[int, ...] | None:
    value = None if request.dim is None else request.dim.value
    if value is None:
        return None
    single = request.name.startswith("arg")
    if isinstance(value, Listed) and value.is_tuple and not single:
        return tuple(_axis_of(request, item) for item in dim_items(value) or ())
    return (_axis_of(request, value),)


def _axis_of(request: Request, value: Value) -> int:
    if isinstance(value, bool):
        words = "an integer is required for the axis" if request.name.startswith("arg") else "an integer is required"
        raise _type_error(request, words)
    if isinstance(value, int):
        return value
    if request.name == "mean" and isinstance(value, float):
        raise _type_error(request, "integer argument expected, got float")
    raise _type_error(request, f"'{type_name(value)}' object cannot be interpreted as an integer")


def _check_mean_axis(shape: Shape, request: Request) -> None:
    """Refuse an axis out of range before a bool: ``mean`` counts the elements it divides by first."""
    value = None if request.dim is None else request.dim.value
    if isinstance(value, bool):
        _wrapped((int(value),), shape, request)


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
    lenient = 1 if ndim == 0 and not tupled and request.name != "mean" else ndim
    span = request.dim.item.span if request.dim else request.span
    for axis in raw:
        if not -lenient <= axis < lenient:
            shown = lenient if single else ndim
            words = f"axis {axis} is out of bounds for array of dimension {shown}"
            raise RaisedError(span, "AxisError", words, axis)
    axes = tuple(axis % lenient for axis in raw)
    if len(set(axes)) < len(axes):
        raise RaisedError(span, "ValueError", "duplicate value in 'axis'")
    return tuple(axis for axis in axes if axis < ndim)


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
    if name.startswith("arg"):
        return "int64"
    if name in ("any", "all"):
        return "bool"
    if dtype in (*FLOATING, *COMPLEX):
        return dtype
    if name == "mean":
        return "float64"
    if name == "sum":
        return "uint64" if dtype in ("uint8", "uint64") else "int64"
    return dtype
