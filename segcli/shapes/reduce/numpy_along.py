"""NumPy's functions along one axis: ``sort``, ``argsort``, ``cumsum`` and ``cumprod`` (NumPy 2.4)."""

from math import prod

from segcli.shapes.indexing import Step
from segcli.shapes.reduce.numpy_reduce import asked_dtype
from segcli.shapes.reduced import Reduced
from segcli.shapes.request import Request
from segcli.shapes.symbols import times
from segcli.shapes.values import COMPLEX, FLOATING, RaisedError, Shape, Size, Tensor, type_name

_FORMS = {"sort": "rank", "argsort": "place", "cumsum": "running", "cumprod": "running"}
_EFFECTS = {
    "sort": "sorts along",
    "argsort": "positions that would sort",
    "cumsum": "adds up along",
    "cumprod": "multiplies up along",
}


def along_numpy(source: Tensor, request: Request, stage: int = 0) -> Reduced:
    """Apply a function along an axis as NumPy does; without an axis, along the flattened array.

    Args:
        source: The array.
        request: The call, by PyTorch's names.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As NumPy would raise.
    """
    if "descending" in request.given:
        words = f"{request.name}() got an unexpected keyword argument 'descending'"
        raise RaisedError(request.span_of("descending"), "TypeError", words)
    axis = _read_axis(request)
    ndim = len(source.shape)
    # All but sort take a 0-d array for one of one axis.
    counted = ndim if request.name == "sort" or ndim else 1
    if axis is not None and not -counted <= axis < counted:
        words = f"axis {axis} is out of bounds for array of dimension {counted}"
        raise RaisedError(request.span_of("dim"), "AxisError", words, axis)
    everything = tuple(range(ndim))
    dims = everything if axis is None or not ndim else (axis % ndim,)
    flat = axis is None or not ndim
    where = "the flattened array" if flat else f"axis {dims[0]}"
    step = Step(
        stage,
        request.text,
        request.span,
        request.name,
        dims,
        (0,) if flat else dims,
        f"{_EFFECTS[request.name]} {where}",
    )
    return Reduced(
        shape=(_product(source.shape),) if flat else source.shape,
        dtype=asked_dtype(request) or _dtype(source.dtype, request.name),
        dims=dims,
        keepdim=True,
        flat=flat,
        pair=False,
        step=step,
        rules=frozenset({"flattens"} if flat else ()),
        form=_FORMS[request.name],
    )


def _read_axis(request: Request) -> int | None:
    given = request.dim
    if given is None:
        return None if request.name in ("cumsum", "cumprod") else -1
    value = given.value
    if value is None:
        return None
    if request.name != "sort" and isinstance(value, bool):
        raise RaisedError(given.item.span, "TypeError", "an integer is required for the axis")
    if isinstance(value, int):
        return int(value)
    words = f"'{type_name(value)}' object cannot be interpreted as an integer"
    if request.name == "sort" and isinstance(value, float):
        words = "integer argument expected, got float"
    raise RaisedError(given.item.span, "TypeError", words)


def _product(shape: Shape) -> Size:
    known = [size for size in shape if isinstance(size, int)]
    return times(shape) if len(known) < len(shape) and 0 not in known else prod(known)


def _dtype(dtype: str, name: str) -> str:
    if name == "argsort":
        return "int64"
    if name == "sort" or dtype in (*FLOATING, *COMPLEX):
        return dtype
    return "uint64" if dtype in ("uint8", "uint64") else "int64"
