"""PyTorch's indexing by tensors (``ATen/native/IndexingUtils.h`` of PyTorch 2.13)."""

from collections.abc import Sequence
from typing import NoReturn

from segcli.shapes.index.layout import Dim, explain_landing, lay_out
from segcli.shapes.index.torch_walk import MASKS, Walk, out_of_range
from segcli.shapes.indexing import Indexing, Operand, broadcast_sizes, find_out_of_range, position_needs
from segcli.shapes.symbols import equal
from segcli.shapes.values import Item, RaisedError, Shape, Tensor, check_elements, format_sizes

_POSITIONS = ("int32", "int64")


def index_advanced(walk: Walk, index: Item) -> Indexing:
    """Index by the recorded tensors, as ``Tensor.index`` does."""
    ndim = len(walk.dims)
    if len(walk.out) > ndim:
        words = f"too many indices for tensor of dimension {ndim} (got {len(walk.out)})"
        raise RaisedError(index.span, "IndexError", words)
    for record in walk.out:
        if record is not None and record[1].dtype not in (*MASKS, *_POSITIONS):
            words = "tensors used as indices must be long, int, byte or bool tensors"
            raise RaisedError(record[0].span, "IndexError", words)
    taken = _take_dims(walk)
    operands = [operand for operand, _ in taken]
    broadcast = broadcast_sizes([operand.shape for operand in operands], walk.plan.ledger.needs)
    if broadcast is None:
        _no_broadcast(operands)
    first = next(place for place, record in enumerate(walk.out) if record is not None)
    together = None not in walk.out[first:]
    for operand, dims in taken:
        if not dims:
            _drop(walk, operand, together=together)
    _check_positions(walk, taken, broadcast)
    return _landed(walk, taken, broadcast, together=together)


def _drop(walk: Walk, operand: Operand, *, together: bool) -> None:
    """Deal with an index that has no dimension left: a list mask before it takes more than the one it counts for."""
    if together:
        out_of_range(operand.item, len(walk.dims), len(walk.dims))
    # Moving the indexed dimensions to the front, PyTorch looks at no more indices than there are dimensions.
    token = operand.item.text
    walk.plan.ledger.rules.add("dropped-index")
    walk.plan.ledger.notes.append(
        f"PyTorch drops {token} silently: the list that is a mask takes more axes than the one it is counted for"
    )


def _take_dims(walk: Walk) -> list[tuple[Operand, list[Dim]]]:
    """Give every advanced index the dimensions that it takes: a mask as many as it has, which it must match."""
    taken: list[tuple[Operand, list[Dim]]] = []
    place = 0
    for record in walk.out:
        if record is None:
            place += 1
            continue
        item, tensor, kind = record
        width = len(tensor.shape) if kind == "mask" else 1
        dims = walk.dims[place : place + width]
        if kind == "mask":
            _check_mask(walk, item, tensor, place)
        axes = tuple(dim.axis for dim in dims if dim.axis is not None)
        shape: Shape = tensor.shape if kind == "positions" else (tensor.nonzero,)
        operand = Operand(item, tensor, shape, axes, kind)
        walk.plan.note_operand(operand)
        taken.append((operand, dims))
        place += width
    return taken


def _check_mask(walk: Walk, item: Item, mask: Tensor, place: int) -> None:
    for offset, size in enumerate(mask.shape):
        if place + offset >= len(walk.dims):
            out_of_range(item, place + offset, len(walk.dims))
        dim = walk.dims[place + offset]
        if isinstance(size, str) or isinstance(dim.size, str):
            if size != dim.size:
                walk.plan.ledger.needs.append(equal(dim.size, size))
        elif size != dim.size:
            sizes = format_sizes(tuple(dim.size for dim in walk.dims), opening="[", closing="]")
            shape = format_sizes(mask.shape, opening="[", closing="]")
            words = (
                f"The shape of the mask {shape} at index {offset} does not match the shape of the indexed tensor "
                f"{sizes} at index {place + offset}"
            )
            raise RaisedError(item.span, "IndexError", words, dim.axis)


def _no_broadcast(operands: Sequence[Operand]) -> NoReturn:
    shapes = []
    for operand in operands:
        width = max(1, len(operand.takes)) if operand.kind == "mask" else 1
        shapes.extend([format_sizes(operand.shape, opening="[", closing="]")] * width)
    words = f"shape mismatch: indexing tensors could not be broadcast together with shapes {', '.join(shapes)}"
    raise RaisedError((operands[0].item.span[0], operands[-1].item.span[1]), "IndexError", words)


def _check_positions(walk: Walk, taken: Sequence[tuple[Operand, list[Dim]]], broadcast: Shape) -> None:
    """Refuse positions that are known to be out of range; PyTorch looks at them only where the result has elements."""
    indexed = [dim for _, dims in taken for dim in dims]
    if 0 in broadcast:
        return
    for operand, dims in taken:
        for dim in dims:
            if dim.size == 0:
                words = "index is out of bounds for dimension with size 0"
                raise RaisedError(operand.item.span, "IndexError", words, dim.axis)
    empty = any(dim.size == 0 for dim in walk.dims if dim not in indexed)
    for operand, dims in taken:
        for dim in dims:
            walk.plan.ledger.needs.extend(position_needs(operand, dim.size, broadcast, looked_at=not empty))
    if empty:
        return
    number = 0
    for operand, dims in taken:
        position = find_out_of_range(operand, dims[0].size) if dims else None
        if position is not None:
            words = f"index {position} is out of bounds for dimension {number} with size {dims[0].size}"
            raise RaisedError(operand.item.span, "IndexError", words, dims[0].axis)
        number += len(dims)


def _landed(walk: Walk, taken: Sequence[tuple[Operand, list[Dim]]], broadcast: Shape, *, together: bool) -> Indexing:
    indexed = {id(dim) for _, dims in taken for dim in dims}
    places = [place for place, dim in enumerate(walk.dims) if id(dim) in indexed]
    kept = [dim for dim in walk.dims if id(dim) not in indexed]
    landing = places[0] if together else 0
    operands = [operand for operand, _ in taken]
    between = [] if together else _between(walk, set(places))
    if not together:
        walk.plan.ledger.rules.add("front")
    why = explain_landing(operands, between, broadcast, landing)
    sizes = [dim.size for dim in kept]
    check_elements((*sizes, *broadcast), "the result")
    return lay_out(walk.plan, kept, broadcast, landing, why, view=False)


def _between(walk: Walk, places: set[int]) -> list[str]:
    """Return the tokens whose dimensions separate the advanced ones."""
    first, last = min(places), max(places)
    parting = {id(dim) for place, dim in enumerate(walk.dims) if first < place < last and place not in places}
    tokens = [draft.token for draft in walk.plan.drafts if any(id(dim) in parting for dim in draft.dims)]
    # An ellipsis may stand between an index and one that has no dimension.
    return tokens or ["..."]
