"""What people see of a run; made by hand, so that every figure is known."""

from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.measuring.gpu import Gpu
from segcli.bench.measuring.sampling import Rule
from segcli.bench.records import run_records
from segcli.bench.report import run_tables
from segcli.bench.results import Result, Status, with_speedups
from segcli.bench.runs import Method, Run
from segcli.draw import to_text
from segcli.emit import to_csv
from segcli.table import Table
from tests.bench.test_advice import GOOD, QUIET

METHOD = Method(
    timer="perf_counter_ns",
    caches=("hot", "cold"),
    spans=("host",),
    passes=3,
    rule=Rule(),
    budget_s=60.0,
    cache_bytes=32 * 2**20,
    cache_known=True,
    throttling="not looked at on a CPU",
)
CEILINGS = Ceilings(
    device="cpu",
    threads=4,
    cache_bytes=32 * 2**20,
    bandwidths=(Bandwidth(2**20, 150e9, 220e9), Bandwidth(2**28, 21e9, 24e9)),
    matmul_flops_per_s={"float32": 412e9, "bfloat16": 1.1e12},
    call_s=412e-9,
)


def timed(kernel: str, median_s: float, **fields: Any) -> Result:  # noqa: ANN401 - of a result
    usual: dict[str, Any] = {
        "suite": "conv",
        "kernel": kernel,
        "tensor": "x",
        "shape": (2, 64, 64, 128),
        "size": (64, 128),
        "baseline": "standard",
        "median_s": median_s,
        "ci95_s": (0.99 * median_s, 1.01 * median_s),
        "bytes": 8_540_160,
        "flops": 1_207_959_552,
        "bytes_per_s": 8_540_160 / median_s,
        "flops_per_s": 1_207_959_552 / median_s,
        "fraction": 0.61,
        "bound": "compute",
        "peak_bytes": 4_194_304,
        "samples_s": (median_s,) * 6,
        "passes": (2, 2, 2),
        "calls": 1,
    }
    return replace(GOOD, **{**usual, **fields})


def untimed(kernel: str, status: Status, reason: str, *, caches: str = "hot") -> Result:
    nothing = dict.fromkeys(("median_s", "ci95_s", "bytes_per_s", "flops_per_s", "fraction", "bound", "peak_bytes"))
    known = timed(kernel, 1.0, status=status, reason=reason, caches=caches, samples_s=(), passes=())
    return replace(known, **nothing)  # type: ignore[arg-type]


def run_of(*results: Result, **fields: Any) -> Run:  # noqa: ANN401 - of a run
    found = Run(
        started="2026-01-01T00:00:00+00:00",
        environment=QUIET,
        method=METHOD,
        seed=0,
        data={"conv": "x normal(0, 1)"},
        results=tuple(with_speedups(results)),
        warnings=(),
        partial=False,
        ceilings=CEILINGS,
    )
    return replace(found, **fields)


def cold(result: Result, times: float = 2.0) -> Result:
    assert result.median_s is not None
    return replace(result, caches="cold", median_s=times * result.median_s)


WRONG = "its output has a relative error of 0.5 against float64, expected at most 0.0001"
STANDARD, LAST = timed("standard", 5.3e-3), timed("standard", 4.1e-3, variant="channels-last", fraction=0.79)
SEPARABLE = timed("depthwise-separable", 1.9e-3, fraction=0.093, bound="memory", flops=153_092_096)
CPU_RUN = run_of(
    STANDARD,
    LAST,
    SEPARABLE,
    untimed("spoiled", Status.WRONG, WRONG),
    untimed("new", Status.UNSUPPORTED, "not implemented for 'Half'"),
    cold(STANDARD),
    cold(LAST),
    cold(SEPARABLE, 3.0),
    untimed("spoiled", Status.WRONG, WRONG, caches="cold"),
    untimed("new", Status.UNSUPPORTED, "not implemented for 'Half'", caches="cold"),
)


def lines(run: Run, width: int = 200) -> list[str]:
    return to_text(run_tables(run), width).splitlines()


@pytest.mark.parametrize("width", [150, 100, 80])
def test_a_run_on_a_cpu(snapshot: SnapshotAssertion, width: int) -> None:
    text = to_text(run_tables(CPU_RUN), width)
    assert max(map(len, text.splitlines())) <= width
    assert text == snapshot


def test_a_run_on_a_gpu_has_the_devices_time_and_the_hosts(snapshot: SnapshotAssertion) -> None:
    gpu = Gpu(name="Example GPU", memory_bytes=80 * 10**9, capability="9.0", cuda="12.8", cudnn=91_000)
    on_host = [replace(STANDARD, device="cuda"), replace(STANDARD, device="cuda", caches="cold", median_s=7e-3)]
    on_device = [replace(one, span="device", median_s=(one.median_s or 0) - 2e-3) for one in on_host]
    found = run_of(*on_host, *on_device, environment=replace(QUIET, gpu=gpu), partial=True)
    assert to_text(run_tables(found), 120) == snapshot


def test_only_cold_times_are_said_to_be_cold() -> None:
    found = lines(run_of(cold(STANDARD)))
    assert "median: cold caches" in found
    assert not any(line.startswith("cold:") for line in found)


def test_what_was_reached_only_hot_is_said_so() -> None:
    late = "the time budget was spent before"
    other = timed("other", 1e-3)
    skipped = [untimed(name, Status.SKIPPED, late, caches="cold") for name in ("standard", "depthwise-separable")]
    found = lines(run_of(STANDARD, SEPARABLE, other, *skipped, cold(other)))
    assert f"standard, depthwise-separable (cold caches, host's clock) were not timed: {late}" in found


def test_what_nobody_compared_is_unchecked() -> None:
    why = "own:one raised TypeError: half a kernel"
    found = lines(run_of(timed("one", 1.0, unchecked=why), timed("two", 1.0, unchecked=why)))
    assert f"unchecked, compared with nothing: one, two: {why}" in found


def test_what_failed_is_told_once() -> None:
    why = "own:one raised TypeError: half a kernel"
    failed = replace(untimed("one", Status.FAILED, why), unchecked=f"{why}, in float64")
    found = lines(run_of(failed, timed("two", 1.0)))
    assert [line for line in found if why in line] == [f"one failed: {why}"]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (130, ["bytes/s", "FLOP/s", "peak", "time"]),
        (120, ["bytes/s", "peak", "time"]),
        (106, ["peak", "time"]),
        (100, ["peak"]),
        (85, []),
    ],
)
def test_memory_stays_longer_than_what_follows_from_the_median(width: int, columns: list[str]) -> None:
    found = lines(run_of(STANDARD, SEPARABLE, cold(STANDARD), cold(SEPARABLE)), width)
    heading = next(line for line in found if line.startswith("kernel"))
    assert [name for name in ("bytes/s", "FLOP/s", "peak", "time") if name in heading] == columns


def test_items_a_second_have_their_own_name() -> None:
    found = lines(run_of(timed("one", 1.0, items=3, unit="frames", items_per_s=12.3456), timed("two", 1.0)))
    heading = next(line for line in found if line.startswith("kernel"))
    assert "frames/s" in heading
    row = next(line for line in found if line.startswith("one"))
    assert "12.3" in row.split()


def test_several_baselines_are_named_one_by_one() -> None:
    found = lines(
        run_of(STANDARD, SEPARABLE, timed("first", 1.0, baseline="first"), timed("second", 1.0, baseline="first"))
    )
    assert "speed-up of depthwise-separable: against standard" in found
    assert "speed-up of second: against first" in found


def test_without_ceilings_there_is_no_word_of_them() -> None:
    bare = replace(STANDARD, fraction=None, bound=None)
    assert not any("ceiling" in line for line in lines(run_of(bare, ceilings=None)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "denormals flushed, freed memory kept; seed 0"),
        ({"tf32": True, "keep_freed_memory": False}, "denormals flushed, TF32; seed 0"),
        ({"flush_denormal": False, "keep_freed_memory": False}, "contenders in turn; seed 0"),
    ],
)
def test_the_flags_are_told(fields: dict[str, bool], words: str) -> None:
    environment = replace(QUIET, flags=replace(QUIET.flags, **fields), threads=1)
    found = lines(run_of(STANDARD, environment=environment, method=replace(METHOD, passes=1, caches=("hot",))))
    assert found[0].startswith("Example CPU, 1 thread on 4 cores; torch 2.13")
    assert found[2].startswith("1 pass, hot caches, ")
    assert found[2].endswith(words)


def test_records_hold_every_field_but_the_samples() -> None:
    (table,) = run_records(CPU_RUN)
    assert isinstance(table, Table)
    assert len(table.rows) == len(CPU_RUN.results)
    header, first, *_ = to_csv(table).splitlines()
    row = dict(zip(header.split(","), first.replace('"(2, 64, 64, 128)"', "shape").split(","), strict=True))
    assert (row["caches"], row["median_s"], row["fraction"], row["peak_bytes"]) == ("hot", "0.0053", "0.61", "4194304")
