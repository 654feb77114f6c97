import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from syrupy.assertion import SnapshotAssertion
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segcli.bench.kernel import Call, Tensors
from segcli.bench.suites import SUITES
from tests.bench.fakes import FakeClock
from tests.bench.measuring.test_session import double, use_suite
from tests.conftest import Run

QUICK = ("--size", "4x6", "--time-budget", "0.2")
LONG_WAIT_S = 60


def test_list_shows_every_kernel(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli("bench", "list")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_list_takes_a_size_and_a_dtype(segcli: Run) -> None:
    done = segcli(
        "bench", "list", "--suite", "index", "--kernel", "arg*", "--size", "8", "--dtype", "float16", "--json"
    )
    assert done.json["schema"] == "segcli.bench.list/1"
    (suite,) = done.json["suites"]
    assert (suite["shape"], suite["kernels"][0]["bytes"]) == ([2, 19, 8, 8], 128 * (19 * 2 + 8))


def test_list_as_csv_is_one_table(segcli: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("bench", "list", "--csv").out)))
    assert len(rows) == sum(len(suite.kernels) for suite in SUITES.values())
    assert rows[0]["suite"] == "loss"
    assert rows[0]["bytes"] == str(2 * 256 * 512 * (4 * 19 + 8))
    assert rows[0]["flops"] == str(2 * 256 * 512 * (4 * 19 + 4))


def test_json_holds_every_sample_and_the_environment(segcli: Run) -> None:
    done = segcli("bench", "--suite", "conv,index", *QUICK, "--threads", "1", "--seed", "7", "--json")
    document = done.json
    assert (done.code, document["schema"], document["partial"]) == (0, "segcli.bench/1", False)
    assert set(document) == {
        "schema",
        "started",
        "environment",
        "method",
        "seed",
        "data",
        "results",
        "warnings",
        "partial",
        "ceilings",
        "references",
    }
    environment = document["environment"]
    assert (environment["threads"], environment["device"], environment["gpu"]) == (1, "cpu", None)
    assert set(environment) >= {"cpu", "cores", "load", "os", "python", "torch", "flags", "variables"}
    assert document["method"]["timer"] == "perf_counter_ns"
    assert document["seed"] == 7
    assert len(document["results"]) == 7 + 7 + 6
    result = document["results"][0]
    assert (result["suite"], result["kernel"], result["mode"]) == ("conv", "standard", "forward")
    assert (result["size"], result["shape"], result["status"]) == ([4, 6], [2, 64, 4, 6], "timed")
    assert min(result["samples_s"]) <= result["median_s"] <= max(result["samples_s"])
    assert result["error"] <= result["tolerance"]
    assert result["bytes_per_s"] == pytest.approx(result["bytes"] / result["median_s"])


@pytest.mark.parametrize(
    ("suite", "lines"),
    [
        (
            "norm",
            [
                "norm, forward: x (2, 64, 4, 6) float32",
                "speed-up: against batch",
                "data of norm: x normal(0, 1), weights normal(1, 0.01), biases normal(0, 0.01).",
            ],
        ),
        ("index", ["speed-up of max: against argmax", "speed-up of index-select, masked: against advanced"]),
    ],
)
def test_tables_name_the_baseline_and_the_data(segcli: Run, suite: str, lines: list[str]) -> None:
    # The first group is timed however small the budget; it is the only one whose table is asked for.
    done = segcli("bench", "--suite", suite, "--size", "4x6", "--time-budget", "4")
    assert done.code == 0
    assert set(lines) <= set(done.out.splitlines())
    assert all(len(line) <= 100 for line in done.out.splitlines() if "/s" in line and "B/s" in line)


def test_a_group_without_its_baseline_has_no_speedup(segcli: Run) -> None:
    done = segcli("bench", "--suite", "norm", "--kernel", "layer", "--mode", "forward", *QUICK)
    assert "speed-up:" not in done.out
    assert "layer" in done.out


def test_csv_is_one_row_a_result(segcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.csv"
    done = segcli("bench", "--suite", "norm", *QUICK, "-o", file)
    assert (done.code, done.out) == (0, "")
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["kernel"] for row in rows] == ["batch", "batch-eval", "instance", "group", "layer"] * 2
    assert rows[0]["status"] == "timed"
    assert float(rows[0]["median_s"]) > 0
    assert rows[0]["bytes"] == str((2 * 2 * 64 * 24 + 2 * 64) * 4)


def test_warnings_are_notes_and_quiet_has_none(segcli: Run) -> None:
    argv = ("bench", "--suite", "norm", "--size", "4x6", "--time-budget", "0.0001")
    loud, quiet = segcli(*argv), segcli(*argv, "-q")
    assert (loud.code, quiet.code) == (0, 0)
    assert "note: too few samples for a 95 % interval: norm/batch forward;" in loud.err
    assert "note: not reached in time: norm/batch-eval forward, " in loud.err
    assert "batch-eval was not timed: the time budget was spent before" in loud.out
    assert quiet.err == ""


def test_a_log_dir_holds_samples_and_medians(segcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    options = ("--suite", "index", "--kernel", "m*", *QUICK, "--log-dir", folder, "--json")
    result = segcli("bench", *options).json["results"][0]
    events = EventAccumulator(str(folder)).Reload()
    logged = events.Scalars("bench/index/max/forward/sample_s")
    assert [event.value for event in logged] == pytest.approx(result["samples_s"], rel=1e-6)
    assert events.Scalars("bench/index/max/forward/median_s")[0].value == pytest.approx(result["median_s"], rel=1e-6)
    # Selecting has no FLOPs, so there is no rate of them.
    assert "bench/index/masked/forward/flops_per_s" not in events.Tags()["scalars"]


def test_a_wrong_kernel_ends_with_1_and_is_explained(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use_suite(monkeypatch, {"right": double, "wrong": lambda x: 2.01 * x}, FakeClock())
    done = segcli("bench", "--suite", "conv", "--mode", "forward", *QUICK)
    assert done.code == 1
    assert "wrong is wrong and was not timed: its output has a relative error of 0.005" in done.out


def test_what_torch_lacks_is_shown_and_is_no_failure(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(_: Tensors) -> Call:
        message = "\"slow_conv2d_cpu\" not implemented for 'Half'"
        raise RuntimeError(message)

    suite = SUITES["conv"]
    kernels = (replace(suite.kernels[0], make=lacking), *suite.kernels[1:])
    monkeypatch.setitem(SUITES, "conv", replace(suite, kernels=kernels))
    done = segcli("bench", "--suite", "conv", "--mode", "forward", "--dtype", "bfloat16", *QUICK)
    assert done.code == 0
    assert "standard is not supported here: \"slow_conv2d_cpu\" not implemented for 'Half'" in done.out


@pytest.mark.parametrize(
    ("argv", "code", "error"),
    [
        (["--suite", "los"], 2, "error: unknown suite 'los'\nhint: did you mean loss?"),
        (["--kernel", "ohm"], 2, "error: no kernel matches 'ohm' in loss, conv, norm, index\nhint: did you mean ohem?"),
        (["--size", "1x2x3"], 2, "error: --size 1x2x3 has 3 sides, expected one or two"),
        (["--size", "0"], 2, "error: size 0x0 has no pixels, expected sides of 1 or more"),
        (["--size", "9000000x9000000"], 2, "error: suite conv at 9000000x9000000 needs about 3"),
        (["--dtype", "float8"], 2, "error: unknown dtype 'float8'"),
        (["--device", "gpu"], 2, "error: unknown device 'gpu'"),
        (["--threads", "0"], 2, "error: --threads is 0, expected 1 to 1024"),
        (["--time-budget", "-3"], 2, "error: the time budget is -3 s, expected more than 0"),
        (["--time-budget", "soon"], 2, "error: invalid value for '--time-budget'"),
        (["--log-dir", "/dev/null/events"], 2, "error: cannot write TensorBoard events to /dev/null/events"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_requests_are_refused(segcli: Run, argv: list[str], code: int, error: str) -> None:
    done = segcli("bench", *argv)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(error)


def test_without_a_gpu_cuda_is_unavailable(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = segcli("bench", "--device", "cuda")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: device cuda is not available here")
    assert "hint: use --device cpu" in done.err


def test_suites_complete_in_a_list() -> None:
    from segcli.bench.command import _complete_suites

    assert _complete_suites("loss,n") == ["loss,norm"]


@pytest.mark.parametrize("argv", [["--help"], ["list"], ["list", "--help"]], ids=" ".join)
def test_help_and_list_need_no_torch(argv: list[str]) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'tensorboardX', 'hydra'): sys.modules[name] = None\n"
        "from segcli.cli import run\n"
        "sys.exit(run(['bench', *sys.argv[1:]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_writes_what_is_finished(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    argv = ["bench", "--suite", "index,conv", "--size", "4x6", "--time-budget", "120", "-o", str(file)]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "segcli", *argv],
        stderr=slave,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    # The bar on the terminal says that the run is on its way.
    seen = read_until(master, b"kernels compared")
    # Group by group within its share: the first one may end on noise long before.
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LONG_WAIT_S)
    os.close(master)
    assert process.returncode == 130, seen
    document: dict[str, Any] = json.loads(file.read_text())
    assert document["partial"]
    statuses = {result["status"] for result in document["results"]}
    assert "skipped" in statuses
    assert len(document["results"]) == 7 + 7 + 6


def read_until(descriptor: int, words: bytes) -> bytes:
    seen = b""
    end = time.monotonic() + LONG_WAIT_S
    while words not in seen and time.monotonic() < end:
        seen += os.read(descriptor, 4096)
    return seen
