"""The options that every command has, declared once."""

import functools
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segcli.config import read_config
from segcli.errors import SegcliError

if TYPE_CHECKING:
    from segcli.emit import Output

_PANEL = "Output"


def _apply_config(context: typer.Context, path: Path | None) -> Path | None:
    """Let a YAML file give the options' defaults; what stands on the command line wins."""
    if path is not None and not context.resilient_parsing:
        if any(context.params.get(name) for name in ("config_dir", "config_name", "override")):
            message = "--config and --config-dir or -O were both given, expected one source of defaults"
            raise SegcliError(message, hint="make the file the main file of the tree")
        context.default_map = read_config(path, context)
    return path


def _option(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_OUTPUT_OPTIONS = (
    _option(
        "json",
        Annotated[bool, typer.Option("--json", help="Write the result as JSON.", rich_help_panel=_PANEL)],
        default=False,
    ),
    _option(
        "csv",
        Annotated[bool, typer.Option("--csv", help="Write the main table as CSV.", rich_help_panel=_PANEL)],
        default=False,
    ),
    _option(
        "file",
        Annotated[
            Path | None,
            typer.Option(
                "--output",
                "-o",
                metavar="FILE",
                help="Write to FILE; .json and .csv choose the format.",
                rich_help_panel=_PANEL,
            ),
        ],
        default=None,
    ),
    _option(
        "force",
        Annotated[bool, typer.Option("--force", help="Replace a file that exists.", rich_help_panel=_PANEL)],
        default=False,
    ),
    _option(
        "quiet",
        Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.", rich_help_panel=_PANEL)],
        default=False,
    ),
    _option(
        "verbose",
        Annotated[
            bool, typer.Option("--verbose", "-v", help="Say more; show where an error arose.", rich_help_panel=_PANEL)
        ],
        default=False,
    ),
    _option(
        "no_color",
        Annotated[bool, typer.Option("--no-color", help="No colours; so does NO_COLOR.", rich_help_panel=_PANEL)],
        default=False,
    ),
    _option(
        "config",
        Annotated[
            Path | None,
            typer.Option(
                "--config",
                metavar="FILE",
                help="Take the options' defaults from a YAML file.",
                is_eager=True,
                callback=_apply_config,
                rich_help_panel=_PANEL,
            ),
        ],
        default=None,
    ),
)


def with_output(command: Callable[..., None]) -> Callable[..., None]:
    """Give a Typer command the output options; it takes them as one keyword, ``output``.

    The decorated function's own parameters stay as they are; ``--json``, ``--csv``, ``--output``, ``--force``,
    ``--quiet``, ``--verbose``, ``--no-color`` and ``--config`` come after them in ``--help``. A group's callback runs
    only where no subcommand follows: what stands before a subcommand would be ignored, so it is refused.
    """
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name not in ("context", "output")]

    @functools.wraps(command)
    def wrapper(context: typer.Context, **values: Any) -> None:  # noqa: ANN401 - Typer calls it with what the signature says
        if context.invoked_subcommand is not None:
            _refuse_options_before(context.invoked_subcommand, context)
            return
        output = _take_output(values)
        if "context" in signature.parameters:
            values["context"] = context
        try:
            command(**values, output=output)
        except SegcliError:
            if output.verbose:
                traceback.print_exc()
            raise

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    merged = signature.replace(parameters=[context, *parameters, *_OUTPUT_OPTIONS])
    wrapper.__signature__ = merged  # type: ignore[attr-defined]
    wrapper.__annotations__ = {name: parameter.annotation for name, parameter in merged.parameters.items()}
    return wrapper


def _refuse_options_before(subcommand: str, context: typer.Context) -> None:
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if source is not None and source.name == "COMMANDLINE":
            message = f"{parameter.opts[0]} stands before {subcommand}, expected it after"
            raise SegcliError(message, hint=f"{context.command_path} {subcommand} ... {parameter.opts[0]}")


def _take_output(values: dict[str, Any]) -> "Output":
    """Move the output options out of ``values``, refusing those that contradict."""
    from segcli.emit import Output
    from segcli.files import check_destination

    inputs = [path for value in values.values() for path in _paths_in(value)]
    values.pop("config")
    output = Output(**{option.name: values.pop(option.name) for option in _OUTPUT_OPTIONS if option.name != "config"})
    if output.json and output.csv:
        message = "--json and --csv were both given, expected one format"
        raise SegcliError(message)
    if output.file is not None and str(output.file) != "-":
        # Before the work, not after: an hour of computing is not lost to a mistyped folder.
        check_destination(output.file, force=output.force)
        _refuse_inputs(output.file, inputs)
    return output


def _paths_in(value: object) -> list[Path]:
    """Return the paths that an argument may name: itself, and what stands before the colon of ``file:key``."""
    if isinstance(value, list | tuple):
        return [path for item in value for path in _paths_in(item)]
    if not isinstance(value, str | Path):
        return []
    return [Path(value), Path(str(value).partition(":")[0])]


def _refuse_inputs(destination: Path, inputs: list[Path]) -> None:
    """Refuse to replace what the command reads or writes itself, even under ``--force``."""
    if not destination.exists():
        return
    named = [path for path in inputs if path.exists() and path.samefile(destination)]
    # --output is among the arguments, once for the value and once for its part before a colon.
    if len(named) > len(_paths_in(destination)):
        message = f"-o {destination} is a file that the command itself uses"
        raise SegcliError(message, hint="write the result to another file")
