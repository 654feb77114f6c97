"""``index_select``: whole slices along one axis by their positions. NumPy calls it ``np.take``."""

from collections.abc import Sequence

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, bind_numpy, both, numpy_axis, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import numpy_int, read_int
from segcli.shapes.select.aligning import flat
from segcli.shapes.select.gathering import swapped
from segcli.shapes.select.looking import (
    POSITIONS,
    as_vector,
    check_array,
    check_positions,
    known_array,
    name_of,
    relabelled,
    with_size,
    written,
)
from segcli.shapes.symbols import equal, product
from segcli.shapes.values import NUMPY_INTEGER, Item, RaisedError, Shape, Tensor, check_elements

_SELECT = both("int dim, Tensor index")


def select_torch(call: Call) -> Computed:
    """Take slices along one axis.

    Args:
        call: ``x.index_select(dim, index)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _SELECT)
    index, given = bound["index"].item, bound["dim"].item
    dim = wrap(read_int(given), len(source.shape), given.span)
    needs = _check_index(source, index)
    needs += _check_positions(source, index, dim)
    positions = tensor_in(index)
    if not source.shape:
        return _scalar(call, item, index, needs)
    # A 0-d index keeps the axis, with one position.
    shape = with_size(source.shape, dim, as_vector(positions.shape)[0])
    return _taken(call, item, index, dim, shape, needs)


def _check_index(source: Tensor, index: Item) -> list[str]:
    positions = tensor_in(index)
    if len(positions.shape) > 1:
        raise RaisedError(index.span, "IndexError", "index_select(): Index is supposed to be a vector")
    count = as_vector(positions.shape)[0]
    if not source.shape and isinstance(count, int) and count != 1:
        words = f"index_select(): Index to scalar can have only 1 value, got {count} value(s)"
        raise RaisedError(index.span, "RuntimeError", words)
    if positions.dtype not in POSITIONS:
        raise RaisedError(index.span, "RuntimeError", "index_select(): Expected dtype int32 or int64 for index")
    return [equal(count, 1)] if not source.shape and isinstance(count, str) else []


def _check_positions(source: Tensor, index: Item, dim: int) -> list[str]:
    size = as_vector(source.shape)[dim]
    # Along axis 1, and where there is nothing to copy, PyTorch has code and words of its own.
    if len(source.shape) < 2 or (dim != 1 and 0 not in source.shape):  # noqa: PLR2004 - a vector has no axis 1
        return check_positions(index, size, dim, "IndexError", "index out of range in self")
    words = f"INDICES element is out of DATA bounds, id={{position}} axis_dim={size}"
    if size == 0:
        words = "index_select(): self indexing axis dim should be positive"
    return check_positions(index, size, dim, words=words)


def _scalar(call: Call, item: Item, index: Item, needs: Sequence[str]) -> Computed:
    """Return what taking from a 0-d tensor gives: itself."""
    axes = tuple(range(len(tensor_in(index).shape)))
    effect = "the only element there is"
    steps = (Step(call.stage, index.text, index.span, name_of(tensor_in(index)), axes, (), effect, 1),)
    inputs = (written(item), written(index))
    result = call.make((), tensor_in(item).dtype)
    return Computed(result, inputs, steps, formula=Formula("{0}", (Read(0, ()),)), needs=tuple(needs))


def select_numpy(call: Call) -> Computed:
    """Read ``x.index_select(dim, index)`` as ``np.take(x, index, dim)``, which takes an index of any shape.

    Raises:
        RaisedError: As NumPy would raise.
    """
    renamed = {"dim": "axis", "index": "indices"}
    item, source, bound = bind_numpy(swapped(call), "take", "a, indices, axis=None, out=None, mode='raise'", renamed)
    index = bound["indices"].item
    given = bound["axis"].item if "axis" in bound else Item(None, "", call.span)
    if isinstance(given.value, bool):
        raise RaisedError(given.span, "TypeError", "an integer is required for the axis")
    vector = as_vector(source.shape) if given.value is not None else (product(source.shape),)
    dim = 0 if given.value is None else numpy_axis(numpy_int(given), len(vector), given.span)
    index = Item(known_array(index), index.text, index.span)
    positions = tensor_in(index)
    if positions.dtype not in (*NUMPY_INTEGER, "bool"):
        kinds = f"dtype('{positions.dtype}') to dtype('int64')"
        words = f"Cannot cast array data from {kinds} according to the rule 'same_kind'"
        raise RaisedError(index.span, "TypeError", words)
    if vector[dim] == 0 and 0 not in positions.shape:
        raise RaisedError(index.span, "IndexError", "cannot do a non-empty take from an empty axes.", dim)
    shape = (*vector[:dim], *positions.shape, *vector[dim + 1 :])
    needs = [] if 0 in (*vector[:dim], *positions.shape) else check_array(index, vector[dim], dim)
    if given.value is None:
        return flat(call, item, index, shape, needs)
    return _taken(call, item, index, dim, shape, needs)


def _taken(call: Call, item: Item, index: Item, dim: int, shape: Shape, needs: Sequence[str]) -> Computed:
    """Return what taking slices gives: the axes of the index in the place of the one that they are taken along."""
    check_elements(shape, call.result_text[:80])
    source, positions = tensor_in(item), tensor_in(index)
    width = len(shape) - max(len(source.shape) - 1, 0)
    made = tuple(range(dim, dim + width))
    others = tuple(axis for axis in range(len(source.shape)) if axis != dim)
    landed = tuple(axis if axis < dim else axis - 1 + width for axis in others)
    axes = tuple(range(len(positions.shape)))
    effect = f"the slice of axis {dim} at each position" if source.shape else "its one element, each time"
    steps = [
        Step(call.stage, item.text, item.span, "taken from", (dim,) if source.shape else (), made, effect),
        Step(call.stage, index.text, index.span, name_of(positions), axes, made, f"positions along axis {dim}", 1),
    ]
    if others:
        steps.append(Step(call.stage, "", (0, 0), "not indexed", others, landed, "kept"))
    at = {axis: f"{{i{place}}}" for axis, place in zip(others, landed, strict=True)}
    own = tuple(at.get(axis, "{0}") for axis in range(len(source.shape)))
    looked = tuple(f"{{i{axis}}}" for axis in made) if positions.shape else ()
    labels = source.labels and (
        *source.labels[:dim],
        *(positions.labels or (source.labels[dim] if width == 1 else None,) * width),
        *source.labels[dim + 1 :],
    )
    return Computed(
        relabelled(call.make(shape, source.dtype, scalar=not shape), labels),
        (written(item), written(index)),
        tuple(steps),
        formula=Formula("{1}", (Read(1, looked), Read(0, own, counts_back=True))),
        needs=tuple(needs),
    )
