"""The options that compose the others' defaults, for the commands that have them."""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segcli.composing.schema import Composition, derive, nested
from segcli.errors import SegcliError

if TYPE_CHECKING:
    from segcli.composing.composed import Composed
    from segcli.composing.schema import Schema
    from segcli.emit import Output

_PANEL = "Configuration"
# Where this very result goes.
_HERE = ("file", "force")
_NAMES = ("config_dir", "config_name", "override")


def with_composition(
    *, groups: Mapping[str, tuple[str, ...]], sweep_option: str = "", sweepable: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a Typer command ``--config-dir``, ``--config-name``, ``-O`` and ``--show-config``.

    They compose the defaults of all its other options: what stands on the command line itself wins. A key is an
    option's long name with underscores, in its group: ``loss.n_min``; arguments have keys too. Stands below
    `segcli.options.with_output`, whose options then have keys at the tree's root.

    Args:
        groups: The command's parameters, by the groups of the tree.
        sweep_option: The parameter of type ``list[str]`` that takes what ``-O thresh=0.6,0.7`` asks for, as
            ``thresh=0.6,0.7``; empty where the command sweeps nothing.
        sweepable: The parameters that can be swept.

    Raises:
        ValueError: Where a name is no parameter of the command.
    """
    composition = Composition(groups, sweep_option, sweepable)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        _check_names(composition, signature)
        options = _options(composition)
        own = [name for name in signature.parameters if name not in ("context", "output")]

        @functools.wraps(command)
        def wrapper(context: typer.Context, output: "Output", **values: Any) -> None:  # noqa: ANN401 - what the signature says
            given = {name: value for name, value in values.items() if name in own}
            _settle(context, given, composition, output)
            if values["show_config"]:
                _show(context, given, composition, output)
                return
            if "context" in signature.parameters:
                given["context"] = context
            command(**given, output=output)

        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        others = [value for name, value in signature.parameters.items() if name in own]
        keyword_only = [value.replace(kind=inspect.Parameter.KEYWORD_ONLY) for value in others]
        result = signature.parameters["output"]
        merged = signature.replace(parameters=[context, *keyword_only, *options, result])
        wrapper.__signature__ = merged  # type: ignore[attr-defined]
        return wrapper

    return decorate


def _check_names(composition: Composition, signature: inspect.Signature) -> None:
    grouped = [name for names in composition.groups.values() for name in names]
    swept = [composition.sweep_option] if composition.sweep_option else []
    unknown = [name for name in (*grouped, *swept, *composition.sweepable) if name not in signature.parameters]
    if unknown:
        message = f"no parameters of the command: {', '.join(unknown)}"
        raise ValueError(message)


def _options(composition: Composition) -> list[inspect.Parameter]:
    def applied(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:  # noqa: ANN401 - of any option
        # Typer reads eager options in the order in which they were given, then those that were not: the last one finds
        # the others read. By then --help has had its say, as --show-config is hardly ever given beside it.
        read = {**context.params, str(parameter.name): value}
        if not context.resilient_parsing and all(name in read for name in (*_NAMES, "show_config")):
            _apply(context, read, composition)
        return value

    def option(name: str, kind: object, *names: str, metavar: str, text: str) -> inspect.Parameter:
        declared = typer.Option(
            *names, metavar=metavar, help=text, is_eager=True, callback=applied, rich_help_panel=_PANEL
        )
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, declared]
        )

    show = typer.Option(
        "--show-config",
        help="Write all options as YAML, and do nothing.",
        is_eager=True,
        callback=applied,
        rich_help_panel=_PANEL,
    )
    return [
        option(
            "config_dir",
            Path | None,
            "--config-dir",
            metavar="DIR",
            text="Compose the options' defaults with Hydra, from a tree of YAML files.",
        ),
        option(
            "config_name", str | None, "--config-name", metavar="NAME", text="The tree's main file; config by default."
        ),
        option(
            "override",
            list[str] | None,
            "--override",
            "-O",
            metavar="KEY=VALUE",
            text=_override_help(composition),
        ),
        inspect.Parameter(
            "show_config", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, show]
        ),
    ]


def _override_help(composition: Composition) -> str:
    """Say what -O takes; of sweeps only where the command has them."""
    if composition.sweep_option:
        return "Set a key of the tree, choose a group's file (loss=ohem), or sweep (thresh=0.6,0.7). Repeatable."
    group = next(iter(composition.groups), "GROUP")
    return f"Set a key of the tree, or choose a group's file ({group}=FILE). Repeatable."


def _apply(context: typer.Context, read: Mapping[str, Any], composition: Composition) -> None:
    """Let a tree give the options' defaults."""
    if not any(read[name] for name in _NAMES):
        return
    if read.get("config"):
        message = "--config and --config-dir or -O were both given, expected one source of defaults"
        raise SegcliError(message, hint="make the file the main file of the tree")
    from segcli.composing.composed import compose_options
    from segcli.composing.tree import open_tree

    tree = open_tree(read["config_dir"], read["config_name"])
    composed = compose_options(tree, tuple(read["override"] or ()), _schema(context, composition), context)
    context.default_map = dict(composed.defaults)
    context.meta[_place(context)] = composed


def _settle(context: typer.Context, given: dict[str, Any], composition: Composition, output: "Output") -> None:
    """Do what the command line had to be read for: refuse what nobody gave, and keep the sweeps that -O asked for."""
    from segcli.emit import note

    composed: Composed | None = context.meta.get(_place(context))
    if composed is None:
        return
    for text in composed.notes:
        note(text, output)
    for name, where in composed.missing.items():
        if not _on_command_line(context, name):
            message = f"{where} is ???, expected a value"
            raise SegcliError(message, hint=f"give it there, with -O, or as an option of {context.command_path}")
    if composed.swept and _on_command_line(context, composition.sweep_option):
        given[composition.sweep_option] = [*given[composition.sweep_option], *composed.swept]


def _on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def _show(context: typer.Context, given: Mapping[str, Any], composition: Composition, output: "Output") -> None:
    """Write the options as a main file that says the same; those of the output where they are not the usual ones."""
    import yaml

    from segcli.emit import emit_text

    values = {
        key: _plain(given.get(option.name, context.params[option.name]))
        for key, option in _schema(context, composition).options.items()
        if option.name in given or (context.params[option.name] != option.default and option.name not in _HERE)
    }
    emit_text(yaml.safe_dump(nested(values), sort_keys=False, allow_unicode=True), output)


def _schema(context: typer.Context, composition: Composition) -> "Schema":
    return derive(context.command, composition)


def _place(context: typer.Context) -> str:
    # A group and its subcommands share what they keep.
    return f"segcli.composing: {context.command_path}"


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
