"""Writes what an element of joined tensors is: ``x[i, j] if j < 3 else y[i, j - 3]``."""

from collections.abc import Sequence

from segcli.shapes.computed import Formula, Read
from segcli.shapes.join.members import Member
from segcli.shapes.symbols import total
from segcli.shapes.values import Size

# A formula with more pieces says less than the trace.
_MAX_PIECES = 4


def cat_formula(
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


def stack_formula(
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
