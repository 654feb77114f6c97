"""What a run measures with, put together for a device; in tests each piece is a fake."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from segcli.bench.measuring.agreement import GroupClock, GroupTimer
from segcli.bench.measuring.cold import CacheSize, cache_size, flush_of
from segcli.bench.measuring.conditions import Caches, Condition, Span
from segcli.bench.measuring.peak import peak_bytes
from segcli.bench.measuring.replay import NOT_CAPTURED, REPLAYED, replay_of
from segcli.bench.measuring.threads import waiting_s
from segcli.bench.measuring.throttling import ON_CPU, Throttling, throttling_of
from segcli.bench.measuring.timer import (
    Clock,
    CudaClock,
    EventTimer,
    HostClock,
    HostTimer,
    SingleEventTimer,
    SingleTimer,
    Timer,
    Work,
    timer_for,
)
from segcli.bench.measuring.workload import reference_works

if TYPE_CHECKING:
    import torch

    from segcli.bench.ceilings.ceiling import Ceilings
    from segcli.launch import Group


@dataclass(frozen=True)
class Instruments:
    """What a run measures with.

    Attributes:
        clock: By which budgets are kept.
        timer_of: What times calls under a condition.
        replay_of: Captures a call, so that the device's own time can be taken; None where it cannot be.
        throttling: Whether the device is slowed down.
        peak_bytes: The most memory that a call holds; None where nobody tells.
        cache: What cold calls find filled with something else.
        ceilings: Measures what the device can do for some dtypes; None where nobody wants to know.
        workload: Makes the reference workload, by name; none where nobody compares runs.
        waiting_s: How long threads of this process have waited for a core so far, together.
        renew_memory: Gives freed memory back, so that the next pass gets other.
        agree: Returns what all ranks say, in order of rank; one process alone agrees with itself.
    """

    clock: Clock
    timer_of: Callable[[Condition], Timer]
    replay_of: Callable[[Work], Work | None]
    throttling: Throttling
    peak_bytes: Callable[[Work], int | None]
    cache: CacheSize
    ceilings: Callable[[Sequence[str]], "Ceilings"] | None = None
    workload: Callable[[], Mapping[str, Work]] = dict
    waiting_s: Callable[[], float] = lambda: 0.0
    renew_memory: Callable[[], None] = lambda: None
    agree: Callable[[Any], list[Any]] = lambda value: [value]

    def under(self, condition: Condition, work: Work) -> tuple[Work, str]:
        """Return what is timed under a condition for a piece of work, and how, in words."""
        name = self.timer_of(condition).name
        if condition.span is Span.HOST:
            return work, name
        replay = self.replay_of(work)
        return (work, f"{name}, {NOT_CAPTURED}") if replay is None else (replay, f"{name}, {REPLAYED}")


def instruments_for(device: "torch.device", *, cold: bool, group: "Group | None" = None) -> Instruments:
    """Return what suits a device.

    Args:
        device: ``cpu`` or a CUDA device.
        cold: Whether calls are to find cold caches: what these are filled with takes memory.
        group: The ranks that measure together; None for one process alone.
    """
    cache = cache_size(device)
    flush = flush_of(device, cache) if cold else None
    timers = _of_cuda(device, flush) if device.type == "cuda" else _of_cpu(flush)
    return _shared(
        Instruments(
            clock=timers[Condition()].clock,
            timer_of=timers.__getitem__,
            replay_of=partial(replay_of, device=device),
            throttling=throttling_of(device),
            peak_bytes=partial(peak_bytes, device=device),
            cache=cache,
            ceilings=partial(_ceilings, device),
            workload=partial(reference_works, device),
            waiting_s=waiting_s,
            renew_memory=partial(renew_memory, device),
        ),
        group,
    )


def lone_instruments(timer: Timer) -> Instruments:
    """Return instruments that have one timer for every condition, and know nothing else of the machine."""
    return Instruments(
        clock=timer.clock,
        timer_of=lambda _: timer,
        replay_of=lambda _: None,
        throttling=ON_CPU,
        peak_bytes=lambda _: None,
        cache=CacheSize(0, known=False),
    )


def _shared(own: Instruments, group: "Group | None") -> Instruments:
    """Let ranks decide everything alike; each measures its own memory, and none the ceilings of a machine shared."""
    if group is None or group.ranks.world == 1:
        return own
    return replace(
        own,
        clock=GroupClock(own.clock, group),
        timer_of=lambda condition: GroupTimer(own.timer_of(condition), group),
        # Replays are captured on every rank or on none.
        replay_of=lambda _: None,
        ceilings=None,
        agree=group.gather,
    )


def _ceilings(device: "torch.device", dtypes: Sequence[str]) -> "Ceilings":
    from segcli.bench.ceilings.measuring import measure_ceilings

    return measure_ceilings(device, dtypes, timer_for(device))


def renew_memory(device: "torch.device") -> None:
    """Give freed memory back to the system, where glibc can, and to the driver.

    Which pages a tensor lies on decides which of a cache's places it gets; a run that keeps its first pages keeps its
    first luck.
    """
    import ctypes
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()  # pragma: no cover - needs a GPU
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _of_cpu(flush: Work | None) -> dict[Condition, Timer]:
    clock = HostClock()
    timers: dict[Condition, Timer] = {Condition(): HostTimer(clock)}
    if flush is not None:
        timers[Condition(Caches.COLD)] = SingleTimer(clock, flush)
    return timers


def _of_cuda(device: "torch.device", flush: Work | None) -> dict[Condition, Timer]:
    import torch

    clock = CudaClock(device)
    make_event: Callable[[], Any] = partial(torch.cuda.Event, enable_timing=True)
    timers: dict[Condition, Timer] = {
        Condition(): SingleTimer(clock),
        Condition(Caches.HOT, Span.DEVICE): EventTimer(clock, make_event),
    }
    if flush is not None:
        timers[Condition(Caches.COLD)] = SingleTimer(clock, flush)
        timers[Condition(Caches.COLD, Span.DEVICE)] = SingleEventTimer(clock, make_event, flush)
    return timers
