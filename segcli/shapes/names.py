"""Finds the names in an expression and binds them to what their SPECs say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from segcli.errors import SegcliError
from segcli.shapes.nodes import Attribute, Call, Name, Node, Sequence, Slice, Subscript
from segcli.shapes.scan import refusal
from segcli.shapes.spec import parse_spec
from segcli.shapes.values import Span, Tensor, Value

# The same few SPECs come again and again in a batch; long ones seldom do, and take up room.
_MAX_REMEMBERED = 2048
_MAX_REMEMBERED_CHARACTERS = 200


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
        >>> from segcli.shapes.parse import parse
        >>> [(use.name, use.index) for use in find_uses(parse("src[a, b.argmax()]"))]
        [('src', False), ('a', True), ('b', False)]
    """
    match node:
        case Name(name, span):
            yield Use(name, span, index, function=False)
        case Subscript(base, inner):
            yield from find_uses(base)
            yield from find_uses(inner, index=True)
        case Call(function, arguments):
            yield from _find_function(function)
            for argument in arguments:
                yield from find_uses(argument.node, index=isinstance(function, Name) and index)
        case Attribute(base):
            yield from find_uses(base)
        case Sequence(items) | Slice(items):
            for item in items:
                yield from find_uses(item, index=index)
        case _:
            pass


def _find_function(function: Node) -> Iterator[Use]:
    match function:
        case Name(name, span):
            yield Use(name, span, index=False, function=True)
        case Attribute(Name("torch", span)):
            yield Use("torch", span, index=False, function=True)
        case _:
            yield from find_uses(function)


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
    for use in uses:
        if use.name not in specs and not use.function:
            hint = f"append {use.name}=8,16,3 for its shape, or another SPEC"
            raise refusal(expr, use.span, f"{use.name} is not bound", hint)
    names = {use.name for use in uses}
    for name in specs:
        if name not in names:
            message = f"{name} is bound, but {expr if len(expr) <= 40 else 'the expression'} has no such name"  # noqa: PLR2004 - a line
            raise SegcliError(message, hint=f"its names: {', '.join(sorted(names)) or 'none'}")
    only_index = {name: all(use.index for use in uses if use.name == name) for name in specs}
    values = {name: _read_spec(name, spec, "int64" if only_index[name] else "float32") for name, spec in specs.items()}
    for name, value in values.items():
        for size in value.shape if isinstance(value, Tensor) else ():
            if size in specs:
                message = f"{size} is a size of {name}, and bound to {specs[str(size)]} too"
                raise SegcliError(message, hint="give one of them another name")
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
