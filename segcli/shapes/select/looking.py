"""What operations that look up positions along one axis share: checks of positions, and the trace."""

from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.dims import tensor_in
from segcli.shapes.indexing import Step
from segcli.shapes.operands import as_array
from segcli.shapes.symbols import at_least
from segcli.shapes.values import Item, Labels, Listed, RaisedError, Shape, Size, Tensor, format_sizes

# The dtypes of positions that PyTorch takes.
POSITIONS = ("int32", "int64")


def brackets(shape: Shape) -> str:
    """Write a shape as PyTorch's messages do.

    Examples:
        >>> brackets((2, "N"))
        '[2, N]'
    """
    return format_sizes(shape, opening="[", closing="]")


def as_vector(shape: Shape) -> Shape:
    """Return a shape as these operations see it: a 0-d tensor has one axis of one position."""
    return shape or (1,)


def with_size(shape: Shape, axis: int, size: Size) -> Shape:
    """Return a shape with another size in one place.

    Examples:
        >>> with_size((2, 3, 4), 1, 9)
        (2, 9, 4)
    """
    return (*shape[:axis], size, *shape[axis + 1 :])


def written(item: Item) -> Item:
    """Return an operand by the text that takes an index: ``(a + b)``, not ``a + b``."""
    return Item(item.value, item.value.text, item.span) if isinstance(item.value, Tensor) else item


def letters(shape: Shape, kind: str = "i") -> tuple[str, ...]:
    """Return a letter an axis, as formulas have them: ``i`` of the result, ``k`` of what the formula goes over.

    Examples:
        >>> letters((2, 3))
        ('{i0}', '{i1}')
    """
    return tuple(f"{{{kind}{axis}}}" for axis in range(len(shape)))


def name_of(tensor: Tensor) -> str:
    """Name a tensor by dtype and shape, as the trace does.

    Examples:
        >>> name_of(Tensor((4,), "int64", "i"))
        'int64 (4,)'
    """
    return f"{tensor.dtype} {format_sizes(tensor.shape)}" if tensor.shape else f"0-d {tensor.dtype}"


def label_like(source: Tensor, index: Tensor, dim: int) -> Labels:
    """Return labels for the shape of an index: those of the source, but for the axis that it is looked up along."""
    if not source.labels or len(source.labels) != len(index.shape):
        return index.labels
    own = index.labels or (None,) * len(index.shape)
    return tuple(own[axis] if axis == dim else label for axis, label in enumerate(source.labels))


def check_positions(index: Item, size: Size, axis: int, kind: str = "RuntimeError", words: str = "") -> list[str]:
    """Refuse positions that an axis has not; PyTorch counts none from the end here.

    Args:
        index: The positions, which may be known.
        size: How many positions the axis has.
        axis: The axis.
        kind: The exception's type.
        words: Its words; ``{position}`` is the first that is out of range.

    Returns:
        What must hold of a size that is not known.

    Raises:
        RaisedError: PyTorch's error.
    """
    tensor = tensor_in(index)
    if 0 in tensor.shape:
        return []
    # Where they are not known, there is at least one.
    known = [0] if tensor.values is None else [int(value) for value in tensor.values]
    wrong = [position for position in known if position < 0 or (isinstance(size, int) and position >= size)]
    if wrong:
        words = words or f"index {{position}} is out of bounds for dimension {axis} with size {size}"
        raise RaisedError(index.span, kind, words.format(position=wrong[0]), axis)
    return [at_least(size, max(known) + 1)] if isinstance(size, str) else []


def check_array(index: Item, size: Size, axis: int) -> list[str]:
    """Refuse positions that an axis has not, from the start or from the end, as NumPy does.

    Raises:
        RaisedError: NumPy's IndexError.
    """
    values = tensor_in(index).values
    known = [0] if values is None else [int(value) for value in values]
    if isinstance(size, str):
        return [at_least(size, max(position + 1 if position >= 0 else -position for position in known))]
    wrong = outside(known, size)
    if wrong:
        words = f"index {wrong[0]} is out of bounds for axis {axis} with size {size}"
        raise RaisedError(index.span, "IndexError", words, axis)
    return []


def outside(positions: list[int], size: int) -> list[int]:
    """Return the positions that an axis of a size has neither from the start nor from the end.

    Examples:
        >>> outside([0, -2, 2, -3], 2)
        [2, -3]
    """
    return [position for position in positions if not -size <= position < size]


def steps_along(call: Call, item: Item, index: Item, dim: int, result: Shape) -> tuple[Step, ...]:
    """Return the trace of looking up positions along one axis, where source, index and result have as many axes.

    Args:
        call: The operation.
        item: What is looked up in.
        index: The positions.
        dim: The axis.
        result: The result's shape.
    """
    source, positions = tensor_in(item), tensor_in(index)
    axes = tuple(range(len(positions.shape)))
    effect = f"each element is a position along axis {dim}"
    looked = Step(call.stage, index.text, index.span, name_of(positions), axes, axes, effect, 1)
    if len(source.shape) != len(positions.shape) or not source.shape:
        return (looked,)
    others = tuple(axis for axis in axes if axis != dim)
    count = f"one of its {source.shape[dim]} positions for each of the {result[dim]} in {index.text}"
    steps = [Step(call.stage, item.text, item.span, "looked up", (dim,), (dim,), count)]
    steps += [
        Step(call.stage, "", (0, 0), "walked", (axis,), (axis,), _beside(index, source, positions, axis))
        for axis in others
    ]
    return (*steps, looked)


def _beside(index: Item, source: Tensor, positions: Tensor, axis: int) -> str:
    size, count = source.shape[axis], positions.shape[axis]
    if size == count:
        return f"beside axis {axis} of {index.text}"
    if count == 1:
        return f"every position; {index.text} is repeated"
    if size == 1:
        return f"repeated {count} times"
    return f"the first {count} of {size} positions, as {index.text} has no more"


def relabelled(tensor: Tensor, labels: Labels) -> Tensor:
    """Return a tensor with other labels; with none where no axis has one."""
    return replace(tensor, labels=labels if any(labels) else ())


def known_array(item: Item) -> Tensor:
    """Return the array that NumPy makes of an argument; of ints in a list, and of one alone, with its values."""
    array = as_array(item)
    flat = item.value.items if isinstance(item.value, Listed) else (item,)
    numbers = [each.value for each in flat if isinstance(each.value, int)]
    return replace(array, values=tuple(map(int, numbers))) if len(numbers) == len(flat) else array
