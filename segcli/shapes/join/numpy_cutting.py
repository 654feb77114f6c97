"""NumPy's functions that cut an array into several (NumPy 2.4), read from the calls that PyTorch's names make."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.dims import numpy_axis
from segcli.shapes.integers import int_words, read_int, read_size
from segcli.shapes.parts import cut, cut_at, cut_evenly, known_values, runs_of
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.symbols import indivisible, quotient
from segcli.shapes.values import (
    INTEGER,
    Item,
    Listed,
    Parts,
    RaisedError,
    SliceBounds,
    Symbol,
    Tensor,
    type_name,
)

_NAMES = {
    "dim": "axis",
    "input": "ary",
    "tensor": "ary",
    **dict.fromkeys(
        ("split_size", "split_size_or_sections", "sections", "indices", "tensor_indices_or_sections"),
        "indices_or_sections",
    ),
}
_SLICE = "slice indices must be integers or None or have an __index__ method"


def _bind(call: Call, function: str, signature: str) -> dict[str, Given]:
    """Bind a call's arguments to NumPy's parameters, PyTorch's names of them read as NumPy's."""
    arguments = tuple((_NAMES.get(keyword, keyword), item) for keyword, item in call.arguments)
    return bind_python(replace(call, arguments=arguments), function, signature)


def _array(call: Call, item: Item, attribute: str) -> Tensor:
    if isinstance(item.value, Tensor):
        return item.value
    words = f"'{type_name(item.value)}' object has no attribute '{attribute}'"
    raise RaisedError(call.span, "AttributeError", words)


def _axis(source: Tensor, given: Given | None) -> int:
    """Read an axis as an index into the shape, which is a tuple."""
    if given is None:
        return _in_shape(source, 0, None)
    if not isinstance(given.value, int | Symbol | Tensor):
        words = f"tuple indices must be integers or slices, not {type_name(given.value)}"
        raise RaisedError(given.item.span, "TypeError", words)
    return _in_shape(source, read_int(given.item), given)


def _in_shape(source: Tensor, axis: int, given: Given | None) -> int:
    ndim = len(source.shape)
    if not -ndim <= axis < ndim:
        span = given.item.span if given else (0, 0)
        raise RaisedError(span, "IndexError", "tuple index out of range", axis)
    return axis % ndim


def split_numpy(call: Call) -> Computed:
    """Cut into equal sections, or at positions, as ``np.split`` does.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "split", "ary, indices_or_sections, axis=0")
    source = _array(call, bound["ary"].item, "shape")
    sections = bound["indices_or_sections"].item
    done = _cut(call, bound, source, equal=True)
    return replace(done, rules=frozenset({"sections" if _count_of(sections) is not None else "cut-points"}))


def array_split_numpy(call: Call) -> Computed:
    """Cut into sections, or at positions, as ``np.array_split`` does.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "array_split", "ary, indices_or_sections, axis=0")
    source = _array(call, bound["ary"].item, "swapaxes")
    return _cut(call, bound, source, equal=False)


def _cut(call: Call, bound: dict[str, Given], source: Tensor, *, equal: bool) -> Computed:
    item = bound["indices_or_sections"].item
    axis = _axis(source, bound.get("axis"))
    count = _count_of(item)
    if count is None:
        return cut_at(call, bound["ary"].item, axis, _points(item), is_tuple=False)
    size = source.shape[axis]
    if count == float("inf") and equal:
        raise RaisedError(item.span, "ValueError", "array split does not result in an equal division")
    if count == float("inf"):
        raise RaisedError(item.span, "OverflowError", "cannot convert float infinity to integer")
    needs: tuple[str, ...] = ()
    if equal:
        if count == 0 and not isinstance(item.value, Tensor):
            raise RaisedError(item.span, "ZeroDivisionError", "integer modulo by zero")
        if isinstance(size, str) and count > 0 and (need := indivisible(size, int(count))):
            needs = (need,)
        elif isinstance(size, int) and count and size % count:
            words = "array split does not result in an equal division"
            raise RaisedError(item.span, "ValueError", words, axis)
    if int(count) <= 0:
        raise RaisedError(item.span, "ValueError", "number sections must be larger than 0.")
    if needs:
        runs = runs_of(call, source, axis, [(int(count), 0, quotient(size, int(count)))])
        effect = f"{count} pieces of {size} // {count} positions"
        return replace(cut(call, bound["ary"].item, axis, runs, effect, is_tuple=False), needs=needs)
    return cut_evenly(call, bound["ary"].item, axis, int(count), is_tuple=False)


def _count_of(item: Item) -> int | float | None:
    """Return a number of sections; None for cut points."""
    value = item.value
    match value:
        case Tensor() if not value.shape:
            count = read_size(item)
        case Symbol():
            count = value.size
        case int() | float():
            return value
        case Listed() | Tensor() | str():
            return None
        case _:
            words = f"unsupported operand type(s) for %: 'int' and '{type_name(value)}'"
            raise RaisedError(item.span, "TypeError", words)
    if isinstance(count, int):
        return count
    message = f"into how many pieces {item.text} cuts is not known"
    raise SegcliError(message, hint="write the number")


def _points(item: Item) -> Sequence[int | None]:
    value = item.value
    if isinstance(value, Tensor):
        if value.dtype not in INTEGER or len(value.shape) > 1:
            words = _SLICE if len(value.shape) == 1 else "only integer scalar arrays can be converted to a scalar index"
            raise RaisedError(item.span, "TypeError", words)
        return known_values(item, value)
    if not isinstance(value, Listed):
        raise RaisedError(item.span, "TypeError", _SLICE)
    points: list[int | None] = []
    for each in value.items:
        if isinstance(each.value, float | str | Listed | SliceBounds):
            raise RaisedError(item.span, "TypeError", _SLICE)
        point = None if each.value is None else read_size(each)
        if isinstance(point, str):
            message = f"the cut point {each.text} is not known"
            raise SegcliError(message, hint="write its number")
        points.append(point)
    return points


def unstack_numpy(call: Call) -> Computed:
    """Return each position of an axis, as ``np.unstack`` does.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "unstack", "ary, axis=0")
    source = _array(call, bound["ary"].item, "ndim")
    if not source.shape:
        raise RaisedError(call.span, "ValueError", "Input array must be at least 1-d.")
    given = bound.get("axis")
    axis = numpy_axis(
        _moved(given.item) if given else 0, len(source.shape), given.item.span if given else call.span, "source: "
    )
    size = source.shape[axis]
    runs = runs_of(call, source, axis, [(size, 0, None)])
    what = "arrays" if len(source.shape) > 1 else "scalars"
    done = cut(call, bound["ary"].item, axis, runs, f"{size} {what}, one a position: the axis is gone")
    if len(source.shape) > 1 or not isinstance(done.result, Parts):
        return done
    # Scalars share no storage.
    runs = tuple(replace(run, tensor=replace(run.tensor, scalar=True)) for run in runs)
    return replace(done, result=replace(done.result, runs=runs), view=False)


def _moved(item: Item) -> int:
    """Read the axis that is moved to the front: a list of one axis will do."""
    value = item.value
    if isinstance(value, Listed):
        if len(value.items) != 1:
            words = "`source` and `destination` arguments must have the same number of elements"
            raise RaisedError(item.span, "ValueError", words)
        return _moved(value.items[0])
    if not isinstance(value, int | Symbol | Tensor):
        raise RaisedError(item.span, "TypeError", int_words(value))
    return read_int(item)
