"""Reads the ints of calls: sizes, dims and counts, known or not, as PyTorch's parser and as NumPy read them."""

from collections.abc import Mapping

from segcli.errors import SegcliError
from segcli.shapes.request import Given
from segcli.shapes.values import INTEGER, Item, Listed, RaisedError, Size, Span, Symbol, Tensor, Value, type_name

# What PyTorch's parser reads into, and what it says of more.
INT64 = 2**63
_OVERFLOW = "Overflow when unpacking long long"


def listed(item: Item) -> tuple[Item, ...]:
    """Return the items of a list; of anything else the one."""
    return item.value.items if isinstance(item.value, Listed) else (item,)


def spans(given: Given) -> list[Span]:
    """Return where each number of an argument stands."""
    return [item.span for item in listed(given.item)]


def size_of(value: Value) -> Size | None:
    """Return what passes for an int as a size, which may be a symbol; None for what does not pass."""
    match value:
        case bool() | int():
            return int(value)
        case Symbol(size):
            return size
        case Tensor(shape, dtype) if dtype in ("bool", *INTEGER) and set(shape) <= {1}:
            return value.text if value.values is None else int(value.values[0])
        case _:
            return None


def read_size(item: Item, failed: str = "") -> Size:
    """Return an int that PyTorch's parser let pass: a number, or a size that is not known.

    Args:
        item: What was given.
        failed: Of an int in a list, what PyTorch says of one that it cannot read, up to the reason.

    Raises:
        RaisedError: PyTorch's ValueError for a number that is no int64; in a list its TypeError for that and for what
            is no int.
        SegcliError: For a tensor whose value is not known.
    """
    size = size_of(item.value)
    if size is None and failed:
        words = f'{failed} "type must be tuple of ints,but got {type_name(item.value)}"'
        raise RaisedError(item.span, "TypeError", words)
    if size is None:
        message = f"the value of {item.text} is not known, and the shape of the result needs it"
        raise SegcliError(message, hint="bind it to a number")
    if isinstance(size, int) and not -INT64 <= size < INT64:
        # In a list the message ends a line later, with what is not quoted.
        kind, words = ("TypeError", f'{failed} "{_OVERFLOW}') if failed else ("ValueError", _OVERFLOW)
        raise RaisedError(item.span, kind, words)
    return size


def read_int(item: Item | None, default: int = 0) -> int:
    """Return a number that picks an axis or a position; one that is not known is refused.

    Args:
        item: What was given; None for nothing.
        default: What it then is.

    Raises:
        SegcliError: Where it is not known.
    """
    if item is None:
        return default
    size = read_size(item)
    if isinstance(size, int):
        return size
    message = f"the value of {item.text} is not known, and the shape hangs on it"
    raise SegcliError(message, hint="write the number, or give that size a number")


def sizes_in(function: str, name: str, given: Given) -> list[Size]:
    """Return the sizes in a list that a signature took; from the second on PyTorch looks at each.

    Args:
        function: What PyTorch's messages call the function.
        name: What they call the argument.
        given: The argument.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int.
    """
    return [
        read_size(item, f"{function}(): argument '{name}' failed to unpack the object at pos {place} with error")
        for place, item in enumerate(listed(given.item), 1)
    ]


def dims_in(function: str, name: str, given: Given) -> list[int]:
    """Return the dims in a list that a signature took.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int.
        SegcliError: Where one is not known.
    """
    sizes = sizes_in(function, name, given)
    return [
        size if isinstance(size, int) else read_int(item) for size, item in zip(sizes, listed(given.item), strict=True)
    ]


def read_dims(name: str, bound: Mapping[str, Given]) -> tuple[int, ...] | None:
    """Return the dims that a reduction was asked for as written, or None where none were.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int; from the second on, a bool passes for one.
    """
    given = bound.get("dim")
    if given is None or given.value is None:
        return None
    return tuple(dims_in(name, "dim", given)) if isinstance(given.value, Listed) else (read_int(given.item),)


def int_words(value: Value) -> str:
    """Write Python's words for a value that stands where an integer should."""
    return f"'{type_name(value)}' object cannot be interpreted as an integer"


def numpy_int(item: Item, *, words: str = "", bools: bool = True) -> int:
    """Return an int as NumPy reads one.

    Args:
        item: What was given.
        words: What it says of a bool, where it takes none; empty for the usual words.
        bools: Whether it takes a bool for one.

    Raises:
        RaisedError: NumPy's TypeError.
    """
    if isinstance(item.value, bool) and not bools:
        raise RaisedError(item.span, "TypeError", words or "an integer is required")
    if size_of(item.value) is None or (isinstance(item.value, Tensor) and item.value.shape):
        raise RaisedError(item.span, "TypeError", int_words(item.value))
    return read_int(item)
