"""What the losses share: how they are reduced, and what a reader sees of that."""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import item_of
from segcli.shapes.layer.layers import is_true
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.values import Item, RaisedError, Shape, Size, check_elements

_WORDS = {"mean": "the mean of {} losses", "sum": "the sum of {} losses"}


@record(frozen=True, slots=True)
class Loss:
    """A loss that was asked for.

    Attributes:
        call: The call.
        parts: Input, target, weights and options by name.
        reduction: ``none``, ``mean`` or ``sum``.
        note: What PyTorch warns of.
    """

    call: Call
    parts: dict[str, Item]
    reduction: str
    note: str


def enum_of(item: Item) -> tuple[str, str]:
    """Return a reduction by its name, and what PyTorch warns of.

    Raises:
        RaisedError: The ValueError for another.
    """
    value = item.value
    if value == "elementwise_mean":
        return "mean", "reduction='elementwise_mean' is deprecated: write reduction='mean'"
    if isinstance(value, str) and value in ("none", "mean", "sum"):
        return value, ""
    shown = value if isinstance(value, str) else item.text
    raise RaisedError(item.span, "ValueError", f"{shown} is not a valid value for reduction")


def reduced_loss(
    loss: Loss,
    shape: Shape,
    dtype: str,
    steps: list[Step],
    *,
    formula: Formula | None,
    why: str,
    needs: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Computed:
    """Return what a loss gives.

    Args:
        loss: The loss.
        shape: Its shape before it is reduced.
        dtype: Its dtype.
        steps: The trace before that.
        formula: An element of what is not reduced.
        why: How an element comes about.
        needs: What must hold of sizes that are not known.
        notes: What else a reader should know.
    """
    call = loss.call
    if loss.reduction == "none":
        check_elements(shape, call.text)
    elif shape:
        written = " * ".join(map(str, shape))
        steps = [replace(step, gives=()) for step in steps]
        counted = _WORDS[loss.reduction].format(written)
        why = f"{counted}; {why}" if why else counted
    named = ("input", "target", "weight", "pos_weight")
    inputs = tuple(loss.parts[name] for name in named if name in loss.parts and loss.parts[name].value is not None)
    return Computed(
        call.make(shape if loss.reduction == "none" else (), dtype),
        inputs,
        tuple(steps),
        formula=formula if loss.reduction == "none" or not shape else None,
        why=why,
        needs=needs,
        notes=(*notes, *([loss.note] if loss.note else [])),
    )


def read_reduction(bound: dict[str, Given], call: Call) -> tuple[str, str]:
    """Return ``none``, ``mean`` or ``sum``, and what PyTorch warns of.

    Args:
        bound: The arguments of a loss.
        call: What has them.
    """
    if any(name in bound and bound[name].value is not None for name in ("size_average", "reduce")):
        average, reduces = (_flag(bound, name) for name in ("size_average", "reduce"))
        found = ("mean" if average else "sum") if reduces else "none"
        return found, f"size_average and reduce are deprecated: write reduction='{found}'"
    return enum_of(item_of(bound, "reduction", "mean", call.span))


def left_out(reduction: str, target: str, ignored: Size) -> str:
    """Write what a loss is at a class that is ignored: nothing, of which there is no mean.

    Args:
        reduction: ``none``, ``mean`` or ``sum``; reduced is a loss without axes.
        target: How the class is written.
        ignored: Which one is ignored.

    Examples:
        >>> left_out("none", "y[i]", 255), left_out("mean", "y", 0), left_out("sum", "y", -100)
        ('0 if y[i] == 255 else ', 'nan if y == 0 else ', '')
    """
    if isinstance(ignored, int) and ignored < 0:
        return ""
    return f"{'nan' if reduction == 'mean' else 0} if {target} == {ignored} else "


def _flag(bound: dict[str, Given], name: str) -> bool:
    return name not in bound or bound[name].value is None or is_true(bound[name].item)
