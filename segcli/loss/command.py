"""``segcli loss``: what the losses say about saved predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output
    from segcli.loss.result import LossResult

# Shown as default and read as "not given": a list names losses that must apply, the default those that can.
_ALL = "all that apply"

_WHICH, _OF_LOSSES = "Input", "Losses"


def _complete_losses(incomplete: str) -> list[str]:
    from segcli.loss.settings import LOSSES

    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in LOSSES if name.startswith(last)]


@with_output
def loss(
    context: typer.Context,
    logits: Annotated[
        str | None, typer.Argument(metavar="LOGITS", help="File, or file:key for one of several tensors; - for stdin.")
    ] = None,
    labels: Annotated[
        str | None, typer.Argument(metavar="LABELS", help="The same, of whole numbers: logits without the class axis.")
    ] = None,
    *,
    losses: Annotated[
        str,
        typer.Option(
            "--loss",
            metavar="NAME,...",
            help="Of ce, ohem, dice, focal, bce.",
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
    gamma: Annotated[
        float, typer.Option("--gamma", help="focal: how little easy pixels count; 0 is ce.", rich_help_panel=_OF_LOSSES)
    ] = 2.0,
    alpha: Annotated[
        str | None,
        typer.Option("--alpha", metavar="A|A,...", help="focal: a weight, or one a class.", rich_help_panel=_OF_LOSSES),
    ] = None,
    smooth: Annotated[
        float, typer.Option("--smooth", help="dice: added above and below.", rich_help_panel=_OF_LOSSES)
    ] = 1.0,
    squared: Annotated[
        bool, typer.Option("--squared", help="dice: sum p^2 below, as V-Net.", rich_help_panel=_OF_LOSSES)
    ] = False,
    reduce: Annotated[
        Literal["image", "batch"],
        typer.Option("--reduce", help="dice: sums of each image, or of the batch.", rich_help_panel=_OF_LOSSES),
    ] = "image",
    absent: Annotated[
        Literal["skip", "zero", "count"],
        typer.Option(
            "--absent",
            help="dice: a class without labels is left out, is 0, or counts what was predicted.",
            rich_help_panel=_OF_LOSSES,
        ),
    ] = "skip",
    ignore_index: Annotated[
        int,
        typer.Option(
            "--ignore-index",
            min=-(2**63),
            max=2**63 - 1,
            help="The label of pixels that do not count.",
            rich_help_panel=_WHICH,
        ),
    ] = 255,
    mode: Annotated[
        Literal["auto", "multiclass", "multilabel", "binary"],
        typer.Option("--mode", help="How logits and labels belong together.", rich_help_panel=_WHICH),
    ] = "auto",
    class_names: Annotated[
        str, typer.Option("--class-names", metavar="NAME,...", help="One a class, in order.", rich_help_panel=_WHICH)
    ] = "",
    device: Annotated[
        str, typer.Option("--device", metavar="cpu|cuda|auto", help="Where to compute.", rich_help_panel=_WHICH)
    ] = "cpu",
    log_dir: Annotated[
        Path | None,
        typer.Option(
            "--log-dir", metavar="DIR", help="Write scalars for TensorBoard to DIR.", rich_help_panel="Output"
        ),
    ] = None,
    output: "Output",
) -> None:
    """Evaluate OHEM, Dice, Focal, cross-entropy and BCE on predictions that you saved.

    Files: .pt, .npy, .npz, .safetensors. Logits: (C, H, W), (N, C, H, W), (N, C, D, H, W), or binary (H, W), (N, H, W).

    Examples:

    [bold]segcli loss logits.pt labels.pt[/]                       every loss that applies
    [bold]segcli loss out.pt:logits out.pt:labels[/]               two tensors of one file
    [bold]segcli loss logits.npy labels.npy --loss ohem --thresh 0.6 --n-min 1/32[/]
    [bold]segcli loss logits.pt labels.pt --log-dir runs/val[/]    for TensorBoard too
    """
    if logits is None:
        typer.echo(context.get_help())
        return
    from segcli.emit import emit, note
    from segcli.errors import SegcliError
    from segcli.loss.evaluation import evaluate_files
    from segcli.loss.report import tables
    from segcli.loss.settings import LOSSES, LossSettings, parse_alpha, parse_losses, parse_n_min
    from segcli.progress import progress
    from segcli.tensorboard import check_folder

    if labels is None:
        message = f"LABELS is missing, expected a file beside {logits}"
        raise SegcliError(message, hint="for example: segcli loss logits.pt labels.pt")
    settings = LossSettings(
        losses=LOSSES if losses == _ALL else parse_losses(losses),
        all_that_apply=losses == _ALL,
        mode=mode,
        thresh=thresh,
        n_min=parse_n_min(n_min),
        gamma=gamma,
        alpha=parse_alpha(alpha),
        smooth=smooth,
        squared=squared,
        reduce=reduce,
        absent=absent,
        ignore_index=ignore_index,
        class_names=tuple(name.strip() for name in class_names.split(",")) if class_names else (),
    )
    if log_dir is not None:
        check_folder(log_dir)
    with progress("losses", len(settings.losses), output) as advance:
        result = evaluate_files(logits, labels, settings, device, advance)
    for line in result.notes:
        note(line, output)
    emit("loss", result, lambda: tables(result), output)
    # After the result: where the events cannot be written, that at least is said.
    if log_dir is not None:
        _log(result, log_dir)
        note(f"scalars are in {log_dir}: tensorboard --logdir {log_dir}", output)


def _log(result: "LossResult", folder: Path) -> None:
    from segcli.loss.scalars import scalars
    from segcli.tensorboard import scalar_writer

    with scalar_writer(folder) as write:
        for tag, value in scalars(result).items():
            write(tag, value, 0)
