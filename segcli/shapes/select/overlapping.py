"""Where a value is read from storage that it is written to, which PyTorch refuses as far as it sees it.

It looks at the first and the last element of what lies in storage without gaps, and at nothing else
(``aten/src/ATen/MemoryOverlap.cpp`` of PyTorch 2.13). NumPy sets a copy of the value aside.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, cast

from segcli.shapes.index.torch_index import index_torch
from segcli.shapes.index.torch_sequence import is_legacy_tuple, tensor_from_list
from segcli.shapes.index.torch_walk import MASKS
from segcli.shapes.indexing import Along, Fixed, Gathered, Indexing
from segcli.shapes.records import record
from segcli.shapes.reduced import Reduced
from segcli.shapes.select.placing import stripped
from segcli.shapes.stages import Evaluation
from segcli.shapes.strides import strides_of
from segcli.shapes.values import INTEGER, Item, Listed, RaisedError, Shape, Size, SliceBounds, Tensor
from segcli.shapes.view_strides import inserted_strides

if TYPE_CHECKING:
    from segcli.shapes.computed import Computed, Formula

SHARED = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location. Please clone() the tensor before performing the operation."
)


# Which errors of a method PyTorch comes to after that.
SEEN_LATER = (
    *("The size of tensor a", "output with shape", "result type", "not implemented for", "alpha"),
    "value cannot be converted",
)
# How many of its arguments a method reads while it writes.
_FILLS = {"fill_": 0, "masked_fill_": 1, "index_fill_": 2}
# At which of the errors of an index PyTorch looks after that.
_MASKED = "The shape of the mask"
_LATER = ("tensors used as indices must be", "shape mismatch: indexing tensors", _MASKED)


@record(frozen=True, slots=True)
class Block:
    """Elements without gaps in the storage of a bound name.

    Attributes:
        name: The name.
        start: How many elements lie before the first one.
        count: How many there are.
        strides: How far apart neighbours along each axis are, even where an axis has one position.
    """

    name: str
    start: int
    count: int
    strides: tuple[int, ...]

    def meets(self, other: "Block") -> bool:
        """Tell whether some elements are in both."""
        if self.name != other.name:
            return False
        return self.start < other.start + other.count and other.start < self.start + self.count

    def is_same(self, other: "Block") -> bool:
        """Tell whether it holds the same elements in the same order, which PyTorch reads from the strides."""
        return self == other


def check_put(state: Evaluation, target: Item, index: Item, value: Item) -> None:
    """Refuse to put what PyTorch refuses to, which looks at where things lie before it looks at anything else.

    Args:
        state: The walk, before the assignment.
        target: What is written to.
        index: Where in it.
        value: What is written.

    Raises:
        RaisedError: Where a value, an index or a mask shares storage with the place.
    """
    tensor = target.value
    if state.library.name != "torch" or not isinstance(tensor, Tensor) or isinstance(index.value, bool):
        return
    try:
        basic, advanced = _sorted(index, len(tensor.shape))
        if advanced:
            index_torch(tensor, index, len(state.stages))
    except RaisedError as error:
        if not error.message.startswith(_LATER) and "is out of bounds for dim" not in error.message:
            return
        basic, advanced = _sorted(index, len(tensor.shape))
        if error.message.startswith(_MASKED) and _is_one(value) and advanced[0].span == error.span:
            # One number may fill a mask: PyTorch looks at the first one before anything else.
            return
    if not advanced:
        return
    if 0 in tensor.shape and value.value is tensor and _is_all(basic):
        # The very same tensor overlaps with itself, even where it has no elements.
        raise RaisedError(value.span, "RuntimeError", SHARED)
    try:
        region = index_torch(tensor, basic, len(state.stages))
    except RaisedError:
        # An int is out of range, say.
        return
    _refuse_put(state, _place(state, tensor, region), advanced, value)


def _is_all(index: Item) -> bool:
    """Tell whether an index without its tensors is the tensor that is indexed, and no view of it."""
    items = cast("Listed", index.value).items
    return all(isinstance(item.value, SliceBounds) and item.value == SliceBounds() for item in items)


def _is_one(value: Item) -> bool:
    """Tell whether a value is one number, with which PyTorch fills a mask."""
    return not isinstance(value.value, Tensor) or set(value.value.shape) <= {1}


def _sorted(index: Item, ndim: int) -> tuple[Item, list[Item]]:
    """Return an index of so many axes with slices for its tensors, lists and bools; and these, as they stand."""
    value = index.value
    several = isinstance(value, Listed) and (value.is_tuple or is_legacy_tuple(value))
    items = value.items if isinstance(value, Listed) and several else (index,)
    basic: list[Item] = []
    advanced = []
    for item in items:
        axes = _axes_of(item)
        if axes is None:
            basic.append(item)
            continue
        advanced.append(item)
        basic += [replace(item, value=SliceBounds())] * min(axes, ndim) or [replace(item, value=None)]
    return replace(index, value=Listed(tuple(basic), is_tuple=True)), advanced


def _axes_of(item: Item) -> int | None:
    """Return how many axes an advanced index takes; None for any other."""
    value = item.value
    if isinstance(value, bool):
        return 0
    made = tensor_from_list(item, value) if isinstance(value, Listed) else value
    if not isinstance(made, Tensor):
        return None
    if made.dtype in MASKS:
        return len(made.shape)
    return None if not made.shape and made.dtype in INTEGER else 1


def check_changed(state: Evaluation, target: Item, value: Item, *, in_place: bool) -> None:
    """Refuse what PyTorch refuses to write to a view, as it would be written over while it is read.

    Args:
        state: The walk, which has done the assignment last.
        target: What is written to.
        value: What is written.
        in_place: Whether the value is added or the like, and not assigned.

    Raises:
        RaisedError: Where a value shares storage with the place; of what is changed at positions, where these do.
    """
    done = state.stages[-1].done
    tensor, read = cast("Tensor", target.value), value.value
    if state.library.name != "torch":
        return
    region = cast("Indexing", cast("Formula", cast("Computed", done).formula).left)
    place = _place(state, tensor, region)
    if in_place and region.operands:
        # What is assigned to the positions is new.
        items = [operand.item for operand in region.operands]
        _refuse_put(state, place, items, replace(value, value=None))
    elif place is not None and isinstance(read, Tensor) and not any(operand.takes for operand in region.operands):
        _refuse(place, _block(state, read) if in_place else _copied(state, read, region.shape), value, alike=True)


def check_method(state: Evaluation, name: str, arguments: Sequence[tuple[str, Item]]) -> None:
    """Refuse what PyTorch refuses to write where it is read, by a method such as ``add_``.

    Args:
        state: The walk.
        name: The method.
        arguments: What the method is given, its tensor first.

    Raises:
        RaisedError: Where another tensor shares storage with the first; the very same may be read element by element.
    """
    (_, first), *others = arguments
    place = _block(state, first.value) if isinstance(first.value, Tensor) else None
    if name in _FILLS:
        # What all get is read before.
        others = others[: _FILLS[name]]
    for _, item in others:
        if place is not None and isinstance(item.value, Tensor):
            _refuse(place, _block(state, item.value), item, alike=not name.startswith(("scatter", "index_")))


def _refuse_put(state: Evaluation, place: Block | None, advanced: Sequence[Item], value: Item) -> None:
    """Refuse a value or an index that shares storage; a mask that one number fills may be what it fills."""
    if place is None:
        return
    first = advanced[0].value
    masked = len(advanced) == 1 and isinstance(first, Tensor) and first.dtype in MASKS and bool(first.shape)
    filled = (
        masked and value.value is not None and (not isinstance(value.value, Tensor) or set(value.value.shape) <= {1})
    )
    if not filled and isinstance(value.value, Tensor):
        _refuse(place, _block(state, value.value), value)
    for item in advanced:
        # Of one bool PyTorch makes positions anew.
        if isinstance(item.value, Tensor) and item.value.shape:
            _refuse(place, _block(state, item.value), item, alike=filled)


def _copied(state: Evaluation, value: Tensor, shape: Shape) -> Block | None:
    """Return where a value lies that is expanded to a shape; None where it is repeated, or a single number."""
    block, own = _block(state, value), stripped(value.shape)
    if block is None or value.shape == shape:
        return block
    if own != stripped(shape) or not value.shape:
        return None
    sizes, strides = own, block.strides[len(value.shape) - len(own) :]
    while own and len(strides) < len(shape):
        strides = (cast("int", sizes[0]) * strides[0], *strides)
        sizes = (1, *sizes)
    return replace(block, strides=strides)


def _refuse(place: Block, read: Block | None, item: Item, *, alike: bool = False) -> None:
    """Refuse what overlaps; ``alike`` lets pass what is the very same."""
    if read is not None and place.meets(read) and not (alike and place.is_same(read)):
        raise RaisedError(item.span, "RuntimeError", SHARED)


def _block(state: Evaluation, tensor: Tensor) -> Block | None:
    """Return where a tensor lies; None where it has gaps, memory of its own, or sizes that are not known."""
    start = _start(state, tensor)
    return None if start is None else _dense(*start, list(zip(tensor.shape, strides_of(tensor), strict=True)))


def _place(state: Evaluation, tensor: Tensor, region: Indexing) -> Block | None:
    """Return where the place lies that ints and slices name; positions and masks go over all of their axes."""
    start, strides = _start(state, tensor), strides_of(tensor)
    further = _further(region, strides)
    if start is None or further is None:
        return None
    inserted = inserted_strides(tensor, region, strides)
    axes: list[tuple[Size, Size | None]] = [(size, inserted.get(axis, 0)) for axis, size in enumerate(region.shape)]
    gathered = []
    for size, stride, access in zip(tensor.shape, strides, region.accesses, strict=True):
        if isinstance(access, Gathered):
            gathered.append((size, stride))
        elif isinstance(access, Along):
            axes[access.axis] = (region.shape[access.axis], cast("int", stride) * access.step)
    for axis in region.landing if gathered else ():
        axes[axis] = (1, 0)
    return _dense(start[0], start[1] + further, [*axes, *gathered])


def _start(state: Evaluation, tensor: Tensor) -> tuple[str, int] | None:
    """Return the name whose storage a tensor is in, and where in it the first element lies."""
    start, at = 0, tensor
    place = state.made.get(id(tensor))
    while place is not None:
        stage = state.stages[place]
        source, done = stage.source, stage.done
        if not isinstance(source, Tensor) or isinstance(done, str | Reduced) or not done.view:
            return None
        further: int | None = 0 if _is_whole(source, at) else None
        if isinstance(done, Indexing):
            further = _further(done, strides_of(source))
        if further is None:
            return None
        start, at, place = start + further, source, stage.inputs[0].stage
    return (at.text, start) if at.text in state.bindings else None


def _is_whole(source: Tensor, view: Tensor) -> bool:
    """Tell whether a view has all elements, of the same size, as after a reshape; it begins where its source does."""
    known = all(isinstance(size, int) for size in (*source.shape, *view.shape))
    return known and prod(cast("tuple[int, ...]", source.shape)) == prod(cast("tuple[int, ...]", view.shape))


def _further(done: Indexing, strides: Sequence[Size | None]) -> int | None:
    """Return how many elements a view begins behind its source; None where that is not known."""
    further = 0
    for access, stride in zip(done.accesses, strides, strict=True):
        at = access.position if isinstance(access, Fixed) else access.start if isinstance(access, Along) else 0
        if not isinstance(at, int) or not isinstance(stride, int):
            return None
        further += at * stride
    return further


def _dense(name: str, start: int, walked: Sequence[tuple[Size, Size | None]]) -> Block | None:
    """Return a block, where its axes leave no gaps and repeat nothing."""
    if any(not isinstance(size, int) or not isinstance(stride, int) for size, stride in walked):
        return None
    known = cast("list[tuple[int, int]]", list(walked))
    steps = sorted((stride, size) for size, stride in known if size != 1)
    ends = [1, *(stride * size for stride, size in steps)]
    if any(size == 0 for size, _ in known) or [stride for stride, _ in steps] != ends[:-1]:
        return None
    return Block(name, start, ends[-1], tuple(stride for _, stride in known))
