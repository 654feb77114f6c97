"""What is to be timed: the request checked, and cut into groups of kernels that take turns. Without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import chain, product
from math import isfinite

from segcli.bench.kernel import Case, Kernel, Mode, Suite
from segcli.bench.measuring.conditions import Caches, Condition, Span
from segcli.bench.suites import SUITES
from segcli.device import DTYPES, check_device_name, check_threads
from segcli.errors import SegcliError, nearest
from segcli.units import format_bytes, format_size

_SPANS = {"cpu": (Span.HOST,), "cuda": (Span.HOST, Span.DEVICE)}
_ALL = "all"
_LIST = "see segcli bench list"
_MOST_NAMED = 10
"""Up to so many kernels are named where one is misspelt beyond recognition."""


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


def near_kernels(pattern: str, names: Sequence[str], otherwise: str) -> str:
    """Return a hint that names the kernels nearest to what matches none; all of them where they are few.

    Args:
        pattern: What was asked for.
        names: Of the kernels that there are.
        otherwise: The hint where none is near and they are many.

    Examples:
        >>> near_kernels("depthwize", ["standard", "depthwise"], "see segcli bench list")
        'did you mean depthwise?'
    """
    known = list(dict.fromkeys(names))
    is_told = len(known) <= _MOST_NAMED or get_close_matches(pattern, known)
    return nearest(pattern, known) if is_told else otherwise


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
    check_device_name(request.device)
    check_threads(request.threads)
    if not (isfinite(request.budget_s) and request.budget_s > 0):
        message = f"the time budget (--time-budget) is {request.budget_s:g} s, expected a finite number above 0"
        raise SegcliError(message)
    if not 0 <= request.seed < 2**63:
        message = f"the seed (--seed) is {request.seed}, expected 0 to 2^63 - 1"
        raise SegcliError(message)
    if request.passes < 1:
        message = f"there are {request.passes} passes (--passes), expected 1 or more"
        raise SegcliError(message)
    if not request.dtypes:
        message = "no dtype (--dtype) is given, expected one or more"
        raise SegcliError(message, hint=nearest("", list(DTYPES)))
    for size in request.sizes:
        if min(size) < 1:
            message = f"size {format_size(size)} (--size) has no pixels, expected sides of 1 or more"
            raise SegcliError(message)
    _refuse_unknown("dtype", request.dtypes, DTYPES)
    _refuse_unknown("suite", request.suites, [*SUITES, *(suite.name for suite in request.imported)])
    _refuse_unknown("mode", request.modes, [mode.value for mode in Mode])
    _refuse_unknown("caches", request.caches, [caches.value for caches in Caches])
    _refuse_unknown("span", request.spans, [span.value for span in Span])


def _refuse_unknown(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if not name:
            raise _empty(kind, names, known)
        if name not in known:
            message = f"unknown {kind} {name!r}"
            raise SegcliError(message, hint=_hint(kind, name, known))


def _empty(kind: str, names: Sequence[str], known: Sequence[str]) -> SegcliError:
    """Refuse an empty name: an option that a shell's unset variable gave, or a comma too many."""
    named = [name for name in names if name]
    if not named:
        return SegcliError(
            f"--{kind} is empty, expected names", hint=f"leave it out, or name some of {', '.join(known)}"
        )
    message = f"--{kind} holds an empty name, expected names with a comma between two"
    return SegcliError(message, hint=f"write it as --{kind} {','.join(named)}")


def _hint(kind: str, name: str, known: Sequence[str]) -> str:
    # Who asks for dtypes names them.
    words = list(known) if kind == "dtype" else [*known, _ALL]
    if name in words:
        return f"all is given alone: --{kind} all"
    # What differs in capitals alone is what was meant; what else is near is not.
    return f"did you mean {name.lower()}?" if name.lower() in words else nearest(name, list(known))


def _no_kernel(request: Request, chosen: Sequence[Suite]) -> SegcliError:
    where = ", ".join(suite.name for suite in chosen)
    anywhere = replace(request, device="auto")
    device = f" on {request.device}" if _has_kernels(anywhere, chosen) else ""
    # What else was asked for is named where it is the reason.
    is_narrowed = _has_kernels(replace(anywhere, modes=tuple(mode.value for mode in Mode)), chosen)
    modes = f" with mode {', '.join(request.modes)}" if request.modes and is_narrowed else ""
    if request.modes == (Mode.TRAINING.value,) and chosen == list(request.imported) and modes and not device:
        message = f"{where} has no gradients: none of the tensors that --setup returns asks for them"
        return SegcliError(message, hint="return tensors with requires_grad=True, or leave --mode out")
    where = f" in {where}" if len(chosen) < len(SUITES) else ""
    is_named = request.kernel not in ("", "*")
    asked = f"no kernel matches {request.kernel!r}" if is_named else "there is no kernel"
    names = [kernel.name for suite in chosen for kernel in suite.kernels]
    hint = near_kernels(request.kernel, names, _LIST) if is_named and not is_narrowed else _LIST
    return SegcliError(f"{asked}{where}{modes}{device}", hint=hint)


def _has_kernels(request: Request, chosen: Sequence[Suite]) -> bool:
    return any(_group(suite, mode, suite.case, request).kernels for suite in chosen for mode in Mode)


def _no_condition(request: Request, suite: Suite) -> SegcliError:
    asked = " and ".join(" or ".join(names) for names in (request.caches, request.spans) if names)
    has = ", ".join(
        f"{condition.caches.value} {condition.span.value}"
        for condition in _conditions(suite, replace(request, caches=(), spans=()))
    )
    message = f"suite {suite.name} is not timed {asked} on {request.device}"
    return SegcliError(message, hint=f"it is timed: {has}")
