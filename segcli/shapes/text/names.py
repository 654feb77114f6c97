"""Finds the names in an expression and binds them to what their SPECs say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from segcli.errors import SegcliError
from segcli.shapes.operations import ROOTS
from segcli.shapes.text.nodes import Assign, Attribute, Call, Name, Node, Operator, Sequence, Slice, Subscript
from segcli.shapes.text.scan import refusal
from segcli.shapes.text.spec import parse_spec
from segcli.shapes.values import Span, Symbol, Tensor, Value

# The same few SPECs come again and again in a batch; long ones seldom do, and take up room.
_MAX_REMEMBERED = 2048
_MAX_REMEMBERED_CHARACTERS = 200
# The functions that look up positions, and which argument behind the tensor holds them.
_LOOKING_UP = {"one_hot": -1, "gather": 1, "scatter": 1, "scatter_add": 1, "index_select": 1, "take_along_dim": 0}
_POSITIONS = ("index", "indices")
# Names of other modules.
_ELSEWHERE = {
    "np": "write x.f() or torch.f(x): NumPy's answer stands beside PyTorch's",
    "math": "write the number, or torch.inf, torch.nan, torch.pi",
    "self": "bind the tensor or the layer by a name of its own: x=8,16,3",
}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
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


def find_uses(node: Node | None, *, index: bool = False) -> Iterator[Use]:
    """Go through the names of an expression, left to right.

    Examples:
        >>> from segcli.shapes.text.parse import parse
        >>> [(use.name, use.index) for use in find_uses(parse("src[a, b.argmax()]"))]
        [('src', False), ('a', True), ('b', False)]
    """
    match node:
        case Name(name, span):
            yield Use(name, span, index, function=False)
        case Subscript(base, inner):
            # A part of positions is positions, too.
            yield from find_uses(base, index=index)
            yield from find_uses(inner, index=True)
        case Call(function, arguments):
            yield from _find_function(function)
            positions = _position_places(function)
            for place, argument in enumerate(arguments):
                named = positions is not None and argument.keyword in _POSITIONS
                looks_up = named if argument.keyword else place == positions
                inside = isinstance(function, Name) and index
                yield from find_uses(argument.node, index=looks_up or inside)
        case Attribute(base):
            yield from _find_root(base)
        case Assign(target, value):
            yield from find_uses(target)
            yield from find_uses(value)
        case Sequence(items) | Slice(items):
            yield from _find_all(items, index=index)
        case Operator(mark, operands):
            # Positions may be computed; what is compared may be anything.
            yield from _find_all(operands, index=index and mark not in _COMPARISONS)
        case _:
            pass


def _position_places(function: Node) -> int | None:
    """Return which argument of a function holds positions; as a method its tensor stands before the others."""
    if not isinstance(function, Attribute) or function.name not in _LOOKING_UP:
        return None
    of_torch = isinstance(function.base, Name) and function.base.name in ROOTS
    return _LOOKING_UP[function.name] + of_torch


def _find_all(nodes: Iterable[Node | None], *, index: bool) -> Iterator[Use]:
    for node in nodes:
        yield from find_uses(node, index=index)


def _find_function(function: Node) -> Iterator[Use]:
    match function:
        case Name(name, span):
            yield Use(name, span, index=False, function=True)
        case _:
            yield from find_uses(function)


def _find_root(base: Node) -> Iterator[Use]:
    """Go through what stands before a dot, which may be ``torch``, ``F`` or ``nn``."""
    match base:
        case Name(name, span) if name in ROOTS:
            yield Use(name, span, index=False, function=True)
        case _:
            yield from find_uses(base)


def bind(expr: str, node: Node, specs: Mapping[str, str]) -> dict[str, Value]:
    """Bind every name of an expression.

    A shape without a dtype is of int64 where its name is used as an index only, else of float32.

    Args:
        expr: The expression, for carets.
        node: Its tree.
        specs: What each name stands for.

    Raises:
        SegcliError: For a name without a SPEC, a SPEC without a name, or a bad SPEC.
    """
    uses = list(find_uses(node))
    names = {use.name for use in uses}
    for name in specs:
        if name not in names:
            message = f"{name} is bound, but {expr if len(expr) <= 40 else 'the expression'} has no such name"  # noqa: PLR2004 - a line
            raise SegcliError(message, hint=f"its names: {', '.join(sorted(names)) or 'none'}")
    only_index = {name: all(use.index for use in uses if use.name == name) for name in specs}
    values: dict[str, Value] = {
        name: _read_spec(name, spec, "int64" if only_index[name] else "float32") for name, spec in specs.items()
    }
    for name, value in values.items():
        for size in value.shape if isinstance(value, Tensor) else ():
            if size in specs:
                message = f"{size} is a size of {name}, and bound to {specs[str(size)]} too"
                raise SegcliError(message, hint="give one of them another name")
    sizes = size_names(values)
    for use in uses:
        if use.name in sizes:
            values[use.name] = Symbol(use.name)
        elif use.name not in specs and not use.function:
            hint = _ELSEWHERE.get(use.name, f"append {use.name}=8,16,3 for its shape, or another SPEC")
            raise refusal(expr, use.span, f"{use.name} is not bound", hint)
    return values


def _read_spec(name: str, spec: str, default_dtype: str) -> Value:
    # What a file holds may change between two lines of a batch.
    if "@" in spec or len(spec) > _MAX_REMEMBERED_CHARACTERS:
        return parse_spec(name, spec, default_dtype)
    return _remembered(name, spec, default_dtype)


_remembered = lru_cache(_MAX_REMEMBERED)(parse_spec)


def size_names(bindings: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the names that stand for sizes.

    Examples:
        >>> size_names({"x": Tensor(("N", 3), "float32", "x"), "i": 3})
        ('N',)
    """
    tensors = [value for value in bindings.values() if isinstance(value, Tensor)]
    return tuple(dict.fromkeys(size for tensor in tensors for size in tensor.shape if isinstance(size, str)))
