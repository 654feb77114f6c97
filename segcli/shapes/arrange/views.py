"""Operations that look at a tensor in another order, or at a part of it: PyTorch 2.13's.

Their results are views. NumPy's own are in ``numpy_views``.
"""

from dataclasses import replace

from segcli.shapes.arrange import numpy_views
from segcli.shapes.arrange.stretching import broadcast_to, expand, expand_as
from segcli.shapes.arrange.turning import inserted, permuted, removed, swapped
from segcli.shapes.calls import Call, Operation
from segcli.shapes.dims import bind, bind_nothing, both, rest_step, wrap, wrap_all
from segcli.shapes.indexing import Access, Along, Fixed, Indexing, Step, position_need
from segcli.shapes.integers import dims_in, read_int, spans
from segcli.shapes.request import Given
from segcli.shapes.symbols import at_least, difference
from segcli.shapes.values import INTEGER, RaisedError, Size, Tensor, format_sizes

_PERMUTE = both("sizes dims")
_SWAPS = {
    **dict.fromkeys(("transpose", "swapdims"), ("dim0", "dim1")),
    "swapaxes": ("axis0", "axis1"),
}
_MOVE = both("int source, int destination", "sizes source, sizes destination")
_SQUEEZE = both("", "int dim", "sizes dim")
_UNSQUEEZE = both("int dim")
_SELECT = both("int dim, int index")
_NARROW = both("int dim, Tensor start, int length", "int dim, int start, int length")
_T = both("")
_MATRIX = 2
_REVERSES = (
    "x.T of a tensor whose ndim is not 2 is deprecated in PyTorch: write x.mT for transposed matrices, or "
    "x.permute(...)"
)


def _permute(call: Call) -> Indexing:
    _, source, bound = bind(call, _PERMUTE)
    given = bound["dims"]
    dims = dims_in(call.name, "dims", given)
    ndim = len(source.shape)
    if len(dims) != ndim:
        words = (
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
        raise RaisedError(given.item.span, "RuntimeError", words)
    order: list[int] = []
    for dim, span in zip(dims, spans(given), strict=True):
        axis = wrap(dim, ndim, span)
        if axis in order:
            raise RaisedError(span, "RuntimeError", "permute(): duplicate dims are not allowed.", axis)
        order.append(axis)
    return permuted(source, order, call)


def _swap(call: Call) -> Indexing:
    names = _SWAPS[call.name]
    _, source, bound = bind(call, both(f"int {names[0]}, int {names[1]}"))
    ndim = len(source.shape)
    one, other = (wrap(read_int(bound[name].item), ndim, bound[name].item.span) for name in names)
    done = swapped(source, one, other, call)
    return replace(done, rules=frozenset({"transpose-swaps"})) if call.name == "transpose" else done


def _move(call: Call) -> Indexing:
    _, source, bound = bind(call, _MOVE)
    ndim = len(source.shape)
    places = []
    raw = [dims_in(call.name, name, bound[name]) for name in ("source", "destination")]
    if len(raw[0]) != len(raw[1]):
        words = (
            f"movedim: Invalid source or destination dims: source ({raw[0]} dims) should contain the same number of "
            f"dims as destination ({raw[1]} dims)"
        )
        raise RaisedError(bound["destination"].item.span, "RuntimeError", words)
    for name, dims in zip(("source", "destination"), raw, strict=True):
        places.append([wrap(dim, ndim, span) for dim, span in zip(dims, spans(bound[name]), strict=True)])
    for name, dims, axes in zip(("source", "destination"), raw, places, strict=True):
        if len(set(axes)) < len(axes):
            words = f"movedim: repeated dim in `{name}` ({dims})"
            raise RaisedError(bound[name].item.span, "RuntimeError", words)
    return permuted(source, numpy_views.order_of_move(ndim, *places) if ndim else (), call)


def _t(call: Call) -> Indexing:
    _, source, _ = bind(call, _T) if call.space == "torch" else (*bind_nothing(call), {})
    ndim = len(source.shape)
    if ndim > _MATRIX:
        words = f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D"
        raise RaisedError(call.span, "RuntimeError", words)
    return permuted(source, range(ndim)[::-1], call)


def _reverse(call: Call) -> Indexing:
    _, source = bind_nothing(call)
    ndim = len(source.shape)
    return permuted(source, range(ndim)[::-1], call, notes=() if ndim == _MATRIX else (_REVERSES,))


def _transpose_matrices(call: Call) -> Indexing:
    _, source = bind_nothing(call)
    ndim = len(source.shape)
    if ndim == 1:
        words = "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."
        raise RaisedError(call.span, "RuntimeError", words)
    if not ndim:
        return permuted(source, (), call, notes=("x.mT of a 0-d tensor is deprecated in PyTorch: it is x itself",))
    return swapped(source, ndim - 2, ndim - 1, call)


def _squeeze(call: Call) -> Indexing:
    _, source, bound = bind(call, _SQUEEZE)
    shape = source.shape
    given = bound.get("dim")
    chosen = range(len(shape)) if given is None else _chosen(call, given, len(shape))
    gone = [axis for axis in chosen if shape[axis] == 1]
    stay = [axis for axis in chosen if shape[axis] != 1]
    needs = tuple(f"{shape[axis]} != 1" for axis in stay if isinstance(shape[axis], str))
    rules = frozenset({"squeeze-stays"} if stay and given is not None else ())
    words = {axis: f"size {shape[axis]} is not 1: it stays" for axis in stay if given is not None}
    return removed(source, gone, call, words, needs, rules)


def _chosen(call: Call, given: Given, ndim: int) -> list[int]:
    axes = wrap_all(dims_in(call.name, "dim", given), ndim, given)
    return [axis for axis in axes if ndim]


def _unsqueeze(call: Call) -> Indexing:
    _, source, bound = bind(call, _UNSQUEEZE)
    given = bound["dim"].item
    return inserted(source, [wrap(read_int(given), len(source.shape) + 1, given.span)], call)


def _select(call: Call) -> Indexing:
    _, source, bound = bind(call, _SELECT)
    shape = source.shape
    if not shape:
        raise RaisedError(call.span, "IndexError", "select() cannot be applied to a 0-dim tensor.")
    axis = wrap(read_int(bound["dim"].item), len(shape), bound["dim"].item.span)
    index = bound["index"].item
    size = shape[axis]
    position = _position(index.value)
    if isinstance(size, int) and isinstance(position, int) and not -size <= position < size:
        shown = format_sizes(shape, opening="[", closing="]")
        words = f"select(): index {position} out of range for tensor of size {shown} at dimension {axis}"
        raise RaisedError(index.span, "IndexError", words, axis)
    known = position if isinstance(position, int) else None
    if known is not None and known < 0:
        at: Size = difference(size, -known)
    else:
        at = index.text if known is None else known
    accesses: list[Access] = [
        Fixed(at) if place == axis else Along(place - (place > axis), 0, 1, whole=True) for place in range(len(shape))
    ]
    left = [place for place in range(len(shape)) if place != axis]
    step = Step(
        call.stage, call.text, call.span, "select", (axis,), (), f"position {at} of axis {axis}: the axis is gone"
    )
    steps = (step, *rest_step(call, left, range(len(left)), "not selected"))
    made = tuple(shape[place] for place in left)
    return Indexing(made, True, tuple(accesses), steps, needs=tuple(position_need(size, known)))  # noqa: FBT003 - a view


def _position(value: object) -> Size | None:
    """Return a position: a number where it is known."""
    if isinstance(value, int):
        return value
    if isinstance(value, Tensor) and value.values is not None:
        return int(value.values[0])
    return None


def _narrow(call: Call) -> Indexing:
    _, source, bound = bind(call, _NARROW)
    shape = source.shape
    start = bound["start"].item
    if isinstance(start.value, Tensor) and (start.value.shape or start.value.dtype not in INTEGER):
        raise RaisedError(start.span, "RuntimeError", "start must be an 0-dim integral Tensor.")
    if not shape:
        raise RaisedError(call.span, "RuntimeError", "narrow() cannot be applied to a 0-dim tensor.")
    length = bound["length"].item
    count = read_int(length)
    if count < 0:
        raise RaisedError(length.span, "RuntimeError", "narrow(): length must be non-negative.")
    axis = wrap(read_int(bound["dim"].item), len(shape), bound["dim"].item.span)
    first = _first(bound["start"], shape[axis], axis)
    size = shape[axis]
    needs: tuple[str, ...] = ()
    if isinstance(size, int) and isinstance(first, int) and first > size - count:
        words = f"start ({first}) + length ({count}) exceeds dimension size ({size})."
        raise RaisedError(length.span, "RuntimeError", words, axis)
    if isinstance(size, str) and isinstance(first, int):
        needs = (at_least(size, first + count),)
    elif not isinstance(first, int):
        needs = (f"{first} + {count} <= {size}",)
    axes = tuple(range(len(shape)))
    accesses = tuple(
        Along(place, first, 1, count == size) if place == axis else Along(place, 0, 1, whole=True) for place in axes
    )
    effect = f"{count} positions of axis {axis} from {first} on"
    step = Step(call.stage, call.text, call.span, "narrow", (axis,), (axis,), effect)
    left = [place for place in axes if place != axis]
    made = tuple(count if place == axis else each for place, each in enumerate(shape))
    return Indexing(made, True, accesses, (step, *rest_step(call, left, left, "not narrowed")), needs=needs)  # noqa: FBT003 - a view


def _first(given: Given, size: Size, axis: int) -> Size:
    """Return where a part begins, counted from the front."""
    start = _position(given.value)
    if not isinstance(start, int):
        return given.item.text
    if isinstance(size, int) and not -size <= start <= size:
        words = f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        raise RaisedError(given.item.span, "IndexError", words, axis)
    return difference(size, -start) if start < 0 else start


def _swap_numpy(name: str) -> Operation:
    return Operation(_swap, numpy_views.swapaxes, read_as="" if name == "swapaxes" else "np.swapaxes")


_WRITE = "write x.swapaxes(-2, -1)"
OPERATIONS: dict[str, Operation] = {
    "permute": Operation(_permute, numpy_views.permute, read_as="np.transpose"),
    "transpose": Operation(_swap, numpy_views.transpose),
    "movedim": Operation(_move, numpy_views.moveaxis, read_as="np.moveaxis"),
    "moveaxis": Operation(_move, numpy_views.moveaxis, read_as="np.moveaxis"),
    "swapaxes": _swap_numpy("swapaxes"),
    "swapdims": _swap_numpy("swapdims"),
    "t": Operation(_t, numpy_views.reverse, read_as="x.T"),
    "T": Operation(_reverse, numpy_views.reverse),
    "mT": Operation(_transpose_matrices, numpy_views.transpose_matrices),
    "squeeze": Operation(_squeeze, numpy_views.squeeze),
    "unsqueeze": Operation(_unsqueeze, numpy_views.expand_dims, read_as="np.expand_dims"),
    "broadcast_to": Operation(broadcast_to, numpy_views.broadcast_to, read_as="np.broadcast_to"),
    "expand": Operation(expand, numpy_views.broadcast_to, read_as="np.broadcast_to"),
    "expand_as": Operation(expand_as, None, "write np.broadcast_to(x, y.shape)"),
    "select": Operation(_select, None, "write x[:, index], or np.take(x, index, axis=dim), which copies"),
    "narrow": Operation(_narrow, None, "write x[:, start : start + length]"),
}
