"""Finds the place that an assignment writes to, and defers errors at which a library looks only after the value."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from segcli.shapes.indexing import Indexing
from segcli.shapes.select.looking import with_size
from segcli.shapes.values import INTEGER, Item, Listed, RaisedError, Tensor, Value

_INT64 = 2.0**63


def find_region(
    rule: Callable[[Tensor, Item, int], Indexing],
    target: Tensor,
    index: Item,
    stage: int,
    *,
    masks: Sequence[str],
    tuples: Callable[[Listed], bool],
    late: Callable[[RaisedError], bool] | None = None,
) -> tuple[Indexing, RaisedError | None]:
    """Return the place that an index names.

    Args:
        rule: A library's indexing.
        target: What is indexed.
        index: The index.
        stage: Which operation of the expression this is.
        masks: The dtypes that are masks, and not positions.
        tuples: Tells whether the whole index is a tuple of several, and not one of them.
        late: Tells of an error of an axis that has no positions at all whether the library looks at the value first.

    Returns:
        The place; and an error of positions out of range, at which both libraries look after the value.

    Raises:
        RaisedError: Any other error of the index.
    """
    try:
        return rule(target, index, stage), None
    except RaisedError as error:
        try:
            return rule(target, _in_range(index, masks, tuples), stage), error
        except RaisedError as other:
            if late is None or other.axis is None or target.shape[other.axis] != 0 or not late(other):
                raise error from None
            # As if the axis that has no position had one: it is not in the result.
            longer = replace(target, shape=with_size(target.shape, other.axis, 1))
            return find_region(rule, longer, index, stage, masks=masks, tuples=tuples, late=late)[0], error


def _in_range(index: Item, masks: Sequence[str], tuples: Callable[[Listed], bool] | None = None) -> Item:
    """Return an index with positions that every axis has."""
    value = index.value
    if isinstance(value, Tensor) and value.shape and value.dtype in INTEGER and value.dtype not in masks:
        return replace(index, value=replace(value, values=None))
    if not isinstance(value, Listed):
        return index
    if tuples is not None and tuples(value):
        return replace(index, value=replace(value, items=tuple(_in_range(item, masks) for item in value.items)))
    return index if _is_mask(value, masks) else replace(index, value=_zeros(value))


def _is_mask(value: Value, masks: Sequence[str]) -> bool:
    if isinstance(value, Listed):
        return all(_is_mask(item.value, masks) for item in value.items)
    return isinstance(value, bool) or (isinstance(value, Tensor) and value.dtype in masks)


def _zeros(value: Listed) -> Listed:
    return replace(value, items=tuple(replace(item, value=_zero(item.value)) for item in value.items))


def _zero(value: Value) -> Value:
    """Return 0 for a number, as far as a library reads it; what it does not read stays."""
    match value:
        case Listed():
            return _zeros(value)
        case int():
            return 0
        case float():
            return 0.0 if abs(value) < _INT64 else value
        case Tensor() if value.dtype in ("bool", *INTEGER):
            return replace(value, values=None)
        case _:
            return value
