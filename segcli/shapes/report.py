"""Explanations as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segcli.shapes.flows import Flows, follow, styled_expression, styled_formula, styled_shape
from segcli.shapes.indexing import axes_text
from segcli.shapes.labels import labelled
from segcli.shapes.result import Answer, Broadcast, Explanation, Failure, TraceStep
from segcli.shapes.text.nodes import Assign
from segcli.shapes.text.parse import parse
from segcli.shapes.text.scan import pointed
from segcli.shapes.values import Labels, Shape, format_sizes
from segcli.table import Cell, Column, Style, Styled, Table

if TYPE_CHECKING:
    from segcli.shapes.confirm import Confirmation, Found
    from segcli.shapes.examples import Examples

_NAMES = {"torch": "PyTorch", "numpy": "NumPy"}
_MAX_TOKEN = 28
# A trace that is longer nobody reads, and a terminal takes seconds for it.
_MAX_ROWS = 200
_STEP_COLUMNS = (Column("token"), Column("kind"), Column("takes"), Column("gives"), Column("what it does"))
_ANSWER_COLUMNS = (Column("library"), Column("shape"), Column("dtype"), Column("storage"), Column("bytes"))
_EXAMPLE_COLUMNS = (Column("expression"), Column("with"), Column("PyTorch"), Column("NumPy"))


def tables(result: Explanation) -> list[Table]:
    """Return an explanation: what and why, how advanced indices broadcast, and both libraries side by side."""
    flows = follow(result)
    made = [_steps(result, flows)]
    if result.formula is not None:
        made.append(_formula(result, result.formula, flows))
    made += [_broadcast(result, broadcast, flows) for broadcast in result.broadcasts if len(broadcast.rows) > 1]
    return [*made, _libraries(result, flows)]


def example_tables(result: "Examples") -> list[Table]:
    """Return the first example in full, and all others as rows."""
    first, *others = result.examples
    rows = [
        (example.expr, _bindings(example), _brief(example.torch), _brief(example.numpy) + _mark(example))
        for example in others
    ]
    notes = ("* NumPy gives something else. To see why: segcli shapes 'y[0, :, i]' y=2,3,4 i=2,",)
    return [*tables(first), Table("more examples", _EXAMPLE_COLUMNS, rows, notes)]


def confirmation_table(result: Explanation, confirmation: "Confirmation") -> Table:
    """Return what the installed PyTorch did beside what was explained."""
    # Not what follows a plus sign: how it was built says nothing about shapes.
    torch = f"torch {confirmation.version.partition('+')[0]}"
    verdict = {True: "agrees", False: "DISAGREES", None: "was not asked"}[confirmation.agrees]
    notes = [confirmation.why] if confirmation.why else []
    if confirmation.assumed:
        taken = ", ".join(f"{symbol} = {number}" for symbol, number in confirmation.assumed.items())
        notes.append(f"with {taken}")
    if confirmation.device == "meta" and confirmation.found is not None:
        notes.append("on the meta device, without values: the tensors are too large to make")
    flows = follow(result)
    rows = [_answer_row("segcli", result.torch, result, flows)]
    if confirmation.found is not None:
        rows.append(_found_row(torch, confirmation.found, result, flows))
    return Table(f"{torch} {verdict}", _ANSWER_COLUMNS, rows, notes)


def _found_row(name: str, found: "Found", result: Explanation, flows: Flows) -> tuple[Cell, ...]:
    if found.error is not None:
        return name, found.error[0], None, None, None
    answer = Answer(
        found.shape, found.dtype, found.view, found.members, None, None, found.bytes, found.type, found.value
    )
    return _answer_row(name, answer, result, flows)


def _steps(result: Explanation, flows: Flows) -> Table:
    lead = _NAMES[result.lead]
    notes = [] if result.answer.error is None else _failure_lines(result, result.answer.error)
    if result.formula is None:
        notes += _reasons(result)
    title = [*styled_expression(result, flows), ("  ->  ", ""), *_outcome(result, flows)]
    if result.lead == "numpy":
        title.append((f"  ({lead})", ""))
    rows = _step_rows(result, flows)
    if len(rows) > _MAX_ROWS:
        left_out = len(rows) - _MAX_ROWS
        rows[_MAX_ROWS // 2 : -_MAX_ROWS // 2] = [("...", None, None, None, f"{left_out:,} more; --json has them all")]
    return Table(Styled(title), _STEP_COLUMNS if rows else (), rows, notes)


def _step_rows(result: Explanation, flows: Flows) -> list[tuple[Cell, ...]]:
    return [_step_row(step, flows, several=result.steps[-1].stage > 0) for step in result.steps]


def trace_table(result: Explanation) -> Table:
    """Return the trace alone, every step of it."""
    return Table(result.expr, _STEP_COLUMNS, _step_rows(result, follow(result)))


def _formula(result: Explanation, formula: str, flows: Flows) -> Table:
    first, *others = (styled_formula(part, result, flows) for part in formula.split("; "))
    return Table(first, notes=[*others, *_reasons(result)])


def _reasons(result: Explanation) -> list[str]:
    # The same index may stand there twice.
    lines = list(dict.fromkeys(broadcast.why for broadcast in result.broadcasts if broadcast.why))
    lines += [f"needs {', '.join(result.needs)}"] if result.needs else []
    return lines + [f"note: {note}" for note in result.notes]


def _outcome(result: Explanation, flows: Flows) -> list[tuple[str, Style]]:
    answer = result.answer
    if answer.error is not None:
        return [(answer.error.type, "")]
    if answer.shape is None:
        return [(_plain(answer), "")]
    parts: list[tuple[str, Style]] = []
    for member in answer.members:
        parts += [
            (f"{', ' if parts else ''}{member.name} ", ""),
            *_styled_sizes(labelled(member.shape, answer.labels), flows),
        ]
        parts.append((f" {member.dtype}", ""))
    return parts or [
        *_styled_sizes(labelled(answer.shape, answer.labels), flows),
        (f"  {answer.dtype}, {'written ' if _writes(result) else ''}{_storage(answer, result)}", ""),
    ]


def _plain(answer: Answer) -> str:
    """Write what is no tensor, such as a shape."""
    if answer.value is None:
        return answer.type
    value = format_sizes(answer.value) if isinstance(answer.value, tuple) else str(answer.value)
    return f"{value}  {answer.type}"


def _styled_sizes(shape: Shape, flows: Flows) -> list[tuple[str, Style]]:
    styles = [flows.result(axis) for axis in range(len(shape))]
    return [("(", ""), *styled_shape(shape, styles), (",)" if len(shape) == 1 else ")", "")]


def _failure_lines(result: Explanation, error: Failure) -> list[str]:
    lines = [*pointed(result.expr, (error.start, error.end)).split("\n"), f"{error.type}: {error.message}"]
    if error.axis is not None:
        lines.append(f"at fault: {error.token}, on axis {error.axis}")
    return lines


def _step_row(step: TraceStep, flows: Flows, *, several: bool) -> tuple[Cell, ...]:
    taken, given = flows.taken(step), flows.given(step)
    token = Styled(((f"{step.stage + 1}  " if several else "", ""), (_brief_token(step.token), flows.token(step))))
    return (
        token,
        step.kind,
        _axes_cell(_named(step.takes, step.takes_labels), step.takes_sizes, taken),
        _axes_cell(_named(step.gives, step.gives_labels), step.gives_sizes, given),
        step.effect,
    )


def _brief_token(token: str) -> str:
    """Cut a long token in its middle: the expression above has all of it."""
    if len(token) <= _MAX_TOKEN:
        return token or "(rest)"
    return f"{token[: _MAX_TOKEN // 2 - 2]}...{token[-(_MAX_TOKEN // 2 - 2) :]}"


def _named(axes: Sequence[int], labels: Labels) -> list[int | str]:
    """Name axes by number, and by label where they have one."""
    pairs = zip(axes, labels or [None] * len(axes), strict=True)
    return [f"{axis} ({label})" if label else axis for axis, label in pairs]


def _axes_cell(axes: Sequence[int | str], sizes: Shape, styles: Sequence[Style]) -> Cell:
    if not axes:
        return "-"
    words = f"{axes_text(axes)}: "
    if len(set(styles)) == 1:
        return Styled(((words, styles[0]), *styled_shape(sizes, styles)))
    return Styled(((words, ""), *styled_shape(sizes, styles)))


def _broadcast(result: Explanation, broadcast: Broadcast, flows: Flows) -> Table:
    styles = [flows.made(broadcast.stage, axis) for axis in broadcast.axes]
    of_operands = broadcast.what == "operands"
    columns = [
        Column("operand" if of_operands else "index"),
        *(Column(f"axis {axis}", "count") for axis in broadcast.axes),
    ]
    rows = [(row.token, *_padded(row.shape, styles)) for row in broadcast.rows]
    if of_operands and broadcast.stage == flows.last and _writes(result):
        return Table("the value is broadcast to the place", columns, rows)
    together = ("together", *_padded(broadcast.shape, styles))
    return Table(f"{broadcast.what} broadcast together", columns, [*rows, together])


def _padded(shape: Shape, styles: Sequence[Style]) -> tuple[Cell, ...]:
    """Line sizes up at the right, as broadcasting does, each in the style of its axis."""
    missing = max(len(styles) - len(shape), 0)
    # A value that is written may have more axes, of size 1, than the place.
    sizes = zip(shape[max(len(shape) - len(styles), 0) :], styles[missing:], strict=True)
    return (*("" for _ in range(missing)), *(Styled(((str(size), style),)) for size, style in sizes))


def _libraries(result: Explanation, flows: Flows) -> Table:
    order = ("numpy", "torch") if result.lead == "numpy" else ("torch", "numpy")
    answers = {"torch": result.torch, "numpy": result.numpy}
    rows = [_answer_row(_NAMES[name], answers[name], result, flows) for name in order]
    other = answers[order[1]]
    notes = []
    if other.error is not None:
        notes.append(f"{_NAMES[order[1]]}: {other.error.type}: {other.error.message}")
    if result.differs:
        notes.append(f"they differ: {result.differs}")
    if result.rewrite is not None:
        what = "the same in both" if result.torch.error is None else "works in PyTorch"
        notes.append(f"{what}: {result.rewrite}")
    return Table("PyTorch and NumPy" if order[0] == "torch" else "NumPy and PyTorch", _ANSWER_COLUMNS, rows, notes)


def _answer_row(name: str, answer: Answer, result: Explanation, flows: Flows) -> tuple[Cell, ...]:
    if answer.error is not None:
        return name, answer.error.type, None, None, None
    if answer.shape is None:
        return name, _plain(answer), None, None, None
    if answer.members:
        shapes: list[tuple[str, Style]] = []
        for member in answer.members:
            shapes.append((f"{', ' if shapes else ''}{member.name} ", ""))
            shapes += _styled_like(member.shape, answer, result, flows)
        dtypes = dict.fromkeys(member.dtype for member in answer.members)
        return name, Styled(shapes), ", ".join(dtypes), _storage(answer, result), None
    shape = Styled(_styled_like(answer.shape, answer, result, flows))
    return name, shape, answer.dtype, _storage(answer, result), _bytes(answer)


def _styled_like(shape: Shape, answer: Answer, result: Explanation, flows: Flows) -> list[tuple[str, Style]]:
    """Give sizes the styles that they have in the leading library's shape, where it is clear which are which."""
    if answer is result.answer:
        return _styled_sizes(shape, flows)
    leading = result.answer.shape or ()
    sizes = {size: flows.result(axis) for axis, size in enumerate(leading)}
    clear = len(sizes) == len(leading) and len(set(shape)) == len(shape)
    if shape == leading and (clear or not result.differs):
        return _styled_sizes(shape, flows)
    parts = styled_shape(shape, [sizes.get(size, "") if clear else "" for size in shape])
    return [("(", ""), *parts, (",)" if len(shape) == 1 else ")", "")]


def _bytes(answer: Answer) -> str | None:
    return f"{answer.bytes:,}" if isinstance(answer.bytes, int) else answer.bytes


def _shape(answer: Answer) -> str:
    return format_sizes(answer.shape or ())


def _storage(answer: Answer, result: Explanation) -> str:
    """Say where the result is stored; of an assignment, what is written to."""
    if _writes(result):
        return "in place" if answer.view else "to a copy"
    return {True: "view", False: "copy", None: "view or copy"}[answer.view]


def _writes(result: Explanation) -> bool:
    return isinstance(parse(result.expr), Assign)


def _brief(answer: Answer) -> str:
    if answer.error is not None:
        return answer.error.type
    if answer.members:
        return " ".join(format_sizes(member.shape) for member in answer.members)
    return _shape(answer)


def _mark(example: Explanation) -> str:
    return "" if example.same else " *"


def _bindings(example: Explanation) -> str:
    return " ".join(f"{name}={spec}" for name, spec in example.bind.items())
