"""``np.einsum`` (NumPy 2.4), errors included."""

from collections.abc import Sequence
from string import ascii_letters

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import broadcast_sizes
from segcli.shapes.multiply.contraction import Contraction, contract
from segcli.shapes.multiply.equation import DOTS, Equation, dots, expanded, implicit, read_equation
from segcli.shapes.operands import as_array, promote_all
from segcli.shapes.symbols import equal
from segcli.shapes.values import Item, RaisedError, Size, Tensor

_NO_DOTS = "but no '...' ellipsis provided to broadcast the extra dimensions."


def einsum_numpy(call: Call) -> Computed:
    """Sum products as an equation says, NumPy's way.

    Raises:
        RaisedError: As NumPy would raise.
    """
    equation = read_equation(call, "numpy")
    arrays = [as_array(item) for item in equation.operands]
    left, arrow, right = equation.text.partition("->")
    if not arrow and ("-" in left or ">" in left):
        _check_arrow(equation, left)
    inputs = [_parse(equation, text, f"in operand {place}") for place, text in enumerate(left.split(","))]
    if len(inputs) != len(arrays):
        more = "more" if len(inputs) > len(arrays) else "fewer"
        words = f"{more} operands provided to einstein sum function than specified in the subscripts string"
        raise _raised(equation, words)
    width = _check_ndims(equation, inputs, arrays)
    labels = [expanded(own, array, width) for own, array in zip(inputs, arrays, strict=True)]
    output = _parse_output(equation, right, inputs, width) if arrow else implicit(inputs, width)
    needs: list[str] = []
    sizes = _sizes(equation, labels, arrays, needs, output if len(arrays) == 1 else ())
    items = tuple(Item(array, item.text, item.span) for array, item in zip(arrays, equation.operands, strict=True))
    made = Contraction(items, tuple(labels), output, sizes, names=equation.written)
    return contract(call, made, promote_all(arrays, "numpy"), needs=needs, scalar=not output)


def _raised(equation: Equation, words: str, operand: int | None = None, axis: int | None = None) -> RaisedError:
    span = equation.item.span if operand is None else equation.operands[operand].span
    return RaisedError(span, "ValueError", words, axis)


def _check_arrow(equation: Equation, text: str) -> None:
    if "-" in text:
        raise _raised(equation, "einstein sum subscript string does not contain proper '->' output specified")


def _parse(equation: Equation, text: str, where: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(text):
        char = text[place]
        if char == ".":
            if DOTS in found or text[place : place + 3] != DOTS:
                words = f"einstein sum subscripts string contains a '.' that is not part of an ellipsis ('...') {where}"
                raise _raised(equation, words)
            found.append(DOTS)
            place += 2
        elif char != " ":
            if char not in ascii_letters:
                words = f"invalid subscript '{char}' in einstein sum subscripts string, subscripts must be letters"
                raise _raised(equation, words)
            found.append(char)
        place += 1
    return found


def _check_ndims(equation: Equation, inputs: Sequence[Sequence[str]], arrays: Sequence[Tensor]) -> int:
    """Return how many axes the widest ellipsis stands for."""
    width = 0
    for place, (labels, array) in enumerate(zip(inputs, arrays, strict=True)):
        ndim, dotted = len(array.shape), DOTS in labels
        named = len(labels) - dotted
        if named > ndim:
            words = f"einstein sum subscripts string contains too many subscripts for operand {place}"
            raise _raised(equation, words, place)
        if named < ndim and not dotted:
            words = f"operand has more dimensions than subscripts given in einstein sum, {_NO_DOTS}"
            raise _raised(equation, words, place)
        width = max(width, ndim - named)
    return width


def _parse_output(equation: Equation, text: str, inputs: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    known = {label for labels in inputs for label in labels}
    parsed = _parse(equation, text, "in the output")
    for place, label in enumerate(parsed):
        if label in parsed[:place]:
            words = f"einstein sum subscripts string includes output subscript '{label}' multiple times"
            raise _raised(equation, words)
        if label not in known and label != DOTS:
            words = (
                f"einstein sum subscripts string included output subscript '{label}' which never appeared in an input"
            )
            raise _raised(equation, words)
    if width and DOTS not in parsed:
        words = f"output has more dimensions than subscripts given in einstein sum, {_NO_DOTS}"
        raise _raised(equation, words)
    found: list[str] = []
    for label in parsed:
        found += dots(width) if label == DOTS else [label]
    return tuple(found)


def _sizes(
    equation: Equation,
    labels: Sequence[tuple[str, ...]],
    arrays: Sequence[Tensor],
    needs: list[str],
    kept: Sequence[str],
) -> dict[str, Size]:
    """Return how far each label walks; ``kept`` are those of a lone operand that the result keeps."""
    sizes: dict[str, Size] = {}
    for place, (own, array) in enumerate(zip(labels, arrays, strict=True)):
        met: dict[str, Size] = {}
        for axis, (label, size) in enumerate(zip(own, array.shape, strict=True)):
            known = met.setdefault(label, size)
            if known == 0 and label in kept:
                # NumPy takes it for none yet, and looks beyond the array.
                met[label] = size
            elif known != size:
                if isinstance(known, int) and isinstance(size, int):
                    words = (
                        f"dimensions in operand {place} for collapsing index '{label}' don't match ({known} != {size})"
                    )
                    raise _raised(equation, words, place, axis)
                needs.append(equal(known, size))
        for label, size in met.items():
            common = broadcast_sizes([(sizes.get(label, 1),), (size,)], needs)
            if common is None:
                raise _raised(equation, _unequal(labels, arrays), place, own.index(label))
            sizes[label] = common[0]
    return sizes


def _unequal(labels: Sequence[tuple[str, ...]], arrays: Sequence[Tensor]) -> str:
    every = list(dict.fromkeys(label for own in labels for label in own))
    shown = []
    for own, array in zip(labels, arrays, strict=True):
        sizes = dict(zip(own, array.shape, strict=True))
        mapped = ",".join(str(sizes.get(label, "newaxis")) for label in every)
        shown.append(f"({','.join(map(str, array.shape))})->({mapped})")
    return f"operands could not be broadcast together with remapped shapes [original->remapped]: {' '.join(shown)} "
