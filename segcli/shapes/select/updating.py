"""What changes a tensor where it is, ``x += y``, as PyTorch 2.13 does it; ``numpy_updating`` has NumPy's rules.

Python reads the place that an index names, lets it change itself (``add_``), and assigns it to the index. A view
changes its source at once; of a copy, which tensors of positions and masks give, it is the assignment that does.
"""

from dataclasses import replace
from typing import cast

from segcli.marks import IN_PLACE
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.elementwise import MARKS
from segcli.shapes.compute.promotion import is_number
from segcli.shapes.compute.torch_arithmetic import apply_torch
from segcli.shapes.computed import Computed
from segcli.shapes.index.torch_index import index_torch
from segcli.shapes.layer.layers import check_cast
from segcli.shapes.select.assigning import OVERLAPS, assign_torch
from segcli.shapes.select.looking import brackets
from segcli.shapes.select.numpy_updating import update_numpy
from segcli.shapes.select.placing import is_expanded
from segcli.shapes.select.updated import Update, read_update, refuse_growth, updated
from segcli.shapes.values import Item, RaisedError, Shape, Tensor, type_name


def update_torch(call: Call) -> Computed:
    """Change a tensor, or the place in it that an index names.

    Args:
        call: The target, the index if there is one, and the value.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    update = read_update(call, index_torch)
    value = update.value
    if not isinstance(value.value, Tensor) and not is_number(value.value):
        words = f"unsupported operand type(s) for {update.mark}=: 'Tensor' and '{type_name(value.value)}'"
        raise RaisedError(value.span, "TypeError", words)
    made = _made(call, update)
    if len(call.arguments) > 2:  # noqa: PLR2004 - with an index
        _assign_back(call, update)
    return updated(call, update, made)


def _assign_back(call: Call, update: Update) -> None:
    """Refuse what PyTorch refuses when what was changed is assigned to the index."""
    result = Item(Tensor(update.tensor.shape, update.tensor.dtype, ""), update.value.text, update.value.span)
    assign_torch(replace(call, arguments=(*call.arguments[:2], ("", result))))
    target = cast("Tensor", update.target.value)
    # True alone gives a copy, and is then assigned to as a view.
    if call.arguments[1][1].value is True and 0 not in target.shape and is_expanded(target.shape, target.strides):
        raise RaisedError(update.target.span, "RuntimeError", OVERLAPS)


def _made(call: Call, update: Update) -> Computed:
    """Return what the operator gives; that there is no code for a dtype or a divisor, PyTorch finds out last."""
    operation, late = update.operation(call), None
    try:
        made = apply_torch(operation, function=MARKS[update.mark])
    except RaisedError as error:
        _refuse_overlap(update, error)
        if error.kind != "NotImplementedError" and error.message != "ZeroDivisionError":
            raise
        late = error
        # As of what there is code for, for all dtypes and values: the sum.
        made = apply_torch(operation, function=MARKS["+"])
    _refuse_overlap(update)
    refuse_growth(update, broadcast_operands(operation, [update.place, update.value]).shape, _growth)
    check_cast(cast("Tensor", made.result).dtype, update.tensor.dtype, update.value.span)
    if late is not None:
        raise late
    return made


def _refuse_overlap(update: Update, error: RaisedError | None = None) -> None:
    """Refuse a place of which several elements are one in storage; bools that are subtracted PyTorch refuses before."""
    place = update.tensor
    first = error is not None and error.message.startswith("Subtraction")
    if not first and 0 not in place.shape and is_expanded(place.shape, place.strides):
        raise RaisedError(update.target.span, "RuntimeError", OVERLAPS)


def _growth(own: Shape, shape: Shape) -> tuple[str, str]:
    words = f"output with shape {brackets(own)} doesn't match the broadcast shape {brackets(shape)}"
    return "RuntimeError", words


OPERATIONS = {f"{place}{mark}=": Operation(update_torch, update_numpy) for place in ("", "[]") for mark in IN_PLACE}
