"""``nn.Sequential``: layers one after another, each an operation of its own."""

from collections.abc import Iterator
from dataclasses import replace

from segcli.shapes.calls import Call, Layer, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing
from segcli.shapes.python_call import bind_python
from segcli.shapes.values import Item

# Each is an operation of the trace; nobody reads more.
MOST_LAYERS = 64


def flat(layer: Layer) -> Iterator[Layer]:
    """Go through the layers that a layer consists of: itself, where it is no ``nn.Sequential``."""
    if layer.layers is None:
        yield layer
    for each in layer.layers or ():
        yield from flat(each)


def applied(layer: Layer, item: Item, stage: int) -> Call:
    """Return the call that applies one layer of several.

    Args:
        layer: The layer.
        item: What the one before it gave.
        stage: Which operation of the expression this is.
    """
    made = layer.call
    # What is wrong with the input is said at the layer: of several, it is what a reader looks for.
    given = Item(item.value, item.text, made.span)
    return Call(made.name, "nn", (("", given),), made.span, made.text, f"{made.text}({item.text})", stage, made)


def named(call: Call, done: object) -> object:
    """Return what a layer of several does, with its name at the axes that no argument of it is about."""
    if not isinstance(done, Computed | Indexing):
        return done
    steps = (step if step.token else replace(step, token=call.text, span=call.span) for step in done.steps)
    return replace(done, steps=tuple(steps))


def _input(call: Call) -> Item:
    return bind_python(call, "Sequential.forward", "self, input")["input"].item


OPERATIONS = {"Sequential": Operation(_input, None, "apply one function after another")}
