"""``segcli bench``: how fast kernels run on this machine, and whether they are right."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.bench.plan import Request
    from segcli.bench.runs import Run
    from segcli.emit import Output

app = typer.Typer(rich_markup_mode="rich")


def _complete_suites(incomplete: str) -> list[str]:
    from segcli.bench.suites import SUITES

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in SUITES if name.startswith(last)]


Suites = Annotated[
    str,
    typer.Option(
        "--suite",
        metavar="NAME,...",
        help="Which suites: loss, conv, norm, index.",
        autocompletion=_complete_suites,
    ),
]
KernelGlob = Annotated[
    str, typer.Option("--kernel", metavar="GLOB", help="Only kernels whose name matches, such as 'ohem*'.")
]
Size = Annotated[
    str, typer.Option("--size", metavar="HxW", help="Spatial size; each suite has its own where not given.")
]
Dtype = Annotated[str, typer.Option("--dtype", help="float32, float64, bfloat16 or float16.")]


@app.callback(invoke_without_command=True)
@with_output
def bench(
    *,
    suite: Suites = "all",
    kernel: KernelGlob = "*",
    mode: Annotated[
        str, typer.Option("--mode", metavar="NAME,...", help="forward, forward+backward, or both.")
    ] = "all",
    size: Size = "",
    dtype: Dtype = "float32",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:N, or auto for the best there is.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of torch's kernels.")] = None,
    time_budget: Annotated[
        float, typer.Option("--time-budget", metavar="SECONDS", help="For the whole run, shared out by kernel.")
    ] = 20.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the random data.")] = 0,
    log_dir: Annotated[
        Path | None, typer.Option("--log-dir", metavar="DIR", help="Also write TensorBoard events there.")
    ] = None,
    output: "Output",
) -> None:
    """Time losses, convolutions, norms and indexing, each compared with a float64 reference first.

    Sampling stops when the 95 % interval of the median is within 1 %, or when the time budget is spent.
    Exit code 1 where a kernel is wrong or fails; Ctrl-C writes what is finished and exits with 130.

    Examples:

    [bold]segcli bench[/]                                             every suite, on cpu
    [bold]segcli bench --suite loss --size 512x1024 --device cuda[/]  losses on a GPU
    [bold]segcli bench --kernel 'depthwise*' -o run.json[/]           a file with every sample
    [bold]segcli bench list[/]                                        what can be timed
    """
    from segcli.bench.plan import Request
    from segcli.errors import ExitCode

    request = Request(
        suites=_names(suite),
        kernel=kernel,
        modes=_names(mode),
        size=_size(size),
        dtype=dtype,
        device=device,
        threads=threads,
        budget_s=time_budget,
        seed=seed,
    )
    if log_dir is None:
        found = _run(request, output)
        _show(found, output)
    else:
        found = _run_logged(request, log_dir, output)
    if found.partial:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not found.right:
        raise typer.Exit(ExitCode.NO)


@app.command("list")
@with_output
def list_(
    *,
    suite: Suites = "all",
    kernel: KernelGlob = "*",
    size: Size = "",
    dtype: Dtype = "float32",
    output: "Output",
) -> None:
    """List suites and kernels, with what a forward call must move and compute.

    Examples:

    [bold]segcli bench list[/]
    [bold]segcli bench list --suite conv --size 512x1024 --dtype bfloat16[/]
    """
    from segcli.bench.listing import catalogue
    from segcli.bench.plan import Request
    from segcli.bench.report import catalogue_records, catalogue_tables
    from segcli.emit import emit

    found = catalogue(Request(suites=_names(suite), kernel=kernel, size=_size(size), dtype=dtype))
    emit(
        "bench.list",
        found,
        lambda: catalogue_tables(found),
        output,
        records=lambda: catalogue_records(found),
    )


def _run(request: "Request", output: "Output") -> "Run":
    from segcli.bench.runs import run, steps
    from segcli.emit import note
    from segcli.progress import progress

    with progress("kernels compared and timed", steps(request), output) as advance:
        found = run(request, advance)
    for warning in found.warnings:
        note(warning, output)
    return found


def _run_logged(request: "Request", log_dir: Path, output: "Output") -> "Run":
    from segcli.bench.logs import log_run
    from segcli.bench.plan import plan
    from segcli.tensorboard import scalar_writer

    # Before the folder is made: a mistyped name leaves nothing behind.
    plan(request)
    with scalar_writer(log_dir) as write:
        found = _run(request, output)
        # First: events that cannot be written must not cost the result.
        _show(found, output)
        log_run(found, write)
    return found


def _show(found: "Run", output: "Output") -> None:
    from segcli.bench.report import run_records, run_tables
    from segcli.emit import emit

    with _uninterrupted() if found.partial else nullcontext():
        emit("bench", found, lambda: run_tables(found), output, records=lambda: run_records(found))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let one Ctrl-C end a run: a second one, while the result is written, would lose it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _names(text: str) -> tuple[str, ...]:
    return () if text == "all" else tuple(name.strip() for name in text.split(","))


def _size(text: str) -> tuple[int, int] | None:
    from segcli.errors import SegcliError
    from segcli.units import parse_size

    if not text:
        return None
    match parse_size(text, "--size"):
        case (side,):
            return side, side
        case (high, wide):
            return high, wide
        case sides:
            message = f"--size {text} has {len(sides)} sides, expected one or two"
            raise SegcliError(message)
