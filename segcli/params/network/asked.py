"""What is asked of networks, checked before torch is imported; and their counts as plain data."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

from segcli.counting.result import Network
from segcli.errors import SegcliError, nearest
from segcli.nn.nets.registry import NETS
from segcli.nn.nets.sides import SizeError
from segcli.params.network.claims import Verdict
from segcli.params.network.values import check_count, parse_image_size, parse_input
from segcli.units import format_size

# torchvision's and most papers'.
_USUAL_SIZE = (224, 224)


def listed() -> list[tuple[str, str, str, str]]:
    """Return name, title, size and source of every network."""
    return [(info.name, info.title, format_size(info.size), info.source) for info in NETS.values()]


def published_size(name: str) -> tuple[int, int] | None:
    """Return the size for which a network's figures are published; None for one of the user's own.

    Examples:
        >>> published_size("bisenet_v2"), published_size("own_nets:Net")
        ((512, 1024), None)
    """
    return NETS[name].size if name in NETS else None


def check_names(names: Sequence[str], size: tuple[int, int] | None) -> tuple[str, ...]:
    """Return the networks that are meant, each once.

    Raises:
        SegcliError: For a name that is not known, and for a size that one of them cannot take.
    """
    for name in names:
        if name not in NETS:
            message = f"there is no network {name!r}"
            raise SegcliError(message, hint=nearest(name, list(NETS)))
        info = NETS[name]
        try:
            info.check_size(*(size or info.size))
        except SizeError as error:
            sizes = " or ".join(f"--size {format_size(one)}" for one in error.nearest)
            raise SegcliError(str(error), hint=sizes) from error
    return tuple(dict.fromkeys(names))


def inputs_of(size: str | None, batch: int, inputs: Sequence[str]) -> list[tuple[tuple[int, ...], str]]:
    """Return shape and dtype of what a network is given: an image of three channels, or what is said.

    Raises:
        SegcliError: Where both are said, or one is no shape.
    """
    check_count(batch, "--batch")
    if inputs and (size is not None or batch != 1):
        message = "--input gives whole shapes, and --size and --batch a part of one: expected one or the other"
        raise SegcliError(message, hint="--input 2x3x512x1024")
    if inputs:
        return [parse_input(text) for text in inputs]
    return [((batch, 3, *(_USUAL_SIZE if size is None else parse_image_size(size))), "float32")]


def document(networks: Sequence[Network], verdicts: Sequence[Verdict], depth: int) -> dict[str, Any]:
    """Return networks and claims as JSON has them; of each tree as many levels as were asked for."""
    plain = []
    for network in networks:
        tree = tuple(node for node in network.tree if node.depth <= depth)
        shown = asdict(replace(network, tree=tree, graph=()))
        # It is what TensorBoard shows, and far longer than the rest.
        del shown["graph"]
        plain.append(_plain(shown))
    return {"networks": plain, "claims": [asdict(verdict) for verdict in verdicts]}


def _plain(value: Any) -> Any:  # noqa: ANN401 - plain data of any kind
    """Return strides as numbers: they are whole, but for what lies between pixels."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
