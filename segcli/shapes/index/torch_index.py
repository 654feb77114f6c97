"""PyTorch's indexing, left to right (``ATen/TensorIndexing.h`` and ``ATen/native/IndexingUtils.h`` of PyTorch 2.13)."""

from typing import NoReturn

from segcli.shapes.index.layout import Dim, Plan, lay_out
from segcli.shapes.index.torch_advanced import index_advanced
from segcli.shapes.index.torch_sequence import holds_floats, is_legacy_tuple, tensor_from_list
from segcli.shapes.index.torch_walk import MASKS, Walk, out_of_range
from segcli.shapes.indexing import Indexing, Ledger
from segcli.shapes.symbols import most
from segcli.shapes.values import (
    INTEGER,
    Item,
    Listed,
    RaisedError,
    Size,
    SliceBounds,
    Symbol,
    Tensor,
    type_name,
)

# A size that PyTorch reads where there is none is 0 as long as it lies in the inline storage (c10/SizesAndStrides.h).
_INLINE_SIZES = 5

LEGACY_NOTE = (
    "deprecated: PyTorch takes the list for a tuple of indices, with a UserWarning, and means to change that; "
    "write x[tuple(index)] for what it does now, x[torch.tensor(index)] for what NumPy does"
)
UINT8_NOTE = "deprecated: PyTorch takes a uint8 tensor for a mask, with a UserWarning; write m.bool(), or i.long()"

_PAST_THE_END = "each ... goes over the {} {} that no index takes, so that the second one goes past the last axis"


def index_torch(source: Tensor, index: Item, stage: int = 0) -> Indexing:
    """Index a tensor as PyTorch does.

    Args:
        source: The tensor.
        index: What stands between the brackets.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As PyTorch would raise.

    Source: PyTorch 2.13, ``torch/csrc/autograd/python_variable_indexing.cpp``.
    """
    ledger = Ledger(stage)
    items = _unpacked(index, ledger)
    plan = Plan(source.shape, ledger)
    dims = [Dim(size, axis) for axis, size in enumerate(source.shape)]
    walk = Walk(source, plan, dims, sum(_dims_specified(item) for item in items))
    try:
        return _indexed(walk, index, items)
    except RaisedError as error:
        if "second-ellipsis" in ledger.rules and walk.skips:
            ledger.notes.append(_PAST_THE_END.format(walk.skips, "axis" if walk.skips == 1 else "axes"))
        # What warns does so before it raises.
        for note in ledger.notes:
            error.add_note(note)
        raise


def _indexed(walk: Walk, index: Item, items: tuple[Item, ...]) -> Indexing:
    _check_count(walk, index, alone=not isinstance(index.value, Listed | Tensor))
    for place, item in enumerate(items):
        _step(walk, place, item)
    while walk.out and walk.out[-1] is None:
        walk.out.pop()
    if not walk.out:
        return lay_out(walk.plan, walk.dims, None, 0, "", view=True)
    return index_advanced(walk, index)


def _unpacked(index: Item, ledger: Ledger) -> tuple[Item, ...]:
    value = index.value
    if not isinstance(value, Listed):
        return (index,)
    if value.is_tuple:
        return value.items
    if is_legacy_tuple(value):
        ledger.rules.add("legacy-tuple")
        ledger.notes.append(LEGACY_NOTE)
        return value.items
    return (index,)


def _dims_specified(item: Item) -> int:
    """Count the dimensions that an index takes up; of a list it is one, whatever it holds."""
    match item.value:
        case None | bool():
            return 0
        case Tensor() as tensor:
            return len(tensor.shape) if tensor.dtype in MASKS else 1
        case int() | float() | SliceBounds() | Listed() | Symbol():
            return 1
        case _:
            return 0


def _check_count(walk: Walk, index: Item, *, alone: bool) -> None:
    ndim = len(walk.dims)
    if walk.specified <= ndim:
        return
    words = f"too many indices for tensor of dimension {ndim}"
    if alone and isinstance(index.value, SliceBounds):
        _bounds(index, index.value)
        words = "slice() cannot be applied to a 0-dim tensor."
    elif alone and isinstance(index.value, int) and index.value:
        words = f"index {index.value} is out of bounds for dimension 0 with size 0"
    elif alone and isinstance(index.value, int):
        words = (
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
            "0-dim tensor to a number"
        )
    raise RaisedError(index.span, "IndexError", words)


def _step(walk: Walk, place: int, item: Item) -> None:
    value = item.value
    match value:
        case bool():
            _unsqueeze_mask(walk, item, value)
        case int():
            _select(walk, place, item, value)
        case Symbol(position):
            _select(walk, place, item, position)
        case SliceBounds():
            _slice(walk, item, value)
        case None:
            walk.plan.note_new(item, _unsqueeze(walk, item))
            walk.skip(1)
        case Tensor():
            _tensor(walk, place, item, value)
        case Listed():
            if holds_floats(value):
                walk.plan.ledger.rules.add("truncated-floats")
            _tensor(walk, place, item, tensor_from_list(item, value))
        case float():
            _invalid(item)
        case _:
            _ellipsis(walk, item)


def _invalid(item: Item) -> NoReturn:
    words = (
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
        f"{type_name(item.value)})"
    )
    raise RaisedError(item.span, "IndexError", words)


def _select(walk: Walk, place: int, item: Item, position: Size | None) -> None:
    """Take one position of the next dimension, which is gone at once."""
    if walk.dim >= len(walk.dims):
        # Behind a second ellipsis: PyTorch reads a size that is not there.
        if walk.dim >= _INLINE_SIZES:
            out_of_range(item, walk.dim, len(walk.dims))
        words = f"index {position or 0} is out of bounds for dimension {place} with size 0"
        raise RaisedError(item.span, "IndexError", words)
    dim = walk.dims[walk.dim]
    size = dim.size
    limit = most(size)
    if limit is not None and (limit == 0 or (isinstance(position, int) and not -limit <= position < limit)):
        shown = 0 if position is None else position
        words = f"index {shown} is out of bounds for dimension {place} with size {size}"
        raise RaisedError(item.span, "IndexError", words, dim.axis)
    walk.dims.pop(walk.dim)
    walk.plan.ledger.rules.add("select")
    walk.plan.note_integer(item, [dim], position)


def _bounds(item: Item, bounds: SliceBounds) -> None:
    if bounds.step == 0:
        raise RaisedError(item.span, "ValueError", "slice step cannot be zero")
    if bounds.step is not None and bounds.step < 0:
        raise RaisedError(item.span, "ValueError", "step must be greater than zero")


def _slice(walk: Walk, item: Item, bounds: SliceBounds) -> None:
    _bounds(item, bounds)
    if walk.dim >= len(walk.dims):
        _slice_past_the_end(walk, item, bounds)
        return
    dim = walk.dims[walk.dim]
    before = dim.size
    dim.cut(bounds)
    walk.plan.note_slice(item, bounds, dim, before)
    walk.skip(1)


def _slice_past_the_end(walk: Walk, item: Item, bounds: SliceBounds) -> None:
    # PyTorch compares the slice with a size that is not there, and takes it for the whole axis.
    whole = bounds.start in (None, 0) and bounds.step in (None, 1)
    if not whole or (
        bounds.stop is not None and ((isinstance(bounds.stop, int) and bounds.stop < 0) or walk.dim >= _INLINE_SIZES)
    ):
        out_of_range(item, walk.dim, len(walk.dims))
    walk.plan.draft(item, "slice", (), "has no axis left, and is ignored")
    walk.skip(1)


def _ellipsis(walk: Walk, item: Item) -> None:
    skips = walk.skips
    if any(draft.kind == "ellipsis" for draft in walk.plan.drafts):
        walk.plan.ledger.rules.add("second-ellipsis")
    walk.plan.note_ellipsis(item, walk.dims[walk.dim : walk.dim + skips])
    walk.skip(skips)


def _unsqueeze(walk: Walk, item: Item) -> Dim:
    if walk.dim > len(walk.dims):
        out_of_range(item, walk.dim, len(walk.dims) + 1)
    new = Dim(1)
    walk.dims.insert(walk.dim, new)
    return new


def _unsqueeze_mask(walk: Walk, item: Item, value: bool | None) -> None:  # noqa: FBT001 - it is the value itself
    """Add a dimension and index it by a mask of one element; None where it is not known."""
    _unsqueeze(walk, item)
    tensor = item.value if isinstance(item.value, Tensor) else Tensor((), "bool", item.text)
    known = None if value is None else (value,)
    tensor = Tensor((), tensor.dtype, tensor.text, values=known, true_count=tensor.true_count)
    _record(walk, item, tensor, "bool")
    walk.dim += 1


def _record(walk: Walk, item: Item, tensor: Tensor, kind: str) -> None:
    if not walk.out:
        walk.out.extend([None] * walk.dim)
    walk.out.append((item, tensor, kind))


def _tensor(walk: Walk, place: int, item: Item, tensor: Tensor) -> None:
    if not tensor.shape and tensor.dtype in MASKS:
        value = None if tensor.values is None else bool(tensor.values[0])
        _unsqueeze_mask(walk, Item(tensor, item.text, item.span), value)
    elif not tensor.shape and tensor.dtype in INTEGER:
        _select(walk, place, item, None if tensor.values is None else int(tensor.values[0]))
    else:
        mask = tensor.dtype in MASKS
        _record(walk, item, tensor, "mask" if mask else "positions")
        walk.dim += len(tensor.shape) if mask else 1
    if tensor.dtype == "uint8":
        walk.plan.ledger.rules.add("uint8-mask")
        if tensor.shape:
            walk.plan.ledger.notes.append(UINT8_NOTE)
