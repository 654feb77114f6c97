"""The result of joining tensors, in both libraries."""

from collections.abc import Sequence

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.join.joined_formula import cat_formula, stack_formula
from segcli.shapes.join.members import Member, common_shape
from segcli.shapes.symbols import product, starts_of, total
from segcli.shapes.values import Item, Size, format_sizes


def join(
    call: Call,
    members: Sequence[Member],
    axis: int,
    dtype: str,
    *,
    needs: Sequence[str] = (),
    notes: tuple[str, ...] = (),
    rules: frozenset[str] = frozenset(),
) -> Computed:
    """Return the tensors one after the other along an axis.

    Args:
        call: The operation.
        members: The tensors, whose shapes fit.
        axis: The axis.
        dtype: The result's dtype.
        needs: What must hold of sizes that are not known.
        notes: What a reader should know.
        rules: The rules at work that the libraries do not share.
    """
    sizes = [product([member.count, member.shape[axis]]) for member in members]
    shape = list(common_shape(members, axis))
    shape[axis] = total(sizes)
    starts = starts_of(sizes)
    inputs, places = _inputs(members)
    steps = []
    for member, place, start, size in zip(members, places, starts, sizes, strict=True):
        effect = f"{_span_text(start, size)} of axis {axis}"
        if member.run is not None and member.count != 1:
            effect = f"{member.count} side by side: {effect}"
        steps.append(_step(call, member, place, tuple(range(len(shape))), effect))
    result = call.make(tuple(shape), dtype)
    formula = cat_formula(members, places, axis, starts, sizes)
    return Computed(result, inputs, tuple(steps), formula=formula, needs=tuple(needs), notes=notes, rules=rules)


def _span_text(start: Size, size: Size) -> str:
    if isinstance(start, int) and isinstance(size, int):
        if size == 1:
            return f"position {start}"
        return f"positions {start} to {start + size - 1}" if size else "no position"
    return f"{size} positions from {start} on"


def _inputs(members: Sequence[Member]) -> tuple[tuple[Item, ...], list[int]]:
    """Return the inputs, each with what it is cut from behind it, and the place of each member's among them."""
    inputs: list[Item] = []
    places: list[int] = []
    for member in members:
        again = places and inputs[places[-1]] is member.item and member.run is not None
        if again:
            places.append(places[-1])
            continue
        places.append(len(inputs))
        inputs.append(member.item)
        if member.parts is not None and member.parts.source is not None:
            source = member.parts.source
            inputs.append(Item(source, source.text, member.item.span))
    return tuple(inputs), places


def _step(call: Call, member: Member, place: int, landed: Sequence[int], effect: str) -> Step:
    own = [(axis, landed[at]) for at, axis in enumerate(member.axes) if axis is not None]
    takes, gives = tuple(axis for axis, _ in own), tuple(axis for _, axis in own)
    if member.run is not None and member.parts is not None and not member.parts.runs[0].tensor.shape:
        takes, gives = (), ()
    kind = f"{member.tensor.dtype} {format_sizes(member.tensor.shape)}"
    return Step(call.stage, member.item.text, member.item.span, kind, takes, gives, effect, place)


def stacked(call: Call, members: Sequence[Member], axis: int, dtype: str, needs: Sequence[str]) -> Computed:
    """Return the tensors along a new axis.

    Args:
        call: The operation.
        members: The tensors, all of one shape.
        axis: Where the new axis stands.
        dtype: The result's dtype.
        needs: What must hold of sizes that are not known.
    """
    inner = common_shape(members, -1)
    count = total([member.count for member in members])
    shape = (*inner[:axis], count, *inner[axis:])
    starts = starts_of([member.count for member in members])
    inputs, places = _inputs(members)
    landed = tuple(number + (number >= axis) for number in range(len(inner)))
    steps = [
        _step(call, member, place, landed, f"{_span_text(start, member.count)} of the new axis {axis}")
        for member, place, start in zip(members, places, starts, strict=True)
    ]
    formula = stack_formula(members, places, axis, starts)
    return Computed(call.make(shape, dtype), inputs, tuple(steps), formula=formula, needs=tuple(needs))
