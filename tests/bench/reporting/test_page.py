import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.bench import Run, Status
from segcli.bench.measuring.gpu import Gpu
from segcli.bench.reporting.gathering import gathered, named
from segcli.bench.reporting.page import page
from segcli.bench.reporting.panels import panels
from segcli.bench.reporting.report import group_table
from segcli.bench.reporting.roofline_svg import panel_svg
from segcli.bench.reporting.samples_svg import samples_svg
from segcli.bench.reporting.svg import Scale, element, picture, text
from tests.bench.ceilings.test_command import ENVIRONMENT
from tests.bench.reporting.made import CEILINGS, SAMPLES, made_run, result, untimed, write
from tests.conftest import Run as Segcli

HOSTILE = '</title><script src="https://evil.example/x.js">alert(1)</script><img src=x onerror=alert(1)>&amp;"\''


# Their median is 2 ms.
SLOWER = (2.0e-3, 1.9e-3, 2.1e-3, 2.0e-3, 1.95e-3, 2.05e-3, 2.0e-3, 2.0e-3)


class Seen(HTMLParser):
    """Notes every element and word of a page, and that what is opened is closed."""

    VOID = ("meta",)

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.held: list[tuple[str, list[str]]] = []
        self.inside: list[list[str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
            self.inside.append([])
            self.held.append((dict(attrs).get("class") or "", self.inside[-1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.inside.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        for words in self.inside:
            words.append(data)

    def texts(self, class_: str) -> list[str]:
        """Return the words of elements of a class, those inside them included, each element's put together."""
        return ["".join(words) for of, words in self.held if class_ in of.split()]

    @property
    def rows(self) -> int:
        return sum(tag == "tr" for tag, _ in self.tags)


def seen(*runs: Run) -> Seen:
    found = Seen(page(named([f"run{place}.json" for place in range(len(runs))], runs)))
    assert found.open == []
    return found


RUN = made_run(
    result("standard"),
    result("standard", [2e-3 * share for share in (0.9, 0.95, 1, 1, 1, 1, 1.05, 1.1)], caches="cold"),
    result("depthwise", variant="channels-last", items=2, unit="frames", items_per_s=40.0),
    result("gather", flops=0, flops_per_s=None),
    untimed("spoiled", Status.WRONG, "its output differs"),
    warnings=("unsteady clock: close other programs",),
)


def test_a_page_has_the_environment_ceilings_tables_and_samples() -> None:
    found = seen(RUN)
    words = set(found.words)
    assert {"Some CPU, 2 threads on 2 cores", "torch 2.13.0, Python 3.11.7, Linux 6.1", "a clock"} <= words
    assert {"bandwidth, 268 MB", "25.0 GB/s", "matmul, float32", "100 GFLOP/s", "300 ns"} <= words
    assert {"conv, forward, 64x128 float32", "x 2x64x64x128", "unsteady clock: close other programs"} <= words
    assert {"standard", "depthwise, channels-last", "1.10 ms", "2.00 ms", "25%", "memory", "4.00 MB"} <= words
    assert {"frames/s", "40.0 frames"} <= words
    assert {"spoiled: wrong and not timed: its output differs", "wrong"} <= words
    assert {"standard, hot, 1.10 ms", "standard, cold, 2.00 ms", "8 samples, 2 passes"} <= words
    assert "GPU" in words
    # A panel of the roofline, one of bytes/s, and the samples of four.
    assert sum(tag == "svg" for tag, _ in found.tags) == 2 + 4


def test_runs_stand_side_by_side_with_their_ratios() -> None:
    other = made_run(
        result("standard", median_s=2.2e-3),
        result("new"),
        result("gather", flops=0, samples_s=()),
        ceilings=replace(CEILINGS, launch_s=1e-6, matmul_flops_per_s={"float64": 5e10}),
        partial=True,
        warnings=("other load",),
        environment=replace(ENVIRONMENT, gpu=Gpu("Some GPU", 2**36, "9.0", "13.0", None), load=None, threads=1),
    )
    found = seen(RUN, other)
    words = found.words
    assert {"A: median", "B: median", "time B / A", "2.00x"} <= set(words)
    assert {"Some GPU, 68.7 GB, capability 9.0, CUDA 13.0", "2026-01-01T00:00:00+00:00 (interrupted)"} <= set(words)
    assert {"matmul, float64", "smallest kernel of a CUDA graph", "B: other load", "A: run0.json, B: run1.json"} <= {
        *words,
        *(word.partition(". ")[2] for word in words),
    }
    assert "spoiled: wrong and not timed in A: its output differs" in words
    assert {"A: standard, hot, 1.10 ms", "B: standard, hot, 2.20 ms"} <= set(words)


def test_a_ratio_stands_beside_the_median_of_its_run() -> None:
    (group,) = gathered(runs := named(["a", "b", "c"], [RUN, RUN, made_run(result("standard", median_s=2.2e-3))]))
    table = group_table(group, runs)
    assert [column.name for column in table.columns][2:] == [
        *("A: median", "± 95 %", "of its ceiling"),
        *("B: median", "± 95 %", "time B / A", "of its ceiling"),
        *("C: median", "± 95 %", "time C / A", "of its ceiling"),
    ]
    assert table.rows[0][-2] == pytest.approx(2.0)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert "runs" in [of.get("class") for tag, of in seen(RUN, RUN).tags if tag == "table"]
    assert "runs" not in [of.get("class") for tag, of in seen(RUN).tags if tag == "table"]


def test_a_dash_stands_where_the_number_would() -> None:
    found = seen(RUN, made_run(result("standard"), ceilings=None))
    assert set(found.texts("share")) == {"25%", "-"}
    # Those of the ceilings, too, are at the end of their column.
    assert {"25.0 GB/s", "-"} <= set(found.texts("number"))


def test_rows_of_runs_meet_by_kernel_variant_and_caches() -> None:
    other = made_run(result("standard", caches="cold"), result("standard"), result("new"))
    (group,) = gathered(named(["a", "b"], [RUN, other]))
    assert [(row.kernel, row.caches, [each is not None for each in row.results]) for row in group.rows] == [
        ("standard", "hot", [True, True]),
        ("standard", "cold", [True, True]),
        ("depthwise, channels-last", "hot", [True, False]),
        ("gather", "hot", [True, False]),
        ("spoiled", "hot", [True, False]),
        ("new", "hot", [False, True]),
    ]
    assert [[panel.has_flops for panel in some] for some in group.panels] == [[True, False], [True]]


def test_marks_go_on_after_z() -> None:
    marks = [each.mark for each in named(["run"] * 28, [RUN] * 28)]
    assert (marks[0], marks[25], marks[26], marks[27]) == ("A", "Z", "A2", "B2")


def test_nothing_is_fetched_and_nothing_runs() -> None:
    html = page(named(["run.json"], [RUN]))
    found = Seen(html)
    policy = next(of for tag, of in found.tags if tag == "meta" and of.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {tag for tag, _ in found.tags} & {"script", "link", "img", "iframe", "object", "base", "form"}
    named_elsewhere = [of[name] for _, of in found.tags for name in ("src", "href", "xlink:href") if name in of]
    assert all((there or "").startswith("#") for there in named_elsewhere)
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def hostile_run(words: str) -> Run:
    hostile = result(
        words,
        suite=words,
        mode=words,
        dtype=words,
        tensor=words,
        variant=words,
        bound=words,
        unit=words,
        items_per_s=1.0,
    )
    return made_run(
        hostile,
        replace(untimed(words, Status.FAILED, words), suite=words, mode=words, dtype=words),
        warnings=(words,),
        started=words,
        ceilings=replace(CEILINGS, matmul_flops_per_s={words: 1e11}),
        environment=replace(ENVIRONMENT, cpu=words, torch=words, variables={words: words}),
    )


@given(st.text(min_size=1, max_size=60))
@example(HOSTILE)
@example('" onload="alert(1)')
def test_whatever_a_file_holds_stays_words(words: str) -> None:
    html = page(named([words], [hostile_run(words)]))
    found = Seen(html)
    assert found.open == []
    expected = seen(hostile_run("plain"))
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in expected.tags]
    assert [sorted(of) for _, of in found.tags] == [sorted(of) for _, of in expected.tags]


def test_a_hostile_name_is_shown_as_it_is() -> None:
    assert HOSTILE in seen(hostile_run(HOSTILE)).words


@pytest.mark.parametrize(
    ("fraction", "class_", "said"), [(0.5, "fill", "50%"), (1.04, "fill", "104%"), (2.0, "over", "200%")]
)
def test_what_is_above_its_ceiling_is_marked(fraction: float, class_: str, said: str) -> None:
    found = seen(made_run(result("standard", fraction=fraction)))
    bars = [of for _, of in found.tags if of.get("class") in ("fill", "over")]
    assert [of["class"] for of in bars] == [class_]
    assert bars[0]["style"] == f"width:{min(fraction, 1.0):.1%}"
    assert said in found.words


def test_without_ceilings_and_without_results_there_is_a_page() -> None:
    bare = seen(made_run(result("standard", fraction=None, ci95_s=None), ceilings=None))
    assert "ceilings" not in bare.words
    assert "conv, forward, 64x128 float32" in bare.words
    assert "environment" in seen(made_run(environment=replace(ENVIRONMENT, variables={"OMP_NUM_THREADS": "2"}))).words


def test_a_group_of_which_nothing_was_timed_is_its_table() -> None:
    found = seen(made_run(untimed("late", Status.SKIPPED, "the time budget was spent before")))
    assert "late: not timed: the time budget was spent before" in found.words
    assert "samples" not in found.words
    assert not any(tag == "svg" for tag, _ in found.tags)


def shapes(svg: str, name: str) -> list[dict[str, str]]:
    return [each.attrib for each in ET.fromstring(svg).iter(name)]  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("x", "start", "end", "expected"),
    [
        (Scale(1, 100, 0, 200), 1, 100, (0, 200)),
        (Scale(1, 100, 200, 0), 10, 1000, (100, 0)),
        (Scale(0, 4, 0, 8, is_log=False), 1, -5, (2, 0)),
    ],
    ids=["logarithmic", "upwards, no further than the end", "linear"],
)
def test_scales(x: Scale, start: float, end: float, expected: tuple[float, float]) -> None:
    assert (x(start), x(end)) == pytest.approx(expected)


def test_marks_are_powers_of_ten_and_more_where_these_are_few() -> None:
    assert Scale(0.5, 20, 0, 1).powers() == [1, 3, 10]
    assert Scale(1, 1e6, 0, 1).powers() == [10**power for power in range(7)]


def test_elements_escape_what_they_hold() -> None:
    assert element("a", text("<b>"), href='"x"&', stroke_width=1.0, class_="c") == (
        '<a href="&quot;x&quot;&amp;" stroke-width="1" class="c">&lt;b&gt;</a>'
    )
    assert 'aria-label="a &lt; b"' in picture(10.5, 4, "a < b", "")


def test_a_sample_is_a_dot_and_a_late_one_a_tick() -> None:
    svg = samples_svg(result("standard"))
    by_class = {of["class"]: of["d"] for of in shapes(svg.replace("<svg ", "<svg "), "path") if "class" in of}
    assert by_class["dots hot"].count("M") == len(SAMPLES) - 1
    assert by_class["late hot"].count("M") == 1
    assert by_class["pass"].startswith("M316.0 ")
    assert "1 beyond" in svg
    # Later in time is further right, and longer is higher.
    dots = [tuple(map(float, place)) for place in re.findall(r"M([\d.]+) ([\d.]+)h0", by_class["dots hot"])]
    assert dots == sorted(dots, key=lambda place: place[0])
    heights = [height for _, height in dots]
    assert heights.index(min(heights)) == 2
    assert heights.index(max(heights)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": (1e-3,), "ci95_s": None},
        {"samples": (1e-3,) * 8},
        {"samples": (0.0,) * 8, "median_s": 0.0},
        {"samples": (1e-3, 2e-3), "passes": (2,)},
    ],
    ids=["one", "all alike", "a clock that saw nothing", "one pass"],
)
def test_odd_samples_are_drawn(changes: dict[str, Any]) -> None:
    svg = samples_svg(result("standard", **{"ci95_s": None, "passes": (), **changes}))
    (dots,) = [of["d"] for of in shapes(svg, "path") if of.get("class") == "dots hot"]
    assert dots.count("M") == len(changes["samples"])
    assert "nan" not in svg


def test_points_lie_below_their_roofs() -> None:
    # At 2 FLOPs a byte memory allows 50 GFLOP/s: the first is on that roof, the second a quarter of it.
    on, below = (result(name, median_s=16_000_000 / rate) for name, rate in (("on", 50e9), ("below", 12.5e9)))
    svg = panel_svg(panels(made_run(on, below))[0])
    on_point, below_point = ((float(of["cx"]), float(of["cy"])) for of in shapes(svg, "circle"))
    roof = next(of["d"] for of in shapes(svg, "path") if of.get("class") == "roof" and "L" in of["d"])
    left, bottom, right, top = map(float, re.findall(r"[\d.]+", roof))
    share = (on_point[0] - left) / (right - left)
    assert on_point[1] == pytest.approx(bottom + share * (top - bottom), abs=0.2)
    assert below_point[0] == on_point[0]
    assert below_point[1] > on_point[1]


def test_a_panel_names_its_kernels_and_says_of_points_what_they_are() -> None:
    (panel, rates) = panels(RUN)
    words = panel_svg(panel)
    assert "standard, hot: 1.10 ms, 25% of its ceiling (memory)" in words
    assert "depthwise, channels-last, hot" in words
    assert len(shapes(words, "rect")) == 1
    assert "memory 25.0 GB/s, last-level cache 100 GB/s, fastest cache 240 GB/s" in words
    assert "bytes/s, nothing to compute" in panel_svg(rates)
    assert "gather" in panel_svg(rates)


def test_a_panel_without_ceilings_has_points_alone() -> None:
    (panel,) = panels(made_run(result("standard", fraction=None), ceilings=None))
    svg = panel_svg(panel)
    assert len(shapes(svg, "circle")) == 1
    assert not [of for of in shapes(svg, "path") if of.get("class", "").startswith("roof")]
    assert "of its ceiling" not in svg
    (float64,) = panels(made_run(result("standard", dtype="float64")))
    assert "matmul" not in panel_svg(float64)
    # Far below every cache's roof, only that of memory is seen.
    steep = panel_svg(panels(made_run(result("standard", flops=8_000_000_000)))[0])
    assert len([of for of in shapes(steep, "path") if of.get("class") == "roof faint"]) == 0


def test_the_command_writes_one_file(segcli: Segcli, tmp_path: Path) -> None:
    file = write(tmp_path / "run.json", RUN)
    done = segcli("bench", "report", file, "-o", tmp_path / "report.html")
    assert (done.code, done.out, done.err) == (0, "", "")
    html = (tmp_path / "report.html").read_text()
    assert html == page(named([str(file)], [RUN]))
    both = segcli("bench", "report", file, write(tmp_path / "other.json", RUN))
    assert both.code == 0
    assert "time B / A" in both.out
    again = segcli("bench", "report", file, "-o", tmp_path / "report.html")
    assert (again.code, (tmp_path / "report.html").read_text()) == (2, html)


def test_standard_output_may_be_named(segcli: Segcli, tmp_path: Path) -> None:
    file = write(tmp_path / "run.json", RUN)
    assert segcli("bench", "report", file, "-o", "-").out == segcli("bench", "report", file).out


@pytest.mark.parametrize("argv", [(), ("-o", "-")], ids=["no -o", "-o -"])
def test_a_terminal_gets_no_html(
    segcli: Segcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    file = write(tmp_path / "run.json", RUN)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = segcli("bench", "report", file, *argv)
    assert (done.code, done.out) == (2, "")
    assert "the report is HTML, expected a file or a pipe, not a terminal" in done.err
    assert "hint: -o report.html" in done.err
    assert segcli("bench", "report", file, "-o", tmp_path / "report.html").code == 0


def test_a_pattern_is_the_files_that_match_it(segcli: Segcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("main-2.json", "main-1.json", "branch.json"):
        write(Path(name), RUN)
    done = segcli("bench", "report", "branch.json", "main-*.json")
    assert done.code == 0
    assert "A: branch.json, B: main-1.json, C: main-2.json" in done.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("run.json", "run.json"), "run.json was given twice, expected each run once"),
        (("run.json", "r*.json"), "run.json was given twice, expected each run once"),
        (("run.json", "link.json"), "link.json was given twice, first as run.json; expected each run once"),
        (("-", "-"), "standard input was given twice, expected each run once"),
    ],
    ids=["name", "pattern", "link", "standard input"],
)
def test_a_run_is_given_once(
    segcli: Segcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("run.json"), RUN)
    Path("link.json").symlink_to("run.json")
    done = segcli("bench", "report", *argv)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("missing.json",), "missing.json does not exist"),
        (("other.json",), 'other.json has schema "segcli.loss/1", expected'),
        (("cut.json",), "cut.json is not a whole JSON document"),
        (("run.json", "--json"), "the report is HTML, expected no --json"),
        (("run.json", "--csv"), "the report is HTML, expected no --csv"),
        (("run.json", "-o", "page.txt"), "the report is HTML, expected a name that ends in .html, not page.txt"),
        (("main-*.json",), "no file matches 'main-*.json'"),
        ((), "missing argument 'RUN.json...'"),
    ],
    ids=["missing", "another schema", "truncated", "json", "csv", "txt", "no match", "none"],
)
def test_mistakes_are_named(
    segcli: Segcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = write(Path("run.json"), RUN).read_text()
    Path("cut.json").write_text(whole[: len(whole) // 2])
    Path("other.json").write_text('{"schema": "segcli.loss/1"}')
    done = segcli("bench", "report", *argv)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
