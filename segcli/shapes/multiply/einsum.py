"""``torch.einsum`` (``aten/src/ATen/native/Linear.cpp`` of PyTorch 2.13), errors included."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters, ascii_lowercase, ascii_uppercase

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import broadcast_sizes
from segcli.shapes.multiply.contraction import Contraction, contract
from segcli.shapes.multiply.einsum_dtype import einsum_dtype
from segcli.shapes.multiply.product_kernels import Place
from segcli.shapes.symbols import equal
from segcli.shapes.values import (
    ELLIPSIS,
    Item,
    Listed,
    Parts,
    RaisedError,
    Size,
    Tensor,
    Value,
    type_name,
)

# The labels of an ellipsis are two characters or more, and so none of an equation's.
DOTS = "..."
_SUBLIST = ascii_uppercase + ascii_lowercase


@dataclass(frozen=True, slots=True)
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


def _fault(equation: Equation, words: str, operand: int | None = None, axis: int | None = None) -> RaisedError:
    """Return an error about the equation, or about an operand."""
    span = equation.item.span if operand is None else equation.operands[operand].span
    return RaisedError(span, "RuntimeError", f"einsum(): {words}", axis)


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


def einsum_torch(call: Call) -> Computed:
    """Sum products as an equation says, PyTorch's way.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    equation = read_equation(call)
    for place, item in enumerate(equation.operands):
        if not isinstance(item.value, Tensor):
            words = f"expected Tensor as element {place} in argument 1, but got {type_name(item.value)}"
            raise RaisedError(item.span, "TypeError", words)
    tensors = [item.value for item in equation.operands if isinstance(item.value, Tensor)]
    left, arrow, right = equation.text.partition("->")
    inputs = _parse_inputs(equation, left)
    width = _check_ndims(equation, inputs, tensors)
    labels = [_expanded(each, tensor, width) for each, tensor in zip(inputs, tensors, strict=True)]
    output = _parse_output(equation, right, inputs, width, len(left) + 2) if arrow else implicit(inputs, width)
    needs: list[str] = []
    sizes = _sizes(equation, labels, tensors, needs)
    made = Contraction(equation.operands, tuple(labels), output, sizes, names=equation.written)
    dtype = einsum_dtype(made, Place(equation.item.span, equation.item.span))
    return contract(call, made, dtype, needs=needs)


def _parse_inputs(equation: Equation, text: str) -> list[list[str]]:
    every: list[list[str]] = [[]]
    place = 0
    while place < len(text):
        char = text[place]
        number = len(every) - 1
        if char == ".":
            if DOTS in every[-1]:
                raise _fault(equation, f"found '.' for operand {number} for which an ellipsis was already found")
            if text[place : place + 3] != DOTS:
                raise _fault(equation, f"found '.' for operand {number} that is not part of any ellipsis")
            every[-1].append(DOTS)
            place += 2
        elif char == ",":
            every.append([])
            if len(every) > len(equation.operands):
                raise _fault(equation, "fewer operands were provided than specified in the equation")
        elif char != " ":
            _check_letter(equation, char, place)
            every[-1].append(char)
        place += 1
    if len(every) < len(equation.operands):
        raise _fault(equation, "more operands were provided than specified in the equation", len(every))
    return every


def _check_letter(equation: Equation, char: str, place: int) -> None:
    if char not in ascii_letters:
        words = f"invalid subscript given at index {place} in the equation string, subscripts must be in [a-zA-Z]"
        raise _fault(equation, words)


def _check_ndims(equation: Equation, inputs: Sequence[Sequence[str]], tensors: Sequence[Tensor]) -> int:
    """Return how many axes the widest ellipsis stands for."""
    width = 0
    for place, (labels, tensor) in enumerate(zip(inputs, tensors, strict=True)):
        ndim, dotted = len(tensor.shape), DOTS in labels
        named = len(labels) - dotted
        if named > ndim or (named != ndim and not dotted):
            more = "is more than" if dotted else "does not match"
            tail = "" if dotted else " and no ellipsis was given"
            words = (
                f"the number of subscripts in the equation ({named}) {more} the number of dimensions ({ndim}) for "
                f"operand {place}{tail}"
            )
            raise _fault(equation, words, place)
        width = max(width, ndim - named if dotted else 0)
    return width


def _expanded(labels: Sequence[str], tensor: Tensor, width: int) -> tuple[str, ...]:
    """Put a label for every axis that an ellipsis stands for; they line up at the right."""
    covered = len(tensor.shape) - (len(labels) - 1)
    found: list[str] = []
    for label in labels:
        found += dots(width)[width - covered :] if label == DOTS else [label]
    return tuple(found)


def dots(width: int) -> list[str]:
    """Return the labels of the axes of an ellipsis."""
    return [f"..{place}" for place in range(width)]


def implicit(inputs: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    """Return the output that an equation without one has: the ellipsis, then what stands once, in ASCII's order."""
    every = [label for labels in inputs for label in labels if label != DOTS]
    return (*dots(width), *sorted(label for label in every if every.count(label) == 1))


def _parse_output(
    equation: Equation, text: str, inputs: Sequence[Sequence[str]], width: int, start: int
) -> tuple[str, ...]:
    known = {label for labels in inputs for label in labels}
    found: list[str] = []
    dotted = False
    place = 0
    while place < len(text):
        char = text[place]
        if char == ".":
            if dotted:
                raise _fault(equation, "found '.' for output but an ellipsis (...) was already found")
            if text[place : place + 3] != DOTS:
                raise _fault(equation, "found '.' for output that is not part of any ellipsis (...)")
            dotted = True
            found += dots(width)
            place += 2
        elif char != " ":
            _check_letter(equation, char, start + place)
            if char not in known or char in found:
                why = "appears more than once in the output"
                if char not in found:
                    why = "does not appear in the equation for any input operand"
                raise _fault(equation, f"output subscript {char} {why}")
            found.append(char)
        place += 1
    return tuple(found)


def _sizes(
    equation: Equation, labels: Sequence[tuple[str, ...]], tensors: Sequence[Tensor], needs: list[str]
) -> dict[str, Size]:
    """Return how far each label walks; a size of 1 fits every other, but not in one tensor."""
    sizes: dict[str, Size] = {}
    for place, (own, tensor) in enumerate(zip(labels, tensors, strict=True)):
        met: dict[str, Size] = {}
        for axis, (label, size) in enumerate(zip(own, tensor.shape, strict=True)):
            if label in met:
                _check_diagonal(equation, label, (met[label], size), (place, axis), needs)
                continue
            met[label] = size
            seen = sizes.get(label, 1)
            common = broadcast_sizes([(seen,), (size,)], needs)
            if common is None:
                # Of the axes of a diagonal, PyTorch counts one.
                counted = axis - (axis - len(met) + 1)
                raise _fault(equation, _unequal(label, counted, place, seen, size), place, axis)
            sizes[label] = common[0]
    return sizes


def _check_diagonal(
    equation: Equation, label: str, pair: tuple[Size, Size], at: tuple[int, int], needs: list[str]
) -> None:
    first, size = pair
    if first == size:
        return
    if isinstance(first, str) or isinstance(size, str):
        needs.append(equal(first, size))
        return
    words = f"subscript {label} is repeated for operand {at[0]} but the sizes don't match, {size} != {first}"
    raise _fault(equation, words, *at)


def _unequal(label: str, axis: int, place: int, seen: Size, size: Size) -> str:
    if len(label) > 1:
        # The missing space is PyTorch's.
        return (
            f"dimension {axis} covered by ellipsis in operand {place}has size {size} which does not broadcast with "
            f"previously seen ellipsis with size {seen} for the respective dimension"
        )
    words = f"subscript {label} has size {size} for operand {place}"
    return f"{words} which does not broadcast with previously seen size {seen}"
