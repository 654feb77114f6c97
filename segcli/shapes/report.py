"""Explanations as tables."""

from collections.abc import Sequence
from textwrap import wrap

from segcli.shapes.examples import Examples
from segcli.shapes.indexing import axes_text
from segcli.shapes.result import Answer, Broadcast, Explanation, Failure, TraceStep
from segcli.shapes.scan import pointed
from segcli.shapes.values import format_sizes
from segcli.table import Cell, Column, Table

_NAMES = {"torch": "PyTorch", "numpy": "NumPy"}
_STEP_COLUMNS = (Column("token"), Column("kind"), Column("takes"), Column("gives"), Column("what it does"))
_ANSWER_COLUMNS = (Column("library"), Column("shape"), Column("dtype"), Column("storage"))
# Prose is wrapped here: a terminal would break it within words.
_WIDTH = 98
_EXAMPLE_COLUMNS = (Column("expression"), Column("with"), Column("PyTorch"), Column("NumPy"))


def tables(result: Explanation) -> list[Table]:
    """Return an explanation: what and why, how advanced indices broadcast, and both libraries side by side."""
    made = [_steps(result)]
    if result.formula is not None:
        made.append(_formula(result, result.formula))
    made += [_broadcast(broadcast) for broadcast in result.broadcasts if len(broadcast.rows) > 1]
    return [*made, _libraries(result)]


def example_tables(result: Examples) -> list[Table]:
    """Return the first example in full, and all others as rows."""
    first, *others = result.examples
    rows = [
        (example.expr, _bindings(example), _brief(example.torch), _brief(example.numpy) + _mark(example))
        for example in others
    ]
    notes = ("* differs from the other library. Ask for the reason: segcli shapes 'y[0, :, i]' y=2,3,4 i=2,",)
    return [*tables(first), Table("more, by PyTorch and by NumPy", _EXAMPLE_COLUMNS, rows, notes)]


def _steps(result: Explanation) -> Table:
    lead = _NAMES[result.lead]
    notes = [] if result.answer.error is None else _failure_lines(result, result.answer.error)
    if result.formula is None:
        notes += _reasons(result)
    title = f"{result.expr}  ->  {_outcome(result.answer)}"
    if result.lead == "numpy":
        title += f"  ({lead})"
    rows = [_step_row(step, several=result.steps[-1].stage > 0) for step in result.steps]
    return Table(title, _STEP_COLUMNS if rows else (), rows, notes)


def _formula(result: Explanation, formula: str) -> Table:
    first, *others = formula.split("; ")
    return Table(first, notes=[*others, *_reasons(result)])


def _reasons(result: Explanation) -> list[str]:
    lines = [broadcast.why for broadcast in result.broadcasts]
    lines += [f"needs {need}" for need in result.needs]
    lines += [f"note: {note}" for note in result.notes]
    return [part for line in lines for part in _wrapped(line)]


def _wrapped(line: str) -> list[str]:
    return wrap(line, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _outcome(answer: Answer) -> str:
    if answer.error is not None:
        return answer.error.type
    if answer.members:
        return ", ".join(f"{member.name} {format_sizes(member.shape)} {member.dtype}" for member in answer.members)
    return f"{_shape(answer)}  {answer.dtype}, {_storage(answer)}"


def _failure_lines(result: Explanation, error: Failure) -> list[str]:
    lines = [*pointed(result.expr, (error.start, error.end)).split("\n"), f"{error.type}: {error.message}"]
    if error.axis is not None:
        lines.append(f"at fault: {error.token}, on axis {error.axis}")
    return lines


def _step_row(step: TraceStep, *, several: bool) -> tuple[Cell, ...]:
    token = step.token or "(rest)"
    if several:
        token = f"{step.stage + 1}  {token}"
    takes = f"{axes_text(step.takes)}: {_sizes(step.takes_sizes)}" if step.takes else "-"
    gives = f"{axes_text(step.gives)}: {_sizes(step.gives_sizes)}" if step.gives else "-"
    return token, step.kind, takes, gives, step.effect


def _sizes(sizes: Sequence[int | str]) -> str:
    return ", ".join(map(str, sizes))


def _broadcast(broadcast: Broadcast) -> Table:
    width = len(broadcast.shape)
    columns = [Column("index"), *(Column(f"axis {axis}", "count") for axis in broadcast.axes)]
    rows = [(row.token, *_padded(row.shape, width)) for row in broadcast.rows]
    return Table(
        "advanced indices broadcast together", columns, [*rows, ("together", *_padded(broadcast.shape, width))]
    )


def _padded(shape: Sequence[int | str], width: int) -> tuple[Cell, ...]:
    """Line sizes up at the right, as broadcasting does."""
    return (*("" for _ in range(width - len(shape))), *shape)


def _libraries(result: Explanation) -> Table:
    order = ("numpy", "torch") if result.lead == "numpy" else ("torch", "numpy")
    answers = {"torch": result.torch, "numpy": result.numpy}
    rows = [_answer_row(_NAMES[name], answers[name]) for name in order]
    other = answers[order[1]]
    notes = []
    if other.error is not None:
        notes.append(f"{_NAMES[order[1]]}: {other.error.type}: {other.error.message}")
    if result.differs:
        notes.append(f"they differ: {result.differs}")
    if result.rewrite is not None:
        notes.append(f"the same in both: {result.rewrite}")
    notes = [part for note in notes for part in _wrapped(note)]
    return Table("PyTorch and NumPy" if order[0] == "torch" else "NumPy and PyTorch", _ANSWER_COLUMNS, rows, notes)


def _answer_row(name: str, answer: Answer) -> tuple[Cell, ...]:
    if answer.error is not None:
        return name, answer.error.type, None, None
    if answer.members:
        shapes = ", ".join(f"{member.name} {format_sizes(member.shape)}" for member in answer.members)
        return name, shapes, ", ".join(member.dtype for member in answer.members), "copy"
    return name, _shape(answer), answer.dtype, _storage(answer)


def _shape(answer: Answer) -> str:
    return format_sizes(answer.shape or ())


def _storage(answer: Answer) -> str:
    return "view" if answer.view else "copy"


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
