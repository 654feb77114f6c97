"""Reads what operations on the layout of one tensor are given: the tensor, dims, sizes; in PyTorch and in NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.indexing import Step
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures, bind_call
from segcli.shapes.values import (
    INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Span,
    Symbol,
    Tensor,
    Value,
    type_name,
)

_INT64 = 2**63
_UINT64 = 2**64
# NumPy has no array of more dimensions.
NUMPY_DIMENSIONS = 64


def both(*texts: str) -> Signatures:
    """Return signatures that are the same as a method and as ``torch.f(input, ...)``.

    Examples:
        >>> both("int dim").of_torch
        ('Tensor input, int dim',)
    """
    return Signatures(texts, tuple(f"Tensor input{', ' * bool(text)}{text}" for text in texts))


def bind(call: Call, known: Signatures) -> tuple[Item, Tensor, dict[str, Given]]:
    """Bind a call's arguments as PyTorch does, and find its tensor.

    Args:
        call: The call.
        known: The function's signatures.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item = owner(call)
    bound = bind_call(call, known)
    if call.space == "torch":
        item = bound["input"].item
    return item, tensor_in(item), bound


def bind_nothing(call: Call) -> tuple[Item, Tensor]:
    """Find the tensor of a method or an attribute that takes no arguments, as PyTorch does."""
    item = owner(call)
    given = len(call.arguments) - 1
    if given and any(keyword for keyword, _ in call.arguments):
        raise RaisedError(call.span, "TypeError", f"TensorBase.{call.name}() takes no keyword arguments")
    if given:
        raise RaisedError(call.span, "TypeError", f"TensorBase.{call.name}() takes no arguments ({given} given)")
    return item, tensor_in(item)


def owner(call: Call) -> Item:
    """Return the first argument; of a method it must be a tensor.

    Raises:
        RaisedError: The AttributeError for anything else.
    """
    item = call.arguments[0][1] if call.arguments else Item(None, "", call.span)
    if call.space != "torch" and not isinstance(item.value, Tensor):
        words = f"'{type_name(item.value)}' object has no attribute '{call.name}'"
        raise RaisedError(call.span, "AttributeError", words)
    return item


def tensor_in(item: Item) -> Tensor:
    """Return an item's tensor, which it is known to be."""
    return cast("Tensor", item.value)


def wrap(dim: int, ndim: int, span: Span) -> int:
    """Count a negative dim from the end; a 0-d tensor is taken for one of one dimension.

    Raises:
        RaisedError: PyTorch's IndexError.
    """
    size = max(ndim, 1)
    if not -size <= dim < size:
        words = f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        raise RaisedError(span, "IndexError", words, dim)
    return dim % size


def wrap_all(dims: Sequence[int], ndim: int, given: Given) -> list[int]:
    """Count dims from the end, and refuse one that comes twice, as PyTorch's ``dim_list_to_bitset`` does."""
    wrapped: list[int] = []
    for dim, span in zip(dims, spans(given), strict=True):
        axis = wrap(dim, ndim, span)
        if axis in wrapped:
            raise RaisedError(span, "RuntimeError", f"dim {axis} appears multiple times in the list of dims", axis)
        wrapped.append(axis)
    return wrapped


def spans(given: Given) -> list[Span]:
    """Return where each number of an argument stands."""
    return [item.span for item in listed(given.item)]


def listed(item: Item) -> tuple[Item, ...]:
    """Return the items of a list; of anything else the one."""
    return item.value.items if isinstance(item.value, Listed) else (item,)


def int_of(item: Item) -> int:
    """Return a number that picks an axis or a position.

    Raises:
        SegcliError: Where it is not known.
    """
    size = size_of(item.value)
    if isinstance(size, int):
        return size
    message = f"the value of {item.text} is not known, and the shape hangs on it"
    raise SegcliError(message, hint="write the number, or give that size a number")


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


def sizes_in(call: Call, name: str, given: Given) -> list[Size]:
    """Return the sizes in a list that a signature took; from the second on PyTorch looks at each.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int.
    """
    sizes: list[Size] = []
    for place, item in enumerate(listed(given.item)):
        size = size_of(item.value)
        words = ""
        if size is None:
            words = f"type must be tuple of ints,but got {type_name(item.value)}"
        elif isinstance(size, int) and not -_INT64 <= size < _INT64:
            words = "Overflow when unpacking long long"
        if size is None or words:
            # The message ends a line later, with what is not quoted.
            end = '"' if size is None else ""
            failed = f"{call.name}(): argument '{name}' failed to unpack the object at pos {place + 1} with error"
            raise RaisedError(item.span, "TypeError", f'{failed} "{words}{end}')
        sizes.append(size)
    return sizes


def dims_in(call: Call, name: str, given: Given) -> list[int]:
    """Return the dims in a list that a signature took.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int.
        SegcliError: Where one is not known.
    """
    sizes = sizes_in(call, name, given)
    return [
        size if isinstance(size, int) else int_of(item) for size, item in zip(sizes, listed(given.item), strict=True)
    ]


def bind_numpy(
    call: Call, function: str, signature: str, renamed: Mapping[str, str] | None = None
) -> tuple[Item, Tensor, dict[str, Given]]:
    """Bind a call's arguments to those of NumPy's function, which is written in Python.

    Args:
        call: The call; a method's tensor counts as the first argument.
        function: NumPy's name of it.
        signature: NumPy's parameters, the array first.
        renamed: What NumPy calls a keyword of PyTorch.

    Raises:
        RaisedError: Python's TypeError.
    """
    owner(call)
    names = {"input": signature.partition(",")[0], **(renamed or {})}
    arguments = tuple((names.get(keyword, keyword), item) for keyword, item in call.arguments)
    bound = bind_python(replace(call, arguments=arguments), function, signature)
    item = bound[signature.partition(",")[0]].item
    if not isinstance(item.value, Tensor):
        message = f"{item.text} is no array, and NumPy would make one of it"
        raise SegcliError(message, hint="write an array")
    return item, item.value, bound


def array_of(call: Call) -> tuple[Item, Tensor, tuple[tuple[str, Item], ...]]:
    """Return the array of a method of NumPy, and the arguments behind it."""
    item = owner(call)
    return item, tensor_in(item), call.arguments[1:]


def gathered(call: Call) -> Call:
    """Make one tuple of the numbers that stand by themselves behind a tensor, as in ``x.flip(0, 1)``."""
    others = call.arguments[1:]
    numbers = [item for keyword, item in others if not keyword]
    if call.space == "torch" or len(numbers) < 2 or any(isinstance(item.value, Listed) for item in numbers):  # noqa: PLR2004 - one alone is an int
        return call
    span = (numbers[0].span[0], numbers[-1].span[1])
    one = Item(Listed(tuple(numbers), is_tuple=True), ", ".join(item.text for item in numbers), span)
    return replace(
        call, arguments=(call.arguments[0], ("", one), *((keyword, item) for keyword, item in others if keyword))
    )


def numpy_int(item: Item, *, words: str = "", bools: bool = True) -> int:
    """Return an int as NumPy reads one.

    Args:
        item: What was given.
        words: What it says of anything else; empty for Python's own words.
        bools: Whether it takes a bool for one.

    Raises:
        RaisedError: NumPy's TypeError.
    """
    if isinstance(item.value, bool) and not bools:
        raise RaisedError(item.span, "TypeError", words or "an integer is required")
    if size_of(item.value) is None or (isinstance(item.value, Tensor) and item.value.shape):
        own = f"'{type_name(item.value)}' object cannot be interpreted as an integer"
        raise RaisedError(item.span, "TypeError", own)
    return int_of(item)


def numpy_axis(axis: int, ndim: int, span: Span, prefix: str = "") -> int:
    """Count a negative axis from the end.

    Raises:
        RaisedError: NumPy's AxisError.
    """
    if not -ndim <= axis < ndim:
        words = f"{prefix}axis {axis} is out of bounds for array of dimension {ndim}"
        raise RaisedError(span, "AxisError", words, axis)
    return axis % ndim


def numpy_axes(item: Item, ndim: int, name: str = "", repeated: str = "repeated axis") -> list[int]:
    """Read one axis or several as NumPy's ``normalize_axis_tuple`` does.

    Args:
        item: What was given.
        ndim: How many axes there are.
        name: What an AxisError calls the argument.
        repeated: What is said of an axis that comes twice; empty where it may.

    Raises:
        RaisedError: As NumPy would raise.
    """
    if not isinstance(item.value, Listed) and size_of(item.value) is None:
        raise RaisedError(item.span, "TypeError", f"'{type_name(item.value)}' object is not iterable")
    prefix = f"{name}: " if name else ""
    axes = []
    for each in listed(item):
        if isinstance(each.value, float):
            raise RaisedError(each.span, "TypeError", "integer argument expected, got float")
        axes.append(numpy_axis(numpy_int(each), ndim, each.span, prefix))
    if repeated and len(set(axes)) < len(axes):
        raise RaisedError(item.span, "ValueError", repeated)
    return axes


def check_room(shape: Shape, span: Span) -> None:
    """Refuse a shape with more elements than PyTorch counts.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    count = 1
    overflows = False
    for size in shape:
        # As it multiplies: without a sign, so that a negative size is a large one.
        count *= size % _UINT64 if isinstance(size, int) else 1
        overflows |= count >= _UINT64
    if overflows or count >= _INT64:
        raise RaisedError(span, "RuntimeError", "numel: integer multiplication overflow")


def rest_step(call: Call, takes: Sequence[int], gives: Sequence[int], kind: str = "not moved") -> tuple[Step, ...]:
    """Return the step of the axes that an operation leaves as they are; none where there are none."""
    if not takes:
        return ()
    return (Step(call.stage, "", (0, 0), kind, tuple(takes), tuple(gives), "kept"),)
