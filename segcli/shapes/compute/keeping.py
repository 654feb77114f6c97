"""Operations that give the same elements: ``clone``, ``detach``, ``cpu``, and conversions that have nothing to do."""

from dataclasses import replace
from typing import NoReturn

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.elementwise import computed
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Along, Indexing, Step
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import Item, RaisedError, Tensor, type_name


def tensor_of(call: Call, item: Item) -> Tensor:
    """Return the tensor that a method is called on, or that a function takes first.

    Raises:
        RaisedError: For anything else, such as the pair that a function returned.
    """
    if isinstance(item.value, Tensor):
        return item.value
    owner = type_name(item.value)
    words = f"{call.name}(): argument 'input' (position 1) must be Tensor, not {owner}"
    raise RaisedError(item.span, "TypeError", words)


def first_item(call: Call) -> Item:
    """Return the first argument with the place that it was read from."""
    return call.first


def whole_step(call: Call, source: Tensor, effect: str) -> Step:
    """Return the step of a call that leaves the axes of its tensor where they are."""
    axes = tuple(range(len(source.shape)))
    start, end = call.span
    span = (start, start + len(call.text)) if call.space == "operator" else (start, end)
    return Step(call.stage, call.text, span, call.name.removeprefix("unary_"), axes, axes, effect)


def same(call: Call, source: Tensor, effect: str = "the tensor itself") -> Computed | Indexing:
    """Return what gives its first tensor back: a look at all of it, by which formulas go on."""
    step = whole_step(call, source, effect)
    if source.values is not None or source.true_count is not None:
        item = next(item for _, item in call.arguments if isinstance(item.value, Tensor))
        made = computed(call, broadcast_operands(call, [item]), source.dtype, "{0}")
        return replace(made, result=replace(source, text=call.result_text), view=True, steps=(step,))
    accesses = tuple(Along(axis, 0, 1, whole=True) for axis in range(len(source.shape)))
    return Indexing(source.shape, view=True, accesses=accesses, steps=(step,), scalar=source.scalar)


def refuse_arguments(call: Call) -> None:
    """Refuse arguments of a method that has none."""
    if len(call.arguments) > 1:
        count = sum(not keyword for keyword, _ in call.arguments) - 1
        what = "keyword arguments" if count < len(call.arguments) - 1 else f"arguments ({count} given)"
        raise RaisedError(call.arguments[1][1].span, "TypeError", f"TensorBase.{call.name}() takes no {what}")


def _clone(call: Call) -> Computed:
    if call.space == "torch":
        item = bind_call(call, Signatures((), ("Tensor input, *, memory_format? memory_format=",)))["input"].item
    else:
        item = first_item(call)
        bind_call(call, Signatures(("*, memory_format? memory_format=",), ()))
    return _copied(call, item, "torch")


def _copied_numpy(call: Call) -> Computed:
    return _copied(call, first_item(call), "numpy")


def _copied(call: Call, item: Item, library: str) -> Computed:
    source = tensor_of(call, item)
    made = computed(call, broadcast_operands(call, [item], library), source.dtype, "{0}")
    result = replace(source, text=call.result_text, strides=None)
    return replace(made, result=result, steps=(whole_step(call, source, "a copy"),))


def _itself(call: Call) -> Computed | Indexing:
    if call.space == "torch":
        item = bind_call(call, Signatures((), ("Tensor input",)))["input"].item
    else:
        item = first_item(call)
        if call.name == "cpu":
            bind_call(call, Signatures(("*, memory_format? memory_format=",), ()))
        else:
            refuse_arguments(call)
    source = tensor_of(call, item)
    return same(call, source, "the same elements" if call.name == "detach" else "the tensor itself")


def _buffer(call: Call) -> NoReturn:
    message = f"{call.result_text} is no array in NumPy, but a memoryview"
    raise SegcliError(message, hint="leave .data out")


OPERATIONS = {
    "method.clone": Operation(_clone, _copied_numpy, read_as="x.copy"),
    "torch.clone": Operation(_clone, _copied_numpy, read_as="np.copy"),
    "detach": Operation(_itself, None, "leave it out: arrays have no gradients"),
    "data": Operation(_itself, _buffer, "leave it out: arrays have no gradients"),
    "cpu": Operation(_itself, None, "leave it out: arrays are nowhere else"),
}
