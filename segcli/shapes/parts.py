"""Pieces of a tensor along one axis, as ``split`` and its like return them, alike ones counted and not listed."""

from collections.abc import Sequence
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step, slice_size
from segcli.shapes.symbols import divides, quotient, starts_of, total
from segcli.shapes.values import Item, Labels, Parts, Run, Shape, Size, SliceBounds, Tensor

# Of more pieces of an axis whose size is not known, each with a size of its own, nobody wants a list.
_MAX_SYMBOLIC = 32


def runs_of(call: Call, source: Tensor, axis: int, pieces: Sequence[tuple[Size, Size, Size | None]]) -> tuple[Run, ...]:
    """Return pieces as runs of those that are alike.

    Args:
        call: What cuts.
        source: What is cut.
        axis: Along which axis.
        pieces: How many, where the first begins, and how wide each is; None for a position whose axis is gone.
    """
    runs: list[Run] = []
    place: Size = 0
    for count, start, width in pieces:
        last = runs[-1] if runs else None
        if last and isinstance(count, int) and isinstance(last.count, int) and _goes_on(last, start, width):
            runs[-1] = Run(last.count + count, last.tensor, last.start, width)
        elif count != 0:
            runs.append(Run(count, _piece(call, source, axis, width, place), start, width))
        place = total([place, count])
    return tuple(runs)


def _goes_on(run: Run, start: Size, width: Size | None) -> bool:
    """Tell whether a piece is like those of a run, and begins where they end."""
    known = isinstance(run.start, int) and isinstance(start, int) and isinstance(run.count, int)
    if not known or not isinstance(width, int) or run.width != width:
        return False
    return int(run.start) + int(run.count) * width == start


def _piece(call: Call, source: Tensor, axis: int, width: Size | None, place: Size) -> Tensor:
    kept: Shape = () if width is None else (width,)
    labels: Labels = source.labels
    if labels and width is None:
        labels = labels[:axis] + labels[axis + 1 :]
    shape = (*source.shape[:axis], *kept, *source.shape[axis + 1 :])
    return Tensor(shape, source.dtype, f"{call.result_text}[{place}]", labels=labels)


def cut(
    call: Call,
    item: Item,
    axis: int,
    runs: tuple[Run, ...],
    effect: str,
    *,
    is_tuple: bool = True,
    notes: tuple[str, ...] = (),
) -> Computed:
    """Return what an operation gives that cuts a tensor along an axis.

    Args:
        call: The operation.
        item: The tensor.
        axis: The axis.
        runs: The pieces.
        effect: What it does, in words.
        is_tuple: False for a list.
        notes: What a reader should know.
    """
    source = cast("Tensor", item.value)
    gone = not runs or runs[0].width is None
    steps = [Step(call.stage, call.text, call.span, call.name, (axis,), () if gone else (axis,), effect)]
    rest = tuple(other for other in range(len(source.shape)) if other != axis)
    if rest and runs:
        landed = tuple(other - (gone and other > axis) for other in rest)
        steps.append(Step(call.stage, "", (0, 0), "not cut", rest, landed, "kept"))
    parts = Parts(runs, call.name, source, axis, is_tuple)
    return Computed(parts, (item,), tuple(steps), view=True, notes=notes)


def cut_evenly(call: Call, item: Item, axis: int, sections: int, *, is_tuple: bool = True) -> Computed:
    """Cut an axis into as many pieces as asked for, the first ones one position wider where they do not come out even.

    Raises:
        SegcliError: For many pieces of an axis whose size is not known.
    """
    source = cast("Tensor", item.value)
    size = source.shape[axis]
    each = quotient(size, sections)
    pieces: list[tuple[Size, Size, Size | None]]
    if isinstance(size, int):
        width, wider = divmod(size, sections)
        pieces = [(wider, 0, width + 1), (sections - wider, wider * (width + 1), width)]
        effect = f"{size} // {sections} = {width} positions each"
        if wider:
            effect += f", the first {wider} one more" if wider > 1 else ", the first one more"
    elif divides(sections, size):
        pieces = [(sections, 0, each)]
        effect = f"{each} positions each"
    else:
        if sections > _MAX_SYMBOLIC:
            message = f"{sections} pieces of {size} positions, of which the first are wider, are too many to list"
            raise SegcliError(message, hint=f"give {size} a number")
        widths = [quotient(total([size, sections - 1 - place]), sections) for place in range(sections)]
        pieces = [(1, start, width) for start, width in zip(starts_of(widths), widths, strict=True)]
        effect = f"{each} positions each, the first {size} % {sections} one more"
    runs = runs_of(call, source, axis, pieces)
    return cut(call, item, axis, runs, f"{effect}: {pieces_text(runs, size)}", is_tuple=is_tuple)


def cut_at(call: Call, item: Item, axis: int, points: Sequence[int | None], *, is_tuple: bool = True) -> Computed:
    """Cut an axis at positions, as slices do: ``x[:2]``, ``x[2:5]``, ``x[5:]``."""
    source = cast("Tensor", item.value)
    bounds = [SliceBounds(*pair) for pair in zip([None, *points], [*points, None], strict=True)]
    pieces: list[tuple[Size, Size, Size | None]] = []
    for each in bounds:
        width, start, _ = slice_size(each, source.shape[axis])
        # It is None only where a slice steps backwards.
        pieces.append((1, start or 0, width))
    effect = "pieces " + ", ".join(map(str, bounds)) if len(bounds) <= 4 else f"{len(bounds)} pieces"  # noqa: PLR2004 - what fits a line
    return cut(call, item, axis, runs_of(call, source, axis, pieces), effect, is_tuple=is_tuple)


def known_values(item: Item, value: Tensor) -> list[int]:
    """Return the elements of a tensor of cut points."""
    if value.values is None and 0 not in value.shape:
        message = f"the values of {item.text} are not known, and the sizes of the pieces need them"
        raise SegcliError(message, hint=f"bind {item.text} to a literal, such as {item.text}=[2,5]")
    return [int(each) for each in value.values or ()]


def pieces_text(runs: Sequence[Run], size: Size) -> str:
    """List the pieces that an axis is cut into, ``2 of 4, 1 of 2``."""
    shown = [f"{run.count} of {run.width}" for run in runs]
    if any(is_ragged(run, size) for run in runs):
        shown.append("the last may be narrower")
    return ", ".join(shown)


def is_ragged(run: Run, size: Size) -> bool:
    """Tell whether the last of some pieces of an axis of a size that is not known may be narrower than the others."""
    return run.width is not None and isinstance(run.count, str) and not divides(run.width, size)
