"""Finds the steps at which the libraries part: each operation is asked of both, on what PyTorch gives before it.

So a step says for itself whether it differs, and NumPy's way does not end at the first one that it does not know.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field

from segcli.shapes.answering import answer_with
from segcli.shapes.differences import are_telling, may_differ, name_difference
from segcli.shapes.evaluate import NUMPY, TORCH
from segcli.shapes.parting_rules import Case
from segcli.shapes.records import record
from segcli.shapes.result import UNKNOWN
from segcli.shapes.rewriting.asking import Asked, Bound, are_alike, ask, case_of, mark, noted, parts
from segcli.shapes.rewriting.tree import below, is_step, with_children
from segcli.shapes.stages import Evaluation, Stage
from segcli.shapes.text.nodes import (
    Assign,
    Attribute,
    Call,
    Name,
    Node,
    Operator,
)
from segcli.shapes.values import Symbol, Tensor, Value


@record(frozen=False, slots=True)
class Site:
    """A step at which the libraries part.

    Attributes:
        node: It in the tree of the expression.
        inner: It, with names that stand for what was done before.
        bindings: What these stand for.
        result: What PyTorch gives there.
        numpy: What NumPy makes of it, given what PyTorch gave before.
        stage: What PyTorch did there, where that is known.
        asked: What PyTorch makes of it, where that was asked.
    """

    node: Node
    inner: Node
    bindings: Mapping[str, Value]
    result: Value
    numpy: Asked
    stage: Stage | None = None
    asked: Asked | None = None

    @property
    def torch(self) -> Asked:
        """What PyTorch makes of it: asked when it is looked at, since for what NumPy lacks nothing more counts."""
        if self.asked is None:
            self.asked = ask(self.numpy.state.expr, self.inner, self.bindings, TORCH)
            mark(self.inner, self.asked, self.numpy)
        return self.asked

    @property
    def reason(self) -> str:
        """The rule by which the libraries part."""
        if self.numpy.state.lacking:
            return self.numpy.state.lacking
        stage = self.stage
        if stage is None or isinstance(stage.done, str) or isinstance(self.node, Assign):
            return name_difference(case_of(self.torch, self.numpy))
        rules = stage.done.rules | noted(stage.done.notes)
        answer = answer_with(self.result, TORCH.name, view=None)
        return name_difference(Case(answer, self.numpy.answer, rules, self.numpy.state.rules))


@record(frozen=False, slots=True)
class Survey:
    """An expression with what is found on the way through it.

    Attributes:
        expr: The expression.
        bindings: What its names stand for, with the tensors that stand for the steps that are done, by names that no
            expression has.
        told: What PyTorch did at the steps, by their texts.
        also_told: What NumPy did, as far as it came.
        lacked: What NumPy said, where it lacks something.
        is_suspicious: Whether the numbers may differ somewhere, where the shapes do not.
        values: What PyTorch gives at a node, by its identity.
        stands: The names that stand for nodes, by their identity.
        sites: The steps at which the libraries part, in the order in which they are done.
        carried: The steps that are asked together with a later one, by its node's identity: they give no tensor.
        read_as: What NumPy calls what the steps use.
    """

    expr: str
    bindings: dict[str, Value]
    told: Mapping[str, Stage] = field(default_factory=dict)
    also_told: Mapping[str, Stage] = field(default_factory=dict)
    lacked: Asked | None = None
    is_suspicious: bool = True
    values: dict[int, Value] = field(default_factory=dict)
    stands: dict[int, Name] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    carried: dict[int, list[Site]] = field(default_factory=dict)
    read_as: dict[str, str] = field(default_factory=dict)


class _RaisedHereError(Exception):
    """PyTorch goes no further."""


def _by_text(state: Evaluation) -> dict[str, Stage]:
    """Return the steps of a walk by their texts: one text gives one thing."""
    return {stage.text: stage for stage in state.stages}


def survey(
    expr: str,
    node: Node,
    bindings: Mapping[str, Value],
    torch: Evaluation | None = None,
    numpy: Asked | None = None,
) -> Survey:
    """Find the steps at which the libraries part.

    Args:
        expr: The expression.
        node: Its tree.
        bindings: What its names stand for.
        torch: PyTorch's way through it, where that is known: what was asked once is not asked again.
        numpy: What NumPy makes of it.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> expr = "x.transpose(0, 1).flatten(1).sum(0)"
        >>> found = survey(expr, parse(expr), {"x": Tensor((2, 3, 4), "float32", "x")})
        >>> [expr[slice(*site.node.span)] for site in found.sites]
        ['x.transpose(0, 1)', 'x.transpose(0, 1).flatten(1)']
    """
    found = Survey(expr, Bound(bindings))
    if torch is not None and numpy is not None:
        found.told, found.also_told = _by_text(torch), _by_text(numpy.state)
        found.is_suspicious = may_differ(torch, numpy.state)
        found.lacked = numpy if numpy.state.lacking else None
    with suppress(_RaisedHereError):
        _visit(found, node)
    return found


def _visit(found: Survey, node: Node) -> None:
    """Ask both libraries of every step below a node and of its own, as far as they have not said it yet."""
    before = len(found.sites)
    for child in below(node):
        _visit(found, child)
    if not is_step(node, found.bindings):
        return
    stage = _look_up(found.told, found.expr, node)
    # Beyond a step at which the libraries part, NumPy went another way, or nowhere.
    other = _look_up(found.also_told, found.expr, node) if len(found.sites) == before else None
    is_plain = not found.is_suspicious or (stage is not None and not _is_telling(stage) and not _goes_first(other))
    if stage is not None and other is not None and is_plain and are_alike(stage.result, other.result):
        told = stage.result
    else:
        told = _ask_both(found, node, stage if is_plain else None, before)
    found.values[id(node)] = told
    if _stands_alone(told):
        stand = Name(f" {len(found.stands)}", node.span)
        found.bindings[stand.name] = told
        found.stands[id(node)] = stand


def _is_telling(stage: Stage) -> bool:
    """Tell whether the numbers of a step may differ, where the shapes do not."""
    return not isinstance(stage.done, str) and are_telling(stage.done.rules, stage.done.notes)


def _goes_first(stage: Stage | None) -> bool:
    """Tell whether NumPy moves the axes of an index to the front."""
    return stage is not None and not isinstance(stage.done, str) and "front" in stage.done.rules


def _ask_both(found: Survey, node: Node, stage: Stage | None, before: int) -> Value:
    """Ask both libraries of a step on what PyTorch gave before, and note where they part; return what PyTorch gives."""
    inner = stand_in(found, node)
    told = None if stage is None else stage.result
    numpy = _lacked(found, node, told) or ask(found.expr, inner, found.bindings, NUMPY)
    is_plain = "front" not in numpy.state.rules
    if told is None or not is_plain:
        torch = ask(found.expr, inner, found.bindings, TORCH)
        mark(inner, torch, numpy)
        site = Site(node, inner, found.bindings, torch.result, numpy, asked=torch)
    else:
        site = Site(node, inner, found.bindings, told, numpy, stage)
    # What a step returns that is no tensor, such as a pair, is asked again together with what is picked from it.
    inside = found.sites[before:]
    carried = any(not _stands_alone(each.result) for each in inside)
    if carried:
        site.stage = None
    if carried or _is_site(site, is_plain=is_plain):
        first = before + _settled(inside)
        found.carried[id(node)] = found.sites[first:]
        del found.sites[first:]
        found.sites.append(site)
    else:
        found.read_as |= numpy.state.read_as
    if site.asked is not None and site.asked.failure is not None:
        found.values[id(node)] = None
        raise _RaisedHereError
    return site.result


def _lacked(found: Survey, node: Node, told: Value) -> Asked | None:
    """Return what NumPy said, where it lacks the operation of this step; None where it must be asked."""
    lacked = found.lacked
    if lacked is None or lacked.failure is None or told is None or not isinstance(node, Call):
        return None
    function = node.function.function if isinstance(node.function, Call) else node.function
    is_here = isinstance(function, Attribute) and function.name_span[0] == lacked.failure.start
    return lacked if is_here else None


def _is_site(site: Site, *, is_plain: bool) -> bool:
    """Tell whether the libraries part at a step; of most that shows at once."""
    failure = site.numpy.failure
    if is_plain and site.asked is None:
        if failure is not None:
            return failure.type != UNKNOWN
        if are_alike(site.result, site.numpy.result):
            return False
    return parts(site.torch, site.numpy)


def _look_up(told: Mapping[str, Stage], expr: str, node: Node) -> Stage | None:
    """Return what was done at a node, None where that was not noted."""
    text = expr[node.span[0] : node.span[1]]
    found = told.get(text)
    return told.get(f"({text})") if found is None and isinstance(node, Operator) else found


def stand_in(found: Survey, node: Node) -> Node:
    """Return a node with names that stand for what was done before."""
    if not found.stands:
        return node
    return with_children(node, lambda child: found.stands.get(id(child)) or stand_in(found, child))


def _settled(sites: list[Site]) -> int:
    """Count the steps whose difference is told by themselves."""
    return next((place for place, site in enumerate(sites) if not _stands_alone(site.result)), len(sites))


def _stands_alone(value: Value) -> bool:
    return isinstance(value, Tensor | Symbol | int | float)
