"""Which file, or which ``-O``, said a key: for messages that send a person there."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from segcli.composing.tree import Tree
from segcli.config import load_mapping
from segcli.errors import SegcliError


@dataclass(frozen=True)
class Layer:
    """One file of a composition.

    Attributes:
        config: Its place in the tree: ``loss/ohem``.
        package: Where its keys stand in what is composed: ``loss``, or nothing for the root.
    """

    config: str
    package: str = ""


def origin(key: str, layers: tuple[Layer, ...], written: Mapping[str, str], tree: Tree) -> str:
    """Return the ``-O`` that set a key, else the last file that holds it, else the main file.

    Args:
        key: In full: ``loss.thresh``.
        layers: The files, in the order in which they were laid over one another.
        written: The overrides by key.
        tree: Where the files lie.
    """
    for name in (key, key.partition(".")[0]):
        if name in written:
            return f"-O {written[name]}"
    for layer in reversed(layers):
        if _holds(layer, key, tree):
            return str(tree.file(layer.config))
    return str(tree.file(str(tree.name)))


def _holds(layer: Layer, key: str, tree: Tree) -> bool:
    below = key.split(".")
    package = layer.package.split(".") if layer.package else []
    if below[: len(package)] != package:
        return False
    content: Any = {}
    # Hydra read it, empty or not: it is only looked through again.
    with suppress(SegcliError):
        content = load_mapping(tree.file(layer.config))
    for name in below[len(package) :]:
        if not isinstance(content, Mapping) or name not in content:
            return False
        content = content[name]
    return True
