"""``segcli ckpt merge``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcli.ckpt.options import DryRun, keys_option
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.ckpt.merging.merge import Advance, Merge
    from segcli.ckpt.merging.weights import Weights
    from segcli.emit import Output


@with_output
def merge(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SRC...", help="Checkpoints; for --join also an .index.json of shards.")
    ],
    *,
    into: Annotated[
        Path, typer.Option("--into", metavar="DST", help="Where to write the result, as a zip checkpoint.")
    ],
    average: Annotated[bool, typer.Option("--average", help="The mean of the files (SWA).")] = False,
    ema: Annotated[
        float | None,
        typer.Option("--ema", metavar="DECAY", help="An exponential moving average over the files, in their order."),
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="All keys of the files in one: shards.")] = False,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="W,...", help="With --average: what each file weighs.")
    ] = None,
    keys: Annotated[
        list[str] | None, keys_option("With --average and --ema: only these keys, the others are the last file's.")
    ] = None,
    dry_run: DryRun = False,
    output: "Output",
) -> None:
    """Make one checkpoint of several: their average, or their keys joined.

    Floating and complex tensors are averaged in float64; integers, such as num_batches_tracked, quantized tensors and
    all that is no tensor are the last file's. Files must agree in keys, shapes, dtypes and ties.

    Examples:

    [bold]segcli ckpt merge epoch_*.pth --average --into swa.pth[/]
    [bold]segcli ckpt merge 1.pth 2.pth 3.pth --ema 0.9 --into ema.pth[/]
    [bold]segcli ckpt merge pytorch_model-*.bin --join --into model.pth[/]
    [bold]segcli ckpt merge model.safetensors.index.json --join --into model.pth[/]
    """
    from segcli.ckpt.merging.report import merge_tables
    from segcli.ckpt.sources import bytes_of, matching
    from segcli.emit import emit
    from segcli.errors import SegcliError
    from segcli.progress import progress

    if (average + (ema is not None) + join) != 1:
        message = "expected one of --average, --ema and --join"
        raise SegcliError(message)
    if weights is not None and not average:
        message = "--weights is given without --average"
        raise SegcliError(message)
    if keys and join:
        message = "--keys is given with --join, expected it with --average or --ema"
        raise SegcliError(message)
    sources = [one for source in sources for one in matching(source)]
    promised: dict[Path, frozenset[str]] = {}
    if join:
        from segcli.ckpt.merging.shards import shards

        found = shards(sources)
        sources, promised = list(found.files), found.promised
    total = sum(map(bytes_of, sources if join else sources[-1:]))
    average_of = None if join else _weights(len(sources), weights, ema)
    with progress("written", total, output, in_bytes=True) as advance:
        if average_of is None:
            result = _joined(sources, into, promised, output, advance, dry_run=dry_run)
        else:
            result = _averaged(sources, into, average_of, keys or [], output, advance, dry_run=dry_run)
    emit("ckpt.merge", result, lambda: merge_tables(result), output)


def _weights(count: int, weights: str | None, ema: float | None) -> "Weights":
    from segcli.ckpt.merging.weights import average_weights, ema_weights, parse_weights

    return average_weights(count, parse_weights(weights or "")) if ema is None else ema_weights(count, ema)


def _joined(
    sources: list[Path],
    into: Path,
    promised: dict[Path, frozenset[str]],
    output: "Output",
    advance: "Advance",
    *,
    dry_run: bool,
) -> "Merge":
    from segcli.ckpt.merging.joining import join

    return join(sources, into, promised=promised, force=output.force, dry_run=dry_run, advance=advance)


def _averaged(
    sources: list[Path],
    into: Path,
    weights: "Weights",
    keys: list[str],
    output: "Output",
    advance: "Advance",
    *,
    dry_run: bool,
) -> "Merge":
    from segcli.ckpt.merging.averaging import average

    return average(sources, into, weights, keys=keys, force=output.force, dry_run=dry_run, advance=advance)
