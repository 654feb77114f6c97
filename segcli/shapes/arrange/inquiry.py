"""What is asked of a tensor and is no tensor: its shape, its number of elements, the element itself."""

from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import array_of, bind, bind_nothing, bind_numpy, both, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import listed, numpy_int, read_int
from segcli.shapes.strides import is_row_major, strides_of
from segcli.shapes.symbols import product
from segcli.shapes.values import (
    COMPLEX,
    INTEGER,
    DType,
    Item,
    Listed,
    RaisedError,
    Size,
    Symbol,
    Tensor,
    Unknown,
    Value,
)

_SIZE = both("int? dim=")
_NUMEL = both("")
_RULES = frozenset({"size-is-number"})


def _told(call: Call, item: Item, value: Value, effect: str, needs: tuple[str, ...] = ()) -> Computed:
    """Return a plain value; it takes every axis of the tensor and gives none."""
    axes = tuple(range(len(tensor_in(item).shape)))
    step = Step(call.stage, call.text, call.span, call.name, axes, (), effect)
    return Computed(value, (item,), (step,), needs=needs)


def _number(size: Size) -> Value:
    return size if isinstance(size, int) else Symbol(size)


def _sizes(call: Call, tensor: Tensor, *, is_size: bool) -> Listed:
    items = tuple(Item(_number(size), call.text, call.span) for size in tensor.shape)
    return Listed(items, is_tuple=True, is_size=is_size)


def _shape(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    return _told(call, item, _sizes(call, tensor, is_size=True), _counted(tensor))


def _shape_numpy(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    return _told(call, item, _sizes(call, tensor, is_size=False), _counted(tensor))


def _counted(tensor: Tensor) -> str:
    ndim = len(tensor.shape)
    return f"the size of {'its one axis' if ndim == 1 else f'each of its {ndim} axes'}"


def _ndim(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    return _told(call, item, len(tensor.shape), "how many axes it has")


def _dtype(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    return _told(call, item, DType(tensor.dtype), "the type of its elements")


def _size(call: Call) -> Computed:
    item, tensor, bound = bind(call, _SIZE)
    given = bound.get("dim")
    if given is None or given.value is None:
        return replace(_told(call, item, _sizes(call, tensor, is_size=True), _counted(tensor)), rules=_RULES)
    dim = read_int(given.item)
    if not tensor.shape:
        words = f"Dimension specified as {dim} but tensor has no dimensions"
        raise RaisedError(given.item.span, "IndexError", words)
    axis = wrap(dim, len(tensor.shape), given.item.span)
    step = Step(call.stage, call.text, call.span, call.name, (axis,), (), f"the size of axis {axis}")
    return Computed(_number(tensor.shape[axis]), (item,), (step,), rules=_RULES)


def _size_numpy(call: Call) -> Computed:
    raise RaisedError(call.span, "TypeError", "'int' object is not callable")


def _numel(call: Call) -> Computed:
    value = call.first.value if call.arguments and call.space == "method" else None
    if isinstance(value, Listed) and value.is_size and len(call.arguments) == 1:
        sizes = [each.value.size if isinstance(each.value, Symbol) else each.value for each in value.items]
        return Computed(_number(product([size for size in sizes if isinstance(size, int | str)])), (), ())
    item, tensor, _ = bind(call, _NUMEL) if call.space == "torch" else (*bind_nothing(call), {})
    return _told(call, item, _number(product(tensor.shape)), _multiplied(tensor))


def _multiplied(tensor: Tensor) -> str:
    return " * ".join(map(str, tensor.shape)) + f" = {product(tensor.shape)} elements" if tensor.shape else "1 element"


def _numel_numpy(call: Call) -> Computed:
    if len(call.arguments) == 1 and isinstance(call.first.value, int | float):
        return Computed(1, (), ())
    item, tensor, _ = bind_numpy(call, call.name, "a")
    return _told(call, item, _number(product(tensor.shape)), _multiplied(tensor))


def _dim(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    return _told(call, item, len(tensor.shape), "how many axes it has")


def _stride(call: Call) -> Computed:
    item, tensor, bound = bind(call, _SIZE)
    strides = strides_of(tensor)
    unknown = None in strides or (bool({0, 1} & set(tensor.shape)) and not _is_as_bound(item, tensor))
    if unknown:
        message = f"the strides of {item.text} are not known"
        raise SegcliError(message, hint="ask of a tensor without sizes of 0 and 1, or for x.is_contiguous()")
    numbers = tuple(Item(_number(step), call.text, call.span) for step in strides if step is not None)
    given = bound.get("dim")
    if given is None or given.value is None:
        return _told(call, item, Listed(numbers, is_tuple=True), "how far apart neighbours lie, in elements")
    dim = read_int(given.item)
    if not tensor.shape:
        words = f"Dimension specified as {dim} but tensor has no dimensions"
        raise RaisedError(given.item.span, "IndexError", words)
    axis = wrap(dim, len(tensor.shape), given.item.span)
    effect = f"how far apart neighbours along axis {axis} lie, in elements"
    step = Step(call.stage, call.text, call.span, call.name, (axis,), (), effect)
    return Computed(numbers[axis].value, (item,), (step,))


def _is_as_bound(item: Item, tensor: Tensor) -> bool:
    """Tell whether a tensor is a name: where an axis has one position, nothing tells the stride of what is made."""
    return tensor.strides is None and item.text.isidentifier()


def _is_contiguous(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    known = is_row_major(tensor)
    value = Unknown("bool") if known is None else known
    return _told(call, item, value, "whether it lies row after row in storage, without gaps")


def _item(call: Call) -> Computed:
    item, tensor = bind_nothing(call)
    count = product(tensor.shape)
    if isinstance(count, int) and count != 1:
        words = f"a Tensor with {count} elements cannot be converted to Scalar"
        raise RaisedError(call.span, "RuntimeError", words)
    needs = () if isinstance(count, int) else (f"{count} == 1",)
    return _told(call, item, _element(call, tensor, 0), "its one element, as a number of Python", needs)


def _item_numpy(call: Call) -> Computed:
    item, tensor, arguments = array_of(call)
    count = product(tensor.shape)
    if not arguments:
        if isinstance(count, int) and count != 1:
            words = "can only convert an array of size 1 to a Python scalar"
            raise RaisedError(call.span, "ValueError", words)
        needs = () if isinstance(count, int) else (f"{count} == 1",)
        return _told(call, item, _element(call, tensor, 0), "its one element, as a number of Python", needs)
    places = [each for _, argument in arguments for each in listed(argument)]
    if len(places) not in (1, len(tensor.shape)):
        raise RaisedError(call.span, "ValueError", "incorrect number of indices for array")
    positions = [numpy_int(place, bools=False) for place in places]
    if len(tensor.shape) != 1 == len(places):
        if isinstance(count, int) and not -count <= positions[0] < count:
            words = f"index {positions[0]} is out of bounds for size {count}"
            raise RaisedError(places[0].span, "IndexError", words)
        return _told(call, item, _element(call, tensor, positions[0]), "one element, as a number of Python")
    for axis, (place, position) in enumerate(zip(places, positions, strict=True)):
        size = tensor.shape[axis]
        if isinstance(size, int) and not -size <= position < size:
            words = f"index {position} is out of bounds for axis {axis} with size {size}"
            raise RaisedError(place.span, "IndexError", words, axis)
    return _told(call, item, _element(call, tensor, None), "one element, as a number of Python")


def _element(call: Call, tensor: Tensor, position: int | None) -> Value:
    """Return an element where it is known; an int that is not is a symbol."""
    if tensor.values is not None and position is not None:
        return tensor.values[position]
    if tensor.dtype in INTEGER:
        return Symbol(call.result_text)
    return Unknown("bool" if tensor.dtype == "bool" else "complex" if tensor.dtype in COMPLEX else "float")


OPERATIONS: dict[str, Operation] = {
    "shape": Operation(_shape, _shape_numpy),
    "ndim": Operation(_ndim, _ndim),
    "dtype": Operation(_dtype, _dtype),
    "size": Operation(_size, _size_numpy),
    "numel": Operation(_numel, _numel_numpy, read_as="x.size"),
    "torch.numel": Operation(_numel, _numel_numpy, read_as="np.size"),
    "dim": Operation(_dim, _dim, read_as="x.ndim"),
    "stride": Operation(_stride, None, "x.strides counts bytes: divide by x.itemsize"),
    "is_contiguous": Operation(_is_contiguous, None, "write x.flags.c_contiguous"),
    "item": Operation(_item, _item_numpy),
}
