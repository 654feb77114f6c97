"""Runs whose numbers are made up: no clock is read, so that what is made of them is the same each time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from segcli.bench import Result, Run, Status
from segcli.bench.ceilings.ceiling import Bandwidth, Bound, Ceilings
from segcli.bench.measuring.sampling import Rule
from segcli.bench.runs import Method
from segcli.emit import to_json
from tests.bench.ceilings.test_command import ENVIRONMENT

MIB = 2**20
CEILINGS = Ceilings(
    device="cpu",
    threads=2,
    cache_bytes=32 * MIB,
    bandwidths=(
        Bandwidth(MIB, 240e9, 150e9, 170e9),
        Bandwidth(16 * MIB, 100e9, 90e9, 80e9),
        Bandwidth(256 * MIB, 20e9, 25e9, 15e9),
    ),
    matmul_flops_per_s={"float32": 100e9},
    call_s=3e-7,
)
METHOD = Method(
    timer="a clock",
    caches=("hot", "cold"),
    spans=("host",),
    passes=2,
    rule=Rule(),
    budget_s=60.0,
    cache_bytes=32 * MIB,
    cache_known=True,
    throttling="no GPU",
)
SAMPLES = (1.0e-3, 1.1e-3, 1.2e-3, 1.05e-3, 1.15e-3, 1.1e-3, 9e-3, 1.08e-3)


def result(kernel: str, samples: Sequence[float] = SAMPLES, **changes: object) -> Result:
    """Return a timed result: 8 MB and 16 MFLOP in about a millisecond."""
    ranked, middle = sorted(samples), median(samples)
    bound: Bound = "memory"
    made = Result(
        suite="conv",
        kernel=kernel,
        mode="forward",
        size=(64, 128),
        tensor="x",
        shape=(2, 64, 64, 128),
        dtype="float32",
        device="cpu",
        caches="hot",
        span="host",
        variant="",
        status=Status.TIMED,
        reason="",
        bytes=8_000_000,
        flops=16_000_000,
        allocates=True,
        baseline="standard",
        median_s=middle,
        ci95_s=(ranked[1], ranked[-2]) if len(ranked) > 2 else None,
        speedup=1.0,
        bytes_per_s=8_000_000 / middle if middle else None,
        flops_per_s=16_000_000 / middle if middle else None,
        samples_s=tuple(samples),
        passes=(len(samples) // 2, len(samples) - len(samples) // 2),
        fraction=0.25,
        bound=bound,
        peak_bytes=4_000_000,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def untimed(kernel: str, status: Status, reason: str, **changes: object) -> Result:
    made = result(
        kernel,
        status=status,
        reason=reason,
        median_s=None,
        ci95_s=None,
        speedup=None,
        bytes_per_s=None,
        flops_per_s=None,
        samples_s=(),
        passes=(),
        fraction=None,
        bound=None,
        peak_bytes=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def made_run(*results: Result, ceilings: Ceilings | None = CEILINGS, **changes: object) -> Run:
    made = Run(
        started="2026-01-01T00:00:00+00:00",
        environment=ENVIRONMENT,
        method=METHOD,
        seed=0,
        data={"conv": "x normal(0, 1)"},
        results=results,
        warnings=(),
        partial=False,
        ceilings=ceilings,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def write(path: Path, run: Run) -> Path:
    path.write_text(to_json("bench", run))
    return path
