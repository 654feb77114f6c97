"""``index_add`` and ``index_fill``: slices of a copy at positions along one axis are added to, or filled.

The rules are those of ``aten/src/ATen/native/TensorAdvancedIndexing.cpp`` of PyTorch 2.13.
"""

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, both, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_int
from segcli.shapes.kinds import SCALARS
from segcli.shapes.select.looking import (
    POSITIONS,
    as_vector,
    brackets,
    check_positions,
    letters,
    name_of,
    outside,
    relabelled,
    with_size,
    written,
)
from segcli.shapes.select.storing import check_number
from segcli.shapes.symbols import at_least, equal
from segcli.shapes.values import COMPLEX, FLOATING, Item, RaisedError, Size, Tensor

_ADD = both("int dim, Tensor index, Tensor source, *, number alpha=")
_FILL = both("int dim, Tensor index, Tensor value", "int dim, Tensor index, number value")


def index_add_torch(call: Call) -> Computed:
    """Add slices up at positions along an axis.

    Args:
        call: ``x.index_add(dim, index, source)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, target, bound = bind(call, _ADD)
    index, values = bound["index"].item, bound["source"].item
    dim = wrap(read_int(bound["dim"].item), len(target.shape), bound["dim"].item.span)
    needs = _check_added(item, index, values, dim)
    alpha = bound["alpha"].item if "alpha" in bound else None
    if alpha is not None:
        check_number(alpha, target.dtype)
    body = "{1}" if alpha is None else f"{alpha.text} * {{1}}"
    # Integers are multiplied by what is left of a float.
    rounds = alpha is not None and isinstance(alpha.value, float) and target.dtype not in (*FLOATING, *COMPLEX)
    return _changed(call, (item, index, values), dim, "" if rounds else body, needs)


def _check_added(item: Item, index: Item, values: Item, dim: int) -> list[str]:
    target, positions, source = tensor_in(item), tensor_in(index), tensor_in(values)
    start = "index_add_(): "
    if len(positions.shape) > 1:
        words = f"but got dim: {len(positions.shape)} with type: {SCALARS[positions.dtype]} and size: "
        words = f"{start}Index is supposed to be a vector, {words}{brackets(positions.shape)}"
        raise RaisedError(index.span, "IndexError", words)
    if positions.dtype not in POSITIONS:
        words = f"{start}Expected dtype int32/int64 for index but got: {SCALARS[positions.dtype]}"
        raise RaisedError(index.span, "RuntimeError", words)
    if target.dtype != source.dtype:
        kinds = f"self ({SCALARS[target.dtype]}) and source ({SCALARS[source.dtype]})"
        raise RaisedError(values.span, "RuntimeError", f"{start}{kinds} must have the same scalar type")
    if dim and dim >= len(source.shape):
        words = f"{start}Indexing dim {dim} is out of bounds of the source tensor with dim {len(source.shape)}"
        raise RaisedError(values.span, "RuntimeError", words)
    return _check_shapes(item, index, values, dim)


def _check_shapes(item: Item, index: Item, values: Item, dim: int) -> list[str]:
    target, source = tensor_in(item).shape, tensor_in(values).shape
    count = as_vector(tensor_in(index).shape)[0]
    given: Size = source[dim] if source else 1
    needs = [equal(count, given)] if count != given else []
    if needs and isinstance(count, int) and isinstance(given, int):
        if not source:
            raise RaisedError(values.span, "IndexError", f"Dimension specified as {dim} but tensor has no dimensions")
        words = f"index_add_(): Number of indices ({count}) should be equal to source.size(dim): ({given}), "
        raise RaisedError(values.span, "RuntimeError", f"{words}for dim: {dim}", dim)
    pairs = list(enumerate(zip(target, source, strict=False)))
    wrong = [a for a, pair in pairs if a != dim and pair[0] != pair[1] and all(isinstance(size, int) for size in pair)]
    if len(target) != len(source) or wrong:
        words = "source tensor shape must match self tensor shape, excluding the specified dimension. "
        words += f"Got self.shape = {brackets(target)} source.shape = {brackets(source)}"
        raise RaisedError(values.span, "RuntimeError", words, wrong[0] if wrong else None)
    return needs + [equal(*pair) for a, pair in pairs if a != dim and pair[0] != pair[1]]


def index_fill_torch(call: Call) -> Computed:
    """Write one value to the slices at positions along an axis.

    Args:
        call: ``x.index_fill(dim, index, value)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, target, bound = bind(call, _FILL)
    index, value = bound["index"].item, bound["value"].item
    positions = tensor_in(index)
    if isinstance(value.value, Tensor) and value.value.shape:
        words = "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
        raise RaisedError(value.span, "RuntimeError", f"{words}{len(value.value.shape)} dimension(s).")
    if positions.dtype != "int64":
        raise RaisedError(index.span, "IndexError", "index_fill_(): Expected dtype int64 for index.")
    if isinstance(value.value, Tensor) and value.value.dtype in COMPLEX and target.dtype not in COMPLEX:
        words = "index_fill_(): Converting complex Scalar to non-complex type is not supported"
        raise RaisedError(value.span, "RuntimeError", words)
    dim = wrap(read_int(bound["dim"].item), len(target.shape), bound["dim"].item.span)
    if len(positions.shape) > 1:
        raise RaisedError(index.span, "RuntimeError", "Index has to be a vector/scalar")
    check_number(value, target.dtype)
    return _changed(call, (item, index, value), dim, "{1}", [])


def _changed(call: Call, items: tuple[Item, Item, Item], dim: int, body: str, needs: list[str]) -> Computed:
    """Return the copy with what came to its slices: added to it, or in its place."""
    item, index, values = items
    target, positions = tensor_in(item), tensor_in(index)
    adds = call.name == "index_add"
    needs += _check_added_range(call, target, index, dim) if adds else _check_filled_range(target, index, dim)
    axes = tuple(range(len(target.shape)))
    what = "is added to these slices" if adds else "fills these slices"
    own = values.value.shape if isinstance(values.value, Tensor) else ()
    others = tuple(axis for axis in range(len(own)) if axis != dim)
    steps = (
        Step(call.stage, item.text, item.span, "copied", axes, axes, "a copy, which is then written to"),
        Step(call.stage, index.text, index.span, name_of(positions), (), (), f"positions along axis {dim}", 1),
        Step(call.stage, values.text, values.span, _kind_of(values), others, others, what, 2),
    )
    walked = list(letters(with_size(target.shape, dim, 1), "k"))
    reads = (Read(1, (walked[dim],) if target.shape and positions.shape else ()), Read(2, tuple(walked) if own else ()))
    place = [*walked[:dim], "{0}", *walked[dim + 1 :]]
    sizes = with_size(target.shape, dim, as_vector(positions.shape)[0])
    left = f"result[{', '.join(place)}]"
    formula = Formula(body, reads, sizes, left=left, sign="+=" if adds else "=")
    return Computed(
        relabelled(call.make(target.shape, target.dtype), target.labels),
        (written(item), written(index), written(values)),
        steps,
        formula=formula if body and positions.shape and target.shape and 0 not in target.shape else None,
        why=f"elsewhere result is {item.text}",
        needs=tuple(needs),
    )


def _kind_of(item: Item) -> str:
    return name_of(item.value) if isinstance(item.value, Tensor) else type(item.value).__name__


def _check_added_range(call: Call, target: Tensor, index: Item, dim: int) -> list[str]:
    if 0 in target.shape and len(target.shape) > 1:
        return []
    size = as_vector(target.shape)[dim]
    alpha = next((item.value for keyword, item in call.arguments if keyword == "alpha"), 1)
    last = len(target.shape) - 1
    # As they are, slices of the first and of the last axis go the way of scatter_add.
    if last > 0 and dim in (0, last) and tensor_in(index).dtype == "int64" and alpha == 1 and alpha is not True:
        return check_positions(index, size, dim)
    return check_positions(index, size, dim, "IndexError", "index out of range in self")


def _check_filled_range(target: Tensor, index: Item, dim: int) -> list[str]:
    """Refuse positions that an axis has neither from its start nor from its end."""
    positions = tensor_in(index)
    size = as_vector(target.shape)[dim]
    if 0 in positions.shape or 0 in with_size(target.shape, dim, 1):
        return []
    if size == 0:
        words = "setStorage: the slices to fill are out of bounds for storage of size 0"
        raise RaisedError(index.span, "RuntimeError", words, dim)
    known = [0] if positions.values is None else [int(value) for value in positions.values]
    if isinstance(size, str):
        return [at_least(size, max(position + 1 if position >= 0 else -position for position in known))]
    wrong = outside(known, size)
    if wrong:
        words = f"index {wrong[0]} is out of bounds for dimension {dim} with size {size}"
        raise RaisedError(index.span, "IndexError", words, dim)
    return []
