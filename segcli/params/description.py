"""The layer that a person describes, and whose variants are compared."""

from dataclasses import dataclass
from typing import Literal

from segcli.errors import SegcliError, nearest
from segcli.params.formula import Named
from segcli.params.limits import require_whole
from segcli.params.operation import NormKind, norm_kind
from segcli.units import format_size

# Bytes of one element.
ITEM_BYTES = {
    "float32": 4,
    "float64": 8,
    "bfloat16": 2,
    "float16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int8": 1,
}
# What formulas call the kernel's sides, by how many there are.
KERNEL_NAMES = {1: ("k",), 2: ("kh", "kw"), 3: ("kd", "kh", "kw")}


@dataclass(frozen=True)
class Layer:
    """The layer whose variants are compared. The defaults are the notes' example, but for its channels.

    One side stands for as many as there are dimensions, in every field.

    Attributes:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        dims: Spatial dimensions: 1, 2 or 3.
        kernel: Kernel sides.
        size: Spatial size of the input.
        stride: Stride an axis.
        padding: Zero padding an axis, on both sides, or ``same``. Blocks that add or join their input have their own.
        dilation: What the dilated variant uses; the others have 1.
        groups: What the grouped variant and the ShuffleNet unit use.
        bias: Whether every convolution has one.
        norm: What stands where the blocks have a normalization, and behind every plain convolution.
        dtype: Of parameters and activations.

    Examples:
        >>> Layer(16, 64, kernel=(1, 3), size=(32,)).size
        (32, 32)
    """

    in_channels: int
    out_channels: int
    dims: int = 2
    kernel: tuple[int, ...] = (3,)
    size: tuple[int, ...] = (8,)
    stride: tuple[int, ...] = (1,)
    padding: tuple[int, ...] | Literal["same"] = (0,)
    dilation: tuple[int, ...] = (2,)
    groups: int = 8
    bias: bool = False
    norm: NormKind = "none"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Refuse what no variant could have; what only some can have, they refuse themselves."""
        if self.dims not in KERNEL_NAMES:
            message = f"dims is {self.dims}, expected 1, 2 or 3"
            raise SegcliError(message)
        for name in ("in_channels", "out_channels", "groups"):
            require_whole(name, getattr(self, name))
        for name in ("kernel", "size", "stride", "padding", "dilation"):
            if getattr(self, name) != "same":
                self._check_sides(name)
        norm_kind(self.norm)
        if self.dtype not in ITEM_BYTES:
            message = f"unknown dtype {self.dtype!r}"
            raise SegcliError(message, hint=nearest(self.dtype, list(ITEM_BYTES)))

    def _check_sides(self, name: str) -> None:
        sides = getattr(self, name)
        if len(sides) == 1:
            sides *= self.dims
            object.__setattr__(self, name, sides)
        if len(sides) != self.dims:
            expected = "one" if self.dims == 1 else f"one or {self.dims}"
            message = f"{name} {format_size(sides) or '()'} has {len(sides)} sides, expected {expected}"
            raise SegcliError(message, hint=f"give --dims {len(sides)}" if len(sides) in KERNEL_NAMES else "")
        for side in sides:
            require_whole(name, side, at_least=0 if name == "padding" else 1)

    @property
    def item_bytes(self) -> int:
        """Bytes of one element of ``dtype``."""
        return ITEM_BYTES[self.dtype]

    @property
    def cin(self) -> Named:
        """The input's channels, as formulas call them."""
        return Named(self.in_channels, "Cin")

    @property
    def cout(self) -> Named:
        """The output's channels, as formulas call them."""
        return Named(self.out_channels, "Cout")

    @property
    def g(self) -> Named:
        """The groups, as formulas call them."""
        return Named(self.groups, "g")

    @property
    def sides(self) -> tuple[Named, ...]:
        """The kernel's sides, as formulas call them."""
        return tuple(Named(side, name) for side, name in zip(self.kernel, KERNEL_NAMES[self.dims], strict=True))

    @property
    def ones(self) -> tuple[int, ...]:
        """A side of 1 an axis: a pointwise kernel, or no stride."""
        return (1,) * self.dims

    @property
    def keeps_shape(self) -> bool:
        """Whether input and output can be added as they are: equal channels, and no stride."""
        return self.in_channels == self.out_channels and set(self.stride) == {1}
