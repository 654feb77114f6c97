"""Where tensors lie in the storage of the names that are bound, and whether two are the very same data."""

from collections.abc import Sequence
from math import prod
from typing import cast

from segcli.shapes.indexing import Along, Fixed, Indexing
from segcli.shapes.reduced import Reduced
from segcli.shapes.select.placing import stripped
from segcli.shapes.stages import Evaluation
from segcli.shapes.strides import row_major, strides_of
from segcli.shapes.symbols import product
from segcli.shapes.values import Shape, Size, Tensor
from segcli.shapes.view_strides import view_strides


def start_of(state: Evaluation, tensor: Tensor) -> tuple[str, int] | None:
    """Return the name whose storage a tensor is in, and where in it the first element lies.

    Args:
        state: The walk.
        tensor: What it came by.
    """
    start, at = 0, tensor
    place = state.made.get(id(tensor))
    while place is not None:
        stage = state.stages[place]
        source, done = stage.source, stage.done
        if not isinstance(source, Tensor) or isinstance(done, str | Reduced) or not done.view:
            return None
        further: int | None = 0 if _is_whole(source, at) else None
        if isinstance(done, Indexing):
            further = how_far(done, strides_of(source))
        if further is None:
            return None
        start, at, place = start + further, source, stage.inputs[0].stage
    return (at.text, start) if at.text in state.bindings else None


def _is_whole(source: Tensor, view: Tensor) -> bool:
    """Tell whether a view has all elements, of the same size, as after a reshape; it begins where its source does."""
    known = all(isinstance(size, int) for size in (*source.shape, *view.shape))
    return known and prod(cast("tuple[int, ...]", source.shape)) == prod(cast("tuple[int, ...]", view.shape))


def how_far(done: Indexing, strides: Sequence[Size | None]) -> int | None:
    """Return how many elements a view begins behind its source; None where that is not known.

    Args:
        done: How the source is indexed.
        strides: Those of the source.
    """
    further = 0
    for access, stride in zip(done.accesses, strides, strict=True):
        at = access.position if isinstance(access, Fixed) else access.start if isinstance(access, Along) else 0
        if not isinstance(at, int) or not isinstance(stride, int):
            return None
        further += at * stride
    return further


def is_same_data(state: Evaluation, one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors are the same elements in the same places: what copies one to the other does nothing.

    PyTorch asks of both where they begin, their sizes, strides and dtype (``aten/src/ATen/native/Copy.cpp``).

    Args:
        state: The walk.
        one: A tensor.
        other: Another one.
    """
    found = _found(start_of(state, one), one, one.shape, strides_of(one))
    return one.shape == other.shape and _is_same(found, state, other, one.shape)


def is_same_place(state: Evaluation, tensor: Tensor, region: Indexing, value: Tensor) -> bool:
    """Tell whether a value, expanded to a place in a tensor, is the data of that place.

    Args:
        state: The walk.
        tensor: What is written to.
        region: Where, by ints and slices.
        value: What is written.
    """
    start, further = start_of(state, tensor), how_far(region, strides_of(tensor))
    if start is None or further is None:
        return False
    strides = view_strides(tensor, region) or row_major(region.shape)
    return _is_same(_found((start[0], start[1] + further), tensor, region.shape, strides), state, value, region.shape)


_Found = tuple[tuple[str, int], str, Shape, tuple[Size | None, ...]]


def _found(
    start: tuple[str, int] | None, tensor: Tensor, shape: Shape, strides: tuple[Size | None, ...]
) -> _Found | None:
    return None if start is None or None in strides else (start, tensor.dtype, shape, strides)


def _is_same(found: _Found | None, state: Evaluation, value: Tensor, shape: Shape) -> bool:
    strides = _expanded(value, shape)
    return found is not None and strides is not None and found == _found(start_of(state, value), value, shape, strides)


def _expanded(value: Tensor, shape: Shape) -> tuple[Size | None, ...] | None:
    """Return the strides of a value that is expanded to a shape; None for a single number, which fills it."""
    if value.shape == shape or not value.shape:
        return strides_of(value) if value.shape == shape else None
    sizes = stripped(value.shape)
    own = strides_of(value)[len(value.shape) - len(sizes) :]
    if not sizes:
        return (0,) * len(shape)
    made: list[Size | None] = []
    for back, size in enumerate(reversed(shape), 1):
        if back > len(sizes):
            # A new axis is as long as the one behind it, if it has one position.
            made.append(product([shape[1 - back], made[-1] or 0]) if size == 1 else 0)
        else:
            made.append(own[-back] if sizes[-back] == size else 0)
    return tuple(reversed(made))
