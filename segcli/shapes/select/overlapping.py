"""Where a value is read from storage that it is written to, which PyTorch refuses as far as it sees it.

It looks at the first and the last element of what lies in storage without gaps, and at nothing else
(``aten/src/ATen/MemoryOverlap.cpp`` of PyTorch 2.13). NumPy sets a copy of the value aside.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from segcli.shapes.index.torch_index import index_torch
from segcli.shapes.index.torch_sequence import is_legacy_tuple, tensor_from_list
from segcli.shapes.index.torch_walk import MASKS
from segcli.shapes.indexing import Indexing
from segcli.shapes.select.assigning import OVERLAPS
from segcli.shapes.select.blocks import Block, block_of, copied_block, place_of
from segcli.shapes.select.locating import is_same_data, is_same_place
from segcli.shapes.select.placing import is_expanded
from segcli.shapes.stages import Evaluation
from segcli.shapes.values import INTEGER, Item, Listed, RaisedError, SliceBounds, Tensor
from segcli.shapes.view_strides import view_strides

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
# Likewise of those that write to positions.
SCATTERED_LATER = (
    *("reduce argument", "not implemented for", "value cannot be converted", "is out of bounds"),
    "index out of range in self",
)
# How many of its arguments a method reads while it writes.
_FILLS = {"fill_": 0, "masked_fill_": 1, "index_fill_": 2}
# At which of the errors of an index PyTorch looks after that.
_MASKED = "The shape of the mask"
_LATER = ("tensors used as indices must be", "shape mismatch: indexing tensors", _MASKED)


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
    _refuse_put(state, place_of(state, tensor, region), advanced, value)


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


def check_copied(state: Evaluation, target: Item, index: Item, value: Item) -> None:
    """Refuse what PyTorch refuses to copy to a view: to elements that are one in storage, or over what is read.

    What is the data of the place itself is not copied, and nothing is refused.

    Args:
        state: The walk, which has done the assignment last.
        target: What is written to.
        index: Where in it.
        value: What is written.

    Raises:
        RaisedError: Where several elements of the place are one; where a value shares storage with it.
    """
    if state.library.name != "torch":
        return
    tensor, read, region = cast("Tensor", target.value), value.value, _region(state)
    if region.operands and index.value is not True:
        # Values are put at positions, or nothing is written.
        return
    if isinstance(read, Tensor) and is_same_place(state, tensor, region, read):
        return
    if 0 not in region.shape and is_expanded(region.shape, view_strides(tensor, region)):
        raise RaisedError(target.span, "RuntimeError", OVERLAPS)
    place = place_of(state, tensor, region)
    if place is not None and isinstance(read, Tensor):
        _refuse(place, copied_block(state, read, region.shape), value, alike=True)


def _region(state: Evaluation) -> Indexing:
    """Return the place that an assignment, which was done last, writes to."""
    return cast("Indexing", cast("Formula", cast("Computed", state.stages[-1].done).formula).left)


def check_changed(state: Evaluation, target: Item, value: Item) -> None:
    """Refuse what PyTorch refuses to add to a view or the like, as it would be written over while it is read.

    Args:
        state: The walk, which has done the assignment last.
        target: What is written to.
        value: What is added.

    Raises:
        RaisedError: Where a value shares storage with the place; of what is changed at positions, where these do.
    """
    if state.library.name != "torch":
        return
    tensor, read, region = cast("Tensor", target.value), value.value, _region(state)
    place = place_of(state, tensor, region)
    if region.operands:
        # What is assigned to the positions is new.
        items = [operand.item for operand in region.operands]
        _refuse_put(state, place, items, replace(value, value=None))
    elif place is not None and isinstance(read, Tensor):
        _refuse(place, block_of(state, read), value, alike=True)


def check_unchanged(state: Evaluation, items: Sequence[Item], error: RaisedError) -> None:
    """Refuse what PyTorch refuses of ``+=`` and the like before it comes to an error of shapes or dtypes.

    Args:
        state: The walk.
        items: What is written to, where in it if there is an index, and what is added.
        error: That error.

    Raises:
        RaisedError: Where the value shares storage with the place.
    """
    tensor, value = items[0].value, items[-1]
    late = any(words in error.message for words in SEEN_LATER)
    if state.library.name != "torch" or not late or not isinstance(tensor, Tensor):
        return
    # Of an index that does not fit, there is another error.
    region = index_torch(tensor, items[1], len(state.stages)) if len(items) > 2 else None  # noqa: PLR2004 - see above
    place = block_of(state, tensor) if region is None else place_of(state, tensor, region)
    if place is not None and isinstance(value.value, Tensor) and not (region and region.operands):
        _refuse(place, block_of(state, value.value), value, alike=True)


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
    if name == "copy_" and isinstance(first.value, Tensor):
        other = others[0][1].value if others else None
        if isinstance(other, Tensor) and is_same_data(state, first.value, other):
            return
        if 0 not in first.value.shape and is_expanded(first.value.shape, first.value.strides):
            raise RaisedError(first.span, "RuntimeError", OVERLAPS)
    place = block_of(state, first.value) if isinstance(first.value, Tensor) else None
    if name in _FILLS:
        # What all get is read before.
        others = others[: _FILLS[name]]
    for _, item in others:
        if place is not None and isinstance(item.value, Tensor):
            _refuse(place, block_of(state, item.value), item, alike=not name.startswith(("scatter", "index_")))


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
        _refuse(place, block_of(state, value.value), value)
    for item in advanced:
        # Of one bool PyTorch makes positions anew.
        if isinstance(item.value, Tensor) and item.value.shape:
            _refuse(place, block_of(state, item.value), item, alike=filled)


def _refuse(place: Block, read: Block | None, item: Item, *, alike: bool = False) -> None:
    """Refuse what overlaps; ``alike`` lets pass what is the very same."""
    if read is not None and place.meets(read) and not (alike and place.is_same(read)):
        raise RaisedError(item.span, "RuntimeError", SHARED)
