import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from segcli.bench import Result
from segcli.emit import to_json
from tests.bench.comparing.made import made_reference, made_result, made_run, write_run
from tests.conftest import Run as Segcli

LOSS = {"suite": "loss", "mode": "forward+backward"}


def steady(name: str, seconds: float, **changes: object) -> Result:
    return made_result(name, [[seconds] * 9] * 3, **changes)


BEFORE = made_run(
    steady("argmax", 1e-3),
    steady("argmax", 2e-3, caches="cold"),
    steady("gather", 5e-4),
    steady("gone", 5e-4),
    steady("ohem", 4e-3, variant="compiled", **LOSS),
    references=[made_reference("copy", [[5e-3] * 9] * 3), made_reference("copy", [[5e-3] * 9] * 3, **LOSS)],
)
AFTER = made_run(
    steady("argmax", 1.2e-3),
    steady("argmax", 2e-3, caches="cold"),
    steady("gather", 2.5e-4),
    steady("ohem", 4.8e-3, variant="compiled", **LOSS),
    references=[made_reference("copy", [[5e-3] * 9] * 3), made_reference("copy", [[6e-3] * 9] * 3, **LOSS)],
)


NOTES = (
    "note: the machine changed: copy took 1.2 to 1.2 times as long in B beside 1 of 2 groups\n"
    "note: one run a side cannot see by how much one process differs from the next; before blaming a change, compare "
    "several: segcli bench compare 'a*.json' 'b*.json'\n"
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a.json", BEFORE)
    write_run(tmp_path / "b.json", AFTER)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_the_tables(segcli: Segcli, snapshot: SnapshotAssertion) -> None:
    done = segcli("bench", "compare", "a.json", "b.json")
    assert (done.code, done.err) == (1, NOTES)
    assert done.out == snapshot


def test_too_few_samples_have_no_interval_and_are_told_together(segcli: Segcli, tmp_path: Path) -> None:
    few = [made_result(name, [[1e-3, 2e-3]], caches=caches) for name in ("argmax", "max") for caches in ("hot", "cold")]
    file = write_run(tmp_path / "few.json", made_run(*few))
    done = segcli("bench", "compare", file, file)
    assert done.code == 0
    assert done.out.count("2 samples in A, and an interval takes 6") == 1
    assert "argmax hot, argmax cold, max hot and 1 more: 2 samples in A" in " ".join(done.out.split())
    rows = [line.split() for line in done.out.splitlines() if line.startswith(("argmax", "max "))]
    assert [row[-2:] for row in rows if row[-1] == "ambiguous"] == [["-", "ambiguous"]] * 4


@pytest.mark.usefixtures("files")
def test_markdown_for_a_pull_request(segcli: Segcli, snapshot: SnapshotAssertion) -> None:
    done = segcli("bench", "compare", "a.json", "b.json", "--markdown")
    assert (done.code, done.err) == (1, NOTES)
    assert done.out == snapshot


def test_a_file_that_ends_in_md_is_markdown(segcli: Segcli, files: Path) -> None:
    shown = segcli("bench", "compare", "a.json", "b.json", "--markdown").out
    assert segcli("bench", "compare", "a.json", "b.json", "-o", "report.md").out == ""
    assert (files / "report.md").read_text() == shown


@pytest.mark.usefixtures("files")
def test_json_holds_every_pair(segcli: Segcli) -> None:
    document = segcli("bench", "compare", "a.json", "b.json", "--json").json
    assert document["schema"] == "segcli.bench.compare/1"
    assert (document["first"], document["second"], document["min_effect"]) == (["a.json"], ["b.json"], 0.03)
    assert document["counts"] == {"slower": 1, "ambiguous": 0, "same": 2, "faster": 1, "incomparable": 1}
    worst = document["kernels"][0]
    assert (worst["kernel"], worst["caches"], worst["verdict"]) == ("argmax", "hot", "slower")
    assert (worst["first_s"], worst["second_s"]) == (1e-3, 1.2e-3)
    assert worst["ci95"] == pytest.approx([1.2, 1.2])
    assert document["machine"][0]["workload"] == "copy"


@pytest.mark.usefixtures("files")
def test_csv_has_a_row_a_kernel(segcli: Segcli) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("bench", "compare", "a.json", "b.json", "--csv").out)))
    assert [row["verdict"] for row in rows] == ["slower", "same", "same", "faster", "incomparable"]
    assert (rows[0]["first_s"], rows[0]["second_s"], rows[0]["size"]) == ("0.001", "0.0012", "256x512")
    assert float(rows[0]["ci95_low"]) == pytest.approx(1.2)
    assert (rows[-1]["kernel"], rows[-1]["ratio"], rows[-1]["reason"]) == ("gone", "", "only in A")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ([], 1),
        (["--min-effect", "25%"], 0),
        (["--min-effect", "0.25"], 0),
        (["--suite", "loss"], 0),
        (["--kernel", "g*"], 0),
        (["--suite", "loss,index", "--kernel", "argmax"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_a_sure_regression_ends_with_1(segcli: Segcli, argv: list[str], code: int) -> None:
    assert segcli("bench", "compare", "a.json", "b.json", "-q", *argv).code == code


def test_ambiguous_kernels_are_a_note(segcli: Segcli, files: Path) -> None:
    write_run(files / "c.json", made_run(made_result("gather", [[4e-4, 6e-4] * 5] * 3)))
    done = segcli("bench", "compare", "a.json", "c.json", "--kernel", "gather")
    assert done.code == 0
    assert done.err.startswith("note: 1 of 1 are ambiguous; a longer --time-budget tells more")
    assert segcli("bench", "compare", "a.json", "c.json", "--kernel", "gather", "-q").err == ""


def test_a_pattern_puts_runs_together(segcli: Segcli, files: Path) -> None:
    for place in (1, 2, 3):
        write_run(files / f"new-{place}.json", AFTER)
    document = segcli("bench", "compare", "a.json", "new-*.json", "--json").json
    assert document["second"] == ["new-1.json", "new-2.json", "new-3.json"]
    assert document["counts"]["slower"] == 1


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(segcli: Segcli, files: Path) -> None:
    write_run(files / "b[1].json", AFTER)
    assert segcli("bench", "compare", "a.json", "b[1].json", "--json").json["second"] == ["b[1].json"]


@pytest.mark.usefixtures("files")
def test_standard_input_is_one_side(segcli_process: Segcli, files: Path) -> None:
    done = segcli_process("bench", "compare", "-", "b.json", "--json", stdin=to_json("bench", BEFORE), cwd=files)
    assert (done.code, done.json["first"]) == (1, ["-"])


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["a.json", "none.json"], "error: none.json does not exist"),
        (["a.json", "none-*.json"], "error: no file matches 'none-*.json'"),
        (["-", "-"], "error: A and B are both standard input, expected one of them to be a file"),
        (
            ["a.json", "b.json", "b.json"],
            "error: 3 files were given, expected two sides, A and B\nhint: several runs a side are a pattern in quotes",
        ),
        (["a.json", "b.json", "--suite", "los"], "error: suite 'los' is in neither run\nhint: did you mean loss?"),
        (["a.json", "b.json", "--kernel", "ohm"], "error: no kernel of either run matches 'ohm'\nhint: did you mean"),
        (["a.json", "b.json", "--min-effect", "3"], "error: --min-effect is '3', expected a share from 0 to below 1"),
        (
            ["a.json", "b.json", "--min-effect", "-1%"],
            "error: --min-effect is '-1%', expected a share from 0 to below 1",
        ),
        (
            ["a.json", "b.json", "--min-effect", "three"],
            "error: --min-effect is 'three', expected a share from 0 to below 1",
        ),
        (
            ["a.json", "b.json", "--min-effect", "nan"],
            "error: --min-effect is 'nan', expected a share from 0 to below 1",
        ),
        (
            ["a.json", "b.json", "--min-effect", "3%%"],
            "error: --min-effect is '3%%', expected a share from 0 to below 1",
        ),
        (["a.json", "b.json", "--markdown", "--json"], "error: --markdown and --json were both given"),
        (["a.json", "b.json", "--markdown", "--csv"], "error: --markdown and --csv were both given"),
        (["a.json", "b.json", "-o", "b.json", "--force"], "error: -o b.json is a file that the command itself uses"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_requests_are_refused(segcli: Segcli, argv: list[str], error: str) -> None:
    done = segcli("bench", "compare", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_where_nothing_can_be_compared_the_exit_code_is_2(segcli: Segcli, files: Path) -> None:
    other = replace(AFTER, environment=replace(AFTER.environment, threads=77))
    write_run(files / "other.json", other)
    done = segcli("bench", "compare", "a.json", "other.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: nothing in a.json and other.json can be compared: ")


def test_a_name_cannot_drive_the_terminal_or_the_page(segcli: Segcli, files: Path) -> None:
    hostile = "a|b<img>*\x1b[2J"
    write_run(files / "x.json", made_run(steady(hostile, 1e-3)))
    write_run(files / "y.json", made_run(steady(hostile, 2e-3)))
    shown = segcli("bench", "compare", "x.json", "y.json").out
    page = segcli("bench", "compare", "x.json", "y.json", "--markdown").out
    assert "\x1b" not in shown + page
    assert r"| a&#124;b&#60;img&#62;\*\\x1b\[2J | 1.00 ms | 2.00 ms | 2.00x |" in page


def many(count: int) -> list[Result]:
    return [steady(f"kernel-{place}", 1e-3, size=(4, place + 1)) for place in range(count)]


def test_many_incomparable_kernels_are_put_together_by_their_reason(segcli: Segcli, files: Path) -> None:
    write_run(files / "few.json", made_run(steady("argmax", 1e-3)))
    write_run(files / "many.json", made_run(steady("argmax", 1e-3), *many(30)))
    out = segcli("bench", "compare", "few.json", "many.json").out
    assert "30 incomparable\n" in out
    assert "only in B: index/kernel-0 forward 4x1 float32 hot host, " in out
    assert " and 27 more\n" in " ".join(out.split("\n  "))


def test_many_reasons_are_cut(segcli: Segcli, files: Path) -> None:
    before = [replace(result, kernel="same") for result in many(30)]
    after = [replace(result, shape=(place, 1)) for place, result in enumerate(before)]
    write_run(files / "x.json", made_run(steady("argmax", 1e-3), *before))
    write_run(files / "y.json", made_run(steady("argmax", 1e-3), *after))
    out = segcli("bench", "compare", "x.json", "y.json").out
    assert "and 10 more, which --json lists\n" in out


def test_help_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'tensorboardX', 'hydra'): sys.modules[name] = None\n"
        "from segcli.cli import run\n"
        "sys.exit(run(['bench', 'compare', '--help']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--min-effect" in done.stdout
