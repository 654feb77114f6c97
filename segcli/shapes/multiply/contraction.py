"""Sums of products over shared axes: the result of ``@``, ``bmm`` and ``einsum`` in both libraries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step, axes_text, tokens_text
from segcli.shapes.records import record
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import total
from segcli.shapes.values import Item, Shape, Size, Tensor, format_sizes


@record(frozen=True, slots=True)
class Contraction:
    """Tensors with a label an axis: what has the same label is walked together, and summed over if the result lacks it.

    Attributes:
        items: The tensors.
        labels: For each tensor, a label an axis.
        output: The labels of the result's axes.
        sizes: How far each label walks; an axis of size 1 stays at 0.
        names: Labels that are letters which formulas may use.
    """

    items: tuple[Item, ...]
    labels: tuple[tuple[str, ...], ...]
    output: tuple[str, ...]
    sizes: Mapping[str, Size]
    names: bool = False

    @property
    def summed(self) -> tuple[str, ...]:
        """The labels that the result lacks, in the order in which they are met."""
        return tuple(dict.fromkeys(label for each in self.labels for label in each if label not in self.output))

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors themselves."""
        return [item.value for item in self.items if isinstance(item.value, Tensor)]

    @property
    def shape(self) -> Shape:
        """The result's shape."""
        return tuple(self.sizes[label] for label in self.output)


def contract(
    call: Call,
    made: Contraction,
    dtype: str,
    *,
    needs: Sequence[str] = (),
    rows: tuple[tuple[str, Shape], ...] = (),
    broadcast: Shape = (),
    scalar: bool = False,
) -> Computed:
    """Return the sum of products.

    Args:
        call: The operation.
        made: What is summed over what.
        dtype: The result's dtype.
        needs: What must hold of sizes that are not known.
        rows: What broadcasts, each with its shape.
        broadcast: Their common shape.
        scalar: Whether NumPy returns a scalar, of a result without axes.
    """
    view = len(made.items) == 1 and not made.summed and not scalar
    result = call.make(made.shape, dtype, scalar=scalar)
    if view:
        result = replace(result, strides=_view_strides(made))
    steps = [step for place in range(len(made.items)) for step in _steps(call, made, place)]
    return Computed(
        result,
        made.items,
        tuple(steps),
        view=view,
        formula=_formula(made),
        rows=rows,
        broadcast=broadcast,
        needs=tuple(dict.fromkeys(needs)),
    )


def _view_strides(made: Contraction) -> tuple[Size | None, ...]:
    """Return the strides of a tensor with its axes in another order; along a diagonal they add up."""
    (source,) = made.tensors
    strides = strides_of(source)
    every = []
    for label in made.output:
        steps = [stride for stride, own in zip(strides, made.labels[0], strict=True) if own == label]
        every.append(None if None in steps else total([step for step in steps if step is not None]))
    return tuple(every)


def _formula(made: Contraction) -> Formula:
    summed = made.summed
    places = {label: f"{{i{axis}}}" for axis, label in enumerate(made.output)}
    places |= {label: f"{{k{number}}}" for number, label in enumerate(summed)}
    reads = []
    for place, (tensor, labels) in enumerate(zip(made.tensors, made.labels, strict=True)):
        at = (
            "0" if size == 1 != made.sizes[label] else places[label]
            for size, label in zip(tensor.shape, labels, strict=True)
        )
        reads.append(Read(place, tuple(at)))
    body = " * ".join(f"{{{place}}}" for place in range(len(reads)))
    if summed:
        body = f"sum over {', '.join(places[label] for label in summed)} of {body}"
    letters = (*made.output, *summed) if made.names else ()
    return Formula(body, tuple(reads), tuple(made.sizes[label] for label in summed), letters=letters)


def _steps(call: Call, made: Contraction, place: int) -> list[Step]:
    """Say what becomes of a tensor's axes: those that stay, and those that are summed over."""
    item, labels, tensor = made.items[place], made.labels[place], made.tensors[place]
    kind = f"{tensor.dtype} {format_sizes(tensor.shape)}"
    steps = []
    kept = [axis for axis, label in enumerate(labels) if label in made.output and labels.count(label) == 1]
    if kept or not labels:
        gives = tuple(made.output.index(labels[axis]) for axis in kept)
        effect = _kept_text(made, place, kept)
        steps.append(Step(call.stage, item.text, item.span, kind, tuple(kept), gives, effect, place))
    for label in dict.fromkeys(label for label in labels if label in made.output and labels.count(label) > 1):
        axes = tuple(axis for axis, own in enumerate(labels) if own == label)
        gives = (made.output.index(label),)
        effect = _named(made, label, "the diagonal: both walk together")
        steps.append(Step(call.stage, item.text, item.span, kind, axes, gives, effect, place))
    for label in dict.fromkeys(label for label in labels if label not in made.output):
        axes = tuple(axis for axis, own in enumerate(labels) if own == label)
        effect = _named(made, label, _summed_text(made, place, label))
        steps.append(Step(call.stage, item.text, item.span, kind, axes, (), effect, place))
    return steps


def _named(made: Contraction, label: str, effect: str) -> str:
    return f"{label}: {effect}" if made.names and len(label) == 1 else effect


def _kept_text(made: Contraction, place: int, kept: Sequence[int]) -> str:
    tensor, labels = made.tensors[place], made.labels[place]
    stretched = [axis for axis in kept if tensor.shape[axis] == 1 != made.sizes[labels[axis]]]
    letters = [labels[axis] for axis in kept if len(labels[axis]) == 1] if made.names else []
    text = f"{', '.join(letters)}: kept" if letters else "kept" if kept else "multiplies every product"
    if stretched:
        sizes = ", ".join(str(made.sizes[labels[axis]]) for axis in stretched)
        text += f", {axes_text(stretched)} stretched to {sizes}"
    return text


def _summed_text(made: Contraction, place: int, label: str) -> str:
    """Say with what an axis is multiplied before it is summed over."""
    own = made.labels[place].count(label) > 1
    partners = [
        f"{axes_text([axis for axis, each in enumerate(labels) if each == label])} of {made.items[other].text}"
        for other, labels in enumerate(made.labels)
        if other != place and label in labels
    ]
    text = "the diagonal, " if own else ""
    if partners:
        return f"{text}times {tokens_text(partners)}, summed: gone"
    return f"{text}summed: gone"
