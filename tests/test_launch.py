import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.launch import (
    Group,
    LostRanksError,
    Ranks,
    cores,
    group,
    joined,
    needs_launch,
    ranks,
    relaunch,
    shard,
    wait_asleep,
)
from tests.loss.summing import write_files

REPOSITORY = Path(__file__).parent.parent
TOY = "tests.loss.summing"
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


@pytest.fixture
def under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)


def test_one_process_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of other launchers, for whom this command is one process.
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert ranks() == Ranks(0, 1, 0, 1)
    assert ranks().is_first


@pytest.mark.usefixtures("under_torchrun")
def test_torchrun_says_which_process_this_is() -> None:
    assert ranks() == Ranks(3, 8, 1, 2)
    assert not ranks().is_first


@pytest.mark.usefixtures("under_torchrun")
def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(
        SegcliError, match=r"TORCHELASTIC_RUN_ID is set, yet not all of RANK, .* are numbers: .*'first'"
    ):
        ranks()
    monkeypatch.delenv("RANK")
    with pytest.raises(SegcliError, match=r"yet not all of RANK, .* are numbers: 'RANK'"):
        ranks()


def test_several_processes_are_to_be_started() -> None:
    assert [needs_launch(nproc) for nproc in (1, 2)] == [False, True]
    with pytest.raises(SegcliError, match="--nproc is 0, expected 1 or more"):
        needs_launch(0)


@pytest.mark.usefixtures("under_torchrun")
def test_a_started_process_starts_no_others() -> None:
    assert [needs_launch(nproc) for nproc in (1, 2)] == [False, False]
    with pytest.raises(SegcliError, match="--nproc is 4, but torchrun started 2 processes on this machine"):
        needs_launch(4)


@given(n_items=st.integers(0, 40), world=st.integers(1, 9))
@example(n_items=7, world=3)
@example(n_items=1, world=4)
def test_shards_are_disjoint_and_whole(n_items: int, world: int) -> None:
    shards = [shard(range(n_items), Ranks(rank, world)) for rank in range(world)]
    assert sorted(item for items in shards for item in items) == list(range(n_items))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_ranks_of_a_machine_share_its_cores() -> None:
    assert cores() == len(os.sched_getaffinity(0))
    assert cores(Ranks(local_world=2)) == max(1, cores() // 2)
    assert cores(Ranks(local_world=10_000)) == 1


def test_one_process_meets_nobody() -> None:
    import torch

    tensor = torch.arange(3)
    with joined(Ranks(), "cpu") as alone:
        assert alone.gather("value") == ["value"]
        alone.add_up(tensor)
        alone.check()
    assert tensor.tolist() == [0, 1, 2]


def test_torch_without_its_distributed_part(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed

    monkeypatch.setattr(torch.distributed, "is_available", lambda: False)
    for start in (lambda: relaunch(2, []), lambda: joined(Ranks(0, 2), "cpu").__enter__()):
        with pytest.raises(SegcliError, match=r"built without torch\.distributed") as caught:
            start()
        assert caught.value.code == 3


def test_processes_share_the_work_and_the_streams(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path / "files", [f"{index}" for index in range(5)])
    before = {"environment": dict(os.environ), "handlers": [signal.getsignal(number) for number in range(1, 16)]}
    assert relaunch(2, [str(tmp_path / "files"), "--nproc", "2", "--threads"], module=TOY) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert shown.out.startswith("5 ")
    assert shown.out.count("\n") == 1
    assert shown.out.endswith(f" threads {max(1, cores() // 2)}\n")
    after = {"environment": dict(os.environ), "handlers": [signal.getsignal(number) for number in range(1, 16)]}
    assert after == before


def test_more_processes_than_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path / "files", ["alone"])
    assert relaunch(3, [str(tmp_path / "files"), "--nproc", "3"], module=TOY) == 0
    shown = capfd.readouterr()
    assert (shown.out.split()[0], shown.err) == ("1", "")


def test_a_failing_rank_ends_all_with_its_message_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # Both ranks fail, at about the same moment.
    write_files(tmp_path / "files", ["bad-1", "bad-2"])
    assert relaunch(2, [str(tmp_path / "files"), "--nproc", "2"], module=TOY) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.count("error:") == 1
    assert shown.err.endswith("is damaged\nhint: save it again\n")
    assert shown.err.startswith(f"error: {tmp_path}/files/bad-")


def test_a_rank_that_is_killed_ends_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path / "files", ["good", "killed-1"])
    with pytest.raises(SegcliError, match="rank 1 of 2 was ended by SIGKILL") as caught:
        relaunch(2, [str(tmp_path / "files"), "--nproc", "2"], module=TOY)
    assert caught.value.hint == "was memory short? use a smaller --nproc or fewer --workers"
    assert capfd.readouterr() == ("", "")


def forked(folder: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    """Run the toy in two forks of a process that has not computed."""
    command = [sys.executable, "-m", TOY, str(folder), "--nproc", "2", "--forked", *argv]
    # The toy imports torch before it launches, which is when torch looks.
    environment = {**os.environ, "TORCH_CPP_LOG_LEVEL": "FATAL"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_forked_processes_share_the_work_and_the_streams(tmp_path: Path) -> None:
    write_files(tmp_path, [f"{index}" for index in range(5)])
    done = forked(tmp_path, "--threads")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("5 ")
    assert done.stdout.endswith(f" threads {max(1, cores() // 2)}\n")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad-1", "error: {folder}/bad-1.npy is damaged\nhint: save it again\n"),
        ("killed-1", "error: rank 1 of 2 was ended by SIGKILL\nhint: was memory short? use a smaller --nproc or fewer"),
    ],
)
def test_a_failing_fork_ends_all_with_its_message_once(tmp_path: Path, name: str, words: str) -> None:
    write_files(tmp_path, ["a", name])
    done = forked(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(words.format(folder=tmp_path))
    assert done.stderr.count("\n") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks without harm")
def test_what_ranks_use_is_imported_once_and_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.distributed import run as torchrun

    seen: list[Any] = []
    monkeypatch.setattr(torchrun, "run", seen.append)
    imports = ["segcli.units"]
    argv = ["loss", "a$b", "--nproc", "2"]
    assert relaunch(2, argv, imports=imports) == 0
    assert relaunch(2, argv) == 0
    forks, starts = seen
    assert (forks.run_path, forks.start_method, Path(forks.training_script).name) == (True, "fork", "forked.py")
    assert forks.training_script_args == ["segcli", "loss", "a$$b", "--nproc", "2"]
    assert (starts.run_path, starts.module, starts.training_script) == (False, True, "segcli")
    assert starts.training_script_args == forks.training_script_args[1:]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"GOMP_SPINCOUNT": "1000"}, None),
    ],
    ids=["unsaid", "a policy", "a count"],
)
def test_threads_wait_asleep_unless_it_was_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: str | None
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    wait_asleep()
    assert os.environ.get("OMP_WAIT_POLICY") == after


class FakeFailure:
    def __init__(self, exitcode: int) -> None:
        self.exitcode = exitcode
        self.timestamp = 0


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([-15, 2], 2), ([143, 3], 3), ([1, -15], 1), ([-15, -15], "rank 0 of 2 was ended by SIGTERM"),
     ([-15, -7], "rank 1 of 2 was ended by SIGBUS")],
    ids=str,
)  # fmt: skip
def test_the_first_cause_counts(monkeypatch: pytest.MonkeyPatch, codes: list[int], expected: int | str) -> None:
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    def fail(_: object) -> None:
        failures: dict[int, Any] = {rank: FakeFailure(code) for rank, code in enumerate(codes)}
        error = ChildFailedError.__new__(ChildFailedError)
        error.failures = failures
        raise error

    monkeypatch.setattr(torchrun, "run", fail)
    if isinstance(expected, int):
        assert relaunch(2, []) == expected
    else:
        with pytest.raises(SegcliError, match=expected):
            relaunch(2, [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_to_end_is_told_by_the_code(monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing import SignalException

    def end(_: object) -> None:
        if number == signal.SIGINT:
            os.kill(os.getpid(), number)
        raise SignalException(str(number), signal.Signals(number))

    monkeypatch.setattr(torchrun, "run", end)
    assert relaunch(2, []) == code


@pytest.mark.parametrize("path", [[], [""]], ids=["elsewhere", "current folder"])
def test_ranks_import_from_the_current_folder_only_where_this_process_does(
    monkeypatch: pytest.MonkeyPatch, path: list[str]
) -> None:
    from torch.distributed import run as torchrun

    seen: dict[str, str] = {}
    monkeypatch.setattr(torchrun, "run", lambda _: seen.update(os.environ))
    monkeypatch.setattr(sys, "path", path + [entry for entry in sys.path if entry not in ("", str(Path.cwd()))])
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert relaunch(2, []) == 0
    assert seen.get("PYTHONSAFEPATH") == (None if path else "1")
    assert seen["OMP_NUM_THREADS"] == "7"
    assert os.environ.get("PYTHONSAFEPATH") is None


class FakeStore:
    """Knows how many ranks have failed."""

    def __init__(self, n_ended: int = 0, *, is_gone: bool = False) -> None:
        self.n_ended = n_ended
        self.is_gone = is_gone
        self.n_asked = 0

    def add(self, _: str, count: int) -> int:
        self._answer()
        self.n_ended += count
        return self.n_ended

    def check(self, _: list[str]) -> bool:
        self._answer()
        return self.n_ended > 0

    def _answer(self) -> None:
        self.n_asked += 1
        if self.is_gone:
            message = "Broken pipe\nat some address"
            raise RuntimeError(message)


def group_with(store: FakeStore) -> Group:
    return Group(Ranks(1, 2), store)  # type: ignore[arg-type]


def test_a_rank_hears_of_others_that_failed() -> None:
    group_with(FakeStore()).check()
    with pytest.raises(LostRanksError, match="another rank ended before the work was done"):
        group_with(FakeStore(1)).check()
    with pytest.raises(LostRanksError) as caught:
        group_with(FakeStore(is_gone=True)).check()
    assert caught.value.hint == "torch says: Broken pipe"


def test_a_rank_asks_now_and_then() -> None:
    store = FakeStore()
    asking = group_with(store)
    for _ in range(1000):
        asking.check()
    assert store.n_asked < 10


@pytest.mark.parametrize(
    ("store", "error", "is_silent"),
    [
        (FakeStore(), SegcliError("bad"), False),
        (FakeStore(1), SegcliError("bad"), True),
        (FakeStore(is_gone=True), SegcliError("bad"), False),
        (FakeStore(), LostRanksError("lost"), False),
        (FakeStore(1), LostRanksError("lost"), True),
    ],
    ids=["first", "second", "nobody to ask", "lost, and nobody said why", "lost, and somebody said why"],
)
def test_one_rank_complains(
    monkeypatch: pytest.MonkeyPatch, store: FakeStore, error: SegcliError, *, is_silent: bool
) -> None:
    monkeypatch.setattr(group, "_ENDED_WITHIN_S", 0.0)
    if is_silent:
        with pytest.raises(SystemExit, match="1"):
            group._end_unless_first(store, error)  # type: ignore[arg-type]
    else:
        group._end_unless_first(store, error)  # type: ignore[arg-type]


def test_ranks_that_do_not_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # It would hold for the process that runs the tests.
    monkeypatch.setattr(group, "end_with_parent", lambda *_: None)
    with (
        pytest.raises(SegcliError, match=r"rank 1 of 2 cannot meet the others: .* RANK expected"),
        joined(Ranks(1, 2), "cuda:0"),
    ):
        pass  # pragma: no cover - not reached


def test_an_interrupted_rank_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import distributed

    monkeypatch.setattr(group, "end_with_parent", lambda *_: None)
    monkeypatch.setattr(group, "_meet", lambda *_: FakeStore())
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)
    with pytest.raises(SystemExit, match="130"), joined(Ranks(1, 2), "cpu"):
        raise KeyboardInterrupt


def test_a_process_whose_parent_is_gone_ends() -> None:
    code = (
        "import signal; from segcli.launch import end_with_parent; end_with_parent(signal.SIGTERM, 1); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


def wait_until(holds: Callable[[], bool], within_s: float = 60) -> None:
    until_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(0.05)


def processes_with(words: str) -> list[str]:
    """Return the command lines of processes that hold these words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found += [line] if words in line else []
    return found


@pytest.mark.parametrize(
    ("how", "options", "code", "message"),
    [
        ("Ctrl-C", ["--nproc", "2", "--workers", "1"], 130, "error: interrupted\n"),
        ("Ctrl-C", ["--nproc", "2", "--workers", "1", "--forked"], 130, "error: interrupted\n"),
        ("kill -9", ["--nproc", "2", "--workers", "1"], -9, ""),
        ("kill -9", ["--nproc", "2", "--workers", "1", "--forked"], -9, ""),
        ("SIGTERM", ["--nproc", "2", "--workers", "1", "--forked"], 143, ""),
        ("Ctrl-C", ["--workers", "2"], 130, "error: interrupted\n"),
        ("SIGTERM", ["--workers", "2"], 143, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_no_process_is_left(tmp_path: Path, how: str, options: list[str], code: int, message: str) -> None:
    files = tmp_path / "files"
    write_files(files, ["slow-1", "slow-2"])
    with subprocess.Popen(
        [sys.executable, "-m", TOY, str(files), *options],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len(list(files.glob("*.begun"))) == 2)
        if how == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGKILL if how == "kill -9" else signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    # Where coverage listens to SIGTERM, it ends the process after all as the signal does by itself.
    assert process.returncode in ((143, -signal.SIGTERM) if code == 143 else (code,))
    assert err.decode() == message
    wait_until(lambda: not processes_with(str(files)), within_s=5)
