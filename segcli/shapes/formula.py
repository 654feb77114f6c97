"""Writes what an element of the result is: ``result[i, j, k] = src[a[i, j], b[i, j], k]``.

A formula is a template over the result's axes, ``src[a[{0}, {1}], b[{0}, {1}], {2}]``; the operations of an expression
put their coordinates into one another's templates. Right of ``=`` stands an expression of Python over the bound names,
``<words> over <letters> of <expression>``, or ``the <position> where <expression> is <word>``, so that a test can
evaluate it element by element.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, product
from typing import cast

from segcli.shapes.computed import Computed, Formula, closing, grouped
from segcli.shapes.indexing import Access, Along, Fixed, Gathered, Indexing, Operand
from segcli.shapes.reduced import Reduced
from segcli.shapes.stages import Input, Stage
from segcli.shapes.values import Listed, Pair, Shape, Size, Tensor, Value

_LETTERS = "ijklmnpqrstuvw"
# A longer literal is left as written.
_MAX_LITERAL = 12


@dataclass(frozen=True, slots=True)
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
        return self.template.format(
            *(_affine(start, step, letter) for (start, step), letter in zip(self.affine, letters, strict=True))
        )


@dataclass(frozen=True, slots=True)
class Written:
    """A formula, and the letters that it binds by ``over``, each with the size that it walks."""

    text: str
    over: dict[str, Size]


def write_formula(  # noqa: PLR0911 - a kind of operation, a return
    stages: Sequence[Stage], result: Value, library: str, names: Sequence[str]
) -> Written | None:
    """Return what an element of the result is, or None where it cannot be written.

    Args:
        stages: The operations.
        result: What they give.
        library: ``torch`` or ``numpy``: how the positions of a mask's True elements are written.
        names: The bound names, which no letter may be.

    Examples:
        >>> from segcli.shapes import explain
        >>> explain("x[0, 1::2]", {"x": "4,6"}).formula
        'result[i] = x[0, 1 + 2*i]'
    """
    if not stages:
        whole = whole_element(result.text, len(result.shape)) if isinstance(result, Tensor) else None
        return _equation(result.shape, whole, names) if whole and isinstance(result, Tensor) else None
    last = stages[-1]
    if re.search("[{}]", last.text):
        # Of a quoted text: in a template it would stand for a coordinate.
        return None
    elements: list[Element | None] = []
    for stage in stages:
        elements.append(_made_by(stage, elements, library))
    match last.done:
        case Reduced(form="lossy"):
            return None
        case Reduced() if isinstance(last.source, Tensor):
            return _reduction(_element(elements, last.inputs[0]), last.source.shape, last.done, None, names)
        case Computed(formula=Formula() as form) if isinstance(result, Tensor):
            return _computed(stages, elements, form, result.shape, library, names)
        case Indexing() if elements[-1] is not None and isinstance(result, Tensor):
            return _equation(result.shape, elements[-1], names)
        case str(member) if isinstance(last.source, Pair) and last.inputs[0].stage is not None:
            return _picked(stages[last.inputs[0].stage], elements, member, names)
        case _:
            return None


def _picked(made: Stage, elements: Sequence["Element | None"], member: str, names: Sequence[str]) -> Written:
    """Write one of the pair that a reduction gave: only reductions give pairs."""
    source, done = cast("Tensor", made.source), cast("Reduced", made.done)
    return _reduction(_element(elements, made.inputs[0]), source.shape, done, member, names)


def _made_by(stage: Stage, elements: Sequence["Element | None"], library: str) -> "Element | None":
    """Return how an element of what an operation gives is written, None where only its text says that."""
    done = stage.done
    if isinstance(done, Indexing):
        return _indexed(_element(elements, stage.inputs[0]), stage, done, library)
    form = done.formula if isinstance(done, Computed) and isinstance(stage.result, Tensor) else None
    if form is None or not _is_elementwise(form) or not isinstance(stage.result, Tensor):
        return None
    places = {f"i{axis}": f"{{{axis}}}" for axis in range(len(stage.result.shape))}
    reads = []
    for read in form.reads:
        source = _element(elements, stage.inputs[read.operand])
        reads.append(source.written([at.format(**places) for at in read.at]))
    ndim = len(stage.result.shape)
    return Element(f"({form.body.format(*reads)})", ((0, 1),) * ndim, (True,) * ndim)


def _is_elementwise(form: Formula) -> bool:
    """Tell whether every coordinate that a formula reads is one of the result's, or 0: others do not nest."""
    plain = all(re.fullmatch(r"\{i[0-9]+\}|0", at) for read in form.reads for at in read.at)
    bare = not (form.bound or form.fixed or form.left or form.letters) and "{i" not in form.body
    return plain and bare and form.sign == "="


def _outermost(text: str) -> str:
    """Leave out what stands between brackets."""
    depth, kept = 0, ""
    for char in text:
        depth += (char in "([") - (char in ")]")
        kept += char if not depth else ""
    return kept


def _element(elements: Sequence["Element | None"], item: Input) -> "Element":
    """Return how an element of an input is written: by the operation that gave it, or as an element of its text."""
    found = elements[item.stage] if elements and item.stage is not None else None
    ndim = len(item.value.shape) if isinstance(item.value, Tensor) else 0
    return found or whole_element(item.text, ndim)


def _reduction(source: "Element", shape: Shape, done: Reduced, member: str | None, names: Sequence[str]) -> Written:
    # Most expressions reduce nothing.
    from segcli.shapes.reduce.reduced_formula import write_reduction

    text, over = write_reduction(source, shape, done, member, names)
    return Written(_simplified(text), over)


def _computed(
    stages: Sequence[Stage],
    elements: Sequence["Element | None"],
    form: Formula,
    shape: Shape,
    library: str,
    names: Sequence[str],
) -> Written | None:
    inputs = stages[-1].inputs
    if any(read.at and not isinstance(inputs[read.operand].value, Tensor) for read in form.reads):
        # A list that NumPy makes an array of.
        return None
    # A left side of its own has no letters but those that it binds.
    shape = () if isinstance(form.left, str) and form.left else shape
    letters = _given_letters(form, names) or free_letters(len(shape) + len(form.bound), names)
    own = ["0" if axis in form.fixed else letter for axis, letter in enumerate(letters[: len(shape)])]
    places = {f"i{axis}": letter for axis, letter in enumerate(own)}
    places |= {f"k{number}": letter for number, letter in enumerate(letters[len(shape) :])}
    reads: list[str] = []
    for read in form.reads:
        source = _element(() if read.counts_back else elements, inputs[read.operand])
        reads.append(source.written([at.format(*reads, **places) for at in read.at]))
    if isinstance(form.left, Indexing):
        target = _indexed(_stored(stages, elements), stages[-1], form.left, library)
        left = target and target.written(own)
    else:
        left = form.left.format(*reads, **places) or (f"result[{', '.join(own)}]" if shape else "result")
    over = dict(zip(letters[len(shape) :], form.bound, strict=True))
    return Written(f"{left} {form.sign} {_simplified(form.body.format(*reads, **places))}", over) if left else None


def _simplified(text: str) -> str:
    """Leave out brackets right inside other brackets.

    Examples:
        >>> _simplified("sqrt((x[i] + y[i]))"), _simplified("((a) + (b))")
        ('sqrt(x[i] + y[i])', '((a) + (b))')
    """
    place = text.find("((")
    while place >= 0:
        inner = closing(text, place + 1)
        # A comma makes a tuple of what stands between them.
        if text[inner + 1 : inner + 2] == ")" and "," not in _outermost(text[place + 2 : inner]):
            text = text[:place] + text[place + 1 : inner] + text[inner + 1 :]
        place = text.find("((", place + 1)
    return text


def _stored(stages: Sequence[Stage], elements: Sequence["Element | None"]) -> "Element":
    """Return an element of what is written to, by the name that it is stored under; of a copy, by the copy's text."""
    item = stages[-1].inputs[0]
    place = item.stage
    while place is not None:
        done = stages[place].done
        if not isinstance(done, Indexing) or not done.view:
            return _element((), item)
        place = stages[place].inputs[0].stage
    return _element(elements, item)


def _given_letters(form: Formula, names: Sequence[str]) -> list[str]:
    """Return the letters that a formula brings along, free ones for axes without, or whose letter is a name."""
    given = [letter for letter in form.letters if len(letter) == 1]
    if not given:
        return []
    free = iter(free_letters(len(form.letters), [*names, *given]))
    return [letter if len(letter) == 1 and letter not in names else next(free) for letter in form.letters]


def free_letters(number: int, names: Sequence[str]) -> list[str]:
    """Return that many letters, none of them a name."""
    taken = set(names)
    numbered = (f"{letter}{turn}" for turn in count(1) for letter in _LETTERS)
    free = (letter for source in (_LETTERS, numbered) for letter in source if letter not in taken)
    return [next(free) for _ in range(number)]


def whole_element(text: str, ndim: int) -> Element:
    """Return the element of a name, or of an operation's text, with nothing done to it."""
    indices = ", ".join(f"{{{axis}}}" for axis in range(ndim))
    text = grouped(text)
    return Element(f"{text}[{indices}]" if ndim else text, ((0, 1),) * ndim, (True,) * ndim)


def _equation(shape: Shape, element: Element, names: Sequence[str]) -> Written:
    letters = free_letters(len(shape), names)
    left = f"result[{', '.join(letters)}]" if shape else "result"
    return Written(f"{left} = {_simplified(element.written(letters))}", {})


def _indexed(source: Element, stage: Stage, done: Indexing, library: str) -> Element | None:
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
