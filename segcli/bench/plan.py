"""What is to be timed: the request checked, and cut into groups of kernels that take turns. Without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain, product
from math import isfinite

from segcli.bench.kernel import Case, Kernel, Mode, Suite
from segcli.bench.measuring.conditions import Caches, Condition, Span
from segcli.bench.suites import SUITES
from segcli.device import DTYPES
from segcli.errors import SegcliError, nearest
from segcli.units import format_bytes, format_size

_SPANS = {"cpu": (Span.HOST,), "cuda": (Span.HOST, Span.DEVICE)}


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    Attributes:
        suites: Names; none for all that are timed by default, or for ``imported`` alone where there are any.
        kernel: A pattern (``*``, ``?``, ``[...]``) of kernel names; empty for all.
        modes: Names; none for each suite's own.
        sizes: Of (height, width); none for each suite's own.
        dtypes: Of the floating tensors.
        device: Where: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``, which leaves it open here.
        threads: torch's threads; None leaves them as they are.
        budget_s: Seconds for the whole run.
        seed: Of the data.
        caches: ``hot``, ``cold``; none for both.
        spans: ``host``, ``device``; none for all that the device has.
        passes: Walks over all groups, at most.
        channels_last: Whether kernels are timed with channels last, too.
        compiled: Whether kernels are timed compiled, too.
        tf32: Whether float32 may be computed with 10 bits of mantissa on CUDA.
        imported: Suites of the user's own functions.
    """

    suites: tuple[str, ...] = ()
    kernel: str = ""
    modes: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    device: str = "cpu"
    threads: int | None = None
    budget_s: float = 75.0
    seed: int = 0
    caches: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()
    passes: int = 20
    channels_last: bool = False
    compiled: bool = False
    tf32: bool = False
    imported: tuple[Suite, ...] = ()


@dataclass(frozen=True)
class Group:
    """Kernels of one suite in one mode and one case: they work on the same tensors and take turns.

    Attributes:
        suite: The suite.
        mode: What is timed.
        case: Shape and dtype.
        kernels: The contenders.
        conditions: Under which they are timed, one after the other.
    """

    suite: Suite
    mode: Mode
    case: Case
    kernels: tuple[Kernel, ...]
    conditions: tuple[Condition, ...] = (Condition(),)


def plan(request: Request) -> tuple[Group, ...]:
    """Return the groups that a request means, in the order in which they are timed: by suite, size, dtype and mode.

    Raises:
        SegcliError: For an unknown suite, kernel, mode, dtype or condition, one that the device does not have, a size
            without pixels, no pass, or a budget that is none.

    Examples:
        >>> [(group.mode.value, len(group.kernels)) for group in plan(Request(suites=("conv",)))]
        [('forward', 7), ('forward+backward', 7)]
        >>> [group.case.shape for group in plan(Request(suites=("index",), sizes=((8, 8), (16, 24))))]
        [(2, 19, 8, 8), (2, 19, 16, 24)]
    """
    _refuse_impossible(request)
    chosen = _suites(request)
    cases = ((suite, case) for suite in chosen for case in _cases(suite, request))
    groups = [_group(suite, mode, case, request) for suite, case in cases for mode in Mode]
    groups = [group for group in groups if group.kernels]
    if not groups:
        raise _no_kernel(request, chosen)
    if not all(group.conditions for group in groups):
        raise _no_condition(request, next(group.suite for group in groups if not group.conditions))
    return tuple(groups)


def refuse_too_large(groups: Sequence[Group], available_bytes: int, beside_bytes: int = 0) -> None:
    """Refuse, before anything is allocated, what would not fit into memory.

    Args:
        groups: All that is to be timed.
        available_bytes: What could be taken now.
        beside_bytes: What is held beside any group: what caches are flushed with, the reference workload.

    Raises:
        SegcliError: Naming the suite that needs most.
    """
    largest = max(groups, key=_peak_bytes)
    needed = _peak_bytes(largest) + beside_bytes
    if needed > available_bytes:
        message = (
            f"suite {largest.suite.name} at {format_size(largest.case.size)} needs about "
            f"{format_bytes(needed)} of memory, {format_bytes(available_bytes)} are available"
        )
        raise SegcliError(message, hint="give a smaller --size")


def _peak_bytes(group: Group) -> int:
    return group.suite.peak_bytes(group.case, group.kernels)


def _suites(request: Request) -> list[Suite]:
    """Return the suites that are named and the user's own; where none is, those that are timed by default."""
    if request.suites:
        known = [*SUITES.values(), *request.imported]
        return [suite for suite in known if suite.name in request.suites or suite in request.imported]
    return list(request.imported) or [suite for suite in SUITES.values() if suite.by_default]


def _cases(suite: Suite, request: Request) -> Iterator[Case]:
    sizes = dict.fromkeys(request.sizes or (suite.case.size,))
    for size, dtype in product(sizes, dict.fromkeys(request.dtypes)):
        yield replace(suite.case, dtype=dtype, size=size)


def _group(suite: Suite, mode: Mode, case: Case, request: Request) -> Group:
    asked = mode.value in request.modes if request.modes else mode in suite.default_modes
    kernels = [kernel for kernel in suite.kernels if asked and mode in kernel.modes and _runs_on(kernel, request)]
    if request.kernel not in ("", "*"):
        kernels = [kernel for kernel in kernels if fnmatchcase(kernel.name, request.kernel)]
    elif not request.suites:
        kernels = [kernel for kernel in kernels if kernel.by_default]
    varied = chain.from_iterable(_variants(suite, kernel, request) for kernel in kernels)
    return Group(suite, mode, case, tuple(varied), _conditions(suite, request))


def _variants(suite: Suite, kernel: Kernel, request: Request) -> tuple[Kernel, ...]:
    if not (request.channels_last or request.compiled):
        return (kernel,)
    from segcli.bench.variants import with_variants

    return with_variants(suite, kernel, channels_last=request.channels_last, compiled=request.compiled)


def _runs_on(kernel: Kernel, request: Request) -> bool:
    # Which device it is may be open yet; that there is no such one is said where it is looked for.
    return _kind(request) not in _SPANS or _kind(request) in kernel.devices


def _conditions(suite: Suite, request: Request) -> tuple[Condition, ...]:
    spans = _SPANS.get(_kind(request), tuple(Span))
    return tuple(
        Condition(caches, span)
        for span in suite.spans
        for caches in suite.caches
        if caches.value in (request.caches or [caches.value])
        and span in spans
        and span.value in (request.spans or [span.value])
    )


def _kind(request: Request) -> str:
    """Return the kind of the device, such as ``cuda`` for ``cuda:1``."""
    return request.device.partition(":")[0]


def _refuse_impossible(request: Request) -> None:
    if not (isfinite(request.budget_s) and request.budget_s > 0):
        message = f"the time budget is {request.budget_s:g} s, expected a finite number above 0"
        raise SegcliError(message)
    if not 0 <= request.seed < 2**63:
        message = f"the seed is {request.seed}, expected 0 to 2^63 - 1"
        raise SegcliError(message)
    if request.passes < 1:
        message = f"there are {request.passes} passes, expected 1 or more"
        raise SegcliError(message)
    if not request.dtypes:
        message = "no dtype is given, expected one or more"
        raise SegcliError(message, hint=nearest("", list(DTYPES)))
    for size in request.sizes:
        if min(size) < 1:
            message = f"size {format_size(size)} has no pixels, expected sides of 1 or more"
            raise SegcliError(message)
    _refuse_unknown("dtype", request.dtypes, DTYPES)
    _refuse_unknown("suite", request.suites, [*SUITES, *(suite.name for suite in request.imported)])
    _refuse_unknown("mode", request.modes, [mode.value for mode in Mode])
    _refuse_unknown("caches", request.caches, [caches.value for caches in Caches])
    _refuse_unknown("span", request.spans, [span.value for span in Span])


def _refuse_unknown(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            message = f"unknown {kind} {name!r}"
            raise SegcliError(message, hint=nearest(name, list(known)))


def _no_kernel(request: Request, chosen: Sequence[Suite]) -> SegcliError:
    where = ", ".join(suite.name for suite in chosen)
    asked = f"no kernel matches {request.kernel!r}" if request.kernel else "there is no kernel"
    modes = f" with mode {', '.join(request.modes)}" if request.modes else ""
    anywhere = replace(request, device="auto")
    groups = (_group(suite, mode, suite.case, anywhere) for suite in chosen for mode in Mode)
    device = f" on {request.device}" if any(group.kernels for group in groups) else ""
    if request.modes == (Mode.TRAINING.value,) and chosen == list(request.imported) and not device:
        message = f"{where} has no gradients: none of the tensors that --setup returns asks for them"
        return SegcliError(message, hint="return tensors with requires_grad=True, or leave --mode out")
    names = [kernel.name for suite in chosen for kernel in suite.kernels]
    hint = nearest(request.kernel, names) if request.kernel else "see segcli bench list"
    return SegcliError(f"{asked} in {where}{modes}{device}", hint=hint)


def _no_condition(request: Request, suite: Suite) -> SegcliError:
    asked = " and ".join(" or ".join(names) for names in (request.caches, request.spans) if names)
    has = ", ".join(
        f"{condition.caches.value} {condition.span.value}"
        for condition in _conditions(suite, replace(request, caches=(), spans=()))
    )
    message = f"suite {suite.name} is not timed {asked} on {request.device}"
    return SegcliError(message, hint=f"it is timed: {has}")
