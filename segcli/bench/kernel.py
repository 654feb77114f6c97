"""What a kernel of the bench is: how it is made, what it must equal, what it costs. Plain data, without torch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import TYPE_CHECKING

from segcli.bench.measuring.conditions import Caches, Span

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, "torch.Tensor"]
Call = Callable[[], "torch.Tensor"]
Make = Callable[[Tensors], Call]

ITEM_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}
INDEX_BYTES = 8
"""Labels and indices are int64, as torch wants them."""


class Mode(Enum):
    """What of a kernel is timed."""

    FORWARD = "forward"
    """The output, with gradients off."""
    TRAINING = "forward+backward"
    """The output and the gradients of all that is trained."""


@dataclass(frozen=True)
class Case:
    """The main tensor that a suite's kernels work on.

    Attributes:
        batch: Samples.
        channels: Channels or classes.
        size: (height, width).
        dtype: Its name, a key of `ITEM_BYTES`.
    """

    batch: int
    channels: int
    size: tuple[int, int]
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return self.batch, self.channels, *self.size

    @property
    def pixels(self) -> int:
        """Positions, over the whole batch."""
        return self.batch * prod(self.size)

    @property
    def numel(self) -> int:
        """Elements."""
        return self.pixels * self.channels

    @property
    def item_bytes(self) -> int:
        """Bytes an element."""
        return ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Cost:
    """What must be moved and computed, by formula.

    Attributes:
        bytes: What a kernel without any detour reads and writes: each operand once.
        flops: Floating-point operations. A multiply-accumulate is two; a comparison, a division, an exponential and
            a logarithm are one each. Selecting and copying are none.
    """

    bytes: int
    flops: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.bytes + other.bytes, self.flops + other.flops)


def _as_it_is(_: Tensors, output: "torch.Tensor") -> "torch.Tensor":
    return output


@dataclass(frozen=True)
class Kernel:
    """One contender.

    Attributes:
        name: Its name within the suite.
        what: What it computes, in a few words.
        make: Gives, for a suite's tensors, the call that is timed. It allocates what can be allocated before.
        reference: The same from float64 tensors, by means as plain as can be.
        forward: The cost of the output.
        backward: The cost that gradients add; None where there are none.
        leaves: The tensors whose gradients are taken.
        seen: Makes of the output what the reference gives, where the output itself may rightly differ (the index of
            one of several equal maxima).
        allocates: Whether a call allocates its output, because torch has no way to give it one.
        gradient_tolerance: The relative error of gradients that is right at least, where rounding may rightly change
            a choice; 0 where the dtype's own tolerance holds.
        against: The kernel that its speed-up is measured against, where that is not the suite's baseline.
        variant: What is changed about it: ``channels-last``, ``compiled``, or nothing.
        devices: The kinds of device that it runs on.
        bounded: Whether the machine's ceilings bound it: no for what waits for processes or crosses a bus.
        items: How many items a call handles, such as frames; None where that means nothing.
        unit: What items are, in the plural.
        unchecked: Why there is nothing to compare it with, so that its answers count as right; empty where they are
            compared.
        by_default: Whether it is timed where neither its suite nor kernels are asked for.
        check_items: As the suite's, where its own comparison holds more; 0 where it does not.
    """

    name: str
    what: str
    make: Make
    reference: Make
    forward: Callable[[Case], Cost]
    backward: Callable[[Case], Cost] | None = None
    leaves: tuple[str, ...] = ()
    seen: Callable[[Tensors, "torch.Tensor"], "torch.Tensor"] = _as_it_is
    allocates: bool = True
    gradient_tolerance: float = 0.0
    against: str = ""
    variant: str = ""
    devices: tuple[str, ...] = ("cpu", "cuda")
    bounded: bool = True
    items: Callable[[Case], int] | None = None
    unit: str = ""
    unchecked: str = ""
    by_default: bool = True
    check_items: int = 0

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that mean something for it."""
        return (Mode.FORWARD,) if self.backward is None else (Mode.FORWARD, Mode.TRAINING)

    def cost(self, case: Case, mode: Mode) -> Cost:
        """Return bytes and FLOPs of one call.

        Raises:
            ValueError: For the training of a kernel without gradients.
        """
        if mode is Mode.FORWARD:
            return self.forward(case)
        if self.backward is None:
            message = f"{self.name} has no backward"
            raise ValueError(message)
        return self.forward(case) + self.backward(case)


@dataclass(frozen=True)
class Suite:
    """Kernels on the same tensors.

    Attributes:
        name: Its name.
        baseline: The kernel that the others' speed-up is measured against.
        case: The default case.
        tensor: What the main tensor is called.
        data: How the tensors' values are distributed, in words.
        tensors: Draws the tensors, in float32 on the host.
        check_items: How many 8-byte items, for each element of the main tensor, the comparison with float64 holds at
            its peak; measured, and rounded up.
        kernels: The contenders.
        default_modes: The modes that are timed where none is asked for; those that a kernel has not are left out.
        by_default: Whether it is timed where no suite is asked for.
        caches: Where calls may find their data: no cold ones where that makes no sense, as for what loads files.
        spans: Whose clocks may time it: not the device's for what works on the host.
    """

    name: str
    baseline: str
    case: Case
    tensor: str
    data: str
    tensors: Callable[[Case, "torch.Generator"], dict[str, "torch.Tensor"]]
    check_items: int
    kernels: tuple[Kernel, ...]
    default_modes: tuple[Mode, ...] = tuple(Mode)
    by_default: bool = True
    caches: tuple[Caches, ...] = tuple(Caches)
    spans: tuple[Span, ...] = tuple(Span)

    def baseline_of(self, kernel: Kernel) -> str:
        """Return the name of the kernel that this one's speed-up is measured against."""
        return kernel.against or self.baseline

    def peak_bytes(self, case: Case, kernels: Iterable[Kernel] = ()) -> int:
        """Estimate the memory that timing some of this suite's kernels takes."""
        return case.numel * 8 * max([self.check_items, *(kernel.check_items for kernel in kernels)])
