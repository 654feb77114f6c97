"""Option defaults from a YAML file.

The file has a section a command, and a section within it a subcommand; a key is a long option without its dashes::

    loss:
      thresh: 0.6
    ckpt:
      convert:
        to: cpu
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from segcli.errors import SegcliError, nearest
from segcli.files import check_source

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

    Keys are checked against the command's options and values against their types, the latter by Typer.

    Raises:
        SegcliError: Where the file cannot be read, is no YAML mapping, or names an unknown command or option.
    """
    section = _load(path)
    _refuse_unknown(path, section, _subcommands(context.find_root().command), "command")
    known: dict[str, Any] = {}
    for step in _chain(context):
        section = _section(path, section, str(step.info_name))
        known = {_option_name(parameter): parameter for parameter in step.command.params if _is_option(parameter)}
        _refuse_unknown(path, section, [*known, *_subcommands(step.command)], "option")
    given = {key: value for key, value in _normal(section).items() if key in known}
    for key, value in given.items():
        _refuse_several(path, key, value)
    return {known[key].name: _as_typed(value) for key, value in given.items()}


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    check_source(path, pipes=True)
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        message = f"{path} has more than {_MAX_BYTES:,} bytes, expected a file of options"
        raise SegcliError(message)
    try:
        content = yaml.safe_load(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
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


def _refuse_several(path: Path, key: str, value: object) -> None:
    """Refuse what is no single value: no option takes several, and Typer would make a bug of them."""
    if isinstance(value, list | Mapping):
        message = f"invalid value for '--{key}': {path} gives it a {type(value).__name__}, expected one value"
        raise SegcliError(message)


def _normal(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in section.items()}


def _subcommands(command: object) -> list[str]:
    return sorted(getattr(command, "commands", {}))


def _is_option(parameter: Any) -> bool:  # noqa: ANN401 - Typer's parameter classes have no public names
    return parameter.param_type_name == "option" and parameter.name not in ("config", "help")


def _option_name(parameter: Any) -> str:  # noqa: ANN401 - as above
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0].removeprefix("--") if long else str(parameter.name)


def _as_typed(value: object) -> object:
    """Give Typer what a person would have typed, so that its checks and messages are the same."""
    if isinstance(value, bool) or value is None:
        return value
    return str(value)
