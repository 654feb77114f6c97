"""``segcli loss``: what the losses say about saved predictions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segcli.composing.options import with_composition
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output
    from segcli.launch import Ranks
    from segcli.loss.preparing import Sources, Wishes
    from segcli.loss.result import LossResult
    from segcli.loss.settings import LossSettings

# Shown as default and read as "not given": a list names losses that must apply, the default those that can.
_ALL = "all that apply"

# What every rank will import.
_USED_BY_ALL = (
    "segcli.emit",
    "segcli.progress",
    "segcli.loss.measuring.measure",
    "segcli.loss.preparing",
    "segcli.loss.report",
    "segcli.loss.running",
    "segcli.loss.sources.reading",
)

_WHICH, _OF_LOSSES, _HOW, _SHOWN = "Input", "Losses", "Running", "Output"
_GROUPS = {
    "data": (
        "logits",
        "labels",
        "manifest",
        "suffixes",
        "images",
        "layout",
        "resize",
        "mode",
        "probabilities",
        "ignore_index",
        "class_names",
    ),
    "loss": (
        "losses",
        "thresh",
        "n_min",
        "semantics",
        "gamma",
        "alpha",
        "mean",
        "smooth",
        "squared",
        "reduce",
        "absent",
        "tversky_alpha",
        "tversky_beta",
        "tversky_gamma",
        "weighting",
        "lovasz_classes",
        "class_weights",
    ),
    "run": (
        "over",
        "sweep",
        "as_",
        "metrics",
        "grad",
        "top",
        "device",
        "backend",
        "workers",
        "batch_size",
        "nproc",
        "on_error",
        "per_file",
        "resume",
        "heatmap",
        "plot",
        "log_dir",
    ),
}


def _complete_losses(incomplete: str) -> list[str]:
    from segcli.loss.settings import LOSSES

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in LOSSES if name.startswith(last)]


@with_output
@with_composition(
    groups=_GROUPS,
    sweep_option="sweep",
    sweepable=("thresh", "n_min", "gamma", "alpha", "smooth", "tversky_alpha", "tversky_beta", "tversky_gamma"),
)
def loss(
    context: typer.Context,
    logits: Annotated[
        str | None,
        typer.Argument(metavar="LOGITS", help="File, or file:key for one of several tensors; a folder; - for stdin."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Argument(metavar="LABELS", help="The same, of whole numbers: logits without the class axis; PNG too."),
    ] = None,
    *,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="Pairs from a CSV or JSONL: logits, labels, name, image.",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    suffixes: Annotated[
        str,
        typer.Option(
            "--suffixes",
            metavar="A,B",
            help="What names in the two folders end in besides: _logits,_mask.",
            rich_help_panel=_WHICH,
        ),
    ] = "",
    layout: Annotated[
        Literal["NCHW", "NHWC"] | None,
        typer.Option(
            "--layout",
            help="Whether classes come before height and width, as they do without it, or last.",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    resize: Annotated[
        Literal["logits", "labels"] | None,
        typer.Option(
            "--resize",
            help="Bring these to the size of the others: logits linearly, labels to the nearest pixel.",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    mode: Annotated[
        Literal["auto", "multiclass", "multilabel", "binary"],
        typer.Option("--mode", help="How logits and labels belong together.", rich_help_panel=_WHICH),
    ] = "auto",
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="LOGITS are probabilities already.", rich_help_panel=_WHICH),
    ] = False,
    ignore_index: Annotated[
        int,
        typer.Option(
            "--ignore-index",
            help="The label of pixels that do not count.",
            rich_help_panel=_WHICH,
        ),
    ] = 255,
    class_names: Annotated[
        str, typer.Option("--class-names", metavar="NAME,...", help="One a class, in order.", rich_help_panel=_WHICH)
    ] = "",
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", metavar="DIR", help="The pictures that the network saw, for --heatmap.", rich_help_panel=_WHICH
        ),
    ] = None,
    losses: Annotated[
        str,
        typer.Option(
            "--loss",
            metavar="NAME,...|SUM",
            help="Of ce, ohem, dice, focal, bce, tversky, focal-tversky, jaccard, generalized-dice, lovasz; "
            "a sum, 'ce + 0.5*dice'; none only reads.",
            autocompletion=_complete_losses,
            rich_help_panel=_OF_LOSSES,
        ),
    ] = _ALL,
    thresh: Annotated[
        float, typer.Option("--thresh", help="ohem: hard is p(true class) below this.", rich_help_panel=_OF_LOSSES)
    ] = 0.7,
    n_min: Annotated[
        str,
        typer.Option(
            "--n-min",
            metavar="COUNT|SHARE",
            help="ohem: keep at least so many pixels, 100000, or such a share of the valid ones, 1/16 or 0.0625.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = "1/16",
    semantics: Annotated[
        Literal["exact", "notes", "bisenet", "mmseg", "hrnet", "paddle", "torchseg"],
        typer.Option("--semantics", help="ohem: whose rule, defects and all.", rich_help_panel=_OF_LOSSES),
    ] = "exact",
    gamma: Annotated[
        float, typer.Option("--gamma", help="focal: how little easy pixels count; 0 is ce.", rich_help_panel=_OF_LOSSES)
    ] = 2.0,
    alpha: Annotated[
        str | None,
        typer.Option("--alpha", metavar="A|A,...", help="focal: a weight, or one a class.", rich_help_panel=_OF_LOSSES),
    ] = None,
    mean: Annotated[
        Literal["valid", "all", "weights"] | None,
        typer.Option(
            "--mean",
            help="ce, bce, focal: divide by the valid pixels, all pixels, or their weights.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(
            "--smooth",
            help="Region losses: added above and below; 1, but 0 for generalized-dice.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = None,
    squared: Annotated[
        bool, typer.Option("--squared", help="dice, jaccard: sum p^2 below, as V-Net.", rich_help_panel=_OF_LOSSES)
    ] = False,
    reduce: Annotated[
        Literal["image", "batch"],
        typer.Option(
            "--reduce", help="Region losses, lovasz: of each image, or of the batch.", rich_help_panel=_OF_LOSSES
        ),
    ] = "image",
    absent: Annotated[
        Literal["skip", "zero", "count"],
        typer.Option(
            "--absent",
            help="Region losses: a class without labels is left out, is 0, or counts what was predicted.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = "skip",
    tversky_alpha: Annotated[
        float,
        typer.Option("--tversky-alpha", help="tversky: what a false positive costs.", rich_help_panel=_OF_LOSSES),
    ] = 0.3,
    tversky_beta: Annotated[
        float,
        typer.Option("--tversky-beta", help="tversky: what a false negative costs.", rich_help_panel=_OF_LOSSES),
    ] = 0.7,
    tversky_gamma: Annotated[
        float, typer.Option("--tversky-gamma", help="focal-tversky: the exponent.", rich_help_panel=_OF_LOSSES)
    ] = 0.75,
    weighting: Annotated[
        Literal["square", "simple", "uniform"],
        typer.Option("--weighting", help="generalized-dice: by 1/volume^2, 1/volume, 1.", rich_help_panel=_OF_LOSSES),
    ] = "square",
    lovasz_classes: Annotated[
        Literal["present", "all"] | None,
        typer.Option("--lovasz-classes", help="lovasz: which classes it is the mean of.", rich_help_panel=_OF_LOSSES),
    ] = None,
    class_weights: Annotated[
        str | None,
        typer.Option(
            "--class-weights", metavar="W,...", help="One a class; for binary two.", rich_help_panel=_OF_LOSSES
        ),
    ] = None,
    over: Annotated[
        Literal["file", "all"],
        typer.Option(
            "--over",
            help="The mean of each file's losses, or those of all pixels of all files as one batch.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = "file",
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="NAME=VALUES",
            help="Evaluate a grid in the same read: thresh=0.5:0.95:0.05, n_min=1/64,1/16. Repeatable.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = None,
    as_: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="PROJECT,...",
            help="That project's number beside ours, and why they differ here: notes, bisenet, mmseg, hrnet, paddle, "
            "torchseg, smp, monai, kornia.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = "",
    device: Annotated[
        str, typer.Option("--device", metavar="cpu|cuda|auto", help="Where to compute.", rich_help_panel=_HOW)
    ] = "cpu",
    backend: Annotated[
        Literal["auto", "eager", "compiled", "triton"],
        typer.Option("--backend", help="What computes.", rich_help_panel=_HOW),
    ] = "auto",
    workers: Annotated[
        str,
        typer.Option(
            "--workers", metavar="N|auto", help="Processes that read, and on the CPU compute.", rich_help_panel=_HOW
        ),
    ] = "auto",
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Pairs that a worker takes at once.", rich_help_panel=_HOW)
    ] = 1,
    nproc: Annotated[
        int, typer.Option("--nproc", help="Start so many processes of this command, by torchrun.", rich_help_panel=_HOW)
    ] = 1,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(
            "--on-error", help="A bad pair ends the work, or is listed at its end (exit 1).", rich_help_panel=_HOW
        ),
    ] = "stop",
    per_file: Annotated[
        Path | None,
        typer.Option(
            "--per-file", metavar="FILE", help="Append a line of JSON a pair as it is done.", rich_help_panel=_HOW
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Take up where --per-file ended.", rich_help_panel=_HOW),
    ] = False,
    metrics: Annotated[
        bool,
        typer.Option("--metrics", help="Pixel accuracy, IoU and the confusion matrix besides.", rich_help_panel=_SHOWN),
    ] = False,
    grad: Annotated[
        bool,
        typer.Option("--grad", help="The gradient's norm by class besides.", rich_help_panel=_SHOWN),
    ] = False,
    top: Annotated[
        int, typer.Option("--top", min=0, help="How many of the worst images are listed.", rich_help_panel=_SHOWN)
    ] = 10,
    heatmap: Annotated[
        Path | None,
        typer.Option(
            "--heatmap", metavar="DIR", help="Draw the pixels that ohem keeps, as PNGs.", rich_help_panel=_SHOWN
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw the sweep: .png, .svg or .pdf.", rich_help_panel=_SHOWN),
    ] = None,
    log_dir: Annotated[
        Path | None,
        typer.Option(
            "--log-dir",
            metavar="DIR",
            help="Write scalars, histograms and pictures for TensorBoard.",
            rich_help_panel=_SHOWN,
        ),
    ] = None,
    output: "Output",
) -> None:
    """Evaluate OHEM, Dice, Focal, cross-entropy and their kin on predictions that you saved.

    Files: .pt, .npy, .npz, .safetensors, and .png for labels; or two folders of them, paired by name.
    Logits: (C, H, W), (N, C, H, W), (N, C, D, H, W), or binary (H, W), (N, H, W).

    Examples:

    [bold]segcli loss logits.pt labels.pt[/]                    the usual losses
    [bold]segcli loss out.pt:logits out.pt:labels[/]            two tensors of one file
    [bold]segcli loss logits.npy labels.npy --loss ohem --thresh 0.6 --n-min 1/32[/]
    [bold]segcli loss predictions/ labels/ --metrics[/]         the worst images first
    [bold]segcli loss predictions/ labels/ --sweep thresh=0.5:0.95:0.05 --plot t.png[/]
    [bold]segcli loss logits.pt labels.pt --as smp,monai[/]     what others make of it
    [bold]segcli loss predictions/ labels/ --nproc 4 --per-file out.jsonl --resume[/]
    """
    if logits is None and manifest is None:
        typer.echo(context.get_help())
        return
    from segcli.loss.preparing import Sources, Wishes
    from segcli.loss.settings import USUAL_LOSSES, LossSettings
    from segcli.loss.spelling import parse_alpha, parse_losses, parse_n_min, parse_names, parse_numbers

    names, factors = (USUAL_LOSSES, ()) if losses == _ALL else parse_losses(losses)
    settings = LossSettings(
        losses=names,
        factors=factors,
        all_that_apply=losses == _ALL,
        mode=mode,
        from_logits=not probabilities,
        thresh=thresh,
        n_min=parse_n_min(n_min),
        semantics=semantics,
        gamma=gamma,
        alpha=parse_alpha(alpha),
        mean=mean,
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        tversky_alpha=tversky_alpha,
        tversky_beta=tversky_beta,
        tversky_gamma=tversky_gamma,
        weighting=weighting,
        lovasz_classes=lovasz_classes,
        class_weights=parse_numbers(class_weights, "--class-weights", "numbers, one a class", "1,2,0.5"),
        ignore_index=ignore_index,
        class_names=parse_names(class_names),
        backend=backend,
        over=over,
        metrics=metrics,
        gradient=grad,
    )
    wishes = Wishes(
        layout=layout or "",
        resize=resize or "",
        sweep=tuple(sweep or ()),
        projects=as_,
        device=device,
        workers=workers,
        batch_size=batch_size,
        on_error=on_error,
        per_file=per_file,
        resume=resume,
        force=output.force,
        top=top,
        heatmap=heatmap,
        plot=plot,
        log_dir=log_dir,
    )
    sources = Sources(logits or "", labels or "", manifest, parse_names(suffixes), images)
    from segcli.launch import needs_launch, relaunch, wait_asleep
    from segcli.loss.preparing import check_streams

    wait_asleep()
    check_streams(sources, nproc)
    # By now what was typed is known to be readable: where it is not, one process says so.
    if needs_launch(nproc):
        # What looks for GPUs cannot be forked.
        raise typer.Exit(relaunch(nproc, sys.argv[1:], imports=_USED_BY_ALL if device == "cpu" else ()))
    _run(sources, settings, wishes, output)


def _run(sources: "Sources", settings: "LossSettings", wishes: "Wishes", output: "Output") -> None:
    from segcli.emit import emit, note
    from segcli.errors import ExitCode
    from segcli.launch import joined, ranks
    from segcli.loss.preparing import prepare
    from segcli.loss.report import records, tables
    from segcli.loss.running import evaluate_pairs
    from segcli.progress import progress_of_files

    group_of = ranks()
    with joined(group_of, _device(wishes.device, group_of)) as group:
        _check_output(output)
        request, remarks = prepare(sources, settings, wishes)
        first = group.ranks.is_first
        n_mine = len(range(group.ranks.rank, len(request.pairs), group.ranks.world))
        with progress_of_files(n_mine if first else 0, output) as advance:
            result, outcome = evaluate_pairs(request, group, advance)
    if not first:
        return
    for line in (*remarks, *outcome.notes, *result.notes):
        note(line, output)
    emit("loss", result, lambda: tables(result), output, records=lambda: records(result))
    # After the result: where a picture cannot be drawn, that at least is said.
    _finish(result, wishes, output)
    if result.errors:
        raise typer.Exit(ExitCode.NO)


def _device(name: str, here: "Ranks") -> str:
    """Return the device's own name; where it cannot be had, one process says so."""
    if name == "cpu":
        # A file that is not there is told without torch.
        return name
    from segcli.device import resolve_device
    from segcli.errors import SegcliError

    try:
        return str(resolve_device(name))
    except SegcliError as error:
        if here.is_first:
            raise
        raise typer.Exit(error.code) from error


def _check_output(output: "Output") -> None:
    from segcli.files import check_destination

    # An hour's work is not to end at a file that is in the way.
    if output.file is not None and str(output.file) != "-":
        check_destination(output.file, force=output.force)


def _finish(result: "LossResult", wishes: "Wishes", output: "Output") -> None:
    """Draw the sweep, and say where the rest was written."""
    from segcli.emit import note

    if wishes.plot is not None:
        from segcli.loss.pictures.sweep_plot import plot_sweep

        title = f"{result.inputs.n_files} files" if result.inputs.n_files > 1 else result.inputs.logits.file
        plot_sweep(wishes.plot, result.sweep, title=title, force=output.force)
        note(f"the sweep is drawn in {wishes.plot}", output)
    if wishes.heatmap is not None:
        note(f"the hard pixels are drawn in {wishes.heatmap}", output)
    if wishes.log_dir is not None:
        note(f"scalars are in {wishes.log_dir}: tensorboard --logdir {wishes.log_dir}", output)
