"""What a reshape does: which axes become which, step by step and as a formula; and whether it must copy."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.arrange.coordinates import coordinates
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.fitting import Fit
from segcli.shapes.indexing import Step
from segcli.shapes.records import record
from segcli.shapes.strides import hangs_on_ones
from segcli.shapes.symbols import divides, is_at_least, product
from segcli.shapes.values import Item, Labels, Shape, Size, Tensor, check_elements


@record(frozen=True, slots=True)
class Group:
    """Axes of a tensor that become axes of its new shape, with as many elements."""

    takes: tuple[int, ...]
    gives: tuple[int, ...]


def regrouped(old: Shape, new: Shape) -> list[Group]:
    """Match the axes of a shape with those of another one of as many elements, in the smallest groups.

    Examples:
        >>> regrouped((2, 3, 4), (6, 4))
        [Group(takes=(0, 1), gives=(0,)), Group(takes=(2,), gives=(1,))]
        >>> regrouped(("N", 19, "H", "W"), ("N", "19*H*W"))
        [Group(takes=(0,), gives=(0,)), Group(takes=(1, 2, 3), gives=(1,))]
    """
    if old == new:
        return [Group((axis,), (axis,)) for axis in range(len(old))]
    if 0 in old:
        return [Group(tuple(range(len(old))), tuple(range(len(new))))]
    groups: list[Group] = []
    takes, gives = list(range(len(old))), list(range(len(new)))
    while takes or gives:
        groups.append(_next_group(old, new, takes, gives))
    return groups


def _next_group(old: Shape, new: Shape, takes: list[int], gives: list[int]) -> Group:
    """Take the next axes off both lists until they have as many elements."""
    if takes and old[takes[0]] == 1 and (not gives or new[gives[0]] != 1):
        return Group((takes.pop(0),), ())
    if gives and new[gives[0]] == 1 and (not takes or old[takes[0]] != 1):
        return Group((), (gives.pop(0),))
    if not takes or not gives:
        # Only sizes that are not known can leave something over: they must make one.
        rest = Group(tuple(takes), tuple(gives))
        takes.clear()
        gives.clear()
        return rest
    taken, given = [takes.pop(0)], [gives.pop(0)]
    count, made = old[taken[0]], new[given[0]]
    while count != made:
        if takes and (not gives or _is_less(count, made)):
            taken.append(takes.pop(0))
            count = product([count, old[taken[-1]]])
        elif gives:
            given.append(gives.pop(0))
            made = product([made, new[given[-1]]])
        else:
            break
    return Group(tuple(taken), tuple(given))


def _is_less(size: Size, other: Size) -> bool:
    if isinstance(size, int) and isinstance(other, int):
        return size < other
    return not divides(other, size) and not is_at_least(size, other)


def reshaped(
    call: Call,
    item: Item,
    source: Tensor,
    shape: Shape,
    how: Fit,
    needs: tuple[str, ...] = (),
    *,
    copies: str = "",
    groups: Sequence[Group] | None = None,
) -> Computed:
    """Return a tensor with another shape.

    Args:
        call: The call.
        item: The tensor as written.
        source: The tensor.
        shape: The new shape.
        how: How it can be looked at so, if it can; else it is copied.
        needs: What must hold of sizes that are not known.
        copies: Why it is copied whatever its strides are; empty where it need not be.
        groups: Which axes become which, where the sizes do not tell.
    """
    check_elements(shape, call.text)
    view = how.strides is not None and not copies
    # Where nothing is asked of the order, a copy is made if it must be.
    depends = not how.certain and not how.needs and (view or not copies)
    groups = regrouped(source.shape, shape) if groups is None else groups
    made = call.make(shape, source.dtype)
    made = replace(
        made,
        values=source.values,
        true_count=source.true_count,
        labels=_labels(source.labels, groups, len(shape)),
        strides=how.strides if view else None,
    )
    return Computed(
        made,
        (item,),
        tuple(_step(call, source.shape, shape, group) for group in groups) or (_scalar_step(call),),
        view=None if depends else view,
        formula=_formula(source.shape, shape, groups),
        why=copies or _why(source, view=view, depends=depends),
        needs=(*needs, *how.needs),
    )


def unless_ones(source: Tensor, done: Computed) -> Computed:
    """Leave open whether a tensor is copied that lies row after row where some of its sizes are 1."""
    return replace(done, view=None, why=_UNLESS_ONES) if done.view is False and hangs_on_ones(source) else done


_DEPENDS = "a view or a copy: that hangs on sizes that are not known"
_UNLESS_ONES = "copied, unless sizes that are not known are 1: then it may be a view"


def _why(source: Tensor, *, view: bool, depends: bool) -> str:
    if depends:
        return _DEPENDS if view else _UNLESS_ONES
    return "" if view else _why_copied(source)


def _why_copied(source: Tensor) -> str:
    return f"copied: in storage {source.text} does not lie row after row, so that no strides walk it in the new shape"


def _labels(labels: Labels, groups: Sequence[Group], width: int) -> Labels:
    """Return the labels of axes that stay one axis each."""
    kept: list[str | None] = [None] * width
    for group in groups:
        if labels and len(group.takes) == len(group.gives) == 1:
            kept[group.gives[0]] = labels[group.takes[0]]
    return tuple(kept) if any(kept) else ()


def _scalar_step(call: Call) -> Step:
    return Step(call.stage, call.text, call.span, call.name, (), (), "no axes before and after")


def _step(call: Call, old: Shape, new: Shape, group: Group) -> Step:
    takes, gives = group.takes, group.gives
    if len(takes) == len(gives) == 1:
        return Step(call.stage, "", (0, 0), "kept", takes, gives, "kept")
    return Step(call.stage, call.text, call.span, call.name, takes, gives, _effect(old, new, group))


def _effect(old: Shape, new: Shape, group: Group) -> str:
    before, after = [old[axis] for axis in group.takes], [new[axis] for axis in group.gives]
    if not before:
        return "a new axis of size 1"
    if not after:
        return "of size 1: gone"
    if 0 in before:
        return "no elements before and after"
    count = " * ".join(map(_shown, before))
    if len(before) > 1 and all(isinstance(size, int) for size in before):
        count += f" = {product(before)}"
    if len(after) == 1:
        return f"{count}, one axis in row-major order"
    return f"{count} as {' * '.join(map(_shown, after))}"


def _shown(size: Size) -> str:
    return f"({size})" if isinstance(size, str) and " " in size else str(size)


def _formula(old: Shape, new: Shape, groups: Sequence[Group]) -> Formula | None:
    """Write the element of the source that an element of the result is."""
    if 0 in old:
        return None
    at = ["0"] * len(old)
    for group in groups:
        takes = [axis for axis in group.takes if old[axis] != 1]
        if len(group.takes) == len(group.gives) == 1:
            at[group.takes[0]] = f"{{i{group.gives[0]}}}"
            continue
        made = [axis for axis in group.gives if new[axis] != 1]
        for axis, coordinate in zip(takes, coordinates([old[axis] for axis in takes], new, made), strict=True):
            at[axis] = coordinate
    return Formula("{0}", (Read(0, tuple(at)),))
