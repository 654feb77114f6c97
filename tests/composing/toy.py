"""A command with the kinds of options that there are: numbers with bounds, choices, flags, lists, paths, arguments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from segcli.composing.options import with_composition
from segcli.options import with_output

if TYPE_CHECKING:
    from segcli.emit import Output

GROUPS = {
    "loss": ("losses", "thresh", "n_min", "gamma", "alpha", "smooth", "squared", "reduce", "absent"),
    "data": ("logits", "labels", "ignore_index", "class_names", "resize", "images"),
    "run": ("device", "workers", "over", "top", "metrics", "sweep"),
}
SWEEPABLE = ("thresh", "n_min", "gamma", "alpha", "smooth")

app = typer.Typer()
seen: list[dict[str, Any]] = []


@app.callback()
def main() -> None:
    """Keep the command's name on the command line."""


@app.command("loss")
@with_output
@with_composition(groups=GROUPS, sweep_option="sweep", sweepable=SWEEPABLE)
def loss(  # noqa: PLR0913 - an option is a parameter
    context: typer.Context,
    logits: Annotated[str | None, typer.Argument()] = None,
    labels: Annotated[str | None, typer.Argument()] = None,
    *,
    losses: Annotated[str, typer.Option("--loss", metavar="NAME,...")] = "all that apply",
    thresh: Annotated[float, typer.Option("--thresh", min=0, max=1)] = 0.7,
    n_min: Annotated[str, typer.Option("--n-min", metavar="COUNT|SHARE")] = "1/16",
    gamma: Annotated[float, typer.Option("--gamma")] = 2.0,
    alpha: Annotated[str | None, typer.Option("--alpha", metavar="A|A,...")] = None,
    smooth: Annotated[float | None, typer.Option("--smooth")] = None,
    squared: Annotated[bool, typer.Option("--squared")] = False,
    reduce: Annotated[Literal["image", "batch"], typer.Option("--reduce")] = "image",
    absent: Annotated[Literal["skip", "zero", "count"], typer.Option("--absent")] = "skip",
    ignore_index: Annotated[int, typer.Option("--ignore-index", min=-(2**63), max=2**63 - 1)] = 255,
    class_names: Annotated[str, typer.Option("--class-names", metavar="NAME,...")] = "",
    resize: Annotated[Literal["logits", "labels"] | None, typer.Option("--resize")] = None,
    images: Annotated[Path | None, typer.Option("--images")] = None,
    workers: Annotated[int, typer.Option("--workers", min=0)] = 0,
    over: Annotated[Literal["file", "all"], typer.Option("--over")] = "file",
    top: Annotated[int, typer.Option("--top", min=0)] = 10,
    metrics: Annotated[bool, typer.Option("--metrics/--no-metrics")] = True,
    sweep: Annotated[list[str] | None, typer.Option("--sweep")] = None,
    device: Annotated[str, typer.Option("--device")] = "cpu",
    output: "Output",
) -> None:
    """Keep what it was called with."""
    values = dict(locals())
    seen.append({name: value for name, value in values.items() if name not in ("context", "output")})
    assert context.info_name == "loss"
    assert output.file is None


@app.command("bare")
@with_output
@with_composition(groups={})
def bare(
    *,
    size: Annotated[int, typer.Option("--size")] = 1,
    tag: Annotated[list[str], typer.Option("--tag")] = ["a", "b"],  # noqa: B006 - Typer copies it
    output: "Output",
) -> None:
    """Group nothing, sweep nothing."""
    seen.append({"size": size, "tag": tag, "json": output.json})
