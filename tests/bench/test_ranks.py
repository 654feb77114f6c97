import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from segcli.bench import ranks as bench_ranks
from segcli.bench.plan import Request
from segcli.bench.ranks import check, launched, together
from segcli.errors import ExitCode, SegcliError

COLLECTIVE = Request(suites=("collective",))
WAIT_S = 60


@pytest.mark.parametrize(
    ("world", "request_", "words", "hint"),
    [
        (1, COLLECTIVE, "suite collective is of several processes, this is one", "segcli bench --suite collective --n"),
        (2, Request(), "2 processes time suite collective alone, asked for is all suites", "give --suite collective"),
        (
            2,
            Request(suites=("collective", "loss")),
            "2 processes time suite collective alone, asked for is collective, loss",
            "give --suite collective",
        ),
    ],
    ids=["alone", "all", "others too"],
)
def test_what_makes_no_sense_is_refused(world: int, request_: Request, words: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        check(request_, world)
    assert caught.value.hint.startswith(hint)


def test_one_process_and_no_collective_need_no_ranks() -> None:
    assert launched(1, [], Request()) is None
    with together(Request()) as group:
        assert (group.ranks.world, group.ranks.is_first) == (1, True)


@pytest.mark.parametrize(("device", "forks"), [("cpu", True), ("auto", False)])
def test_ranks_are_started_with_the_same_arguments(
    device: str,
    *,
    forks: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, ...]] = []

    def relaunch(nproc: int, argv: list[str], *, imports: tuple[str, ...] = ()) -> int:
        asked.append((nproc, argv, bool(imports)))
        return 7

    monkeypatch.setattr(bench_ranks, "relaunch", relaunch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    argv = ["bench", "--suite", "collective", "--nproc", "2"]
    assert launched(2, argv, Request(suites=("collective",), device=device)) == 7
    assert asked == [(2, argv, forks)]


def test_all_ranks_need_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segcli.device.resolve_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(bench_ranks, "relaunch", lambda *_, **__: 0)
    assert launched(2, [], Request(suites=("collective",), device="cuda")) == 0
    with pytest.raises(SegcliError, match="3 ranks need a GPU each, there are 2 for device cuda") as caught:
        launched(3, [], Request(suites=("collective",), device="cuda"))
    assert caught.value.code == ExitCode.UNAVAILABLE
    with pytest.raises(SegcliError, match="2 ranks need a GPU each, there is 1 for device cuda:1"):
        launched(2, [], Request(suites=("collective",), device="cuda:1"))


def test_without_a_gpu_the_launcher_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SegcliError, match="device cuda is not available here"):
        launched(2, [], Request(suites=("collective",), device="cuda"))


SCRIPT = """
import os, signal, sys
from segcli.bench.plan import Request
from segcli.bench.ranks import together
from segcli.bench.runs import run
request = Request(suites=("collective",), sizes=((8, 8),), budget_s=float(sys.argv[1]), passes=2, device=sys.argv[2])
victim = len(sys.argv) > 3
def found(result):
    if victim and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
with together(request) as group:
    done = run(request, group=group, found=found)
if group.ranks.is_first:
    for result in done.results:
        print(result.kernel, result.status.value, result.reason, len(result.samples_s) > 0, flush=True)
"""


def run_ranks(tmp_path: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    script = tmp_path / "ranks.py"
    script.write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, *argv],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * WAIT_S,
    )


def test_two_ranks_time_together_and_one_speaks(tmp_path: Path) -> None:
    done = run_ranks(tmp_path, "0.5", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "all-reduce timed  True",
        "all-gather timed  True",
        "broadcast timed  True",
    ]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(suites=("loss",)), "2 processes time suite collective alone, asked for is loss"),
        (Request(suites=("collective",), device="cuda"), "device cuda is not available here"),
    ],
    ids=["suite", "device"],
)
def test_of_ranks_one_complains(rank: int, request_: Request, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    variables = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {"TORCHELASTIC_RUN_ID": "test", **variables}.items():
        monkeypatch.setenv(name, value)
    assert launched(2, [], request_) is None
    if rank:
        with pytest.raises(SystemExit) as ended, together(request_):
            pass
        assert ended.value.code in (ExitCode.USAGE, ExitCode.UNAVAILABLE)
    else:
        with pytest.raises(SegcliError, match=words), together(request_):
            pass


def test_a_rank_that_dies_ends_all(tmp_path: Path) -> None:
    done = run_ranks(tmp_path, "4", "cpu", "victim")
    assert done.returncode != 0
    assert "Signal 9 (SIGKILL)" in done.stderr
    assert "timed" not in done.stdout
