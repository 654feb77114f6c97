"""The elements that a tensor shows of a storage, read in the tensor's own order, however they lie.

A tensor is cut into boxes of so many elements. A box that lies dense is one read, which takes no arithmetic and no
numpy; of one that does not, `scattered` puts the elements together.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from segcli.formats.payload import Stretch

Sizes = tuple[int, ...]

# Elements of a box that is dense: so few that the allocator keeps the memory of one for the next. From 128 KiB on it
# gives memory back each time, and getting it anew takes ten times as long as the work. A box that is not dense is
# larger, since it then needs fewer reads.
DENSE_BOX = 2**14
_SPARSE_BYTES = 2**22


@dataclass(frozen=True)
class View:
    """A tensor's elements.

    Attributes:
        data: The storage's bytes.
        dtype: Torch's name of the elements' dtype.
        byteorder: ``little`` or ``big``.
        item_bytes: Bytes of an element.
        offset: The first element's place, in elements.
        shape: The tensor's shape.
        stride: Elements between neighbours, an axis.
    """

    data: Stretch
    dtype: str
    byteorder: str
    item_bytes: int
    offset: int
    shape: Sizes
    stride: Sizes

    @property
    def count(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether the elements lie one behind another in the tensor's order."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    def permuted(self, order: Sizes) -> "View":
        """Return the view with its axes in another order."""
        return replace(
            self, shape=tuple(self.shape[axis] for axis in order), stride=tuple(self.stride[axis] for axis in order)
        )


def memory_order(view: View) -> Sizes:
    """Return the order of axes in which a view's elements lie in its storage.

    Examples:
        >>> memory_order(View(None, "int8", "little", 1, 0, (4, 3, 2), (1, 4, 12)))
        (2, 1, 0)
    """
    return tuple(sorted(range(len(view.shape)), key=lambda axis: -view.stride[axis]))


def boxes(*views: View) -> Iterator[tuple[Sizes, Sizes]]:
    """Yield first index and shape of boxes that together are the tensors, which have one shape, in their order."""
    shape = views[0].shape
    item_bytes = max(view.item_bytes for view in views)
    limit = DENSE_BOX if all(view.is_dense for view in views) else max(_SPARSE_BYTES // item_bytes, 1)
    if not prod(shape):
        return
    # The axis along which boxes are cut: all behind it fit into one whole.
    axis, below = len(shape), 1
    while axis and below * shape[axis - 1] <= limit:
        axis -= 1
        below *= shape[axis]
    if axis == 0:
        yield (0,) * len(shape), shape
        return
    # Parts of about one size.
    step = -(-shape[axis - 1] // -(-shape[axis - 1] // (limit // below)))
    rest = shape[axis:]
    for outer in itertools.product(*map(range, shape[: axis - 1])):
        for start in range(0, shape[axis - 1], step):
            size = min(step, shape[axis - 1] - start)
            yield (*outer, start, *(0,) * len(rest)), (*(1,) * len(outer), size, *rest)


def gather(view: View, start: Sizes, size: Sizes) -> bytes:
    """Return the bytes of a box of elements, in the tensor's order.

    Raises:
        SegcliError: Where the file became shorter.
    """
    first = view.offset + sum(index * stride for index, stride in zip(start, view.stride, strict=True))
    box = replace(view, shape=size)
    if box.is_dense:
        return read(box, first, box.count)
    from segcli.elements.scattered import gather_scattered

    return gather_scattered(box, first)


def read(view: View, first: int, count: int) -> bytes:
    """Return the bytes of so many elements of a view's storage.

    Raises:
        SegcliError: Where the file became shorter.
    """
    return view.data.source.at(view.data.start + first * view.item_bytes, count * view.item_bytes)


def stream(view: View) -> Iterator[bytes]:
    """Yield the bytes of a tensor's elements in its own order, a piece at a time.

    Raises:
        SegcliError: As `gather`.
    """
    for start, size in boxes(view):
        yield gather(view, start, size)
