"""PyTorch's reductions (``aten/src/ATen/native/ReduceOps.cpp`` of PyTorch 2.13), errors included."""

from collections.abc import Sequence

from segcli.shapes.reductions import (
    Given,
    Reduced,
    Request,
    dim_items,
    element_needs,
    reduced_shape,
    reduction_step,
)
from segcli.shapes.values import COMPLEX, FLOATING, RaisedError, Shape, Tensor, Value, type_name

_SCALAR_NAMES = {"bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long"}
_COMPLEX_NAMES = {"complex64": "ComplexFloat", "complex128": "ComplexDouble"}
_COMPLEX_KERNELS = {"max": "max_all", "min": "min_all", "amax": "max_values_cpu", "amin": "min_values_cpu"}
# Dimensions to reduce are a bit set (ATen/WrapDimUtilsMulti.h).
_MAX_DIMENSIONS = 64
# Overloads whose parser lists every signature, where others name the argument.
_OVERLOADED = ("max", "min", "sum", "mean", "any", "all")
_LISTING = ("any", "all")
_LISTING_OF_TORCH = ("max", "min", "mean")


def reduce_torch(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Reduce a tensor as PyTorch does.

    Args:
        source: The tensor.
        request: The call.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    raw = _read_dims(request)
    keepdim = _read_keepdim(request)
    _check_dtype_first(source, request)
    everything = raw is None or (not raw and not request.function.nothing)
    if everything:
        _check_some_elements(source.shape, request)
    dims = tuple(range(len(source.shape))) if everything else _wrapped(raw or (), source.shape, request)
    _check_complex(source, request, whole=raw is None)
    shape = reduced_shape(source.shape, dims, keepdim=keepdim)
    pair = request.name in ("max", "min") and raw is not None
    return Reduced(
        shape=shape,
        dtype=_dtype(source.dtype, request.name),
        dims=tuple(sorted(dims)),
        keepdim=keepdim,
        flat=raw is None,
        pair=pair,
        step=reduction_step(request, tuple(sorted(dims)), keepdim=keepdim, stage=stage),
        needs=element_needs(request, source.shape, dims),
        rules=frozenset({"pair"} if pair else {"empty-dims"} if raw == () and everything else ()),
    )


def _read_dims(request: Request) -> tuple[int, ...] | None:
    """Return the dimensions asked for as written, or None for all of them."""
    given, function = request.dim, request.function
    if given is None:
        if request.keepdim is not None and not function.keepdim_alone:
            raise _invalid_combination(request)
        return None
    value = given.value
    if value is None and (function.many or request.name.startswith("arg")):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    items = dim_items(value)
    if items is None or not function.many:
        raise _bad_dim(request, given, "tuple of ints" if function.many else "int")
    return tuple(_dim_of(request, given, place, item) for place, item in enumerate(items))


def _dim_of(request: Request, given: Given, place: int, value: Value) -> int:
    # From the second on, a bool passes for an int.
    if isinstance(value, int) and not (isinstance(value, bool) and place == 0):
        return int(value)
    if place:
        words = (
            f"{request.name}(): argument 'dim' failed to unpack the object at pos {place + 1} with error "
            f'"type must be tuple of ints,but got {type_name(value)}"'
        )
        raise RaisedError(given.item.span, "TypeError", words)
    raise _bad_dim(request, given, "tuple of ints", f"but found element of type {type_name(value)} at pos 0")


def _bad_dim(request: Request, given: Given, expected: str, found: str = "") -> RaisedError:
    alone = request.name in _OVERLOADED and request.keepdim is None
    if alone or request.name in _LISTING or (request.of_torch and request.name in _LISTING_OF_TORCH):
        raise _invalid_combination(request)
    found = f", {found}" if found else f", not {type_name(given.value)}"
    words = f"{request.name}(): argument 'dim'{_position(given)} must be {expected}{found}"
    return RaisedError(given.item.span, "TypeError", words)


def _read_keepdim(request: Request) -> bool:
    given = request.keepdim
    if given is None:
        return False
    if isinstance(given.value, bool):
        return given.value
    if request.name in _LISTING or (request.of_torch and request.name in _LISTING_OF_TORCH):
        raise _invalid_combination(request)
    words = f"{request.name}(): argument 'keepdim'{_position(given)} must be bool, not {type_name(given.value)}"
    raise RaisedError(given.item.span, "TypeError", words)


def _position(given: Given) -> str:
    return f" (position {given.position})" if given.position else ""


def _invalid_combination(request: Request) -> RaisedError:
    words = f"{request.name}() received an invalid combination of arguments - got {request.types}"
    span = request.dim.item.span if request.dim else request.keepdim.item.span if request.keepdim else request.span
    return RaisedError(span, "TypeError", words)


def _check_dtype_first(source: Tensor, request: Request) -> None:
    """Refuse dtypes that PyTorch refuses before it looks at the dimensions."""
    words = ""
    if request.name.startswith("arg") and source.dtype in ("bool", *COMPLEX):
        kind = "bool" if source.dtype == "bool" else "complex"
        words = f"{request.name}(): does not support {kind} input"
    elif request.name == "mean" and source.dtype not in (*FLOATING, *COMPLEX):
        words = (
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            + _SCALAR_NAMES[source.dtype]
        )
    if words:
        raise RaisedError(request.span, "RuntimeError", words)


def _wrapped(raw: Sequence[int], shape: Shape, request: Request) -> tuple[int, ...]:
    """Count negative dimensions from the end; a 0-d tensor is taken for one of one dimension."""
    ndim = max(len(shape), 1)
    span = request.dim.item.span if request.dim else request.span
    for dim in raw:
        if not -ndim <= dim < ndim:
            words = f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {dim})"
            raise RaisedError(span, "IndexError", words, dim)
        if shape:
            _check_elements(shape, request, dim)
    dims = tuple(dim % ndim for dim in raw)
    if ndim > _MAX_DIMENSIONS:
        raise RaisedError(span, "RuntimeError", f"only tensors with up to {_MAX_DIMENSIONS} dims are supported")
    for place, dim in enumerate(dims):
        if dim in dims[:place]:
            raise RaisedError(span, "RuntimeError", f"dim {dim} appears multiple times in the list of dims", dim)
    return tuple(dim for dim in dims if dim < len(shape))


def _check_some_elements(shape: Shape, request: Request) -> None:
    """Refuse to reduce all of nothing."""
    if not request.function.needs_elements or 0 not in shape:
        return
    words = f"{request.name}(): Expected reduction dim to be specified for input.numel() == 0."
    if request.name.startswith("arg"):
        raise RaisedError(request.span, "IndexError", words)
    raise RaisedError(request.span, "RuntimeError", words + " Specify the reduction dim with the 'dim' argument.")


def _check_elements(shape: Shape, request: Request, dim: int) -> None:
    if request.function.needs_elements and shape[dim] == 0:
        shown = dim if request.name in ("amax", "amin") else dim % len(shape)
        words = f"{request.name}(): Expected reduction dim {shown} to have non-zero size."
        raise RaisedError(request.span, "IndexError", words, dim % len(shape))


def _check_complex(source: Tensor, request: Request, *, whole: bool) -> None:
    if source.dtype not in COMPLEX or request.name not in _COMPLEX_KERNELS:
        return
    if request.name in ("max", "min") and not whole:
        raise RaisedError(request.span, "RuntimeError", f"{request.name}(): does not support complex input")
    if 0 not in source.shape:
        kernel = _COMPLEX_KERNELS[request.name]
        words = f"\"{kernel}\" not implemented for '{_COMPLEX_NAMES[source.dtype]}'"
        raise RaisedError(request.span, "NotImplementedError", words)


def _dtype(dtype: str, name: str) -> str:
    if name.startswith("arg"):
        return "int64"
    if name in ("any", "all"):
        return "uint8" if dtype == "uint8" else "bool"
    if name == "sum" and dtype not in (*FLOATING, *COMPLEX):
        return "int64"
    return dtype
