from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcli.bench.ceilings.ceiling import Ceilings
from segcli.bench.measuring.environment import Environment
from segcli.bench.measuring.gpu import Gpu
from segcli.bench.reporting import roofline
from segcli.bench.reporting.panels import panels
from segcli.bench.reporting.roofline import write_roofline
from segcli.errors import SegcliError
from tests.bench.ceilings.test_command import ENVIRONMENT
from tests.bench.reporting.made import CEILINGS, made_run, result

RUN = made_run(
    result("standard"),
    result("standard", caches="cold", median_s=2e-3),
    result("depthwise", flops=2_000_000, variant="channels-last"),
    result("grouped", median_s=1.02e-3, variant="folded"),
    result("gather", flops=0),
    result("gather", flops=0, caches="cold", median_s=3e-3),
)


def texts(figure: object) -> set[str]:
    from matplotlib.text import Text

    return {each.get_text() for each in figure.findobj(Text) if each.get_visible()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_chart_is_the_same_each_time(tmp_path: Path, ending: str) -> None:
    for name in ("one", "two"):
        write_roofline(RUN, tmp_path / f"{name}.{ending}")
    content = (tmp_path / f"one.{ending}").read_bytes()
    assert content == (tmp_path / f"two.{ending}").read_bytes()
    assert len(content) > 5000
    if ending == "png":
        with Image.open(tmp_path / "one.png") as image:
            assert image.size == (2 * 784, 640)


def test_the_figure_names_every_kernel_and_every_roof() -> None:
    figure = roofline._figure(panels(RUN), "a title")
    said = texts(figure)
    assert {"standard", "depthwise, channels-last", "grouped, folded", "gather", "a title"} <= said
    assert {"hot caches", "cold caches", "channels-last", "folded", "memory, matmul", "caches"} <= said
    assert "matmul 100 GFLOP/s" in said
    assert "memory 25.0 GB/s" in said


def test_labels_do_not_lie_on_one_another() -> None:
    many = [result(f"kernel{place}", median_s=1e-3 * (1 + place / 100)) for place in range(16)]
    figure = roofline._figure(panels(made_run(*many)), "")
    from matplotlib.text import Annotation, Text

    labels = [each for each in figure.findobj(Annotation) if each.get_text().startswith("kernel")]
    # Without the line to the point.
    boxes = sorted((Text.get_window_extent(label) for label in labels), key=lambda box: box.y0)
    assert len(boxes) == 16
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))


def test_panels_fill_rows_of_three() -> None:
    four = [result("standard", size=(8, side)) for side in range(1, 5)]
    figure = roofline._figure(panels(made_run(*four)), "")
    assert [axes.get_title() for axes in figure.axes] == [f"conv, forward, 8x{side} float32" for side in range(1, 5)]


def test_points_lie_where_they_are_computed() -> None:
    figure = roofline._figure(panels(made_run(result("standard"))), "")
    (axes,) = figure.axes
    ((x, y),) = np.asarray(axes.collections[0].get_offsets())
    assert (x, y) == pytest.approx((2.0, 16_000_000 / 1.1e-3))


@pytest.mark.parametrize("ceilings", [None, CEILINGS], ids=["without ceilings", "with"])
def test_the_title_says_where_and_whether_ceilings_were_measured(ceilings: Ceilings | None) -> None:
    title = roofline._title(made_run(result("standard"), ceilings=ceilings))
    said = "" if ceilings else "; no ceilings were measured"
    assert title == f"Roofline: Some CPU, 2 threads, torch 2.13.0{said}"


def test_a_gpu_is_named(tmp_path: Path) -> None:
    gpu = Gpu("Some GPU", 2**36, "9.0", "13.0", None)
    where = Environment(**{**vars(ENVIRONMENT), "gpu": gpu})
    assert roofline._title(made_run(environment=where)).startswith("Roofline: Some GPU, torch")
    # Points alone, where no ceilings were measured, are a chart too; so is a roof without a ceiling of computing.
    write_roofline(made_run(result("standard", fraction=None), ceilings=None), tmp_path / "points.svg")
    assert (tmp_path / "points.svg").stat().st_size > 5000
    float64 = made_run(result("standard", dtype="float64"), result("gather", flops=0))
    figure = roofline._figure(panels(float64), "")
    assert not any(words.startswith("matmul") for words in texts(figure))


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([], "no kernel that ceilings bound was timed, expected 1 to 36 panels of a roofline"),
        ([result("standard", size=(8, side)) for side in range(1, 38)], "the run makes 37 panels, expected 1 to 36"),
    ],
    ids=["none", "too many"],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, results: list[object], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        write_roofline(made_run(*results), tmp_path / "roofline.png")  # type: ignore[arg-type]
    assert not (tmp_path / "roofline.png").exists()


def test_an_existing_chart_is_kept_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "roofline.svg"
    file.write_text("mine")
    with pytest.raises(SegcliError, match="exists already"):
        write_roofline(RUN, file)
    write_roofline(RUN, file, force=True)
    assert file.read_text().startswith("<?xml")
