"""``unique``: every value once, PyTorch 2.13's and NumPy 2.4's; how many there are is in the data."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import bind_numpy, numpy_axis, rest_step, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import numpy_int, read_int
from segcli.shapes.kinds import SCALARS
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.select.looking import with_size
from segcli.shapes.signatures import is_integer
from segcli.shapes.symbols import product
from segcli.shapes.values import COMPLEX, Item, Parts, RaisedError, Run, Size, Tensor, type_name

_PARAMETERS = "input, sorted=True, return_inverse=False, return_counts=False, dim=None"
_NUMPY = "ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True"
_FLAGS = ("sorted", "return_inverse", "return_counts")


def _unique(call: Call) -> Computed:
    name = "Tensor.unique" if call.space == "method" else "_return_output"
    bound = bind_python(call, name, _PARAMETERS)
    item = bound["input"].item
    inner = "_unique2" if "dim" not in bound or bound["dim"].value is None else "unique_dim"
    if not isinstance(item.value, Tensor):
        words = f"{inner}(): argument 'input' (position 1) must be Tensor, not {type_name(item.value)}"
        raise RaisedError(item.span, "TypeError", words)
    dim = bound["dim"].item if inner == "unique_dim" else None
    if dim is not None and not is_integer(dim.value):
        words = f"{inner}(): argument 'dim' (position 2) must be int, not {type_name(dim.value)}"
        raise RaisedError(dim.span, "TypeError", words)
    for flag in _FLAGS:
        if flag in bound and not isinstance(bound[flag].value, bool):
            words = f"{inner}(): argument '{flag}' must be bool, not {type_name(bound[flag].value)}"
            raise RaisedError(bound[flag].item.span, "TypeError", words)
    source = item.value
    if source.dtype in COMPLEX:
        kernel = "unique" if dim is None else "unique_dim"
        words = f"\"{kernel}\" not implemented for '{SCALARS[source.dtype]}'"
        raise RaisedError(item.span, "NotImplementedError", words)
    axis = None if dim is None else _axis(item, source, dim)
    return _found(call, item, axis, [flag for flag in _FLAGS[1:] if _is_asked(bound, flag)], is_tuple=True)


def _is_asked(bound: dict[str, Given], flag: str) -> bool:
    return flag in bound and bool(bound[flag].value)


def _axis(item: Item, source: Tensor, dim: Item) -> int:
    if not source.shape:
        words = f"Dimension specified as {read_int(dim)} but tensor has no dimensions"
        raise RaisedError(dim.span, "IndexError", words)
    axis = wrap(read_int(dim), len(source.shape), dim.span)
    empty = [place for place, size in enumerate(source.shape) if size == 0]
    words = ""
    if len(empty) > 1 and source.shape[axis] == 0:
        words = "Number of zero sized dimensions is more than one, so unique cannot be applied "
    elif empty and source.shape[axis] != 0:
        words = "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
    if words:
        raise RaisedError(item.span, "RuntimeError", words, empty[0])
    return axis


def _found(call: Call, item: Item, axis: int | None, asked: list[str], *, is_tuple: bool) -> Computed:
    """Return every value once, or every slice of an axis, with what else is asked for."""
    source = tensor_in(item)
    whole = product(source.shape) if axis is None else source.shape[axis]
    count = _count(source, axis, whole)
    shape = (count,) if axis is None else with_size(source.shape, axis, count)
    text = call.result_text
    values = Tensor(shape, source.dtype, f"{text}[0]" if asked else text)
    several = [values]
    for flag in asked:
        own = (count,) if flag in ("return_counts", "return_index") else source.shape if axis is None else (whole,)
        several.append(Tensor(own, "int64", f"{text}[{len(several)}]"))
    axes = tuple(range(len(source.shape)))
    what = "every value once" if axis is None else f"every slice along axis {axis} once"
    takes, gives = (axes, (0,)) if axis is None else ((axis,), (axis,))
    left = [] if axis is None else [place for place in axes if place != axis]
    steps = (
        Step(call.stage, call.text, call.span, call.name, takes, gives, f"{what}, sorted: {count} of {whole}"),
        *rest_step(call, left, left, "kept"),
    )
    result = Parts(tuple(Run(1, tensor) for tensor in several), call.name, is_tuple=is_tuple) if asked else values
    return Computed(result, (item,), steps)


def _count(source: Tensor, axis: int | None, whole: Size) -> Size:
    """Return how many there are: a number where the values are known, else a symbol."""
    if whole in (0, 1):
        return whole
    if axis is not None and 0 in source.shape:
        # Slices without elements are all alike.
        return 1
    known = source.values is not None and (axis is None or len(source.shape) == 1)
    if known and all(value == value for value in source.values or ()):  # noqa: PLR0124 - nan is no value twice
        return len(set(source.values or ()))
    return f"unique({source.text})"


def _unique_numpy(call: Call) -> Computed:
    item, source, bound = bind_numpy(call, "unique", _NUMPY, {"dim": "axis"})
    given = bound.get("axis")
    axis = None
    if given is not None and given.value is not None:
        if isinstance(given.value, float):
            raise RaisedError(given.item.span, "TypeError", "'float' object is not iterable")
        axis = numpy_axis(numpy_int(given.item), len(source.shape), given.item.span)
    flags = ("return_index", "return_inverse", "return_counts")
    return _found(call, item, axis, [flag for flag in flags if _is_asked(bound, flag)], is_tuple=True)


OPERATIONS = {"unique": Operation(_unique, _unique_numpy, read_as="np.unique")}
