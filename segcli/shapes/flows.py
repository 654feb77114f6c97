"""Follows each axis from the source through every operation to the result, so that it can be shown in one colour."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from segcli.shapes.result import Explanation, TraceStep
from segcli.shapes.values import Shape
from segcli.table import AXIS_STYLES, Style, Styled

# An axis where it stands: after how many operations, and which it is there.
_Place = tuple[int, int]
_LETTER = re.compile(r"\b[ijklmnpqrstuvw][0-9]*\b")


@dataclass(frozen=True, slots=True)
class Flows:
    """Which axes are one dimension on its way.

    Axes that an advanced index takes and gives flow together: each of its positions holds one place in all of them.

    Attributes:
        stages: The operations' numbers in the trace.
        styles: The style of every axis that reaches the result; the others are gone.
    """

    stages: tuple[int, ...]
    styles: Mapping[_Place, Style]

    def taken(self, step: TraceStep) -> list[Style]:
        """Return the styles of the axes that a step takes."""
        place = self.stages.index(step.stage)
        return [self.styles.get((place, axis), "gone") for axis in step.takes]

    def given(self, step: TraceStep) -> list[Style]:
        """Return the styles of the axes that a step gives."""
        place = self.stages.index(step.stage) + 1
        return [self.styles.get((place, axis), "gone") for axis in step.gives]

    def token(self, step: TraceStep) -> Style:
        """Return the style of a step's token: that of the axes that it gives, where they share one."""
        styles = set(self.given(step)) or {"gone"}
        return styles.pop() if len(styles) == 1 else ""

    def result(self, axis: int) -> Style:
        """Return the style of an axis of the result."""
        return self.styles.get((len(self.stages), axis), "")


def follow(result: Explanation) -> Flows:
    """Follow the axes of the leading library's trace, from the result back to the source."""
    stages = tuple(dict.fromkeys(step.stage for step in result.steps))
    if result.answer.shape is None:
        return Flows(stages, {})
    advanced = {broadcast.stage: broadcast.axes for broadcast in result.broadcasts}
    joined: dict[_Place, _Place] = {}
    ndim = len(result.answer.shape)
    for place in reversed(range(len(stages))):
        steps = [step for step in result.steps if step.stage == stages[place]]
        ndim = _join(joined, place, steps, ndim, advanced.get(stages[place], ()))
    heads = dict.fromkeys(_head(joined, (len(stages), axis)) for axis in range(len(result.answer.shape)))
    style = {head: AXIS_STYLES[number % len(AXIS_STYLES)] for number, head in enumerate(heads)}
    places = {*joined, *joined.values(), *((len(stages), axis) for axis in range(len(result.answer.shape)))}
    return Flows(stages, {place: style[head] for place in places if (head := _head(joined, place)) in style})


def _join(
    joined: dict[_Place, _Place], place: int, steps: Sequence[TraceStep], ndim: int, advanced: tuple[int, ...]
) -> int:
    """Join the axes before an operation with those after it; return how many there are before it."""
    taken = {axis for step in steps for axis in step.takes}
    given = {axis for step in steps for axis in step.gives}
    left = [axis for axis in range(ndim) if axis not in given]
    before = len(taken) + len(left)
    passing = [axis for axis in range(before) if axis not in taken]
    for one, other in zip(passing, left, strict=False):
        _unite(joined, (place, one), (place + 1, other))
    for step in steps:
        ends = [(place + 1, axis) for axis in step.gives]
        starts = [(place, axis) for axis in step.takes]
        if len(starts) == len(ends) and step.gives != advanced:
            for start, end in zip(starts, ends, strict=True):
                _unite(joined, start, end)
        elif ends:
            for axis in (*ends, *starts):
                _unite(joined, axis, ends[0])
    return before


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
        styles[step.end - len(step.token) : step.end] = [flows.token(step)] * len(step.token)
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
    left = formula.partition(" = ")[0].partition("[")[2].removesuffix("]").split(", ")
    styles: dict[str, Style] = {letter: flows.result(axis) for axis, letter in enumerate(left)}
    parts: list[tuple[str, Style]] = []
    place = 0
    for found in _LETTER.finditer(formula):
        if found[0] in result.bind:
            continue
        parts += [(formula[place : found.start()], ""), (found[0], styles.get(found[0], "gone"))]
        place = found.end()
    return Styled((*parts, (formula[place:], "")))
