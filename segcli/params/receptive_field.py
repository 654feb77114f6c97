"""How far into the input one output position sees.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, eq. 2, and
section "Arbitrary computation graphs" on paths.
"""

from segcli.params.block import Block, Parallel


def receptive_field(block: Block, dims: int) -> tuple[int, ...]:
    """Return the receptive field of a block, a side an axis.

    Walking from the output back to the input, a field of ``r`` positions behind a convolution covers
    ``stride x (r - 1) + dilation x (kernel - 1) + 1`` before it. Of paths beside one another, the one that sees
    furthest counts. Behind a transposed convolution the inputs that reach ``r`` neighbouring outputs are at most
    ``ceil((r + dilation x (kernel - 1)) / stride)``: attained, unless a strided convolution follows the transposed one
    and skips the positions that attain it. Then this is an upper bound. Norms over a whole map are not counted.

    Examples:
        >>> from segcli.params.conv import Conv
        >>> receptive_field((Conv(1, 1, (3, 3), stride=(2, 2)), Conv(1, 1, (3, 3))), 2)
        (7, 7)
    """
    return tuple(_reach(block, 1, axis) for axis in range(dims))


def _reach(block: Block, field: int, axis: int) -> int:
    for part in reversed(block):
        if isinstance(part, Parallel):
            field = max(_reach(path.layers, field, axis) for path in part.paths)
        else:
            field = part.reach(field, axis)
    return field
