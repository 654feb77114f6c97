"""Asks one library's rules of a step or of an expression, and tells whether two answers differ."""

from collections.abc import Iterable, Iterator, Mapping
from math import prod

from segcli.errors import SegcliError
from segcli.shapes.answering import answer_with, failure_of
from segcli.shapes.differences import may_differ, must_differ
from segcli.shapes.evaluate import NUMPY, TORCH, evaluate
from segcli.shapes.formula import write_formula
from segcli.shapes.parting_rules import Case
from segcli.shapes.records import record
from segcli.shapes.reduced import Reduced
from segcli.shapes.result import UNKNOWN, Answer, Failure
from segcli.shapes.stages import Evaluation, Library
from segcli.shapes.symbols import forget_needs
from segcli.shapes.text.nodes import (
    Assign,
    Name,
    Node,
    Sequence,
    Subscript,
)
from segcli.shapes.values import RaisedError, Tensor, Value


@record(frozen=True, slots=True)
class Asked:
    """What one library makes of a step, or of an expression.

    Attributes:
        result: What it gives, None where it raises.
        state: The way there.
        failure: What it raises.
    """

    result: Value
    state: Evaluation
    failure: Failure | None = None

    @property
    def answer(self) -> Answer:
        """What can be seen of it."""
        if self.failure is not None:
            return Answer(None, None, None, (), self.failure)
        return answer_with(self.result, self.state.library.name, view=None)


class Bound(dict[str, Value]):
    """What names stand for; a proposal with another name is none."""

    def __missing__(self, name: str) -> Value:
        """Refuse a name that nobody bound.

        Raises:
            SegcliError: Always.
        """
        message = f"{name} is not bound"
        raise SegcliError(message)


def ask(expr: str, node: Node, bindings: Mapping[str, Value], library: Library) -> Asked:
    """Ask one library's rules; what segcli does not know of it is an answer too.

    Args:
        expr: The expression.
        node: Its tree.
        bindings: What its names stand for.
        library: Whose rules hold.
    """
    state = Evaluation(expr, bindings, library)
    forget_needs()
    try:
        return Asked(evaluate(state, node), state)
    except RaisedError as error:
        failure = failure_of(error, expr)
    except SegcliError as error:
        failure = Failure(UNKNOWN, error.message, expr, 0, len(expr), None)
    return Asked(None, state, failure)


def are_alike(one: Value, other: Value) -> bool:
    """Tell whether two results are alike at first sight."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.shape == other.shape and one.dtype == other.dtype
    return type(one) is type(other) and one == other


def mark(node: Node, torch: Asked, numpy: Asked) -> None:
    """Note rules that were not noted on the way, because a library raised before it came to them.

    Args:
        node: The step.
        torch: What PyTorch makes of it.
        numpy: What NumPy makes of it.
    """
    bindings = torch.state.bindings
    if isinstance(node, Assign) and isinstance(node.target, Subscript) and numpy.failure is not None:
        numpy.state.rules |= ask(torch.state.expr, node.target, bindings, NUMPY).state.rules
    if isinstance(node, Subscript) and torch.failure is not None:
        torch.state.rules.update(_kinds(node.index, bindings))
    torch.state.rules |= noted(torch.state.notes)


def noted(notes: Iterable[str]) -> set[str]:
    """Return the rules that are told by notes."""
    return {rule for note in notes for words, rule in _NOTED.items() if words in note}


_NOTED = {"divides by n - 1 in PyTorch": "divides-by-less", "lower of the two in the middle": "lower-median"}


def _kinds(index: Node, bindings: Mapping[str, Value]) -> Iterator[str]:
    """Name the rules for what an index holds."""
    items = index.items if isinstance(index, Sequence) else (index,)
    listed = isinstance(index, Sequence) and not index.is_tuple
    if listed and any(isinstance(item, Sequence) for item in items):
        yield "legacy-tuple"
    for item in items:
        value = bindings.get(item.name) if isinstance(item, Name) else None
        if isinstance(value, Tensor) and value.dtype == "uint8":
            yield "uint8-mask"


def parts(torch: Asked, numpy: Asked) -> bool:
    """Tell whether two answers differ: in what they are, or in the numbers that they hold."""
    raised = torch.failure is not None or numpy.failure is not None
    if (raised or not are_alike(torch.result, numpy.result)) and must_differ(case_of(torch, numpy)):
        return True
    if torch.failure is not None or not may_differ(torch.state, numpy.state):
        return False
    apart = formula_text(torch.state, torch.result) != formula_text(numpy.state, numpy.result)
    return apart and not _is_odd_median(torch)


def case_of(torch: Asked, numpy: Asked) -> Case:
    """Put both answers side by side, with the rules behind them."""
    return Case(torch.answer, numpy.answer, torch.state.rules, numpy.state.rules, numpy.state.lacking)


def formula_text(state: Evaluation, result: Value) -> str:
    """Write what an element is, and how far its letters go: where the shapes are the same, it tells which numbers."""
    # Both in PyTorch's words: the libraries' own differ for the positions of a mask.
    written = write_formula(state.stages, result, TORCH.name, list(state.bindings))
    return f"{written.text} {written.over}" if written else ""


def _is_odd_median(asked: Asked) -> bool:
    """Tell whether a median is the one in the middle, as it is of an odd number."""
    last = asked.state.stages[-1] if asked.state.stages else None
    if last is None or not isinstance(last.done, Reduced) or not isinstance(last.source, Tensor):
        return False
    if last.done.step.kind != "median":
        return False
    sizes = [last.source.shape[axis] for axis in last.done.dims]
    known = [size for size in sizes if isinstance(size, int)]
    return len(known) == len(sizes) and prod(known) % 2 == 1
