"""Reads what operations on the layout of one tensor are given: the tensor, dims, sizes; in PyTorch and in NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.indexing import Step
from segcli.shapes.integers import INT64, listed, numpy_int, size_of, spans
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import (
    Item,
    Listed,
    RaisedError,
    Shape,
    Span,
    Tensor,
    type_name,
)

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
    bound = bind_call(call, known)
    item = bound["input"].item if call.space == "torch" else call.first
    return item, tensor_in(item), bound


def bind_nothing(call: Call) -> tuple[Item, Tensor]:
    """Find the tensor of a method or an attribute that takes no arguments, as PyTorch does."""
    item = call.first
    given = len(call.arguments) - 1
    if given:
        none = any(keyword for keyword, _ in call.arguments)
        what = "keyword arguments" if none else f"arguments ({given} given)"
        owner = "TensorBase" if isinstance(item.value, Tensor) else "Size"
        raise RaisedError(call.span, "TypeError", f"{owner}.{call.name}() takes no {what}")
    return item, tensor_in(item)


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
    item = call.first
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
    if overflows or count >= INT64:
        raise RaisedError(span, "RuntimeError", "numel: integer multiplication overflow")


def rest_step(call: Call, takes: Sequence[int], gives: Sequence[int], kind: str = "not moved") -> tuple[Step, ...]:
    """Return the step of the axes that an operation leaves as they are; none where there are none."""
    if not takes:
        return ()
    return (Step(call.stage, "", (0, 0), kind, tuple(takes), tuple(gives), "kept"),)
