"""Operations that a mask decides on: ``masked_select`` and ``masked_fill``; and ``nonzero``, of where it is True.

The rules are those of ``aten/src/ATen/native/TensorAdvancedIndexing.cpp`` of PyTorch 2.13. Here a mask broadcasts,
as it never does in an index.
"""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.compute.broadcasting import Together, broadcast_operands
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, bind_nothing, both, tensor_in
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import C_NAMES
from segcli.shapes.select.looking import name_of
from segcli.shapes.select.storing import check_number, explain_stored
from segcli.shapes.signatures import flag
from segcli.shapes.symbols import product
from segcli.shapes.values import Item, Parts, RaisedError, Run, Shape, Size, Tensor

_MASK = both("Tensor mask")
FILL = both("Tensor mask, Tensor value", "Tensor mask, number value")
_NONZERO = both("*, bool as_tuple=")
_ARGWHERE = both("")
_NUMPY_0D = "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() instead."


def masked_select_torch(call: Call) -> Computed:
    """Take the elements at which a mask is True.

    Args:
        call: ``x.masked_select(mask)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _MASK)
    mask = bound["mask"].item
    if tensor_in(mask).dtype != "bool":
        raise RaisedError(mask.span, "RuntimeError", "masked_select: expected BoolTensor for mask")
    # PyTorch broadcasts the mask first.
    together = broadcast_operands(call, [mask, item])
    count = _true_count(tensor_in(mask), together.shape)
    steps = tuple(replace(step, gives=(0,) if step.takes else ()) for step in together.steps)
    effects = (f"{count} times True", "each element at which the mask is True")
    return Computed(
        call.make((count,), source.dtype),
        together.inputs,
        tuple(replace(step, effect=effect) for step, effect in zip(steps, effects, strict=True)),
        formula=_formula(together) if tensor_in(mask).shape == together.shape else None,
        rows=together.rows,
        broadcast=together.shape,
        why="in row-major order" if len(together.shape) > 1 else "",
        # Where an axis of the mask is repeated, so is each True.
        needs=tuple(need.partition(" or ")[0] for need in together.needs),
    )


def _formula(together: Together) -> Formula:
    """Write an element by the position that the mask has it at."""
    mask = together.inputs[0].text
    source = tensor_in(together.inputs[1]).shape
    offset = len(together.shape) - len(source)
    at = tuple(
        "0" if size == 1 != together.shape[axis + offset] else f"{mask}.nonzero()[{{i0}}, {axis + offset}]"
        for axis, size in enumerate(source)
    )
    return Formula("{0}", (Read(1, at),))


def _true_count(mask: Tensor, shape: Shape) -> Size:
    """Count the True elements of a mask that is repeated to a shape."""
    if 0 in shape:
        return 0
    offset = len(shape) - len(mask.shape)
    repeated = [
        size for axis, size in enumerate(shape) if axis < offset or (mask.shape[axis - offset] == 1 and size != 1)
    ]
    return product([mask.nonzero, *repeated])


def masked_fill_torch(call: Call) -> Computed:
    """Put one value where a mask is True.

    Args:
        call: ``x.masked_fill(mask, value)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, FILL)
    mask, value = bound["mask"].item, bound["value"].item
    broadcast_operands(call, [mask, item])
    check_fill(mask, value)
    check_number(value, source.dtype)
    together = broadcast_operands(call, [mask, item, value])
    result = replace(call.make(together.shape, source.dtype), labels=together.labels)
    return Computed(
        result,
        together.inputs,
        together.steps,
        formula=Formula("{2} if {0} else {1}", together.reads),
        rows=together.rows,
        broadcast=together.shape,
        why=explain_stored(value, item),
        needs=together.needs,
    )


def check_fill(mask: Item, value: Item) -> None:
    """Refuse what is no mask, and what is no single value.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    if isinstance(value.value, Tensor) and value.value.shape:
        words = (
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value.value.shape)} dimension(s)."
        )
        raise RaisedError(value.span, "RuntimeError", words)
    dtype = tensor_in(mask).dtype
    if dtype != "bool":
        words = f"masked_fill_ only supports boolean masks, but got mask with dtype {C_NAMES[dtype]}"
        raise RaisedError(mask.span, "RuntimeError", words)


def nonzero_torch(call: Call) -> Computed:
    """Tell the positions of the elements that are not zero: a row each, or an axis each.

    Args:
        call: ``x.nonzero()``, with ``as_tuple=True`` or without.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    surplus = [given for keyword, given in call.arguments[1:] if not keyword]
    if call.space == "method" and surplus:
        words = f"nonzero() takes from 1 to 0 positional arguments but {len(surplus)} were given"
        raise RaisedError(surplus[0].span, "TypeError", words)
    item, _, bound = bind(call, _NONZERO)
    if flag(bound, "as_tuple"):
        return nonzero_parts(call, item)
    return _rows(call, item)


def argwhere_torch(call: Call) -> Computed:
    """Tell the positions of the elements that are not zero, a row each.

    Args:
        call: ``torch.argwhere(x)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item = bind_nothing(call)[0] if call.space == "method" else bind(call, _ARGWHERE)[0]
    return _rows(call, item)


def argwhere_numpy(call: Call) -> Computed:
    """Tell the positions of the elements that are not zero, a row each.

    Raises:
        RaisedError: As NumPy would raise.
    """
    for keyword, given in call.arguments[1:]:
        words = f"argwhere() takes 1 positional argument but {len(call.arguments)} were given"
        if keyword:
            words = f"argwhere() got an unexpected keyword argument '{keyword}'"
        raise RaisedError(given.span, "TypeError", words)
    return _rows(call, bind(call, _ARGWHERE)[0])


def _rows(call: Call, item: Item) -> Computed:
    """Return a tensor of positions, a row an element that is not zero."""
    source = tensor_in(item)
    count, ndim = source.nonzero, len(source.shape)
    axes = tuple(range(ndim))
    effect = f"a row for each of its {count} elements that are not zero"
    steps = [Step(call.stage, item.text, item.span, name_of(source), axes, (0,), effect)]
    why = f"axis 1: the position along each of the {ndim} axes, in row-major order" if ndim else ""
    return Computed(
        call.make((count, ndim), "int64"),
        (item,),
        tuple(steps),
        why=why,
        rules=frozenset({"nonzero-rows"} if call.name == "nonzero" else ()),
    )


def nonzero_parts(call: Call, item: Item) -> Computed:
    """Return a tensor of positions an axis, which together are an index of the elements that are not zero."""
    source = tensor_in(item)
    axes = tuple(range(len(source.shape)))
    count = source.nonzero
    # PyTorch takes a 0-d tensor for one of one axis.
    run = Run(max(len(axes), 1), Tensor((count,), "int64", call.result_text))
    what = "one tensor an axis" if len(axes) > 1 else "one tensor, of positions along axis 0"
    effect = f"{what}: where its {count} elements that are not zero are"
    step = Step(call.stage, item.text, item.span, name_of(source), axes, (0,), effect)
    return Computed(Parts((run,), call.name), (item,), (step,))


def nonzero_numpy(call: Call) -> Computed:
    """Tell the positions of the elements that are not zero, an array an axis.

    Raises:
        RaisedError: As NumPy would raise.
    """
    function = call.space == "torch"
    surplus = call.arguments[1:]
    if surplus:
        keyword, given = surplus[0]
        words = f"ndarray.{call.name}() takes no keyword arguments"
        if function:
            words = f"{call.name}() got an unexpected keyword argument '{keyword}'"
        if not keyword:
            words = f"function takes exactly 0 arguments ({len(surplus)} given)"
        raise RaisedError(given.span, "TypeError", words)
    item, source, _ = bind(call, _NONZERO)
    if not source.shape:
        raise RaisedError(item.span, "ValueError", _NUMPY_0D)
    return nonzero_parts(call, item)
