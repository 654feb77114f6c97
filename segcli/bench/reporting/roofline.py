"""Draws a run's kernels below the roofs of their machine with matplotlib."""

from collections.abc import Sequence
from math import atan2, ceil, cos, degrees, log10, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.bench.reporting.panels import (
    COLD,
    HOT,
    Panel,
    axis_limits,
    intensity,
    label_of,
    panels,
    spread,
)
from segcli.bench.results import Result
from segcli.bench.runs import Run
from segcli.charts import write_chart
from segcli.errors import SegcliError
from segcli.units import format_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

# Okabe and Ito's vermilion and blue, told apart by colour-blind people.
_COLOURS = {HOT: "#d55e00", COLD: "#0072b2"}
_MARKERS = {"": "o", "channels-last": "s", "compiled": "^"}
_OTHER_MARKER = "D"
_ROOF, _FAINT, _LEADER = "#3c3c46", "#a9a9b4", "#c4c4cc"
_STYLE: dict[str, Any] = {
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "grid.color": "#ececf0",
}
_MAX_COLUMNS = 3
_MAX_PANELS = 36
_PANEL_INCHES = 4.9, 3.3
# Below a span of so much, powers of ten alone would be too few marks.
_FEW_DECADES = 300
# A line of labels takes this share of a panel's height.
_LABEL_GAP = 0.058
_LABEL_SIZE = 7.0
_SIZE = 34.0


def write_roofline(run: Run, destination: Path, *, force: bool = False) -> None:
    """Draw FLOP/s over FLOPs a byte, with what memory, caches and computing allow at most.

    A panel holds the kernels of one suite, mode, size and dtype; hot and cold calls of a kernel are joined by a line.
    Kernels that compute nothing have panels of bytes/s.

    Args:
        run: What was timed.
        destination: A ``.png``, ``.svg`` or ``.pdf``, whose bytes depend on the run and matplotlib's version alone.
        force: Whether to replace a file that exists.

    Raises:
        SegcliError: As `segcli.charts.check_chart`, and where there is nothing to draw, or too much.
    """
    arranged = panels(run)
    if not 0 < len(arranged) <= _MAX_PANELS:
        what = "no kernel that ceilings bound was timed" if not arranged else f"the run makes {len(arranged)} panels"
        message = f"{what}, expected 1 to {_MAX_PANELS} panels of a roofline"
        raise SegcliError(message, hint="choose with --suite, --kernel, --size and --dtype")
    write_chart(destination, lambda: _figure(arranged, _title(run)), style=_STYLE, force=force)


def _title(run: Run) -> str:
    where = run.environment
    threads = f"{where.threads} thread{'s' if where.threads > 1 else ''}"
    machine = where.gpu.name if where.gpu else f"{where.cpu}, {threads}"
    said = "" if run.ceilings else "; no ceilings were measured"
    return f"Roofline: {machine}, torch {where.torch}{said}"


def _figure(arranged: Sequence[Panel], title: str) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    n_columns = min(_MAX_COLUMNS, len(arranged))
    n_rows = ceil(len(arranged) / n_columns)
    width, height = _PANEL_INCHES
    figure = Figure(
        figsize=(width * n_columns, height * n_rows + 0.7), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    )
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, horizontalalignment="left")
    cells = figure.subplots(n_rows, n_columns, squeeze=False).ravel().tolist()
    slanted: list[Annotation] = []
    for axes, panel in zip(cells, arranged, strict=False):
        axes.set_title(panel.title)
        if panel.has_flops:
            slanted += _draw_roofline(axes, panel)
        else:
            _draw_rates(axes, panel)
    for axes in cells[len(arranged) :]:
        axes.remove()
    _add_legend(figure, arranged)
    # How steep a roof looks is known once the panels have their places.
    figure.draw_without_rendering()
    for text in slanted:
        _lay_along(text)
    return figure


def _draw_roofline(axes: "Axes", panel: Panel) -> list["Annotation"]:
    """Draw a panel, and return the roofs' names, which are still to be laid along them."""
    xs = [intensity(result) for result in panel.results]
    ys = [_flops_per_s(result) for result in panel.results]
    peak = panel.flops_per_s
    ridges = [peak / roof.bytes_per_s for roof in panel.roofs] if peak else []
    axes.set(xscale="log", yscale="log", xlabel="FLOPs a byte", ylabel="FLOP/s")
    left, right = axis_limits([*xs, *ridges[:1]], 2.5)
    reached = [roof.bytes_per_s * min(xs) for roof in panel.roofs]
    axes.set_xlim(left, right)
    axes.set_ylim(*axis_limits([*ys, *([peak] if peak else reached)], 2.0))
    _name_powers(axes.yaxis, "FLOP/s")
    _name_powers(axes.xaxis)
    slanted = [_draw_roof(axes, panel, place) for place in range(len(panel.roofs))]
    if peak:
        start = ridges[-1] if ridges else left
        axes.plot([min(start, right), right], [peak, peak], color=_ROOF, linewidth=1.6, zorder=2)
        words = f"matmul {format_rate(peak, 'FLOP/s')}"
        axes.annotate(
            words, (1, peak), xycoords=("axes fraction", "data"), xytext=(-2, 3), textcoords="offset points",
            ha="right", fontsize=6.5, color=_ROOF,
        )  # fmt: skip
    _draw_points(axes, panel, xs, ys)
    return slanted


def _draw_roof(axes: "Axes", panel: Panel, place: int) -> "Annotation":
    """Draw the roof of a bandwidth up to that of computing, named where it enters the panel."""
    roof = panel.roofs[place]
    (left, right), low = axes.get_xlim(), axes.get_ylim()[0]
    end = min(right, panel.flops_per_s / roof.bytes_per_s) if panel.flops_per_s else right
    colour, width = _roof_look(place)
    axes.plot([left, end], [left * roof.bytes_per_s, end * roof.bytes_per_s], color=colour, linewidth=width, zorder=2)
    enters = max(left, low / roof.bytes_per_s) * 1.12
    return axes.annotate(
        f"{roof.name} {format_rate(roof.bytes_per_s, 'B/s')}", (enters, enters * roof.bytes_per_s),
        xytext=(0, 2.5), textcoords="offset points", rotation_mode="anchor", fontsize=6.5, color=colour, zorder=2,
    )  # fmt: skip


def _roof_look(place: int) -> tuple[str, float]:
    return (_ROOF, 1.6) if place == 0 else (_FAINT, 1.0)


def _lay_along(text: "Annotation") -> None:
    """Turn a roof's name along it, or leave it out where it would leave the panel."""
    axes: Any = text.axes
    angle, box = _angle(axes), axes.get_window_extent()
    start = axes.transData.transform(text.xy)
    width = text.get_window_extent().width * 1.05
    fits = start[0] + width * cos(angle) <= box.x1 and start[1] + width * sin(angle) <= box.y1
    text.set_rotation(degrees(angle))
    text.set_visible(bool(fits))


def _draw_rates(axes: "Axes", panel: Panel) -> None:
    """Draw bytes/s alone, a row a kernel, the roofs as lines across."""
    names = list(dict.fromkeys(label_of(result) for result in panel.results))
    rates = [_bytes_per_s(result) for result in panel.results]
    axes.set(xscale="log", xlabel="bytes/s, nothing to compute")
    axes.set_xlim(*axis_limits([*rates, *(roof.bytes_per_s for roof in panel.roofs)], 2.0))
    axes.set_ylim(len(names) - 0.5, -0.5 - 0.09 * len(names) * len(panel.roofs))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    _name_powers(axes.xaxis, "B/s", subs=(1.0,))
    for place, roof in enumerate(panel.roofs):
        colour, width = _roof_look(place)
        axes.axvline(roof.bytes_per_s, color=colour, linewidth=width, zorder=2)
        axes.annotate(
            f"{roof.name} {format_rate(roof.bytes_per_s, 'B/s')}", (roof.bytes_per_s, 1),
            xycoords=("data", "axes fraction"), xytext=(-3, -8 - 9 * place), textcoords="offset points",
            ha="right", fontsize=6.5, color=colour, zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
    rows = [names.index(label_of(result)) for result in panel.results]
    for row in set(rows):
        of_row = [rate for rate, place in zip(rates, rows, strict=True) if place == row]
        axes.plot([min(of_row), max(of_row)], [row, row], color=_LEADER, linewidth=1.0, zorder=3)
    for result, rate, row in zip(panel.results, rates, rows, strict=True):
        _mark(axes, result, rate, row)


def _draw_points(axes: "Axes", panel: Panel, xs: Sequence[float], ys: Sequence[float]) -> None:
    """Draw the points, and their names beside the panel, in the points' order, each joined to its point."""
    tops: dict[str, tuple[float, float, float]] = {}
    for result, x, y in zip(panel.results, xs, ys, strict=True):
        _mark(axes, result, x, y)
        name = label_of(result)
        _, least, most = tops.get(name, (x, y, y))
        tops[name] = x, min(least, y), max(most, y)
    low, high = axes.get_ylim()
    ranked = sorted(tops.items(), key=lambda item: item[1][2])
    wanted = [log10(top / low) / log10(high / low) for _, (_, _, top) in ranked]
    for (name, (x, bottom, top)), place in zip(ranked, spread(wanted, _LABEL_GAP), strict=True):
        axes.plot([x, x], [bottom, top], color=_LEADER, linewidth=1.0, zorder=3)
        axes.annotate(
            name, (x, top), xytext=(1.03, place), textcoords="axes fraction", va="center", fontsize=_LABEL_SIZE,
            annotation_clip=False, zorder=1,
            # From the name's left edge, not from its middle.
            arrowprops={"arrowstyle": "-", "color": _LEADER, "linewidth": 0.6, "shrinkB": 3.0, "relpos": (0, 0.5)},
        )  # fmt: skip


def _mark(axes: "Axes", result: Result, x: float, y: float) -> None:
    marker = _MARKERS.get(result.variant, _OTHER_MARKER)
    colour = _COLOURS.get(result.caches, _ROOF)
    axes.scatter([x], [y], s=_SIZE, marker=marker, color=colour, edgecolors="white", linewidths=0.7, zorder=4)


def _add_legend(figure: "Figure", arranged: Sequence[Panel]) -> None:
    from matplotlib.lines import Line2D

    results = [result for panel in arranged for result in panel.results]
    there = {result.caches for result in results}
    marks = [(f"{caches} caches", "o", colour) for caches, colour in _COLOURS.items() if caches in there]
    variants = [variant for variant in dict.fromkeys(result.variant for result in results) if variant]
    marks += [(variant, _MARKERS.get(variant, _OTHER_MARKER), _ROOF) for variant in variants]
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markeredgecolor="white", markersize=7, label=name)
        for name, marker, colour in marks
    ]
    most = max(len(panel.roofs) for panel in arranged)
    for place, name in enumerate(("memory, matmul", "caches")[:most]):
        colour, width = _roof_look(place)
        handles.append(Line2D([], [], color=colour, linewidth=width, label=name))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), fontsize=8)


def _angle(axes: "Axes") -> float:
    """Return the angle, in radians, at which a decade of one axis goes with a decade of the other."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    box = axes.get_window_extent()
    return atan2(box.height / log10(high / low), box.width / log10(right / left))


def _name_powers(axis: Any, unit: str = "", subs: tuple[float, ...] = (1.0, 3.0)) -> None:  # noqa: ANN401 - matplotlib's axis
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=subs if high / low < _FEW_DECADES else (1.0,), numticks=6))
    axis.set_major_formatter(EngFormatter(unit=unit, sep=" ") if unit else FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _flops_per_s(result: Result) -> float:
    return result.flops / (result.median_s or 1.0)


def _bytes_per_s(result: Result) -> float:
    return result.bytes / (result.median_s or 1.0)
