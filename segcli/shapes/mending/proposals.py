"""Proposes an expression that works, where PyTorch raises: by what PyTorch says, what people do about it.

A proposal is a change of the text; whether it works, the rules say.
"""

from collections.abc import Iterator

from segcli.errors import SegcliError
from segcli.shapes.evaluate import TORCH
from segcli.shapes.mending.fault import Fault, around
from segcli.shapes.mending.remedies import remedies
from segcli.shapes.result import Failure
from segcli.shapes.rewriting.asking import Bound, ask
from segcli.shapes.stages import Evaluation
from segcli.shapes.text.nodes import Node
from segcli.shapes.text.parse import parse
from segcli.shapes.values import Pair, Parts, Shape, Tensor


def mend(expr: str, tree: Node, error: Failure, state: Evaluation, wanted: Shape | None) -> str | None:
    """Return an expression that works: of several, one that gives what NumPy gives, or else the fewest axes.

    Args:
        expr: The expression.
        tree: Its tree.
        error: What PyTorch raises.
        state: PyTorch's way through it, as far as it came.
        wanted: The shape that NumPy gives, None where it raises too.
    """
    bindings = Bound(state.bindings)
    fewest: tuple[int, str] | None = None
    tried: set[str] = set()
    for proposal in propose(expr, tree, error, state):
        if proposal in tried:
            continue
        tried.add(proposal)
        shape = _shape_of(proposal, bindings)
        if shape is not None and shape == wanted:
            return proposal
        if shape is not None and (fewest is None or len(shape) < fewest[0]):
            # Nothing has fewer than one: what is reduced to a number is looked for no further.
            fewest = len(shape), proposal
    return fewest and fewest[1]


def _shape_of(text: str, bindings: Bound) -> Shape | None:
    """Return the shape of what an expression gives in PyTorch, None where it raises."""
    try:
        asked = ask(text, parse(text), bindings, TORCH)
    except SegcliError:
        return None
    given = asked.result
    if isinstance(given, Pair | Parts):
        given = given.values if isinstance(given, Pair) else given.runs[0].tensor if given.runs else None
    if asked.failure is not None:
        return None
    return given.shape if isinstance(given, Tensor) else ()


def propose(expr: str, tree: Node, error: Failure, state: Evaluation) -> Iterator[str]:
    """Propose expressions that may work, the likeliest first.

    Args:
        expr: The expression.
        tree: Its tree.
        error: What PyTorch raises.
        state: PyTorch's way through it, as far as it came.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> expr = "x.permute(0, 2, 1).view(-1, 3)"
        >>> error = Failure("RuntimeError", "view size is not compatible with ...", "", 24, 29, None)
        >>> list(propose(expr, parse(expr), error, Evaluation(expr, {}, TORCH)))
        ['x.permute(0, 2, 1).reshape(-1, 3)']
    """
    known = remedies(error.message)
    if known:
        fault = Fault(expr, tree, error, state, tuple(around(tree, (error.start, error.end))))
        for each in known:
            yield from each(fault)
