"""One convolution: what it holds and what it costs, in closed form.

Conventions, named in every output: a MAC is one multiply-accumulate, FLOPs are 2 x MACs, and bias additions are not
counted in either. A transposed convolution multiplies at every *input* position.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

from segcli.errors import SegcliError
from segcli.params.formula import Named, Term
from segcli.params.limits import require_whole
from segcli.params.operation import Apart, Operation, Shape, stride_words
from segcli.units import format_size


@dataclass(frozen=True)
class Conv(Operation):
    """A convolution over ``len(kernel)`` dimensions; the fields are those of ``torch.nn.Conv2d``.

    One side stands for as many as the kernel has. Numbers that are `Named` give formulas their symbols.

    Attributes:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Its sides.
        stride: Its steps.
        padding: Zeros on both sides of every axis; ``same`` for as many as keep the size, which a stride forbids.
        dilation: The distance of the kernel's taps.
        groups: Parts of the channels that do not see one another.
        bias: Whether there is one.
        transposed: Whether it is the gradient of a convolution, as a layer.

    Examples:
        >>> conv = Conv(16, 64, (3, 3))
        >>> conv.params, conv.output_size((8, 8)), conv.macs((8, 8))
        (9216, (6, 6), 331776)
    """

    in_channels: int
    out_channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = (1,)
    padding: tuple[int, ...] | Literal["same"] = (0,)
    dilation: tuple[int, ...] = (1,)
    groups: int = 1
    bias: bool = False
    transposed: bool = False

    def __post_init__(self) -> None:
        """Refuse what ``torch.nn`` refuses, with the arithmetic shown."""
        for name in ("in_channels", "out_channels", "groups"):
            require_whole(name, getattr(self, name))
        for name in ("kernel", "stride", "dilation", "padding"):
            self._check_sides(name)
        if self.padding == "same":
            self._check_same()
        for name in ("in_channels", "out_channels"):
            self._check_groups(name, getattr(self, name))

    @property
    def label(self) -> str:
        """What a person calls it."""
        depthwise = self.groups > 1 and self.groups == self.in_channels
        kind = "depthwise " if depthwise else "grouped " if self.groups > 1 else ""
        kind += "transposed " if self.transposed else ""
        dilation = "" if set(self.dilation) == {1} else f", dilation {format_size(self.dilation)}"
        return f"{kind}conv {format_size(self.kernel)}{stride_words(self.stride)}{dilation}"

    @property
    def weights(self) -> int:
        """The number of weights, without the bias."""
        return self.in_channels // self.groups * self.out_channels * prod(self.kernel)

    @property
    def params(self) -> int:
        """The number of parameters: weights and, where there is one, the bias."""
        return self.weights + (self.out_channels if self.bias else 0)

    def terms(self) -> tuple[Term, ...]:
        """Return the weights and the bias as products."""
        weights = Term("weights", (self.in_channels, self.out_channels, *self.kernel), divisor=self.groups)
        return (weights, Term("biases", (self.out_channels,))) if self.bias else (weights,)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output's channels and size.

        Raises:
            SegcliError: Where the input has other channels, or a side of the output would be less than 1.
        """
        if shape[0] != self.in_channels:
            message = f"{self.label} takes {self.in_channels} channels, and got {shape[0]}"
            raise SegcliError(message)
        return int(self.out_channels), *self.output_size(shape[1:])

    def output_size(self, size: Shape) -> Shape:
        """Return the output's spatial size for an input of ``size``.

        Raises:
            SegcliError: Where a side would be less than 1.
        """
        return tuple(self._output_side(side, axis) for axis, side in enumerate(size))

    def macs(self, size: Shape) -> int:
        """Return the multiply-accumulates for an input of spatial ``size``, batch 1."""
        return prod(self.positions(size)) * self.weights

    def positions(self, size: Shape) -> Shape:
        """Return the positions at which every weight is used: of the output; of a transposed one's input."""
        return size if self.transposed else self.output_size(size)

    def apart(self, shape: Shape) -> tuple[Apart, int] | None:
        """Return the elements that the bias is added to."""
        return ("bias", prod(self.output_shape(shape))) if self.bias else None

    def reach(self, field: int, axis: int) -> int:
        """Return how far the taps of ``field`` neighbouring positions of the output reach.

        Source:
            Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019,
            eq. 2. The inputs that reach ``field`` neighbouring outputs of a transposed convolution are at most the
            ceiling of ``(field + dilation x (kernel - 1)) / stride``.
        """
        span = self.dilation[axis] * (self.kernel[axis] - 1)
        if self.transposed:
            return -(-(field + span) // self.stride[axis])
        return self.stride[axis] * (field - 1) + span + 1

    def _output_side(self, side: int, axis: int) -> int:
        kernel, stride = self.kernel[axis], self.stride[axis]
        span = self.dilation[axis] * (kernel - 1)
        if self.padding == "same":
            return side
        padding = self.padding[axis]
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

    def _check_sides(self, name: str) -> None:
        """Let one side stand for all, and refuse other numbers of them, and numbers that no layer has."""
        sides = getattr(self, name)
        if sides == "same":
            return
        if len(sides) != len(self.kernel):
            if len(sides) != 1:
                message = f"{name} {format_size(sides)} has {len(sides)} sides, and the kernel {len(self.kernel)}"
                raise SegcliError(message)
            sides *= len(self.kernel)
            object.__setattr__(self, name, sides)
        for side in sides:
            require_whole(name, side, at_least=0 if name == "padding" else 1)

    def _check_same(self) -> None:
        if self.transposed:
            message = "padding same is for convolutions that are not transposed, as in torch"
            raise SegcliError(message, hint="give --padding as a number")
        if set(self.stride) != {1}:
            message = f"padding same needs stride 1, as in torch, and the stride is {format_size(self.stride)}"
            raise SegcliError(message, hint="give --padding as a number, such as (kernel - 1) / 2")

    def _check_groups(self, name: str, channels: int) -> None:
        if channels % self.groups:
            made = f" = {channels.meaning}" if isinstance(channels, Named) and channels.meaning else ""
            message = (
                f"{name} {channels}{made} does not divide into {self.groups} groups: "
                f"{channels} = {channels // self.groups} x {self.groups} + {channels % self.groups}"
            )
            raise SegcliError(message, hint="choose groups that divide both in_channels and out_channels")
