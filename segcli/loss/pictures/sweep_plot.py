"""Draws the charts of a sweep with matplotlib."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.charts import write_chart
from segcli.loss.pictures.sweep_charts import Chart, charts, has_one_measure, label_of, number_of
from segcli.loss.result import SweepPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind people, without their yellow: it is lost on white.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f7f7f")
_STYLE: dict[str, Any] = {
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
}
_MAX_COLUMNS = 4
_CHART_INCHES = 4.3, 3.1
# Values that grow by more than this factor in all are drawn by their logarithms.
_LOG_FACTOR = 20
_MAX_TICKS = 9
_MAX_NUMBERED_CELLS = 150


def plot_sweep(destination: Path, points: Sequence[SweepPoint], *, title: str = "", force: bool = False) -> None:
    """Draw each loss over the parameters that were swept, and OHEM's share of kept pixels.

    One parameter makes a line for each loss, two a line for each value of the second, or a field of colours where that
    has more than eight; more make a chart for each of their values.

    Args:
        destination: A ``.png``, ``.svg`` or ``.pdf``, whose bytes depend on the points and matplotlib's version alone.
        points: The points.
        title: Of it all.
        force: Whether to replace a file that exists.

    Raises:
        SegcliError: As `segcli.charts.check_chart`, and where nothing was swept, or too much for charts.

    Examples:
        >>> import tempfile
        >>> points = [SweepPoint("ohem", {"thresh": t}, 1 / t, kept=t / 4) for t in (0.5, 0.6, 0.7)]
        >>> plot_sweep(Path(tempfile.mkdtemp()) / "sweep.svg", points)
    """
    arranged, constant = charts(points)
    words = ". ".join(filter(None, (title, _unchanged(constant))))
    write_chart(destination, lambda: _figure(arranged, words), style=_STYLE, force=force)


def _unchanged(constant: Sequence[str]) -> str:
    return f"Unchanged: {', '.join(constant)}" if constant else ""


def _figure(arranged: Sequence[Chart], title: str) -> "Figure":
    from matplotlib.figure import Figure

    losses = [chart for chart in arranged if chart.quantity == "loss"]
    shares = [chart for chart in arranged if chart.quantity == "kept"]
    n_columns = min(_MAX_COLUMNS, max(len(losses), len(shares)))
    n_rows = sum(-(-len(block) // n_columns) for block in (losses, shares))
    width, height = _CHART_INCHES
    figure = Figure(figsize=(width * n_columns, height * n_rows + (0.4 if title else 0.0)), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=11, x=0.01, horizontalalignment="left")
    cells = figure.subplots(n_rows, n_columns, squeeze=False).ravel().tolist()
    # Shares begin a row of their own.
    begin = -(-len(losses) // n_columns) * n_columns
    used = dict(zip(cells, losses, strict=False))
    used |= {
        cells[begin + place]: share for place, share in zip(_places(losses, shares, n_columns), shares, strict=True)
    }
    for cell in cells:
        if cell in used:
            _draw(cell, used[cell], _limits(used[cell], arranged))
        else:
            cell.remove()
    return figure


def _places(losses: Sequence[Chart], shares: Sequence[Chart], n_columns: int) -> Sequence[int]:
    """Return where charts of shares stand: each below its loss where those take one row, else one after another."""
    columns = {chart.title: place for place, chart in enumerate(losses)}
    if len(losses) > n_columns or any(share.title not in columns for share in shares):
        return range(len(shares))
    return [columns[share.title] for share in shares]


def _limits(chart: Chart, arranged: Sequence[Chart]) -> tuple[float, float]:
    """Return the least and the largest number of all charts of the group."""
    numbers = [
        number
        for other in arranged
        if other.group == chart.group
        for _, line in other.lines
        for number in line
        if number is not None
    ]
    return min(numbers), max(numbers)


def _draw(axes: "Axes", chart: Chart, limits: tuple[float, float]) -> None:
    what = "loss" if chart.quantity == "loss" else "kept, of valid pixels"
    axes.set_title(chart.title if chart.quantity == "loss" else f"{chart.title}: kept")
    axes.set_xlabel(chart.x_name)
    if chart.is_field:
        _draw_field(axes, chart, limits, what)
        return
    axes.set_ylabel(what)
    places = _set_scale(axes, chart.xs)
    colours = _colours(chart)
    for (value, numbers), colour in zip(chart.lines, colours, strict=True):
        heights = [math.nan if number is None else number for number in numbers]
        axes.plot(places, heights, marker="o", color=colour, label=label_of(value))
    margin = 0.06 * ((limits[1] - limits[0]) or abs(limits[1]) or 1.0)
    axes.set_ylim(limits[0] - margin, limits[1] + margin)
    # A number to be added to all others is overlooked.
    axes.ticklabel_format(axis="y", useOffset=False)
    if chart.quantity == "kept":
        axes.yaxis.set_major_formatter(_percent())
    if len(chart.lines) > 1:
        axes.legend(title=chart.line_name, title_fontsize=8)


def _percent() -> Any:  # noqa: ANN401 - matplotlib's formatter
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda share, _: f"{100 * share:.3g} %")


def _colours(chart: Chart) -> Sequence[Any]:
    """Return a colour a line: names have colours that differ, numbers such as grow with them."""
    if chart.line_name == "loss" or any(number_of(value) is None for value, _ in chart.lines):
        return _COLOURS[: len(chart.lines)]
    import matplotlib as mpl

    last = max(1, len(chart.lines) - 1)
    return [mpl.colormaps["viridis"](0.85 * place / last) for place in range(len(chart.lines))]


def _set_scale(axes: "Axes", xs: Sequence[Any]) -> list[float]:
    """Return where the values lie along the axis, and mark them there."""
    from matplotlib.ticker import NullFormatter, NullLocator

    if not has_one_measure(xs):
        # They stand side by side.
        axes.set_xticks(range(len(xs)), [label_of(x) for x in xs])
        return [float(place) for place in range(len(xs))]
    numbers = [number for number in map(number_of, xs) if number is not None]
    if min(numbers) > 0 and max(numbers) / min(numbers) > _LOG_FACTOR:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    if len(xs) <= _MAX_TICKS:
        axes.set_xticks(numbers, [label_of(x) for x in xs])
    return numbers


def _draw_field(axes: "Axes", chart: Chart, limits: tuple[float, float], what: str) -> None:
    import numpy as np

    rows = [[math.nan if number is None else number for number in numbers] for _, numbers in chart.lines]
    field = np.ma.masked_invalid(np.array(rows))
    axes.grid(visible=False)
    axes.set_facecolor("#d8d8dc")
    image = axes.imshow(field, aspect="auto", origin="lower", cmap="viridis", vmin=limits[0], vmax=limits[1])
    axes.set_ylabel(chart.line_name)
    _mark_cells(axes, chart)
    bar = axes.figure.colorbar(image, ax=axes, label=what)
    if chart.quantity == "kept":
        bar.ax.yaxis.set_major_formatter(_percent())
    if field.size > _MAX_NUMBERED_CELLS:
        return
    middle = (limits[0] + limits[1]) / 2
    for (row, column), number in np.ndenumerate(field.filled(math.nan)):
        if math.isfinite(number):
            ink = "white" if number < middle else "black"
            words = f"{number:.3g}" if chart.quantity == "loss" else f"{100 * number:.3g}"
            axes.text(column, row, words, ha="center", va="center", color=ink, fontsize=6.5)


def _mark_cells(axes: "Axes", chart: Chart) -> None:
    """Mark values beside the cells; every second, third ... where they are many."""
    for set_ticks, values in ((axes.set_xticks, chart.xs), (axes.set_yticks, [value for value, _ in chart.lines])):
        places = range(0, len(values), -(-len(values) // _MAX_TICKS))
        set_ticks(list(places), [label_of(values[place]) for place in places])
