"""PyTorch's reductions (``aten/src/ATen/native/ReduceOps.cpp`` of PyTorch 2.13), errors included."""

from collections.abc import Mapping, Sequence

from segcli.shapes.integers import read_dims
from segcli.shapes.kinds import SCALARS
from segcli.shapes.reduce.reductions import FUNCTIONS, element_needs, reduced_shape, reduction_step, spread_words
from segcli.shapes.reduced import Reduced
from segcli.shapes.request import Given, Request
from segcli.shapes.signatures import cast_first, choose, flag
from segcli.shapes.values import COMPLEX, FLOATING, REAL, RaisedError, Shape, Size, Tensor

_COMPLEX_KERNELS = {"max": "max_all", "min": "min_all", "amax": "max_values_cpu", "amin": "min_values_cpu"}
# Dimensions to reduce are a bit set (ATen/WrapDimUtilsMulti.h).
_MAX_DIMENSIONS = 64
_SPREAD_NOTE = (
    "{name}() divides by n - 1 in PyTorch, by n in NumPy: correction=1 or correction=0 means the same in both"
)
_MEDIAN_NOTE = "the median of an even number is the lower of the two in the middle in PyTorch, their mean in NumPy"


def reduce_torch(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Reduce a tensor as PyTorch does.

    Args:
        source: The tensor.
        request: The call.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    function = FUNCTIONS[request.name]
    bound = choose(request, function.signatures)
    raw = read_dims(request.name, bound)
    keepdim = flag(bound, "keepdim")
    source = cast_first(source, bound)
    _check_dtype_first(source, request)
    everything = raw is None or (not raw and not function.nothing)
    if everything:
        _check_some_elements(source.shape, request)
    dims = tuple(range(len(source.shape))) if everything else wrap_dims(raw or (), source.shape, request)
    _check_kernel(source, request, whole=raw is None)
    pair = request.name in ("max", "min", "median") and raw is not None
    needs = function.needs == "all" or (function.needs == "dim" and pair)
    return Reduced(
        shape=reduced_shape(source.shape, dims, keepdim=keepdim),
        dtype=source.dtype if request.has_dtype else _dtype(source.dtype, request.name),
        dims=tuple(sorted(dims)),
        keepdim=keepdim,
        flat=raw is None,
        pair=pair,
        step=reduction_step(request, tuple(sorted(dims)), keepdim=keepdim, stage=stage),
        needs=element_needs(source.shape, dims) if needs else (),
        rules=_rules(request.name, pair=pair, emptied=raw == () and everything),
        notes=_notes(request),
        words=_words(request, bound, [source.shape[dim] for dim in dims]),
    )


def _rules(name: str, *, pair: bool, emptied: bool) -> frozenset[str]:
    if pair:
        return frozenset({"ordered-pair" if name == "median" else "pair"})
    return frozenset({"empty-dims"} if emptied else ())


def _notes(request: Request) -> tuple[str, ...]:
    if request.name == "median":
        return (_MEDIAN_NOTE,)
    if request.name in ("std", "var"):
        if "unbiased" in request.given:
            return ("for NumPy, unbiased= is read as ddof=",)
        return () if "correction" in request.given else (_SPREAD_NOTE.format(name=request.name),)
    return ()


def _words(request: Request, bound: Mapping[str, Given], sizes: Sequence[Size]) -> str:
    """Return what is done, where the function's name does not say it."""
    if request.name not in ("std", "var"):
        return ""
    if 0 in sizes:
        # Whatever it is divided by.
        return "nan"
    given = bound.get("correction")
    correction = None if given is None else given.value
    if correction is None:
        correction = flag(bound, "unbiased", default=True)
    return spread_words(request.name, correction)


def _check_dtype_first(source: Tensor, request: Request) -> None:
    """Refuse dtypes that PyTorch refuses before it looks at the dimensions."""
    words = ""
    if request.name.startswith("arg") and source.dtype in ("bool", *COMPLEX):
        kind = "bool" if source.dtype == "bool" else "complex"
        words = f"{request.name}(): does not support {kind} input"
    elif request.name == "mean" and source.dtype not in (*FLOATING, *COMPLEX):
        words = (
            f"mean(): could not infer output dtype. {'Optional' if request.has_dtype else 'Input'} dtype must be "
            f"either a floating point or complex dtype. Got: {SCALARS[source.dtype]}"
        )
    elif request.name in ("std", "var") and source.dtype not in (*FLOATING, *COMPLEX):
        words = "std and var only support floating point and complex dtypes"
    if words:
        raise RaisedError(request.span, "RuntimeError", words)


def wrap_dims(raw: Sequence[int], shape: Shape, request: Request) -> tuple[int, ...]:
    """Count negative dimensions from the end; a 0-d tensor is taken for one of one dimension."""
    ndim = max(len(shape), 1)
    span = request.span_of("dim")
    for dim in raw:
        if not -ndim <= dim < ndim:
            words = f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {dim})"
            raise RaisedError(span, "IndexError", words, dim)
        if shape:
            check_elements(shape, request, dim)
    dims = tuple(dim % ndim for dim in raw)
    if ndim > _MAX_DIMENSIONS:
        raise RaisedError(span, "RuntimeError", f"only tensors with up to {_MAX_DIMENSIONS} dims are supported")
    for place, dim in enumerate(dims):
        if dim in dims[:place]:
            raise RaisedError(span, "RuntimeError", f"dim {dim} appears multiple times in the list of dims", dim)
    return tuple(dim for dim in dims if dim < len(shape))


def _check_some_elements(shape: Shape, request: Request) -> None:
    """Refuse to reduce all of nothing."""
    if FUNCTIONS[request.name].needs != "all" or 0 not in shape:
        return
    words = f"{request.name}(): Expected reduction dim to be specified for input.numel() == 0."
    if request.name.startswith("arg"):
        raise RaisedError(request.span, "IndexError", words)
    raise RaisedError(request.span, "RuntimeError", words + " Specify the reduction dim with the 'dim' argument.")


def check_elements(shape: Shape, request: Request, dim: int) -> None:
    """Refuse an axis without elements where there is nothing to choose from."""
    if FUNCTIONS[request.name].needs and shape[dim] == 0:
        shown = dim if request.name in ("amax", "amin") else dim % len(shape)
        words = f"{request.name}(): Expected reduction dim {shown} to have non-zero size."
        raise RaisedError(request.span, "IndexError", words, dim % len(shape))


def _check_kernel(source: Tensor, request: Request, *, whole: bool) -> None:
    """Refuse dtypes for which there is no code."""
    kernel = ""
    if request.name == "median" and source.dtype in ("bool", *COMPLEX):
        kernel = "median_cpu" if whole else "median_out"
    elif request.name in _COMPLEX_KERNELS and source.dtype in COMPLEX:
        if request.name in ("max", "min") and not whole:
            raise RaisedError(request.span, "RuntimeError", f"{request.name}(): does not support complex input")
        kernel = "" if 0 in source.shape else _COMPLEX_KERNELS[request.name]
    if kernel and not (whole and 0 in source.shape):
        raise not_implemented(source, request, kernel)


def not_implemented(source: Tensor, request: Request, kernel: str) -> RaisedError:
    """Return the error of a kernel that a dtype has none of."""
    words = f"\"{kernel}\" not implemented for '{SCALARS[source.dtype]}'"
    return RaisedError(request.span, "NotImplementedError", words)


def _dtype(dtype: str, name: str) -> str:
    if name.startswith("arg") or name == "count_nonzero":
        return "int64"
    if name in ("any", "all"):
        return "uint8" if dtype == "uint8" else "bool"
    if name in ("std", "var"):
        return REAL.get(dtype, dtype)
    if name in ("sum", "prod") and dtype not in (*FLOATING, *COMPLEX):
        return "int64"
    return dtype
