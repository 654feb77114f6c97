import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from segcli.bench.measuring.agreement import GroupClock, GroupTimer, slowest
from segcli.bench.measuring.timer import HostTimer
from tests.bench.fakes import FakeClock, FakeWork

REPOSITORY = Path(__file__).parents[3]


@dataclass
class FakeRanks:
    """This rank, and another one that says what it is told to say; the last of that for ever."""

    others: list[float]
    told: list[float] = field(default_factory=list)

    def gather(self, value: float) -> list[float]:
        self.told.append(value)
        return [value, self.others.pop(0) if len(self.others) > 1 else self.others[0]]


@pytest.mark.parametrize(("other_s", "time_s"), [(5e-3, 5e-3), (1e-3, 2e-3)])
def test_the_time_is_that_of_the_slowest_rank(other_s: float, time_s: float) -> None:
    clock = FakeClock()
    ranks = FakeRanks([0.0, other_s])
    timer = GroupTimer(HostTimer(clock), ranks)
    assert timer.time_s(FakeWork(clock, (1_000_000,)), 2) == time_s
    # The first word is that this rank is ready.
    assert ranks.told == [0.0, 2e-3]
    assert timer.name == "perf_counter_ns, the slowest rank"


def test_all_hear_the_clock_of_the_rank_that_is_ahead() -> None:
    clock = FakeClock(time_ns=7)
    agreed = GroupClock(clock, FakeRanks([9.0]))
    assert agreed.now_ns() == 9
    clock.time_ns = 12
    agreed.synchronise()
    assert agreed.now_ns() == 12


def broken() -> None:
    message = "no such collective"
    raise RuntimeError(message)


def test_who_fails_says_so_to_the_others_first() -> None:
    ranks = FakeRanks([0.0])
    with pytest.raises(RuntimeError, match="no such collective"):
        GroupTimer(HostTimer(FakeClock()), ranks).time_s(broken, 1)
    assert str(ranks.told) == "[0.0, nan]"


def test_where_another_fails_this_rank_fails_too() -> None:
    with pytest.raises(RuntimeError, match="another rank failed in this kernel"):
        slowest([1.0, float("nan")])


RANK = """
import json, sys, time
import torch
from segcli.bench import Request, run
from segcli.bench.measuring.agreement import GroupTimer
from segcli.bench.measuring.sampling import measure
from segcli.bench.measuring.timer import HostClock, HostTimer
from segcli.launch import joined, ranks

torch.set_num_threads(1)
with joined(ranks(), "cpu") as group:
    rank, calls = group.ranks.rank, [0]

    def uneven():
        calls[0] += 1
        time.sleep(0.0005 * (1 + rank) * (1 + calls[0] % 3))
        return torch.distributed.all_reduce(torch.ones(1))

    timer = GroupTimer(HostTimer(HostClock()), group)
    (sampling,) = measure([uneven], timer, timer.clock.now_ns() + 300_000_000)
    request = Request(suites=("norm",), modes=("forward",), sizes=((4, 6),), budget_s=1.0, passes=2)
    found = run(request, group=group)
    print(json.dumps({
        "calls": calls[0],
        "samples": sampling.samples_s,
        "run": [[each.status.value, each.samples_s, each.stopped] for each in found.results],
        "timer": found.method.timer,
        "ceilings": found.ceilings,
    }))
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def two_ranks() -> list[Any]:
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "TORCHELASTIC_RUN_ID": "none"}
    numbers = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RANK],
            cwd=REPOSITORY,
            env={**os.environ, **common, **numbers, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    finished = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], finished
    return [json.loads(out) for out, _ in finished]


def test_two_processes_decide_alike_and_see_the_same_times() -> None:
    first, second = two_ranks()
    assert first == second
    assert first["calls"] > 2
    # Rank 1 sleeps 1 to 3 ms a call; no average over calls is shorter.
    assert min(first["samples"]) >= 1e-3
    assert {status for status, _, _ in first["run"]} == {"timed"}
    assert all(samples for _, samples, _ in first["run"])
    assert first["timer"] == "perf_counter_ns, the slowest rank"
    assert first["ceilings"] is None
