"""Strides: how far apart in storage two neighbours along an axis lie, on which it hangs what may be viewed as what."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from segcli.shapes.records import record
from segcli.shapes.symbols import divides, product
from segcli.shapes.symbols.text import factors
from segcli.shapes.values import Shape, Size, Tensor, format_sizes

Strides = tuple[Size | None, ...]

# What writes its result along the memory of its inputs, whatever order their axes have (``TensorIterator`` of PyTorch).
_ALONG_MEMORY_NAMES = (
    "+ - * / // % ** == != < <= > >= & | ^ << >> unary_- unary_~ add sub subtract mul multiply div divide true_divide "
    "floor_divide remainder pow eq ne lt le gt ge logical_and logical_or logical_xor logical_not bitwise_and "
    "bitwise_or bitwise_xor bitwise_not maximum minimum exp log log2 log10 log1p expm1 sqrt rsqrt square abs neg sign "
    "floor ceil round trunc sin cos tan tanh sigmoid relu reciprocal isnan isinf isfinite clamp clip clone where flip "
    "sort argsort float double half bfloat16 int long short bool byte char to type type_as zeros_like ones_like "
    "full_like empty_like"
)
# What makes its result anew, row after row, whatever order the axes of its inputs have.
_ROW_MAJOR_NAMES = (
    "argmax argmin max min sum mean amax amin any all std var prod median norm logsumexp kthvalue topk cumsum softmax "
    "log_softmax contiguous reshape flatten ravel reshape_as repeat tile repeat_interleave gather scatter scatter_add "
    "take_along_dim index_select masked_select masked_fill @ matmul mm bmm mv dot linear Linear one_hot grid_sample "
    "unfold cross_entropy CrossEntropyLoss LayerNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d arange zeros ones "
    "full empty"
)
_ALONG_MEMORY = frozenset(_ALONG_MEMORY_NAMES.split())
_ROW_MAJOR = frozenset(_ROW_MAJOR_NAMES.split())


def row_major(shape: Shape) -> tuple[Size, ...]:
    """Return the strides of a tensor without gaps, its last axis the fastest.

    Examples:
        >>> row_major((2, "H", 4))
        ('4*H', 4, 1)
    """
    strides: list[Size] = []
    step: Size = 1
    for size in reversed(shape):
        strides.append(step)
        step = product([step, size if size != 0 else 1])
    return tuple(reversed(strides))


def strides_of(tensor: Tensor) -> Strides:
    """Return the strides of a tensor, which has none written down where it is row-major."""
    return row_major(tensor.shape) if tensor.strides is None else tensor.strides


def is_row_major(tensor: Tensor) -> bool | None:
    """Tell whether a tensor lies in storage row after row without gaps; None where that is not known.

    Where an axis has one position, its stride says nothing.

    Examples:
        >>> is_row_major(Tensor((2, 3), "int64", "x", strides=(1, 2))), is_row_major(Tensor((2, 3), "int64", "x"))
        (False, True)
    """
    if tensor.strides is None or 0 in tensor.shape:
        return True
    rows = zip(tensor.shape, tensor.strides, row_major(tensor.shape), strict=True)
    odd = [stride for size, stride, expected in rows if size != 1 and not _is_same(stride, expected)]
    return None if None in odd else not odd


def _is_same(stride: Size | None, expected: Size) -> bool:
    # What was needed since may write the same product in another way.
    return stride == expected or (isinstance(stride, str) and product([stride]) == product([expected]))


def hangs_on_ones(tensor: Tensor) -> bool:
    """Tell whether a tensor lies row after row only where sizes that are not known are 1, as far as that is known.

    Examples:
        >>> hangs_on_ones(Tensor(("N", "C"), "int64", "x.T", strides=(1, "N")))
        True
        >>> hangs_on_ones(Tensor(("N", 4, 3), "int64", "x.mT", strides=(12, 1, 4)))
        False
    """
    return is_row_major(tensor) is False and is_row_major(_at_ones(tensor)) is not False


def _at_ones(tensor: Tensor) -> Tensor:
    """Return a tensor with every size that is not known as small as it can be."""
    strides = tuple(None if stride is None else _number_of(stride) for stride in strides_of(tensor))
    return replace(tensor, shape=tuple(map(_number_of, tensor.shape)), strides=strides)


def _number_of(size: Size) -> int:
    return factors(size)[0]


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
    return _fit(source, shape)


def _certain(source: Tensor, shape: Shape, how: Fit) -> Fit:
    """Leave open what sizes of 1 allow that no other size does."""
    if how.strides is not None:
        return how
    if any(not name.isidentifier() for size in (*source.shape, *shape) for name in factors(size)[1]):
        # What follows from a size, as min(2, N) does, is 1 where the size is not.
        return _hanging(source, shape)
    ones = _fit(_at_ones(source), tuple(map(_number_of, shape)))
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


def made_strides(name: str, inputs: Sequence[Tensor], shape: Shape) -> Strides | None:
    """Return the strides of what an operation of PyTorch makes anew.

    Args:
        name: The operation.
        inputs: The tensors that it works on.
        shape: The result's shape.

    Returns:
        The strides, None for row-major order; of an order that is not known, every one is None.
    """
    if name in ("nonzero", "argwhere", "einsum"):
        # Found column after column; and einsum permutes what it multiplies.
        known = name != "einsum" and len(shape) > 1 and isinstance(shape[0], int)
        return (1, shape[0]) if known else (None,) * len(shape)
    if name in _ROW_MAJOR or all(tensor.strides is None or is_row_major(tensor) for tensor in inputs):
        return None
    if name in _ALONG_MEMORY:
        return along_memory([(tensor.shape, strides_of(tensor)) for tensor in inputs], shape)
    return (None,) * len(shape)


def along_memory(inputs: Sequence[tuple[Shape, Strides]], shape: Shape) -> Strides | None:
    """Return the strides of a result that is written in the order of its inputs' storage.

    As PyTorch's ``TensorIterator`` does, the axes are sorted by the inputs' strides, the first input first.

    Args:
        inputs: Shape and strides of each.
        shape: The shape that they broadcast to.

    Examples:
        >>> along_memory([((2, 4, 3), (12, 1, 4))], (2, 4, 3))
        (12, 1, 4)
        >>> along_memory([((2, 4, 3), (12, 3, 1)), ((3,), (1,))], (2, 4, 3)) is None
        True
    """
    width = len(shape)
    walks = [_stretched(each, strides, shape) for each, strides in inputs]
    order = list(range(width - 1, -1, -1))
    for start in range(1, width):
        place = start
        for before in range(start - 1, -1, -1):
            swap = _compare(walks, shape, order[before], order[place])
            if swap is None:
                return (None,) * width
            if swap > 0:
                order[before], order[place] = order[place], order[before]
                place = before
            elif swap < 0:
                break
    if order == list(range(width - 1, -1, -1)):
        return None
    made: list[Size | None] = [None] * width
    step: Size = 1
    for axis in order:
        made[axis] = step
        step = product([step, shape[axis]])
    return tuple(made)


def _stretched(shape: Shape, strides: Strides, result: Shape) -> Strides:
    """Return the strides of an input as it is broadcast: what is repeated is not walked."""
    offset = len(result) - len(shape)
    own = (
        0 if size == 1 != result[axis + offset] else stride
        for axis, (size, stride) in enumerate(zip(shape, strides, strict=True))
    )
    return (*(0 for _ in range(offset)), *own)


def _compare(walks: Sequence[Strides], shape: Shape, inner: int, outer: int) -> int | None:
    """Tell whether an axis that is sorted as the inner one belongs outside: 1 for yes, -1 for no, 0 for either.

    None where that hangs on sizes that are not known.
    """
    for walk in walks:
        one, other = walk[inner], walk[outer]
        if one is None or other is None:
            return None
        if one == 0 or other == 0:
            continue
        if one == other:
            if isinstance(shape[inner], int) and isinstance(shape[outer], int) and shape[inner] > shape[outer]:  # type: ignore[operator]
                return 1
            continue
        if isinstance(one, int) and isinstance(other, int):
            return 1 if one > other else -1
        if divides(one, other):
            return -1
        return 1 if divides(other, one) else None
    return 0
