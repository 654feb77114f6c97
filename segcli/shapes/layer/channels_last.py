"""Which of two functions PyTorch takes for pictures and volumes: some lie in storage channel beside channel."""

from typing import cast

from segcli.shapes.strides import strides_of
from segcli.shapes.values import Tensor

# The channels, then the width, and so on outwards to the batch.
_INWARDS = {4: (1, 3, 2, 0), 5: (1, 4, 3, 2, 0)}


def kernel_for(name: str, x: Tensor) -> str:
    """Return the function that takes a tensor, by the name that PyTorch's messages have for it.

    Args:
        name: What it is called for a tensor that lies row after row.
        x: The tensor.

    Examples:
        >>> kernel_for("avg_pool2d", Tensor((2, 3, 4, 5), "bool", "x"))
        'avg_pool2d'
        >>> kernel_for("avg_pool2d", Tensor((2, 3, 4, 5), "bool", "x.permute(0, 3, 1, 2)", strides=(60, 1, 15, 3)))
        'avg_pool2d_channels_last'
    """
    return f"{name}_channels_last" if lies_by_channels(x) else name


def lies_by_channels(x: Tensor) -> bool:
    """Tell whether PyTorch takes a tensor for one whose channels lie side by side.

    It goes by the strides alone, from the channels outwards, even along an axis of one position, and lets gaps pass
    (``c10/core/MemoryFormat.h`` of PyTorch 2.13). Of strides that hang on sizes that are not known, nothing is said.

    Args:
        x: A tensor of any number of axes; only of four or five it is told.

    Examples:
        >>> lies_by_channels(Tensor((2, 1, 4, 5), "bool", "x")), lies_by_channels(Tensor((2, 1, 4, 1), "bool", "x"))
        (False, False)
        >>> lies_by_channels(Tensor((2, 1, 4, 1), "bool", "x.mT", strides=(4, 1, 1, 4)))
        False
        >>> lies_by_channels(Tensor((2, 3, 1, 1), "bool", "x.permute(0, 3, 1, 2)", strides=(3, 1, 3, 3)))
        True
    """
    strides = strides_of(x)
    if len(strides) not in _INWARDS or not all(isinstance(each, int) for each in (*x.shape, *strides)):
        return False
    sizes, steps = cast("tuple[int, ...]", x.shape), cast("tuple[int, ...]", strides)
    if 0 in sizes or not steps[1]:
        return False
    least = 0
    for axis in _INWARDS[len(steps)]:
        # Where all of a batch lies on one place, its order is not told: row after row it is.
        if steps[axis] < least or (axis == 0 and least == steps[1]):
            return False
        least = steps[axis] * sizes[axis]
    return True
