"""Strides: how far apart in storage two neighbours along an axis lie, on which it hangs what may be viewed as what."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.symbols import divides, product
from segcli.shapes.symbols.text import factors
from segcli.shapes.values import Shape, Size, Tensor

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
    return is_row_major(tensor) is False and is_row_major(at_ones(tensor)) is not False


def at_ones(tensor: Tensor) -> Tensor:
    """Return a tensor with every size that is not known as small as it can be.

    Args:
        tensor: A tensor.
    """
    strides = tuple(None if stride is None else number_of(stride) for stride in strides_of(tensor))
    return replace(tensor, shape=tuple(map(number_of, tensor.shape)), strides=strides)


def number_of(size: Size) -> int:
    """Return what a size is if every name in it is 1.

    Examples:
        >>> number_of("4*H"), number_of(3)
        (4, 3)
    """
    return factors(size)[0]


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
    walks = [stretched(each, strides, shape) for each, strides in inputs]
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


def stretched(shape: Shape, strides: Strides, result: Shape) -> Strides:
    """Return the strides of a tensor as it is broadcast: what is repeated is not walked.

    Args:
        shape: The tensor's shape.
        strides: Its strides.
        result: The shape that it is broadcast to.
    """
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
