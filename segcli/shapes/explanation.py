"""Explains an expression: parses it, binds its names, lets both libraries' rules answer, compares the answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.shapes.answering import answer_with
from segcli.shapes.computed import Computed
from segcli.shapes.differences import Case, is_same, name_difference
from segcli.shapes.evaluate import NUMPY, TORCH, evaluate
from segcli.shapes.formula import Written, write_formula
from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.reduced import Reduced
from segcli.shapes.result import UNKNOWN, Answer, Broadcast, BroadcastRow, Explanation, Failure, TraceStep
from segcli.shapes.rewrite import propose_rewrite
from segcli.shapes.stages import Evaluation, Library, Stage
from segcli.shapes.symbols import strongest
from segcli.shapes.text.file_spec import describe
from segcli.shapes.text.names import bind as bind_names
from segcli.shapes.text.names import size_names
from segcli.shapes.text.nodes import Node
from segcli.shapes.text.parse import parse
from segcli.shapes.values import Pair, Parts, RaisedError, Shape, Tensor, Value

LIBRARIES = {"torch": TORCH, "numpy": NUMPY}


@dataclass(frozen=True, slots=True)
class Told:
    """One library's answer with how it came about."""

    answer: Answer
    result: Value
    state: Evaluation


def explain(expr: str, bind: Mapping[str, str] | None = None, *, lead: str = "torch") -> Explanation:
    """Say what shape an expression has, in PyTorch and in NumPy, and why.

    Nothing is executed, and neither library is imported.

    Args:
        expr: Indexing and reductions of bound names, such as ``src[a, b, :].sum(dim=0)``.
        bind: A SPEC a name: a shape (``8,16,3``, ``N,3,H,W``, ``h:8,w:16``), a dtype and a shape (``bool:8,16#37``), a
            literal (``[0,2]``), or a tensor in a file (``@model.pth:head.weight``).
        lead: The library whose trace and formula are given: ``torch`` or ``numpy``.

    Returns:
        The explanation. A library that would raise is an answer too, not an exception here.

    Raises:
        SegcliError: For an expression that cannot be parsed or is not supported, a bad SPEC, or an unbound name.

    Source: the rules of PyTorch 2.13 and NumPy 2.4.

    Examples:
        >>> explanation = explain("src[a, b, :]", {"src": "8,16,3", "a": "4,5", "b": "4,5"})
        >>> explanation.torch.shape, explanation.same
        ((4, 5, 3), True)
        >>> explanation.formula
        'result[i, j, k] = src[a[i, j], b[i, j], k]'
    """
    specs = _checked(expr, bind or {})
    if lead not in LIBRARIES:
        message = f"unknown library {lead!r}, expected torch or numpy"
        raise SegcliError(message)
    node = parse(expr)
    bindings = bind_names(expr, node, specs)
    told = {lead: tell(expr, node, bindings, LIBRARIES[lead])}
    told |= {name: _ask(expr, node, bindings, library) for name, library in LIBRARIES.items() if name != lead}
    torch, numpy, leading = told["torch"], told["numpy"], told[lead]
    case = Case(torch.answer, numpy.answer, torch.state.rules, numpy.state.rules, numpy.state.lacking)
    formula: Written | None = None
    if leading.answer.error is None:
        formula = write_formula(leading.state.stages, leading.result, lead, [*specs, *size_names(bindings)])
    return Explanation(
        expr=expr,
        bind=specs,
        lead=lead,
        torch=torch.answer,
        numpy=numpy.answer,
        same=is_same(torch.answer, numpy.answer),
        view=leading.answer.view,
        formula=formula.text if formula else None,
        over=formula.over if formula else {},
        steps=tuple(step for stage in leading.state.stages for step in _trace(stage)),
        broadcasts=tuple(_broadcasts(leading.state.stages)),
        needs=strongest(leading.state.needs),
        differs=name_difference(case),
        notes=(*_spec_notes(specs, bindings), *_notes(torch, numpy, leading)),
        rewrite=_mended(expr, node, bindings, torch) or _rewrite(expr, node, bindings, torch, numpy),
    )


def _checked(expr: object, bind: Mapping[str, object]) -> dict[str, str]:
    """Refuse what is no text: a shape is written as one."""
    for name, value in {"the expression": expr, **bind}.items():
        if not isinstance(value, str):
            message = f"{name} is {type(value).__name__} {str(value)[:40]}, expected text"
            raise SegcliError(message, hint='explain("x[0]", {"x": "8,16,3"})')
    return {name: str(value) for name, value in bind.items()}


def tell(expr: str, node: Node, bindings: Mapping[str, Value], library: Library) -> Told:
    """Let one library's rules answer.

    Args:
        expr: The expression.
        node: Its tree.
        bindings: What its names stand for.
        library: Whose rules hold.
    """
    state = Evaluation(expr, bindings, library)
    try:
        result = evaluate(state, node)
    except RaisedError as error:
        start, end = error.span
        failure = Failure(error.kind, error.message, expr[start:end], start, end, error.axis)
        return Told(Answer(None, None, None, (), failure), None, state)
    return Told(answer_with(result, library.name, view=_is_view(state)), result, state)


def _ask(expr: str, node: Node, bindings: dict[str, Value], library: Library) -> Told:
    """Let the other library answer; what segcli does not know of it is no reason to say nothing of the first."""
    try:
        return tell(expr, node, bindings, library)
    except SegcliError as error:
        failure = Failure(UNKNOWN, error.message.partition("\n")[0], expr, 0, len(expr), None)
        return Told(Answer(None, None, None, (), failure), None, Evaluation(expr, bindings, library))


def _mended(expr: str, node: Node, bindings: dict[str, Value], torch: Told) -> str | None:
    """Return an expression that works in PyTorch, where this one raises."""
    if torch.answer.error is None:
        return None
    # Most expressions raise nothing.
    from segcli.shapes.mending import propose

    works = {each: axes for each in propose(expr, node, torch.answer.error) if (axes := _axes_of(each, bindings)) >= 0}
    # Of several, the one that makes nothing larger than it must be.
    return min(works, key=works.__getitem__, default=None)


def _axes_of(candidate: str, bindings: dict[str, Value]) -> int:
    """Return how many axes a candidate's result has in PyTorch, -1 where it raises."""
    try:
        answer = tell(candidate, parse(candidate), bindings, TORCH).answer
    except SegcliError:
        return -1
    return -1 if answer.error is not None else len(answer.shape or ())


def _rewrite(expr: str, node: Node, bindings: dict[str, Value], torch: Told, numpy: Told) -> str | None:
    """Return an expression that both libraries read as PyTorch reads this one, where NumPy does not."""
    if not isinstance(torch.result, Tensor) or torch.answer.shape == numpy.answer.shape:
        return None
    candidate = propose_rewrite(expr, node, bindings)
    if candidate is None:
        return None
    tree = parse(candidate)
    # NumPy first: where it stays with its own answer, PyTorch need not be asked.
    agree = all(_shape_in(candidate, tree, bindings, library) == torch.result.shape for library in (NUMPY, TORCH))
    return candidate if agree else None


def _shape_in(expr: str, node: Node, bindings: dict[str, Value], library: Library) -> Shape | None:
    return tell(expr, node, bindings, library).answer.shape


def _is_view(state: Evaluation) -> bool | None:
    """Tell whether storage is shared all the way: no operation on the way to the result copies; None if one may."""
    known = True
    place: int | None = len(state.stages) - 1
    while place is not None and place >= 0:
        stage = state.stages[place]
        if isinstance(stage.done, str | Reduced) or stage.done.view is False:
            return False
        known = known and stage.done.view is not None
        place = stage.inputs[0].stage
    return True if known else None


def _trace(stage: Stage) -> list[TraceStep]:
    if isinstance(stage.done, str):
        return []
    steps = (stage.done.step,) if isinstance(stage.done, Reduced) else stage.done.steps
    traced = [_traced(stage, step) for step in steps]
    return traced + ([rest] if isinstance(stage.done, Reduced) and (rest := _passing(stage, stage.done)) else [])


def _passing(stage: Stage, done: Reduced) -> TraceStep | None:
    """Return the step of the axes that a reduction leaves alone."""
    if not isinstance(stage.source, Tensor) or (done.flat and done.dims):
        return None
    takes = tuple(axis for axis in range(len(stage.source.shape)) if axis not in done.dims)
    gives = tuple(axis for axis in range(len(done.shape)) if not done.keepdim or axis not in done.dims)
    if not takes or len(takes) != len(gives):
        return None
    return _traced(stage, Step(done.step.stage, "", (0, 0), "not reduced", takes, gives, "kept"))


def _traced(stage: Stage, step: Step) -> TraceStep:
    source = stage.inputs[step.operand]
    taken, given = _axes(source.value), _axes(stage.result)
    # A list that NumPy makes an array of shows no axes of its own.
    takes = step.takes if isinstance(source.value, Tensor | Pair | Parts) else ()
    return TraceStep(
        stage=step.stage,
        on=source.text,
        operand=step.operand,
        source=source.stage,
        token=step.token,
        start=step.span[0],
        end=step.span[1],
        kind=step.kind,
        takes=takes,
        takes_sizes=tuple(taken.shape[axis] for axis in takes),
        gives=step.gives,
        gives_sizes=tuple(given.shape[axis] for axis in step.gives),
        effect=step.effect,
        takes_labels=tuple(taken.labels[axis] for axis in takes) if taken.labels else (),
        gives_labels=tuple(given.labels[axis] for axis in step.gives) if given.labels else (),
    )


def _axes(value: Value) -> Tensor:
    """Return the tensor whose axes a step is about; of several the first."""
    match value:
        case Tensor():
            return value
        case Pair():
            return value.values
        case Parts(runs) if runs:
            return runs[0].tensor
        case _:
            return Tensor((), "", "")


def _broadcasts(stages: list[Stage]) -> list[Broadcast]:
    found = []
    for number, stage in enumerate(stages):
        done = stage.done
        if isinstance(done, Indexing) and done.broadcast is not None:
            rows = tuple(BroadcastRow(operand.item.text, operand.shape) for operand in done.operands)
            found.append(Broadcast(number, rows, done.broadcast, done.landing, done.why))
        elif isinstance(done, Computed) and (done.rows or done.why):
            rows = tuple(BroadcastRow(token, shape) for token, shape in done.rows)
            axes = tuple(range(len(done.broadcast)))
            found.append(Broadcast(number, rows, done.broadcast, axes, done.why, "operands"))
    return found


def _spec_notes(specs: Mapping[str, str], bindings: Mapping[str, Value]) -> list[str]:
    """Say what files hold, and of numbers that they are no shapes: the two are one comma apart."""
    files = [
        describe(value, specs[name])
        for name, value in bindings.items()
        if isinstance(value, Tensor) and specs[name].lstrip().startswith("@")
    ]
    return files + [
        f"{name}={specs[name]} is the number {value}; a tensor of that size is {name}={specs[name]},"
        for name, value in bindings.items()
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0
    ]


def _notes(torch: Told, numpy: Told, leading: Told) -> tuple[str, ...]:
    notes = list(torch.state.notes)
    error = torch.answer.error
    if error is not None and error.axis is not None and leading is torch:
        named = re.search(r"for dimension (-?[0-9]+) with|tensor \[.*\] at index ([0-9]+)$", error.message)
        dimension = int(named[1] or named[2]) if named else error.axis
        if dimension != error.axis:
            notes.append(f"PyTorch's message says {dimension}, but it is axis {error.axis} that is at fault")
    if re.search(r"\b(?:keep)?dim\s*=", torch.state.expr) and not numpy.state.lacking:
        notes.append("for NumPy, dim= is read as axis=, and keepdim= as keepdims=")
    if leading is numpy:
        notes += numpy.state.notes
    notes += [f"for NumPy, {name} is read as {meaning}" for name, meaning in numpy.state.read_as.items()]
    return tuple(dict.fromkeys(notes))
