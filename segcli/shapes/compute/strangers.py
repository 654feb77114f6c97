"""Operators between a tensor of PyTorch and what is neither a tensor nor a number, where Python itself has a say."""

from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.values import INTEGER, Item, Listed, Pair, Parts, RaisedError, Tensor, Value, type_name

_NO_LENGTH = "how long the result is, hangs on the value of {text}, which is not known"


def python_name(value: Value) -> str:
    """Return the name of a value's type as the messages of operators have it."""
    return "torch.Size" if isinstance(value, Listed) and value.is_size else type_name(value)


def meet_stranger(call: Call, items: Sequence[Item]) -> Computed:
    """Return what an operator between a tensor and a stranger gives.

    Raises:
        RaisedError: Python's TypeError, for most.
        SegcliError: For what depends on the values of the tensor.
    """
    mark = call.name
    first, second = items
    if mark in ("==", "!="):
        other = first if isinstance(second.value, Tensor) else second
        note = (
            f"PyTorch compares no tensor with {_described(other)}: {mark} is plain {mark == '!='} whatever the elements"
        )
        steps = tuple(
            Step(call.stage, item.text, item.span, python_name(item.value), (), (), "not looked into", place)
            for place, item in enumerate(items)
        )
        rules = frozenset({"compared-with-a-stranger"})
        return Computed(mark == "!=", tuple(items), steps, rules=rules, notes=(note,))
    if mark == "*" and any(_is_sequence(item.value) for item in items):
        return _repeated(items)
    names = [python_name(item.value) for item in items]
    if mark == "+" and _is_sequence(first.value):
        kind = "tuple" if isinstance(first.value, Pair) else names[0]
        words = f'can only concatenate {kind} (not "Tensor") to {kind}'
        if kind == "torch.Size":
            words = "can only concatenate tuple (not Tensor) to torch.Size"
    elif mark == "%" and isinstance(first.value, str):
        message = "a text is formatted with %, which is not supported"
        raise SegcliError(message)
    elif mark in ("<", "<=", ">", ">="):
        words = f"'{mark}' not supported between instances of '{names[0]}' and '{names[1]}'"
    else:
        shown = "** or pow()" if mark == "**" else mark
        words = f"unsupported operand type(s) for {shown}: '{names[0]}' and '{names[1]}'"
    raise RaisedError(second.span if isinstance(first.value, Tensor) else first.span, "TypeError", words)


def _described(item: Item) -> str:
    return item.text if item.value is None else f"a {python_name(item.value)}"


def _is_sequence(value: Value) -> bool:
    return isinstance(value, Listed | Pair | Parts | str)


def _repeated(items: Sequence[Item]) -> Computed:
    """Repeat a sequence as often as an integer tensor of one element says."""
    tensor = next(item for item in items if isinstance(item.value, Tensor))
    value = tensor.value
    one = isinstance(value, Tensor) and all(size == 1 or isinstance(size, str) for size in value.shape)
    if isinstance(value, Tensor) and (not one or value.dtype not in ("bool", *INTEGER)):
        words = "only integer tensors of a single element can be converted to an index"
        raise RaisedError(tensor.span, "TypeError", words)
    message = f"a sequence times a tensor repeats the sequence: {_NO_LENGTH.format(text=tensor.text)}"
    raise SegcliError(message, hint="for arithmetic, make a tensor of the sequence")
