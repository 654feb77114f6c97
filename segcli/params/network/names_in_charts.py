"""Writes names beside the points of a chart, where there is room for them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

# (right, up, horizontal and vertical alignment) from a point, in points of type; the first that is free is taken.
_PLACES = (
    (4, 2, "left", "bottom"), (4, -2, "left", "top"), (-4, 2, "right", "bottom"), (-4, -2, "right", "top"),
    (0, 5, "center", "bottom"), (0, -5, "center", "top"),
)  # fmt: skip
_POINT_RADIUS = 3.0
_POINTS_AN_INCH = 72


class Point(NamedTuple):
    """A point of a chart.

    Attributes:
        name: What to write beside it.
        params: Its place to the right.
        macs: Its place upwards.
        colour: Of its name.
    """

    name: str
    params: int
    macs: int
    colour: str


def write_names(axes: "Axes", points: Sequence[Point]) -> int:
    """Write a name beside each point, so that none covers another or a point; those with the most MACs come first.

    Points on one spot share a name, which says how many more there are.

    Args:
        axes: With everything else drawn on it.
        points: The points.

    Returns:
        How many found no room.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - for mypy
    canvas = FigureCanvasAgg(figure)
    # It settles where the axes lie: places are free or taken on paper, not among data.
    canvas.draw()  # type: ignore[no-untyped-call]
    spots: dict[tuple[int, int, str], list[str]] = {}
    for one in points:
        spots.setdefault((one.params, one.macs, one.colour), []).append(one.name)
    radius = _POINT_RADIUS * figure.dpi / _POINTS_AN_INCH
    taken = [_around(axes, spot[0], spot[1], radius) for spot in spots]
    left_out = 0
    for spot in sorted(spots, key=lambda one: (-one[1], -one[0])):
        first, *others = spots[spot]
        box = _written(axes, f"{first} and {len(others)} more" if others else first, spot, taken)
        taken += [box] if box else []
        left_out += 0 if box else len(spots[spot])
    return left_out


def _around(axes: "Axes", params: int, macs: int, radius: float) -> "Bbox":
    from matplotlib.transforms import Bbox

    right, up = axes.transData.transform((params, macs))
    return Bbox.from_extents(right - radius, up - radius, right + radius, up + radius)


def _written(axes: "Axes", name: str, spot: tuple[int, int, str], taken: Sequence["Bbox"]) -> "Bbox | None":
    for right, up, horizontally, vertically in _PLACES:
        text = axes.annotate(
            name, spot[:2], xytext=(right, up), textcoords="offset points", fontsize=7, color=spot[2],
            horizontalalignment=horizontally, verticalalignment=vertically,
        )  # fmt: skip
        text.set_in_layout(False)
        box = text.get_window_extent()
        is_inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        if is_inside and not any(box.overlaps(other) for other in taken):
            return box
        text.remove()
    return None
