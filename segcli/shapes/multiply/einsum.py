"""``torch.einsum`` (``aten/src/ATen/native/Linear.cpp`` of PyTorch 2.13), errors included."""

from collections.abc import Sequence
from string import ascii_letters

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import broadcast_sizes
from segcli.shapes.multiply.contraction import Contraction, contract
from segcli.shapes.multiply.einsum_dtype import einsum_dtype
from segcli.shapes.multiply.equation import DOTS, Equation, dots, expanded, implicit, read_equation
from segcli.shapes.multiply.product_kernels import Place
from segcli.shapes.symbols import equal
from segcli.shapes.values import RaisedError, Size, Tensor, type_name


def _fault(equation: Equation, words: str, operand: int | None = None, axis: int | None = None) -> RaisedError:
    """Return an error about the equation, or about an operand."""
    span = equation.item.span if operand is None else equation.operands[operand].span
    return RaisedError(span, "RuntimeError", f"einsum(): {words}", axis)


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
    labels = [expanded(each, tensor, width) for each, tensor in zip(inputs, tensors, strict=True)]
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
