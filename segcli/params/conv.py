"""One convolution: what it holds and what it costs, in closed form.

Conventions, named in every output: a MAC is one multiply-accumulate, FLOPs are 2 x MACs, and bias additions are not
counted in either. A transposed convolution multiplies at every *input* position.
"""

from dataclasses import dataclass
from math import prod

from segcli.errors import SegcliError
from segcli.units import format_size


@dataclass(frozen=True)
class Conv:
    """A convolution over ``len(kernel)`` dimensions; the fields are those of ``torch.nn.Conv2d``.

    Examples:
        >>> conv = Conv(16, 64, (3, 3))
        >>> conv.params, conv.output_size((8, 8)), conv.macs((8, 8))
        (9216, (6, 6), 331776)
    """

    in_channels: int
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    bias: bool = False
    transposed: bool = False

    def __post_init__(self) -> None:
        """Refuse what ``torch.nn`` refuses, with the arithmetic shown."""
        for name in ("in_channels", "out_channels", "groups"):
            require_positive(name, getattr(self, name))
        for name in ("kernel", "stride", "dilation"):
            for side in getattr(self, name):
                require_positive(name, side)
        if any(side < 0 for side in self.padding):
            message = f"padding is {format_size(self.padding)}, expected 0 or more"
            raise SegcliError(message)
        for name in ("in_channels", "out_channels"):
            channels = getattr(self, name)
            if channels % self.groups:
                message = (
                    f"{name} {channels} does not divide into {self.groups} groups: "
                    f"{channels} = {channels // self.groups} x {self.groups} + {channels % self.groups}"
                )
                raise SegcliError(message, hint="choose groups that divide both in_channels and out_channels")

    @property
    def weights(self) -> int:
        """The number of weights, without the bias."""
        return self.in_channels // self.groups * self.out_channels * prod(self.kernel)

    @property
    def params(self) -> int:
        """The number of parameters: weights and, where there is one, the bias."""
        return self.weights + (self.out_channels if self.bias else 0)

    def output_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output's spatial size for an input of ``size``.

        Raises:
            SegcliError: Where a side would be less than 1.
        """
        return tuple(self._output_side(side, axis) for axis, side in enumerate(size))

    def macs(self, size: tuple[int, ...]) -> int:
        """Return the multiply-accumulates for an input of spatial ``size``, batch 1."""
        positions = prod(size) if self.transposed else prod(self.output_size(size))
        return positions * self.weights

    def _output_side(self, side: int, axis: int) -> int:
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        span = self.dilation[axis] * (kernel - 1)
        if self.transposed:
            result = (side - 1) * stride - 2 * padding + span + 1
            shown = f"({side} - 1) x {stride} - 2 x {padding} + {span} + 1"
        else:
            result = (side + 2 * padding - span - 1) // stride + 1
            shown = f"floor(({side} + 2 x {padding} - {span} - 1) / {stride}) + 1"
        if result < 1:
            message = f"the output of a {format_size(self.kernel)} kernel would have side {shown} = {result}"
            raise SegcliError(message, hint="give a larger --size, or more --padding")
        return result


def require_positive(name: str, value: int) -> None:
    """Refuse a number below 1.

    Raises:
        SegcliError: Where ``value`` is one.
    """
    if value < 1:
        message = f"{name} is {value}, expected 1 or more"
        raise SegcliError(message)
