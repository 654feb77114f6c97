import csv
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from segcli.bench.ceilings import finding, measuring, workloads
from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.ceilings.finding import Found, find_ceilings
from segcli.bench.ceilings.report import ceiling_records, ceiling_tables
from segcli.bench.measuring.environment import Environment, Flags
from segcli.bench.measuring.gpu import Gpu
from segcli.draw import to_text
from segcli.errors import ExitCode, SegcliError
from tests.conftest import Run

QUICK = ("bench", "ceiling", "--seconds", "0.05")
FLAGS = Flags(flush_denormal=True, keep_freed_memory=True, tf32=False, cudnn_benchmark=False, garbage_collection=False)
ENVIRONMENT = Environment(
    cpu="Some CPU",
    cores=2,
    load=0.1,
    os="Linux 6.1",
    python="3.11.7",
    torch="2.13.0",
    device="cpu",
    threads=2,
    gpu=None,
    flags=FLAGS,
    variables={},
)
CEILINGS = Ceilings(
    device="cpu",
    threads=2,
    cache_bytes=2**25,
    bandwidths=(
        Bandwidth(2**20, 200e9, 130e9, 170e9),
        Bandwidth(2**26, 40e9, 35e9, 30e9),
        Bandwidth(2**28, 20e9, 25e9, 15e9),
    ),
    matmul_flops_per_s={"float32": 64e9, "bfloat16": 320e9},
    convolution_flops_per_s={"float32": 128e9},
    call_s=3e-7,
)
FOUND = Found("2026-01-01T00:00:00+00:00", ENVIRONMENT, 10.0, CEILINGS)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let arrays end at 1 MiB."""
    monkeypatch.setattr(workloads, "_LEAST_LAST_BYTES", 2**20)
    monkeypatch.setattr(measuring, "last_level_cache_bytes", lambda _: 2**16)


@pytest.mark.usefixtures("_small")
def test_json_has_the_environment_and_every_ceiling(segcli: Run) -> None:
    done = segcli(*QUICK, "--dtype", "float32, bfloat16", "--threads", "1", "--json")
    document = done.json
    assert (done.code, document["schema"]) == (0, "segcli.bench.ceiling/1")
    assert set(document) == {"schema", "started", "environment", "seconds", "ceilings", "warnings"}
    ceilings = document["ceilings"]
    assert (ceilings["device"], ceilings["threads"], ceilings["cache_bytes"]) == ("cpu", 1, 2**16)
    assert [each["footprint_bytes"] for each in ceilings["bandwidths"]] == [2**16, 2**18, 2**20]
    assert set(ceilings["matmul_flops_per_s"]) == {"float32", "bfloat16"}
    assert set(ceilings["convolution_flops_per_s"]) == {"float32", "bfloat16"}
    assert (document["environment"]["threads"], document["environment"]["flags"]["tf32"]) == (1, False)


@pytest.mark.usefixtures("_small")
def test_tables_and_csv(segcli: Run) -> None:
    shown = segcli(*QUICK, "-q")
    assert shown.code == 0
    assert [line for line in shown.out.splitlines() if line in ("bandwidth", "computing")] == ["bandwidth", "computing"]
    assert all(len(line) <= 100 for line in shown.out.splitlines())
    rows = list(csv.DictReader(io.StringIO(segcli(*QUICK, "--csv").out)))
    assert [row["ceiling"] for row in rows] == ["copy", "read", "write"] * 3 + ["matmul", "convolution", "call"]


def test_the_tables_say_where_arrays_lie_and_what_a_byte_must_pay_for() -> None:
    text = to_text(ceiling_tables(FOUND))
    assert "Some CPU, 2 threads on 2 cores; torch 2.13.0, Linux 6.1" in text
    assert "last-level cache 33.6 MB" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert [each[-1] for each in (line.split() for line in text.splitlines()) if each[1:2] == ["MB"]] == [
        "caches",
        "memory",
        "memory",
    ]
    assert lines["float32"][1:] == ["64.0", "GFLOP/s", "128", "GFLOP/s", "5.12", "FLOP/B"]
    assert lines["bfloat16"][1:] == ["320", "GFLOP/s", "-", "12.8", "FLOP/B"]
    assert "The smallest call takes 300 ns." in text


def test_a_gpu_has_a_name_and_launches() -> None:
    gpu = Gpu("Some GPU", 2**36, "9.0", "13.0", None)
    ceilings = replace(CEILINGS, device="cuda:0", cache_bytes=None, launch_s=1e-6)
    found = replace(FOUND, environment=replace(ENVIRONMENT, gpu=gpu), ceilings=ceilings)
    text = to_text(ceiling_tables(found))
    assert "Some GPU; torch 2.13.0" in text
    assert "the system names no last-level cache" in text
    assert "The smallest kernel of a replayed CUDA graph takes 1.00 us." in text
    assert ceiling_records(found)[0].rows[-1] == ("launch", None, "float32", None, 1e-6)


def test_a_clock_that_saw_nothing_makes_no_ratio() -> None:
    bandwidths = (Bandwidth(2**20, 0.0, 0.0),)
    text = to_text(ceiling_tables(replace(FOUND, ceilings=replace(CEILINGS, bandwidths=bandwidths))))
    assert "FLOP/B" not in text


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("--dtype", "float31"), 2, "error: unknown dtype 'float31'\nhint: did you mean float3"),
        (("--seconds", "0"), 2, "error: --seconds is 0, expected more than 0"),
        (("--seconds", "nan"), 2, "error: --seconds is nan, expected more than 0"),
        (("--threads", "0"), 2, "error: --threads is 0, expected 1 to 1024"),
        (("--device", "tpu"), 2, "error: unknown device 'tpu'"),
    ],
    ids=["dtype", "no time", "nan", "threads", "device"],
)
def test_mistakes_are_named(segcli: Run, argv: Sequence[str], code: int, words: str) -> None:
    done = segcli("bench", "ceiling", *argv)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(words)


def test_a_device_without_a_timer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(SegcliError, match="device mps cannot be timed") as caught:
        find_ceilings("mps")
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_progress_counts_the_time_that_has_passed(monkeypatch: pytest.MonkeyPatch, segcli: Run) -> None:
    counted: list[int] = []

    def measure(*_: object, **options: object) -> Ceilings:
        advance = options["advance"]
        assert callable(advance)
        for share in (0.1, 0.25, 0.255, 1.0):
            advance(share)
        return CEILINGS

    class Progress:
        def __init__(self, what: str, total: int, _: object) -> None:
            assert (what, total) == ("% of the time", 100)

        def __enter__(self) -> object:
            return counted.append

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(finding, "measure_ceilings", measure)
    monkeypatch.setattr("segcli.progress.progress", Progress)
    assert segcli("bench", "ceiling").code == 0
    assert counted == [10, 15, 0, 75]


@pytest.mark.usefixtures("_small")
def test_what_lowers_ceilings_is_told(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = iter([0.0, 1e3])
    monkeypatch.setattr(finding, "waiting_s", lambda: next(waited))
    done = segcli(*QUICK, "--threads", "64")
    assert "note: 64 threads share " in done.err
    assert "note: threads waited for a core, together " in done.err
