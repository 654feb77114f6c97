"""What lies in storage without gaps: PyTorch compares the first and the last element of such blocks, and nothing else.

(``aten/src/ATen/MemoryOverlap.cpp`` of PyTorch 2.13.)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from segcli.shapes.indexing import Along, Gathered, Indexing
from segcli.shapes.records import record
from segcli.shapes.select.locating import how_far, start_of
from segcli.shapes.select.placing import stripped
from segcli.shapes.stages import Evaluation
from segcli.shapes.strides import strides_of
from segcli.shapes.values import Shape, Size, Tensor
from segcli.shapes.view_strides import inserted_strides


@record(frozen=True, slots=True)
class Block:
    """Elements without gaps in the storage of a bound name.

    Attributes:
        name: The name.
        start: How many elements lie before the first one.
        count: How many there are.
        strides: How far apart neighbours along each axis are, even where an axis has one position.
    """

    name: str
    start: int
    count: int
    strides: tuple[int, ...]

    def meets(self, other: "Block") -> bool:
        """Tell whether some elements are in both."""
        if self.name != other.name:
            return False
        return self.start < other.start + other.count and other.start < self.start + self.count

    def is_same(self, other: "Block") -> bool:
        """Tell whether it holds the same elements in the same order, which PyTorch reads from the strides."""
        return self == other


def block_of(state: Evaluation, tensor: Tensor) -> Block | None:
    """Return where a tensor lies; None where it has gaps, memory of its own, or sizes that are not known.

    Args:
        state: The walk.
        tensor: The tensor.
    """
    start = start_of(state, tensor)
    return None if start is None else _dense(*start, list(zip(tensor.shape, strides_of(tensor), strict=True)))


def place_of(state: Evaluation, tensor: Tensor, region: Indexing) -> Block | None:
    """Return where the place lies that ints and slices name; positions and masks go over all of their axes.

    Args:
        state: The walk.
        tensor: What is indexed.
        region: How.
    """
    start, strides = start_of(state, tensor), strides_of(tensor)
    further = how_far(region, strides)
    if start is None or further is None:
        return None
    inserted = inserted_strides(tensor, region, strides)
    axes: list[tuple[Size, Size | None]] = [(size, inserted.get(axis, 0)) for axis, size in enumerate(region.shape)]
    gathered = []
    for size, stride, access in zip(tensor.shape, strides, region.accesses, strict=True):
        if isinstance(access, Gathered):
            gathered.append((size, stride))
        elif isinstance(access, Along):
            axes[access.axis] = (region.shape[access.axis], cast("int", stride) * access.step)
    for axis in region.landing if gathered else ():
        axes[axis] = (1, 0)
    return _dense(start[0], start[1] + further, [*axes, *gathered])


def _dense(name: str, start: int, walked: Sequence[tuple[Size, Size | None]]) -> Block | None:
    """Return a block, where its axes leave no gaps and repeat nothing."""
    if any(not isinstance(size, int) or not isinstance(stride, int) for size, stride in walked):
        return None
    known = cast("list[tuple[int, int]]", list(walked))
    steps = sorted((stride, size) for size, stride in known if size != 1)
    ends = [1, *(stride * size for stride, size in steps)]
    if any(size == 0 for size, _ in known) or [stride for stride, _ in steps] != ends[:-1]:
        return None
    return Block(name, start, ends[-1], tuple(stride for _, stride in known))


def copied_block(state: Evaluation, value: Tensor, shape: Shape) -> Block | None:
    """Return where a value lies that is expanded to a shape; None where it is repeated, or a single number.

    Args:
        state: The walk.
        value: The value.
        shape: What it is expanded to.
    """
    block, own = block_of(state, value), stripped(value.shape)
    if block is None or value.shape == shape:
        return block
    if own != stripped(shape) or not value.shape:
        return None
    sizes, strides = own, block.strides[len(value.shape) - len(own) :]
    while own and len(strides) < len(shape):
        strides = (cast("int", sizes[0]) * strides[0], *strides)
        sizes = (1, *sizes)
    return replace(block, strides=strides)
