"""Writes what an element of the result is: ``result[i, j, k] = src[a[i, j], b[i, j], k]``.

A formula is a template over the result's axes, ``src[a[{0}, {1}], b[{0}, {1}], {2}]``; the operations of a chain put
their coordinates into one another's templates. Right of ``=`` stands an expression of Python over the bound names,
``<words> over <letters> of <expression>``, or ``the <position> where <expression> is <word>``, so that a test can
evaluate it element by element.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, product

from segcli.shapes.indexing import Access, Along, Fixed, Gathered, Indexing, Operand
from segcli.shapes.reductions import FUNCTIONS, Reduced
from segcli.shapes.stages import Stage
from segcli.shapes.symbols import times
from segcli.shapes.values import Listed, Pair, Shape, Tensor

_LETTERS = "ijklmnpqrstuvw"
# A longer literal is left as written.
_MAX_LITERAL = 12


@dataclass(frozen=True, slots=True)
class _Element:
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
        return self.template.format(
            *(_affine(start, step, letter) for (start, step), letter in zip(self.affine, letters, strict=True))
        )


def write_formula(stages: Sequence[Stage], result: Tensor | Pair, library: str, names: Sequence[str]) -> str | None:
    """Return what an element of the result is, or None where it cannot be written.

    Args:
        stages: The chain of operations.
        result: What they give.
        library: ``torch`` or ``numpy``: how the positions of a mask's True elements are written.
        names: The bound names, which no letter may be.

    Examples:
        >>> from segcli.shapes import explain
        >>> explain("x[0, 1::2]", {"x": "4,6"}).formula
        'result[i] = x[0, 1 + 2*i]'
    """
    if not stages:
        shape = result.shape if isinstance(result, Tensor) else ()
        text = result.text if isinstance(result, Tensor) else ""
        return _equation(shape, _whole(text, len(shape)), names)
    element: _Element | None = None
    for place, stage in enumerate(stages):
        if isinstance(stage.source, Pair) or isinstance(stage.done, str):
            continue
        source = element or _whole(stage.base, len(stage.source.shape))
        if isinstance(stage.done, Indexing):
            element = _indexed(source, stage, stage.done, library)
            if element is None:
                return None
            continue
        rest = stages[place + 1 :]
        if not rest or (stage.done.pair and len(rest) == 1):
            return _reduction(source, stage.source.shape, stage.done, rest[0] if rest else None, names)
        element = None
    shape = result.shape if isinstance(result, Tensor) else ()
    return _equation(shape, element, names) if element else None


def _letters(number: int, names: Sequence[str]) -> list[str]:
    """Return that many letters, none of them a name."""
    taken = set(names)
    numbered = (f"{letter}{turn}" for turn in count(1) for letter in _LETTERS)
    free = (letter for source in (_LETTERS, numbered) for letter in source if letter not in taken)
    return [next(free) for _ in range(number)]


def _whole(text: str, ndim: int) -> _Element:
    indices = ", ".join(f"{{{axis}}}" for axis in range(ndim))
    return _Element(f"{text}[{indices}]" if ndim else text, ((0, 1),) * ndim, (True,) * ndim)


def _equation(shape: Shape, element: _Element, names: Sequence[str]) -> str:
    letters = _letters(len(shape), names)
    left = f"result[{', '.join(letters)}]" if shape else "result"
    return f"{left} = {element.written(letters)}"


def _indexed(source: _Element, stage: Stage, done: Indexing, library: str) -> _Element | None:
    """Put what an index does into the template of what it indexes."""
    if not all(whole or _is_forward(access) for whole, access in zip(source.whole, done.accesses, strict=True)):
        source = _whole(stage.base, len(done.accesses))
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
    return _Element(source.template.format(*parts), tuple(affine), tuple(whole))


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
    scaled = axis if abs(step) == 1 else f"{abs(step)}*{axis}"
    if step < 0:
        return f"{start} - {scaled}"
    return f"{start} + {scaled}" if start else scaled


def _looked_up(operand: Operand, column: int, done: Indexing, library: str) -> str:
    axes = _operand_axes(operand, done)
    tensor = operand.tensor
    if operand.kind == "mask":
        (axis,) = axes
        literal = _true_positions(tensor, column) if isinstance(operand.item.value, Listed) else None
        if literal is not None:
            return f"{literal}[{axis}]"
        found = f"{operand.item.text}.nonzero()" if library == "torch" else f"argwhere({operand.item.text})"
        return f"{found}[{axis}, {column}]"
    if isinstance(operand.item.value, int):
        return str(operand.item.value)
    if isinstance(operand.item.value, Listed):
        return _literal(tensor, operand) + "".join(f"[{axis}]" for axis in axes)
    return f"{operand.item.text}[{', '.join(axes)}]" if axes else operand.item.text


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


def _reduction(source: _Element, shape: Shape, done: Reduced, picked: Stage | None, names: Sequence[str]) -> str | None:
    """Write a reduction that ends the chain; ``picked`` is the member that was picked from a pair."""
    if done.form != "over":
        place, values, indices = _along(source, shape, done, names)
    else:
        place, values, indices = _over(source, shape, done, names)
    if not done.pair:
        return f"result{place} = {indices if done.form == 'place' else values}"
    if picked is not None:
        return f"result{place} = {values if picked.done == 'values' else indices}"
    return f"values{place} = {values}; indices{place} = {indices}"


def _over(source: _Element, shape: Shape, done: Reduced, names: Sequence[str]) -> tuple[str, str, str]:
    """Write what is left of axes that are gone: coordinates, values and positions."""
    letters = _letters(len(shape), names)
    element = source.written(letters)
    over = [letters[axis] for axis in done.dims]
    kept = ["0" if axis in done.dims else letter for axis, letter in enumerate(letters)]
    if not done.keepdim:
        kept = [letter for letter in letters if letter not in over]
    name = done.step.kind
    words = done.words or FUNCTIONS[name].words
    if name.startswith("arg"):
        return _place(kept), _located(over, element, words, shape if done.flat else ()), ""
    values = f"{words} over {', '.join(over)} of {element}"
    if not over and name in ("any", "all"):
        values = f"{element} != 0"
    elif not over and name not in ("std", "var", "norm"):
        values = element
    elif not over:
        values = f"{words} of {element}"
    return _place(kept), values, _located(over, element, FUNCTIONS[name].place or words, ())


def _along(source: _Element, shape: Shape, done: Reduced, names: Sequence[str]) -> tuple[str, str, str]:
    """Write what stands along an axis that stays: coordinates, values and positions.

    The result's axes have their letters, and the one that is walked has another: ``sum over l <= j of x[i, l, k]``.
    """
    letters = _letters(len(shape) + 1, names)
    extra = letters.pop()
    walked = list(letters)
    if done.flat:
        place, kept, over = extra, [extra], letters
    else:
        place, kept = letters[done.dims[0]] if done.dims else "", letters
        over = [extra] if done.dims else []
        for axis in done.dims:
            walked[axis] = extra
    element = source.written(walked)
    own = source.written(letters)
    position = _flat_position(over, shape) if done.flat else "".join(over)
    words = done.words or FUNCTIONS[done.step.kind].words
    if done.form == "rank":
        words = f"({place} + 1)-th {words}" if over else words
    match done.form:
        case "running":
            values = f"sum over {position} <= {place} of {element}"
        case "softmax":
            values = f"exp({own}) / sum over {extra} of exp({element})"
        case "log_softmax":
            values = f"{own} - logsumexp over {extra} of {element}"
        case _:
            words = f"({place} + 1)-th {words}" if done.form == "place" else words
            values = f"{words} over {', '.join(over)} of {element}"
    if not over:
        # Not 1 and 0: of nan it is nan.
        alone = {"softmax": f"exp({element}) / exp({element})", "log_softmax": f"{element} - {element}"}
        values = alone.get(done.form, element)
    return _place(kept), values, _located(over, element, words, shape if done.flat else ())


def _place(letters: Sequence[str]) -> str:
    return f"[{', '.join(letters)}]" if letters else ""


def _located(over: Sequence[str], element: str, words: str, flattened: Shape) -> str:
    position = _flat_position(over, flattened) if flattened else "".join(over)
    return f"the {position} where {element} is {words}" if over else "0"


def _flat_position(letters: Sequence[str], shape: Shape) -> str:
    """Write the position in the flattened tensor.

    Examples:
        >>> _flat_position(["i", "j", "k"], (2, 3, 4))
        '12*i + 4*j + k'
        >>> _flat_position(["i", "j", "k"], (2, "H", 4))
        '4*H*i + 4*j + k'
    """
    strides = [times(shape[axis + 1 :]) for axis in range(len(shape))]
    terms = [letter if stride == "1" else f"{stride}*{letter}" for letter, stride in zip(letters, strides, strict=True)]
    return " + ".join(terms)
