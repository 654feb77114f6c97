"""``segcli bench ceiling``: the most that this machine does."""

from typing import TYPE_CHECKING, Annotated

import typer

from segcli.bench.spelling import split_names
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output


@with_output
def ceiling(
    *,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:N, or auto for the best there is.")] = "cpu",
    dtype: Annotated[
        str,
        typer.Option("--dtype", metavar="NAME,...", help="Of computing: float32, float64, bfloat16, float16."),
    ] = "float32",
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of torch's kernels.")] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="How long to measure, about.")] = 10.0,
    output: "Output",
) -> None:
    """Measure the ceilings that kernels are compared with: bandwidth, computing, the smallest call.

    Bandwidth is that of copy_, a sum and fill_, through arrays up to four last-level caches.
    Computing is the best of matrix products and convolutions. All take turns; of all rounds the best counts.

    Examples:

    [bold]segcli bench ceiling[/]
    [bold]segcli bench ceiling --dtype float32,bfloat16 --threads 1[/]
    [bold]segcli bench ceiling --device cuda --json -o ceilings.json[/]
    """
    from segcli.bench.ceilings.finding import find_ceilings
    from segcli.bench.ceilings.report import ceiling_records, ceiling_tables
    from segcli.emit import emit, note
    from segcli.progress import progress

    dtypes = split_names(dtype)
    with progress("% of the time", 100, output) as advance:
        shown = 0

        def show(share: float) -> None:
            nonlocal shown
            advance(int(100 * share) - shown)
            shown = int(100 * share)

        found = find_ceilings(device, dtypes, threads, seconds, advance=show)
    for warning in found.warnings:
        note(warning, output)
    emit("bench.ceiling", found, lambda: ceiling_tables(found), output, records=lambda: ceiling_records(found))
