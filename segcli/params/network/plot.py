"""Draws networks, or the modules of one, by their parameters and MACs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.charts import write_chart
from segcli.counting.result import Network, Node
from segcli.errors import SegcliError
from segcli.params.network.names_in_charts import Point, write_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion, told apart by colour-blind people.
_EVALUATION, _TRAINING = "#0072b2", "#d55e00"
# Values that are further apart than by this factor are drawn by their logarithms.
_LOG_FACTOR = 20
# (name, parameters, MACs) of each point.
_Point = tuple[str, int, int]


def plot_networks(destination: Path, networks: Sequence[Network], *, depth: int = 1, force: bool = False) -> None:
    """Draw parameters against MACs: of several networks, or of one network's modules.

    Args:
        destination: A ``.png``, ``.svg`` or ``.pdf``.
        networks: The counts.
        depth: How many names down the modules of one network are.
        force: Whether to replace a file that exists.

    Raises:
        SegcliError: Where there is nothing to draw, or as `segcli.charts.check_chart`.
    """
    title, evaluated, trained = _of_modules(networks[0], depth) if len(networks) == 1 else _of_networks(networks)
    if not evaluated:
        message = "there is nothing to draw: no MACs were counted"
        raise SegcliError(message, hint="leave --plot out")
    write_chart(destination, lambda: _figure(title, evaluated, trained), force=force)


def _of_networks(networks: Sequence[Network]) -> tuple[str, list[_Point], list[_Point]]:
    evaluated = [(one.name, one.params.eval or 0, one.macs.eval) for one in networks]
    trained = [(one.name, one.params.train or 0, one.macs.train) for one in networks if one.macs.train != one.macs.eval]
    return "networks", _counted(evaluated), _counted(trained)


def _of_modules(network: Network, depth: int) -> tuple[str, list[_Point], list[_Point]]:
    nodes = [node for node in network.tree if node.depth <= depth and _is_leaf(node, network, depth) and node.params]
    # A network without modules is its only one.
    evaluated = [(node.path or network.name, node.params, node.macs.shown) for node in nodes if node.runs != "train"]
    trained = [(node.path, node.params, node.macs.train) for node in nodes if node.runs == "train"]
    return f"modules of {network.name}", _counted(evaluated), _counted(trained)


def _is_leaf(node: Node, network: Network, depth: int) -> bool:
    """Whether nothing below it is drawn."""
    inside = f"{node.path}." if node.path else ""
    return node.depth == depth or not any(one.path.startswith(inside) for one in network.tree if one is not node)


def _counted(points: Sequence[tuple[str, int, int | None]]) -> list[_Point]:
    return [(name, params, macs) for name, params, macs in points if macs is not None]


def _figure(title: str, evaluated: Sequence[_Point], trained: Sequence[_Point]) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, NullFormatter

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    for points, colour, label in ((evaluated, _EVALUATION, "in evaluation"), (trained, _TRAINING, "in training")):
        if points:
            axes.scatter([one[1] for one in points], [one[2] for one in points], color=colour, label=label)
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel("parameters")
    axes.set_ylabel("MACs of a forward pass")
    axes.margins(0.15)
    points = [*evaluated, *trained]
    axes.set_xscale(_scale([one[1] for one in points]))
    axes.set_yscale(_scale([one[2] for one in points]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(EngFormatter(sep=" "))
    if trained:
        # Beside the title, where it covers no point.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    named = [Point(*one, _EVALUATION) for one in evaluated] + [Point(*one, _TRAINING) for one in trained]
    left_out = write_names(axes, named)
    if left_out:
        axes.set_xlabel(f"parameters ({left_out} without a name, for want of room)")
    return figure


def _scale(values: Sequence[int]) -> str:
    """Return ``log`` for values of many orders of magnitude: drawn as they are, most lie on one another."""
    return "log" if min(values) > 0 and max(values) / min(values) > _LOG_FACTOR else "linear"
