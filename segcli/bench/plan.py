"""What is to be timed: the request checked, and cut into groups of kernels that take turns. Without torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import isfinite

from segcli.bench.kernel import Case, Kernel, Mode, Suite
from segcli.bench.suites import SUITES
from segcli.device import DTYPES
from segcli.errors import SegcliError, nearest
from segcli.units import format_bytes, format_size


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes:
        suites: Names; none for all.
        kernel: A pattern (``*``, ``?``, ``[...]``) of kernel names; empty for all.
        modes: Names; none for all.
        size: (height, width); None for each suite's own.
        dtype: The dtype of the floating tensors.
        device: Where.
        threads: torch's threads; None leaves them as they are.
        budget_s: Seconds for the whole run.
        seed: Of the data.
    """

    suites: tuple[str, ...] = ()
    kernel: str = ""
    modes: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    dtype: str = "float32"
    device: str = "cpu"
    threads: int | None = None
    budget_s: float = 20.0
    seed: int = 0


@dataclass(frozen=True)
class Group:
    """Kernels of one suite in one mode: they work on the same tensors and take turns."""

    suite: Suite
    mode: Mode
    case: Case
    kernels: tuple[Kernel, ...]


def plan(request: Request) -> tuple[Group, ...]:
    """Return the groups that a request means, in the order in which they are timed.

    Raises:
        SegcliError: For an unknown suite, kernel, mode or dtype, a size without pixels, or a budget that is none.

    Examples:
        >>> [(group.mode.value, len(group.kernels)) for group in plan(Request(suites=("conv",)))]
        [('forward', 7), ('forward+backward', 7)]
    """
    if not (isfinite(request.budget_s) and request.budget_s > 0):
        message = f"the time budget is {request.budget_s:g} s, expected more than 0"
        raise SegcliError(message)
    if not 0 <= request.seed < 2**63:
        message = f"the seed is {request.seed}, expected 0 to 2^63 - 1"
        raise SegcliError(message)
    _refuse_unknown("dtype", [request.dtype], DTYPES)
    _refuse_unknown("suite", request.suites, list(SUITES))
    _refuse_unknown("mode", request.modes, [mode.value for mode in Mode])
    chosen = [suite for suite in SUITES.values() if not request.suites or suite.name in request.suites]
    modes = [mode for mode in Mode if not request.modes or mode.value in request.modes]
    groups = [_group(suite, mode, request) for suite in chosen for mode in modes]
    groups = [group for group in groups if group.kernels]
    if not groups:
        raise _no_kernel(request, chosen)
    return tuple(groups)


def refuse_too_large(groups: Sequence[Group], available_bytes: int) -> None:
    """Refuse, before anything is allocated, what would not fit into memory.

    Raises:
        SegcliError: Naming the suite that needs most.
    """
    largest = max(groups, key=_peak_bytes)
    if _peak_bytes(largest) > available_bytes:
        message = (
            f"suite {largest.suite.name} at {format_size(largest.case.size)} needs about "
            f"{format_bytes(_peak_bytes(largest))} of memory, {format_bytes(available_bytes)} are available"
        )
        raise SegcliError(message, hint="give a smaller --size")


def _peak_bytes(group: Group) -> int:
    return group.suite.peak_bytes(group.case)


def _group(suite: Suite, mode: Mode, request: Request) -> Group:
    case = replace(suite.case, dtype=request.dtype, size=request.size or suite.case.size)
    if min(case.size) < 1:
        message = f"size {format_size(case.size)} has no pixels, expected sides of 1 or more"
        raise SegcliError(message)
    kernels = [kernel for kernel in suite.kernels if mode in kernel.modes]
    if request.kernel:
        kernels = [kernel for kernel in kernels if fnmatchcase(kernel.name, request.kernel)]
    return Group(suite, mode, case, tuple(kernels))


def _refuse_unknown(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            message = f"unknown {kind} {name!r}"
            raise SegcliError(message, hint=nearest(name, list(known)))


def _no_kernel(request: Request, chosen: Sequence[Suite]) -> SegcliError:
    where = ", ".join(suite.name for suite in chosen)
    asked = f"no kernel matches {request.kernel!r}" if request.kernel else "there is no kernel"
    modes = f" with mode {', '.join(request.modes)}" if request.modes else ""
    names = [kernel.name for suite in chosen for kernel in suite.kernels]
    hint = nearest(request.kernel, names) if request.kernel else "see segcli bench list"
    return SegcliError(f"{asked} in {where}{modes}", hint=hint)
