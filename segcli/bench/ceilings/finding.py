"""The ceilings of this machine, from names of a device and dtypes to what was found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from time import perf_counter

from segcli.bench.advice import about_the_machine, about_waiting
from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.ceilings.measuring import THOROUGH_S, measure_ceilings
from segcli.bench.measuring.environment import Environment, environment_of, settled_process
from segcli.bench.measuring.threads import waiting_s
from segcli.bench.measuring.timer import Timer, timed_device, timer_for
from segcli.device import check_device_name, check_threads, resolve_dtype, use_threads
from segcli.errors import SegcliError


@dataclass(frozen=True)
class Found:
    """What `segcli bench ceiling` found.

    Attributes:
        started: When, in UTC.
        environment: Where.
        seconds: How long was measured.
        ceilings: What the machine can do.
        warnings: What may have lowered them, with advice.
    """

    started: str
    environment: Environment
    seconds: float
    ceilings: Ceilings
    warnings: tuple[str, ...] = ()


def find_ceilings(
    device: str = "cpu",
    dtypes: Sequence[str] = ("float32",),
    threads: int | None = None,
    seconds: float = THOROUGH_S,
    *,
    advance: Callable[[float], None] = lambda _: None,
    timer: Timer | None = None,
) -> Found:
    """Measure what a device of this machine can do, in a process that is set as it is for a run.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        dtypes: Those of matrix products and convolutions.
        threads: torch's threads; None leaves them as they are.
        seconds: How long it may take, about.
        advance: Called with the share of the time that has passed, 0 to 1.
        timer: What times; by default what suits the device.

    Raises:
        SegcliError: For unknown names, no such device, no time, or too little memory.
    """
    if not (isfinite(seconds) and seconds > 0):
        message = f"--seconds is {seconds:g}, expected more than 0"
        raise SegcliError(message)
    check_device_name(device)
    check_threads(threads)
    for dtype in dtypes:
        resolve_dtype(dtype)
    there = timed_device(device)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with settled_process() as flags:
        use_threads(threads)
        environment = environment_of(there, flags)
        waited_s, start_s = waiting_s(), perf_counter()
        ceilings = measure_ceilings(there, dtypes, timer or timer_for(there), seconds=seconds, advance=advance)
        waited = (waiting_s() - waited_s) / (perf_counter() - start_s)
    return Found(started, environment, seconds, ceilings, (*about_the_machine(environment), *about_waiting(waited)))
