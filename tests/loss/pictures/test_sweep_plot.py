import math
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from segcli.charts import check_chart
from segcli.errors import ExitCode, SegcliError
from segcli.loss.pictures import sweep_plot
from segcli.loss.pictures.sweep_charts import charts, label_of, number_of
from segcli.loss.pictures.sweep_plot import plot_sweep
from segcli.loss.result import SweepPoint

THRESHES = (0.5, 0.6, 0.7)


def ohem(**axes: tuple[Any, ...]) -> list[SweepPoint]:
    """Return a point for each pair of values; the loss tells which."""
    from itertools import product

    return [
        SweepPoint("ohem", dict(zip(axes, values, strict=True)), float(place), place / 100)
        for place, values in enumerate(product(*axes.values()))
    ]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the figures that are drawn, from now on."""
    found: list[Figure] = []
    draw = sweep_plot._figure

    def keep(*what: Any) -> Figure:  # noqa: ANN401 - handed on
        found.append(draw(*what))
        return found[-1]

    monkeypatch.setattr(sweep_plot, "_figure", keep)
    return found


def test_losses_of_one_parameter_share_a_chart() -> None:
    points = [*ohem(thresh=THRESHES), *(SweepPoint("hinge", {"thresh": t}, t) for t in (0.7, 0.9))]
    (values, kept), constant = charts([*points, SweepPoint("ce", {}, 0.25), SweepPoint("dice", {"smooth": 1}, 0.5)])
    assert (values.title, values.x_name, values.xs) == ("ohem, hinge", "thresh", (*THRESHES, 0.9))
    assert values.lines == (("ohem", (0.0, 1.0, 2.0, None)), ("hinge", (None, None, 0.7, 0.9)))
    assert (kept.quantity, kept.lines) == ("kept", (("ohem", (0.0, 0.01, 0.02, None)),))
    assert constant == ["ce 0.25", "dice 0.5"]


def test_the_parameter_with_the_most_values_is_along_the_axis() -> None:
    (values, kept), _ = charts(ohem(n_min=(Fraction(1, 16), Fraction(1, 64)), thresh=THRESHES))
    assert (values.x_name, values.line_name, values.is_field) == ("thresh", "n_min", False)
    assert values.lines == ((Fraction(1, 64), (3.0, 4.0, 5.0)), (Fraction(1, 16), (0.0, 1.0, 2.0)))
    assert (values.group, kept.group) == ("loss of ohem", "kept of ohem")


def test_further_parameters_make_charts_of_one_scale() -> None:
    found, _ = charts(ohem(thresh=THRESHES, gamma=(1.0, 2.0), n_min=(0.1, 0.2), mode=("b", "a")))
    losses = [chart for chart in found if chart.quantity == "loss"]
    assert [chart.title for chart in losses] == [f"ohem, n_min {n}, mode {m}" for n in ("0.1", "0.2") for m in "ab"]
    assert len({chart.group for chart in losses}) == 1
    assert losses[0].lines[0] == (1.0, (1.0, 9.0, 17.0))


def test_a_point_that_is_missing_or_no_number_is_a_gap() -> None:
    points = [
        *ohem(thresh=THRESHES, gamma=(1.0, 2.0))[:-1],
        SweepPoint("ohem", {"thresh": 0.5, "gamma": 1.0}, math.nan),
    ]
    (values, _), _ = charts(points)
    assert values.lines == ((1.0, (None, 2.0, 4.0)), (2.0, (1.0, 3.0, None)))


def test_losses_that_keep_all_pixels_have_no_shares() -> None:
    found, _ = charts([SweepPoint("focal", {"gamma": g, "alpha": a}, g + a) for g in (1, 2) for a in (0, 1)])
    assert [(chart.title, chart.quantity) for chart in found] == [("focal", "loss")]


def test_weights_of_classes_are_told_by_their_words() -> None:
    (values,), _ = charts([SweepPoint("focal", {"alpha": alpha}, 0.5) for alpha in ([1, 2], 0.25, None)])
    assert values.xs == (0.25, "None", "[1, 2]")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "a sweep of 0 points makes 0 charts"),
        ([SweepPoint("ce", {}, 1.0)], "a sweep of 1 points makes 0 charts"),
        ([SweepPoint("ce", {"a": a}, math.nan) for a in (1, 2)], "a sweep of 2 points makes 0 charts"),
        (ohem(a=tuple(range(9)), b=tuple(range(8)), c=tuple(range(7)), d=tuple(range(6))), "makes 84 charts"),
    ],
    ids=["none", "one", "no numbers", "many"],
)
def test_what_makes_no_chart_or_too_many_is_refused(points: list[SweepPoint], message: str, tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match=re.escape(message)):
        plot_sweep(tmp_path / "sweep.svg", points)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["nan", "1/0", "1e999", (1, 2), math.inf, None, "x"], ids=str)
def test_what_is_no_number_is_a_word(value: Any) -> None:  # noqa: ANN401 - anything
    assert number_of(value) is None
    assert label_of(value) in (str(value), "inf")


def test_lines_are_drawn_at_their_values(tmp_path: Path, figures: list[Figure]) -> None:
    plot_sweep(tmp_path / "sweep.png", ohem(thresh=THRESHES, n_min=(Fraction(1, 64), Fraction(1, 16))), title="mine")
    above, below = figures[0].axes
    assert figures[0].get_suptitle() == "mine"
    assert (above.get_title(loc="left"), above.get_xlabel(), above.get_ylabel()) == ("ohem", "thresh", "loss")
    assert [text.get_text() for text in above.get_xticklabels()] == ["0.5", "0.6", "0.7"]
    assert [line.get_label() for line in above.get_lines()] == ["1/64", "1/16"]
    assert np.asarray(above.get_lines()[1].get_xydata()).tolist() == [[0.5, 1.0], [0.6, 3.0], [0.7, 5.0]]
    legend = above.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "n_min"
    assert below.get_title(loc="left") == "ohem: kept"
    assert below.yaxis.get_major_formatter()(0.125, None) == "12.5 %"
    low, high = above.get_ylim()
    assert (low < 0, high > 5) == (True, True)
    with Image.open(tmp_path / "sweep.png") as opened:
        assert opened.format == "PNG"


@pytest.mark.parametrize(
    ("xs", "scale", "places"),
    [
        ((0.5, 1, 2.0), "linear", [0.5, 1.0, 2.0]),
        ((Fraction(1, 1024), Fraction(1, 2)), "log", [1 / 1024, 0.5]),
        ((0.0, 1.0, 100.0), "linear", [0.0, 1.0, 100.0]),
        ((Fraction(1, 16), 1000, 100_000), "linear", [0.0, 1.0, 2.0]),
        ((1.0, "image"), "linear", [0.0, 1.0]),
        (tuple(range(12)), "linear", [float(place) for place in range(12)]),
    ],
    ids=["numbers", "wide", "from zero", "counts and shares", "words", "many"],
)
def test_an_axis_suits_its_values(
    xs: tuple[Any, ...], scale: str, places: list[float], tmp_path: Path, figures: list[Figure]
) -> None:
    plot_sweep(tmp_path / "sweep.svg", ohem(x=xs))
    axes = figures[0].axes[0]
    assert axes.get_xscale() == scale
    assert np.asarray(axes.get_lines()[0].get_xdata()).tolist() == places
    assert axes.get_legend() is None


def test_many_lines_are_a_field(tmp_path: Path, figures: list[Figure]) -> None:
    points = [*ohem(thresh=tuple(range(11)), n_min=tuple(n / 10 for n in range(1, 10)))]
    points[5] = SweepPoint("ohem", points[5].point, math.nan)
    plot_sweep(tmp_path / "sweep.svg", points)
    field, kept, *_ = figures[0].axes
    assert (field.get_xlabel(), field.get_ylabel()) == ("thresh", "n_min")
    assert [text.get_text() for text in field.texts][:3] == ["0", "9", "18"]
    assert len(field.texts) == 98
    assert kept.texts[1].get_text() == "9"
    assert [text.get_text() for text in field.get_xticklabels()] == ["0", "2", "4", "6", "8", "10"]


def test_a_large_field_has_no_numbers(tmp_path: Path, figures: list[Figure]) -> None:
    plot_sweep(tmp_path / "sweep.svg", ohem(a=tuple(range(14)), b=tuple(range(12))))
    assert len(figures[0].axes[0].texts) == 0


def test_shares_begin_a_row_of_their_own(tmp_path: Path, figures: list[Figure]) -> None:
    points = [*ohem(thresh=THRESHES), *(SweepPoint("focal", {"gamma": g}, 0.1) for g in (0, 1))]
    plot_sweep(tmp_path / "sweep.svg", [*points, SweepPoint("ce", {}, 0.25)])
    assert [axes.get_title(loc="left") for axes in figures[0].axes] == ["ohem", "focal", "ohem: kept"]
    assert figures[0].get_suptitle() == "Unchanged: ce 0.25"


def test_shares_stand_below_their_loss(tmp_path: Path, figures: list[Figure]) -> None:
    dice = [SweepPoint("dice", {"smooth": s}, 0.1942 + 1e-6 * s) for s in (0, 1)]
    plot_sweep(tmp_path / "sweep.svg", [*dice, *ohem(thresh=THRESHES)])
    first, loss, share = figures[0].axes
    assert [first.get_title(loc="left"), share.get_title(loc="left")] == ["dice", "ohem: kept"]
    assert share.get_subplotspec().colspan == loss.get_subplotspec().colspan == range(1, 2)  # type: ignore[union-attr]
    # Small differences are written out.
    figures[0].canvas.draw()
    assert first.yaxis.get_major_formatter().get_offset() == ""


def test_shares_of_many_losses_follow_one_another(tmp_path: Path, figures: list[Figure]) -> None:
    # Losses of three parameters, in more charts than a row has.
    plot_sweep(tmp_path / "sweep.svg", ohem(thresh=THRESHES, n_min=(0.1, 0.2, 0.3), k=tuple(range(2)), j=(1, 2, 3)))
    titles = [axes.get_title(loc="left") for axes in figures[0].axes]
    half = len(titles) // 2
    assert half > 3
    assert titles[half:] == [f"{title}: kept" for title in titles[:half]]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_points_are_the_same_bytes(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    plot_sweep(tmp_path / f"a.{suffix}", ohem(thresh=THRESHES))
    monkeypatch.setitem(mpl.rcParams, "font.size", 20.0)
    plot_sweep(tmp_path / f"b.{suffix.upper()}", ohem(thresh=THRESHES))
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix.upper()}").read_bytes()
    assert mpl.rcParams["font.size"] == 20.0


def test_a_dollar_sign_is_no_formula(tmp_path: Path) -> None:
    plot_sweep(tmp_path / "sweep.svg", ohem(thresh=("$\\frac$", "b")), title="$$")
    assert (tmp_path / "sweep.svg").stat().st_size


def test_no_display_and_no_pyplot_are_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from segcli.loss.result import SweepPoint;"
        "from segcli.loss.pictures.sweep_plot import plot_sweep;"
        f"plot_sweep(Path({str(tmp_path / 'a.png')!r}), [SweepPoint('ohem', {{'t': t}}, t) for t in (1, 2)]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PATH": "/usr/bin"}).returncode == 0


def test_a_chart_that_exists_stays(tmp_path: Path) -> None:
    (tmp_path / "sweep.svg").write_text("mine")
    with pytest.raises(SegcliError, match=r"sweep\.svg exists already"):
        plot_sweep(tmp_path / "sweep.svg", ohem(thresh=THRESHES))
    assert (tmp_path / "sweep.svg").read_text() == "mine"
    plot_sweep(tmp_path / "sweep.svg", ohem(thresh=THRESHES), force=True)
    assert (tmp_path / "sweep.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("name", ["sweep", "sweep.jpg", "sweep.html"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(SegcliError, match=rf"{name} is no name for a chart, expected one that ends in .png, .svg or"):
        check_chart(Path(name))


def test_without_matplotlib_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SegcliError, match=r"charts need matplotlib: ") as caught:
        plot_sweep(tmp_path / "a.png", ohem(thresh=THRESHES))
    assert (caught.value.code, caught.value.hint) == (ExitCode.UNAVAILABLE, "pip install 'segcli[plot]'")
