"""PyTorch's functions along one axis: sorting, the k-th and the k largest, running sums, softmax (PyTorch 2.13)."""

from collections.abc import Mapping

from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_int
from segcli.shapes.reduce.reductions import FUNCTIONS, reduced_shape, reduction_step
from segcli.shapes.reduce.torch_reduce import check_elements, not_implemented, wrap_dims
from segcli.shapes.reduced import Reduced
from segcli.shapes.request import Given, Request
from segcli.shapes.signatures import cast_first, choose, flag
from segcli.shapes.symbols import at_least
from segcli.shapes.values import COMPLEX, FLOATING, RaisedError, Shape, Size, Tensor

_FORMS = {
    "argsort": "place",
    "cumsum": "running",
    "cumprod": "running",
    "softmax": "softmax",
    "log_softmax": "log_softmax",
}


def along_torch(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Apply a function along an axis as PyTorch does.

    Args:
        source: The tensor.
        request: The call.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    bound = choose(request, FUNCTIONS[request.name].signatures)
    source = cast_first(source, bound)
    dim = read_int(bound["dim"].item) if "dim" in bound else -1
    wrap_dims((dim,), source.shape, request)
    dims = (dim % len(source.shape),) if source.shape else ()
    if request.name == "kthvalue":
        return _kthvalue(source, request, dims, bound, stage)
    needs: tuple[str, ...] = ()
    shape = source.shape
    if request.name == "topk":
        count = read_int(bound["k"].item)
        needs = _check_count(source, request, dims, 0, "selected index k out of range")
        shape = tuple(count if axis in dims else size for axis, size in enumerate(shape))
    _check_dtype(source, request, dims)
    pair = request.name in ("topk", "sort")
    return Reduced(
        shape=shape,
        dtype=source.dtype if request.has_dtype else _dtype(source.dtype, request.name),
        dims=dims,
        keepdim=True,
        flat=False,
        pair=pair,
        step=Step(stage, request.text, request.span, request.name, dims, dims, _effect(request, dims, bound)),
        needs=needs,
        rules=frozenset({"ordered-pair"} if pair else ()),
        form="some" if _is_unordered(bound) else _FORMS.get(request.name, "rank"),
        words=_words(request, bound),
    )


def _kthvalue(
    source: Tensor, request: Request, dims: tuple[int, ...], bound: Mapping[str, Given], stage: int
) -> Reduced:
    axis = dims[0] if dims else 0
    if dims and 0 in source.shape:
        check_elements(source.shape, request, axis)
    words = f"kthvalue(): selected number k out of range for dimension {axis}"
    needs = _check_count(source, request, dims, 1, words)
    if source.dtype in ("bool", *COMPLEX) and dims:
        raise not_implemented(source, request, "kthvalue_cpu")
    keepdim = flag(bound, "keepdim")
    count = read_int(bound["k"].item)
    return Reduced(
        shape=reduced_shape(source.shape, dims, keepdim=keepdim),
        dtype=source.dtype,
        dims=dims,
        keepdim=keepdim,
        flat=False,
        pair=True,
        step=reduction_step(request, dims, keepdim=keepdim, stage=stage),
        needs=needs,
        rules=frozenset({"ordered-pair"}),
        words=f"{ordinal(count)} smallest",
    )


def ordinal(number: int) -> str:
    """Write a number as a place in an order.

    Examples:
        >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 22)]
        ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    teens = 10 < number % 100 < 20  # noqa: PLR2004 - 11th, 12th and 13th
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _check_count(source: Tensor, request: Request, dims: tuple[int, ...], least: int, words: str) -> tuple[str, ...]:
    """Refuse a ``k`` that the axis has not; return what a size that is not known must be."""
    count = read_int(request.given["k"].item)
    size: Size = source.shape[dims[0]] if dims else 1
    if count < least or (isinstance(size, int) and count > size):
        raise RaisedError(request.span_of("k"), "RuntimeError", words, dims[0] if dims else None)
    return (at_least(size, count),) if isinstance(size, str) and count else ()


def _check_dtype(source: Tensor, request: Request, dims: tuple[int, ...]) -> None:
    name = request.name
    if name == "topk" and source.dtype == "bool":
        raise RaisedError(request.span, "RuntimeError", "topk does not support bool dtypes on CPU")
    if name in ("topk", "sort", "argsort") and source.dtype in COMPLEX:
        shown = "topk" if name == "topk" else "Sort"
        # The space is PyTorch's.
        raise RaisedError(request.span, "RuntimeError", f" {shown} does not support complex dtypes on CPU")
    running = name in ("cumsum", "cumprod")
    if running and source.dtype == "bool" and request.has_dtype and dims and 0 not in source.shape:
        raise not_implemented(source, request, f"{name}_out_cpu")
    if name.endswith("softmax") and source.dtype not in FLOATING and 0 not in source.shape:
        kernel = "lastdim_kernel_impl" if _is_last(source.shape, dims) else "kernel_impl"
        raise not_implemented(source, request, f"{name}_{kernel}")


def _is_last(shape: Shape, dims: tuple[int, ...]) -> bool:
    return not dims or dims[0] == len(shape) - 1


def _dtype(dtype: str, name: str) -> str:
    if name == "argsort" or (name in ("cumsum", "cumprod") and dtype not in (*FLOATING, *COMPLEX)):
        return "int64"
    return dtype


def _is_unordered(bound: Mapping[str, Given]) -> bool:
    return not flag(bound, "sorted", default=True)


def _words(request: Request, bound: Mapping[str, Given]) -> str:
    if request.name == "topk":
        words = "largest" if flag(bound, "largest", default=True) else "smallest"
        return f"one of the {read_int(bound['k'].item)} {words}" if _is_unordered(bound) else words
    return "largest" if flag(bound, "descending") else ""


def _effect(request: Request, dims: tuple[int, ...], bound: Mapping[str, Given]) -> str:
    where = f"axis {dims[0]}" if dims else "the only element"
    words = "largest" if flag(bound, "largest", default=True) else "smallest"
    order = "largest first" if flag(bound, "descending") else "smallest first"
    return {
        "topk": lambda: f"keeps the {read_int(bound['k'].item)} {words} along {where}",
        "sort": lambda: f"sorts along {where}, {order}",
        "argsort": lambda: f"positions that would sort {where}, {order}",
        "cumsum": lambda: f"adds up along {where}",
        "cumprod": lambda: f"multiplies up along {where}",
        "softmax": lambda: f"sums to 1 along {where}",
        "log_softmax": lambda: f"logarithms of what sums to 1 along {where}",
    }[request.name]()
