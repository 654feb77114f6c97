"""Follows each axis from the source through every operation to the result, so that it can be shown in one colour."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from segcli.shapes.records import record
from segcli.shapes.result import Explanation, TraceStep
from segcli.shapes.values import Shape
from segcli.table import AXIS_STYLES, Style, Styled

# An axis of an operation's result, or of a named tensor where an operation takes it: operation, input (-1 for the
# result), axis.
_Place = tuple[int, int, int]
_LETTER = re.compile(r"\b[ijklmnpqrstuvw][0-9]*\b")


@record(frozen=True, slots=True)
class Flows:
    """Which axes are one dimension on its way.

    Axes that an advanced index takes and gives flow together: each of its positions holds one place in all of them.

    Attributes:
        last: The operation that gives the result.
        styles: The style of every axis that reaches the result; the others are gone.
    """

    last: int
    styles: Mapping[_Place, Style]

    def taken(self, step: TraceStep) -> list[Style]:
        """Return the styles of the axes that a step takes."""
        return [self.styles.get(_taken(step, axis), "gone") for axis in step.takes]

    def given(self, step: TraceStep) -> list[Style]:
        """Return the styles of the axes that a step gives."""
        return [self.made(step.stage, axis) for axis in step.gives]

    def token(self, step: TraceStep) -> Style:
        """Return the style of a step's token: that of the axes that it gives, where they share one."""
        styles = set(self.given(step)) or {"gone"}
        return styles.pop() if len(styles) == 1 else ""

    def made(self, stage: int, axis: int) -> Style:
        """Return the style of an axis that an operation gives."""
        return self.styles.get((stage, -1, axis), "gone")

    def result(self, axis: int) -> Style:
        """Return the style of an axis of the result."""
        return self.styles.get((self.last, -1, axis), "")


def _taken(step: TraceStep, axis: int) -> _Place:
    return (step.stage, step.operand, axis) if step.source is None else (step.source, -1, axis)


def follow(result: Explanation) -> Flows:
    """Follow the axes of the leading library's trace, from the sources to the result."""
    last = max((step.stage for step in result.steps), default=0)
    if result.answer.shape is None:
        return Flows(last, {})
    advanced = {each.stage: each.axes for each in result.broadcasts if each.what == "advanced indices"}
    joined: dict[_Place, _Place] = {}
    ends = [(last, -1, axis) for axis in range(len(result.answer.shape))]
    for step in reversed(result.steps):
        _join(joined, step, advanced.get(step.stage, ()))
    heads = dict.fromkeys(_head(joined, end) for end in ends)
    style = {head: AXIS_STYLES[number % len(AXIS_STYLES)] for number, head in enumerate(heads)}
    places = {*joined, *joined.values(), *ends}
    return Flows(last, {place: style[head] for place in places if (head := _head(joined, place)) in style})


def _join(joined: dict[_Place, _Place], step: TraceStep, advanced: tuple[int, ...]) -> None:
    """Join the axes that a step takes with those that it gives."""
    starts = [_taken(step, axis) for axis in step.takes]
    ends = [(step.stage, -1, axis) for axis in step.gives]
    if len(starts) == len(ends) and step.gives != advanced:
        for start, end in zip(starts, ends, strict=True):
            _unite(joined, start, end)
    elif ends:
        for axis in (*ends, *starts):
            _unite(joined, axis, ends[0])


def _head(joined: Mapping[_Place, _Place], place: _Place) -> _Place:
    while place in joined:
        place = joined[place]
    return place


def _unite(joined: dict[_Place, _Place], one: _Place, other: _Place) -> None:
    head, new = _head(joined, one), _head(joined, other)
    if head != new:
        joined[head] = new


def styled_expression(result: Explanation, flows: Flows) -> list[tuple[str, Style]]:
    """Return the expression, each token in the style of the axes that it gives."""
    styles: list[Style] = [""] * len(result.expr)
    # What stands inside another token comes after it.
    for step in sorted(result.steps, key=lambda step: -len(step.token)):
        # A method's token is the end of its span; one of several tensors has a longer token than its span.
        start = max(step.start, step.end - len(step.token))
        styles[start : step.end] = [flows.token(step)] * (step.end - start)
    runs = groupby(zip(result.expr, styles, strict=True), key=itemgetter(1))
    return [("".join(char for char, _ in run), style) for style, run in runs]


def styled_shape(shape: Shape, styles: Sequence[Style]) -> list[tuple[str, Style]]:
    """Return sizes, each in its style, with commas between."""
    parts: list[tuple[str, Style]] = []
    for size, style in zip(shape, styles, strict=True):
        if parts:
            parts.append((", ", ""))
        parts.append((str(size), style))
    return parts


def styled_formula(formula: str, result: Explanation, flows: Flows) -> Styled:
    """Return a formula, each letter in the style of the result's axis that it walks."""
    left = formula.partition(" = ")[0].partition("[")[2]
    if formula.startswith("result"):
        letters = left.removesuffix("]").split(", ")
    else:
        # What an assignment writes to: the letters of its region, in their order.
        letters = sorted({letter for letter in _LETTER.findall(left) if letter not in result.bind})
    styles: dict[str, Style] = {letter: flows.result(axis) for axis, letter in enumerate(letters)}
    parts: list[tuple[str, Style]] = []
    place = 0
    for found in _LETTER.finditer(formula):
        if found[0] in result.bind:
            continue
        parts += [(formula[place : found.start()], ""), (found[0], styles.get(found[0], "gone"))]
        place = found.end()
    return Styled((*parts, (formula[place:], "")))
