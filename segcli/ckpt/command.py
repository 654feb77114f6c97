"""``segcli ckpt``: checkpoints moved, looked into, checked, shrunk, compared and merged."""

import typer

from segcli.ckpt.conversion.command import convert
from segcli.ckpt.difference.command import diff
from segcli.ckpt.inspection.command import inspect
from segcli.ckpt.merging.command import merge
from segcli.ckpt.stripping.command import strip
from segcli.ckpt.verification.command import verify

app = typer.Typer(rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def ckpt(context: typer.Context) -> None:
    """Move, check, shrink and compare PyTorch checkpoints, without torch, a GPU, or running what they say.

    Examples:

    [bold]segcli ckpt inspect model.pth[/]                         what is inside
    [bold]segcli ckpt verify model.pth[/]                          is it whole, and safe to load?
    [bold]segcli ckpt convert gpu.pth cpu.pth --to cpu[/]          loads anywhere
    [bold]segcli ckpt strip last.pth net.pth --weights-only[/]     without the optimizer
    [bold]segcli ckpt diff a.pth b.pth[/]                          what training changed
    [bold]segcli ckpt merge *.pth --average --into swa.pth[/]      the mean of several
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("convert")(convert)
app.command("inspect")(inspect)
app.command("verify")(verify)
app.command("strip")(strip)
app.command("diff")(diff)
app.command("merge")(merge)
