"""Picks a tensor from several: from the pair that ``max(dim)`` returns, or from the tuple that ``split`` returns."""

import re
from dataclasses import replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.finish import finish_indexing, note
from segcli.shapes.indexing import Access, Along, Fixed, Indexing, Step
from segcli.shapes.parts import is_ragged
from segcli.shapes.stages import Evaluation, Stage
from segcli.shapes.symbols import at_least, capped, difference, lessened, product, slice_symbol, total
from segcli.shapes.text.nodes import Node
from segcli.shapes.text.scan import refusal
from segcli.shapes.values import (
    INTEGER,
    Item,
    Pair,
    Parts,
    RaisedError,
    Run,
    Size,
    SliceBounds,
    Span,
    Symbol,
    Tensor,
    Value,
    type_name,
)

_UNKNOWN = "which tensor is picked hangs on the value of {}, which is not known"


def pick(state: Evaluation, node: Node, base: Item, index: Item) -> Value:
    """Index a pair, or a tuple of tensors.

    Args:
        state: Where the walk stands.
        node: The subscript.
        base: What is indexed.
        index: The index.

    Raises:
        RaisedError: As Python would raise.
        SegcliError: For a slice of a pair, and for what hangs on numbers that are not known.
    """
    several = base.value
    kind = "list" if isinstance(several, Parts) and not several.is_tuple else "tuple"
    position = _position(index, kind, state.library.name)
    if isinstance(several, Parts):
        if isinstance(position, SliceBounds):
            return _sliced(state, several, position, index)
        return _part(state, node, base, several, position, index)
    if isinstance(position, SliceBounds):
        name = several.function if isinstance(several, Pair) else ""
        words = f"{name}(dim) returns two tensors: pick one with [0] or [1]"
        raise refusal(state.expr, index.span, words)
    if isinstance(position, str):
        raise refusal(state.expr, index.span, _UNKNOWN.format(index.text))
    if not -2 <= position < 2:  # noqa: PLR2004 - a pair
        raise RaisedError(index.span, "IndexError", "tuple index out of range")
    return pick_member(state, node, base, "indices" if position % 2 else "values")


def pick_member(state: Evaluation, node: Node, base: Item, member: str) -> Tensor:
    """Take ``values`` or ``indices`` of a pair."""
    pair = cast("Pair", base.value)
    text = state.text(node)
    result = replace(pair.values if member == "values" else pair.indices, text=text)
    note(state, Stage(text, (state.input(base.text, pair),), member, result))
    return result


def _position(index: Item, kind: str, library: str) -> int | str | SliceBounds:
    """Return the position that is picked, a text where it is not known, or a slice."""
    value = index.value
    match value:
        case Tensor():
            return _held(index, value, library)
        case Symbol():
            return index.text
        case int():
            return int(value)
        case SliceBounds(step=0):
            raise RaisedError(index.span, "ValueError", "slice step cannot be zero")
        case SliceBounds(start, stop):
            if isinstance(start, str) or isinstance(stop, str):
                message = f"which tensors [{index.text}] picks hangs on sizes that are not known"
                raise SegcliError(message, hint="give the sizes numbers")
            return value
        case _:
            words = f"{kind} indices must be integers or slices, not {type_name(value)}"
            raise RaisedError(index.span, "TypeError", words)


def _held(index: Item, value: Tensor, library: str) -> int | str:
    """Return the position that a tensor holds: PyTorch takes one of a single element, NumPy a 0-d one alone."""
    if library == "numpy":
        fits = not value.shape and value.dtype in INTEGER
        words = "only integer scalar arrays can be converted to a scalar index"
    else:
        fits = not set(value.shape) - {1} and value.dtype in ("bool", *INTEGER)
        words = "only integer tensors of a single element can be converted to an index"
    if not fits:
        raise RaisedError(index.span, "TypeError", words)
    return index.text if value.values is None else int(value.values[0])


def _sliced(state: Evaluation, several: Parts, bounds: SliceBounds, index: Item) -> Parts:
    """Return some of several tensors."""
    count = several.count
    if isinstance(count, int):
        return replace(several, runs=_sliced_runs(several.runs, range(count)[_slice(bounds)]))
    (run,) = several.runs
    left, first, _ = slice_symbol(bounds, count)
    if first is None or several.source is None:
        message = f"how many tensors {several.function}() returns is not known: pick one by its number"
        raise refusal(state.expr, index.span, message)
    if left == 0:
        return replace(several, runs=())
    start = _start(run, first)
    stride = product([_stride(run), bounds.step or 1])
    shape = _shape(several, run, start, last=False)
    run = replace(run, count=left, tensor=replace(run.tensor, shape=shape), start=start, stride=stride)
    return replace(several, runs=(run,))


def _slice(bounds: SliceBounds) -> slice:
    # Those that are not known are refused before.
    return slice(cast("int | None", bounds.start), cast("int | None", bounds.stop), bounds.step)


def _sliced_runs(runs: tuple[Run, ...], positions: range) -> tuple[Run, ...]:
    """Return what a slice leaves of each run, in the order in which the slice walks."""
    upwards = positions if positions.step > 0 else positions[::-1]
    left: list[Run] = []
    before = 0
    for run in runs:
        inside = upwards[_reached(upwards, before) : _reached(upwards, before + int(run.count))]
        before += int(run.count)
        if positions.step < 0:
            inside = inside[::-1]
        if inside:
            start = _start(run, inside[0] - before + int(run.count))
            stride = product([_stride(run), inside.step])
            left.append(replace(run, count=len(inside), start=start, stride=stride))
    return tuple(left if positions.step > 0 else left[::-1])


def _reached(positions: range, bound: int) -> int:
    """Return how many of some rising positions lie below a bound."""
    return min(max(-((positions.start - bound) // positions.step), 0), len(positions))


def _stride(run: Run) -> Size:
    if run.stride is not None:
        return run.stride
    return 1 if run.width is None else run.width


def _start(run: Run, number: Size) -> Size:
    """Return where a piece begins."""
    step = _stride(run)
    ahead = number if step == 1 else product([number, step])
    return ahead if run.start == 0 else total([run.start, ahead])


def _from_end(run: Run, at: int) -> Size:
    """Return where a piece begins that is counted from the end."""
    if run.start == 0 and run.stride is None and run.width not in (None, 1):
        return f"{run.width if isinstance(run.width, int) else _grouped(str(run.width))}*({run.count} - {-at})"
    return _start(run, total([run.count, at]))


def _shape(several: Parts, run: Run, start: Size, *, last: bool) -> tuple[Size, ...]:
    """Return the shape of the piece that begins at a position; the axis may end before it does."""
    shape, dim, source = run.tensor.shape, several.dim, several.source
    if source is None or run.width is None or not is_ragged(run, source.shape[dim]):
        return shape
    size, width = source.shape[dim], run.width
    left = difference(size, start)
    if last:
        width = left
    elif isinstance(width, int) and isinstance(start, int):
        width = capped(lessened(size, start), width)
    else:
        width = capped(left, width)
    return (*shape[:dim], width, *shape[dim + 1 :])


def _part(state: Evaluation, node: Node, base: Item, several: Parts, position: int | str, index: Item) -> Tensor:
    if isinstance(position, str):
        run, number = _uniform(state, several, index), _grouped(position)
        start, last = _start(run, number), False
    else:
        run, at = _find(several, position, index.span)
        if isinstance(run.count, str):
            state.needs.append(at_least(run.count, -position if position < 0 else position + 1))
        start = _start(run, at) if at >= 0 else _from_end(run, at)
        last = at == -1 and run.stride is None
    text = state.text(node)
    if several.source is None:
        result = replace(run.tensor, text=text)
        note(state, Stage(text, (state.input(base.text, several),), f"[{position}]", result))
        return result
    shape = _shape(several, run, start, last=last)
    done = _cut(several, run, start, shape, len(state.stages), index)
    return finish_indexing(state, state.input(several.source.text, several.source), done, text)


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"\w+|(\w+\*)?(ceil)?\([^()]*(\([^()]*\))?[^()]*\)", text) else f"({text})"


def _uniform(state: Evaluation, several: Parts, index: Item) -> Run:
    """Return the only run, where all pieces are alike; else a position must be known."""
    run = several.runs[0] if len(several.runs) == 1 else None
    if run is None or several.source is None or is_ragged(run, several.source.shape[several.dim]):
        raise refusal(state.expr, index.span, _UNKNOWN.format(index.text))
    return run


def _find(several: Parts, position: int, span: Span) -> tuple[Run, int]:
    """Return the run of a position and its number in that run; below 0 where the run's length is not known."""
    count = several.count
    if isinstance(count, str):
        return several.runs[0], position
    if not -count <= position < count:
        kind = "tuple" if several.is_tuple else "list"
        raise RaisedError(span, "IndexError", f"{kind} index out of range")
    number = position % count
    place = 0
    while number >= int(several.runs[place].count):
        number -= int(several.runs[place].count)
        place += 1
    return several.runs[place], number


def _cut(several: Parts, run: Run, start: Size, shape: tuple[Size, ...], stage: int, index: Item) -> Indexing:
    """Return the piece as what an index gives: a position whose axis is gone, or a slice."""
    dim, ndim = several.dim, len(shape) + (run.width is None)
    size = several.source.shape[dim] if several.source else 0
    accesses: list[Access] = []
    for axis in range(ndim):
        if axis == dim and run.width is None:
            accesses.append(Fixed(start))
        elif axis == dim:
            accesses.append(Along(axis, start, 1, shape[dim] == size))
        else:
            accesses.append(Along(axis - (axis > dim and run.width is None), 0, 1, whole=True))
    gives = () if run.width is None else (dim,)
    what = f"position {start}" if run.width is None else f"{shape[dim]} positions from {start} on"
    steps = [Step(stage, f"[{index.text}]", index.span, "piece", (dim,), gives, what)]
    rest = tuple(axis for axis in range(ndim) if axis != dim)
    if rest:
        landed = tuple(axis - (axis > dim and run.width is None) for axis in rest)
        steps.append(Step(stage, "", (0, 0), "not cut", rest, landed, "kept"))
    scalar = run.tensor.scalar
    return Indexing(shape, view=not scalar, accesses=tuple(accesses), steps=tuple(steps), scalar=scalar)
