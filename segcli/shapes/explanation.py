"""Explains an expression: parses it, binds its names, lets both libraries' rules answer, compares the answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.shapes.differences import Case, is_same, name_difference
from segcli.shapes.evaluate import NUMPY, TORCH, evaluate
from segcli.shapes.file_spec import describe
from segcli.shapes.formula import write_formula
from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.names import bind as bind_names
from segcli.shapes.names import size_names
from segcli.shapes.nodes import Node
from segcli.shapes.parse import parse
from segcli.shapes.reductions import LACKING, Reduced
from segcli.shapes.result import Answer, Broadcast, BroadcastRow, Explanation, Failure, Member, TraceStep
from segcli.shapes.rewrite import propose_rewrite
from segcli.shapes.stages import Evaluation, Library, Stage
from segcli.shapes.symbols import strongest
from segcli.shapes.values import Pair, RaisedError, Shape, Tensor, Value

LIBRARIES = {"torch": TORCH, "numpy": NUMPY}


@dataclass(frozen=True, slots=True)
class Told:
    """One library's answer with how it came about."""

    answer: Answer
    result: Tensor | Pair | None
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
    specs = dict(bind or {})
    if lead not in LIBRARIES:
        message = f"unknown library {lead!r}, expected torch or numpy"
        raise SegcliError(message)
    node = parse(expr)
    bindings = bind_names(expr, node, specs)
    told = {name: tell(expr, node, bindings, library) for name, library in LIBRARIES.items()}
    torch, numpy, leading = told["torch"], told["numpy"], told[lead]
    case = Case(torch.answer, numpy.answer, torch.state.rules, numpy.state.rules)
    formula = None
    if leading.result is not None:
        formula = write_formula(leading.state.stages, leading.result, lead, [*specs, *size_names(bindings)])
    return Explanation(
        expr=expr,
        bind=specs,
        lead=lead,
        torch=torch.answer,
        numpy=numpy.answer,
        same=is_same(torch.answer, numpy.answer),
        view=leading.answer.view,
        formula=formula,
        steps=tuple(step for stage in leading.state.stages for step in _trace(stage)),
        broadcasts=tuple(_broadcasts(leading.state.stages)),
        needs=strongest(leading.state.needs),
        differs=name_difference(case),
        notes=(*_spec_notes(specs, bindings), *_notes(torch, leading)),
        rewrite=None if torch.answer.shape == numpy.answer.shape else _rewrite(expr, node, bindings, torch),
    )


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
    members: tuple[Member, ...] = ()
    first = result
    if isinstance(first, Pair):
        members = tuple(
            Member(name, tensor.shape, tensor.dtype)
            for name, tensor in (("values", first.values), ("indices", first.indices))
        )
        first = first.values
    answer = Answer(first.shape, first.dtype, _is_view(state), members, None, first.labels or None)
    return Told(answer, result, state)


def _rewrite(expr: str, node: Node, bindings: dict[str, Value], torch: Told) -> str | None:
    """Return an expression that both libraries read as PyTorch reads this one, where NumPy does not."""
    if not isinstance(torch.result, Tensor):
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


def _is_view(state: Evaluation) -> bool:
    """Tell whether storage is shared all the way: no operation of the chain copies."""
    return all(isinstance(stage.done, Indexing) and stage.done.view for stage in state.stages)


def _trace(stage: Stage) -> list[TraceStep]:
    if isinstance(stage.done, str) or isinstance(stage.source, Pair):
        return []
    steps = stage.done.steps if isinstance(stage.done, Indexing) else (stage.done.step,)
    return [_traced(stage, step, stage.source, stage.done) for step in steps]


def _traced(stage: Stage, step: Step, source: Tensor, done: Indexing | Reduced) -> TraceStep:
    first = stage.result.values if isinstance(stage.result, Pair) else stage.result
    return TraceStep(
        stage=step.stage,
        on=stage.base,
        token=step.token,
        start=step.span[0],
        end=step.span[1],
        kind=step.kind,
        takes=step.takes,
        takes_sizes=tuple(source.shape[axis] for axis in step.takes),
        gives=step.gives,
        gives_sizes=tuple(done.shape[axis] for axis in step.gives),
        effect=step.effect,
        takes_labels=tuple(source.labels[axis] for axis in step.takes) if source.labels else (),
        gives_labels=tuple(first.labels[axis] for axis in step.gives) if first.labels else (),
    )


def _broadcasts(stages: list[Stage]) -> list[Broadcast]:
    found = []
    for number, stage in enumerate(stages):
        done = stage.done
        if isinstance(done, Indexing) and done.broadcast is not None:
            rows = tuple(BroadcastRow(operand.item.text, operand.shape) for operand in done.operands)
            found.append(Broadcast(number, rows, done.broadcast, done.landing, done.why))
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


def _notes(torch: Told, leading: Told) -> tuple[str, ...]:
    notes = list(torch.state.notes)
    error = torch.answer.error
    if error is not None and error.axis is not None and leading is torch:
        named = re.search(r"for dimension (-?[0-9]+) with|tensor \[.*\] at index ([0-9]+)$", error.message)
        dimension = int(named[1] or named[2]) if named else error.axis
        if dimension != error.axis:
            notes.append(f"PyTorch's message says {dimension}, but it is axis {error.axis} that is at fault")
    reduced = [stage.done for stage in torch.state.stages + leading.state.stages if isinstance(stage.done, Reduced)]
    if any(done.step.kind not in LACKING for done in reduced):
        notes.append("for NumPy, dim= is read as axis=, and keepdim= as keepdims=")
    return tuple(dict.fromkeys(notes))
