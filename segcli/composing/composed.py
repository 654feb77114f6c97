"""Composes the defaults of a command's options: Hydra makes one tree of many files, the command's schema checks it."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from segcli.composing.hydra_errors import explained, sentence, unavailable
from segcli.composing.origin import Layer, origin
from segcli.composing.overrides import Overrides, nearest_key, read_overrides
from segcli.composing.schema import Schema
from segcli.composing.tree import Tree
from segcli.errors import SegcliError
from segcli.optionvalues import default_of

_BASE = "1.3"
# What a tree leaves for the command line to say.
_MISSING = "???"


@dataclass(frozen=True)
class Composed:
    """What a tree and the overrides make of a command's options.

    Attributes:
        defaults: What Typer takes as ``default_map``: values by the names of parameters.
        swept: Sweeps as the command's own option takes them: ``thresh=0.6,0.7``.
        missing: What the tree leaves open (``???``), as messages name it, by the names of parameters.
        notes: What Hydra remarked.
    """

    defaults: Mapping[str, Any]
    swept: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tree:
    """What Hydra composed, and the files that it laid over one another."""

    config: Any
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]


def compose_options(tree: Tree, written: tuple[str, ...], schema: Schema, context: Any) -> Composed:  # noqa: ANN401 - Typer's
    """Compose a tree with overrides and check every value against the command's options.

    Nothing of Hydra runs the command: no folder is made, no logging set up, nothing that ``_target_`` names imported,
    and Hydra's global state is as it was, whatever happens.

    Args:
        tree: Of YAML files.
        written: The overrides, in the order of the command line.
        schema: The keys of the command.
        context: Typer's, of the command.

    Raises:
        SegcliError: For a tree that does not compose, and unknown keys, values and overrides; and, with exit code 3,
            where Hydra is not installed.
    """
    try:
        import hydra  # noqa: F401 - asks whether it is there; its parts are imported where they are used
    except ImportError as error:
        raise unavailable(error) from error
    overrides = read_overrides(written, schema, tree)
    composed = _compose(tree, overrides)
    given = _flat(composed.config, schema)
    named = {key: origin(key, composed.layers, overrides.written, tree) for key in given}
    _refuse_unknown(named, schema, tree)
    defaults: dict[str, Any] = {
        schema.options[key].name: default_of(schema.options[key], value, f"{key!r} in {named[key]}", context)
        for key, value in _filled_in(composed.config, given, named, schema)
        if key not in overrides.swept
    }
    swept = _sweeps(overrides, schema, context)
    if swept and schema.sweep_option is not None:
        name = schema.sweep_option.name
        defaults[name] = [*_other_sweeps(defaults.get(name), swept), *swept]
    missing = {
        schema.options[key].name: f"{key!r} in {named[key]}"
        for key, value in given.items()
        if value == _MISSING and key not in overrides.swept
    }
    return Composed(defaults, swept, missing, composed.notes)


def _compose(tree: Tree, overrides: Overrides) -> _Tree:
    from hydra import compose
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    lines = list(overrides.lines)
    try:
        # Python would print a remark of Hydra's with a line of its source.
        with warnings.catch_warnings(record=True) as remarks, _initialized(tree):
            warnings.simplefilter("always")
            config = compose(tree.name, overrides=lines)
            found = GlobalHydra.instance().config_loader().compute_defaults_list(tree.name, lines, RunMode.RUN)
    except Exception as error:
        raise explained(error, tree) from error
    layers = tuple(
        Layer(layer.config_path, layer.package or "")
        for layer in found.defaults
        if layer.config_path is not None and tree.file(layer.config_path).exists()
    )
    return _Tree(config, layers, tuple(dict.fromkeys(sentence(str(remark.message)) for remark in remarks)))


@contextmanager
def _initialized(tree: Tree) -> Iterator[None]:
    """Set Hydra up for a tree; a program that runs under Hydra itself finds its own as it was."""
    from hydra import initialize, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    standing = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        if tree.folder is None:
            with initialize(version_base=_BASE, config_path=None, job_name="segcli"):
                yield
        else:
            folder = str(tree.folder.absolute())
            with initialize_config_dir(version_base=_BASE, config_dir=folder, job_name="segcli"):
                yield
    finally:
        GlobalHydra.instance().hydra = standing


def _flat(config: Any, schema: Schema) -> dict[str, Any]:  # noqa: ANN401 - Hydra publishes no types
    """Return values by dotted keys, interpolations as they stand; a group without any is left out."""
    from omegaconf import OmegaConf

    flat: dict[str, Any] = {}
    content: Any = OmegaConf.to_container(config, resolve=False)
    for name, value in content.items():
        if name in schema.groups and value is None:
            continue
        if name in schema.groups and isinstance(value, dict):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[str(name)] = value
    return flat


def _refuse_unknown(named: Mapping[str, str], schema: Schema, tree: Tree) -> None:
    for key, where in named.items():
        if key in schema.groups:
            message = f"{where} gives the group {key!r} one value, expected options with values"
            raise SegcliError(message, hint=f"its options: {', '.join(schema.of_group(key))}")
        if key not in schema.options:
            message = f"{where} names an unknown key {key!r}"
            raise SegcliError(message, hint=nearest_key(key, schema, tree))


def _filled_in(
    config: Any,  # noqa: ANN401 - Hydra publishes no types
    given: Mapping[str, Any],
    named: Mapping[str, str],
    schema: Schema,
) -> Iterator[tuple[str, Any]]:
    """Yield keys with their values, interpolations filled in; they may name options that keep their defaults."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    whole = OmegaConf.merge(OmegaConf.create(schema.nested_defaults()), config)
    for key, raw in given.items():
        if raw == _MISSING:
            continue
        try:
            value = OmegaConf.select(whole, key)
            yield key, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except (OmegaConfBaseException, RecursionError) as error:
            words = "it names itself" if isinstance(error, RecursionError) else sentence(str(error))
            message = f"{key!r} in {named[key]} cannot be filled in: {words}"
            raise SegcliError(message) from error


def _other_sweeps(in_tree: list[str] | None, swept: tuple[str, ...]) -> list[str]:
    """Return the tree's own sweeps without those that an override replaces."""
    replaced = {text.partition("=")[0] for text in swept}
    return [text for text in in_tree or [] if text.partition("=")[0].strip().replace("-", "_") not in replaced]


def _sweeps(overrides: Overrides, schema: Schema, context: Any) -> tuple[str, ...]:  # noqa: ANN401 - Typer's
    """Return the sweeps in the spelling of the command's own option."""
    for key, values in overrides.swept.items():
        for value in values:
            default_of(schema.options[key], value, f"{key!r} in -O {overrides.written[key]}", context)
    return tuple(f"{key.rpartition('.')[2]}={','.join(values)}" for key, values in overrides.swept.items())
