"""The keys that a tree may hold: derived from the command's own options, so that the two cannot drift apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segcli.optionvalues import Parameter, option_name

# What says where defaults come from is itself no default.
_NO_KEYS = ("config", "config_dir", "config_name", "override", "show_config", "help")


@dataclass(frozen=True)
class Composition:
    """How a command's options are grouped in a tree, and which of them can be swept.

    Attributes:
        groups: The names of the command's parameters by group; those of no group stand at the tree's root.
        sweep_option: The parameter that takes sweeps, as a list of ``NAME=V,V``; empty where there is none.
        sweepable: The parameters that it takes.
    """

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sweep_option: str = ""
    sweepable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The keys of one command.

    Attributes:
        options: Typer's parameters by key: ``loss.thresh``, ``workers``.
        groups: The names before the dots.
        sweep_option: The parameter that takes sweeps, or None.
        sweepable: The keys that it takes.
    """

    options: Mapping[str, Parameter]
    groups: tuple[str, ...]
    sweep_option: Parameter | None
    sweepable: tuple[str, ...]

    def full_key(self, key: str) -> str | None:
        """Return the key that ``key`` is, or ends: no two options of a command have one name."""
        if key in self.options:
            return key
        return next((full for full in self.options if full.rpartition(".")[2] == key), None)

    def of_group(self, group: str) -> list[str]:
        """Return the keys of a group, without its name."""
        return [key.removeprefix(f"{group}.") for key in self.options if key.startswith(f"{group}.")]

    def nested_defaults(self) -> dict[str, Any]:
        """Return the options' own defaults as a tree, for interpolations that name them."""
        return nested({key: _plain(parameter.default) for key, parameter in self.options.items()})


def derive(command: Any, composition: Composition) -> Schema:  # noqa: ANN401 - Typer's command has no public name
    """Return the keys of a command: its long options, dashes as underscores, and its arguments, in their groups."""
    group_of = {name: group for group, names in composition.groups.items() for name in names}
    options = {
        _key(group_of.get(parameter.name), parameter): parameter
        for parameter in command.params
        if parameter.name not in _NO_KEYS
    }
    by_name = {parameter.name: key for key, parameter in options.items()}
    return Schema(
        options=options,
        groups=tuple(composition.groups),
        sweep_option=options[by_name[composition.sweep_option]] if composition.sweep_option else None,
        sweepable=tuple(by_name[name] for name in composition.sweepable),
    )


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put values by dotted keys into mappings of mappings, those of no group first.

    Examples:
        >>> nested({"loss.thresh": 0.7, "workers": 4, "loss.n_min": "1/16"})
        {'workers': 4, 'loss': {'thresh': 0.7, 'n_min': '1/16'}}
    """
    tree: dict[str, Any] = {key: value for key, value in values.items() if "." not in key}
    for key, value in values.items():
        group, dot, name = key.partition(".")
        if dot:
            tree.setdefault(group, {})[name] = value
    return tree


def _key(group: str | None, parameter: Parameter) -> str:
    name = option_name(parameter).replace("-", "_")
    return f"{group}.{name}" if group else name


def _plain(default: object) -> object:
    if isinstance(default, bool | int | float | str):
        return default
    if isinstance(default, list | tuple):
        return [_plain(item) for item in default]
    return None if default is None else str(default)
