"""NumPy's functions that join arrays (NumPy 2.4), read from the calls that PyTorch's names make."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.compute.promotion import numpy_dtype
from segcli.shapes.computed import Computed
from segcli.shapes.dims import numpy_axis
from segcli.shapes.integers import int_words, read_int
from segcli.shapes.join.joining import join, stacked
from segcli.shapes.join.members import Member, check_sizes, member_of, read_members, widened
from segcli.shapes.operands import as_array, promote_all
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.symbols import product
from segcli.shapes.values import DType, Item, Listed, Pair, Parts, RaisedError, Run, Size, Symbol, Tensor

_AXES = {"hstack": 1, "vstack": 2, "dstack": 3}
_NO_SEQUENCE = 'arrays to stack must be passed as a "sequence" type such as list or tuple.'


def _bind(call: Call, signature: str) -> dict[str, Given]:
    function = {"cat": "concatenate", "concat": "concatenate"}.get(call.name, call.name)
    names = {"dim": "axis", "tensors": signature.partition(",")[0]}
    arguments = tuple((names.get(keyword, keyword), item) for keyword, item in call.arguments)
    bound = bind_python(replace(call, arguments=arguments), function, signature)
    for name in ("out", "casting"):
        if name in bound and bound[name].value is not None:
            message = f"{name}= is not supported"
            raise SegcliError(message, hint="leave it out")
    return bound


def _members(item: Item, call: Call) -> list[Member]:
    """Return what is joined; an array is gone through along its first axis."""
    value = item.value
    match value:
        case Tensor() if value.shape:
            tensor = replace(value, shape=value.shape[1:], text=f"{item.text}[0]", values=None, true_count=None)
            tensor = replace(tensor, labels=value.labels[1:], strides=None)
            run = Run(value.shape[0], tensor)
            if value.shape[0] == 0:
                return []
            parts = Parts((run,), "", value, 0)
            axes = tuple(range(len(tensor.shape)))
            return [Member(replace(item, value=parts), tensor.shape, tensor, run.count, run, parts, axes)]
        case Listed(items):
            return [member_of(each, as_array(each)) for each in items]
        case Parts() | Pair():
            return read_members(item)
        case Tensor() if call.name in ("stack", *_AXES):
            kind = f"numpy.{value.dtype}" if value.scalar else "numpy.ndarray"
            words = f"'{kind}' object is not iterable" if value.scalar else "iteration over a 0-d array"
            raise RaisedError(item.span, "TypeError", words)
        case _:
            words = _NO_SEQUENCE
            if call.name not in ("stack", *_AXES):
                words = "dispatcher for __array_function__ did not return an iterable"
            raise RaisedError(item.span, "TypeError", words)


def _dtype(bound: dict[str, Given], members: Sequence[Member]) -> str:
    given = bound.get("dtype")
    if given is not None and isinstance(given.value, DType):
        return given.value.name
    arrays = (Tensor, Parts, Pair, Listed)
    weak = [member.item.value for member in members if not isinstance(member.item.value, arrays)]
    if weak and "axis" in bound and bound["axis"].value is None:
        # Numbers of Python adopt the dtype of the arrays beside them.
        rest = [member.tensor for member in members if isinstance(member.item.value, arrays)]
        return numpy_dtype([*rest, *weak])
    return promote_all([member.tensor for member in members], "numpy")


def concatenate_numpy(call: Call) -> Computed:
    """Join along an axis as ``np.concatenate`` does; with None as the axis, all elements in a row.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "arrays, axis=0, out=None, *, dtype=None, casting=None")
    item = bound["arrays"].item
    given = bound.get("axis")
    if given is not None and given.value is not None:
        _check_axis(given.item)
    members = _members(item, call)
    if not members:
        raise RaisedError(item.span, "ValueError", "need at least one array to concatenate")
    if given is not None and given.value is None:
        return _in_a_row(call, bound, members)
    axis = read_int(given.item if given else None)
    return _joined(call, bound, members, axis, given.item if given else item)


def _check_axis(item: Item) -> None:
    value = item.value
    if isinstance(value, bool):
        raise RaisedError(item.span, "TypeError", "an integer is required for the axis")
    if isinstance(value, Tensor) and (value.shape or not value.dtype.lstrip("u").startswith("int")):
        words = "only integer scalar arrays can be converted to a scalar index"
        raise RaisedError(item.span, "TypeError", words)
    if not isinstance(value, int | Symbol | Tensor):
        raise RaisedError(item.span, "TypeError", int_words(value))


def _in_a_row(call: Call, bound: dict[str, Given], members: Sequence[Member]) -> Computed:
    """Join all elements, each array flattened."""
    flat = []
    for member in members:
        size: Size = product(list(member.shape))
        flat.append(replace(member, shape=(size,), axes=(None,)))
    done = join(call, flat, 0, _dtype(bound, members))
    why = "with None as the axis, every array is flattened first"
    ndims = [len(member.tensor.shape) for member in members]
    steps = [replace(step, takes=tuple(range(ndim)), gives=(0,)) for step, ndim in zip(done.steps, ndims, strict=True)]
    return replace(done, steps=tuple(steps), why=why)


def _joined(call: Call, bound: dict[str, Given], members: Sequence[Member], axis: int, at: Item) -> Computed:
    first = members[0]
    if not first.shape:
        raise RaisedError(first.item.span, "ValueError", "zero-dimensional arrays cannot be concatenated")
    axis = numpy_axis(axis, len(first.shape), at.span)
    needs: list[str] = []
    place = 0
    for member in members:
        if len(member.shape) != len(first.shape):
            words = (
                "all the input arrays must have same number of dimensions, but the array at index 0 has "
                f"{len(first.shape)} dimension(s) and the array at index {place} has {len(member.shape)} dimension(s)"
            )
            raise RaisedError(member.item.span, "ValueError", words)
        wrong = check_sizes(first.shape, member.shape, axis, needs)
        if wrong is not None:
            words = (
                "all the input array dimensions except for the concatenation axis must match exactly, but along "
                f"dimension {wrong}, the array at index 0 has size {first.shape[wrong]} and the array at index {place} "
                f"has size {member.shape[wrong]}"
            )
            raise RaisedError(member.item.span, "ValueError", words, wrong)
        place += member.count if isinstance(member.count, int) else 1
    return join(call, members, axis, _dtype(bound, members), needs=needs)


def stack_numpy(call: Call) -> Computed:
    """Join along a new axis as ``np.stack`` does.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "arrays, axis=0, out=None, *, dtype=None, casting=None")
    item = bound["arrays"].item
    members = _members(item, call)
    if not members:
        raise RaisedError(item.span, "ValueError", "need at least one array to stack")
    first = members[0]
    needs: list[str] = []
    for member in members:
        fits = len(member.shape) == len(first.shape) and check_sizes(first.shape, member.shape, -1, needs) is None
        if not fits:
            raise RaisedError(member.item.span, "ValueError", "all input arrays must have the same shape")
    given = bound.get("axis")
    if given is not None and not isinstance(given.value, int | Symbol | Tensor):
        words = int_words(given.value)
        if isinstance(given.value, float):
            words = "integer argument expected, got float"
        raise RaisedError(given.item.span, "TypeError", words)
    axis = numpy_axis(
        read_int(given.item if given else None), len(first.shape) + 1, given.item.span if given else call.span
    )
    return stacked(call, members, axis, _dtype(bound, members), needs)


def stack_up_numpy(call: Call) -> Computed:
    """Join as ``np.hstack``, ``np.vstack`` and ``np.dstack`` do.

    Raises:
        RaisedError: As NumPy would raise.
    """
    bound = _bind(call, "tup" if call.name == "dstack" else "tup, *, dtype=None, casting=None")
    item = bound["tup"].item
    members = _members(item, call)
    if not members:
        raise RaisedError(item.span, "ValueError", "need at least one array to concatenate")
    least = _AXES[call.name]
    wide = [widened(member, least) for member in members]
    axis = {"hstack": int(len(wide[0].shape) > 1), "vstack": 0, "dstack": 2}[call.name]
    return _joined(call, bound, wide, axis, item)
