"""A run of the bench: from what was asked for to what was found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from segcli.bench.advice import Spent, advise
from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.measuring.cold import cache_size
from segcli.bench.measuring.conditions import Caches
from segcli.bench.measuring.environment import Environment, available_bytes, environment_of, settled_process
from segcli.bench.measuring.instruments import Instruments, instruments_for, lone_instruments
from segcli.bench.measuring.sampling import Rule
from segcli.bench.measuring.session import Session, steps_of
from segcli.bench.measuring.timer import Timer, timed_device
from segcli.bench.measuring.workload import HELD_BYTES
from segcli.bench.plan import Group as Planned
from segcli.bench.plan import Request, plan, refuse_too_large
from segcli.bench.results import Reference, Result, Status

if TYPE_CHECKING:
    import torch

    from segcli.launch import Group


@dataclass(frozen=True)
class Method:
    """How was measured, in words and numbers.

    Attributes:
        timer: What is read for calls that find hot caches, as the host sees them.
        caches: Where calls found their data: ``hot``, ``cold``.
        spans: By whose clock: ``host``, ``device``.
        passes: Walks over all groups.
        rule: When a pass had enough samples of a kernel.
        budget_s: Seconds for all of it.
        cache_bytes: The last-level cache, twice of which is overwritten before a cold call.
        cache_known: Whether the system says its size; else it is assumed.
        throttling: How a throttled GPU is seen, or why it is not.
    """

    timer: str
    caches: tuple[str, ...]
    spans: tuple[str, ...]
    passes: int
    rule: Rule
    budget_s: float
    cache_bytes: int
    cache_known: bool
    throttling: str


@dataclass(frozen=True)
class Run:
    """What a run of the bench found.

    Attributes:
        started: When, in UTC.
        environment: Where.
        method: How.
        seed: Of the data.
        data: How the values of each suite's tensors are distributed.
        results: One a kernel and mode, also for those that were not timed.
        warnings: What makes the numbers less sure, with advice.
        partial: Whether Ctrl-C ended it.
        ceilings: What this machine can do at most; None where it was not asked for.
        references: The reference workload, beside each group of kernels.
    """

    started: str
    environment: Environment
    method: Method
    seed: int
    data: dict[str, str]
    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    partial: bool
    ceilings: Ceilings | None = None
    references: tuple[Reference, ...] = ()

    @property
    def right(self) -> bool:
        """Whether no kernel was wrong and none failed."""
        return not any(result.status in (Status.WRONG, Status.FAILED) for result in self.results)


def steps(request: Request) -> int:
    """Return how many steps a run counts: a kernel is one when it has been compared, and one more after each pass.

    Examples:
        >>> steps(Request(suites=("conv",), passes=1))
        28
    """
    return steps_of(plan(_settled(request)[0]), request.passes)


def run(
    request: Request,
    advance: Callable[[int], None] = lambda _: None,
    timer: Timer | None = None,
    rule: Rule | None = None,
    *,
    found: Callable[[Result], None] = lambda _: None,
    instruments: Instruments | None = None,
    group: "Group | None" = None,
) -> Run:
    """Time what was asked for.

    The budget is shared out over passes and groups, in proportion to the kernels still to come; what a group leaves
    over goes to those after it. Ctrl-C ends the run and what is finished is returned, marked partial.

    Args:
        request: What to time.
        advance: Called with the steps done; there are `steps(request)` in all.
        timer: What times under every condition, ceilings unmeasured; by default what suits the device.
        rule: When enough is enough.
        found: Called with each result as far as it is known, again after each pass.
        instruments: What measures, in place of ``timer``.
        group: The ranks that measure together; they must be given the same request.

    Raises:
        SegcliError: For a request that cannot be met: unknown names, no such device, not enough memory.

    Examples:
        >>> norm = Request(suites=("norm",), kernel="group", modes=("forward",), sizes=((4, 4),), caches=("hot",))
        >>> found = run(replace(norm, budget_s=0.05, passes=1))
        >>> [(result.kernel, result.status.value, result.flops) for result in found.results]
        [('group', 'timed', 12288)]
    """
    from segcli.device import use_threads

    request, device = _settled(request)
    groups = plan(request)
    refuse_too_large(groups, available_bytes(device), _beside_bytes(groups, device))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with settled_process(tf32=request.tf32) as flags:
        use_threads(request.threads)
        environment = environment_of(device, flags)
        tools = instruments or _instruments(device, groups, timer, group)
        session = Session(request, device, tools, rule or Rule(), advance, found)
        waited_s, start_ns = tools.waiting_s(), tools.clock.now_ns()
        session.run(groups)
        took_s = (tools.clock.now_ns() - start_ns) / 1e9
        waited = (tools.waiting_s() - waited_s) / took_s if took_s else 0.0
    try:
        return _told(session, groups, started, environment, waited)
    except KeyboardInterrupt:
        # All is measured, and soon told.
        session.interrupted = True
        return _told(session, groups, started, environment, waited)


def _told(session: Session, groups: Sequence[Planned], started: str, environment: Environment, waited: float) -> Run:
    results, references, request = session.results(), session.references(), session.request
    spent = Spent(request.budget_s, session.comparing_s, waited)
    return Run(
        started=started,
        environment=environment,
        method=_method(groups, session),
        seed=request.seed,
        data={group.suite.name: group.suite.data for group in groups},
        results=tuple(results),
        warnings=tuple(advise(results, environment, spent, references, session.differing)),
        partial=session.interrupted,
        ceilings=session.ceilings,
        references=tuple(references),
    )


def _instruments(
    device: "torch.device", groups: Sequence[Planned], timer: Timer | None, group: "Group | None"
) -> Instruments:
    if timer is not None:
        return lone_instruments(timer)
    return instruments_for(device, cold=_is_cold(groups), group=group)


def _is_cold(groups: Sequence[Planned]) -> bool:
    return any(condition.caches is Caches.COLD for group in groups for condition in group.conditions)


def _beside_bytes(groups: Sequence[Planned], device: "torch.device") -> int:
    """Return what is held beside the group that is timed."""
    return HELD_BYTES + (cache_size(device).flush_bytes if _is_cold(groups) else 0)


def _method(groups: Sequence[Planned], session: Session) -> Method:
    conditions = [condition for group in groups for condition in group.conditions]
    tools = session.instruments
    return Method(
        timer=tools.timer_of(conditions[0]).name,
        caches=tuple(dict.fromkeys(condition.caches.value for condition in conditions)),
        spans=tuple(dict.fromkeys(condition.span.value for condition in conditions)),
        passes=session.passes,
        rule=session.rule,
        budget_s=session.request.budget_s,
        cache_bytes=tools.cache.bytes,
        cache_known=tools.cache.known,
        throttling=tools.throttling.how,
    )


def _settled(request: Request) -> tuple[Request, "torch.device"]:
    """Return the request with the device that is meant: ``auto`` becomes one."""
    # What is misspelt is said before what is missing.
    plan(request)
    device = timed_device(request.device)
    return replace(request, device=str(device)), device
