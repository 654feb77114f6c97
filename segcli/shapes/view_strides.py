"""Strides of views: PyTorch compares them even along an axis of one position."""

from segcli.shapes.indexing import Along, Indexing
from segcli.shapes.strides import Strides, strides_of
from segcli.shapes.symbols import product
from segcli.shapes.values import Size, Tensor

_INSERTS = ("None", "bool", "unsqueeze")
_STRETCHES = ("expand", "expand_as", "broadcast_to")


def view_strides(source: Tensor, done: Indexing, *, inserts: bool = True) -> Strides | None:
    """Return the strides of a view; an axis that no axis of the source gives is not walked.

    Args:
        source: What is viewed.
        done: How.
        inserts: Whether a new axis of one position has a stride, as in PyTorch.
    """
    if source.strides is None and done.shape == source.shape and _is_identity(done):
        return None
    strides: list[Size | None] = [0] * len(done.shape)
    for axis, length in inserted_strides(source, done, strides_of(source)).items() if inserts else ():
        strides[axis] = length
    for access, stride in zip(done.accesses, strides_of(source), strict=True):
        if isinstance(access, Along):
            strides[access.axis] = None if stride is None else product([stride, access.step])
    return tuple(strides)


def _is_identity(done: Indexing) -> bool:
    return all(
        isinstance(access, Along) and access.axis == axis and access.whole and access.step == 1
        for axis, access in enumerate(done.accesses)
    )


def inserted_strides(source: Tensor, done: Indexing, strides: Strides) -> dict[int, Size | None]:
    """Return the stride of each axis that ``None`` or ``unsqueeze`` adds: as long as the axis behind it is.

    That is the axis of the source as it is before it is cut or taken a position of, as PyTorch goes from left to right.

    Args:
        source: What is indexed.
        done: What the index does.
        strides: Those of the source.

    Examples:
        >>> from segcli.shapes.index.torch_index import index_torch
        >>> from segcli.shapes.values import Item
        >>> source = Tensor((2, 3), "int64", "x")
        >>> inserted_strides(source, index_torch(source, Item(None, "None", (2, 6))), (3, 1))
        {0: 6}
    """
    found: dict[int, Size | None] = {}
    behind = 0
    for step in done.steps:
        if step.kind in _STRETCHES:
            return _spread_strides(source, done, strides)
        if step.kind == "unsqueeze":
            behind = _behind(done, step.gives[0])
        if step.kind in _INSERTS:
            found |= dict.fromkeys(step.gives, _length(source, strides, behind))
        elif step.takes:
            behind = max(behind, max(step.takes) + 1)
    return found


def _length(source: Tensor, strides: Strides, axis: int) -> Size | None:
    """Return how many elements an axis of the source goes over; behind the last one there is one."""
    if axis >= len(strides):
        return 1
    stride = strides[axis]
    return None if stride is None else product([source.shape[axis], stride])


def _behind(done: Indexing, axis: int) -> int:
    """Return the first axis of the source that stands behind an axis of the result."""
    return sum(isinstance(access, Along) and access.axis < axis for access in done.accesses)


def _spread_strides(source: Tensor, done: Indexing, strides: Strides) -> dict[int, Size | None]:
    """Return the strides of the axes of one position that ``expand`` adds in front."""
    found: dict[int, Size | None] = {}
    if not source.shape:
        return found
    front = len(done.shape) - len(source.shape)
    length = _length(source, strides, 0) if done.shape[front] == source.shape[0] else 0
    for axis in reversed(range(front)):
        found[axis] = length if done.shape[axis] == 1 else 0
        length = found[axis]
    return found
