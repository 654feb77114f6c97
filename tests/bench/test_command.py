import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from syrupy.assertion import SnapshotAssertion
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.kernel import Call, Tensors
from segcli.bench.plan import Request
from segcli.bench.suites import SUITES
from segcli.errors import ExitCode, SegcliError
from segcli.launch import Group, Ranks
from tests.bench.fakes import FakeClock
from tests.bench.measuring.test_session import double, use_suite
from tests.conftest import Run

CEILINGS = Ceilings("cpu", 1, None, (Bandwidth(2**20, 20e9, 24e9),), {"float32": 412e9, "bfloat16": 412e9}, 4e-7)
QUICK = ("--size", "4x6", "--time-budget", "0.2", "--caches", "hot", "--passes", "1")
LONG_WAIT_S = 60
WITHOUT_TORCH = """
import sys
for name in ('torch', 'numpy', 'tensorboardX', 'hydra'):
    sys.modules[name] = None
from segcli.cli import run
sys.exit(run(['bench', *sys.argv[1:]]))
"""


@pytest.fixture(autouse=True)
def _known_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no ceilings, which takes seconds in every run."""
    monkeypatch.setattr("segcli.bench.ceilings.measuring.measure_ceilings", lambda *_: CEILINGS)


def test_list_shows_kernels_and_what_they_cost(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli("bench", "list", "--suite", "conv,copy")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_list_shows_every_suite(segcli: Run) -> None:
    lines = segcli("bench", "list").out.splitlines()
    assert [line.partition(":")[0] for line in lines if line.partition(":")[0] in SUITES] == list(SUITES)
    assert "frames a call: 1." in lines
    assert "timed where it is asked for: --suite loader." in lines
    assert any(line.startswith("timed where they are asked for, by --suite or --kernel: ") for line in lines)


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
    assert (rows[0]["baseline"], rows[0]["devices"], rows[0]["items"]) == ("torch-cross-entropy", "cpu cuda", "")
    frames = next(row for row in rows if row["suite"] == "net")
    assert (frames["items"], frames["unit"]) == ("1", "frames")


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
    assert len(document["results"]) == 7 + 7 + 8
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
    done = segcli("bench", "--suite", suite, "--size", "4x6", "--time-budget", "4", "--caches", "hot")
    assert done.code == 0
    assert set(lines) <= set(done.out.splitlines())
    assert all(len(line) <= 100 for line in done.out.splitlines())


def test_a_group_without_its_baseline_has_no_speedup(segcli: Run) -> None:
    done = segcli("bench", "--suite", "norm", "--kernel", "layer", "--mode", "forward", *QUICK)
    assert "speed-up:" not in done.out
    assert "layer" in done.out


def test_csv_is_one_row_a_result(segcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.csv"
    done = segcli("bench", "--suite", "norm", *QUICK, "-o", file)
    assert (done.code, done.out) == (0, "")
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["kernel"] for row in rows] == ["batch", "batch-eval", "instance", "instance-eval", "group", "layer"] * 2
    assert rows[0]["status"] == "timed"
    assert float(rows[0]["median_s"]) > 0
    assert rows[0]["bytes"] == str((2 * 2 * 64 * 24 + 2 * 64) * 4)


def test_warnings_are_notes_and_quiet_has_none(segcli: Run) -> None:
    argv = ("bench", "--suite", "norm", "--size", "4x6", "--time-budget", "0.0001")
    loud, quiet = segcli(*argv), segcli(*argv, "-q")
    assert (loud.code, quiet.code) == (0, 0)
    assert "note: too few samples for a 95 % interval: norm/batch forward" in loud.err
    assert "note: not reached in time: norm/batch-eval forward, " in loud.err
    assert "batch-eval, instance, instance-eval, group, layer were not timed: the time budget was spent" in loud.out
    assert quiet.err == ""


def test_a_log_dir_holds_samples_and_medians(segcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    options = ("--suite", "index", "--kernel", "m*", *QUICK, "--log-dir", folder, "--json")
    result = segcli("bench", *options).json["results"][0]
    events = EventAccumulator(str(folder)).Reload()
    tag = "bench/index/max/forward/4x6/float32/hot-host"
    logged = events.Scalars(f"{tag}/sample_s")
    assert [event.value for event in logged] == pytest.approx(result["samples_s"], rel=1e-6)
    assert events.Scalars(f"{tag}/median_s")[0].value == pytest.approx(result["median_s"], rel=1e-6)
    # Selecting has no FLOPs, so there is no rate of them.
    assert f"{tag.replace('max', 'masked')}/flops_per_s" not in events.Tags()["scalars"]


def test_a_wrong_kernel_ends_with_1_and_is_explained(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use_suite(monkeypatch, {"right": double, "wrong": lambda x: 2.01 * x}, FakeClock())
    done = segcli("bench", "--suite", "conv", "--mode", "forward", *QUICK)
    assert done.code == 1
    assert "wrong is wrong and was not timed: its output has a relative error of 0.005" in done.out


def test_where_every_kernel_is_wrong_there_is_a_table_all_the_same(
    segcli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_suite(monkeypatch, {"right": lambda x: 2.01 * x}, FakeClock())
    done = segcli("bench", "--suite", "conv", "--mode", "forward", *QUICK)
    assert (done.code, "pass 1" in done.err) == (1, False)
    assert "right is wrong and was not timed: its output has a relative error of 0.005" in done.out


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
        (["--kernel", ""], 2, "error: --kernel is empty, expected a pattern of names\nhint: leave it out for all"),
        (["--kernel", "ohm"], 2, "error: no kernel matches 'ohm' in loss, conv, "),
        (["--size", "1x2x3"], 2, "error: --size is '1x2x3', expected HxW such as 512x1024, or one number"),
        (["--size", "0"], 2, "error: size 0x0 (--size) has no pixels, expected sides of 1 or more"),
        (["--size", "9000000x9000000"], 2, "error: suite conv at 9000000x9000000 needs about 3"),
        (["--dtype", "float8"], 2, "error: unknown dtype 'float8'"),
        (["--device", "gpu"], 2, "error: unknown device 'gpu'"),
        (["--threads", "0"], 2, "error: --threads is 0, expected 1 to 1024"),
        (["--time-budget", "-3"], 2, "error: the time budget (--time-budget) is -3 s, expected a finite number"),
        (["--caches", "hott"], 2, "error: unknown caches 'hott'\nhint: did you mean hot?"),
        (
            ["--span", "device"],
            2,
            "error: suite loss is not timed device on cpu\nhint: it is timed: hot host, cold host",
        ),
        (["--passes", "0"], 2, "error: there are 0 passes (--passes), expected 1 or more"),
        (["--tf32"], 2, "error: --tf32 is of CUDA devices, the kernels run on cpu\nhint: add --device cuda"),
        (["--plot", "roof.gif"], 2, "error: roof.gif is no name for a chart, expected one that ends in .png"),
        (["--setup", "my.data:make"], 2, "error: --setup my.data:make was given without a kernel\nhint: name one"),
        (["--reference", "a:b"], 2, "error: --reference a:b was given without a kernel\nhint: name one"),
        (
            ["--import", "a:b", "--import", "c:d", "--import", "a:b"],
            2,
            "error: --import a:b was given twice\nhint: name",
        ),
        (["--import", "a:b", "--nproc", "2"], 2, "error: --import and --nproc 2 were both given, and only collectives"),
        (["--import", "no_such:f"], 2, "error: no_such:f: there is no module 'no_such' in "),
        (["--suite", "conv", "--nproc", "2"], 2, "error: 2 processes time suite collective alone, asked for is conv"),
        (["--suite", "collective"], 2, "error: "),
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


OWN = """
import torch

print("hello from the user")


def data(size=(4, 6), dtype=torch.float32):
    return torch.randn(2, 3, *size, dtype=dtype)


def softmax(x):
    return x.softmax(1)


def half(x):
    return x.half()


def raises(x):
    raise KeyError("no such thing")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_module.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("own_module", None)


IMPORTED = ("bench", "--setup", "own_module:data", "--time-budget", "0.2", "--caches", "hot", "--passes", "1")


@pytest.mark.usefixtures("own")
def test_ones_own_kernels_are_a_suite(segcli: Run) -> None:
    done = segcli(*IMPORTED, "--import", "own_module:softmax", "--import", "own_module:raises")
    assert done.code == 1
    lines = done.out.splitlines()
    assert "user, forward: x (2, 3, 4, 6) float32" in lines
    assert "raises failed: own_module:raises raised KeyError: 'no such thing' (own_module.py, line 20)" in lines
    # What is the user's is no part of the result.
    assert "hello" not in done.out
    assert "hello from the user" in done.err


@pytest.mark.usefixtures("own")
def test_what_nobody_compared_is_said_in_json_too(segcli: Run) -> None:
    done = segcli(*IMPORTED, "--import", "own_module:half", "--size", "2x3,4x6", "--json", "--suite", "index")
    results = [result for result in done.json["results"] if result["suite"] == "user"]
    assert [result["size"] for result in results] == [[2, 3], [4, 6]]
    why = "own_module:half computes in float16 where it is given float64"
    assert {(result["unchecked"], result["error"]) for result in results} == {(why, None)}
    assert {result["suite"] for result in done.json["results"]} == {"index", "user"}


def test_variants_stand_beside_the_plain_kernel(segcli: Run) -> None:
    done = segcli("bench", "--suite", "conv", "--kernel", "standard", "--mode", "forward", "--channels-last", *QUICK)
    assert done.code == 0
    assert [line.split("  ")[0] for line in done.out.splitlines() if line.startswith("standard")] == [
        "standard",
        "standard, channels-last",
    ]


def test_without_a_compiler_nothing_is_timed(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: torch.device) -> None:
        message = f"--compile: torch cannot compile for {device}"
        raise SegcliError(message, code=ExitCode.UNAVAILABLE)

    monkeypatch.setattr("segcli.bench.variants.require_compiler", refuse)
    done = segcli("bench", "--suite", "conv", "--compile", *QUICK)
    assert (done.code, done.out, done.err) == (3, "", "error: --compile: torch cannot compile for cpu\n")


def test_ranks_that_were_started_have_said_all(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[int, Request]] = []

    def start(nproc: int, _: object, request: Request) -> int:
        started.append((nproc, request))
        return 3

    monkeypatch.setattr("segcli.bench.ranks.launched", start)
    done = segcli("bench", "--suite", "collective", "--nproc", "2")
    assert (done.code, done.out, done.err) == (3, "", "")
    assert [(nproc, request.suites) for nproc, request in started] == [(2, ("collective",))]


def test_one_rank_speaks_for_all(segcli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @contextmanager
    def second(_: Request) -> Iterator[Group]:
        group = Group()
        group.ranks = Ranks(rank=1, world=1)
        yield group

    monkeypatch.setattr("segcli.bench.ranks.together", second)
    monkeypatch.setattr("segcli.launch.ranks", lambda: Ranks(rank=1, world=2))
    events = tmp_path / "events"
    done = segcli("bench", "--suite", "index", "--kernel", "arg*", *QUICK, "--log-dir", events)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert not events.exists()


def test_tf32_is_kept_in_the_flags(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segcli.bench.measuring.environment.require_tf32", lambda _: None)
    document = segcli("bench", "--suite", "index", "--kernel", "arg*", "--tf32", *QUICK, "--json").json
    assert document["environment"]["flags"]["tf32"]


def test_with_a_compiler_the_compiled_stand_beside(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # What torch makes of kernels is shown in test_variants: here they stay as they are.
    monkeypatch.setattr("segcli.bench.variants.require_compiler", lambda _: None)
    monkeypatch.setattr("segcli.bench.variants._compiled", lambda make: make)
    results = segcli("bench", "--suite", "index", "--kernel", "arg*", "--compile", *QUICK, "--json").json["results"]
    assert [(result["kernel"], result["variant"]) for result in results] == [("argmax", ""), ("argmax", "compiled")]


def test_a_roofline_is_drawn(segcli: Run, tmp_path: Path) -> None:
    chart = tmp_path / "roof.svg"
    done = segcli("bench", "--suite", "conv", "--kernel", "standard", *QUICK, "--plot", chart)
    assert done.code == 0
    assert chart.read_text().startswith("<?xml")
    assert f"note: the roofline is drawn in {chart}" in done.err


def test_without_a_terminal_each_group_is_a_line(segcli: Run) -> None:
    done = segcli("bench", "--suite", "index", "--kernel", "arg*", *QUICK)
    assert done.err.startswith("first: index/argmax forward ")
    assert "\npass 1 of up to 1: index, forward, 4x6 float32: 1 kernel, fastest argmax, " in done.err


@pytest.mark.parametrize("width", [80, 100])
def test_a_dumb_terminal_gets_whole_lines(segcli: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", str(width))
    done = segcli("bench", "--suite", "conv", "--mode", "forward", *QUICK)
    assert max(map(len, done.out.splitlines())) <= width
    assert "\x1b" not in done.out
    assert any(line.startswith("left out at this width: ") for line in done.out.splitlines())


def test_a_disk_that_is_full_after_the_run_does_not_lose_it(
    segcli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any, **__: Any) -> None:  # noqa: ANN401 - whatever it would be called with
        message = "cannot write: no space left on device"
        raise SegcliError(message)

    monkeypatch.setattr("segcli.emit.replacing", full)
    done = segcli("bench", "--suite", "norm", "--kernel", "group", *QUICK, "-o", str(tmp_path / "run.json"), "-q")
    assert done.code == 2
    assert "no space left" in done.err
    assert "speed-up" in done.out


def test_suites_complete_in_a_list() -> None:
    from segcli.bench.command import _complete_suites

    assert _complete_suites("loss,n") == ["loss,norm", "loss,net"]


@pytest.mark.parametrize("argv", [["--help"], ["list"], ["list", "--help"]], ids=" ".join)
def test_help_and_list_need_no_torch(argv: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *argv], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["--threads", "0"], "--threads is 0, expected 1 to 1024"),
        (["--device", "tpu"], "unknown device 'tpu', expected cpu, cuda"),
        (["--suite", "los"], "unknown suite 'los'"),
        (["ceiling", "--threads", "0"], "--threads is 0, expected 1 to 1024"),
        (["ceiling", "--dtype", "float8"], "unknown dtype 'float8'"),
    ],
)
def test_what_is_misspelt_is_said_without_torch(argv: list[str], error: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {error}")


def test_ctrl_c_writes_what_is_finished(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    argv = ["bench", "--suite", "index,conv", "--size", "4x6", "--time-budget", "20", "-o", str(file)]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "segcli", *argv],
        stderr=slave,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    # The bar on the terminal says that the run is on its way.
    # Its text is the last result.
    seen = read_until(master, b"index/")
    # Group by group within its share: the first one may end on noise long before.
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LONG_WAIT_S)
    os.close(master)
    assert process.returncode == 130, seen
    document: dict[str, Any] = json.loads(file.read_text())
    assert document["partial"]
    assert len(document["results"]) == 2 * (7 + 7 + 8)


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)], ids=["twice", "time limit"])
def test_what_is_finished_is_written_however_a_run_is_ended(
    tmp_path: Path, numbers: tuple[signal.Signals, ...]
) -> None:
    file = tmp_path / "run.json"
    argv = ["bench", "--suite", "index", "--size", "4x6", "--time-budget", "20", "-o", str(file), "-v"]
    process = subprocess.Popen([sys.executable, "-m", "segcli", *argv], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stderr is not None
    seen = read_until(process.stderr.fileno(), b"pass 1 of")
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.05)
    process.communicate(timeout=LONG_WAIT_S)
    assert process.returncode == 130, seen
    assert json.loads(file.read_text())["partial"]


def read_until(descriptor: int, words: bytes) -> bytes:
    seen = b""
    end = time.monotonic() + LONG_WAIT_S
    while words not in seen and time.monotonic() < end:
        seen += os.read(descriptor, 4096)
    return seen
