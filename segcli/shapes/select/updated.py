"""What ``x += y`` has in common in PyTorch and NumPy: the place that is changed, and how it is shown."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from segcli.shapes.calls import Call
from segcli.shapes.compute.promotion import is_number
from segcli.shapes.computed import Computed, Formula
from segcli.shapes.indexing import Along, Indexing, Step
from segcli.shapes.labels import label_indexed
from segcli.shapes.select.looking import name_of
from segcli.shapes.select.placing import EXPANDED, Assignment, assigned, is_expanded, left_side, may_repeat, writable
from segcli.shapes.symbols import equal_or_one
from segcli.shapes.values import Item, RaisedError, Shape, Tensor, Value
from segcli.shapes.view_strides import view_strides

# What becomes of the place.
_EFFECTS = {"+": "is added to what is there", "-": "is subtracted from what is there", "*": "multiplies what is there"}
_ADD_UP = {
    "+": "write {name}.index_put_((i,), v, accumulate=True), or np.add.at({name}, i, v), to add every one",
    "-": "write {name}.index_put_((i,), -v, accumulate=True), or np.subtract.at({name}, i, v), to subtract every one",
}


@dataclass(frozen=True, slots=True)
class Update:
    """What is changed where it is.

    Attributes:
        mark: The operator: ``+`` of ``+=``.
        target: The tensor.
        value: What changes it.
        region: The place in the tensor, as what an index of it gives; all of it where there is no index.
        place: That place as a tensor, with where it stands.
    """

    mark: str
    target: Item
    value: Item
    region: Indexing
    place: Item

    @property
    def tensor(self) -> Tensor:
        """The place."""
        return cast("Tensor", self.place.value)

    def operation(self, call: Call, value: Item | None = None) -> Call:
        """Return the operator alone, as of ``x[i] + v``.

        Args:
            call: The call.
            value: What stands for the value, where that is not the one that was given.
        """
        return replace(call, name=self.mark, space="operator", arguments=(("", self.place), ("", value or self.value)))

    def alike(self, value: Value) -> Item:
        """Return a value as if it had the shape of the place and no values, to see of which dtype the result is."""
        if not isinstance(value, Tensor):
            return replace(self.value, value=1)
        return replace(self.value, value=replace(value, shape=self.tensor.shape, values=None, labels=()))


def read_update(call: Call, index: Callable[[Tensor, Item, int], Indexing]) -> Update:
    """Sort the arguments of a call, and find the place.

    Args:
        call: The call; between target and value it may have an index.
        index: A library's indexing.

    Raises:
        RaisedError: As the library would raise.
    """
    target, *indices, value = (item for _, item in call.arguments)
    tensor = target.value if isinstance(target.value, Tensor) else writable(target)
    mark = call.name.removeprefix("[]").removesuffix("=")
    text = left_side(call, value)
    span = (call.span[0], call.span[0] + len(text))
    if not indices:
        axes = tuple(range(len(tensor.shape)))
        step = Step(call.stage, target.text, target.span, name_of(tensor), axes, axes, "changed where it is")
        accesses = tuple(Along(axis, 0, 1, whole=True) for axis in axes)
        whole = Indexing(tensor.shape, view=True, accesses=accesses, steps=(step,))
        return Update(mark, target, value, whole, Item(tensor, text, span))
    region = index(tensor, indices[0], call.stage)
    place = Tensor(
        region.shape,
        tensor.dtype,
        text,
        scalar=region.scalar,
        labels=label_indexed(tensor.labels, region),
        strides=view_strides(tensor, region) if region.view else None,
    )
    return Update(mark, target, value, region, Item(place, text, span))


def updated(call: Call, update: Update, made: Computed) -> Computed:
    """Return what a change is shown as: the place that is changed.

    Args:
        call: The call.
        update: Its parts.
        made: What the operator alone gives.
    """
    value = update.value
    shape = value.value.shape if isinstance(value.value, Tensor) else ()
    shown = assigned(call, Assignment(update.target, value, update.region), _needs(shape, update.region.shape))
    *steps, last = shown.steps
    effect = _EFFECTS.get(update.mark, f"changes what is there by {update.mark}")
    last = replace(last, effect=last.effect.replace("is written there", effect))
    whole = writable(update.target)
    # Of an expanded tensor, a position is as many elements as it is repeated.
    shared = bool(update.region.operands) and is_expanded(whole.shape, whole.strides)
    repeats = may_repeat(update.region, whole.shape)
    form = cast("Formula", shown.formula)
    once = repeats or shared
    body = f"{{left}} {update.mark} {form.body}" if once else form.body
    dtype, own = cast("Tensor", made.result).dtype, update.tensor.dtype
    stored = f"the result is {dtype}, stored as {own}, as {update.target.text} is" if dtype != own else ""
    # A number stands there as PyTorch takes it.
    taken = {item.span: item for item in made.inputs if is_number(item.value)}
    return replace(
        shown,
        inputs=tuple(taken.get(item.span, item) for item in shown.inputs),
        steps=(*steps, last),
        formula=Formula(body, form.reads, left=form.left, sign="=" if once else f"{update.mark}="),
        why="; ".join(filter(None, [update.region.why, stored])),
        rules=shown.rules | made.rules,
        notes=(*update.region.notes, *made.notes, *([EXPANDED] if shared else []), *_notes(update, repeats=repeats)),
    )


def _needs(shape: Shape, region: Shape) -> list[str]:
    """Say what must hold of sizes that are not known: the place does not grow."""
    # Of one element and an array of one, the latter has more axes.
    pairs = [(size, common) for size, common in zip(reversed(shape), reversed(region), strict=False)]
    return [equal_or_one(size, common) for size, common in reversed(pairs) if size not in (1, common)]


def _notes(update: Update, *, repeats: bool) -> list[str]:
    if not repeats:
        return []
    advice = _ADD_UP.get(update.mark, "").format(name=update.target.text)
    once = "where positions repeat, each counts once: what is changed is a copy, of which one value is written back"
    return ["; ".join(filter(None, [once, advice]))]


def refuse_growth(update: Update, shape: Shape, error: Callable[[Shape, Shape], tuple[str, str]]) -> None:
    """Refuse a value that would make the place larger.

    Args:
        update: The parts of the call.
        shape: What the place and the value broadcast to.
        error: Returns the exception's type and its words, given the shape of the place and what it would become.

    Raises:
        RaisedError: The library's error.
    """
    own = update.tensor.shape
    pairs = list(zip(own, shape, strict=False))
    grown = [axis for axis, (size, common) in enumerate(pairs) if size == 1 and isinstance(common, int) and common != 1]
    if len(shape) > len(own) or grown:
        kind, words = error(own, shape)
        raise RaisedError(update.value.span, kind, words, grown[0] if grown and len(shape) == len(own) else None)
