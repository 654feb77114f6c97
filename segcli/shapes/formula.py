"""Writes what an element of the result is: ``result[i, j, k] = src[a[i, j], b[i, j], k]``.

A formula is a template over the result's axes, ``src[a[{0}, {1}], b[{0}, {1}], {2}]``; the operations of an expression
put their coordinates into one another's templates. Right of ``=`` stands an expression of Python over the bound names,
``<words> over <letters> of <expression>``, or ``the <position> where <expression> is <word>``, so that a test can
evaluate it element by element.
"""

import re
from collections.abc import Sequence
from typing import cast

from segcli.shapes.computed import Computed, Formula, closing
from segcli.shapes.elements import Element, free_letters, index_element, whole_element
from segcli.shapes.indexing import Indexing
from segcli.shapes.records import record
from segcli.shapes.reduced import Reduced
from segcli.shapes.stages import Input, Stage
from segcli.shapes.values import Pair, Shape, Size, Tensor, Value

# A coordinate of the result, or 0.
_PLACE = re.compile(r"\{i[0-9]+\}|0")
# A name with its brackets, of which the closing ones are left.
_WHOLE = re.compile(r"[\w.\])]+")


@record(frozen=True, slots=True)
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
    if "{" in last.text or "}" in last.text:
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


def _picked(made: Stage, elements: Sequence[Element | None], member: str, names: Sequence[str]) -> Written:
    """Write one of the pair that a reduction gave: only reductions give pairs."""
    source, done = cast("Tensor", made.source), cast("Reduced", made.done)
    return _reduction(_element(elements, made.inputs[0]), source.shape, done, member, names)


def _made_by(stage: Stage, elements: Sequence[Element | None], library: str) -> Element | None:
    """Return how an element of what an operation gives is written, None where only its text says that."""
    done = stage.done
    if isinstance(done, Indexing):
        return index_element(_element(elements, stage.inputs[0]), stage, done, library)
    form = done.formula if isinstance(done, Computed) and isinstance(stage.result, Tensor) else None
    if form is None or not _is_elementwise(form) or not isinstance(stage.result, Tensor):
        return None
    places = {f"i{axis}": f"{{{axis}}}" for axis in range(len(stage.result.shape))}
    reads = []
    for read in form.reads:
        source = _element(elements, stage.inputs[read.operand])
        reads.append(source.written([at.format(**places) for at in read.at]))
    ndim = len(stage.result.shape)
    body = form.body.format(*reads)
    # An element, or a call of one, holds together by itself.
    text = body if _WHOLE.fullmatch(_outermost(body)) else f"({body})"
    return Element(text, ((0, 1),) * ndim, (True,) * ndim)


def _is_elementwise(form: Formula) -> bool:
    """Tell whether every coordinate that a formula reads is one of the result's, or 0: others do not nest."""
    if form.bound or form.fixed or form.left or form.letters or form.sign != "=" or "{i" in form.body:
        return False
    return all(_PLACE.fullmatch(at) for read in form.reads for at in read.at)


def _outermost(text: str) -> str:
    """Leave out what stands between brackets."""
    depth, kept = 0, ""
    for char in text:
        depth += (char in "([") - (char in ")]")
        kept += char if not depth else ""
    return kept


def _element(elements: Sequence[Element | None], item: Input) -> Element:
    """Return how an element of an input is written: by the operation that gave it, or as an element of its text."""
    found = elements[item.stage] if elements and item.stage is not None else None
    ndim = len(item.value.shape) if isinstance(item.value, Tensor) else 0
    return found or whole_element(item.text, ndim)


def _reduction(source: Element, shape: Shape, done: Reduced, member: str | None, names: Sequence[str]) -> Written:
    # Most expressions reduce nothing.
    from segcli.shapes.reduce.reduced_formula import write_reduction

    text, over = write_reduction(source, shape, done, member, names)
    return Written(_simplified(text), over)


def _computed(
    stages: Sequence[Stage],
    elements: Sequence[Element | None],
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
        target = index_element(_stored(stages, elements), stages[-1], form.left, library)
        left = target and target.written(own)
    else:
        left = form.left.format(*reads, **places) or (f"result[{', '.join(own)}]" if shape else "result")
    over = dict(zip(letters[len(shape) :], form.bound, strict=True))
    body = form.body.format(*reads, **places, left=left)
    return Written(f"{left} {form.sign} {_simplified(body)}", over) if left else None


def _simplified(text: str) -> str:
    """Leave out brackets right inside other brackets.

    Examples:
        >>> _simplified("sqrt((x[i] + y[i]))"), _simplified("((a) + (b))"), _simplified("x.any(())[0]")
        ('sqrt(x[i] + y[i])', '((a) + (b))', 'x.any(())[0]')
    """
    place = text.find("((")
    while place >= 0:
        inner = closing(text, place + 1)
        # A comma, or nothing, makes a tuple of what stands between them.
        inside = _outermost(text[place + 2 : inner])
        if text[inner + 1 : inner + 2] == ")" and inside and "," not in inside:
            text = text[:place] + text[place + 1 : inner] + text[inner + 1 :]
        place = text.find("((", place + 1)
    return text


def _stored(stages: Sequence[Stage], elements: Sequence[Element | None]) -> Element:
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


def _equation(shape: Shape, element: Element, names: Sequence[str]) -> Written:
    letters = free_letters(len(shape), names)
    left = f"result[{', '.join(letters)}]" if shape else "result"
    return Written(f"{left} = {_simplified(element.written(letters))}", {})
