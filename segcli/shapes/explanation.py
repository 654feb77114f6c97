"""Explains an expression: parses it, binds its names, lets both libraries' rules answer, compares the answers."""

from collections.abc import Mapping
from contextvars import copy_context

from segcli.errors import SegcliError
from segcli.shapes.answering import answer_with, failure_of
from segcli.shapes.differences import is_same, may_differ, must_differ, name_difference
from segcli.shapes.evaluate import NUMPY, TORCH, evaluate
from segcli.shapes.formula import Written, write_formula
from segcli.shapes.noting import note_answers, note_specs
from segcli.shapes.parting_rules import Case
from segcli.shapes.records import record
from segcli.shapes.reduced import Reduced
from segcli.shapes.result import UNKNOWN, Answer, Explanation, Failure
from segcli.shapes.stages import Evaluation, Library
from segcli.shapes.symbols import contradictions, forget_needs, strongest
from segcli.shapes.text.names import assumed_dtypes, size_names
from segcli.shapes.text.names import bind as bind_names
from segcli.shapes.text.nodes import Node
from segcli.shapes.text.parse import parse_words
from segcli.shapes.tracing import broadcasts, trace
from segcli.shapes.values import RaisedError, Value

LIBRARIES = {"torch": TORCH, "numpy": NUMPY}


@record(frozen=True, slots=True)
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
    node, in_torch = parse_words(expr)
    if in_torch is not None:
        lead = "numpy"
    bindings = bind_names(expr, node, specs)
    leading = tell(expr, node, bindings, LIBRARIES[lead])
    other = _ask(expr, node, bindings, NUMPY if lead == "torch" else TORCH)
    torch, numpy = (leading, other) if lead == "torch" else (other, leading)
    # What is needed of sizes for an expression that is only tried holds for no other.
    apart = copy_context()
    if in_torch is None:
        differs, rewrite, read_as = apart.run(_parting, expr, node, bindings, torch, numpy)
    else:
        differs, rewrite, read_as = apart.run(_translated, in_torch, specs, same=is_same(torch.answer, numpy.answer))
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
        steps=trace(leading.state.stages),
        broadcasts=broadcasts(leading.state.stages),
        needs=strongest(leading.state.needs),
        differs=differs,
        notes=(
            *contradictions(leading.state.needs),
            *assumed_dtypes(expr, node, specs, bindings),
            *note_specs(specs, bindings),
            *note_answers(torch.state, torch.answer.error, numpy.state, read_as, lead, in_torch),
        ),
        rewrite=(apart.run(_mended, expr, node, torch, numpy) if in_torch is None else None) or rewrite,
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
    forget_needs()
    try:
        result = evaluate(state, node)
    except RaisedError as error:
        state.notes.extend(getattr(error, "__notes__", ()))
        return Told(Answer(None, None, None, (), failure_of(error, expr)), None, state)
    return Told(answer_with(result, library.name, view=_is_view(state)), result, state)


def _ask(expr: str, node: Node, bindings: dict[str, Value], library: Library) -> Told:
    """Let the other library answer; what segcli does not know of it is no reason to say nothing of the first."""
    try:
        return tell(expr, node, bindings, library)
    except SegcliError as error:
        failure = Failure(UNKNOWN, error.message.partition("\n")[0], expr, 0, len(expr), None)
        return Told(Answer(None, None, None, (), failure), None, Evaluation(expr, bindings, library))


def _mended(expr: str, node: Node, torch: Told, numpy: Told) -> str | None:
    """Return an expression that works in PyTorch, where this one raises."""
    error = torch.answer.error
    if error is None:
        return None
    # Most expressions raise nothing.
    from segcli.shapes.mending.proposals import mend

    return mend(expr, node, error, torch.state, numpy.answer.shape)


def _parting(
    expr: str, node: Node, bindings: dict[str, Value], torch: Told, numpy: Told
) -> tuple[str, str | None, Mapping[str, str]]:
    """Return the rules that differ, an expression that means the same in both, and how NumPy reads it."""
    case = Case(torch.answer, numpy.answer, torch.state.rules, numpy.state.rules, numpy.state.lacking)
    if not must_differ(case) and (torch.answer.error is not None or not may_differ(torch.state, numpy.state)):
        return "", None, {}
    error = torch.answer.error
    if error is not None and (error.type != "IndexError" or numpy.answer.error is not None):
        return name_difference(case), None, {}
    # Of most expressions both libraries think the same.
    from segcli.shapes.rewriting.asking import Asked
    from segcli.shapes.rewriting.engine import is_alike, part

    if not must_differ(case) and is_alike(torch.state, torch.result, numpy.state, numpy.result):
        return "", None, {}
    also = Asked(numpy.result, numpy.state, numpy.answer.error)
    found = part(expr, node, bindings, torch.state, also, works=error is None)
    if found is None:
        return name_difference(case) if must_differ(case) else "", None, {}
    return found.differs, found.rewrite, found.read_as


def _translated(in_torch: str, specs: Mapping[str, str], *, same: bool) -> tuple[str, str | None, Mapping[str, str]]:
    """Return how the libraries part on an expression in NumPy's words, and how PyTorch writes what NumPy gives."""
    told = explain(in_torch, specs, lead="numpy")
    works = told.torch.error is None
    rewrite = told.rewrite if told.rewrite is not None or told.differs or not (same and works) else in_torch
    return told.differs, rewrite, {}


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
