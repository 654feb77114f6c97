"""``expand`` and its kin: axes of size 1 are repeated without copying, as ``infer_expand_geometry`` of PyTorch does."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.dims import bind, both, check_room, rest_step, tensor_in
from segcli.shapes.indexing import Access, Along, Fixed, Indexing, Step
from segcli.shapes.integers import sizes_in
from segcli.shapes.kinds import SCALARS
from segcli.shapes.symbols import equal_or_one
from segcli.shapes.values import COMPLEX, RaisedError, Shape, Size, Span, Tensor, format_sizes

_EXPAND = both("sizes size, *, bool implicit=")
_BROADCAST_TO = both("sizes size")
_EXPAND_AS = both("Tensor other")


def expand(call: Call) -> Indexing:
    """Expand as ``x.expand`` of PyTorch does."""
    _, source, bound = bind(call, _EXPAND)
    return _expanded(call, source, sizes_in(call.name, "size", bound["size"]), bound["size"].item.span)


def broadcast_to(call: Call) -> Indexing:
    """Expand as ``broadcast_to`` of PyTorch does."""
    _, source, bound = bind(call, _BROADCAST_TO)
    return _expanded(call, source, sizes_in(call.name, "size", bound["size"]), bound["size"].item.span)


def expand_as(call: Call) -> Indexing:
    """Expand as ``expand_as`` of PyTorch does."""
    _, source, bound = bind(call, _EXPAND_AS)
    other = bound["other"].item
    return _expanded(call, source, tensor_in(other).shape, other.span)


def _expanded(call: Call, source: Tensor, sizes: Sequence[Size], span: Span) -> Indexing:
    own = source.shape
    offset = len(sizes) - len(own)
    if offset < 0:
        name = SCALARS[source.dtype]
        kind = f"CPU{name}Type" if source.dtype in ("bool", *COMPLEX) else f"torch.{name}Tensor"
        words = (
            f"expand({kind}{{{_listed(own)}}}, size={_listed(sizes)}): the number of sizes provided "
            f"({len(sizes)}) must be greater or equal to the number of dimensions in the tensor ({len(own)})"
        )
        raise RaisedError(span, "RuntimeError", words)
    made: list[Size] = list(sizes)
    needs: list[str] = []
    for axis in reversed(range(len(sizes))):
        size = sizes[axis]
        before: Size = own[axis - offset] if axis >= offset else 1
        if size == -1 and axis >= offset:
            made[axis] = before
        elif size == -1 and own:
            words = f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {axis}"
            raise RaisedError(span, "RuntimeError", words, axis)
        elif isinstance(size, int) and isinstance(before, int) and before not in (1, size):
            words = (
                f"The expanded size of the tensor ({size}) must match the existing size ({before}) at non-singleton "
                f"dimension {axis}.  Target sizes: {_listed(sizes)}.  Tensor sizes: {_listed(own)}"
            )
            raise RaisedError(span, "RuntimeError", words, axis - offset)
        elif before not in (1, size):
            needs.append(equal_or_one(before, size))
    check_room(tuple(made), span)
    done = stretched(call, source, tuple(made), tuple(needs))
    return replace(done, rules=frozenset({"expand-keeps"})) if -1 in sizes else done


def _listed(shape: Sequence[Size]) -> str:
    return format_sizes(tuple(shape), opening="[", closing="]")


def stretched(call: Call, source: Tensor, shape: Shape, needs: tuple[str, ...] = ()) -> Indexing:
    """Repeat axes of size 1, and new ones in front, in place: their stride is 0.

    Args:
        call: The call.
        source: The tensor.
        shape: The shape that it is given.
        needs: What must hold of sizes that are not known.
    """
    own = source.shape
    offset = len(shape) - len(own)
    accesses: list[Access] = []
    steps: list[Step] = []
    kept: list[int] = []
    if offset:
        effect = "new in front, the same everywhere: nothing is copied"
        steps.append(Step(call.stage, call.text, call.span, call.name, (), tuple(range(offset)), effect))
    for axis, size in enumerate(own):
        if size == 1 != shape[axis + offset]:
            accesses.append(Fixed(0))
            effect = f"its one position {shape[axis + offset]} times: nothing is copied"
            steps.append(Step(call.stage, call.text, call.span, call.name, (axis,), (axis + offset,), effect))
        else:
            accesses.append(Along(axis + offset, 0, 1, whole=True))
            kept.append(axis)
    if not steps:
        steps.append(Step(call.stage, call.text, call.span, call.name, (), (), "that shape already"))
    steps += rest_step(call, kept, [axis + offset for axis in kept], "not stretched")
    return Indexing(shape, True, tuple(accesses), tuple(steps), needs=needs)  # noqa: FBT003 - a view
