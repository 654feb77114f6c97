"""How many threads work that is not timed should use."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segcli.launch import cores

_TASKS = Path("/proc/self/task")
BUSY = 0.5
"""The share of the cores from which on what else runs is in the way."""


@contextmanager
def untimed_threads(load: Callable[[], tuple[float, ...]] | None = None) -> Iterator[int]:
    """Let torch use one thread for the length of the block, where others keep half of the cores or more busy.

    Threads wait for each other at the end of every operation, and where one of them has lost its core, all wait: on
    two cores with eight busy programs, float64 references took ten times as long with two threads as with one.

    Args:
        load: Returns the runnable processes of the last minute first; by default the system does.

    Examples:
        >>> with untimed_threads(lambda: (1e6, 0.0, 0.0)) as count:
        ...     count
        1
    """
    import torch

    count = torch.get_num_threads()
    try:
        busy = (load or os.getloadavg)()[0]
    except OSError:
        busy = 0.0
    if count == 1 or busy < BUSY * cores():
        yield count
        return
    with one_thread():
        yield 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread for the length of the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def waiting_s(tasks: Path = _TASKS) -> float:
    """Return how long this process's threads have waited for a core, together, in seconds; 0 where nobody tells.

    Source:
        Linux, Documentation/scheduler/sched-stats.rst: the second number is nanoseconds spent on a run queue.
    """
    waited_ns = 0
    with suppress(OSError):
        for task in tasks.iterdir():
            # A thread may end meanwhile.
            with suppress(OSError, ValueError, IndexError):
                waited_ns += int((task / "schedstat").read_text(encoding="ascii").split()[1])
    return waited_ns / 1e9
