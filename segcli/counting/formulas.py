"""Multiply-accumulates of single operations, from shapes alone.

Conventions: a MAC is one multiply-accumulate, FLOPs are 2 x MACs. Additions of biases are no part of them. A transposed
convolution multiplies at every *input* position, any other at every output position.
"""

from collections.abc import Sequence
from math import prod


def convolution_macs(
    source: Sequence[int], weight: Sequence[int], result: Sequence[int], *, transposed: bool = False
) -> int:
    """Return the MACs of a convolution, grouped ones too: the weight says how many channels each output reads.

    Args:
        source: The input, (N, in_channels, *size).
        weight: (out_channels, in_channels / groups, *kernel); of a transposed one (in_channels, out_channels / groups,
            *kernel).
        result: The output, (N, out_channels, *size).
        transposed: Whether it is a transposed convolution.

    Examples:
        >>> convolution_macs((1, 4, 8, 8), (8, 4, 3, 3), (1, 8, 8, 8))
        18432
        >>> convolution_macs((1, 4, 8, 8), (4, 8, 4, 4), (1, 8, 16, 16), transposed=True)
        32768
    """
    return prod(source if transposed else result) * prod(weight[1:])


def product_macs(left: Sequence[int], right: Sequence[int]) -> int:
    """Return the MACs of a product of matrices or of batches of them; with a vector on the right, one column.

    Examples:
        >>> product_macs((2, 3, 4), (2, 4, 5)), product_macs((3, 4), (4,))
        (120, 12)
    """
    return prod(left) * (right[-1] if len(right) > 1 else 1)


def attention_macs(query: Sequence[int], key: Sequence[int], value: Sequence[int]) -> int:
    """Return the MACs of scaled dot product attention: of the scores and of the weighted sum; masks save nothing.

    Args:
        query: (N, heads, L, E).
        key: (N, heads, S, E).
        value: (N, heads, S, V).

    Examples:
        >>> attention_macs((1, 2, 10, 16), (1, 2, 7, 16), (1, 2, 7, 8))
        3360
    """
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
