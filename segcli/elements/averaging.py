"""Weighted sums of tensors that lie in several files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from segcli.elements.decoding import COMPLEX, Array, decode
from segcli.elements.encoding import encode
from segcli.elements.strides import DENSE_BOX
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.payload import Stretch


@dataclass(frozen=True)
class Term:
    """Elements of one file, their byte order, and what they weigh."""

    data: Stretch
    byteorder: str
    weight: float


def weighted_mean(terms: Sequence[Term], dtype: str, count: int, total: float, byteorder: str) -> Iterator[bytes]:
    """Yield the sum of weighted elements over ``total``, computed in float64, a piece at a time.

    Args:
        terms: The elements; those of weight 0 are not read.
        dtype: Their dtype, and the result's: one of `encoding.ENCODED`.
        count: How many elements each has.
        total: What the sum is divided by.
        byteorder: The result's: ``little`` or ``big``.
    """
    wide = np.complex128 if dtype in COMPLEX else np.float64
    item = ITEM_BYTES[dtype]
    counted = [term for term in terms if term.weight]
    # Used over and over: allocating it anew takes longer than the work.
    sums: Array = np.empty(DENSE_BOX, wide)
    values: Array = np.empty(DENSE_BOX, wide)
    for first in range(0, count, DENSE_BOX):
        size = min(DENSE_BOX, count - first)
        summed, weighted = sums[:size], values[:size]
        summed[:] = 0
        with np.errstate(invalid="ignore", over="ignore"):
            for term in counted:
                raw = term.data.source.at(term.data.start + first * item, size * item)
                weighted[:] = decode(raw, dtype, term.byteorder)
                weighted *= term.weight
                summed += weighted
            summed /= total
        yield encode(summed, dtype, byteorder)
