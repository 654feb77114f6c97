"""What an assignment to an index has in common in PyTorch and NumPy: the place that is written, and how it is shown."""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.labels import label_indexed
from segcli.shapes.records import record
from segcli.shapes.select.looking import name_of, written
from segcli.shapes.select.storing import explain_stored
from segcli.shapes.stages import Evaluation
from segcli.shapes.symbols import equal, equal_or_one
from segcli.shapes.values import Item, Listed, RaisedError, Shape, Size, Tensor, type_name

EXPANDED = "deprecated: PyTorch puts into an expanded tensor with a UserWarning: several elements are one in storage"
_REPEATS = (
    "where positions repeat, one value stays: the last in NumPy, any in PyTorch; "
    "{name}.index_put_((...), v, accumulate=True) and np.add.at add them up"
)


@record(frozen=True, slots=True)
class Assignment:
    """An assignment, and what its index means.

    Attributes:
        target: What is written to.
        value: What is written.
        region: The place in the target, as what an index of it gives.
    """

    target: Item
    value: Item
    region: Indexing


def writable(target: Item) -> Tensor:
    """Return the tensor that is written to.

    Raises:
        RaisedError: Python's TypeError for what takes no assignment: a scalar of NumPy, or a tuple, such as a shape or
            the pair of ``max(dim)``.
    """
    if isinstance(target.value, Tensor) and not target.value.scalar:
        return target.value
    is_size = isinstance(target.value, Listed) and target.value.is_size
    name = "torch.Size" if is_size else type_name(target.value)
    if isinstance(target.value, Tensor):
        name = f"numpy.{target.value.dtype}"
    raise RaisedError(target.span, "TypeError", f"'{name}' object does not support item assignment")


def stripped(shape: Shape) -> Shape:
    """Leave out the leading axes of size 1, as PyTorch does with a value."""
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def unfit_axes(shape: Shape, region: Shape) -> list[int]:
    """Return the axes of a region to which a value is known not to broadcast.

    Examples:
        >>> unfit_axes((5, 4), (3, 4)), unfit_axes((1, 4), (3, "N"))
        ([0], [])
    """
    pairs = zip(range(-1, -1 - len(region), -1), reversed(shape), reversed(region), strict=False)
    return sorted(
        place + len(region)
        for place, size, common in pairs
        if isinstance(size, int) and isinstance(common, int) and size not in (1, common)
    )


def fitting_needs(shape: Shape, region: Shape) -> list[str]:
    """Say what must hold of sizes that are not known, so that a value broadcasts to a region.

    Examples:
        >>> fitting_needs(("K", 4), (3, "N")), fitting_needs(("N",), ("N",)), fitting_needs(("N", 4), (4,))
        (['K == 3 or K == 1', 'N == 4'], [], ['N == 1'])
    """
    needs = [equal(size, 1) for size in shape[: max(len(shape) - len(region), 0)] if size != 1]
    offset = len(region) - len(shape)
    for place, size in enumerate(shape):
        if place + offset < 0 or size in (1, region[place + offset]):
            continue
        common = region[place + offset]
        needs.append(equal_or_one(size, common))
    return needs


def is_expanded(shape: Shape, strides: tuple[Size | None, ...] | None) -> bool:
    """Tell whether several elements of a tensor are one in storage, as after ``expand``."""
    pairs = zip(shape, strides or (), strict=False)
    return any(stride == 0 and size != 1 for size, stride in pairs)


def assigned(call: Call, assignment: Assignment, needs: list[str]) -> Computed:
    """Return what an assignment is shown as: the place that it writes to.

    Args:
        call: The assignment.
        assignment: Its parts.
        needs: What must hold of sizes that are not known.
    """
    target, region = writable(assignment.target), assignment.region
    value = assignment.value
    shape = value.value.shape if isinstance(value.value, Tensor) else ()
    result = replace(call.make(region.shape, target.dtype), labels=label_indexed(target.labels, region))
    differ = bool(shape) and stripped(shape) != region.shape
    return Computed(
        result,
        (written(assignment.target), written(value)),
        (*region.steps, _value_step(call, value, shape, region.shape)),
        view=True,
        formula=Formula("{0}", (Read(1, _coordinates(shape, region.shape)),), left=region),
        rows=((left_side(call, value), region.shape), (value.text, shape)) if differ else (),
        broadcast=region.shape,
        why="; ".join(filter(None, [region.why, explain_stored(value, assignment.target)])),
        needs=(*region.needs, *needs),
        rules=region.rules,
        notes=(*region.notes, *_notes(assignment, shape)),
    )


def left_side(call: Call, value: Item) -> str:
    """Return what stands left of the sign, as written."""
    return call.result_text[: value.span[0] - call.span[0]].rstrip("+-*/%&|^<>= \n\t")


def _coordinates(shape: Shape, region: Shape) -> tuple[str, ...]:
    offset = len(region) - len(shape)
    return tuple(
        "0" if place + offset < 0 or size == 1 != region[place + offset] else f"{{i{place + offset}}}"
        for place, size in enumerate(shape)
    )


def _value_step(call: Call, value: Item, shape: Shape, region: Shape) -> Step:
    kind = name_of(value.value) if isinstance(value.value, Tensor) else f"Python {type_name(value.value)}"
    offset = len(region) - len(shape)
    takes = tuple(axis for axis in range(len(shape)) if axis + offset >= 0)
    gives = tuple(axis + offset for axis in takes)
    repeated = [axis for axis in range(len(region)) if axis not in gives or shape[axis - offset] == 1 != region[axis]]
    effect = "is written there, the same everywhere" if not shape else "is written there"
    if shape and repeated:
        effect += f", repeated along {'axis' if len(repeated) == 1 else 'axes'} {', '.join(map(str, repeated))}"
    return Step(call.stage, value.text, value.span, kind, takes, gives, effect, 1)


def _notes(assignment: Assignment, shape: Shape) -> list[str]:
    """Say what people stumble over: positions that repeat, and tensors of which several elements are one."""
    target = writable(assignment.target)
    notes = []
    if assignment.region.operands and is_expanded(target.shape, target.strides):
        notes.append(EXPANDED)
    if set(shape) - {1} and may_repeat(assignment.region, target.shape):
        notes.append(_REPEATS.format(name=assignment.target.text))
    return notes


def may_repeat(region: Indexing, target: Shape) -> bool:
    """Tell whether a position may be written twice.

    Args:
        region: The place that is written to.
        target: The shape of what it is a place in.
    """
    operands = [operand for operand in region.operands if operand.kind == "positions"]
    if not operands or region.broadcast in ((), (1,)):
        return False
    values, size = operands[0].tensor.values, target[operands[0].takes[0]] if operands[0].takes else 1
    if len(region.operands) > 1 or values is None or not isinstance(size, int):
        return True
    return len({int(value) % max(size, 1) for value in values}) < len(values)


def copied_note(state: Evaluation, target: Item) -> tuple[str, ...]:
    """Say of an assignment to what an operation copied that it leaves the source as it was.

    Args:
        state: The walk.
        target: What is written to, such as ``x[m]`` in ``x[m][0] = 1``.
    """
    place = state.made.get(id(target.value))
    while place is not None:
        stage = state.stages[place]
        if isinstance(stage.done, str) or not getattr(stage.done, "view", False):
            name = stage.base
            note = f"{stage.text} is a copy: this writes into it, and {name} stays as it was"
            return (f"{note}. One index writes to {name}, as in x[m, 0] = v",)
        place = stage.inputs[0].stage
    return ()
