"""How many elements are no finite numbers."""

from dataclasses import replace

import numpy as np

from segcli.elements.comparing import Advance
from segcli.elements.decoding import COMPLEX, FLOATS, decode
from segcli.elements.strides import View, boxes, gather, memory_order


def count_nonfinite(view: View, advance: Advance) -> tuple[int, int]:
    """Return how many elements of a tensor are NaN, and how many are infinite.

    Args:
        view: The tensor; what is no float and no complex is not read.
        advance: Told of bytes as they are done with.

    Raises:
        SegcliError: Where the file became shorter.
    """
    if view.dtype not in FLOATS + COMPLEX or not view.count:
        advance(view.count * view.item_bytes)
        return 0, 0
    # Repeated elements are read once.
    shown = replace(view, shape=tuple(size if step else 1 for size, step in zip(view.shape, view.stride, strict=True)))
    shown = shown.permuted(memory_order(shown))
    times = view.count // shown.count
    nan = infinite = 0
    for start, size in boxes(shown):
        values = decode(gather(shown, start, size), view.dtype, view.byteorder)
        finite = int(np.count_nonzero(np.isfinite(values)))
        if finite != len(values):
            found = int(np.count_nonzero(np.isnan(values)))
            nan, infinite = nan + found, infinite + len(values) - finite - found
        advance(values.size * view.item_bytes * times)
    return nan * times, infinite * times
