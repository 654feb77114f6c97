"""A box of elements that do not lie one behind another in their storage, put together in the tensor's order.

The axes along which neighbours are near are read together, and the others are looped over.
"""

import itertools

import numpy as np
from numpy.lib.stride_tricks import as_strided

from segcli.elements.decoding import Array
from segcli.elements.strides import View, read

# Bytes that one read is worth: to read these and leave them is as fast as to make another read.
_WORTH = 2**16
_LONGEST_READ = 2**22
# As what elements of so many bytes are moved: NumPy is quick with its own numbers, not with bytes that it knows not.
_MOVED = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}


def gather_scattered(box: View, first: int) -> bytes:
    """Return the bytes of a box of elements, in the tensor's order.

    Args:
        box: The box, as a view.
        first: Its first element's place in the storage.

    Raises:
        SegcliError: Where the file became shorter.
    """
    size = box.shape
    together, span = _near(box)
    inner = [axis for axis in range(len(size)) if axis in together]
    outer = [axis for axis in range(len(size)) if axis not in together]
    out = np.empty(size, _MOVED[box.item_bytes])
    shown = out.transpose([*outer, *inner])
    for index in itertools.product(*(range(size[axis]) for axis in outer)):
        place = first + sum(one * box.stride[axis] for one, axis in zip(index, outer, strict=True))
        shown[index] = _strided(box, inner, read(box, place, span))
    return out.tobytes()


def _near(box: View) -> tuple[set[int], int]:
    """Return the axes that are read together, and how many elements lie between the first and the last of them."""
    together: set[int] = set()
    span = 1
    for axis in sorted(range(len(box.shape)), key=lambda axis: box.stride[axis]):
        size = box.shape[axis]
        wider = span + (size - 1) * box.stride[axis]
        # Read once with all between, or as many times as the axis is long.
        if wider * box.item_bytes > min(_LONGEST_READ, size * (_WORTH + span * box.item_bytes)):
            break
        together.add(axis)
        span = wider
    return together, span


def _strided(box: View, axes: list[int], raw: bytes) -> Array:
    items = np.frombuffer(raw, _MOVED[box.item_bytes])
    strides = [box.stride[axis] * box.item_bytes for axis in axes]
    return as_strided(items, [box.shape[axis] for axis in axes], strides, writeable=False)
