"""Assignment to an index, ``src[a, b] = v``, as PyTorch 2.13 does it; ``numpy_assigning`` has NumPy's rules.

What an index gives as a view is copied to (``copy_``, or ``fill_`` with one number); where tensors of positions and
masks lead, values are put (``index_put_``, or ``masked_fill_`` where one value goes to one mask), with rules of its own
on dtypes (``torch/csrc/autograd/python_variable_indexing.cpp``, ``aten/src/ATen/native/TensorAdvancedIndexing.cpp``).
"""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.promotion import is_number
from segcli.shapes.computed import Computed
from segcli.shapes.index.torch_index import index_torch
from segcli.shapes.index.torch_sequence import is_legacy_tuple
from segcli.shapes.index.torch_walk import MASKS
from segcli.shapes.kinds import SCALARS
from segcli.shapes.select.looking import brackets
from segcli.shapes.select.numpy_assigning import assign_numpy
from segcli.shapes.select.placing import (
    Assignment,
    assigned,
    fitting_needs,
    stripped,
    unfit_axes,
    writable,
)
from segcli.shapes.select.regions import find_region
from segcli.shapes.select.storing import check_number
from segcli.shapes.values import Item, Listed, RaisedError, Shape, Tensor, type_name

# What PyTorch says of a tensor of which several elements are one in storage.
OVERLAPS = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
    "clone() the tensor before performing the operation."
)


def assign_torch(call: Call) -> Computed:
    """Write a value to the place that an index names.

    Args:
        call: The target, the index and the value.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    target, index, value = (item for _, item in call.arguments)
    tensor = writable(target)
    shape = _check_value(value, tensor)
    if index.value is False:
        # Nothing is written, and nothing looked at.
        return assigned(call, Assignment(target, value, index_torch(tensor, index, call.stage)), [])
    region, late = find_region(index_torch, tensor, index, call.stage, masks=MASKS, tuples=_is_tuple)
    assignment = Assignment(target, value, region)
    if not region.operands or index.value is True:
        needs = _check_copied(assignment, shape)
    else:
        needs = _check_put(assignment, shape)
    if late is not None:
        raise late
    return assigned(call, assignment, needs)


def _is_tuple(value: Listed) -> bool:
    return value.is_tuple or is_legacy_tuple(value)


def _check_value(value: Item, target: Tensor) -> Shape:
    """Refuse what is neither a tensor nor a number, before anything else; return the shape of the others."""
    if isinstance(value.value, Tensor):
        return value.value.shape
    if not is_number(value.value):
        words = f"can't assign a {type_name(value.value)} to a torch.{SCALARS[target.dtype]}Tensor"
        raise RaisedError(value.span, "TypeError", words)
    check_number(value, target.dtype, lenient=True)
    return ()


def _check_copied(assignment: Assignment, shape: Shape) -> list[str]:
    """Check what is copied to a view: whether the value can be expanded; ``check_copied`` looks at storage later."""
    region = assignment.region.shape
    needs: list[str] = []
    if shape != region:
        needs = _check_expanded(assignment, stripped(shape))
    return needs


def _check_expanded(assignment: Assignment, shape: Shape) -> list[str]:
    value, region = assignment.value, assignment.region.shape
    if len(shape) > len(region) and not any(isinstance(size, str) for size in shape[: len(shape) - len(region)]):
        kind = SCALARS[value.value.dtype] if isinstance(value.value, Tensor) else ""
        words = (
            f"expand(torch.{kind}Tensor{{{brackets(shape)}}}, size={brackets(region)}): the number of sizes provided "
            f"({len(region)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
        raise RaisedError(value.span, "RuntimeError", words)
    wrong = unfit_axes(shape, region)
    if wrong:
        axis = wrong[-1]
        size = shape[axis - len(region) + len(shape)]
        words = (
            f"The expanded size of the tensor ({region[axis]}) must match the existing size ({size}) at non-singleton "
            f"dimension {axis}.  Target sizes: {brackets(region)}.  Tensor sizes: {brackets(shape)}"
        )
        raise RaisedError(value.span, "RuntimeError", words, axis)
    return fitting_needs(shape, region)


def _check_put(assignment: Assignment, shape: Shape) -> list[str]:
    """Check what is put at positions and at masks."""
    operands, value, region = assignment.region.operands, assignment.value, assignment.region.shape
    if set(shape) <= {1} and [operand.kind for operand in operands] == ["mask"]:
        if operands[0].tensor.dtype == "uint8":
            words = "masked_fill_ only supports boolean masks, but got mask with dtype unsigned char"
            raise RaisedError(operands[0].item.span, "RuntimeError", words)
        if isinstance(value.value, Tensor):
            check_number(value, writable(assignment.target).dtype)
        return []
    shape = stripped(shape)
    wrong = unfit_axes(shape, region)
    if wrong or (len(shape) > len(region) and not any(isinstance(size, str) for size in shape)):
        words = (
            f"shape mismatch: value tensor of shape {brackets(shape)} cannot be broadcast to indexing result of shape "
            f"{brackets(region)}"
        )
        raise RaisedError(value.span, "RuntimeError", words, wrong[-1] if wrong else None)
    dtype = writable(assignment.target).dtype
    own = value.value.dtype if isinstance(value.value, Tensor) else dtype
    if own != dtype:
        words = (
            "Index put requires the source and destination dtypes match, got "
            f"{SCALARS[dtype]} for the destination and {SCALARS[own]} for the source."
        )
        raise RaisedError(value.span, "RuntimeError", words)
    return fitting_needs(shape, region)


OPERATIONS = {"[]=": Operation(assign_torch, assign_numpy)}
