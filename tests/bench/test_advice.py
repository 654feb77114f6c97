from dataclasses import replace

import pytest

from segcli.bench.advice import Spent, advise, spread
from segcli.bench.measuring.environment import Environment, Flags
from segcli.bench.measuring.gpu import Gpu
from segcli.bench.measuring.processor import Processor
from segcli.bench.results import Reference, Result, Status

QUIET = Environment(
    cpu="Example CPU",
    cores=4,
    load=0.5,
    os="Linux 6",
    python="3.11",
    torch="2.13",
    device="cpu",
    threads=4,
    gpu=None,
    flags=Flags(
        flush_denormal=True, keep_freed_memory=True, tf32=False, cudnn_benchmark=False, garbage_collection=False
    ),
    variables={},
)
GOOD = Result(
    suite="loss",
    kernel="ohem",
    mode="forward",
    size=(8, 8),
    tensor="logits",
    shape=(2, 19, 8, 8),
    dtype="float32",
    device="cpu",
    caches="hot",
    span="host",
    variant="",
    status=Status.TIMED,
    reason="",
    bytes=1,
    flops=1,
    allocates=True,
    baseline="ohem",
    median_s=1.0,
    ci95_s=(0.99, 1.01),
    quartiles_s=(0.98, 1.02),
    steady=True,
)

OTHER_LOAD = "other load: the load average was 2.5 on 4 cores before the start; close other programs and wait a minute"
UNSTEADY_CLOCK = (
    "unsteady clock: the middle half of the samples spreads over more than 10% of the median for 1 of 1 "
    "(worst: loss/ohem forward, 30%); close other programs, fix the clock rate, or give a longer --time-budget"
)


_SHORT = "so short that reading the clock is more than 0.1 % of a call: loss/ohem forward cold; give a larger --size"
_THROTTLED = "dropped while the GPU was throttled: loss/ohem"
_ABOVE = (
    "above the ceiling: 1 of 1 (most: loss/ohem forward, 120%); their count of bytes or FLOPs is wrong, or the "
    "ceilings were measured while something else ran"
)
MORE = {
    "few of many cores": (
        GOOD,
        replace(QUIET, threads=1, variables={"OMP_NUM_THREADS": "1"}),
        "OMP_NUM_THREADS is 1, so 1 of 4 cores compute; give --threads 4 for all of them",
    ),
    "powersave": (
        GOOD,
        replace(QUIET, processor=Processor(governor="powersave")),
        "the governor is powersave, which may keep the clock low; set it to performance while timing",
    ),
    "battery": (
        GOOD,
        replace(QUIET, processor=Processor(on_battery=True)),
        "the machine runs on its battery, which may keep the clock low; plug it in",
    ),
    "short": (
        replace(GOOD, caches="cold", timer="ns around each call", median_s=5e-6, ci95_s=(0, 0), quartiles_s=None),
        QUIET,
        _SHORT,
    ),
    "one throttled": (
        replace(GOOD, dropped=1),
        QUIET,
        f"1 sample {_THROTTLED} forward; cool it, or raise its power limit",
    ),
    "throttled": (
        replace(GOOD, dropped=3, variant="compiled"),
        QUIET,
        f"3 samples {_THROTTLED} (compiled) forward; cool it, or raise its power limit",
    ),
    "above": (replace(GOOD, fraction=1.2), QUIET, _ABOVE),
}


def test_waiting_for_a_core_is_told() -> None:
    (warning,) = advise([GOOD], QUIET, Spent(20, waited=0.4))
    assert warning.startswith("threads waited for a core, together 40% of the time: ")
    assert list(advise([GOOD], QUIET, Spent(20, waited=0.04))) == []


def test_where_most_are_above_the_ceiling_it_is_the_ceiling_that_is_wrong() -> None:
    results = [replace(GOOD, kernel=f"kernel-{place}", fraction=1.2) for place in range(9)]
    (warning,) = advise(results, QUIET, Spent(20))
    assert warning == (
        "above the ceiling: 9 of 9 (most: loss/kernel-0 forward, 120%); so many that the ceilings were measured while "
        "something else ran: run again when nothing does"
    )


def test_ranks_share_the_cores() -> None:
    variables = {"OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "4"}
    assert list(advise([GOOD], replace(QUIET, threads=1, variables=variables), Spent(20))) == []


def test_at_the_ceiling_is_not_above_it() -> None:
    assert list(advise([replace(GOOD, fraction=1.05)], QUIET, Spent(20))) == []


def test_a_block_of_many_short_calls_is_no_trouble() -> None:
    short = replace(GOOD, timer="ns", calls=200, median_s=5e-6, ci95_s=(5e-6, 5e-6), quartiles_s=None)
    assert list(advise([short], QUIET, Spent(20))) == []


def test_a_number_of_loader_workers_is_recommended() -> None:
    rates = {0: 100.0, 1: 180.0, 2: 345.0, 4: 350.0}
    loaders = [
        replace(GOOD, suite="loader", kernel=f"workers-{count}", items=64, unit="samples", items_per_s=rate)
        for count, rate in rates.items()
    ]
    (words,) = advise(loaders, QUIET, Spent(20))
    assert "2 workers are enough" in words


def test_a_kernel_of_several_sizes_is_named_once() -> None:
    few = [replace(GOOD, size=size, ci95_s=None) for size in ((8, 8), (16, 16))]
    (warning,) = advise(few, QUIET, Spent(20))
    assert warning.startswith("too few samples for a 95 % interval: loss/ohem forward; ")


def test_a_quiet_run_has_no_warnings() -> None:
    assert list(advise([GOOD], QUIET, Spent(20))) == []
    assert list(advise([GOOD], replace(QUIET, load=None), Spent(20))) == []


@pytest.mark.parametrize(
    ("result", "environment", "warning"),
    [
        (
            GOOD,
            replace(QUIET, load=2.5),
            OTHER_LOAD,
        ),
        (GOOD, replace(QUIET, threads=8), "8 threads share 4 cores; give --threads 4 or fewer"),
        (
            replace(GOOD, quartiles_s=(0.9, 1.2)),
            QUIET,
            UNSTEADY_CLOCK,
        ),
        (
            replace(GOOD, ci95_s=None),
            QUIET,
            "too few samples for a 95 % interval: loss/ohem forward; give --time-budget 40 or more",
        ),
        (
            replace(GOOD, steady=False),
            QUIET,
            "still getting faster when warm-up ended: loss/ohem forward; give --time-budget 40 or more",
        ),
        (
            replace(GOOD, status=Status.SKIPPED, reason="the time budget was spent before"),
            QUIET,
            "not reached in time: loss/ohem forward; give --time-budget 40 or more",
        ),
        *MORE.values(),
    ],
    ids=["load", "threads", "unsteady", "few", "falling", "late", *MORE],
)
def test_doubts_are_said_with_the_way_out(result: Result, environment: Environment, warning: str) -> None:
    assert list(advise([result], environment, Spent(20))) == [warning]


def reference(times_ms: tuple[float, ...], workload: str = "copy", caches: str = "hot") -> Reference:
    """Three samples in each pass: the time, and one much shorter and one much longer."""
    samples = tuple(1e-3 * sample for time in times_ms for sample in (time, time / 5, 5 * time))
    passes = (3,) * len(times_ms)
    return Reference(workload, "conv", "forward", (8, 8), "float32", "cpu", caches, "host", samples, passes)


MOVED_MS = (0.2, 0.2, 0.4, 0.4, 0.2, 0.4, 0.2, 0.4)


def test_cores_that_were_moved_are_told_from_a_workload_that_takes_now_one_time_now_another() -> None:
    steady = reference((1.3, 1.31, 1.35, 1.3, 1.4, 1.3), "matmul")
    (warning,) = advise([GOOD], QUIET, Spent(20), [reference(MOVED_MS), steady])
    assert warning == (
        "unsteady cores: one and the same copy took 200 us to 400 us from pass to pass, as where a virtual machine's "
        "cores are moved; one thread is steadier: --threads 1"
    )


@pytest.mark.parametrize(
    ("references", "environment"),
    [
        ([reference(MOVED_MS)], replace(QUIET, threads=1)),
        ([reference(MOVED_MS)], replace(QUIET, gpu=Gpu("Example GPU", 2**36, "9.0", "13.0", None))),
        ([reference(MOVED_MS, caches="cold")], QUIET),
        ([reference(MOVED_MS[:5])], QUIET),
        # One pass of many may be anything.
        ([reference((*(0.2,) * 12, 0.9))], QUIET),
        ([reference((0.0,) * 6)], QUIET),
        ([replace(reference(MOVED_MS[:6]), passes=(0,) * 5 + (18,))], QUIET),
        # In most groups they were where they had been.
        ([reference(MOVED_MS), reference((0.2,) * 6), reference((0.2,) * 6)], QUIET),
    ],
    ids=["one thread", "gpu", "cold", "few passes", "one pass", "no time", "empty passes", "one group"],
)
def test_nothing_is_said_where_cores_stayed_or_nobody_can_tell(
    references: list[Reference], environment: Environment
) -> None:
    assert list(advise([GOOD], environment, Spent(20), references)) == []


def test_many_kernels_are_named_in_part() -> None:
    few = [replace(GOOD, kernel=name, ci95_s=None) for name in "abcde"]
    (warning,) = advise(few, QUIET, Spent(20))
    assert "loss/a forward, loss/b forward, loss/c forward and 2 more;" in warning


def test_what_was_not_timed_has_no_spread() -> None:
    assert spread(replace(GOOD, quartiles_s=None)) == 0


def test_a_comparison_that_took_most_of_the_budget_is_told_with_one_that_suffices() -> None:
    (warning,) = advise([GOOD], QUIET, Spent(60, comparing_s=57.0))
    assert warning == (
        "comparing with references took 57.0 s of a budget of 60 s; give --time-budget 230 or more, fewer kernels, or "
        "a smaller --size"
    )
    assert list(advise([GOOD], QUIET, Spent(60, comparing_s=30.0))) == []


def test_ceilings_that_differ_are_told() -> None:
    (warning,) = advise([GOOD], QUIET, Spent(60), differing="memory 80.0 GB/s and 40.0 GB/s")
    assert warning == (
        "ceilings differ from one measurement to the next: memory 80.0 GB/s and 40.0 GB/s; run again when nothing else "
        "runs"
    )
