"""Runs whose samples are made up, in the dataclasses of a real one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

from segcli.bench import Request, Result, Run, run
from segcli.bench.results import Reference
from segcli.emit import to_json

Passes = Sequence[Sequence[float]]


@cache
def real_run() -> Run:
    """Return a run of one kernel, as it is measured."""
    return run(Request(suites=("index",), kernel="argmax", modes=("forward",), budget_s=0.05))


def made_result(kernel: str, passes: Passes, **changes: object) -> Result:
    samples = tuple(sample for each in passes for sample in each)
    made = replace(
        real_run().results[0],
        kernel=kernel,
        samples_s=samples,
        passes=tuple(len(each) for each in passes),
        median_s=median(samples),
        bound="memory",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def made_reference(workload: str, passes: Passes, **changes: object) -> Reference:
    beside = real_run().results[0]
    made = Reference(
        workload=workload,
        suite=beside.suite,
        mode=beside.mode,
        size=beside.size,
        dtype=beside.dtype,
        device=beside.device,
        caches=beside.caches,
        span=beside.span,
        samples_s=tuple(sample for each in passes for sample in each),
        passes=tuple(len(each) for each in passes),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def made_run(*results: Result, references: Sequence[Reference] = ()) -> Run:
    return replace(real_run(), results=results, references=tuple(references))


def write_run(path: Path, run: Run) -> Path:
    path.write_text(to_json("bench", run))
    return path
