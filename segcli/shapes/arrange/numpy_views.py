"""NumPy's operations that look at an array in another order (NumPy 2.4)."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.arrange.stretching import stretched
from segcli.shapes.arrange.turning import inserted, permuted, removed, swapped
from segcli.shapes.calls import Call
from segcli.shapes.dims import NUMPY_DIMENSIONS, array_of, bind_numpy, gathered, numpy_axes, numpy_axis
from segcli.shapes.indexing import Indexing
from segcli.shapes.integers import listed, numpy_int, size_of
from segcli.shapes.symbols import equal_or_one
from segcli.shapes.values import Item, Listed, RaisedError, Size, Tensor, format_sizes, type_name

_MATRIX = 2


def order_of_move(ndim: int, sources: Sequence[int], destinations: Sequence[int]) -> list[int]:
    """Return the order of axes of which some are moved and the others stay in sequence.

    Examples:
        >>> order_of_move(4, [0, 3], [2, 0])
        [3, 1, 0, 2]
    """
    order = [axis for axis in range(ndim) if axis not in sources]
    for destination, source in sorted(zip(destinations, sources, strict=True)):
        order.insert(destination, source)
    return order


def transpose(call: Call) -> Indexing:
    """Transpose as ``x.transpose(*axes)`` or ``np.transpose(x, axes)`` does: all axes are named, in their new order."""
    if call.space == "torch":
        _, source, bound = bind_numpy(call, "transpose", "a, axes=None")
        return _ordered(call, source, bound["axes"].item if "axes" in bound else None)
    _, source, arguments = array_of(call)
    _refuse_keywords(call, arguments)
    items = [item for _, item in arguments]
    if len(items) > 1:
        span = (items[0].span[0], items[-1].span[1])
        return _ordered(call, source, Item(Listed(tuple(items), is_tuple=True), call.text, span))
    return _ordered(call, source, items[0] if items else None)


def permute(call: Call) -> Indexing:
    """Transpose as ``np.transpose`` does, with the numbers of ``x.permute(2, 0, 1)`` as one tuple."""
    _, source, bound = bind_numpy(gathered(call), "transpose", "a, axes=None", {"dims": "axes"})
    return _ordered(call, source, bound["axes"].item if "axes" in bound else None)


def _ordered(call: Call, source: Tensor, axes: Item | None) -> Indexing:
    ndim = len(source.shape)
    if axes is None or axes.value is None:
        return permuted(source, range(ndim)[::-1], call)
    if isinstance(axes.value, bool):
        words = f"expected a sequence of integers or a single integer, got '{axes.value}'"
        raise RaisedError(axes.span, "TypeError", words)
    raw = [numpy_int(item, bools=False) for item in listed(axes)]
    if len(raw) != ndim:
        raise RaisedError(axes.span, "ValueError", "axes don't match array")
    order: list[int] = []
    for axis, item in zip(raw, listed(axes), strict=True):
        order.append(numpy_axis(axis, ndim, item.span))
        if order[-1] in order[:-1]:
            raise RaisedError(item.span, "ValueError", "repeated axis in transpose", order[-1])
    return permuted(source, order, call)


def reverse(call: Call) -> Indexing:
    """Reverse all axes, as ``x.T`` does."""
    source = array_of(call)[1] if call.space != "torch" else bind_numpy(call, call.name, "a")[1]
    return permuted(source, range(len(source.shape))[::-1], call)


def transpose_matrices(call: Call) -> Indexing:
    """Swap the last two axes, as ``x.mT`` does."""
    _, source, _ = array_of(call)
    ndim = len(source.shape)
    if source.scalar:
        words = f"'numpy.{source.dtype}' object has no attribute 'mT'"
        raise RaisedError(call.span, "AttributeError", words)
    if ndim < _MATRIX:
        raise RaisedError(call.span, "ValueError", "matrix transpose with ndim < 2 is undefined")
    return swapped(source, ndim - 2, ndim - 1, call)


def swapaxes(call: Call) -> Indexing:
    """Swap two axes, as ``x.swapaxes`` and ``np.swapaxes`` do."""
    if call.space == "method" and call.name == "swapaxes":
        _refuse_keywords(call, array_of(call)[2])
    _, source, bound = bind_numpy(call, "swapaxes", "a, axis1, axis2", {"dim0": "axis1", "dim1": "axis2"})
    ndim = len(source.shape)
    items = [bound[name].item for name in ("axis1", "axis2")]
    raw = [numpy_int(item) for item in items]
    one, other = (
        numpy_axis(axis, ndim, item.span, f"{name}: ")
        for axis, item, name in zip(raw, items, ("axis1", "axis2"), strict=True)
    )
    return swapped(source, one, other, call)


def moveaxis(call: Call) -> Indexing:
    """Move axes, as ``np.moveaxis`` does."""
    _, source, bound = bind_numpy(call, "moveaxis", "a, source, destination")
    ndim = len(source.shape)
    places = [
        numpy_axes(bound[name].item, ndim, name, f"repeated axis in `{name}` argument")
        for name in ("source", "destination")
    ]
    if len(places[0]) != len(places[1]):
        words = "`source` and `destination` arguments must have the same number of elements"
        raise RaisedError(bound["destination"].item.span, "ValueError", words)
    return permuted(source, order_of_move(ndim, *places), call)


def squeeze(call: Call) -> Indexing:
    """Take out axes of size 1, as ``squeeze`` of NumPy does: one of another size is an error."""
    _, source, bound = bind_numpy(call, "squeeze", "a, axis=None", {"dim": "axis"})
    shape = source.shape
    given = bound["axis"].item if "axis" in bound else None
    if given is None or given.value is None:
        gone = [axis for axis, size in enumerate(shape) if size == 1]
        needs = tuple(f"{size} != 1" for size in shape if isinstance(size, str))
        return removed(source, gone, call, needs=needs)
    axes = _squeezed(given, len(shape))
    if any(isinstance(shape[axis], int) and shape[axis] != 1 for axis in axes):
        at = next(axis for axis in axes if shape[axis] != 1)
        words = "cannot select an axis to squeeze out which has size not equal to one"
        raise RaisedError(given.span, "ValueError", words, at)
    needs = tuple(f"{shape[axis]} == 1" for axis in axes if shape[axis] != 1)
    return removed(source, axes, call, needs=needs)


def _squeezed(given: Item, ndim: int) -> list[int]:
    """Read the axes of ``squeeze``: only a tuple is several, and a 0-d array may have axis 0."""
    if isinstance(given.value, Listed) and not given.value.is_tuple:
        raise RaisedError(given.span, "TypeError", "'list' object cannot be interpreted as an integer")
    several = isinstance(given.value, Listed)
    words = "integers are required for the axis tuple elements" if several else "an integer is required for the axis"
    axes: list[int] = []
    for item in listed(given):
        axis = numpy_int(item, words=words, bools=False)
        if not several and not ndim and axis in (0, -1):
            return []
        axes.append(numpy_axis(axis, ndim, item.span))
        if axes[-1] in axes[:-1]:
            raise RaisedError(item.span, "ValueError", "duplicate value in 'axis'", axes[-1])
    return axes


def expand_dims(call: Call) -> Indexing:
    """Add axes of size 1, as ``np.expand_dims`` does."""
    _, source, bound = bind_numpy(call, "expand_dims", "a, axis", {"dim": "axis"})
    given = bound["axis"].item
    if given.value is None:
        raise RaisedError(given.span, "TypeError", "'NoneType' object cannot be interpreted as an integer")
    if isinstance(given.value, float):
        raise RaisedError(given.span, "TypeError", "integer argument expected, got float")
    return inserted(source, numpy_axes(given, len(source.shape) + len(listed(given))), call)


def broadcast_to(call: Call) -> Indexing:
    """Repeat axes of size 1 without copying, as ``np.broadcast_to`` does."""
    call = replace(call, arguments=tuple(given for given in call.arguments if given[0] != "implicit"))
    _, source, bound = bind_numpy(gathered(call), "broadcast_to", "array, shape", {"size": "shape"})
    given = bound["shape"].item
    if given.value is None or isinstance(given.value, str):
        words = f"'<' not supported between instances of '{type_name(given.value)}' and 'int'"
        raise RaisedError(given.span, "TypeError", words)
    own = source.shape
    words = ""
    if own and not listed(given):
        words = "cannot broadcast a non-scalar to a scalar array"
    elif any(isinstance(item.value, int | float) and item.value < 0 for item in listed(given)):
        words = "all elements of broadcast shape must be non-negative"
    if words:
        raise RaisedError(given.span, "ValueError", words)
    sizes = [_size(item) for item in listed(given)]
    offset = len(sizes) - len(own)
    if offset < 0:
        words = "input operand has more dimensions than allowed by the axis remapping"
        raise RaisedError(given.span, "ValueError", words)
    if len(sizes) > NUMPY_DIMENSIONS:
        words = f"maximum supported dimension for an ndarray is {NUMPY_DIMENSIONS}, found {len(sizes)}"
        raise RaisedError(given.span, "ValueError", words)
    needs: list[str] = []
    for size, before in zip(sizes[offset:], own, strict=True):
        if before in (1, size):
            continue
        if isinstance(size, int) and isinstance(before, int):
            words = (
                "operands could not be broadcast together with remapped shapes [original->remapped]: "
                f"{_joined(own)}  and requested shape {_joined(sizes)}"
            )
            raise RaisedError(given.span, "ValueError", words)
        needs.append(equal_or_one(before, size))
    return stretched(call, source, tuple(sizes), tuple(needs))


def _size(item: Item) -> Size:
    size = size_of(item.value)
    if isinstance(size, str):
        return size
    return numpy_int(item, bools=False)


def _joined(shape: Sequence[Size]) -> str:
    return format_sizes(tuple(shape)).replace(" ", "")


def _refuse_keywords(call: Call, arguments: Sequence[tuple[str, Item]]) -> None:
    keyword = next((item for keyword, item in arguments if keyword), None)
    if keyword is not None:
        raise RaisedError(keyword.span, "TypeError", f"ndarray.{call.name}() takes no keyword arguments")
