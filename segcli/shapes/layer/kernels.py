"""What operations that keep a tensor's layout share: calls of the functions in C++ behind them, and their steps."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import SCALARS
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
    Unknown,
    Value,
    check_elements,
    type_name,
)


def bind_inner(call: Call, name: str, signature: str, items: Sequence[Item]) -> dict[str, Given]:
    """Bind what a function written in Python hands on to a function of C++.

    Args:
        call: The call.
        name: The function of C++, as its messages have it.
        signature: Its parameters.
        items: What it is given, by position.

    Raises:
        RaisedError: The TypeError of PyTorch's parser.
    """
    inner = replace(call, name=name, space="functional", arguments=tuple(("", item) for item in items))
    return bind_call(inner, Signatures((), (signature,)))


def bind_known(call: Call, function: str, signature: str) -> dict[str, Given]:
    """Bind arguments as Python does, all of which must be known but for sizes and for the elements of tensors.

    Args:
        call: The call.
        function: What Python's messages call it.
        signature: Its parameters.

    Raises:
        RaisedError: Python's TypeError.
        SegcliError: For a number of which only the type is known, such as ``x.item()``.
    """
    bound = bind_python(call, function, signature)
    for given in bound.values():
        parts = given.value.items if isinstance(given.value, Listed) else (given.item,)
        unknown = next((item for item in parts if isinstance(item.value, Unknown)), None)
        if unknown is not None:
            message = f"the value of {unknown.text} is not known, and {call.name} hangs on it"
            raise SegcliError(message, hint="write the number")
    return bound


def item_of(bound: dict[str, Given], name: str, default: Value, span: Span) -> Item:
    """Return an argument, or what it is where it is not given."""
    return bound[name].item if name in bound else Item(default, str(default), span)


def tensor_with(item: Item, attribute: str) -> Tensor:
    """Return a tensor of which Python asks an attribute.

    Raises:
        RaisedError: The AttributeError for anything else.
    """
    if not isinstance(item.value, Tensor):
        words = f"'{type_name(item.value)}' object has no attribute '{attribute}'"
        raise RaisedError(item.span, "AttributeError", words)
    return item.value


def no_kernel(kernel: str, dtype: str, span: Span) -> RaisedError:
    """Return the error of a function that has no code for a dtype.

    Examples:
        >>> print(no_kernel(kernel="im2col_out_cpu", dtype="int64", span=(0, 1)).message)
        "im2col_out_cpu" not implemented for 'Long'
    """
    return RaisedError(span, "NotImplementedError", f"\"{kernel}\" not implemented for '{SCALARS[dtype]}'")


def kept_step(call: Call, kind: str, axes: Sequence[int], effect: str) -> tuple[Step, ...]:
    """Return the step of axes that stay where they are; none where there are none."""
    if not axes:
        return ()
    return (Step(call.stage, "", (0, 0), kind, tuple(axes), tuple(axes), effect),)


def made_like(call: Call, source: Tensor, shape: Shape, dtype: str = "") -> Tensor:
    """Return the result of a call, with the labels of a source of as many axes.

    Raises:
        SegcliError: For more elements than an int64 counts.
    """
    check_elements(shape, call.text)
    return replace(call.make(shape, dtype or source.dtype), labels=source.labels)


def python_shape(shape: Shape) -> str:
    """Write a shape as Python prints it.

    Examples:
        >>> python_shape((2, "H"))
        'torch.Size([2, H])'
    """
    return f"torch.Size([{', '.join(map(str, shape))}])"
