"""Option defaults from a YAML file.

The file has a section a command, and a section within it a subcommand; a key is a long option without its dashes::

    loss:
      thresh: 0.6
      sweep: [gamma=1:3:0.5, "n_min=1/64,1/16"]
    ckpt:
      convert:
        to: cpu
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from segcli.errors import SegcliError, nearest
from segcli.files import check_source
from segcli.optionvalues import default_of, option_name

# A file of options is a page or two; a device without an end is none.
_MAX_BYTES = 1_000_000


class ContextLike(Protocol):
    """What is read of Typer's context: the chain of commands that leads here."""

    info_name: str | None

    @property
    def parent(self) -> Any:  # noqa: ANN401 - another context, or None at the root
        """The context of the group that holds this command."""

    def find_root(self) -> Any:  # noqa: ANN401 - another context
        """Return the context of ``segcli`` itself."""

    @property
    def command(self) -> Any:  # noqa: ANN401 - Typer vendors the class, so it has no public name
        """The command itself."""


def read_config(path: Path, context: ContextLike) -> dict[str, Any]:
    """Read the section of ``path`` that belongs to the command of ``context``, as its defaults.

    Keys are checked against the command's options and values against their types.

    Args:
        path: The file.
        context: Of the command.

    Returns:
        What Typer takes as ``default_map``: values by the names of parameters.

    Raises:
        SegcliError: Where the file cannot be read, is no YAML mapping, names an unknown command or option, or gives an
            option a value that it does not take.
    """
    section = load_mapping(path)
    _refuse_unknown(path, section, _subcommands(context.find_root().command), "command")
    known: dict[str, Any] = {}
    for step in _chain(context):
        section = _section(path, section, str(step.info_name))
        known = {option_name(parameter): parameter for parameter in step.command.params if _is_option(parameter)}
        _refuse_unknown(path, section, [*known, *_subcommands(step.command)], "option")
    given = {key: value for key, value in _normal(section).items() if key in known}
    return {
        known[key].name: default_of(known[key], value, f"'--{key}' in {path}", context) for key, value in given.items()
    }


def load_mapping(path: Path) -> Mapping[str, Any]:
    """Read a YAML file of option names with values; one with comments alone is an empty one.

    Raises:
        SegcliError: Where ``path`` cannot be read, is longer than a megabyte, or is no YAML mapping of names.
    """
    import yaml

    check_source(path, pipes=True)
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        message = f"{path} has more than {_MAX_BYTES:,} bytes, expected a file of options"
        raise SegcliError(message)
    try:
        content = yaml.safe_load(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        message = f"{path} is not YAML: {' '.join(str(error).split())}"
        raise SegcliError(message) from error
    if content is None:
        return {}
    return _mapping(path, content, "")


def _chain(context: ContextLike) -> list[ContextLike]:
    """Return the contexts from the first subcommand down to ``context``, the root left out."""
    chain: list[ContextLike] = []
    step: ContextLike | None = context
    while step is not None and step.parent is not None:
        chain.insert(0, step)
        step = step.parent
    return chain


def _section(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _mapping(path, content.get(name, {}), name)


def _mapping(path: Path, content: object, name: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        where = f"section {name} of {path}" if name else str(path)
        message = f"{where} holds {type(content).__name__}, expected option names with values"
        raise SegcliError(message, hint="for example: 'loss: {thresh: 0.6}'")
    return content


def _refuse_unknown(path: Path, section: Mapping[str, Any], known: list[str], kind: str) -> None:
    for key in _normal(section):
        if key not in known:
            message = f"{path} names an unknown {kind} {key!r}"
            raise SegcliError(message, hint=nearest(key, known))


def _normal(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in section.items()}


def _subcommands(command: object) -> list[str]:
    return sorted(getattr(command, "commands", {}))


def _is_option(parameter: Any) -> bool:  # noqa: ANN401 - Typer's parameter classes have no public names
    return parameter.param_type_name == "option" and parameter.name not in ("config", "help")
