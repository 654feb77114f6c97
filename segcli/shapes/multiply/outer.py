"""``outer``: each element of one vector times each of another, in PyTorch 2.13 and NumPy 2.4."""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.compute.promotion import numpy_dtype
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.operands import as_array
from segcli.shapes.python_call import bind_python
from segcli.shapes.symbols import product
from segcli.shapes.values import Item, RaisedError, Size, Tensor, check_elements


def crossed(call: Call, items: tuple[Item, Item], dtype: str) -> Computed:
    """Return all products of two tensors, a row an element of the first.

    Args:
        call: The call.
        items: The tensors; NumPy takes what has other axes than one for a vector of all its elements.
        dtype: The result's dtype.
    """
    arrays = [as_array(item) for item in items]
    shape: tuple[Size, ...] = tuple(product(array.shape) for array in arrays)
    check_elements(shape, call.text)
    steps = tuple(
        Step(call.stage, item.text, item.span, kind, tuple(range(len(array.shape))), (place,), effect, place)
        for place, (item, array, kind, effect) in enumerate(
            zip(items, arrays, ("rows", "columns"), ("a row an element", "a column an element"), strict=True)
        )
    )
    plain = all(isinstance(item.value, Tensor) and len(item.value.shape) == 1 for item in items)
    formula = Formula("{0} * {1}", (Read(0, ("{i0}",)), Read(1, ("{i1}",)))) if plain else None
    return Computed(call.make(shape, dtype), items, steps, formula=formula)


def outer_numpy(call: Call) -> Computed:
    """Multiply each element of an array with each of another.

    Raises:
        RaisedError: As NumPy would raise.
    """
    renamed = {"input": "a", "vec2": "b"}
    arguments = tuple((renamed.get(keyword, keyword), item) for keyword, item in call.arguments)
    bound = bind_python(replace(call, arguments=arguments), "outer", "a, b, out=None")
    if "out" in bound and bound["out"].value is not None:
        raise RaisedError(bound["out"].item.span, "TypeError", "return arrays must be of ArrayType")
    items = bound["a"].item, bound["b"].item
    return crossed(call, items, numpy_dtype([as_array(item) for item in items]))
