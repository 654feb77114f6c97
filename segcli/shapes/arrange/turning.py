"""What views do to the axes of a tensor, in both libraries: put them in another order, take them out, add new ones."""

from collections.abc import Mapping, Sequence

from segcli.shapes.calls import Call
from segcli.shapes.dims import rest_step
from segcli.shapes.indexing import Access, Along, Fixed, Indexing, Step, axes_text
from segcli.shapes.values import Size, Tensor


def permuted(source: Tensor, order: Sequence[int], call: Call, notes: tuple[str, ...] = ()) -> Indexing:
    """Look at axes in another order: axis ``order[n]`` of the source becomes axis n.

    Args:
        source: The tensor.
        order: The axes in their new order.
        call: The call.
        notes: What else a reader should know.
    """
    order = tuple(order)
    place = {axis: position for position, axis in enumerate(order)}
    accesses = tuple(Along(place[axis], 0, 1, whole=True) for axis in range(len(order)))
    if order == tuple(range(len(order))):
        effect = "the axes stay as they are"
    else:
        effect = f"the axes in the order {', '.join(map(str, order))}"
    step = Step(call.stage, call.text, call.span, call.name, order, tuple(range(len(order))), effect)
    shape = tuple(source.shape[axis] for axis in order)
    return Indexing(shape, True, accesses, (step,), scalar=source.scalar, notes=notes)  # noqa: FBT003 - a view


def swapped(source: Tensor, one: int, other: int, call: Call) -> Indexing:
    """Look at two axes in each other's place."""
    ndim = len(source.shape)
    order = list(range(ndim))
    if one == other or not ndim:
        return permuted(source, order, call)
    order[one], order[other] = other, one
    done = permuted(source, order, call)
    left = [axis for axis in range(ndim) if axis not in (one, other)]
    first, second = sorted((one, other))
    step = Step(
        call.stage,
        call.text,
        call.span,
        call.name,
        (first, second),
        (second, first),
        f"swaps axes {first} and {second}",
    )
    return Indexing(done.shape, True, done.accesses, (step, *rest_step(call, left, left)))  # noqa: FBT003 - a view


def removed(
    source: Tensor,
    gone: Sequence[int],
    call: Call,
    staying: Mapping[int, str] | None = None,
    needs: tuple[str, ...] = (),
    rules: frozenset[str] = frozenset(),
) -> Indexing:
    """Take out axes of one position.

    Args:
        source: The tensor.
        gone: The axes.
        call: The call.
        staying: Axes that were to go and stay, with the reason.
        needs: What must hold of sizes that are not known.
        rules: The rules at work that the libraries do not share.
    """
    left = [axis for axis in range(len(source.shape)) if axis not in gone]
    place = {axis: position for position, axis in enumerate(left)}
    accesses: list[Access] = [
        Along(place[axis], 0, 1, whole=True) if axis in place else Fixed(0) for axis in range(len(source.shape))
    ]
    steps = []
    if gone:
        effect = f"{axes_text(sorted(gone))} of size 1: gone"
        steps.append(Step(call.stage, call.text, call.span, call.name, tuple(sorted(gone)), (), effect))
    for axis, words in sorted((staying or {}).items()):
        steps.append(Step(call.stage, call.text, call.span, call.name, (axis,), (place[axis],), words))
    rest = [axis for axis in left if axis not in (staying or {})]
    if not steps:
        steps.append(Step(call.stage, call.text, call.span, call.name, (), (), "no axis of size 1"))
    steps += rest_step(call, rest, [place[axis] for axis in rest], "not squeezed")
    shape = tuple(source.shape[axis] for axis in left)
    return Indexing(shape, True, tuple(accesses), tuple(steps), source.scalar, needs=needs, rules=rules)  # noqa: FBT003 - a view


def inserted(source: Tensor, new: Sequence[int], call: Call) -> Indexing:
    """Add axes of one position, at places of the result."""
    ndim = len(source.shape) + len(new)
    left = [axis for axis in range(ndim) if axis not in new]
    accesses = tuple(Along(axis, 0, 1, whole=True) for axis in left)
    shape: list[Size] = [1] * ndim
    for axis, size in zip(left, source.shape, strict=True):
        shape[axis] = size
    effect = "a new axis of size 1" if len(new) == 1 else "new axes of size 1"
    step = Step(call.stage, call.text, call.span, call.name, (), tuple(sorted(new)), effect)
    return Indexing(tuple(shape), True, accesses, (step, *rest_step(call, range(len(left)), left)))  # noqa: FBT003 - a view
