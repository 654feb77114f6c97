"""What a block is made of: the layers besides convolutions, and what every one of them can be asked.

A shape is ``(channels, *size)``: batch 1, and the batch's axis left out.
"""

from dataclasses import dataclass
from math import gcd, prod
from typing import Literal, get_args

from segcli.errors import SegcliError
from segcli.params.formula import Term
from segcli.units import format_shape, format_size

Shape = tuple[int, ...]
Apart = Literal["bias", "norm", "activation", "pool", "scale", "add"]
APART: tuple[Apart, ...] = get_args(Apart)
NormKind = Literal["none", "batch", "layer", "instance", "group"]
NORMS: tuple[NormKind, ...] = get_args(NormKind)
# Wu and He 2018, Group Normalization, section 4: 32 groups by default.
_NORM_GROUPS = 32


class Operation:
    """One layer of a block.

    What a layer does not say for itself is this: nothing is held, nothing multiplied, the shape kept, and every
    position of the output sees its own position of the input.
    """

    @property
    def label(self) -> str:
        """What a person calls it."""
        return type(self).__name__.lower()

    def terms(self) -> tuple[Term, ...]:
        """Return the parameters that it holds."""
        return ()

    @property
    def buffers(self) -> int:
        """The numbers it stores without learning them."""
        return 0

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape that an input of ``shape`` leads to.

        Raises:
            SegcliError: Where there is none.
        """
        return shape

    def macs(self, size: Shape) -> int:  # noqa: ARG002 - of the layers, convolutions alone multiply and add
        """Return the multiply-accumulates for an input of spatial ``size``."""
        return 0

    def apart(self, shape: Shape) -> tuple[Apart, int] | None:  # noqa: ARG002 - whoever counts something reads it
        """Return the work that is no MAC: its kind, and the elements it is done on."""
        return None

    def reach(self, field: int, axis: int) -> int:  # noqa: ARG002 - of the layers, those with a kernel read it
        """Return how many positions of the input ``field`` neighbouring positions of the output see."""
        return field


@dataclass(frozen=True)
class Norm(Operation):
    """A normalization, as ``torch.nn`` makes it by default.

    Batch and group norm learn a weight and a bias for each channel. So does layer norm, which is taken over the
    channels of each position, as ConvNeXt has it (Liu et al. 2022; ``LayerNorm2d`` of torchvision). Instance norm
    learns nothing unless it is asked to (``affine=False`` of ``torch.nn.InstanceNorm2d``). Batch norm alone stores what
    it has seen: a running mean and variance of each channel, and one count of batches.

    Attributes:
        kind: Which one; not ``none``.
        channels: Of its input.

    Source:
        Ioffe and Szegedy 2015, section 3; Ba, Kiros and Hinton 2016; Ulyanov, Vedaldi and Lempitsky 2016; Wu and He
        2018, section 3.
    """

    kind: NormKind
    channels: int

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"group norm, {self.groups} groups" if self.kind == "group" else f"{self.kind} norm"

    @property
    def groups(self) -> int:
        """The groups of group norm: 32, or as many of them as divide the channels. They change no count."""
        return gcd(_NORM_GROUPS, self.channels)

    def terms(self) -> tuple[Term, ...]:
        """Return a weight and a bias a channel."""
        return () if self.kind == "instance" else (Term("norms", (self.channels,), times=2),)

    @property
    def buffers(self) -> int:
        """Batch norm's running means and variances, and its count of batches."""
        return 2 * self.channels + 1 if self.kind == "batch" else 0

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape, which is kept.

        Raises:
            SegcliError: Where a mean would be taken of one element, which torch refuses.
        """
        averaged = {"instance": prod(shape[1:]), "group": prod(shape) // self.groups}
        if averaged.get(self.kind) == 1:
            message = f"{self.label} of {format_shape(shape)} would take each mean of 1 element, expected 2 or more"
            raise SegcliError(message, hint="give a larger --size, or another --norm")
        return shape

    def apart(self, shape: Shape) -> tuple[Apart, int]:
        """Return the elements that are normalized."""
        return "norm", prod(shape)


@dataclass(frozen=True)
class Activation(Operation):
    """A function of each element, such as ReLU."""

    name: str

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def apart(self, shape: Shape) -> tuple[Apart, int]:
        """Return the elements it is taken of."""
        return "activation", prod(shape)


@dataclass(frozen=True)
class Scale(Operation):
    """A learned factor for each channel."""

    channels: int

    @property
    def label(self) -> str:
        """What ConvNeXt calls it."""
        return "layer scale"

    def terms(self) -> tuple[Term, ...]:
        """Return a factor a channel."""
        return (Term("scales", (self.channels,)),)

    def apart(self, shape: Shape) -> tuple[Apart, int]:
        """Return the elements that are multiplied."""
        return "scale", prod(shape)


@dataclass(frozen=True)
class Pool(Operation):
    """An average over each window; the fields are those of ``torch.nn.AvgPool2d``."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"average pool {format_size(self.kernel)}{stride_words(self.stride)}"

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape with its sides shortened."""
        sides = zip(shape[1:], self.kernel, self.stride, self.padding, strict=True)
        return shape[0], *((side + 2 * pad - kernel) // stride + 1 for side, kernel, stride, pad in sides)

    def apart(self, shape: Shape) -> tuple[Apart, int]:
        """Return the elements that are read, each window's."""
        return "pool", prod(self.output_shape(shape)) * prod(self.kernel)

    def reach(self, field: int, axis: int) -> int:
        """Return how far the windows of ``field`` neighbouring positions reach."""
        return self.stride[axis] * (field - 1) + self.kernel[axis]


@dataclass(frozen=True)
class Shuffle(Operation):
    """Channels dealt out anew, so that the groups of the next convolution see one another: nothing is computed."""

    groups: int

    @property
    def label(self) -> str:
        """What ShuffleNet calls it."""
        return f"channel shuffle, {int(self.groups)} groups"


@dataclass(frozen=True)
class Crop(Operation):
    """The first ``channels`` channels."""

    channels: int

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape with that many channels."""
        return int(self.channels), *shape[1:]


@dataclass(frozen=True)
class Join(Operation):
    """Where paths meet: added, every path but the first is additions; concatenated, nothing is computed."""

    kind: Literal["add", "concatenate"]
    paths: int

    @property
    def label(self) -> str:
        """What is done."""
        return self.kind

    def apart(self, shape: Shape) -> tuple[Apart, int] | None:
        """Return the elements that are added."""
        return ("add", (self.paths - 1) * prod(shape)) if self.kind == "add" else None


def norm_kind(name: str) -> NormKind:
    """Return the kind of normalization called ``name``.

    Raises:
        SegcliError: For an unknown name.

    Examples:
        >>> norm_kind("batch")
        'batch'
    """
    from segcli.errors import nearest

    for kind in NORMS:
        if kind == name:
            return kind
    message = f"unknown norm {name!r}"
    raise SegcliError(message, hint=nearest(name, list(NORMS)))


def stride_words(stride: tuple[int, ...]) -> str:
    """Say a stride where it is not 1.

    Examples:
        >>> stride_words((2, 2)), stride_words((1, 2)), stride_words((1, 1))
        (', stride 2', ', stride 1x2', '')
    """
    if set(stride) == {1}:
        return ""
    return f", stride {stride[0] if len(set(stride)) == 1 else format_size(stride)}"
