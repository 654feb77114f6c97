"""Names of points do not cover one another."""

from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from segcli.params.network.names_in_charts import Point, write_names


def drawn(points: list[Point]) -> tuple[int, list[str], list[Bbox], Bbox]:
    """Return how many have no name, the names, where they stand, and the axes."""
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.scatter([one.params for one in points], [one.macs for one in points])
    axes.margins(0.15)
    left_out = write_names(axes, points)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    boxes = [text.get_window_extent() for text in axes.texts]
    return left_out, [text.get_text() for text in axes.texts], boxes, axes.get_window_extent()


@pytest.mark.parametrize(
    ("points", "left_out", "names"),
    [
        pytest.param([("a", 1, 1)], 0, ["a"], id="one"),
        pytest.param([("a", 1, 1), ("b", 9, 9)], 0, ["b", "a"], id="most-macs-first"),
        pytest.param([("a", 1, 1), ("b", 1, 1), ("c", 1, 1)], 0, ["a and 2 more"], id="on-one-spot"),
        pytest.param([("a" * 200, 1, 1), ("b", 2, 2)], 1, ["b"], id="longer-than-the-chart"),
        pytest.param([(f"near {k}", 10**6 + k, 10**6) for k in range(8)] + [("far", 1, 1)], 4, None, id="crowd"),
    ],
)
def test_names_of_points(points: list[tuple[str, int, int]], left_out: int, names: list[str] | None) -> None:
    missing, written, _, _ = drawn([Point(*one, "#0072b2") for one in points])
    assert missing == left_out
    assert names is None or written == names
    assert len(written) == len(names or points) - (left_out if names is None else 0)


def test_what_is_on_one_spot_in_two_colours_has_two_names() -> None:
    _, written, boxes, _ = drawn([Point("net", 3, 3, "#0072b2"), Point("net", 3, 3, "#d55e00")])
    assert written == ["net", "net"]
    assert not boxes[0].overlaps(boxes[1])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=25))
@example([(1, 1)] * 3)
def test_no_name_covers_another(places: list[tuple[int, int]]) -> None:
    points = [Point(f"layer{number}.conv", *place, "#0072b2") for number, place in enumerate(places)]
    left_out, written, boxes, axes = drawn(points)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(axes.x0 <= one.x0 and one.x1 <= axes.x1 for one in boxes)
    more = sum(int(name.split()[2]) for name in written if " and " in name)
    assert len(written) + more + left_out == len(points)
