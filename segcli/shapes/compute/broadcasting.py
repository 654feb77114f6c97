"""Operands that are computed with element by element: how they broadcast together."""

from collections.abc import Sequence

from segcli.shapes.calls import Call
from segcli.shapes.compute.promotion import is_number
from segcli.shapes.computed import Read, grouped
from segcli.shapes.indexing import Step, axes_text, broadcast_sizes, tokens_text
from segcli.shapes.records import record
from segcli.shapes.values import (
    Item,
    Labels,
    RaisedError,
    Shape,
    Tensor,
    check_elements,
    type_name,
)


@record(frozen=True, slots=True)
class Together:
    """Operands that broadcast together.

    Attributes:
        shape: Their common shape.
        inputs: The operands as ``Computed`` has them, so that each is written in formulas as one element of it.
        steps: The trace, a step an operand.
        reads: Which element of each operand an element of the result is made of.
        rows: The broadcast table: each operand with its shape; empty where all have the same.
        needs: What must hold of sizes that are not known.
        labels: What the axes of the result are called.
    """

    shape: Shape
    inputs: tuple[Item, ...]
    steps: tuple[Step, ...]
    reads: tuple[Read, ...]
    rows: tuple[tuple[str, Shape], ...]
    needs: tuple[str, ...]
    labels: Labels


def broadcast_operands(call: Call, items: Sequence[Item], library: str = "torch") -> Together:
    """Broadcast operands together: tensors, and numbers, which have no axes.

    Args:
        call: The operation.
        items: Its operands in order.
        library: ``torch`` or ``numpy``: in whose words an error is.

    Raises:
        RaisedError: Where they do not fit.

    Examples:
        >>> x, y = (Item(Tensor(shape, "float32", name), name, (0, 1)) for name, shape in (("x", (2, 1)), ("y", (3,))))
        >>> together = broadcast_operands(Call("+", "operator", (), (0, 5), "+", "(x + y)", 0), [x, y])
        >>> together.shape, [read.at for read in together.reads]
        ((2, 3), [('{i0}', '0'), ('{i1}',)])
    """
    shapes = [_shape(item) for item in items]
    needs: list[str] = []
    shape = broadcast_sizes(shapes, needs)
    if shape is None:
        raise _unfit(items, shapes, library)
    check_elements(shape, call.result_text[:80])
    tensors = [item.value for item in items if isinstance(item.value, Tensor)]
    differ = len({tensor.shape for tensor in tensors if tensor.shape}) > 1
    return Together(
        shape=shape,
        inputs=tuple(_input(item) for item in items),
        steps=tuple(_step(call, place, item, shape) for place, item in enumerate(items)),
        reads=tuple(Read(place, _coordinates(each, shape)) for place, each in enumerate(shapes)),
        rows=tuple((item.text, item.value.shape) for item in items if isinstance(item.value, Tensor)) if differ else (),
        needs=tuple(needs),
        labels=_labels(tensors, shape),
    )


def _shape(item: Item) -> Shape:
    return item.value.shape if isinstance(item.value, Tensor) else ()


def _input(item: Item) -> Item:
    """Return an operand by the text that takes an index: ``(a + b)``, not ``a + b``."""
    value = item.value
    return Item(value, grouped(value.text), item.span) if isinstance(value, Tensor) else item


def _step(call: Call, place: int, item: Item, result: Shape) -> Step:
    value = item.value
    if not isinstance(value, Tensor):
        kind = f"Python {type_name(value)}" if is_number(value) else type_name(value)
        return Step(call.stage, item.text, item.span, kind, (), (), "the same for every element", place)
    offset = len(result) - len(value.shape)
    axes = tuple(range(len(value.shape)))
    landed = tuple(axis + offset for axis in axes)
    return Step(call.stage, item.text, item.span, value.dtype, axes, landed, _effect(value.shape, result), place)


def _effect(shape: Shape, result: Shape) -> str:
    """Say how an operand is stretched."""
    if not shape:
        return "the same for every element" if result else "its one element"
    offset = len(result) - len(shape)
    repeated = [axis for axis, size in enumerate(shape) if size == 1 and result[axis + offset] != 1]
    parts = []
    if repeated:
        times = tokens_text([str(result[axis + offset]) for axis in repeated])
        parts.append(f"{axes_text(repeated)} of size 1 {'is' if len(repeated) == 1 else 'are'} repeated {times} times")
    if offset:
        parts.append(f"is repeated along the new {axes_text(range(offset))}")
    return "; ".join(parts) or "element by element"


def _coordinates(shape: Shape, result: Shape) -> tuple[str, ...]:
    offset = len(result) - len(shape)
    return tuple(
        "0" if size == 1 != result[axis + offset] else f"{{i{axis + offset}}}" for axis, size in enumerate(shape)
    )


def _unfit(items: Sequence[Item], shapes: Sequence[Shape], library: str) -> RaisedError:
    """Return a library's error for shapes that do not fit: the operand at fault, and which of its axes."""
    place = next(place for place in range(len(shapes)) if broadcast_sizes(shapes[: place + 1], []) is None)
    before = broadcast_sizes(shapes[:place], []) or ()
    item, shape = items[place], shapes[place]
    axis = next(
        axis
        for axis in range(-1, -1 - min(len(before), len(shape)), -1)
        if broadcast_sizes([before[axis:][:1], shape[axis:][:1]], []) is None
    )
    own = axis + len(shape)
    if library == "numpy":
        listed = " ".join(f"({','.join(map(str, each))}{',' * (len(each) == 1)})" for each in shapes)
        words = f"operands could not be broadcast together with shapes {listed} "
        return RaisedError(item.span, "ValueError", words, own)
    dimension = axis + max(len(before), len(shape))
    words = (
        f"The size of tensor a ({before[axis]}) must match the size of tensor b ({shape[axis]}) "
        f"at non-singleton dimension {dimension}"
    )
    return RaisedError(item.span, "RuntimeError", words, own)


def _labels(tensors: Sequence[Tensor], shape: Shape) -> Labels:
    """Return the labels of the result: of an operand that walks the axis, or else of one that is repeated along it."""
    found: list[str | None] = [None] * len(shape)
    for wide in (True, False):
        for tensor in tensors:
            offset = len(shape) - len(tensor.shape)
            for axis, label in enumerate(tensor.labels, start=offset):
                if found[axis] is None and not (wide and tensor.shape[axis - offset] == 1):
                    found[axis] = label
    return tuple(found) if any(found) else ()
