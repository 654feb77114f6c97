"""What is joined, and the result of joining it, in both libraries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.parts import is_ragged
from segcli.shapes.symbols import equal, product, total
from segcli.shapes.values import Item, Listed, Pair, Parts, Run, Shape, Size, Tensor

# A formula with more pieces says less than the trace.
_MAX_PIECES = 4


@dataclass(frozen=True, slots=True)
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
    starts = [total(sizes[:place]) for place in range(len(sizes))]
    inputs, places = _inputs(members)
    steps = []
    for member, place, start, size in zip(members, places, starts, sizes, strict=True):
        effect = f"{_span_text(start, size)} of axis {axis}"
        if member.run is not None and member.count != 1:
            effect = f"{member.count} side by side: {effect}"
        steps.append(_step(call, member, place, tuple(range(len(shape))), effect))
    result = call.make(tuple(shape), dtype)
    formula = _cat_formula(members, places, axis, starts, sizes)
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
    kind = f"{member.tensor.dtype} {_shape_text(member.tensor.shape)}"
    return Step(call.stage, member.item.text, member.item.span, kind, takes, gives, effect, place)


def _shape_text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _cat_formula(
    members: Sequence[Member], places: Sequence[int], axis: int, starts: Sequence[Size], sizes: Sequence[Size]
) -> Formula | None:
    """Write ``x[i, j] if j < 3 else y[i, j - 3]``."""
    shown = [place for place in range(len(members)) if sizes[place] != 0] or [0]
    if len(shown) > _MAX_PIECES:
        return None
    reads: list[Read] = []
    bodies: list[str] = []
    for place in shown:
        letter = f"{{i{axis}}}"
        at = letter if starts[place] == 0 else f"{letter} - {_bracketed(starts[place])}"
        read = _read(members[place], places[place], axis, at)
        if read is None:
            return None
        reads.append(read)
        body = f"{{{len(reads) - 1}}}"
        end = total([starts[place], sizes[place]])
        bodies.append(f"{body} if {letter} < {end} else " if place != shown[-1] else body)
    return Formula("".join(bodies), tuple(reads))


def _bracketed(size: Size) -> str:
    return f"({size})" if isinstance(size, str) and (" " in size) else str(size)


def _read(member: Member, place: int, axis: int, at: str) -> Read | None:
    """Return the element that a member gives, at a coordinate of the joined axis that counts from its start."""
    own = {axis_of: f"{{i{number}}}" for number, axis_of in enumerate(member.axes) if axis_of is not None}
    joined = member.axes[axis]
    if member.run is None or member.parts is None:
        if joined is not None:
            own[joined] = at
        if len(own) < len(member.tensor.shape):
            # Flattened.
            return None
        return Read(place, tuple(own[number] for number in range(len(member.tensor.shape))))
    return _read_piece(member, place, axis, at, own)


def _read_piece(member: Member, place: int, axis: int, at: str, own: dict[int, str]) -> Read | None:
    """Return the element of what the pieces were cut from."""
    run, parts = member.run, member.parts
    width = member.shape[axis]
    if run is None or parts is None or parts.source is None or width == 0:
        return None
    joined = member.axes[axis]
    first, second = _divided(at, width, member.count)
    if joined is not None:
        own[joined] = second
    stride: Size = run.stride if run.stride is not None else 1 if run.width is None else run.width
    start = _affine(run.start, stride, first)
    coordinates: list[str] = []
    for number in range(len(parts.source.shape)):
        gone = run.width is None
        inside = own.get(number - (gone and number > parts.dim), "0")
        if number != parts.dim:
            coordinates.append(inside)
        else:
            coordinates.append(start if gone else _added(start, inside))
    if joined == parts.dim and run.width is not None and stride == run.width:
        # Pieces side by side are put together again.
        coordinates[parts.dim] = at if run.start == 0 else f"{run.start} + {at}"
    return Read(place + 1, tuple(coordinates))


def _divided(at: str, width: Size, count: Size) -> tuple[str, str]:
    """Return which piece a coordinate is in, and where in it."""
    if count == 1:
        return "0", at
    inner = at if at.startswith("{") and " " not in at else f"({at})"
    if width == 1:
        return at, "0"
    return f"{inner} // {_bracketed(width)}", f"{inner} % {_bracketed(width)}"


def _affine(start: Size, stride: Size, number: str) -> str:
    if number == "0" or stride == 0:
        return str(start)
    inner = number if " " not in number else f"({number})"
    scaled = number if stride == 1 else f"{_bracketed(stride)}*{inner}"
    return scaled if start == 0 else f"{start} + {scaled}"


def _added(one: str, other: str) -> str:
    return one if other == "0" else other if one == "0" else f"{one} + {other}"


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
    starts = [total([member.count for member in members[:place]]) for place in range(len(members))]
    inputs, places = _inputs(members)
    landed = tuple(number + (number >= axis) for number in range(len(inner)))
    steps = [
        _step(call, member, place, landed, f"{_span_text(start, member.count)} of the new axis {axis}")
        for member, place, start in zip(members, places, starts, strict=True)
    ]
    formula = _stack_formula(members, places, axis, starts)
    return Computed(call.make(shape, dtype), inputs, tuple(steps), formula=formula, needs=tuple(needs))


def _stack_formula(
    members: Sequence[Member], places: Sequence[int], axis: int, starts: Sequence[Size]
) -> Formula | None:
    """Write ``a[j, k] if i == 0 else b[j, k]``."""
    if len(members) > _MAX_PIECES:
        return None
    letter = f"{{i{axis}}}"
    reads: list[Read] = []
    bodies: list[str] = []
    for number, (member, place, start) in enumerate(zip(members, places, starts, strict=True)):
        read = _read_stacked(member, place, axis, letter, start)
        if read is None:
            return None
        reads.append(read)
        last = number == len(members) - 1
        end = total([start, member.count])
        single = member.count == 1 and isinstance(start, int)
        test = f"{letter} == {start}" if single else f"{letter} < {end}"
        bodies.append(f"{{{number}}}" if last else f"{{{number}}} if {test} else ")
    return Formula("".join(bodies), tuple(reads))


def _read_stacked(member: Member, place: int, axis: int, letter: str, start: Size) -> Read | None:
    own = {number: f"{{i{number + (number >= axis)}}}" for number in range(len(member.shape))}
    if member.run is None or member.parts is None:
        return Read(place, tuple(own[number] for number in range(len(member.shape))))
    run, parts = member.run, member.parts
    if parts.source is None:
        return None
    stride: Size = run.stride if run.stride is not None else 1 if run.width is None else run.width
    at = letter if start == 0 else f"{letter} - {_bracketed(start)}"
    first = _affine(run.start, stride, "0" if member.count == 1 else at)
    coordinates = []
    for number in range(len(parts.source.shape)):
        gone = run.width is None
        if number == parts.dim:
            coordinates.append(first if gone else _added(first, own[number]))
        else:
            coordinates.append(own[number - (gone and number > parts.dim)])
    return Read(place + 1, tuple(coordinates))
