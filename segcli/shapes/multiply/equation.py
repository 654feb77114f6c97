"""Reads the arguments of ``einsum``, for both libraries: an equation, or lists of numbers, and what it is about."""

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

from segcli.shapes.calls import Call
from segcli.shapes.records import record
from segcli.shapes.values import ELLIPSIS, Item, Listed, Parts, RaisedError, Tensor, Value, type_name

# The labels of an ellipsis are two characters or more, and so none of an equation's.
DOTS = "..."
_SUBLIST = ascii_uppercase + ascii_lowercase


@record(frozen=True, slots=True)
class Equation:
    """An equation with its operands.

    Attributes:
        text: As in ``ij,jk->ik``.
        item: Where it stands.
        operands: What it is about.
        written: Whether it is written as such, and not as lists of numbers.
    """

    text: str
    item: Item
    operands: tuple[Item, ...]
    written: bool


def read_equation(call: Call, kind: str = "torch") -> Equation:
    """Read the arguments: an equation and tensors, or tensors with lists of numbers.

    Args:
        call: The call.
        kind: ``torch``, which takes a list of tensors as well, or ``numpy``.

    Raises:
        RaisedError: For what is neither.
    """
    for keyword, item in call.arguments:
        if keyword and not (kind == "numpy" and keyword == "out" and item.value is None):
            words = f"einsum() got an unexpected keyword argument '{keyword}'"
            raise RaisedError(item.span, "TypeError", words)
    items = [item for keyword, item in call.arguments if not keyword]
    few = (
        "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
        "subscripts list"
    )
    if len(items) < 2:  # noqa: PLR2004 - an equation, and what it is about
        raise RaisedError(call.span, "ValueError", few)
    first, *operands = items
    if isinstance(first.value, Tensor):
        return _from_lists(items, kind)
    if len(operands) == 1 and kind == "torch":
        operands = _spread(operands[0])
        if not operands:
            raise RaisedError(call.span, "ValueError", few)
    if not isinstance(first.value, str):
        words = f"einsum(): argument 'equation' (position 1) must be str, not {type_name(first.value)}"
        if kind == "numpy":
            words = "each subscript must be either an integer or an ellipsis"
        raise RaisedError(first.span, "TypeError", words)
    return Equation(first.value, first, tuple(operands), written=True)


def _spread(item: Item) -> list[Item]:
    """Return the tensors of a list."""
    value = item.value
    if isinstance(value, Listed):
        return list(value.items)
    tensors = value.tensors() if isinstance(value, Parts) else None
    if tensors is None:
        return [item]
    return [Item(tensor, tensor.text, item.span) for tensor in tensors]


def _from_lists(items: Sequence[Item], kind: str) -> Equation:
    pairs = len(items) // 2
    parts = [_letters(item, kind) for item in items[1 : 2 * pairs : 2]]
    text = ",".join(parts)
    if len(items) % 2:
        text += "->" + _letters(items[-1], kind)
    return Equation(text, items[1], tuple(items[0 : 2 * pairs : 2]), written=False)


def _letters(item: Item, kind: str) -> str:
    value = item.value
    if not isinstance(value, Listed):
        words = f"'{type_name(value)}' object is not iterable"
        if kind == "numpy":
            words = "the subscripts for each operand must be a list or a tuple"
        elif isinstance(value, Tensor):
            words = "einsum(): subscripts that are a tensor have no single value"
        raise RaisedError(item.span, "TypeError" if not isinstance(value, Tensor) else "RuntimeError", words)
    return "".join(_letter(each.value, item, kind) for each in value.items)


def _letter(value: Value, item: Item, kind: str) -> str:
    if value is ELLIPSIS:
        return DOTS
    if not isinstance(value, int):
        words = f"'>=' not supported between instances of '{type_name(value)}' and 'int'"
        raise RaisedError(item.span, "TypeError", words)
    if not 0 <= value < len(_SUBLIST):
        words = "einsum(): subscript in subscript list is not within the valid range [0, 52)"
        if kind == "numpy":
            words = "subscript is not within the valid range [0, 52)"
        raise RaisedError(item.span, "ValueError", words)
    return _SUBLIST[value]


def dots(width: int) -> list[str]:
    """Return the labels of the axes of an ellipsis."""
    return [f"..{place}" for place in range(width)]


def implicit(inputs: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    """Return the output that an equation without one has: the ellipsis, then what stands once, in ASCII's order."""
    every = [label for labels in inputs for label in labels if label != DOTS]
    return (*dots(width), *sorted(label for label in every if every.count(label) == 1))


def expanded(labels: Sequence[str], tensor: Tensor, width: int) -> tuple[str, ...]:
    """Put a label for every axis that an ellipsis stands for; they line up at the right."""
    covered = len(tensor.shape) - (len(labels) - 1)
    found: list[str] = []
    for label in labels:
        found += dots(width)[width - covered :] if label == DOTS else [label]
    return tuple(found)
