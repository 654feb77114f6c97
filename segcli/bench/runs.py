"""A run of the bench: from what was asked for to what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from segcli.bench.advice import advise
from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.measuring.environment import Environment, available_bytes, environment_of, settled_process
from segcli.bench.measuring.sampling import Rule
from segcli.bench.measuring.session import STEPS_A_KERNEL, Session
from segcli.bench.measuring.timer import Timer, timer_for
from segcli.bench.plan import Request, plan, refuse_too_large
from segcli.bench.results import Reference, Result, Status, with_speedups
from segcli.errors import ExitCode, SegcliError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Method:
    """How was measured, in words and numbers."""

    timer: str
    caches: str
    rule: Rule
    budget_s: float


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
    """Return how many steps a run counts: a kernel is one when it has been compared, and another when it is done.

    Examples:
        >>> steps(Request(suites=("conv",)))
        28
    """
    return STEPS_A_KERNEL * sum(len(group.kernels) for group in plan(request))


def run(
    request: Request,
    advance: Callable[[int], None] = lambda _: None,
    timer: Timer | None = None,
    rule: Rule | None = None,
) -> Run:
    """Time what was asked for.

    The budget is shared out group by group, in proportion to the kernels still to come; what a group leaves over goes
    to those after it. Ctrl-C ends the run and what is finished is returned, marked partial.

    Args:
        request: What to time.
        advance: Called with the steps done; there are `steps(request)` in all.
        timer: What times; by default what suits the device.
        rule: When enough is enough.

    Raises:
        SegcliError: For a request that cannot be met: unknown names, no such device, not enough memory.

    Examples:
        >>> found = run(Request(suites=("norm",), kernel="group", modes=("forward",), size=(4, 4), budget_s=0.05))
        >>> [(result.kernel, result.status.value, result.flops) for result in found.results]
        [('group', 'timed', 12288)]
    """
    from segcli.device import use_threads

    groups = plan(request)
    device = _device(request.device)
    refuse_too_large(groups, available_bytes(device))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with settled_process() as flags:
        use_threads(request.threads)
        environment = environment_of(device, flags)
        session = Session(request, device, timer or timer_for(device), rule or Rule(), advance)
        session.run(groups)
    results = with_speedups(session.results)
    return Run(
        started=started,
        environment=environment,
        method=Method(session.timer.name, "hot", session.rule, request.budget_s),
        seed=request.seed,
        data={group.suite.name: group.suite.data for group in groups},
        results=tuple(results),
        warnings=tuple(advise(results, environment, request.budget_s)),
        partial=session.interrupted,
    )


def _device(name: str) -> "torch.device":
    from segcli.device import resolve_device

    device = resolve_device(name)
    if device.type not in ("cpu", "cuda"):
        message = f"device {device} cannot be timed: there is a timer for cpu and for cuda"
        raise SegcliError(message, hint="use --device cpu", code=ExitCode.UNAVAILABLE)
    return device
