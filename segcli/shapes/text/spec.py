"""Reads a SPEC: what ``NAME=SPEC`` says that a name stands for."""

import re
from collections.abc import Sequence
from math import prod

from segcli.errors import SegcliError
from segcli.shapes.text import nodes
from segcli.shapes.text.file_spec import read_file_spec
from segcli.shapes.text.nodes import Call, Constant, Name, Node
from segcli.shapes.text.parse import parse
from segcli.shapes.text.scan import MAX_CHARACTERS
from segcli.shapes.text.shape_spec import HINT, read_shape, shorten, split_dtype
from segcli.shapes.values import ELLIPSIS, Item, Listed, Shape, Tensor, Value, check_elements
from segcli.units import INT64_MAX

# NumPy has no array of more dimensions.
MAX_DIMENSIONS = 64

# More elements than any list in an expression could take up.
_MAX_VALUES = 4096

# A whole number, or a float: 3, -1, 0.7, .5, 1e-6.
_NUMBER = re.compile(r"-?(?:[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?)")

_INTEGER_RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}


def parse_spec(name: str, text: str, default_dtype: str = "float32") -> Value:
    """Read what ``text`` says about ``name``.

    Args:
        name: The bound name, for messages and for the tensor's own text.
        text: A shape with or without a dtype, of sizes that may have names and labels; a file's ``@PATH`` or
            ``@PATH:KEY``; ``tensor(...)`` with known values; or a Python literal.
        default_dtype: The dtype of a shape without one.

    Returns:
        A tensor; or a number, a bool or a list, where ``text`` is such a literal.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> parse_spec("m", "bool:8,16#37").true_count
        37
        >>> parse_spec("i", "3"), parse_spec("i", "3,").shape, parse_spec("i", "int64:3").shape
        (3, (3,), (3,))
        >>> parse_spec("thresh", "0.7"), parse_spec("eps", "1e-6")
        (0.7, 1e-06)
    """
    text = text.strip()
    if len(text) > MAX_CHARACTERS:
        message = f"{name}= has {len(text):,} characters, expected at most {MAX_CHARACTERS:,}"
        raise SegcliError(message)
    if text.startswith("@"):
        return read_file_spec(name, text)
    dtype, body = split_dtype(name, text)
    if body.startswith("tensor"):
        return _known_tensor(name, text, body, dtype)
    if not dtype and (body.startswith("[") or body in ("True", "False") or _NUMBER.fullmatch(body)):
        return _literal(name, text, _parsed(name, body))
    return _shaped(name, text, body, dtype, default_dtype)


def _parsed(name: str, body: str) -> Node:
    try:
        return parse(body)
    except SegcliError as error:
        message = f"{name}= cannot be read: {error.message}"
        raise SegcliError(message, hint=HINT) from error


def _shaped(name: str, text: str, body: str, dtype: str, default_dtype: str) -> Tensor:
    sizes, mark, count = body.partition("#")
    if body.startswith("@"):
        message = f"{name}={shorten(text)} gives a dtype to a file, which has its own"
        raise SegcliError(message, hint=f"leave it out: {name}={shorten(body)}")
    shape, labels = read_shape(name, text, sizes.strip(), typed=bool(dtype))
    dtype = dtype or default_dtype
    if len(shape) > MAX_DIMENSIONS:
        message = f"{name}= has {len(shape)} dimensions, expected at most {MAX_DIMENSIONS}"
        raise SegcliError(message)
    check_elements(shape, name)
    if not mark:
        return Tensor(shape, dtype, name, labels=labels)
    true_count = _true_count(name, text, count, dtype, shape)
    elements = _elements(shape)
    # Masks that are all True or all False have no secrets.
    uniform = dtype == "bool" and elements is not None and true_count in (0, elements) and elements <= _MAX_VALUES
    values = (true_count > 0,) * (elements or 0) if uniform else None
    return Tensor(shape, dtype, name, values=values, true_count=true_count, labels=labels)


def _elements(shape: Shape) -> int | None:
    """Count elements; None where that depends on a size that is not known."""
    known = [size for size in shape if isinstance(size, int)]
    return prod(known) if len(known) == len(shape) or 0 in known else None


def _true_count(name: str, text: str, count: str, dtype: str, shape: Shape) -> int:
    if dtype not in ("bool", "uint8"):
        message = f"{name}={text} counts the True elements of a {dtype} tensor, expected bool"
        raise SegcliError(message, hint="write bool:8,16#37")
    if not re.fullmatch(r"\s*[0-9]{1,19}\s*", count) or int(count) > INT64_MAX:
        message = f"{name}={shorten(text)} has {shorten(count)!r} behind #, expected how many elements are True"
        raise SegcliError(message, hint="write bool:8,16#37")
    true_count = int(count)
    elements = _elements(shape)
    if elements is not None and true_count > elements:
        message = f"{name}={text} has {elements:,} elements, fewer than the {true_count:,} that are to be True"
        raise SegcliError(message)
    return true_count


def _known_tensor(name: str, text: str, body: str, dtype: str) -> Tensor:
    node = _parsed(name, body)
    match node:
        case Call(Name("tensor"), (argument,)) if not argument.keyword:
            value = _literal(name, text, argument.node)
        case _:
            message = f"{name}={text} is not of the form tensor([0, 2, 5])"
            raise SegcliError(message)
    shape = _regular_shape(name, text, value)
    values = tuple(_leaves(value))
    inferred = "float32" if any(isinstance(leaf, float) for leaf in values) or not values else "int64"
    if values and all(isinstance(leaf, bool) for leaf in values):
        inferred = "bool"
    dtype = dtype or inferred
    if dtype in _INTEGER_RANGES:
        low, high = _INTEGER_RANGES[dtype]
        if (inferred == "float32" and values) or not all(low <= leaf <= high for leaf in values):
            message = f"{name}={text} holds values that are not {dtype}, expected whole numbers from {low} to {high}"
            raise SegcliError(message)
    if dtype == "bool":
        values = tuple(bool(leaf) for leaf in values)
    return Tensor(shape, dtype, name, values=values)


def _literal(name: str, text: str, node: Node) -> Value:
    match node:
        case Constant(str()):
            return ELLIPSIS
        case Constant(value) if not isinstance(value, str):
            return value
        case nodes.Sequence(items, is_tuple):
            inner = tuple(Item(_literal(name, text, item), text, (0, 0)) for item in items)
            return Listed(inner, is_tuple)
        case _:
            message = f"{name}={text} is not a literal of numbers, lists, True and False"
            raise SegcliError(message, hint=HINT)


def _regular_shape(name: str, text: str, value: Value) -> tuple[int, ...]:
    if isinstance(value, int | float):
        return ()
    if not isinstance(value, Listed):
        message = f"{name}={text} holds something else than numbers"
        raise SegcliError(message)
    shapes = {_regular_shape(name, text, item.value) for item in value.items}
    if len(shapes) > 1:
        message = f"{name}={text} is ragged: rows of shapes {', '.join(map(str, sorted(shapes)))}"
        raise SegcliError(message)
    return (len(value.items), *next(iter(shapes), ()))


def _leaves(value: Value) -> list[int | float | bool]:
    if isinstance(value, Listed):
        return [leaf for item in value.items for leaf in _leaves(item.value)]
    return [value] if isinstance(value, int | float) else []


def split_specs(arguments: Sequence[str]) -> dict[str, str]:
    """Split ``NAME=SPEC`` arguments.

    Raises:
        SegcliError: For an argument of another form, or a name that is given twice.

    Examples:
        >>> split_specs(["src=8,16,3", "a=4,5"])
        {'src': '8,16,3', 'a': '4,5'}
    """
    specs: dict[str, str] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        name = name.strip()
        shown = argument if len(argument) <= 60 else argument[:57] + "..."  # noqa: PLR2004 - a message stays on one line
        if not equals or not name.isidentifier():
            message = f"{shown!r} is not of the form NAME=SPEC"
            raise SegcliError(message, hint="for example src=8,16,3; quote EXPR, so that it is one argument")
        if name in specs:
            message = f"{name} is bound twice: {name}={specs[name]} and {shown}"
            raise SegcliError(message)
        specs[name] = text
    return specs
