"""Binds the names of an expression to what their SPECs say."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from segcli.errors import SegcliError
from segcli.shapes.operations import BUILTINS, ROOTS
from segcli.shapes.symbols import remember_order
from segcli.shapes.text.nodes import Attribute, Call, Node, Operator, Sequence, Subscript
from segcli.shapes.text.scan import refusal
from segcli.shapes.text.spec import parse_spec
from segcli.shapes.text.uses import CLASSIFYING, WEIGHING, Use, find_uses, is_classifying
from segcli.shapes.values import Symbol, Tensor, Value

# The same few SPECs come again and again in a batch; long ones seldom do, and take up room.
_MAX_REMEMBERED = 2048
_MAX_REMEMBERED_CHARACTERS = 200


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
    uses = find_uses(node)
    names = {use.name for use in uses}
    for name in specs:
        if name not in names:
            raise _unused(expr, name, uses)
    other = {use.name for use in uses if not use.index}
    if any(kind in expr for kind in WEIGHING):
        other |= _probabilities(node, specs)
    values: dict[str, Value] = {
        name: _read_spec(name, spec, "float32" if name in other else "int64") for name, spec in specs.items()
    }
    for name, value in values.items():
        for size in value.shape if isinstance(value, Tensor) else ():
            if size in specs:
                message = f"{size} is a size of {name}, and bound to {specs[str(size)]} too"
                raise SegcliError(message, hint="give one of them another name")
    sizes = size_names(values)
    remember_order(sizes)
    # All of them: what is written instead of an expression may use a size that it does not.
    values.update({size: Symbol(size) for size in sizes})
    for use in uses:
        if use.name not in values and not use.function:
            # Most names are bound.
            from segcli.shapes.hints import hint_for_name

            raise refusal(expr, use.span, f"{use.name} is not bound", hint_for_name(expr, use.name, use.span[1]))
    return values


def _unused(expr: str, name: str, uses: list[Use]) -> SegcliError:
    """Return the error for a SPEC without a name; a function that is not known may be why nothing has it."""
    from segcli.shapes.hints import hint_for_function

    for use in uses:
        if use.function and use.name not in (*ROOTS, *BUILTINS, "slice"):
            message = f"{use.name[:40]} is not a function that is supported"
            return refusal(expr, use.span, message, hint_for_function(use.name))
    names = sorted({use.name for use in uses if not use.function})
    message = f"{name} is bound, but {expr if len(expr) <= 40 else 'the expression'} has no such name"  # noqa: PLR2004 - a line
    return SegcliError(message, hint=f"its names: {', '.join(names) or 'none'}")


def _probabilities(node: Node, specs: Mapping[str, str]) -> set[str]:
    """Return the targets that have as many axes as the input, so that they hold no numbers of classes."""
    found: set[str] = set()
    for scores, target in _find_targets(node):
        (ndim, _), *_ = [*_bound_ndims(scores, specs), (0, "")]
        found |= {name for own, name in _bound_ndims(target, specs) if own == ndim}
    return found


def _bound_ndims(node: Node, specs: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return how many axes the tensors of an expression have, with their names."""
    names = (use.name for use in find_uses(node) if use.name in specs)
    values = ((name, _read_spec(name, specs[name], "float32")) for name in names)
    return [(len(value.shape), name) for name, value in values if isinstance(value, Tensor)]


def _find_targets(node: object) -> Iterator[tuple[Node, Node]]:
    """Go through the losses whose target holds numbers of classes: the input and the target of each."""
    match node:
        case Call(function, arguments):
            if is_classifying(function, WEIGHING) and len(arguments) > 1:
                yield arguments[0].node, arguments[1].node
            for part in (function, *(argument.node for argument in arguments)):
                yield from _find_targets(part)
        case Sequence(parts) | Operator(_, parts):
            for part in parts:
                yield from _find_targets(part)
        case Attribute(base) | Subscript(base):
            yield from _find_targets(base)
        case _:
            pass


def assumed_dtypes(expr: str, node: Node, specs: Mapping[str, str], bindings: Mapping[str, Value]) -> list[str]:
    """Say which names are taken for int64 though they stand in no brackets: targets, and what ``one_hot`` takes."""
    if not any(kind in expr for kind in (*CLASSIFYING, "one_hot")):
        return []
    indexing = {use.name: use.index for use in reversed(find_uses(node))}
    notes = []
    for name, value in bindings.items():
        spec = specs.get(name, "int64")
        bare = "int64" not in spec and not spec.lstrip().startswith(("@", "tensor", "["))
        if bare and indexing.get(name) and isinstance(value, Tensor) and value.dtype == "int64":
            notes.append(f"{name} is taken for int64, as it holds numbers of classes; else write {name}=float32:...")
    return notes


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
