"""The front door: mounts the five commands, global options, and the one error boundary."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from segcli import __version__
from segcli.bench.command import app as bench
from segcli.ckpt.command import app as ckpt
from segcli.errors import ExitCode, SegcliError
from segcli.loss.command import loss
from segcli.params.command import app as params
from segcli.shapes.arguments import ExpressionCommand
from segcli.shapes.command import shapes

_MIN_WIDTH, _MAX_WIDTH = 20, 9_999

app = typer.Typer(
    name="segcli",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("shapes", cls=ExpressionCommand)(shapes)
app.add_typer(params, name="params")
app.command("loss")(loss)
app.add_typer(bench, name="bench")
app.add_typer(ckpt, name="ckpt")


def _version(*, wanted: bool) -> None:
    if not wanted:
        return
    # Here, and not above: no command needs it, and it takes a tenth of a command's start.
    from importlib import metadata

    try:
        # The installed package's metadata: importing torch takes more than a second.
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = "not installed"
    typer.echo(f"segcli {__version__}\nPython {sys.version.split()[0]}\ntorch {torch}")
    raise typer.Exit


@app.callback(invoke_without_command=True)
def front_door(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the versions and exit."),
    ] = False,
) -> None:
    r"""A toolbox for people who train segmentation networks in PyTorch.

    Examples:

    [bold]segcli shapes 'src\[a, b, :]' src=8,16,3 a=4,5 b=4,5[/]   what shape, and why
    [bold]segcli params[/]                                        what each layer costs
    [bold]segcli loss logits.pt labels.pt[/]                      which loss says what
    [bold]segcli bench[/]                                         how fast kernels run
    [bold]segcli ckpt convert gpu.pth cpu.pth --to cpu[/]         loads anywhere
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: the boundary where every error becomes a message.

    Args:
        argv: The arguments after the program's name.
    """
    if sys.stderr is None:  # closed by the caller: there is nobody to complain to
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - open until the process ends
    _drop_absurd_width()
    code = _guarded(argv)
    _settle_streams()
    return code


def _guarded(argv: Sequence[str]) -> int:
    try:
        _prepare_stdout()
        # Not standalone: usage errors come up as exceptions and are printed in the form of all other errors.
        code = app(args=list(argv), prog_name="segcli", standalone_mode=False)
    except SystemExit as exit_:
        return _exit_code(exit_)
    except BaseException as error:  # noqa: BLE001 - the boundary: what it does not know is reported as a bug
        return _report(error)
    if code == ExitCode.INTERRUPTED:
        # Typer turns Ctrl-C into this code without a word.
        return _report(typer.Abort())
    return int(code or ExitCode.DONE)


def _drop_absurd_width() -> None:
    """Forget a COLUMNS that no terminal has: layouts of that width would be empty, or would never end."""
    width = os.environ.get("COLUMNS", "")
    plausible = len(width) <= len(str(_MAX_WIDTH)) and width.isascii() and width.isdigit()
    if width and not (plausible and _MIN_WIDTH <= int(width) <= _MAX_WIDTH):
        del os.environ["COLUMNS"]


def _prepare_stdout() -> None:
    if sys.stdout is None:
        message = "standard output is closed"
        raise SegcliError(message, hint="write to a file with -o, or to /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name in a checkpoint may hold what the terminal's encoding cannot say.
        sys.stdout.reconfigure(errors="backslashreplace")


def _settle_streams() -> None:
    """Drop what the streams would not take: the interpreter flushes them at exit, and would complain there."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _exit_code(exit_: SystemExit) -> int:
    """Tell Typer's own exits apart: after shell completion, and where the reader of stdout went away."""
    if isinstance(exit_.__context__, BrokenPipeError):
        return ExitCode.BROKEN_PIPE
    return exit_.code if isinstance(exit_.code, int) else ExitCode.DONE


def _report(error: BaseException) -> int:
    from segcli.emit import complain

    match error:
        case SegcliError():
            complain(error.message, error.hint)
            return error.code
        case typer.TyperException():
            complain(_sentence(error.format_message()), _usage_hint(error))
        case typer.Abort():
            complain("interrupted")
            return ExitCode.INTERRUPTED
        case OSError():
            complain(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        case MemoryError():
            complain("out of memory", hint="use a smaller batch, size or file")
        case _:
            return _bug(error)
    return ExitCode.USAGE


def _bug(error: BaseException) -> int:
    import traceback

    from segcli.emit import complain

    traceback.print_exception(error)
    complain(
        f"this is a bug in segcli {__version__}: {type(error).__name__}: {error}",
        hint="report it with the traceback above and the command",
    )
    return ExitCode.BUG


def _sentence(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".") if message else "bad usage"


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"try '{context.command_path} --help'" if context is not None else "try 'segcli --help'"
