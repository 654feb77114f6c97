"""Operators on tensors, and the functions that do the same, with broadcasting: PyTorch 2.13's and NumPy 2.4's."""

from functools import partial

from segcli.shapes.calls import Operation
from segcli.shapes.compute.elementwise import FUNCTIONS, MARKS
from segcli.shapes.compute.numpy_arithmetic import apply_numpy
from segcli.shapes.compute.pointwise import OPERATIONS as POINTWISE
from segcli.shapes.compute.torch_arithmetic import apply_torch, call_torch


def _operator(mark: str) -> Operation:
    function = MARKS[mark]
    return Operation(partial(apply_torch, function=function), partial(apply_numpy, function=function))


def _function(name: str, space: str) -> Operation:
    """Return an operation that is called: NumPy has it as a function alone, and often by another name."""
    function = FUNCTIONS[name]
    other_name = space == "method" or (name != function.ufunc and name not in ("pow", "true_divide"))
    read_as = f"np.{function.ufunc}" if other_name else ""
    return Operation(partial(call_torch, function=function), partial(apply_numpy, function=function), read_as=read_as)


OPERATIONS = {
    **{mark: _operator(mark) for mark in MARKS},
    **{f"{space}.{name}": _function(name, space) for space in ("method", "torch") for name in FUNCTIONS},
    **{
        key: POINTWISE[key]
        for key in (
            *("unary_+", "unary_-", "unary_~"),
            *("method.logical_not", "method.bitwise_not", "torch.logical_not", "torch.bitwise_not"),
        )
    },
}
