"""Which heights and widths a network can take, and which of its layers says no. Never imports torch."""

from collections.abc import Sequence
from typing import NamedTuple


class Join(NamedTuple):
    """A layer that enlarges one feature map to the size of another, or of the input.

    Args:
        layer: Its name in the network.
        fine: The stride of the map that it has to fit; 1 for the input itself.
        coarse: The stride of the map that it enlarges, by ``coarse / fine``.
    """

    layer: str
    fine: int
    coarse: int


class SizeError(ValueError):
    """A height and width that a network cannot take.

    Args:
        message: The network, its layer, the sizes that do not fit, and those that would.
        layer: The name of the layer.
        nearest: The nearest heights and widths that fit.
    """

    def __init__(self, message: str, layer: str, nearest: tuple[tuple[int, int], ...]) -> None:
        """Keep what the message says, for who words it otherwise."""
        super().__init__(message)
        self.layer = layer
        self.nearest = nearest


BISENET_V1 = (Join("cp.up32", 16, 32), Join("cp.up16", 8, 16), Join("conv_out.up", 1, 8))
BISENET_V2 = (Join("bga.up1", 8, 32), Join("head.conv_out.2", 1, 8))
TMO = (
    Join("vos.decoder.cbam1", 16, 32),
    Join("vos.decoder.cbam2", 8, 16),
    Join("vos.decoder.cbam3", 4, 8),
    Join("vos.decoder.predictor", 1, 4),
)


def multiple_of(joins: Sequence[Join]) -> int:
    """Return what both sides have to be a multiple of: the largest stride that is enlarged again, or 1.

    Examples:
        >>> multiple_of(BISENET_V1), multiple_of(())
        (32, 1)
    """
    return max((join.coarse for join in joins), default=1)


def check_sides(net: str, height: int, width: int, joins: Sequence[Join]) -> None:
    """Refuse a height and width with which a layer of ``joins`` would meet a map of another size.

    Every layer of these networks that halves a side rounds up: at stride s a side n is ceil(n / s) positions long, and
    enlarged again it is more than n where s does not divide n.

    Raises:
        SizeError: Naming the first layer that does not fit, and the nearest sizes that do.

    Examples:
        >>> check_sides("bisenet_v2", 352, 640, BISENET_V2)
        >>> check_sides("bisenet_v2", 360, 640, BISENET_V2)
        Traceback (most recent call last):
        segcli.nn.nets.sides.SizeError: bisenet_v2 takes sides that are multiples of 32, got 360x640: bga.up1 makes \
48x80 of 12x20 at stride 32, where 45x80 is needed; nearest sizes that work: 352x640, 384x640
    """
    for join in joins:
        needed = _at(height, join.fine), _at(width, join.fine)
        small = _at(height, join.coarse), _at(width, join.coarse)
        factor = join.coarse // join.fine
        made = small[0] * factor, small[1] * factor
        if made != needed:
            step = multiple_of(joins)
            nearest = nearest_sizes(height, width, step)
            message = (
                f"{net} takes sides that are multiples of {step}, got {_text((height, width))}: "
                f"{join.layer} makes {_text(made)} of {_text(small)} at stride {join.coarse}, "
                f"where {_text(needed)} is needed; nearest sizes that work: {', '.join(map(_text, nearest))}"
            )
            raise SizeError(message, join.layer, nearest)


def nearest_sizes(height: int, width: int, step: int) -> tuple[tuple[int, int], ...]:
    """Return the sizes next to this one, both sides made smaller and both made larger, that are multiples of ``step``.

    Examples:
        >>> nearest_sizes(360, 640, 32), nearest_sizes(20, 100, 32)
        (((352, 640), (384, 640)), ((32, 96), (32, 128)))
    """
    below = max(height // step, 1) * step, max(width // step, 1) * step
    above = _at(height, step) * step, _at(width, step) * step
    return (below,) if below == above else (below, above)


def _at(side: int, stride: int) -> int:
    return -(-side // stride)


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
