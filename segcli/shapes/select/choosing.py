"""``where``: from two operands the one that a condition says; with a condition alone, where it holds."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.elementwise import computed
from segcli.shapes.compute.promotion import explain_dtype, is_number, mixes, numpy_dtype, torch_dtype
from segcli.shapes.computed import Computed
from segcli.shapes.dims import tensor_in
from segcli.shapes.kinds import SCALARS
from segcli.shapes.operands import as_array, promote
from segcli.shapes.select.looking import known_array
from segcli.shapes.select.masking import nonzero_parts
from segcli.shapes.select.storing import check_number
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import Item, RaisedError

_METHOD = ("Tensor condition, Tensor other", "Tensor condition, number other")
_FUNCTION = (
    "Tensor condition",
    "Tensor condition, Tensor input, Tensor other",
    "Tensor condition, number self, Tensor other",
    "Tensor condition, Tensor input, number other",
    "Tensor condition, number self, number other",
)
_WHERE = Signatures(_METHOD, _FUNCTION)
_ALONE = Signatures((), _FUNCTION[:1])
_BODY = "{1} if {0} else {2}"
_UINT8 = "deprecated: where() takes a uint8 condition for a mask, with a UserWarning; write condition.bool()"
_NUMPY_0D = "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() instead."
_MOST = 3


def where_torch(call: Call) -> Computed:
    """Choose, element by element.

    Args:
        call: ``torch.where(condition, x, y)``, ``x.where(condition, y)`` or ``torch.where(condition)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    first = call.first if call.space == "method" else None
    if first is None and len(call.arguments) == 1:
        return nonzero_parts(call, bind_call(call, _ALONE)["condition"].item)
    bound = bind_call(call, _WHERE)
    condition = bound["condition"].item
    chosen = first or (bound.get("input") or bound["self"]).item
    other = bound["other"].item
    dtype = torch_dtype([chosen.value, other.value])
    for item in (chosen, other):
        if is_number(item.value):
            check_number(item, dtype, lenient=True)
    mask = tensor_in(condition)
    if mask.dtype not in ("bool", "uint8"):
        words = f"where expected condition to be a boolean tensor, but got a tensor with dtype {SCALARS[mask.dtype]}"
        raise RaisedError(condition.span, "RuntimeError", words)
    done = _chosen(call, [condition, chosen, other], dtype, "torch")
    return replace(done, notes=(_UINT8,)) if mask.dtype == "uint8" else done


def _chosen(call: Call, items: Sequence[Item], dtype: str, library: str) -> Computed:
    together = broadcast_operands(call, items, library)
    words = ("decides", "where it is True", "where it is False")
    steps = tuple(
        replace(step, effect=f"{word}; {step.effect}" if step.takes else word)
        for step, word in zip(together.steps, words, strict=True)
    )
    why = explain_dtype(items[1:], dtype, library)
    return computed(call, replace(together, steps=steps), dtype, _BODY, why=why, rules=mixes(items[1:]))


def where_numpy(call: Call) -> Computed:
    """Choose as ``np.where(condition, x, y)`` does, or tell where a condition alone holds.

    Raises:
        RaisedError: As NumPy would raise.
    """
    _check_count(call)
    condition = call.first
    if len(call.arguments) == 1:
        array = known_array(condition)
        if not array.shape:
            raise RaisedError(condition.span, "ValueError", _NUMPY_0D)
        return nonzero_parts(call, Item(array, condition.text, condition.span))
    items = [_as_operand(item) for _, item in call.arguments]
    dtype = numpy_dtype([item.value for item in items[1:]])
    return _chosen(call, items, dtype, "numpy")


def _check_count(call: Call) -> None:
    count = len(call.arguments)
    words, kind = "", "TypeError"
    named = [keyword for keyword, _ in call.arguments if keyword]
    if named:
        words = f"where() got some positional-only arguments passed as keyword arguments: '{', '.join(named)}'"
    elif not count:
        words = "where() missing 1 required positional argument: 'condition'"
    elif count > _MOST:
        words = f"where() takes from 1 to 3 positional arguments but {count} were given"
    elif count == _MOST - 1:
        words, kind = "either both or neither of x and y should be given", "ValueError"
    if words:
        raise RaisedError(call.span, kind, words)


def _as_operand(item: Item) -> Item:
    """Return an operand as NumPy has it: numbers stay numbers, lists are arrays."""
    if is_number(item.value):
        return item
    array = as_array(item)
    # Refuses what would be an array of objects.
    promote(array.dtype, array.dtype, "numpy")
    return Item(array, item.text, item.span)
