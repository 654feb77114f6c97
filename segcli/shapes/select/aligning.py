"""``take_along_dim``: positions along one axis, with the index stretched to the other axes of the source.

PyTorch 2.13 (``aten/src/ATen/native/TensorAdvancedIndexing.cpp``) takes positions modulo the size of the axis, so that
none is out of range; NumPy 2.4 (``lib/_shape_base_impl.py``) indexes by them, and raises.
"""

from collections.abc import Sequence

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, bind_numpy, both, numpy_axis, tensor_in, wrap
from segcli.shapes.fitting import fit
from segcli.shapes.indexing import Step, broadcast_sizes
from segcli.shapes.integers import numpy_int, read_int
from segcli.shapes.kinds import SCALARS
from segcli.shapes.select.gathering import swapped
from segcli.shapes.select.looking import (
    POSITIONS,
    check_array,
    check_positions,
    label_like,
    name_of,
    outside,
    relabelled,
    steps_along,
    with_size,
    written,
)
from segcli.shapes.symbols import at_least, product
from segcli.shapes.values import (
    NUMPY_INTEGER,
    Item,
    RaisedError,
    Shape,
    Size,
    Tensor,
    check_elements,
    format_sizes,
    type_name,
)

_ALONG = both("Tensor indices, int? dim=")
_NOT_VIEWED = (
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
    "contiguous subspaces). Use .reshape(...) instead."
)
_WRAPS = "PyTorch takes positions modulo the size of the axis here: {position} is {wrapped}, without an error"


def along_torch(call: Call) -> Computed:
    """Look up positions along one axis, or in the flattened tensor where no axis is given.

    Args:
        call: ``x.take_along_dim(indices, dim)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _ALONG)
    index = bound["indices"].item
    given = bound["dim"].item if "dim" in bound else None
    if given is None or given.value is None:
        return _flat_torch(call, item, index)
    positions = tensor_in(index)
    if len(source.shape) != len(positions.shape):
        words = (
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{len(source.shape)} dimensions for input, and {len(positions.shape)} dimensions for indices"
        )
        raise RaisedError(index.span, "RuntimeError", words)
    if positions.dtype != "int64":
        words = f"torch.take_along_dim(): dtype of indices should be Long but got {SCALARS[positions.dtype]}"
        raise RaisedError(index.span, "RuntimeError", words)
    dim = wrap(read_int(given), len(source.shape), given.span)
    if not source.shape:
        raise RaisedError(given.span, "IndexError", "Dimension specified as 0 but tensor has no dimensions", 0)
    shape, needs = _stretched_torch(source, index, dim)
    size = source.shape[dim]
    if 0 not in positions.shape:
        if size == 0:
            raise RaisedError(index.span, "RuntimeError", "ZeroDivisionError", dim)
        needs += [at_least(size, 1)] if isinstance(size, str) else []
    return _along(call, item, index, dim, shape, needs)


def _stretched_torch(source: Tensor, index: Item, dim: int) -> tuple[Shape, list[str]]:
    """Broadcast source and index, but for the axis that is looked up along."""
    positions = tensor_in(index)
    needs: list[str] = []
    own = with_size(source.shape, dim, positions.shape[dim])
    shape = broadcast_sizes([own, positions.shape], needs)
    if shape is None:
        axis = _unlike_axes(own, positions.shape)[-1]
        words = (
            f"The size of tensor a ({own[axis]}) must match the size of tensor b ({positions.shape[axis]}) at "
            f"non-singleton dimension {axis}"
        )
        raise RaisedError(index.span, "RuntimeError", words, axis)
    return shape, needs


def _unlike_axes(one: Shape, other: Shape) -> list[int]:
    """Return the axes whose sizes do not broadcast."""
    pairs = enumerate(zip(one, other, strict=True))
    return [axis for axis, (size, another) in pairs if broadcast_sizes([(size,), (another,)], []) is None]


def _along(call: Call, item: Item, index: Item, dim: int, shape: Shape, needs: Sequence[str]) -> Computed:
    """Return what looking up gives, however positions beyond the axis are dealt with."""
    source, positions = tensor_in(item), tensor_in(index)
    check_elements(shape, call.result_text[:80])
    size = source.shape[dim]
    known = [int(value) for value in positions.values or ()]
    wrapped = outside(known, size) if isinstance(size, int) else []
    own = [_walked(source.shape[axis], common, axis) for axis, common in enumerate(shape)]
    own[dim] = f"{{0}} % {size}" if wrapped else "{0}"
    looked = tuple(_walked(positions.shape[axis], common, axis) for axis, common in enumerate(shape))
    spread = with_size(source.shape, dim, positions.shape[dim])
    notes = [_WRAPS.format(position=position, wrapped=position % int(size)) for position in wrapped[:1]]
    return Computed(
        relabelled(call.make(shape, source.dtype), label_like(source, positions, dim)),
        (written(item), written(index)),
        steps_along(call, item, index, dim, shape),
        formula=Formula("{1}", (Read(1, looked), Read(0, tuple(own), counts_back=True))),
        rows=((f"{item.text} but axis {dim}", spread), (index.text, positions.shape))
        if spread != positions.shape
        else (),
        broadcast=shape,
        needs=tuple(needs),
        rules=frozenset({"positions-wrap"} if wrapped else ()),
        notes=tuple(notes),
    )


def _walked(size: Size, common: Size, axis: int) -> str:
    return "0" if size == 1 != common else f"{{i{axis}}}"


def _flat_torch(call: Call, item: Item, index: Item) -> Computed:
    """Look up positions in the flattened tensor, whatever shape the index has."""
    needs: list[str] = []
    for each in (item, index):
        tensor = tensor_in(each)
        how = fit(tensor, (product(tensor.shape),))
        if how.strides is None:
            raise RaisedError(each.span, "RuntimeError", _NOT_VIEWED)
        needs += how.needs
    source, positions = tensor_in(item), tensor_in(index)
    if positions.dtype not in POSITIONS and 0 not in positions.shape:
        raise RaisedError(index.span, "RuntimeError", "gather(): Expected dtype int32/int64 for index")
    needs += check_positions(index, product(source.shape), 0)
    return flat(call, item, index, (product(positions.shape),), needs)


def flat(call: Call, item: Item, index: Item, shape: Shape, needs: Sequence[str]) -> Computed:
    """Return what looking up in the flattened tensor gives.

    Args:
        call: The operation.
        item: What is looked up in.
        index: The positions.
        shape: The result's shape: that of the index, or one axis.
        needs: What must hold of sizes that are not known.
    """
    source, positions = tensor_in(item), tensor_in(index)
    own, looked, made = (tuple(range(len(each))) for each in (source.shape, positions.shape, shape))
    effect = f"flattened: {product(source.shape)} elements, row by row"
    steps = (
        Step(call.stage, item.text, item.span, "no dim", own, (), effect),
        Step(call.stage, index.text, index.span, name_of(positions), looked, made, "each a position among them", 1),
    )
    formula = None
    if len(source.shape) == 1 == len(positions.shape):
        formula = Formula("{1}", (Read(1, ("{i0}",)), Read(0, ("{0}",), counts_back=True)))
    inputs = (written(item), written(index))
    return Computed(call.make(shape, source.dtype), inputs, steps, formula=formula, needs=tuple(needs))


def along_numpy(call: Call) -> Computed:
    """Look up positions as ``np.take_along_axis(x, indices, axis)`` does.

    Raises:
        RaisedError: As NumPy would raise.
    """
    renamed = {"dim": "axis", "index": "indices"}
    item, source, bound = bind_numpy(call, "take_along_axis", "arr, indices, axis=-1", renamed)
    index = bound["indices"].item
    axis = bound["axis"].item if "axis" in bound else Item(-1, "-1", call.span)
    whole = axis.value is None
    dim = 0 if whole else numpy_axis(numpy_int(axis), len(source.shape), axis.span)
    if not isinstance(index.value, Tensor):
        words = f"'{type_name(index.value)}' object has no attribute '{'ndim' if whole else 'dtype'}'"
        raise RaisedError(index.span, "AttributeError", words)
    positions = index.value
    if whole and len(positions.shape) != 1:
        raise RaisedError(index.span, "ValueError", "when axis=None, `indices` must have a single dimension.")
    if positions.dtype not in NUMPY_INTEGER:
        raise RaisedError(index.span, "IndexError", "`indices` must be an integer array")
    if whole:
        needs = [] if 0 in positions.shape else check_array(index, product(source.shape), 0)
        return flat(call, item, index, positions.shape, needs)
    if len(positions.shape) != len(source.shape):
        raise RaisedError(index.span, "ValueError", "`indices` and `arr` must have the same number of dimensions")
    needs = []
    shape = broadcast_sizes([with_size(source.shape, dim, positions.shape[dim]), positions.shape], needs)
    if shape is None:
        raise _unlike_numpy(source, index, dim)
    needs += [] if 0 in shape else check_array(index, source.shape[dim], dim)
    return _along(call, item, index, dim, shape, needs)


def _unlike_numpy(source: Tensor, index: Item, dim: int) -> RaisedError:
    """Return NumPy's error: it lays a range along each axis but one, and indexes by all of them."""
    positions = tensor_in(index)
    shapes = [with_size((1,) * len(source.shape), axis, size) for axis, size in enumerate(source.shape)]
    shapes[dim] = positions.shape
    texts = "".join(format_sizes(shape).replace(" ", "") + " " for shape in shapes)
    words = f"shape mismatch: indexing arrays could not be broadcast together with shapes {texts}"
    axis = _unlike_axes(with_size(source.shape, dim, positions.shape[dim]), positions.shape)[0]
    return RaisedError(index.span, "IndexError", words, axis)


def gather_numpy(call: Call) -> Computed:
    """Read ``x.gather(dim, index)`` as ``np.take_along_axis(x, index, dim)``."""
    return along_numpy(swapped(call))
