"""Operations that repeat, roll and reverse positions: PyTorch 2.13's. NumPy's own are in ``numpy_repeating``."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.arrange import numpy_repeating
from segcli.shapes.arrange.spreading import added_up, flipped, interleaved, rolled, tiled
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import bind, both, tensor_in, wrap, wrap_all
from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.integers import dims_in, read_int, size_of, sizes_in, spans
from segcli.shapes.kinds import SCALARS
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import equal, product
from segcli.shapes.values import Item, RaisedError, Size, Span, Tensor, format_sizes

_REPEAT = both("sizes repeats")
_TILE = both("sizes dims")
_ROLL = both("ints shifts, ints? dims=")
_FLIP = both("sizes dims")
_INTERLEAVE = ("Tensor repeats, int? dim=, *, int? output_size=", "int repeats, int? dim=, *, int? output_size=")
_REPEAT_INTERLEAVE = Signatures(
    _INTERLEAVE,
    ("Tensor repeats, *, int? output_size=", *(f"Tensor input, {text}" for text in _INTERLEAVE)),
)
_COUNTS = ("int32", "int64")


def _repeat(call: Call) -> Computed:
    item, source, bound = bind(call, _REPEAT)
    given = bound["repeats"]
    counts = sizes_in(call.name, "repeats", given)
    if len(counts) < len(source.shape):
        words = "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        raise RaisedError(given.item.span, "RuntimeError", words)
    _check_counts(source, given, counts)
    return replace(tiled(call, item, source, counts), rules=frozenset({"repeat-tiles"}))


def _tile(call: Call) -> Computed:
    item, source, bound = bind(call, _TILE)
    given = bound["dims"]
    counts = sizes_in(call.name, "dims", given)
    ones: list[Size] = [1] * (len(source.shape) - len(counts))
    _check_counts(source, given, [*ones, *counts])
    return tiled(call, item, source, [*ones, *counts])


def _check_counts(source: Tensor, given: Given, counts: Sequence[Size]) -> None:
    """Refuse a negative size."""
    own = (*(1 for _ in range(len(counts) - len(source.shape))), *source.shape)
    shape = tuple(product(pair) for pair in zip(own, counts, strict=True))
    negative = [size for size in shape if isinstance(size, int) and size < 0]
    if negative:
        shown = format_sizes(shape, opening="[", closing="]")
        words = f"Trying to create tensor with negative dimension {negative[0]}: {shown}"
        raise RaisedError(given.item.span, "RuntimeError", words)


def _roll(call: Call) -> Computed:
    item, source, bound = bind(call, _ROLL)
    given = bound.get("dims")
    dims = [] if given is None or given.value is None else dims_in(call.name, "dims", given)
    shifts = sizes_in(call.name, "shifts", bound["shifts"])
    if not shifts:
        raise RaisedError(bound["shifts"].item.span, "RuntimeError", "`shifts` required")
    if not dims and len(shifts) == 1:
        return rolled(call, item, source, None, shifts[0])
    if len(shifts) != len(dims) or given is None:
        words = f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        raise RaisedError(bound["shifts"].item.span, "RuntimeError", words)
    moves: list[tuple[int, Size]] = []
    if product(source.shape) == 0:
        # Nothing is rolled, and the dims not looked at.
        return rolled(call, item, source, moves)
    for shift, dim, span in zip(shifts, dims, spans(given), strict=True):
        if not source.shape:
            words = f"Dimension specified as {dim} but tensor has no dimensions"
            raise RaisedError(span, "IndexError", words)
        moves.append((wrap(dim, len(source.shape), span), shift))
    return rolled(call, item, source, moves)


def _flip(call: Call) -> Indexing:
    _, source, bound = bind(call, _FLIP)
    given = bound["dims"]
    axes = wrap_all(dims_in(call.name, "dims", given), len(source.shape), given)
    done = flipped(call, source, [axis for axis in axes if source.shape])
    return replace(done, view=False)


def _repeat_interleave(call: Call) -> Computed:
    item, source, bound = _bind_interleave(call)
    repeats, given = bound["repeats"], bound.get("dim")
    if source is None or item is None:
        return _positions(call, repeats)
    dim = None if given is None or given.value is None else read_int(given.item)
    span = call.span if given is None else given.item.span
    if isinstance(repeats.value, Tensor):
        axis, count = _by_tensor(source, repeats.value, repeats, dim, span)
        words = "allocated size does not match required size"
        done = interleaved(call, item, source, axis, count, repeats)
    else:
        axis = None if dim is None else wrap(dim, len(source.shape), span)
        number = sizes_in(call.name, "repeats", repeats)[0]
        if isinstance(number, int) and number < 0:
            raise RaisedError(repeats.item.span, "RuntimeError", "Repeats must be non-negative")
        if axis is not None and not source.shape:
            # A new axis behind the one that is repeated, which is not there.
            wrap(1, 0, span)
        size = product(source.shape) if axis is None else source.shape[axis]
        count = product([size, number])
        words = f"repeat_interleave: Invalid output_size, expected {count} but got {{}}"
        done = interleaved(call, item, source, axis, count, number)
    return _of_size(done, bound.get("output_size"), count, words)


def _bind_interleave(call: Call) -> tuple[Item | None, Tensor | None, dict[str, Given]]:
    """Bind the arguments; of ``torch.repeat_interleave(counts)`` there is no tensor but the counts."""
    bound = bind_call(call, _REPEAT_INTERLEAVE)
    if call.space == "torch" and "input" not in bound:
        return None, None, bound
    item = bound["input"].item if call.space == "torch" else call.first
    return item, tensor_in(item), bound


def _of_size(done: Computed, given: Given | None, count: Size, words: str) -> Computed:
    """Check the size that a result is said to have."""
    if given is None or given.value is None:
        return done
    size = size_of(given.value)
    if size is None or size == count:
        return done
    if isinstance(size, int) and isinstance(count, int):
        raise RaisedError(given.item.span, "RuntimeError", words.format(size))
    return replace(done, needs=(*done.needs, equal(count, size)))


def _by_tensor(source: Tensor, counts: Tensor, given: Given, dim: int | None, span: Span) -> tuple[int | None, Size]:
    """Return the axis that a tensor of counts repeats, and how many positions it then has."""
    place = given.item.span
    if len(counts.shape) > 1:
        raise RaisedError(place, "RuntimeError", "repeats must be 0-dim or 1-dim tensor")
    if dim is not None and not source.shape:
        words = f"Dimension specified as {dim} but tensor has no dimensions"
        raise RaisedError(span, "IndexError", words)
    axis = None if dim is None else wrap(dim, len(source.shape), span)
    size = product(source.shape) if axis is None else source.shape[axis]
    several = counts.shape[0] if counts.shape else 1
    if several not in (1, size) and isinstance(several, int) and isinstance(size, int):
        words = (
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{several} and input.size({axis or 0}) = {size}"
        )
        raise RaisedError(place, "RuntimeError", words, axis)
    _check_kind(counts, given)
    return axis, added_up(counts) if several != 1 else product([size, added_up(counts)])


def _check_kind(counts: Tensor, given: Given) -> None:
    if counts.dtype not in _COUNTS:
        words = f"\"repeat_interleave_cpu\" not implemented for '{SCALARS[counts.dtype]}'"
        raise RaisedError(given.item.span, "NotImplementedError", words)
    if any(value < 0 for value in counts.values or () if not isinstance(value, complex)):
        raise RaisedError(given.item.span, "RuntimeError", "repeats can not be negative")


def _positions(call: Call, repeats: Given) -> Computed:
    """Return the positions that counts alone give: position n as often as the n-th count says."""
    counts = tensor_in(repeats.item)
    if len(counts.shape) != 1:
        words = "repeat_interleave only accept 1D vector as repeat"
        raise RaisedError(repeats.item.span, "RuntimeError", words)
    _check_kind(counts, repeats)
    size = added_up(counts)
    effect = f"each position as often as its count says: {size} in all"
    step = Step(call.stage, call.text, call.span, call.name, (0,), (0,), effect)
    return Computed(call.make((size,), counts.dtype), (repeats.item,), (step,))


OPERATIONS: dict[str, Operation] = {
    "repeat": Operation(_repeat, numpy_repeating.repeat),
    "tile": Operation(_tile, numpy_repeating.tile, read_as="np.tile"),
    "roll": Operation(_roll, numpy_repeating.roll, read_as="np.roll"),
    "flip": Operation(_flip, numpy_repeating.flip, read_as="np.flip"),
    "repeat_interleave": Operation(_repeat_interleave, numpy_repeating.repeat, read_as="np.repeat"),
}
