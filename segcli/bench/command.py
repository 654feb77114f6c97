"""``segcli bench``: how fast kernels run on this machine, and whether they are right."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.bench.ceilings.command import ceiling
from segcli.bench.comparing.command import compare
from segcli.bench.interrupts import one_interrupt, unheard
from segcli.bench.reporting.command import report
from segcli.bench.spelling import chosen_names, kernel_pattern, read_sizes
from segcli.composing.options import with_composition
from segcli.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from segcli.bench.imported.suite import Names
    from segcli.bench.plan import Request
    from segcli.bench.runs import Run
    from segcli.emit import Output
    from segcli.launch import Group

app = typer.Typer(rich_markup_mode="rich")

_WHAT, _OWN, _HOW, _SHOWN = "What is timed", "Your own kernels", "How", "Output"
_GROUPS = {
    "kernels": (
        "suite",
        "kernel",
        "mode",
        "size",
        "dtype",
        "channels_last",
        "compiled",
        "imports",
        "setup",
        "reference",
    ),
    "machine": ("device", "threads", "tf32", "nproc"),
    "run": ("caches", "span", "time_budget", "passes", "seed", "log_dir", "plot"),
}


def _complete_suites(incomplete: str) -> list[str]:
    from segcli.bench.suites import SUITES

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in SUITES if name.startswith(last)]


Suites = Annotated[
    str,
    typer.Option(
        "--suite",
        metavar="NAME,...",
        help="Of loss, conv, norm, index, resize, net, loader, copy, collective; all takes those that take seconds.",
        autocompletion=_complete_suites,
        rich_help_panel=_WHAT,
    ),
]
KernelGlob = Annotated[
    str,
    typer.Option(
        "--kernel", metavar="GLOB", help="Only kernels whose name matches, such as 'ohem*'.", rich_help_panel=_WHAT
    ),
]
Sizes = Annotated[
    str,
    typer.Option(
        "--size",
        metavar="HxW,...",
        help="Spatial sizes; each suite has its own where not given.",
        rich_help_panel=_WHAT,
    ),
]
Dtypes = Annotated[
    str,
    typer.Option("--dtype", metavar="NAME,...", help="Of float32, float64, bfloat16, float16.", rich_help_panel=_WHAT),
]


@dataclass(frozen=True)
class _Wishes:
    """What is to be done with a run.

    Attributes:
        names: The user's own functions, or None.
        log_dir: Where TensorBoard events go.
        plot: Where the roofline goes.
    """

    names: "Names | None"
    log_dir: Path | None
    plot: Path | None


@app.callback(invoke_without_command=True)
@with_output
@with_composition(groups=_GROUPS)
def bench(
    *,
    suite: Suites = "all",
    kernel: KernelGlob = "*",
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="NAME,...",
            help="Of forward, forward+backward; each suite has its own where not given.",
            rich_help_panel=_WHAT,
        ),
    ] = "all",
    size: Sizes = "",
    dtype: Dtypes = "float32",
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="Also with the channels of images last.", rich_help_panel=_WHAT),
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Also compiled by torch.compile.", rich_help_panel=_WHAT)
    ] = False,
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="PKG.MOD:FUNCTION",
            help="A kernel of yours, found here or in the environment. Repeatable; the first is the baseline.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    setup: Annotated[
        str,
        typer.Option(
            "--setup",
            metavar="PKG.MOD:FUNCTION",
            help="Returns their arguments: a tensor, a tuple or a dict; may take size, dtype, device, seed.",
            rich_help_panel=_OWN,
        ),
    ] = "",
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            metavar="PKG.MOD:FUNCTION",
            help="What they must equal, called in float64; where not given, the first of them.",
            rich_help_panel=_OWN,
        ),
    ] = "",
    device: Annotated[
        str,
        typer.Option("--device", help="cpu, cuda, cuda:N, or auto for the best there is.", rich_help_panel=_HOW),
    ] = "cpu",
    threads: Annotated[
        int | None, typer.Option("--threads", help="Threads of torch's kernels.", rich_help_panel=_HOW)
    ] = None,
    tf32: Annotated[
        bool, typer.Option("--tf32", help="CUDA may compute float32 with 10 bits of mantissa.", rich_help_panel=_HOW)
    ] = False,
    caches: Annotated[
        str,
        typer.Option(
            "--caches", metavar="NAME,...", help="hot: as the last call left them; cold: flushed.", rich_help_panel=_HOW
        ),
    ] = "all",
    span: Annotated[
        str,
        typer.Option(
            "--span",
            metavar="NAME,...",
            help="host: launches included; device: the device's time alone, on a GPU.",
            rich_help_panel=_HOW,
        ),
    ] = "all",
    time_budget: Annotated[
        float,
        typer.Option(
            "--time-budget", metavar="SECONDS", help="For comparing and timing, shared out.", rich_help_panel=_HOW
        ),
    ] = 75.0,
    passes: Annotated[
        int,
        typer.Option(
            "--passes", help="Walks over all kernels, at most; each has samples of every one.", rich_help_panel=_HOW
        ),
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of the random data.", rich_help_panel=_HOW)] = 0,
    nproc: Annotated[
        int,
        typer.Option("--nproc", help="Processes of --suite collective, started by torchrun.", rich_help_panel=_HOW),
    ] = 1,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw the roofline: .png, .svg or .pdf.", rich_help_panel=_SHOWN),
    ] = None,
    log_dir: Annotated[
        Path | None,
        typer.Option("--log-dir", metavar="DIR", help="Write scalars for TensorBoard.", rich_help_panel=_SHOWN),
    ] = None,
    output: "Output",
) -> None:
    """Time losses, convolutions, norms, indexing and networks, each compared with a float64 reference first.

    Sampling stops when the 95 % interval of the median is within 1 %, or when the time budget is spent.
    Beside the budget are the start and the ceilings, some 6 s; what is begun at its end is finished.
    Exit code 1 where a kernel is wrong or fails; Ctrl-C writes what is finished and exits with 130.

    Examples:

    [bold]segcli bench[/]                                             the default suites, on cpu
    [bold]segcli bench --suite loss --size 512x1024 --device cuda[/]  losses on a GPU
    [bold]segcli bench --suite conv --channels-last --compile[/]      does it help here?
    [bold]segcli bench --import my.kernels:softmax --import my.kernels:faster --setup my.kernels:data[/]
    [bold]segcli bench --kernel 'depthwise*' -o run.json[/]           a file with every sample
    [bold]segcli bench list[/]                                        what can be timed
    """
    from segcli.bench.plan import Request, plan

    request = Request(
        suites=chosen_names(suite),
        kernel=kernel_pattern(kernel),
        modes=chosen_names(mode),
        sizes=read_sizes(size),
        dtypes=chosen_names(dtype),
        device=device,
        threads=threads,
        budget_s=time_budget,
        seed=seed,
        caches=chosen_names(caches),
        spans=chosen_names(span),
        passes=passes,
        channels_last=channels_last,
        compiled=compiled,
        tf32=tf32,
    )
    wishes = _Wishes(_own(imports, setup, reference, nproc), log_dir, plot)
    if wishes.names is None or request.suites:
        # What is misspelt is said before anything is started, imported or compiled.
        plan(request)
    _time(request, wishes, nproc, output)


@app.command("list")
@with_output
def list_(
    *,
    suite: Suites = "all",
    kernel: KernelGlob = "*",
    size: Sizes = "",
    dtype: Dtypes = "float32",
    output: "Output",
) -> None:
    """List suites and kernels, with what a forward call must move and compute.

    Examples:

    [bold]segcli bench list[/]
    [bold]segcli bench list --suite conv --size 512x1024 --dtype bfloat16[/]
    """
    from segcli.bench.listing import catalogue
    from segcli.bench.listing_report import catalogue_records, catalogue_tables
    from segcli.bench.plan import Request
    from segcli.emit import emit

    found = catalogue(
        Request(
            suites=chosen_names(suite),
            kernel=kernel_pattern(kernel),
            sizes=read_sizes(size),
            dtypes=chosen_names(dtype),
        )
    )
    emit(
        "bench.list",
        found,
        lambda: catalogue_tables(found),
        output,
        records=lambda: catalogue_records(found),
    )


def _time(request: "Request", wishes: _Wishes, nproc: int, output: "Output") -> None:
    from segcli.bench.ranks import launched, together
    from segcli.charts import check_chart
    from segcli.errors import ExitCode

    if wishes.plot is not None:
        check_chart(wishes.plot, force=output.force)
    code = launched(nproc, sys.argv[1:], request)
    if code is not None:
        raise typer.Exit(code)
    with _events(wishes.log_dir) as write, one_interrupt():
        # What a user's module prints is no part of the result.
        with together(request) as group, redirect_stdout(sys.stderr) if wishes.names else nullcontext():
            found = _run(_prepared(request, wishes.names), group, output)
        if not group.ranks.is_first:
            return
        _tell(found, wishes, write, output)
    if found.partial:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not found.right:
        raise typer.Exit(ExitCode.NO)


@contextmanager
def _events(log_dir: Path | None) -> Iterator["Callable[[str, float, int], None] | None"]:
    """Open TensorBoard's file before anything is timed; of several ranks, one alone writes."""
    from segcli.launch import ranks

    if log_dir is None or not ranks().is_first:
        yield None
        return
    from segcli.tensorboard import scalar_writer

    with scalar_writer(log_dir) as write:
        yield write


def _prepared(request: "Request", names: "Names | None") -> "Request":
    """Look up what only the machine can tell: the device, a compiler, the user's functions."""
    from dataclasses import replace

    from segcli.bench.measuring.environment import require_tf32
    from segcli.device import resolve_device

    if not (names or request.compiled or request.tf32):
        return request
    device = resolve_device(request.device)
    if request.tf32:
        require_tf32(device)
    if request.compiled:
        from segcli.bench.variants import require_compiler

        require_compiler(device)
    if names is None:
        return request
    from segcli.bench.imported.suite import user_suite

    return replace(request, imported=(user_suite(names, request.sizes, request.dtypes, device, request.seed),))


def _run(request: "Request", group: "Group", output: "Output") -> "Run":
    from dataclasses import replace

    from segcli.bench.news import GroupNews, headline
    from segcli.bench.results import Result
    from segcli.bench.runs import run, steps
    from segcli.progress import progress_with_news

    groups = GroupNews(request.passes)
    # One rank speaks for all.
    heard = output if group.ranks.is_first else replace(output, quiet=True)
    with progress_with_news("kernels compared and timed", steps(request), heard) as news:

        def found(result: Result) -> None:
            news.latest(headline(result))
            line = groups.take(result)
            if line:
                news.line(line)

        done = run(request, news.advance, found=found, group=group)
        if last := groups.end():
            news.line(last)
    return done


def _tell(found: "Run", wishes: _Wishes, write: "Callable[[str, float, int], None] | None", output: "Output") -> None:
    from segcli.emit import note

    for warning in found.warnings:
        note(warning, output)
    with unheard() if output.file is not None else nullcontext():
        # First: what cannot be written besides must not cost the result.
        _write(found, output)
    if write is not None:
        from segcli.bench.logs import log_run

        log_run(found, write)
        note(f"scalars are in {wishes.log_dir}: tensorboard --logdir {wishes.log_dir}", output)
    if wishes.plot is not None:
        from segcli.bench.reporting.roofline import write_roofline

        write_roofline(found, wishes.plot, force=output.force)
        note(f"the roofline is drawn in {wishes.plot}", output)


def _write(found: "Run", output: "Output") -> None:
    """Write a run where it was asked for; where that fails (a full disk, say), show at least what took so long."""
    from dataclasses import replace

    from segcli.bench.records import run_records
    from segcli.bench.report import run_tables
    from segcli.emit import emit
    from segcli.errors import SegcliError

    def write(where: "Output") -> None:
        emit("bench", found, lambda: run_tables(found), where, records=lambda: run_records(found))

    try:
        write(output)
    except SegcliError:
        write(replace(output, file=None))
        raise


def _own(imports: list[str] | None, setup: str, reference: str, nproc: int) -> "Names | None":
    from segcli.errors import SegcliError

    if not imports:
        for option, given in (("--setup", setup), ("--reference", reference)):
            if given:
                message = f"{option} {given} was given without a kernel"
                raise SegcliError(message, hint="name one with --import")
        return None
    if nproc > 1:
        message = f"--import and --nproc {nproc} were both given, and only collectives are timed by several processes"
        raise SegcliError(message, hint="leave one of them out")
    twice = next((name for name in imports if imports.count(name) > 1), None)
    if twice is not None:
        message = f"--import {twice} was given twice"
        raise SegcliError(message, hint="name each kernel once; two runs of one are held against each other by compare")
    from segcli.bench.imported.suite import Names

    return Names(tuple(imports), setup, reference)


app.command("ceiling")(ceiling)
app.command("report")(report)
app.command("compare")(compare)
