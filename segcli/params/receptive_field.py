"""How far into the input one output position sees.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, eq. 2.
"""

from collections.abc import Sequence
from math import ceil

from segcli.params.conv import Conv


def receptive_field(stages: Sequence[Conv]) -> tuple[int, ...]:
    """Return the receptive field, a side an axis, of convolutions that follow one another.

    Walking from the output back to the input, a field of ``r`` positions behind a convolution covers
    ``stride x (r - 1) + dilation x (kernel - 1) + 1`` before it. Behind a transposed one, the inputs that reach ``r``
    neighbouring outputs are at most ``ceil((r + dilation x (kernel - 1)) / stride)``: attained, unless a strided
    convolution follows the transposed one and skips the positions that attain it. Then this is an upper bound.

    Examples:
        >>> receptive_field([Conv(1, 1, (3, 3), stride=(2, 2)), Conv(1, 1, (3, 3))])
        (7, 7)
    """
    field = [1] * len(stages[0].kernel)
    for conv in reversed(stages):
        for axis, kernel in enumerate(conv.kernel):
            span = conv.dilation[axis] * (kernel - 1)
            if conv.transposed:
                field[axis] = ceil((field[axis] + span) / conv.stride[axis])
            else:
                field[axis] = conv.stride[axis] * (field[axis] - 1) + span + 1
    return tuple(field)
