"""NumPy's indexing (``multiarray/mapping.c`` of NumPy 2.4): all tokens are looked at before any acts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from segcli.shapes.index.layout import Dim, Plan, explain_landing, lay_out
from segcli.shapes.index.numpy_sequence import INVALID, array_from_list
from segcli.shapes.indexing import (
    Indexing,
    Ledger,
    Operand,
    broadcast_sizes,
    find_out_of_range,
    position_need,
    position_needs,
)
from segcli.shapes.symbols import equal, most
from segcli.shapes.values import (
    NUMPY_INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    SliceBounds,
    Span,
    Symbol,
    Tensor,
    check_elements,
    format_sizes,
)

_MAX_DIMENSIONS = 64
# What a token that is no tensor, or no slice, has in their place.
_NO_TENSOR = Tensor((), "int64", "")
_WHOLE = SliceBounds()


@dataclass(slots=True)
class _Token:
    """An index, told apart: ``integer``, ``slice``, ``None``, ``ellipsis``, ``bool``, ``mask`` or ``positions``."""

    item: Item
    kind: str
    tensor: Tensor = _NO_TENSOR
    bounds: SliceBounds = _WHOLE

    @property
    def advanced(self) -> bool:
        return self.kind in ("bool", "mask", "positions")

    @property
    def consumes(self) -> int:
        if self.kind == "mask":
            return len(self.tensor.shape)
        return 1 if self.kind in ("integer", "slice", "positions") else 0


@dataclass(slots=True)
class _Walk:
    """Where NumPy stands while it lays the tokens over the axes."""

    plan: Plan
    axis: int = 0
    kept: list[Dim] = field(default_factory=list)
    gathered: list[Operand] = field(default_factory=list)
    # Where the advanced axes would stand, and the tokens between advanced indices.
    landing: int | None = None
    since: list[str] = field(default_factory=list)
    between: list[str] = field(default_factory=list)


def index_numpy(source: Tensor, index: Item, stage: int = 0) -> Indexing:
    """Index an array as NumPy does.

    Args:
        source: The array, or a scalar.
        index: What stands between the brackets.
        stage: Which operation of a chain this is.

    Raises:
        RaisedError: As NumPy would raise.

    Source: NumPy 2.4, ``prepare_index`` and ``PyArray_MapIterNew``.
    """
    try:
        return _index(source, index, stage)
    except RaisedError as error:
        if source.scalar:
            words = "invalid index to scalar variable."
            raise RaisedError(error.span, "IndexError", words, error.axis) from error
        raise


def _index(source: Tensor, index: Item, stage: int) -> Indexing:
    value = index.value
    items = value.items if isinstance(value, Listed) and value.is_tuple else (index,)
    tokens: list[_Token] = []
    for item in items:
        token = _recognise(item)
        if token.kind == "ellipsis" and any(before.kind == "ellipsis" for before in tokens):
            words = "an index can only have a single ellipsis ('...')"
            raise RaisedError(item.span, "IndexError", words)
        tokens.append(token)
    plan = Plan(source.shape, Ledger(stage))
    _check_count(source, tokens, index.span)
    _check_masks(source, tokens, plan)
    # As soon as one index is advanced, integers are advanced too.
    fancy = any(token.advanced for token in tokens)
    walk = _Walk(plan)
    for token in tokens:
        _lay(walk, token, len(source.shape) - sum(token.consumes for token in tokens), fancy=fancy)
    _keep(walk, len(source.shape) - walk.axis)
    if fancy:
        return _advanced(walk, index)
    return _basic(walk, tokens, index.span)


def _recognise(item: Item) -> _Token:  # noqa: PLR0911 - a kind of index, a return
    match item.value:
        case None:
            return _Token(item, "None")
        case bool() as value:
            return _Token(item, "bool", Tensor((), "bool", item.text, values=(value,)))
        case int() as value:
            return _Token(item, "integer", Tensor((), "int64", item.text, values=(value,)))
        case Symbol():
            return _Token(item, "integer", Tensor((), "int64", item.text))
        case SliceBounds() as bounds:
            return _Token(item, "slice", bounds=bounds)
        case Tensor() as tensor:
            return _of_array(item, tensor)
        case Listed() as listed:
            return _of_array(item, array_from_list(item, listed))
        case float():
            raise RaisedError(item.span, "IndexError", INVALID)
        case _:
            return _Token(item, "ellipsis")


def _of_array(item: Item, array: Tensor) -> _Token:
    if array.dtype == "bool":
        return _Token(item, "mask" if array.shape else "bool", array)
    if array.dtype not in NUMPY_INTEGER:
        words = INVALID if array.scalar else "arrays used as indices must be of integer (or boolean) type"
        raise RaisedError(item.span, "IndexError", words)
    return _Token(item, "positions" if array.shape else "integer", array)


def _check_count(source: Tensor, tokens: Sequence[_Token], span: Span) -> None:
    ndim, count = len(source.shape), sum(token.consumes for token in tokens)
    if count > ndim:
        words = f"too many indices for array: array is {ndim}-dimensional, but {count} were indexed"
        raise RaisedError(span, "IndexError", words)


def _check_masks(source: Tensor, tokens: Sequence[_Token], plan: Plan) -> None:
    count = sum(token.consumes for token in tokens)
    axis = 0
    for token in tokens:
        if token.kind == "ellipsis":
            axis += len(source.shape) - count
        if token.kind == "mask":
            for offset, size in enumerate(token.tensor.shape):
                _check_mask(token.item, size, source.shape[axis + offset], axis + offset, plan)
        axis += token.consumes


def _check_mask(item: Item, size: int | str, expected: int | str, axis: int, plan: Plan) -> None:
    # NumPy lets a mask axis of size 0 pass, whatever it stands on.
    if size in (expected, 0):
        return
    if isinstance(size, str) or isinstance(expected, str):
        plan.ledger.needs.append(equal(expected, size))
        return
    words = (
        f"boolean index did not match indexed array along axis {axis}; size of axis is {expected} but size of "
        f"corresponding boolean axis is {size}"
    )
    raise RaisedError(item.span, "IndexError", words, axis)


def _lay(walk: _Walk, token: _Token, skips: int, *, fancy: bool) -> None:
    if token.advanced or (fancy and token.kind == "integer"):
        _gather(walk, token)
        return
    walk.since.append(token.item.text)
    item, source = token.item, walk.plan.source
    if token.kind == "ellipsis":
        dims = _keep(walk, skips)
        walk.plan.note_ellipsis(item, dims)
        if not skips and fancy:
            walk.plan.ledger.rules.add("empty-ellipsis")
    elif token.kind == "None":
        new = Dim(1)
        walk.kept.append(new)
        walk.plan.note_new(item, new)
    elif token.kind == "slice":
        if token.bounds.step == 0:
            raise RaisedError(item.span, "ValueError", "slice step cannot be zero")
        (dim,) = _keep(walk, 1)
        before = dim.size
        dim.cut(token.bounds)
        walk.plan.note_slice(item, token.bounds, dim, before)
    else:
        _check_position(token, source[walk.axis], walk.axis)
        walk.plan.note_integer(item, [Dim(source[walk.axis], walk.axis)], _position(token))
        walk.axis += 1


def _keep(walk: _Walk, count: int) -> list[Dim]:
    dims = [Dim(walk.plan.source[walk.axis + offset], walk.axis + offset) for offset in range(count)]
    walk.axis += count
    walk.kept.extend(dims)
    return dims


def _position(token: _Token) -> Size | None:
    if isinstance(token.item.value, Symbol):
        return token.item.value.size
    known = token.tensor.values
    return None if known is None else int(known[0])


def _check_position(token: _Token, size: int | str, axis: int) -> None:
    position = _position(token)
    limit = most(size)
    if limit is not None and (limit == 0 or (isinstance(position, int) and not -limit <= position < limit)):
        words = f"index {position or 0} is out of bounds for axis {axis} with size {size}"
        raise RaisedError(token.item.span, "IndexError", words, axis)


def _gather(walk: _Walk, token: _Token) -> None:
    tensor = token.tensor
    axes = tuple(range(walk.axis, walk.axis + token.consumes))
    kind = "positions" if token.kind == "integer" else token.kind
    shape: Shape = tensor.shape if kind == "positions" else (tensor.nonzero,)
    operand = Operand(token.item, tensor, shape, axes, kind)
    if walk.landing is None:
        walk.landing = len(walk.kept)
    else:
        walk.between.extend(walk.since)
    walk.since.clear()
    if token.kind == "integer":
        # Checked at once, and even where the result has no elements.
        _check_position(token, walk.plan.source[walk.axis], walk.axis)
        walk.plan.ledger.needs.extend(position_need(walk.plan.source[walk.axis], _position(token)))
        walk.plan.ledger.rules.add("integer-is-advanced")
    walk.gathered.append(operand)
    walk.plan.note_operand(operand)
    walk.axis += token.consumes


def _basic(walk: _Walk, tokens: Sequence[_Token], span: Span) -> Indexing:
    scalar = not walk.kept and not any(token.kind == "ellipsis" for token in tokens)
    # A 0-d array that acts as an integer forces a copy.
    copied = any(isinstance(token.item.value, Tensor) for token in tokens)
    _check_dimensions(len(walk.kept), span)
    return lay_out(walk.plan, walk.kept, None, 0, "", view=not scalar and not copied, scalar=scalar)


def _check_dimensions(count: int, span: Span) -> None:
    if count > _MAX_DIMENSIONS:
        words = f"number of dimensions must be within [0, {_MAX_DIMENSIONS}], indexing result would have {count}"
        raise RaisedError(span, "IndexError", words)


def _advanced(walk: _Walk, index: Item) -> Indexing:
    operands = walk.gathered
    broadcast = broadcast_sizes([operand.shape for operand in operands], walk.plan.ledger.needs)
    if broadcast is None:
        _no_broadcast(operands)
    if 0 not in broadcast:
        _check_positions(walk, operands)
    landing = 0 if walk.between else walk.landing or 0
    if walk.between:
        walk.plan.ledger.rules.add("front")
    why = explain_landing(operands, walk.between, broadcast, landing)
    shape = (*(dim.size for dim in walk.kept), *broadcast)
    _check_dimensions(len(shape), index.span)
    check_elements(shape, "the result")
    return lay_out(walk.plan, walk.kept, broadcast, landing, why, view=False)


def _no_broadcast(operands: Sequence[Operand]) -> NoReturn:
    shapes = []
    for operand in operands:
        if not operand.shape:
            continue
        width = len(operand.takes) if operand.kind == "mask" else 1
        shapes.extend([format_sizes(operand.shape).replace(" ", "") + " "] * width)
    words = f"shape mismatch: indexing arrays could not be broadcast together with shapes {''.join(shapes)}"
    raise RaisedError((operands[0].item.span[0], operands[-1].item.span[1]), "IndexError", words)


def _check_positions(walk: _Walk, operands: Sequence[Operand]) -> None:
    for operand in operands:
        for axis in operand.takes:
            size = walk.plan.source[axis]
            if operand.tensor.shape:
                walk.plan.ledger.needs.extend(position_needs(operand, size, operand.shape))
            position = find_out_of_range(operand, size)
            if position is None and size == 0:
                position = 0
            if position is not None:
                words = f"index {position} is out of bounds for axis {axis} with size {size}"
                raise RaisedError(operand.item.span, "IndexError", words, axis)
