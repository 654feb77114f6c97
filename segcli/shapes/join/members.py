"""What is joined: single tensors, and pieces that one operation returned."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.parts import is_ragged
from segcli.shapes.records import record
from segcli.shapes.symbols import equal
from segcli.shapes.values import Item, Listed, Pair, Parts, Run, Shape, Size, Tensor


@record(frozen=True, slots=True)
class Member:
    """Tensors that are joined, all alike: one, or pieces that one operation returned.

    Attributes:
        item: One of them, or what they are pieces of.
        shape: Its shape in the join: with axes of size 1 where it had too few.
        tensor: It itself.
        count: How many there are.
        run: Where they were cut from ``parts``.
        parts: The pieces that they are among.
        axes: For each axis of ``shape``, which of the tensor's own it is; None for a new one.
    """

    item: Item
    shape: Shape
    tensor: Tensor
    count: Size = 1
    run: Run | None = None
    parts: Parts | None = None
    axes: tuple[int | None, ...] = ()


def member_of(item: Item, tensor: Tensor) -> Member:
    """Return a single tensor as it is."""
    return Member(item, tensor.shape, tensor, axes=tuple(range(len(tensor.shape))))


def read_members(item: Item) -> list[Member]:
    """Return the tensors of a list, of a pair, or of the pieces that an operation returned.

    Raises:
        SegcliError: For pieces of which the last may be smaller by a size that is not known.
    """
    value = item.value
    if isinstance(value, Listed):
        return [member_of(each, each.value) for each in value.items if isinstance(each.value, Tensor)]
    if isinstance(value, Pair):
        named = ((f"{item.text}[0]", value.values), (f"{item.text}[1]", value.indices))
        return [member_of(Item(replace(tensor, text=text), text, item.span), tensor) for text, tensor in named]
    # Nothing else passes for several tensors.
    parts = cast("Parts", value)
    for run in parts.runs:
        if parts.source is not None and is_ragged(run, parts.source.shape[parts.dim]):
            message = f"the last tensor of {item.text} may be smaller than the others"
            raise SegcliError(message, hint="give its size a number, or cut into pieces of equal size")
    return [_piece(item, run, parts) for run in parts.runs]


def _piece(item: Item, run: Run, parts: Parts) -> Member:
    axes = tuple(range(len(run.tensor.shape)))
    return Member(item, run.tensor.shape, run.tensor, run.count, run, parts, axes)


def widened(member: Member, least: int) -> Member:
    """Put axes of size 1 to a tensor with too few, where ``atleast_1d``, ``_2d`` and ``_3d`` put them.

    Examples:
        >>> x = Tensor((5,), "float32", "x")
        >>> [widened(member_of(Item(x, "x", (0, 1)), x), least).shape for least in (1, 2, 3)]
        [(5,), (1, 5), (1, 5, 1)]
    """
    shape, axes = member.shape, member.axes
    if len(shape) == 0 and least:
        shape, axes = (1,) * least, (None,) * least
    elif len(shape) == 1 and least > 1:
        after = least - 2
        shape, axes = (1, *shape, *(1,) * after), (None, *axes, *(None,) * after)
    elif len(shape) == 2 and least > 2:  # noqa: PLR2004 - a third axis
        shape, axes = (*shape, 1), (*axes, None)
    return replace(member, shape=shape, axes=axes)


def check_sizes(first: Shape, other: Shape, axis: int, needs: list[str]) -> int | None:
    """Return the axis where two shapes differ, None where there is none; but for one axis they should be equal.

    Sizes that are not known are taken to be equal, which is added to ``needs``.
    """
    for place, (size, found) in enumerate(zip(first, other, strict=True)):
        if place == axis or size == found:
            continue
        if isinstance(size, int) and isinstance(found, int):
            return place
        needs.append(equal(size, found))
    return None


def common_shape(members: Sequence[Member], axis: int) -> Shape:
    """Return the shape of the joined tensors, where that is known of any; along the axis it is the first one's."""
    first = list(members[0].shape)
    for member in members[1:]:
        for place, size in enumerate(member.shape):
            if place != axis and isinstance(first[place], str) and isinstance(size, int):
                first[place] = size
    return tuple(first)
