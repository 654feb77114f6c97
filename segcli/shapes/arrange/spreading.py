"""What repeating, rolling and reversing do to the positions of a tensor, in both libraries."""

from collections.abc import Sequence

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import rest_step
from segcli.shapes.indexing import Along, Indexing, Step, axes_text
from segcli.shapes.request import Given
from segcli.shapes.symbols import difference, equal, product
from segcli.shapes.values import Item, Size, Tensor, check_elements


def factor(size: Size) -> str:
    """Write a size as a factor.

    Examples:
        >>> factor(3), factor("H*W"), factor("N")
        ('3', '(H*W)', 'N')
    """
    return str(size) if isinstance(size, int) or size.isidentifier() else f"({size})"


def tiled(call: Call, item: Item, source: Tensor, counts: Sequence[Size]) -> Computed:
    """Put copies of a tensor side by side along each axis.

    Args:
        call: The call.
        item: The tensor as written.
        source: The tensor.
        counts: How many copies along each axis of the result; those in front are new axes.
    """
    offset = len(counts) - len(source.shape)
    own: list[Size] = [*(1 for _ in range(offset)), *source.shape]
    shape = tuple(product(pair) for pair in zip(own, counts, strict=True))
    check_elements(shape, call.text)
    at, steps, kept = [], [], []
    for axis, (size, count) in enumerate(zip(own, counts, strict=True)):
        place = axis - offset
        if axis >= offset:
            at.append("0" if size == 1 else f"{{i{axis}}}" if count == 1 else f"{{i{axis}}} % {factor(size)}")
        if count == 1 and axis >= offset:
            kept.append(place)
            continue
        effect = (
            f"a new axis of {count} copies"
            if axis < offset
            else f"{count} times {size} = {shape[axis]}, one after the other"
        )
        steps.append(
            Step(call.stage, call.text, call.span, call.name, (place,) if axis >= offset else (), (axis,), effect)
        )
    if not steps:
        steps.append(Step(call.stage, call.text, call.span, call.name, (), (), "once along every axis: a copy"))
    steps += rest_step(call, kept, [axis + offset for axis in kept], "not repeated")
    formula = None if 0 in shape else Formula("{0}", (Read(0, tuple(at)),))
    return Computed(call.make(shape, source.dtype), (item,), tuple(steps), formula=formula)


def rolled(
    call: Call, item: Item, source: Tensor, moves: Sequence[tuple[int, Size]] | None, shift: Size = 0
) -> Computed:
    """Move positions on; what leaves at one end enters at the other.

    Args:
        call: The call.
        item: The tensor as written.
        source: The tensor.
        moves: Axes, each with how far; None for all elements as one row, which is moved by ``shift``.
        shift: How far, without axes.
    """
    shape = source.shape
    made = call.make(shape, source.dtype)
    axes = tuple(range(len(shape)))
    if moves is None:
        effect = f"all elements as one row move on by {shift}, from its end to its front"
        step = Step(call.stage, call.text, call.span, call.name, axes, axes, effect)
        return Computed(made, (item,), (step,))
    far: dict[int, list[Size]] = {}
    for axis, by in moves:
        far.setdefault(axis, []).append(by)
    at, steps = [f"{{i{axis}}}" for axis in axes], []
    for axis, shifts in far.items():
        by = shifts[0]
        for more in shifts[1:]:
            by = difference(by, difference(0, more))
        effect = f"positions move on by {by}, from the end to the front"
        steps.append(Step(call.stage, call.text, call.span, call.name, (axis,), (axis,), effect))
        if by != 0:
            sign, size = ("+", -by) if isinstance(by, int) and by < 0 else ("-", by)
            at[axis] = f"({{i{axis}}} {sign} {factor(size)}) % {factor(shape[axis])}"
    if not steps:
        steps.append(Step(call.stage, call.text, call.span, call.name, (), (), "nothing moves: a copy"))
    left = [axis for axis in axes if axis not in far]
    formula = None if 0 in shape else Formula("{0}", (Read(0, tuple(at)),))
    return Computed(made, (item,), (*steps, *rest_step(call, left, left, "not rolled")), formula=formula)


def flipped(call: Call, source: Tensor, flipped_axes: Sequence[int]) -> Indexing:
    """Read axes from their end to their front."""
    shape = source.shape
    accesses = tuple(
        Along(axis, difference(size, 1), -1, whole=False) if axis in flipped_axes else Along(axis, 0, 1, whole=True)
        for axis, size in enumerate(shape)
    )
    axes = tuple(sorted(flipped_axes))
    effect = f"{axes_text(axes)} from the end to the front" if axes else "no axis: nothing is reversed"
    step = Step(call.stage, call.text, call.span, call.name, axes, axes, effect)
    left = [axis for axis in range(len(shape)) if axis not in axes]
    return Indexing(shape, True, accesses, (step, *rest_step(call, left, left, "not flipped")))  # noqa: FBT003 - a view


def added_up(counts: Tensor) -> Size:
    """Return the sum of counts: a number where they are known."""
    if counts.values is not None:
        return sum(int(value) for value in counts.values if not isinstance(value, complex))
    if 0 in counts.shape:
        return 0
    return f"sum({counts.text})" if counts.shape else counts.text


def interleaved(call: Call, item: Item, source: Tensor, axis: int | None, size: Size, by: Size | Given) -> Computed:
    """Repeat each position, beside itself.

    Args:
        call: The call.
        item: The tensor as written.
        source: The tensor.
        axis: The axis; None for all elements as one row.
        size: How many positions it then has.
        by: How often each is repeated, or the tensor that has a number for each.
    """
    shape = (size,) if axis is None else (*source.shape[:axis], size, *source.shape[axis + 1 :])
    check_elements(shape, call.text)
    old = product(source.shape) if axis is None else source.shape[axis]
    needs: tuple[str, ...] = ()
    inputs = [item]
    steps = []
    takes = tuple(range(len(source.shape))) if axis is None else (axis,)
    gives = (0,) if axis is None else (axis,)
    if isinstance(by, Given):
        counts = by.value
        several = counts.shape[0] if isinstance(counts, Tensor) and counts.shape else 1
        effect = f"each position as often as {by.item.text} says: {size} in all"
        steps.append(Step(call.stage, call.text, call.span, call.name, takes, gives, effect))
        inputs.append(by.item)
        if isinstance(counts, Tensor) and counts.shape:
            steps.append(Step(call.stage, by.item.text, by.item.span, "counts", (0,), (), "how often each", 1))
        needs = (equal(several, old),) if several not in (1, old) else ()
    else:
        effect = f"each of {old} positions {by} times = {size}"
        steps.append(Step(call.stage, call.text, call.span, call.name, takes, gives, effect))
    left = [] if axis is None else [place for place in range(len(source.shape)) if place != axis]
    steps += rest_step(call, left, left, "not repeated")
    made = call.make(shape, source.dtype)
    return Computed(made, tuple(inputs), tuple(steps), formula=_formula(source, axis, shape, by), needs=needs)


def _formula(source: Tensor, axis: int | None, shape: Sequence[Size], by: Size | Given) -> Formula | None:
    if isinstance(by, Given) or 0 in shape:
        return None
    whole = axis is None
    at = []
    for place, size in enumerate(source.shape):
        if not whole:
            at.append(f"{{i{place}}}" if place != axis or by == 1 else f"{{i{place}}} // {factor(by)}")
            continue
        inner = product([by, *source.shape[place + 1 :]])
        coordinate = "{i0}" if inner == 1 else f"{{i0}} // {factor(inner)}"
        at.append(f"{coordinate} % {factor(size)}" if place else coordinate)
    return Formula("{0}", (Read(0, tuple(at)),))
