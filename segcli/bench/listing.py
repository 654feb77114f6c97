"""What the bench can time, at its default sizes. Without torch."""

from dataclasses import dataclass, replace

from segcli.bench.kernel import Kernel, Mode
from segcli.bench.plan import Group, Request, plan
from segcli.bench.suites import SUITES


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
        devices: The kinds of device that it runs on.
        items: How many items a call handles; None where that means nothing.
        unit: What items are, in the plural.
        by_default: Whether it is timed where neither its suite nor kernels are asked for.
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
    devices: tuple[str, ...]
    items: int | None
    unit: str
    by_default: bool


@dataclass(frozen=True)
class SuiteEntry:
    """A suite.

    Attributes:
        name: Its name.
        tensor: What the main tensor is called.
        shape: Of the main tensor.
        data: How the tensors' values are distributed.
        kernels: Its kernels.
        by_default: Whether it is timed where no suite is asked for.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    data: str
    kernels: tuple[Entry, ...]
    by_default: bool


@dataclass(frozen=True)
class Catalogue:
    """The suites."""

    suites: tuple[SuiteEntry, ...]


def catalogue(request: Request | None = None) -> Catalogue:
    """List suites and kernels.

    Args:
        request: Which, at which sizes and dtypes; all suites where it names none, also those that take long.

    Examples:
        >>> [suite.name for suite in catalogue().suites]
        ['loss', 'conv', 'norm', 'index', 'resize', 'net', 'loader', 'copy', 'collective']
    """
    request = request or Request()
    # Whatever device there is: the list says what could be timed.
    request = replace(request, suites=request.suites or tuple(SUITES), modes=(Mode.FORWARD.value,), device="auto")
    suites = []
    for group in plan(request):
        entries = tuple(_entry(group, kernel) for kernel in group.kernels)
        suite = group.suite
        suites.append(SuiteEntry(suite.name, suite.tensor, group.case.shape, suite.data, entries, suite.by_default))
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
        devices=kernel.devices,
        items=None if kernel.items is None else kernel.items(group.case),
        unit=kernel.unit,
        by_default=kernel.by_default,
    )
