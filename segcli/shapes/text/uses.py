"""Finds the names in an expression, and what each is used for."""

from collections.abc import Callable
from typing import Any

from segcli.shapes.operations import ROOTS
from segcli.shapes.records import record
from segcli.shapes.text.nodes import Assign, Attribute, Call, Name, Node, Operator, Sequence, Slice, Starred, Subscript
from segcli.shapes.values import Span

# The functions that look up positions, and which argument behind the tensor holds them.
_CHANGING = ("scatter", "scatter_add", "scatter_reduce", "index_add", "index_fill")
_LOOKING_UP = {
    **dict.fromkeys(("one_hot", "embedding"), -1),
    **dict.fromkeys(("take_along_dim", "repeat_interleave"), 0),
    **dict.fromkeys(("gather", "index_select", *_CHANGING, *(f"{name}_" for name in _CHANGING)), 1),
}
_POSITIONS = ("index", "indices", "repeats")
# What gives a tensor of the same numbers, so that where those are positions, these are.
_KEEPING_NAMES = (
    "view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze permute transpose swapaxes movedim t "
    "expand expand_as broadcast_to repeat tile flip roll contiguous clone gather index_select take_along_dim "
    "masked_select chunk split unbind cat stack hstack vstack"
)
_KEEPING = frozenset(_KEEPING_NAMES.split())
_KEEPING_ATTRIBUTES = ("T", "mT")
# The losses whose target holds numbers of classes: the tensor before it is the input.
CLASSIFYING = ("cross_entropy", "CrossEntropyLoss", "nll_loss", "NLLLoss")
# Those of them that take probabilities, too.
WEIGHING = CLASSIFYING[:2]
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@record(frozen=True, slots=True)
class Use:
    """A name where it stands.

    Attributes:
        name: The name.
        span: Where it stands.
        index: Whether it is an index by itself.
        function: Whether it can name a function: ``slice(...)``, or ``torch`` of ``torch.sum(...)``.
    """

    name: str
    span: Span
    index: bool
    function: bool


def find_uses(node: Node) -> list[Use]:
    """Go through the names of an expression, left to right.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> [(use.name, use.index) for use in find_uses(parse("src[a, b.argmax()]"))]
        [('src', False), ('a', True), ('b', False)]
    """
    found: list[Use] = []
    _find(node, found, index=False)
    return found


def _find(node: Node | None, found: list[Use], *, index: bool) -> None:
    """Add the names of a node; ``index`` tells whether what the node gives is used as an index."""
    finder = _FINDERS.get(type(node))
    if finder is not None:
        finder(node, found, index)


def _find_name(node: Name, found: list[Use], index: bool) -> None:  # noqa: FBT001 - a row of the table below
    found.append(Use(node.name, node.span, index, function=False))


def _find_subscript(node: Subscript, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    # A part of positions is positions, too.
    _find(node.base, found, index=index)
    _find(node.index, found, index=True)


def _find_items(node: Sequence, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    for item in node.items:
        _find(item, found, index=index)


def _find_bounds(node: Slice, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    for bound in node.bounds:
        _find(bound, found, index=index)


def _find_operands(node: Operator, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    # Positions may be computed; what is compared may be anything.
    for operand in node.operands:
        _find(operand, found, index=index and node.mark not in _COMPARISONS)


def _find_sides(node: Assign, found: list[Use], _: bool) -> None:  # noqa: FBT001 - as above
    _find(node.target, found, index=False)
    _find(node.value, found, index=False)


def _find_starred(node: Starred, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    _find(node.value, found, index=index)


def _find_attribute(node: Attribute, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    _find_root(node.base, found, index=index and node.name in _KEEPING_ATTRIBUTES)


def _find_root(base: Node, found: list[Use], *, index: bool) -> None:
    """Add the names of what stands before a dot, which may be ``torch``, ``F`` or ``nn``."""
    if isinstance(base, Name) and base.name in ROOTS:
        found.append(Use(base.name, base.span, index=False, function=True))
    else:
        _find(base, found, index=index)


def _find_call(node: Call, found: list[Use], index: bool) -> None:  # noqa: FBT001 - as above
    function = node.function
    if isinstance(function, Name):
        found.append(Use(function.name, function.span, index=False, function=True))
    elif isinstance(function, Attribute):
        _find_root(function.base, found, index=index and _is_kept(function, of_torch=False))
    else:
        _find(function, found, index=False)
    positions, keywords = _position_places(function)
    every = index and isinstance(function, Name)
    first = index and _is_kept(function, of_torch=True)
    for place, argument in enumerate(node.arguments):
        looks_up = argument.keyword in keywords if argument.keyword else place == positions
        _find(argument.node, found, index=looks_up or every or (first and not place))


def _position_places(function: Node) -> tuple[int | None, tuple[str, ...]]:
    """Return which argument of a function holds positions, and what its keyword is.

    As a method its tensor stands before the others.
    """
    if is_classifying(function):
        return 1, ("target",)
    if isinstance(function, Call) and is_classifying(function, ("Embedding",)):
        return 0, ("input",)
    if not isinstance(function, Attribute) or function.name not in _LOOKING_UP:
        return None, ()
    of_torch = isinstance(function.base, Name) and function.base.name in ROOTS
    return _LOOKING_UP[function.name] + of_torch, _POSITIONS


def is_classifying(function: Node, names: tuple[str, ...] = CLASSIFYING) -> bool:
    """Tell whether a function, or a layer, is a loss whose target holds numbers of classes."""
    called = function.function if isinstance(function, Call) else function
    return isinstance(called, Attribute) and called.name in names


def _is_kept(function: Node, *, of_torch: bool) -> bool:
    """Tell whether a function gives the numbers of the tensor that it is called with, or that it is a method of."""
    if not isinstance(function, Attribute) or function.name not in _KEEPING:
        return False
    return of_torch == (isinstance(function.base, Name) and function.base.name in ROOTS)


# By a table, not by match: every expression of a batch comes through here. Numbers and texts have no names.
_FINDERS: dict[type, Callable[[Any, list[Use], bool], None]] = {
    Name: _find_name,
    Subscript: _find_subscript,
    Sequence: _find_items,
    Slice: _find_bounds,
    Operator: _find_operands,
    Assign: _find_sides,
    Starred: _find_starred,
    Attribute: _find_attribute,
    Call: _find_call,
}
