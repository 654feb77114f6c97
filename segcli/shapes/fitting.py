"""Whether a tensor can be looked at as having another shape, and by which strides: ``view`` and ``reshape``."""

from collections.abc import Iterator
from typing import cast

from segcli.shapes.records import record
from segcli.shapes.strides import Strides, at_ones, is_row_major, number_of, row_major, strides_of
from segcli.shapes.symbols import divides, product
from segcli.shapes.symbols.text import factors
from segcli.shapes.values import Shape, Size, Tensor, format_sizes


@record(frozen=True, slots=True)
class Fit:
    """Whether a tensor can be looked at as having another shape.

    Attributes:
        strides: The strides that the other shape then has; None where it cannot.
        needs: What must hold of what is not known.
        certain: Whether it is known that it can, or cannot.
    """

    strides: Strides | None
    needs: tuple[str, ...] = ()
    certain: bool = True


def fit(source: Tensor, shape: Shape) -> Fit:
    """Find the strides by which a tensor can be looked at as having another shape of as many elements.

    Axes of which each walks on where the next one ends are one block of storage; new axes must not reach over the end
    of a block.

    Examples:
        >>> fit(Tensor((2, 3, 4), "int64", "x"), (6, 4)).strides
        (4, 1)
        >>> fit(Tensor((3, 2, 4), "int64", "x.transpose(0, 1)", strides=(4, 12, 1)), (6, 4)).strides is None
        True
        >>> fit(Tensor((3, 2, 4), "int64", "x.transpose(0, 1)", strides=(4, 12, 1)), (3, 2, 2, 2)).strides
        (4, 12, 2, 1)
    """
    if any(isinstance(size, str) for size in (*source.shape, *shape)):
        return _certain(source, shape, _fit(source, shape))
    if None not in strides_of(source) and 0 not in source.shape:
        return Fit(_walked(source, shape))
    return _fit(source, shape)


def _walked(source: Tensor, shape: Shape) -> Strides | None:
    """Find strides where all sizes are known, as PyTorch does (``aten/src/ATen/TensorUtils.cpp``).

    Along an axis of one position, too, they are the library's.
    """
    strides: list[Size | None] = [1] * len(shape)
    left = list(range(len(shape)))
    for count, base in _chunks(source):
        seen = 1
        while left and (seen < count or shape[left[-1]] == 1):
            axis = left.pop()
            strides[axis] = seen * base
            seen *= cast("int", shape[axis])
        if seen != count:
            return None
    return tuple(strides)


def _chunks(source: Tensor) -> Iterator[tuple[int, int]]:
    """Go through the blocks of storage from the last; an axis of one position belongs to that behind it."""
    rows = list(zip(cast("tuple[int, ...]", source.shape), cast("tuple[int, ...]", strides_of(source)), strict=True))
    count, base = rows.pop() if rows else (1, 1)
    for size, stride in reversed(rows):
        if size != 1 and stride != count * base:
            yield count, base
            count, base = 1, stride
        count *= size
    yield count, base


def _certain(source: Tensor, shape: Shape, how: Fit) -> Fit:
    """Leave open what sizes of 1 allow that no other size does."""
    if how.strides is not None:
        return how
    if any(not name.isidentifier() for size in (*source.shape, *shape) for name in factors(size)[1]):
        # What follows from a size, as min(2, N) does, is 1 where the size is not.
        return _hanging(source, shape)
    ones = _fit(at_ones(source), tuple(map(number_of, shape)))
    return how if ones.strides is None and ones.certain else Fit(None, certain=False)


def _hanging(source: Tensor, shape: Shape) -> Fit:
    """Return what hangs on sizes that are not known: strides, of which none is known, under a need."""
    order = f"{source.text} in an order that {format_sizes(shape)} can walk, which hangs on sizes that are not known"
    return Fit((None,) * len(shape), (order,), certain=False)


def _fit(source: Tensor, shape: Shape) -> Fit:
    unknown = is_row_major(source)
    if unknown is not False:
        order = f"{source.text} in row-major order, which hangs on the operations before it"
        return Fit(row_major(shape), () if unknown else (order,), certain=bool(unknown))
    strides: list[Size | None] = [1] * len(shape)
    left = list(range(len(shape)))
    certain = True
    for count, stride in _blocks(source):
        seen: Size = 1
        while left and (shape[left[-1]] == 1 or _is_part(seen, count)):
            axis = left.pop()
            strides[axis] = product([seen, stride])
            seen = product([seen, shape[axis]])
        if seen != count:
            # Where a block before may end elsewhere, what is left for this one is not known either.
            if certain and not _may_equal(seen, count):
                return Fit(None)
            certain = False
    if not certain:
        return _hanging(source, shape)
    return Fit(tuple(strides))


def _blocks(source: Tensor) -> Iterator[tuple[Size, Size]]:
    """Go through the blocks of storage from the last: how many elements each has, and how far apart they lie."""
    rows = list(zip(source.shape, strides_of(source), strict=True))
    walked = [(size, stride) for size, stride in reversed(rows) if size != 1 and stride is not None]
    count, base = walked[0]
    for size, stride in walked[1:]:
        if stride == product([count, base]):
            count = product([count, size])
            continue
        yield count, base
        count, base = size, stride
    yield count, base


def _is_part(size: Size, whole: Size) -> bool:
    """Tell whether a size is a part of another one that some factor is missing of."""
    if isinstance(size, int) and isinstance(whole, int):
        return size < whole
    return size != whole and divides(size, whole)


def _may_equal(size: Size, other: Size) -> bool:
    """Tell whether two different sizes may be equal: neither is a multiple of the other, and one is not known."""
    if isinstance(size, int) and isinstance(other, int):
        return False
    return not divides(size, other) and not divides(other, size)
