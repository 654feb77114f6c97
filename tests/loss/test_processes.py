"""Several processes, and processes that are ended: the few things that only real ones show."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import Run
from tests.loss.saving import LOSSES, save_folders, save_near, together

RUN = [sys.executable, "-m", "segcli", "loss", "out", "truth"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Ranks inherit what a torchrun around these tests might have set.
    for name in [name for name in os.environ if name.startswith("TORCHELASTIC")]:
        monkeypatch.delenv(name)


def near(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Compare numbers as numbers, to a millionth."""
    if isinstance(value, dict):
        return {key: near(item) for key, item in value.items()}
    if isinstance(value, list):
        return [near(item) for item in value]
    return pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value


def test_two_processes_say_what_one_does(segcli: Run, segcli_process: Run, tmp_path: Path) -> None:
    saved = save_near(tmp_path, ("a", "b", "c", "d/e", "f", "g", "h"))
    Path("out/c.npy").write_bytes(b"nothing")
    argv = ["out", "truth", "--over", "all", "--loss", "ohem,ce,dice,lovasz", "--thresh", "0.01", "--n-min", "0.3"]
    argv += ["--metrics", "--sweep", "n_min=1/5,1/2", "--as", "notes,smp", "--top", "3", "--on-error", "skip", "--json"]
    one = segcli("loss", *argv)
    how = ["--nproc", "2", "--workers", "1", "--batch-size", "2"]
    two = segcli_process("loss", *argv, *how, "--per-file", "lines.jsonl", "--log-dir", "runs", cwd=tmp_path)
    assert (one.code, two.code) == (1, 1)
    assert two.json == near(one.json)
    whole = together([pair for pair in saved if pair.name != "c"])
    ohem = two.json["losses"]["ohem"]
    assert ohem["value"] == pytest.approx(LOSSES["ohem"](*whole, thresh=0.01, n_min=0.3).item(), rel=1e-6)
    assert ohem["branch"] == "top-k"
    assert two.err == "note: scalars are in runs: tensorboard --logdir runs\n"
    # Of two ranks' lines one file is made, in the order of the pairs.
    lines = [json.loads(line) for line in Path("lines.jsonl").read_text().splitlines()[1:]]
    assert [line["name"] for line in lines] == [pair.name for pair in saved]
    assert sorted(path.name for path in tmp_path.glob("lines*")) == ["lines.jsonl", "lines.jsonl.state"]
    # Each rank writes the files of its own shard, at their place among all; the third is none.
    for folder, steps in (("runs", [0, 4, 6]), ("runs/rank1", [1, 3, 5])):
        events = EventAccumulator(folder, size_guidance={"scalars": 0}).Reload().Scalars("file/ce")
        assert [event.step for event in events] == steps
        assert [event.value for event in events] == [pytest.approx(saved[step].loss("ce")) for step in steps]


@pytest.mark.parametrize("threads", ["2", "1,1"])
def test_processes_that_were_forked_compute_as_those_that_start_anew(
    segcli: Run, segcli_process: Run, tmp_path: Path, threads: str
) -> None:
    save_folders(tmp_path, ("a", "b", "c"))
    # A gradient takes threads of its own; torchrun would put its macros in.
    argv = ["out", "truth", "--loss", "ce,ohem,dice", "--grad", "--heatmap", "hard", "--force", "--json"]
    argv += ["--class-names", "a$$,${local_rank},c,d"]
    two = segcli_process("loss", *argv, "--nproc", "2", env={"OMP_NUM_THREADS": threads}, cwd=tmp_path)
    assert (two.code, two.err) == (0, "note: the hard pixels are drawn in hard\n")
    assert two.json == near(segcli("loss", *argv).json)


def test_a_bad_file_of_some_rank_is_told_once(segcli_process: Run, tmp_path: Path) -> None:
    save_folders(tmp_path)
    Path("out/b.npy").write_bytes(b"nothing")
    done = segcli_process("loss", "out", "truth", "--nproc", "2", "--loss", "ce", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: out/b.npy is no tensor file: it starts with b'nothing'\nhint: ")
    assert done.err.count("\n") == 2


def test_the_users_own_torchrun_is_joined(segcli: Run, tmp_path: Path) -> None:
    save_folders(tmp_path, ("a", "b", "c"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    argv = ["loss", "out", "truth", "--loss", "ce,ohem,dice", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, "segcli", *argv],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == near(segcli(*argv).json)


def until_lines(process: "subprocess.Popen[str]", n_lines: int) -> bytes:
    """Wait until so many files are done, and return what is written."""
    path = Path("lines.jsonl")
    while process.poll() is None:
        content = path.read_bytes() if path.exists() else b""
        if content.count(b"\n") > n_lines:
            return content
        time.sleep(0.002)
    raise AssertionError(process.communicate())


def many(folder: Path) -> None:
    """Save a handful of pairs, under so many names that they take a while; too small for threads to wait for others."""
    pairs = save_folders(folder, [f"{i:04}" for i in range(5)], sizes=[(20, 30), (25, 20)])
    for i in range(5, 250):
        for place, suffix in (("out", "npy"), ("truth", "png")):
            os.link(folder / place / f"{pairs[i % 5].name}.{suffix}", folder / place / f"{i:04}.{suffix}")


LONG = ["--loss", "ce,ohem,dice", "--over", "all", "--reduce", "image", "--workers", "0", "--json"]
LONG += ["--per-file", "lines.jsonl"]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(lambda process: process.kill(), -signal.SIGKILL, id="kill -9"),
        pytest.param(lambda process: process.send_signal(signal.SIGINT), 130, id="Ctrl-C"),
    ],
)
def test_what_was_ended_is_taken_up_and_says_the_same(
    segcli: Run, tmp_path: Path, end: Callable[["subprocess.Popen[str]"], None], code: int
) -> None:
    many(tmp_path)
    process = subprocess.Popen([*RUN, *LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    written = until_lines(process, 20)
    end(process)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    resumed = segcli("loss", "out", "truth", *LONG, "--resume")
    assert resumed.code == 0
    if code != -signal.SIGKILL:
        # All lines were kept, none measured again.
        assert Path("lines.jsonl").read_bytes().startswith(written)
    names = [json.loads(line)["name"] for line in Path("lines.jsonl").read_text().splitlines()[1:]]
    assert names == [f"{i:04}" for i in range(250)]
    Path("lines.jsonl").rename("old.jsonl")
    uninterrupted = segcli("loss", "out", "truth", *LONG)
    assert resumed.json == near(uninterrupted.json)


def test_a_device_that_is_not_here_is_told_once(segcli_process: Run, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    torch.save(torch.zeros(2, 3, 4), tmp_path / "x.pt")
    torch.save(torch.zeros(3, 4, dtype=torch.uint8), tmp_path / "y.pt")
    done = segcli_process("loss", "x.pt", "y.pt", "--device", "cuda", "--nproc", "2", cwd=tmp_path)
    assert done.code == 3
    assert done.err.count("error: device cuda is not available here") == 1


def test_standard_input_is_not_shared(segcli: Run) -> None:
    done = segcli("loss", "-", "y.pt", "--nproc", "2")
    assert done.code == 2
    assert done.err.startswith("error: standard input is read once, and --nproc is 2")
