"""NumPy's operations that repeat, roll and reverse positions (NumPy 2.4)."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite, isnan

from segcli.shapes.arrange.spreading import added_up, flipped, interleaved, rolled, tiled
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.dims import bind_numpy, gathered, numpy_axes, numpy_axis
from segcli.shapes.indexing import Indexing
from segcli.shapes.integers import listed, numpy_int, size_of
from segcli.shapes.symbols import product
from segcli.shapes.values import (
    INTEGER,
    Item,
    Listed,
    RaisedError,
    Size,
    Span,
    Tensor,
    type_name,
)

_AXIS_NAMES = {"dims": "axis", "dim": "axis", "shifts": "shift"}


def repeat(call: Call) -> Computed:
    """Repeat each position beside itself, as ``x.repeat`` and ``np.repeat`` do."""
    if call.name == "repeat" and len(call.arguments) > 3:  # noqa: PLR2004 - the array, repeats and axis
        words = f"repeat() takes at most 2 arguments ({len(call.arguments) - 1} given)"
        raise RaisedError(call.span, "TypeError", words)
    if call.name == "repeat" and len(call.arguments) == 1:
        raise RaisedError(call.span, "TypeError", "repeat() missing required argument 'repeats' (pos 1)")
    item, source, bound = bind_numpy(call, "repeat", "a, repeats, axis=None", {"dim": "axis"})
    repeats, given = bound["repeats"], bound.get("axis")
    axis: int | None = None
    if given is not None and given.value is not None:
        raw = numpy_int(given.item, words="an integer is required for the axis", bools=False)
        axis = numpy_axis(raw, max(len(source.shape), 1), given.item.span)
    if not source.shape:
        axis = None
    size = product(source.shape) if axis is None else source.shape[axis]
    counts = _counts(repeats.item)
    if isinstance(counts, Tensor):
        several = counts.shape[0] if counts.shape else 1
        if several not in (1, size) and isinstance(several, int) and isinstance(size, int):
            words = f"operands could not be broadcast together with shape ({size},) ({several},)"
            raise RaisedError(repeats.item.span, "ValueError", words, axis)
        if several != 1:
            _refuse_negative(counts, repeats.item.span)
        made = added_up(counts) if several != 1 else product([size, added_up(counts)])
        _check_size(made, repeats.item.span)
        return interleaved(call, item, source, axis, made, replace(repeats, item=replace(repeats.item, value=counts)))
    _check_size(product([size, counts]), repeats.item.span)
    return interleaved(call, item, source, axis, product([size, counts]), counts)


def _counts(item: Item) -> Size | Tensor:
    """Read how often each position is repeated: one number, or an array of a number for each."""
    value = item.value
    if isinstance(value, Tensor) and len(value.shape) > 1:
        raise RaisedError(item.span, "ValueError", "object too deep for desired array")
    if isinstance(value, Tensor):
        if value.dtype not in ("bool", *INTEGER):
            words = f"Cannot cast array data from dtype('{value.dtype}') to dtype('int64') according to the rule 'safe'"
            raise RaisedError(item.span, "TypeError", words)
        return value
    if isinstance(value, Listed):
        sizes = [_whole(each) for each in value.items]
        known = tuple(size for size in sizes if isinstance(size, int))
        return Tensor((len(sizes),), "int64", item.text, known if len(known) == len(sizes) else None)
    return _whole(item)


def _whole(item: Item) -> Size:
    """Read a number, which may be a float here."""
    if isinstance(item.value, float):
        if not isfinite(item.value):
            kind = "NaN" if isnan(item.value) else "infinity"
            error = "ValueError" if isnan(item.value) else "OverflowError"
            raise RaisedError(item.span, error, f"cannot convert float {kind} to integer")
        return int(item.value)
    if isinstance(item.value, str):
        raise RaisedError(item.span, "ValueError", f"invalid literal for int() with base 10: '{item.value}'")
    size = size_of(item.value)
    if size is None:
        words = f"int() argument must be a string, a bytes-like object or a real number, not '{type_name(item.value)}'"
        raise RaisedError(item.span, "TypeError", words)
    return size


def _refuse_negative(counts: Tensor, span: Span) -> None:
    if any(value < 0 for value in counts.values or ()):
        raise RaisedError(span, "ValueError", "repeats may not contain negative values.")


def _check_size(size: Size, span: Span) -> None:
    if isinstance(size, int) and size < 0:
        raise RaisedError(span, "ValueError", "negative dimensions are not allowed")


def tile(call: Call) -> Computed:
    """Put copies side by side, as ``np.tile`` does."""
    item, source, bound = bind_numpy(gathered(call), "tile", "A, reps", {"dims": "reps"})
    given = bound["reps"].item
    counts = [_times(each) for each in listed(given)]
    ones: list[Size] = [1] * (len(source.shape) - len(counts))
    counts = [*ones, *counts]
    own = [*(1 for _ in range(len(counts) - len(source.shape))), *source.shape]
    if any(isinstance(size, int) and size < 0 for size in map(product, zip(own, counts, strict=True))):
        raise RaisedError(given.span, "ValueError", "negative dimensions are not allowed")
    done = tiled(call, item, source, counts)
    # An array without elements is only given another shape.
    return replace(done, view=0 in source.shape and set(counts) != {1})


def _times(item: Item) -> Size:
    if item.value is None:
        raise RaisedError(item.span, "TypeError", "unsupported operand type(s) for *: 'int' and 'NoneType'")
    if isinstance(item.value, float) and item.value == 1:
        return 1
    size = size_of(item.value)
    return size if isinstance(size, str) else numpy_int(item)


def roll(call: Call) -> Computed:
    """Move positions on, as ``np.roll`` does."""
    item, source, bound = bind_numpy(call, "roll", "a, shift, axis=None", _AXIS_NAMES)
    shift, given = bound["shift"], bound.get("axis")
    shifts = [_whole(each) for each in listed(shift.item)]
    if given is None or given.value is None:
        total: Size = shifts[0] if len(shifts) == 1 else f"sum({shift.item.text})"
        return rolled(call, item, source, None, sum(map(int, shifts)) if _all_known(shifts) else total)
    axes = numpy_axes(given.item, len(source.shape), repeated="")
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        words = (
            "shape mismatch: objects cannot be broadcast to a single shape.  Mismatch is between arg 0 with shape "
            f"({len(shifts)},) and arg 1 with shape ({len(axes)},)."
        )
        raise RaisedError(shift.item.span, "ValueError", words)
    if not source.shape:
        # No axis is left that is none too many.
        raise RaisedError(given.item.span, "ValueError", "not enough values to unpack (expected 2, got 0)")
    count = min(len(shifts), len(axes)) and max(len(shifts), len(axes))
    moves = [(axes[place % len(axes)], shifts[place % len(shifts)]) for place in range(count)]
    return rolled(call, item, source, moves)


def _all_known(sizes: Sequence[Size]) -> bool:
    return all(isinstance(size, int) for size in sizes)


def flip(call: Call) -> Indexing:
    """Look at axes from their end to their front, as ``np.flip`` does."""
    _, source, bound = bind_numpy(gathered(call), "flip", "m, axis=None", _AXIS_NAMES)
    ndim = len(source.shape)
    given = bound.get("axis")
    axes = list(range(ndim)) if given is None or given.value is None else numpy_axes(given.item, ndim)
    done = flipped(call, source, axes)
    return replace(done, scalar=True, view=False) if not ndim else done
