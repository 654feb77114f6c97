"""What the bench can time, at its default sizes. Without torch."""

from dataclasses import dataclass

from segcli.bench.kernel import Kernel, Mode
from segcli.bench.plan import Group, Request, plan


@dataclass(frozen=True)
class Entry:
    """A kernel.

    Attributes:
        suite: Its suite.
        kernel: Its name.
        what: What it computes.
        modes: How it can be timed.
        dtype: Of the floating tensors.
        baseline: The kernel that its speed-up is measured against.
        bytes: Read and written in a forward call, by formula.
        flops: Of a forward call, by formula.
        allocates: Whether a forward call allocates its output.
    """

    suite: str
    kernel: str
    what: str
    modes: tuple[str, ...]
    dtype: str
    baseline: str
    bytes: int
    flops: int
    allocates: bool


@dataclass(frozen=True)
class SuiteEntry:
    """A suite.

    Attributes:
        name: Its name.
        tensor: What the main tensor is called.
        shape: Of the main tensor.
        data: How the tensors' values are distributed.
        kernels: Its kernels.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    data: str
    kernels: tuple[Entry, ...]


@dataclass(frozen=True)
class Catalogue:
    """The suites."""

    suites: tuple[SuiteEntry, ...]


def catalogue(request: Request | None = None) -> Catalogue:
    """List suites and kernels.

    Args:
        request: Which, and at which size and dtype; all at their defaults where None.

    Examples:
        >>> [suite.name for suite in catalogue().suites]
        ['loss', 'conv', 'norm', 'index']
    """
    suites = []
    for group in plan(request or Request()):
        if group.mode is not Mode.FORWARD:
            continue
        entries = tuple(_entry(group, kernel) for kernel in group.kernels)
        suite = group.suite
        suites.append(SuiteEntry(suite.name, suite.tensor, group.case.shape, suite.data, entries))
    return Catalogue(tuple(suites))


def _entry(group: Group, kernel: Kernel) -> Entry:
    cost = kernel.cost(group.case, Mode.FORWARD)
    return Entry(
        suite=group.suite.name,
        kernel=kernel.name,
        what=kernel.what,
        modes=tuple(mode.value for mode in kernel.modes),
        dtype=group.case.dtype,
        baseline=group.suite.baseline_of(kernel),
        bytes=cost.bytes,
        flops=cost.flops,
        allocates=kernel.allocates,
    )
