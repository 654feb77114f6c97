"""Elements of one floating dtype as those of another."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from segcli.elements.decoding import Array, decode
from segcli.elements.encoding import LARGEST, encode
from segcli.elements.strides import DENSE_BOX
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.payload import Stretch

# Told how many finite elements became infinite, and the first of them.
Overflow = Callable[[int, float], None]


def convert_elements(
    data: Stretch, count: int, dtypes: tuple[str, str], byteorder: str, overflow: Overflow
) -> Iterator[bytes]:
    """Yield elements in another dtype, and in the same byte order, a piece at a time.

    Args:
        data: Their bytes.
        count: How many elements.
        dtypes: Their floating dtype, and the one that they shall have, which is one of `LARGEST`.
        byteorder: ``little`` or ``big``.
        overflow: Told of overflow.
    """
    item = ITEM_BYTES[dtypes[0]]
    ranges = ((first, min(DENSE_BOX, count - first)) for first in range(0, count, DENSE_BOX))
    pieces = (data.source.at(data.start + first * item, size * item) for first, size in ranges)
    yield from convert_pieces(pieces, dtypes, byteorder, overflow)


def convert_pieces(
    pieces: Iterable[bytes], dtypes: tuple[str, str], byteorder: str, overflow: Overflow
) -> Iterator[bytes]:
    """Yield elements in another dtype, and in the same byte order, piece by piece.

    Args:
        pieces: Their bytes, whole elements in each piece and at least one.
        dtypes: As for `convert_elements`.
        byteorder: ``little`` or ``big``.
        overflow: Told of overflow.
    """
    before, after = dtypes
    for piece in pieces:
        values = decode(piece, before, byteorder)
        raw = encode(values, after, byteorder)
        # Not so where there is a NaN, either.
        if not float(np.abs(values).max()) <= LARGEST[after]:
            _tell(values, decode(raw, after, byteorder), overflow)
        yield raw


def _tell(values: Array, rounded: Array, overflow: Overflow) -> None:
    lost = np.isinf(rounded) & np.isfinite(values)
    if lost.any():
        overflow(int(np.count_nonzero(lost)), float(values[lost.argmax()]))
