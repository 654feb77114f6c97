"""``max`` and ``min`` of two tensors, which PyTorch 2.13 has beside the reductions of these names."""

from dataclasses import replace
from typing import cast

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.operations import operation_of
from segcli.shapes.strides import along_memory, strides_of
from segcli.shapes.values import INTEGER, RaisedError, Tensor

_ONE_AND_OTHER = 2


def is_of_two(call: Call) -> bool:
    """Tell whether ``max`` or ``min`` is called with a second tensor, and nothing else."""
    if call.name not in ("max", "min") or len(call.arguments) != _ONE_AND_OTHER:
        return False
    (_, one), (keyword, other) = call.arguments
    return keyword in ("", "other") and isinstance(one.value, Tensor) and isinstance(other.value, Tensor)


def extreme_torch(call: Call) -> Computed:
    """Take the larger, or the smaller, of two elements, as ``torch.maximum`` does."""
    name = f"{call.name}imum"
    done = cast("Computed", operation_of(call.space, name).torch(replace(call, name=name)))
    made = cast("Tensor", done.result)
    # The reduction writes row after row, this along the memory of what it reads.
    tensors = [item.value for item in done.inputs if isinstance(item.value, Tensor)]
    strides = along_memory([(tensor.shape, strides_of(tensor)) for tensor in tensors], made.shape)
    return replace(done, result=replace(made, strides=strides), rules=done.rules | {"larger-of-two"})


def is_no_axis(call: Call) -> bool:
    """Tell whether what NumPy takes for the axis is an array that cannot be one; a 0-d array of integers can."""
    axis = call.arguments[1][1].value
    return isinstance(axis, Tensor) and (bool(axis.shape) or axis.dtype not in INTEGER)


def extreme_numpy(call: Call) -> Computed:
    """Raise what NumPy does, which takes the second array for the axis.

    Raises:
        RaisedError: The TypeError.
    """
    keyword, item = call.arguments[1]
    if keyword:
        owner = f"_a{call.name}" if call.space == "method" else call.name
        raise RaisedError(item.span, "TypeError", f"{owner}() got an unexpected keyword argument '{keyword}'")
    raise RaisedError(item.span, "TypeError", "only integer scalar arrays can be converted to a scalar index")
