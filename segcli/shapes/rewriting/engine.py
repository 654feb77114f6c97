"""Writes an expression so that it means the same in both libraries: step by step, and each is checked by the rules."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.answering import answer_with
from segcli.shapes.evaluate import NUMPY, TORCH
from segcli.shapes.operations import find_space, operation_of
from segcli.shapes.records import record
from segcli.shapes.rewriting.asking import Asked, ask, formula_text, parts
from segcli.shapes.rewriting.place import Place, Sure, without_brackets
from segcli.shapes.rewriting.proposals import propose
from segcli.shapes.rewriting.steps import Site, Survey, survey
from segcli.shapes.rewriting.tree import with_children
from segcli.shapes.stages import Evaluation
from segcli.shapes.text.nodes import Assign, Attribute, Call, Name, Node, Subscript
from segcli.shapes.text.parse import parse
from segcli.shapes.values import Pair, Parts, Run, Shape, Size, Tensor, Value

# Longer ones nobody reads.
_MOST_CHARACTERS = 600


@record(frozen=True, slots=True)
class Fitting:
    """A text that means the same in both libraries.

    Attributes:
        text: It.
        read_as: What NumPy calls what it uses.
        scalar: Whether NumPy makes a scalar of it.
    """

    text: str
    read_as: Mapping[str, str]
    scalar: bool


@record(frozen=True, slots=True)
class Parting:
    """Where the libraries part, and the way out.

    Attributes:
        differs: The rules that differ, the first step's first.
        rewrite: An expression that means the same in both; None where there is none.
        read_as: What NumPy calls what the rewrite uses.
    """

    differs: str
    rewrite: str | None
    read_as: Mapping[str, str]


def part(
    expr: str,
    node: Node,
    bindings: Mapping[str, Value],
    torch: Evaluation | None = None,
    numpy: Asked | None = None,
    *,
    works: bool = True,
) -> Parting | None:
    """Say where the libraries part; None where no step differs by itself.

    Args:
        expr: The expression.
        node: Its tree.
        bindings: What its names stand for.
        torch: PyTorch's way through it, where that is known.
        numpy: What NumPy makes of it.
        works: Whether PyTorch gives something: of what raises, nothing means the same.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> expr = "x.transpose(0, 1).flatten(1).sum(0)"
        >>> part(expr, parse(expr), {"x": Tensor((2, 3, 4), "float32", "x")}).rewrite
        'x.swapaxes(0, 1).reshape(3, -1).sum(0)'
    """
    found = survey(expr, node, bindings, torch, numpy)
    if not found.sites:
        return None
    if not works:
        return Parting(_reasons(found), None, {})
    return Parting(_reasons(found), *_rewritten(found, node))


def is_alike(torch: Evaluation, in_torch: Value, numpy: Evaluation, in_numpy: Value) -> bool:
    """Tell whether an element is the same in both, whatever the steps on the way to it.

    Args:
        torch: PyTorch's way.
        in_torch: What it gives.
        numpy: NumPy's way.
        in_numpy: What it gives.
    """
    formula = formula_text(torch, in_torch)
    return formula != "" and formula == formula_text(numpy, in_numpy)


def _reasons(found: Survey) -> str:
    """Name the rule of every step that differs, and the steps where there are several."""
    named = [(rule, site) for site in found.sites if (rule := site.reason)]
    rules = dict.fromkeys(rule for rule, _ in named)
    if len(rules) == 1:
        return next(iter(rules))
    first = {rule: next(_token(found, site) for each, site in named if each == rule) for rule in rules}
    return "; ".join(f"at {token}: {rule}" for rule, token in first.items())


def _token(found: Survey, site: Site) -> str:
    """Write the step alone: of a chain, without what stands before it."""
    node = site.node.function if isinstance(site.node, Call) else site.node
    start = node.span[0]
    if isinstance(node, Attribute | Subscript) and find_space(node.base, found.bindings) is None:
        start = node.base.span[1]
    return found.expr[start : site.node.span[1]]


def _rewritten(found: Survey, node: Node) -> tuple[str | None, Mapping[str, str]]:
    """Write every step at which the libraries part in a way that both take."""
    chosen: dict[int, str] = {}
    # What is written to must not be a copy, and NumPy's scalars are no arrays: the steps alone do not tell.
    doubtful = isinstance(node, Assign)
    for site in found.sites:
        fitting = next(_fitting(Place(found, site.node, chosen), site), None) or _with_parts(found, site, chosen)
        if fitting is None:
            return None, {}
        found.read_as |= fitting.read_as
        if site.node is node:
            return without_brackets(fitting.text), found.read_as
        chosen[id(site.node)] = fitting.text
        doubtful = doubtful or fitting.scalar
    text = Place(found, node, chosen).text(node)
    works = not doubtful or _checked(text, found, {}, found.values[id(node)]) is not None
    return (text, found.read_as) if works else (None, {})


def _with_parts(found: Survey, site: Site, chosen: Mapping[int, str]) -> Fitting | None:
    """Write what a step is given anew, and leave the step itself as it is."""
    written = dict(chosen)
    for carried in found.carried[id(site.node)]:
        fitting = next(_fitting(Place(found, carried.node, written), carried), None)
        if fitting is None:
            return None
        written[id(carried.node)] = fitting.text
    if len(written) == len(chosen):
        return None
    place = Place(found, site.node, written)
    text = place.text(site.node)
    return _told(text, _checked(text, found, place.texts(), site.result))


def _fitting(place: Place, site: Site) -> Iterator[Fitting]:
    """Go through the proposals that both libraries take as PyTorch takes the step."""
    result = site.result
    # The place that is written to and what is written may share memory: they stay as they are.
    stands = {} if isinstance(site.node, Assign) else place.texts()
    for proposal in propose(place, site):
        if isinstance(proposal, Sure) and len(proposal) <= _MOST_CHARACTERS:
            read_as = {name: operation_of("torch", name).read_as for name in proposal.names}
            yield Fitting(proposal, read_as, scalar=False)
        elif isinstance(proposal, str):
            fitting = _told(proposal, _checked(proposal, place.found, stands, result))
            if fitting:
                yield fitting
        else:
            # PyTorch gives two, where there is a text for each.
            given = cast("Pair", result)
            pair = zip(proposal, (given.values, given.indices), strict=True)
            both = [_told(text, _checked(text, place.found, stands, wanted)) for text, wanted in pair]
            read_as = {name: meaning for each in both if each for name, meaning in each.read_as.items()}
            if all(both):
                yield Fitting(", ".join(proposal), read_as, scalar=False)


def _told(text: str, numpy: Asked | None) -> Fitting | None:
    """Keep of NumPy's answer to a text what others ask for."""
    if numpy is None:
        return None
    return Fitting(text, numpy.state.read_as, isinstance(numpy.result, Tensor) and numpy.result.scalar)


def _checked(text: str, found: Survey, stands: Mapping[str, str], wanted: Value) -> Asked | None:
    """Return what NumPy makes of a text, if both libraries give what is wanted."""
    if len(text) > _MOST_CHARACTERS:
        return None
    # A star, for one, stands where no bracket may follow it.
    with suppress(SegcliError):
        node = _shortened(parse(text), text, stands)
        torch = ask(text, node, found.bindings, TORCH)
        if torch.failure is None and is_wanted(torch.result, wanted):
            numpy = ask(text, node, found.bindings, NUMPY)
            return None if parts(torch, numpy) else numpy
    return None


def _shortened(node: Node, text: str, stands: Mapping[str, str]) -> Node:
    """Put names for what was done before: it is not done again."""
    if not stands:
        return node

    def change(child: Node) -> Node:
        name = stands.get(without_brackets(text[child.span[0] : child.span[1]]))
        return with_children(child, change) if name is None else Name(name, child.span)

    return with_children(node, change)


def is_wanted(given: Value, wanted: Value) -> bool:
    """Tell whether a result is the one that is wanted, of as many tensors.

    Args:
        given: The result.
        wanted: The other.
    """
    if isinstance(given, Tensor) and isinstance(wanted, Tensor):
        return given.dtype == wanted.dtype and _sizes(given.shape) == _sizes(wanted.shape)
    if isinstance(given, Parts) and isinstance(wanted, Parts):
        return [_run(run) for run in given.runs] == [_run(run) for run in wanted.runs]
    one, other = (answer_with(value, TORCH.name, view=None) for value in (given, wanted))
    return (one.shape, one.dtype, one.value) == (other.shape, other.dtype, other.value)


def _run(run: Run) -> tuple[list[Size], str, Size]:
    return _sizes(run.tensor.shape), run.tensor.dtype, run.count


def _sizes(shape: Shape) -> list[Size]:
    """Return the sizes of a shape; as many of a tensor are not zero as of the mask made of it."""
    return [size.replace(".bool()", "") if isinstance(size, str) else size for size in shape]
