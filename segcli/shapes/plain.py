"""What Python itself computes: numbers and tuples, such as sizes, some of which are not known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from segcli.errors import SegcliError
from segcli.marks import BINARY, SINGLE
from segcli.shapes.symbols import difference, divides, product, quotient, total
from segcli.shapes.values import (
    INTEGER,
    Item,
    Listed,
    Pair,
    Parts,
    RaisedError,
    Size,
    SliceBounds,
    Span,
    Symbol,
    Tensor,
    Unknown,
    Value,
    type_name,
)


def _rest(size: Size, other: Size) -> Size:
    """Return what is left of a division; nothing where it cancels."""
    return 0 if divides(other, size) else f"{_bracketed(size)} % {_bracketed(other)}"


def _bracketed(size: Size) -> str:
    text = str(size)
    return text if text.isalnum() else f"({text})"


_EQUALITIES = ("==", "!=")
_COMPARISONS = (*_EQUALITIES, "<", "<=", ">", ">=")
_OF_INTS = ("&", "|", "^", "<<", ">>", "~")
_SIZES: dict[str, Callable[[Size, Size], Size]] = {
    "+": lambda one, other: total([one, other]),
    "-": difference,
    "*": lambda one, other: product([one, other]),
    "//": quotient,
    "%": _rest,
}
# Larger numbers are no sizes, and their powers take long.
_MAX_NUMBER = 2**63
_MAX_BITS = 64
# As many dimensions.
_MAX_ITEMS = 64


def compute(mark: str, operands: list[Item], span: Span) -> Value:
    """Apply an operator to plain values.

    Args:
        mark: The operator.
        operands: One value, or two.
        span: Where the operator stands.

    Raises:
        RaisedError: As Python would raise.
    """
    values = [operand.value for operand in operands]
    if mark == "@":
        raise _unsupported(mark, values, span)
    if all(isinstance(value, int | float) for value in values):
        return _number(mark, values, span)
    if all(isinstance(value, int | float | Symbol | Unknown) for value in values):
        return _unknown(mark, values, span)
    if mark in _COMPARISONS:
        return _compared(mark, values, span)
    match mark, values:
        case "+", [Listed() as one, other]:
            return _joined(one, other, span)
        case "*", [Listed() as several, int() as count] | [int() as count, Listed() as several]:
            if len(several.items) * count > _MAX_ITEMS:
                message = f"a {several.kind} of more than {_MAX_ITEMS} items is not written out here"
                raise SegcliError(message, hint="bind a name to a tensor of that size, such as i=int64:100")
            return replace(several, items=several.items * count)
        case "*", [Listed() as several, other] | [other, Listed() as several]:
            raise _unrepeatable(several, other, span)
        case _:
            raise _unsupported(mark, values, span)


def _unrepeatable(several: Listed, other: Value, span: Span) -> SegcliError | RaisedError:
    kind = type_name(other)
    if isinstance(other, Symbol | Unknown) and kind in ("int", "bool"):
        return SegcliError(
            f"how often the {several.kind} repeats is not known", hint="give the sizes that it hangs on as numbers"
        )
    return RaisedError(span, "TypeError", f"can't multiply sequence by non-int of type '{kind}'")


def _joined(one: Listed, other: Value, span: Span) -> Listed:
    if not isinstance(other, Listed) or one.is_tuple != other.is_tuple:
        owner = "torch.Size" if one.is_size else one.kind
        words = f'can only concatenate {one.kind} (not "{type_name(other)}") to {one.kind}'
        if one.is_size:
            words = f"can only concatenate tuple (not {type_name(other)}) to {owner}"
        raise RaisedError(span, "TypeError", words)
    return Listed((*one.items, *other.items), one.is_tuple, one.is_size or other.is_size)


def _compared(mark: str, values: list[Value], span: Span) -> Value:
    """Compare what are no numbers: tuples, dtypes, texts; what hangs on sizes without a number is not known."""
    one, other = values
    if isinstance(one, Listed) and isinstance(other, Listed) and one.is_tuple == other.is_tuple:
        sizes = [[_comparable(item.value) for item in each.items] for each in (one, other)]
        if any(isinstance(size, Symbol) for each in sizes for size in each) and sizes[0] != sizes[1]:
            if mark in _EQUALITIES and len(sizes[0]) != len(sizes[1]):
                return mark == "!="
            return Unknown("bool")
        if sizes[0] == sizes[1]:
            return mark in ("==", "<=", ">=")
        try:
            return bool(BINARY[mark](*sizes))
        except TypeError as error:
            raise RaisedError(span, "TypeError", str(error)) from error
    if mark in _EQUALITIES:
        return (_comparable(one) == _comparable(other)) == (mark == "==")
    words = f"'{mark}' not supported between instances of '{type_name(one)}' and '{type_name(other)}'"
    raise RaisedError(span, "TypeError", words)


def _comparable(value: Value) -> object:
    if isinstance(value, Tensor | Pair | Parts):
        message = "tuples and lists that hold tensors are not compared here"
        raise SegcliError(message, hint="compare the tensors: a == b")
    if isinstance(value, Listed):
        items = [_comparable(item.value) for item in value.items]
        return tuple(items) if value.is_tuple else items
    return value


def _unsupported(mark: str, values: list[Value], span: Span) -> RaisedError:
    kinds = [f"'{type_name(value)}'" for value in values]
    if len(kinds) == 1:
        return RaisedError(span, "TypeError", f"bad operand type for unary {mark}: {kinds[0]}")
    shown = "** or pow()" if mark == "**" else mark
    return RaisedError(span, "TypeError", f"unsupported operand type(s) for {shown}: {' and '.join(kinds)}")


def _unknown(mark: str, values: list[Any], span: Span) -> Value:
    """Compute with numbers of which some are not known."""
    if any(isinstance(value, float | Unknown) for value in values):
        return _untold(mark, values, span)
    sizes: list[Size] = [value.size if isinstance(value, Symbol) else int(value) for value in values]
    if len(sizes) == 1:
        return _as_value(
            {"+": sizes[0], "-": product([-1, sizes[0]])}.get(mark, difference(product([-1, sizes[0]]), 1))
        )
    if mark in ("//", "%", "/") and sizes[1] == 0:
        words = "division by zero" if mark == "/" else f"integer {'division or ' * (mark == '//')}modulo by zero"
        raise RaisedError(span, "ZeroDivisionError", words)
    if mark in _SIZES:
        return _as_value(_SIZES[mark](*sizes))
    if mark in _COMPARISONS:
        return mark in ("==", "<=", ">=") if sizes[0] == sizes[1] else Unknown("bool")
    if mark == "**" and isinstance(sizes[1], int) and 0 <= sizes[1] <= _MAX_BITS:
        return _as_value(product([sizes[0]] * sizes[1]))
    return Unknown("float") if mark in ("/", "**") else Symbol(f"{_bracketed(sizes[0])} {mark} {_bracketed(sizes[1])}")


def _untold(mark: str, values: list[Any], span: Span) -> Value:
    """Compute with numbers of which only the types are known."""
    kinds = [type_name(value) for value in values]
    if mark in _OF_INTS and not set(kinds) <= {"int", "bool"}:
        raise _unsupported(mark, values, span)
    if mark in _COMPARISONS:
        return Unknown("bool")
    widest = max(kinds, key=("bool", "int", "float", "complex").index)
    if widest in ("bool", "int"):
        return Unknown("float" if mark == "/" else "int")
    return Unknown(widest)


def _as_value(size: Size) -> Value:
    return size if isinstance(size, int) else Symbol(size)


def _number(mark: str, values: list[Any], span: Span) -> Value:
    if mark in ("**", "<<") and abs(values[1]) > _MAX_BITS:
        raise _too_large()
    try:
        made: int | float | complex = (SINGLE[mark] if len(values) == 1 else BINARY[mark])(*values)
    except TypeError as error:
        raise _unsupported(mark, values, span) from error
    except (ArithmeticError, ValueError) as error:
        raise RaisedError(span, type(error).__name__, str(error)) from error
    if isinstance(made, complex):
        return Unknown("complex")
    if isinstance(made, int) and abs(made) > _MAX_NUMBER:
        raise _too_large()
    return made


def _too_large() -> SegcliError:
    return SegcliError("a number on the way is larger than 2^63, which is no size", hint="write a smaller one")


def index_plain(base: Item, index: Item) -> Value:
    """Index a tuple or a list, such as a shape.

    Raises:
        RaisedError: As Python would raise.
    """
    value = base.value
    if not isinstance(value, Listed):
        raise RaisedError(base.span, "TypeError", f"'{type_name(value)}' object is not subscriptable")
    at = _position(index.value)
    if isinstance(at, SliceBounds):
        if isinstance(at.start, str) or isinstance(at.stop, str):
            message = f"how many items {base.text}[{at}] has hangs on sizes that are not known"
            raise SegcliError(message, hint="give the sizes numbers")
        try:
            return replace(value, items=value.items[slice(at.start, at.stop, at.step)])
        except ValueError as error:
            raise RaisedError(index.span, "ValueError", str(error)) from error
    if not isinstance(at, int):
        words = f"{value.kind} indices must be integers or slices, not {type_name(at)}"
        raise RaisedError(index.span, "TypeError", words)
    if not -len(value.items) <= at < len(value.items):
        raise RaisedError(index.span, "IndexError", f"{value.kind} index out of range")
    return value.items[at].value


def _position(value: Value) -> Value:
    """Return an index, which a tensor of one integer may be."""
    if isinstance(value, Tensor) and set(value.shape) <= {1} and value.dtype in INTEGER and value.values is not None:
        return int(value.values[0])
    return value
