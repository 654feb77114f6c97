"""What ``-O`` says, in Hydra's own grammar: a value, a choice of a group, a sweep, a deletion."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from segcli.composing.schema import Schema
from segcli.composing.tree import Tree, no_choice
from segcli.errors import SegcliError

# A sweep is shown as a table; one longer than this is a slip of the keyboard: range(0,1e9).
_MAX_SWEPT = 10_000
# A message stays on one line.
_MAX_SHOWN = 60
_FORMS = "write it as KEY=VALUE, GROUP=CHOICE or ~KEY; put a value with = ( ) or blanks at its ends in quotes within it"

# Hydra publishes no types.
_Override = Any


@dataclass(frozen=True)
class Overrides:
    """What the ``-O`` of a command line ask for.

    Attributes:
        lines: For Hydra, keys in full.
        swept: The values, as text, of each key that is swept.
        written: What the person wrote, by key.
    """

    lines: tuple[str, ...]
    swept: Mapping[str, tuple[str, ...]]
    written: Mapping[str, str]


def read_overrides(written: tuple[str, ...], schema: Schema, tree: Tree) -> Overrides:
    """Sort overrides into what Hydra composes and what the command sweeps itself.

    Args:
        written: As they stood on the command line.
        schema: The command's keys.
        tree: Where groups and their choices lie.

    Raises:
        SegcliError: For what Hydra's grammar does not hold, unknown keys, groups and choices, and sweeps over what
            cannot be swept.
    """
    lines: list[str] = []
    swept: dict[str, tuple[str, ...]] = {}
    keys: dict[str, str] = {}
    for text in written:
        override = _parse(text)
        group = override.key_or_group
        if tree.is_group(group):
            _check_choice(override, tree)
            lines.append(text)
            continue
        key = _known_key(override, schema, tree)
        keys[key] = text
        if override.is_sweep_override():
            swept[key] = _swept(override, key, schema)
        else:
            lines.append(_line(override, key))
    return Overrides(tuple(lines), swept, keys)


def _parse(text: str) -> _Override:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(text)
    except (HydraException, RecursionError) as error:
        shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
        message = f"-O {shown} is not in Hydra's grammar of overrides"
        raise SegcliError(message, hint=_FORMS) from error


def _check_choice(override: _Override, tree: Tree) -> None:
    group, value = override.key_or_group, override.value()
    if override.is_sweep_override():
        message = f"-O {override.input_line} sweeps over files, and only single options can be swept"
        raise SegcliError(message, hint="run the command once for each")
    choices = value if isinstance(value, list) else [value]
    if override.is_delete() and value is None:
        return
    for choice in choices:
        if not isinstance(choice, str):
            message = f"-O {override.input_line} names no choice of {group}"
            raise SegcliError(message, hint=f"known: {', '.join(tree.choices(group))}; ~{group} leaves it out")
        if not tree.file(f"{group}/{choice.removesuffix('.yaml')}").exists():
            raise no_choice(tree, group, choice)


def _known_key(override: _Override, schema: Schema, tree: Tree) -> str:
    given = override.key_or_group
    if given in schema.groups and isinstance(override.value(), dict):
        return str(given)
    key = schema.full_key(given)
    if key is None or override.package is not None:
        message = f"-O {override.input_line} names an unknown key {given!r}"
        raise SegcliError(message, hint=nearest_key(given, schema, tree))
    return key


def nearest_key(given: str, schema: Schema, tree: Tree) -> str:
    """Return a hint that names the keys and groups nearest to an unknown one, whatever group it was put into."""
    from difflib import get_close_matches

    keys = {key.rpartition(".")[2]: key for key in schema.options} | {group: group for group in tree.groups()}
    close = get_close_matches(given.rpartition(".")[2], keys, n=3)
    if not close:
        return "--show-config writes every key"
    return f"did you mean {' or '.join(keys[name] for name in close)}?"


def _line(override: _Override, key: str) -> str:
    """Return an override for Hydra: options that a tree does not mention are set all the same, so all are forced."""
    _, equals, value = override.input_line.partition("=")
    return f"~{key}{equals}{value}" if override.is_delete() else f"++{key}={value}"


def _swept(override: _Override, key: str, schema: Schema) -> tuple[str, ...]:
    if key not in schema.sweepable:
        can = f"only {', '.join(schema.sweepable)} can be" if schema.sweepable else "this command sweeps nothing"
        message = f"-O {override.input_line} sweeps over {key}; {can}"
        raise SegcliError(message, hint=f"for one value with commas, put it in brackets: -O '{key}=[a,b]'")
    if not override.is_discrete_sweep() or type(override.value()).__name__ == "Glob":
        message = f"-O {override.input_line} does not say which values, expected a list or a range"
        raise SegcliError(message, hint=f"write it as {key}=0.5,0.6 or {key}=range(0.5,0.9,0.1)")
    values = tuple(islice(_values(override), _MAX_SWEPT + 1))
    if not 0 < len(values) <= _MAX_SWEPT:
        many = f"more than {_MAX_SWEPT:,}" if values else "no"
        message = f"-O {override.input_line} gives {many} values"
        raise SegcliError(message)
    for value in values:
        # The command's own option takes sweeps as NAME=V,V and NAME=START:STOP:STEP.
        if re.search(r"[,:\[{]", value):
            message = f"-O {override.input_line} sweeps over {value!r}, expected single numbers or words"
            raise SegcliError(message)
    return values


def _values(override: _Override) -> Iterator[str]:
    sweep = override.value()
    if override.is_range_sweep() and not sweep.step:
        return iter(())
    # A range is counted up as it is, and not shuffled first: a grid has no order.
    values = sweep.range() if override.is_range_sweep() else sweep.list
    return (_text(value) for value in values)


def _text(value: object) -> str:
    # Twelve digits: Hydra's ranges add their step up in binary.
    return f"{value:.12g}" if isinstance(value, float) else str(getattr(value, "text", value))
