"""Writes an element of a tensor, or of what an index gives: a template over the axes, as ``x[a[{0}, {1}], {2}]``."""

import re
from collections.abc import Sequence
from itertools import product

from segcli.shapes.computed import grouped
from segcli.shapes.indexing import Access, Along, Fixed, Gathered, Indexing, Operand
from segcli.shapes.records import record
from segcli.shapes.stages import Stage
from segcli.shapes.values import Listed, Tensor

_LETTERS = "ijklmnpqrstuvw"
# A longer literal is left as written.
_MAX_LITERAL = 12


@record(frozen=True, slots=True)
class Element:
    """A template over coordinates, and how each coordinate follows from an axis of the result.

    Attributes:
        template: Its ``{n}`` is the coordinate that axis n gives.
        affine: (start, step) an axis: the coordinate is start + step x index; start may be a symbol.
        whole: Whether the coordinate may count from the end: the axis is all of what the template indexes.
    """

    template: str
    affine: tuple[tuple[int | str, int], ...]
    whole: tuple[bool, ...]

    def written(self, letters: Sequence[str]) -> str:
        """Fill in letters for the axes."""
        places = zip(self.affine, letters, strict=True)
        return self.template.format(*[_affine(start, step, letter) for (start, step), letter in places])


def free_letters(number: int, names: Sequence[str]) -> list[str]:
    """Return that many letters, none of them a name."""
    free = [letter for letter in _LETTERS if letter not in names]
    turn = 0
    while len(free) < number:
        turn += 1
        free += [f"{letter}{turn}" for letter in _LETTERS if f"{letter}{turn}" not in names]
    return free[:number]


def whole_element(text: str, ndim: int) -> Element:
    """Return the element of a name, or of an operation's text, with nothing done to it."""
    indices = ", ".join(f"{{{axis}}}" for axis in range(ndim))
    text = grouped(text)
    return Element(f"{text}[{indices}]" if ndim else text, ((0, 1),) * ndim, (True,) * ndim)


def index_element(source: Element, stage: Stage, done: Indexing, library: str) -> Element | None:
    """Put what an index does into the template of what it indexes."""
    if not all(whole or _is_forward(access) for whole, access in zip(source.whole, done.accesses, strict=True)):
        source = whole_element(stage.base, len(done.accesses))
    affine: list[tuple[int | str, int]] = [(0, 1)] * len(done.shape)
    whole = [True] * len(done.shape)
    parts = []
    for access, (start, step), was_whole in zip(done.accesses, source.affine, source.whole, strict=True):
        match access:
            case Along(axis, str() as first, stride) if (start, step) == (0, 1):
                affine[axis] = (first, stride)
                whole[axis] = False
                parts.append(f"{{{axis}}}")
            case Along(_, None | str()):
                return None
            case Along(axis, int() as first, stride):
                affine[axis] = (_moved(start, step * first), step * stride)
                whole[axis] = was_whole and access.whole
                parts.append(f"{{{axis}}}")
            case Fixed(int() as position) if position >= 0:
                parts.append(str(_moved(start, step * position)))
            case _:
                parts.append(_part(access, done, library))
    return Element(source.template.format(*parts), tuple(affine), tuple(whole))


def _is_forward(access: Access) -> bool:
    """Tell whether an access never counts from the end."""
    if isinstance(access, Fixed):
        return isinstance(access.position, int) and access.position >= 0
    return isinstance(access, Along)


def _part(access: Access, done: Indexing, library: str) -> str:
    """Write a coordinate that is looked up, or that a 0-d tensor holds."""
    if isinstance(access, Gathered):
        return _looked_up(done.operands[access.operand], access.column, done, library)
    return str(access.position) if isinstance(access, Fixed) else ""


def _moved(start: int | str, count: int) -> int | str:
    """Add to a start that may be a symbol."""
    if isinstance(start, int):
        return start + count
    return f"{start} {'+' if count > 0 else '-'} {abs(count)}" if count else start


def _affine(start: int | str, step: int, axis: str) -> str:
    if (start, step) == (0, 1):
        return axis
    axis = axis if re.fullmatch(r"\w+", axis) else f"({axis})"
    scaled = axis if abs(step) == 1 else f"{abs(step)}*{axis}"
    if step < 0:
        return f"{start} - {scaled}"
    return f"{start} + {scaled}" if start else scaled


def _looked_up(operand: Operand, column: int, done: Indexing, library: str) -> str:
    axes = _operand_axes(operand, done)
    tensor = operand.tensor
    text = grouped(operand.item.text)
    if operand.kind == "mask":
        (axis,) = axes
        literal = _true_positions(tensor, column) if isinstance(operand.item.value, Listed) else None
        if literal is not None:
            return f"{literal}[{axis}]"
        found = f"{text}.nonzero()" if library == "torch" else f"argwhere({text})"
        return f"{found}[{axis}, {column}]"
    if isinstance(operand.item.value, int):
        return str(operand.item.value)
    if isinstance(operand.item.value, Listed):
        return grouped(_literal(tensor, operand)) + "".join(f"[{axis}]" for axis in axes)
    return f"{text}[{', '.join(axes)}]" if axes else text


def _operand_axes(operand: Operand, done: Indexing) -> list[str]:
    """Name the axes of the result that walk an advanced index; along a broadcast one it stays at 0."""
    landing = done.landing[len(done.landing) - len(operand.shape) :] if operand.shape else ()
    return [
        f"{{{axis}}}" if size == done.shape[axis] or size != 1 else "0"
        for axis, size in zip(landing, operand.shape, strict=True)
    ]


def _true_positions(mask: Tensor, column: int) -> list[int] | None:
    if mask.values is None or len(mask.values) > _MAX_LITERAL or any(isinstance(size, str) for size in mask.shape):
        return None
    everywhere = product(*(range(int(size)) for size in mask.shape))
    return [place[column] for place, value in zip(everywhere, mask.values, strict=True) if value]


def _literal(tensor: Tensor, operand: Operand) -> str:
    if tensor.values is None or len(tensor.values) > _MAX_LITERAL:
        return operand.item.text
    return _nested([int(value) for value in tensor.values], [int(size) for size in tensor.shape])


def _nested(values: list[int], shape: list[int]) -> str:
    if len(shape) <= 1:
        return str(values)
    width = len(values) // shape[0] if shape[0] else 0
    rows = [_nested(values[row * width : (row + 1) * width], shape[1:]) for row in range(shape[0])]
    return "[" + ", ".join(rows) + "]"
