from dataclasses import replace

import pytest

from segcli.bench.advice import advise, spread
from segcli.bench.measuring.environment import Environment, Flags
from segcli.bench.results import Result, Status

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

OTHER_LOAD = (
    "other load: 2.5 processes were running on 4 cores before the start; close other programs and wait a minute"
)
UNSTEADY_CLOCK = (
    "unsteady clock: the middle half of the samples spreads over more than 10% of the median for 1 of 1 "
    "(worst: loss/ohem forward, 30%); close other programs, fix the clock rate, or give a longer --time-budget"
)


def test_a_quiet_run_has_no_warnings() -> None:
    assert list(advise([GOOD], QUIET, 20)) == []
    assert list(advise([GOOD], replace(QUIET, load=None), 20)) == []


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
            "too few samples for a 95 % interval: loss/ohem forward; give more than --time-budget 20",
        ),
        (
            replace(GOOD, steady=False),
            QUIET,
            "still getting faster when warm-up ended: loss/ohem forward; give more than --time-budget 20",
        ),
        (
            replace(GOOD, status=Status.SKIPPED, reason="the time budget was spent before"),
            QUIET,
            "not reached in time: loss/ohem forward; give more than --time-budget 20",
        ),
    ],
    ids=["load", "threads", "unsteady", "few", "falling", "late"],
)
def test_doubts_are_said_with_the_way_out(result: Result, environment: Environment, warning: str) -> None:
    assert list(advise([result], environment, 20)) == [warning]


def test_many_kernels_are_named_in_part() -> None:
    few = [replace(GOOD, kernel=name, ci95_s=None) for name in "abcde"]
    (warning,) = advise(few, QUIET, 20)
    assert "loss/a forward, loss/b forward, loss/c forward and 2 more;" in warning


def test_what_was_not_timed_has_no_spread() -> None:
    assert spread(replace(GOOD, quartiles_s=None)) == 0
