import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segcli.errors import ExitCode, SegcliError
from segcli.launch import Group, LostRanksError, Ranks, relaunch
from segcli.loss.sources.sample import Pair, Sample
from segcli.loss.spreading import loading, pipeline, scale
from segcli.loss.spreading.loading import Failure, attempt
from segcli.loss.spreading.measured import Measured, Packed
from segcli.loss.spreading.pipeline import Outcome, run
from segcli.loss.spreading.scale import Scale, auto_workers, resolved
from tests.loss.summing import N_BINS, Summing, write_files

NAMES = [f"{index:02}" for index in range(11)]
REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    return write_files(tmp_path / "files", NAMES)


def told(pairs: list[Pair], how: Scale) -> tuple[Outcome, list[str], list[tuple[int, int]]]:
    lines: list[str] = []
    steps: list[tuple[int, int]] = []
    outcome = run(
        pairs, Summing(), how, on_line=lambda line: lines.append(line["name"]), advance=lambda *step: steps.append(step)
    )
    return outcome, lines, steps


@pytest.mark.parametrize(
    "how",
    [
        Scale(workers=0),
        Scale(workers=2),
        Scale(workers=3, batch_size=4, prefetch=1),
        Scale(workers=2, on_cuda=True),
        Scale(workers=0, on_cuda=True),
    ],
    ids=["here", "two", "batches", "reading alone", "here on cuda"],
)
def test_sums_are_of_all_files_in_order(pairs: list[Pair], how: Scale) -> None:
    values = [np.load(pair.logits) for pair in pairs]
    outcome, lines, steps = told(pairs, how)
    # In the order of pairs, the same to the last bit.
    expected = torch.zeros(2, dtype=torch.float64)
    for value in values:
        tensor = torch.from_numpy(value)
        expected += torch.stack([tensor.sum(), tensor.exp().sum()])
    assert outcome.tally["sums"].tolist() == expected.tolist()
    histogram, _ = np.histogram(np.abs(np.concatenate(values)), N_BINS, (0, 1))
    assert outcome.tally["histogram"][: N_BINS - 1].tolist() == histogram[: N_BINS - 1].tolist()
    assert sorted(outcome.tally) == ["histogram", "sums"]
    assert lines == NAMES
    assert steps == [(0, 0), *([(1, 512)] * 11)]
    assert (outcome.n_files, outcome.n_bytes, outcome.failures, outcome.n_resumed) == (11, 11 * 512, (), 0)
    assert outcome.workers == how.workers


def test_no_pair_is_no_work() -> None:
    outcome = run([], Summing(), Scale(workers=2))
    assert (outcome.n_files, outcome.n_bytes, outcome.tally, outcome.workers) == (0, 0, {}, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_file_ends_the_work_with_its_own_error(tmp_path: Path, workers: int) -> None:
    pairs = write_files(tmp_path, ["0", "bad-1", "2", "bad-2"])
    with pytest.raises(SegcliError, match=r"/bad-1\.npy is damaged$") as caught:
        run(pairs, Summing(), Scale(workers))
    assert (caught.value.hint, caught.value.code) == ("save it again", 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_files_may_be_left_out(tmp_path: Path, workers: int) -> None:
    pairs = write_files(tmp_path, ["0", "bad-1", "2", "bad-2"])
    outcome, lines, steps = told(pairs, Scale(workers, on_error="skip"))
    good = run([pairs[0], pairs[2]], Summing(), Scale(0))
    assert outcome.tally["sums"].tolist() == good.tally["sums"].tolist()
    assert [failure.name for failure in outcome.failures] == ["bad-1", "bad-2"]
    assert outcome.failures[0].message.endswith("bad-1.npy is damaged")
    assert (lines, steps) == (["0", "2"], [(0, 0), (1, 512), (1, 0), (1, 512), (1, 0)])


def test_a_worker_that_is_killed_is_told_with_its_file(tmp_path: Path) -> None:
    pairs = write_files(tmp_path, ["0", "1", "killed-2", "3", "4", "5"])
    with pytest.raises(SegcliError, match="the process at killed-2 was ended by SIGKILL") as caught:
        run(pairs, Summing(), Scale(2, on_error="skip"))
    assert caught.value.hint.startswith("was memory short? use fewer --workers")


class Buggy(Summing):
    """Fails as a program does, not as a file."""

    def measure(self, sample: Sample) -> Measured:
        message = f"no idea about {sample.pair.name}"
        raise RuntimeError(message)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bug_stays_a_bug(pairs: list[Pair], workers: int) -> None:
    with pytest.raises(RuntimeError, match="no idea about 00"):
        run(pairs, Buggy(), Scale(workers, on_error="skip"))


@pytest.mark.parametrize("on_cuda", [False, True], ids=["cpu", "cuda"])
def test_an_error_of_the_caller_ends_the_workers(pairs: list[Pair], *, on_cuda: bool) -> None:
    def refuse(line: dict[str, Any]) -> None:
        raise ValueError(line["name"])

    with pytest.raises(ValueError, match="00"):
        run(pairs, Summing(), Scale(2, on_cuda=on_cuda), on_line=refuse)


def raising(error: Exception) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


PAIR = Pair("a", "logits/a.npy", "labels/a.png")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SegcliError("labels/a.png is empty"), "labels/a.png is empty"),
        (SegcliError("the key is unknown"), "a.npy: the key is unknown"),
        (PermissionError(13, "Permission denied", "logits/a.npy"), "logits/a.npy: Permission denied"),
        (OSError("odd"), "a.npy: odd"),
        (MemoryError(), "a.npy: out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "a.npy: out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "a.npy: out of memory"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_what_is_wrong_names_the_file(error: Exception, message: str) -> None:
    pair = Pair("a.npy", PAIR.logits, PAIR.labels)
    failure = attempt(pair, raising(error))
    assert isinstance(failure, Failure)
    # Of one pair it is plain which is meant.
    assert message.endswith(failure.message)
    assert (failure.name, loading.named(pair, failure).message) == ("a.npy", message)


@pytest.mark.parametrize(
    ("exitcode", "words"),
    [(-signal.SIGBUS, "the process at 02 was ended by SIGBUS"), (3, "the process at 02 was ended with exit code 3")],
)
def test_how_a_worker_ended_is_told(pairs: list[Pair], exitcode: int, words: str) -> None:
    worker: Any = FakeWorker(exitcode)
    assert str(loading._death([worker], [0, 0, 77, 2], pairs)) == words
    assert str(loading._death([worker], [0, 0, 0, 0], pairs)) == words.replace("02", "no file yet")
    alive: Any = FakeWorker(None)
    assert loading._death([alive], [77, 2], pairs) is None


def test_a_group_of_processes_ends_without_a_word(pairs: list[Pair]) -> None:
    worker: Any = FakeWorker(-signal.SIGTERM)
    death = loading._death([worker], [77, 2], pairs)
    assert isinstance(death, SystemExit)
    assert death.code == 143


class FakeWorker:
    def __init__(self, exitcode: int | None) -> None:
        self.pid = 77
        self.exitcode = exitcode


def test_workers_leave_interrupts_to_the_one_that_started_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda *what: seen.append(what))
    monkeypatch.setattr(loading, "end_with_parent", lambda *what: seen.append(what))
    loading._begin(0)
    loading._begin_on_cuda(0)
    assert [what[0] for what in seen if isinstance(what, tuple)] == [signal.SIGINT, signal.SIGKILL, signal.SIGKILL]


def test_what_a_worker_does(pairs: list[Pair]) -> None:
    board = [0, 0]
    _, packed = loading._Pairs(pairs, Summing(), board, measures=True)[3]
    assert isinstance(packed, Packed)
    assert (packed.name, board) == ("03", [os.getpid(), 3])
    _, sample = loading._Pairs(pairs, Summing(), board, measures=False)[4]
    assert isinstance(sample, Sample)
    # Its own memory, and not all that it was a view of.
    assert sample.logits.untyped_storage().nbytes() == sample.logits.nbytes
    assert sample.logits.tolist() == np.load(pairs[4].logits).tolist()
    failure = Failure("a", "bad")
    assert loading._Batch([(PAIR, failure)]).pin_memory().items == [(PAIR, failure)]


def test_workers_end_where_another_thread_started_them(pairs: list[Pair]) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise KeyError

    found: list[type] = []

    def work() -> None:
        try:
            with loading.loading(pairs, Summing(), Scale(1)) as results:
                refuse(next(results))  # type: ignore[arg-type]
        except KeyError as error:
            found.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [KeyError]


def test_pairs_of_one_name_are_refused() -> None:
    with pytest.raises(SegcliError, match="two pairs are called a, expected a name for each"):
        run([PAIR, PAIR], Summing(), Scale(0))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Scale(workers=-1), "--workers is -1, expected 0 to 1024"),
        (Scale(batch_size=0), "--batch-size is 0, expected 1 to 1024"),
        (Scale(prefetch=2000), "--prefetch is 2000, expected 1 to 1024"),
    ],
    ids=["workers", "batch size", "prefetch"],
)
def test_numbers_out_of_range(how: Scale, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        resolved(how, [PAIR], Ranks())


def test_no_worker_is_idle() -> None:
    assert resolved(Scale(8, batch_size=4), [PAIR] * 9, Ranks()).workers == 3


@pytest.mark.parametrize(
    ("n_pairs", "n_bytes", "n_cores", "on_cuda", "expected"),
    [
        (1, 1000, 8, False, 0),
        (200, 1000, 8, False, 0),
        (2000, 1000, 8, False, 8),
        (2000, 1000, 1, False, 0),
        (2000, 1000, 64, False, 32),
        (30, 40_000_000, 4, False, 4),
        (20, 40_000_000, 4, False, 0),
        (200, 10_000_000, 16, True, 8),
        # Half a gigabyte of shared memory may be used: three of 80 MB for each.
        (200, 80_000_000, 16, True, 2),
        (200, 900_000_000, 16, True, 0),
    ],
    ids=str,
)
def test_workers_are_started_where_they_are_worth_it(
    monkeypatch: pytest.MonkeyPatch, n_pairs: int, n_bytes: int, n_cores: int, expected: int, *, on_cuda: bool
) -> None:
    monkeypatch.setattr(scale, "_size", lambda _: n_bytes)
    monkeypatch.setattr(scale, "_free_shared_bytes", lambda: 1_000_000_000)
    assert auto_workers([PAIR] * n_pairs, n_cores, Scale(on_cuda=on_cuda)) == expected


def test_sizes_are_those_of_the_files(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert scale._size(pairs[0]) == Path(pairs[0].logits).stat().st_size
    assert scale._size(Pair("a", "gone.pt:logits", f"{pairs[1].labels}")) == Path(pairs[1].labels).stat().st_size
    assert resolved(Scale(), pairs, Ranks()).workers == 0
    assert auto_workers([], 8, Scale()) == 0
    assert scale._free_shared_bytes() > 0
    monkeypatch.setattr(scale, "Path", lambda _: tmp_path / "nowhere")
    assert scale._free_shared_bytes() > 0


def test_a_pair_that_no_rank_measured_is_a_bug(monkeypatch: pytest.MonkeyPatch, pairs: list[Pair]) -> None:
    monkeypatch.setattr(pipeline, "shard", lambda items, _: items[:10])
    with pytest.raises(RuntimeError, match="10 pairs were measured over all ranks, of 11"):
        run(pairs, Summing(), Scale(0))


def test_work_ends_where_another_rank_has(pairs: list[Pair]) -> None:
    class Lost(Group):
        def check(self) -> None:
            message = "another rank ended"
            raise LostRanksError(message)

    with pytest.raises(LostRanksError, match="another rank ended"):
        run(pairs, Summing(), Scale(0), Lost())


def test_processes_say_the_same_however_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    write_files(tmp_path / "files", [*NAMES, "bad-1", "bad-2"])
    alone = run(write_files(tmp_path / "files", NAMES), Summing(), Scale(0))
    nproc = 4
    argv = [str(tmp_path / "files"), "--skip", "--workers", "1", "--nproc", str(nproc)]
    assert relaunch(nproc, argv, module="tests.loss.summing") == ExitCode.NO
    shown = capfd.readouterr()
    n_files, first, second, bins, n_bytes, n_told = shown.out.split()
    assert (n_files, n_bytes, n_told) == ("11", str(11 * 512), "11")
    assert [float.fromhex(value) for value in (first, second)] == pytest.approx(alone.tally["sums"].tolist(), rel=1e-12)
    assert int(bins) == int((alone.tally["histogram"] * torch.arange(N_BINS)).sum())
    assert [line.rpartition("/")[2] for line in shown.err.splitlines()[::2]] == [
        "bad-1.npy is damaged", "bad-2.npy is damaged",
    ]  # fmt: skip
