"""What the layers of PyTorch 2.13 do when they are made: the shapes of what they learn, and what they refuse."""

from collections.abc import Sequence
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.compute.promotion import torch_dtype
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.affine import add
from segcli.shapes.request import Given
from segcli.shapes.symbols import product
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    INTEGER,
    DType,
    Item,
    Listed,
    RaisedError,
    Size,
    Span,
    Symbol,
    Tensor,
    Value,
    check_elements,
    format_sizes,
    type_name,
)


def is_true(item: Item) -> bool:
    """Tell whether Python takes a value for true.

    Raises:
        SegcliError: For a tensor, and a number that is not known.
    """
    value = item.value
    if isinstance(value, Listed):
        return bool(value.items)
    if isinstance(value, Tensor | Symbol):
        message = f"whether {item.text} is true is not known"
        raise SegcliError(message, hint="write True or False")
    return bool(value)


def weight_dtype(bound: dict[str, Given]) -> str:
    """Return the dtype of a layer's parameters.

    Args:
        bound: The arguments of its constructor, ``dtype`` and ``device`` among them.

    Raises:
        RaisedError: The TypeError for what is no dtype.
        SegcliError: For a device other than the CPU.
    """
    device = bound["device"].value if "device" in bound else None
    if device not in (None, "cpu"):
        message = f"device={bound['device'].item.text} is not supported, only the CPU"
        raise SegcliError(message, hint="leave it out: shapes are the same on every device")
    value = bound["dtype"].value if "dtype" in bound else None
    if value is None:
        return "float32"
    if not isinstance(value, DType):
        words = f"empty(): argument 'dtype' must be torch.dtype, not {type_name(value)}"
        raise RaisedError(bound["dtype"].item.span, "TypeError", words)
    return value.name


def make_parameter(name: str, sizes: Sequence[Item], dtype: str, span: Span) -> Item:
    """Return a parameter of a layer.

    Args:
        name: What the layer calls it.
        sizes: Its shape, as the arguments give it.
        dtype: Its dtype.
        span: Where the layer stands.

    Raises:
        RaisedError: The TypeError or RuntimeError of ``torch.empty``.
    """
    shape: list[Size] = []
    for place, item in enumerate(sizes):
        if not isinstance(item.value, int | Symbol) or (not place and isinstance(item.value, bool)):
            raise RaisedError(item.span, "TypeError", _no_size(place, item.value))
        shape.append(item.value.size if isinstance(item.value, Symbol) else int(item.value))
    negative = next((item for item, size in zip(sizes, shape, strict=True) if isinstance(size, int) and size < 0), None)
    if negative is not None:
        words = f"Trying to create tensor with negative dimension {negative.value}: [{', '.join(map(str, shape))}]"
        raise RaisedError(negative.span, "RuntimeError", words)
    check_elements(tuple(shape), f"{name} of the layer")
    if dtype not in (*FLOATING, *COMPLEX):
        words = "Only Tensors of floating point and complex dtype can require gradients"
        raise RaisedError(span, "RuntimeError", words)
    return Item(Tensor(tuple(shape), dtype, name), name, span)


def _no_size(place: int, value: Value) -> str:
    if not place:
        found = f"found element of type {type_name(value)} at pos 0"
        return f"empty(): argument 'size' (position 1) must be tuple of ints, but {found}"
    found = f'"type must be tuple of ints,but got {type_name(value)}"'
    return f"empty(): argument 'size' failed to unpack the object at pos {place + 1} with error {found}"


def as_tensor(item: Item) -> Tensor:
    """Return the tensor that a parser let pass."""
    return cast("Tensor", item.value)


def say_parameters(weight: Item, bias: Item | None) -> str:
    """Say how many numbers a layer learns."""
    named = [("weight", as_tensor(weight).shape), *([("bias", as_tensor(bias).shape)] if bias else [])]
    count = add(*((1, product(shape)) for _, shape in named)).size
    listed = ", ".join(f"{name} {format_sizes(shape)}" for name, shape in named)
    return f"{listed}: {count:,} parameters" if isinstance(count, int) else f"{listed}: {count} parameters"


def check_cast(bias: str, result: str, span: Span) -> None:
    """Refuse to add a bias of a higher kind of number in place.

    Args:
        bias: Its dtype.
        result: The result's.
        span: Where the bias stands.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    if _kind(bias) > _kind(result):
        both = torch_dtype([Tensor((1,), result, ""), Tensor((1,), bias, "")])
        words = f"result type {SCALARS[both]} can't be cast to the desired output type {SCALARS[result]}"
        raise RaisedError(span, "RuntimeError", words)


def _kind(dtype: str) -> int:
    return next(place for place, kind in enumerate((("bool",), INTEGER, FLOATING, COMPLEX)) if dtype in kind)
