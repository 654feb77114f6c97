import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Task, TaskID

from segcli.draw import PALETTE, to_text
from segcli.emit import Output, complain, emit, note, to_csv, to_json
from segcli.errors import SegcliError
from segcli.progress import _RatesColumn, progress, progress_of_files
from segcli.table import Cell, Column, Styled, Table
from segcli.words import printable

COLUMNS = (Column("name"), Column("time", "seconds"), Column("size", "bytes"), Column("hit", "text"))
TABLE = Table("title", COLUMNS, [("a[0]", 0.00123, 2048, True), ("[red]b", None, 1, False)], ["a note"])


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Result:
    value: Any


def tables() -> list[Table]:
    return [TABLE]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (Colour.RED, "red"),
        (Path("a/b"), "a/b"),
        ((1, [2.5]), [1, [2.5]]),
        ({1: float("nan")}, {"1": None}),
    ],
)
def test_json_holds_plain_data_only(value: object, plain: object) -> None:
    assert json.loads(to_json("loss", Result(value))) == {"schema": "segcli.loss/1", "value": plain}


def test_json_of_a_mapping() -> None:
    assert json.loads(to_json("ckpt", {"a": 1})) == {"schema": "segcli.ckpt/1", "a": 1}


def test_csv_has_raw_values_and_units_in_its_headings() -> None:
    assert to_csv(TABLE) == "name,time_s,size_bytes,hit\na[0],0.00123,2048,True\n[red]b,,1,False\n"


def test_text_shows_units_and_takes_nothing_for_markup() -> None:
    lines = to_text([TABLE, Table("second", notes=["below"])]).splitlines()
    assert lines[0] == "title"
    assert lines[3].split() == ["a[0]", "1.23", "ms", "2.05", "kB", "yes"]
    assert lines[4].split() == ["[red]b", "-", "1", "B", "no"]
    assert lines[5:] == ["a note", "", "second", "below"]


STYLED = Styled((("x[", ""), ("i", "axis0"), (", 0]", "gone")))


def test_styles_leave_no_trace_in_plain_text() -> None:
    table = Table(STYLED, [Column("cell")], [(STYLED,)], [STYLED])
    assert to_text([table]) == to_text([Table(str(STYLED), [Column("cell")], [(str(STYLED),)], [str(STYLED)])])
    assert to_csv(table) == 'cell\n"x[i, 0]"\n'


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("style", sorted(name for name in PALETTE if name))
def test_a_colour_is_readable_on_light_and_on_dark(style: Literal["axis0"]) -> None:
    shade = luminance(PALETTE[style])
    assert min((1 + 0.05) / (shade + 0.05), (shade + 0.05) / 0.05) > 4


def test_long_notes_are_wrapped_between_words() -> None:
    laid_out = "  x[0, 1, 2, 3, 4, 5, 6]"
    long = Styled((("x[0, 1, 2, 3, 4, 5, 6, 7]", ""),))
    notes: list[str | Styled] = ["one two three-four five", "a" * 30, laid_out, long, "short"]
    shown = to_text([Table("t", notes=notes)], 16).splitlines()
    assert shown == ["t", "one two", "  three-four", "  five", "a" * 30, laid_out, str(long), "short"]


def test_every_kind_of_cell_is_shown() -> None:
    columns = [
        Column("a", "count"),
        Column("b", "rate", "B/s"),
        Column("c", "ratio"),
        Column("d", "bar"),
        Column("e", "number"),
        Column("f"),
        Column("g", "share"),
    ]
    rows = [(1234, 2e9, 0.5, 0.5, 1 / 3, 7, 0.125), (0, 0, 0, 0, 0, 0, 0), (1, 1, 9, 9, 1, 1, 1)]
    shown = [line.split() for line in to_text([Table("", columns, rows)]).splitlines()[3:]]
    assert shown[0] == ["1,234", "2.00", "GB/s", "0.500x", "####", "0.333333", "7", "12.5%"]
    assert shown[1] == ["0", "0", "B/s", "0x", "0", "0", "0.0%"]
    assert shown[2][4:] == ["##########+", "1", "1", "100.0%"]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_number_is_cut_short_on_a_narrow_terminal(width: int) -> None:
    columns = [Column("name"), Column("weights", "count"), Column("shape"), Column("time", "seconds")]
    table = Table("t", columns, [("depthwise-separable", 123_456_789, "(64, 6, 6)", 1.23e-3)] * 2)
    row = to_text([table], width).splitlines()[3]
    assert row.split("  ")[0] == "depthwise-separable"
    assert "123,456,789" in row
    assert "(64, 6, 6)" in row
    assert "1.23 ms" in row


def test_a_heading_of_two_words_takes_no_room_from_numbers() -> None:
    columns = [Column("class"), *(Column(f"norm of {i}", "number") for i in range(6)), Column("IoU", "number")]
    row: list[Cell] = ["0", *[0.5] * 6, 0.977452]
    for width in range(40, 100):
        lines = to_text([Table("t", columns, [row])], width).splitlines()
        assert lines[1].endswith("norm of 5        IoU")
        assert lines[3].endswith("0.977452")


def test_a_line_break_in_a_name_does_not_break_its_row() -> None:
    lines = to_text([Table("t", [Column("name")], [("a\nb",)])]).splitlines()
    assert lines[3:] == ["a\\nb"]


@given(st.text())
def test_nothing_from_a_file_can_drive_the_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.replace("\n", "").isprintable()
    assert shown == text or not text.isprintable()


def emitted(output: Output, capsys: pytest.CaptureFixture[str]) -> str:
    emit("loss", Result(1), tables, output)
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_the_format_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert emitted(Output(json=True), capsys) == to_json("loss", Result(1))
    assert emitted(Output(csv=True), capsys) == to_csv(TABLE)
    assert emitted(Output(), capsys) == to_text([TABLE], 100)
    assert emitted(Output(file=Path("-")), capsys) == to_text([TABLE], 100)


def test_csv_may_have_a_table_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    flat = Table("", [Column("a")], [("b",)])
    emit("loss", Result(1), tables, Output(csv=True), records=lambda: [flat])
    assert capsys.readouterr().out == "a\nb\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("r.json", to_json("loss", Result(1))), ("r.csv", to_csv(TABLE)), ("r.txt", to_text([TABLE]))],
)
def test_a_files_ending_chooses_the_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, expected: str
) -> None:
    assert emitted(Output(file=tmp_path / name), capsys) == ""
    assert (tmp_path / name).read_text() == expected


def test_an_option_outranks_the_ending(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emitted(Output(csv=True, file=tmp_path / "r.json"), capsys)
    assert (tmp_path / "r.json").read_text() == to_csv(TABLE)


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("old")
    with pytest.raises(SegcliError, match="exists already"):
        emit("loss", Result(1), tables, Output(file=tmp_path / "r.json"))


def test_no_bar_of_files_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of_files(3, Output()) as advance:
        advance(3, 10)
    assert capsys.readouterr() == ("", "")


def test_complaints_and_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    complain("a\x1b[2J", "b")
    note("said", Output())
    note("unsaid", Output(quiet=True))
    assert capsys.readouterr() == ("", "error: a\\x1b[2J\nhint: b\nnote: said\n")


def test_no_progress_bar_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("records", 3, Output()) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


_PROGRESS = """
import time
from segcli.emit import Output
from segcli.progress import progress
with progress("records", 3, Output()) as advance:
    advance(1)
    time.sleep(1.1)
    advance(1)
    time.sleep(0.2)
"""
_PROGRESS_IN_BYTES = _PROGRESS.replace("advance(1)", "advance(1_000_000)").replace(
    '"records", 3, Output()', '"copied", 3_000_000, Output(), in_bytes=True'
)
_PROGRESS_OF_FILES = """
import time
from segcli.emit import Output
from segcli.progress import progress_of_files
with progress_of_files(4, Output()) as advance:
    advance(1, 0)
    time.sleep(1.1)
    advance(2, 3_000_000_000)
    time.sleep(0.2)
"""
_COLOUR = """
import sys
from segcli.emit import Output, emit
from segcli.table import Column, Table
emit("x", {}, lambda: [Table("t", [Column("c")], [("v",)])], Output(no_color=len(sys.argv) > 1))
"""


_STYLES = """
import sys
from segcli.emit import Output, emit
from segcli.table import Cell, Column, Styled, Table
styled = Styled([("x[", ""), ("i", "axis0"), ("]", "gone")])
emit("x", {}, lambda: [Table(styled, [Column("c"), Column("d")], [("v", styled)], [styled])], Output())
"""
_STREAM = """
import sys, time
from segcli.emit import Output
from segcli.progress import progress
with progress("read", int(sys.argv[1]), Output(), in_bytes=True, streams=True) as advance:
    advance(1)
    time.sleep(1.1)
    advance(1)
    sys.stdout.write("result\\n")
    sys.stdout.flush()
    time.sleep(0.2)
"""


def on_a_terminal(code: str, *argv: str, **env: str) -> str:
    """Run Python on a pseudo-terminal and return what it wrote there."""
    leader, follower = pty.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": "80", **env}
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        [sys.executable, "-c", code, *argv], stdin=follower, stdout=follower, stderr=follower, env={**kept, **variables}
    ) as process:
        os.close(follower)
        written = io.BytesIO()
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # Linux's way to say that the other side closed
                break
            if not chunk:
                break
            written.write(chunk)
        os.close(leader)
        assert process.wait(timeout=60) == 0
    return written.getvalue().decode()


def test_a_terminal_gets_colours_and_may_refuse_them() -> None:
    assert "\x1b[" in on_a_terminal(_COLOUR)
    assert "\x1b[" not in on_a_terminal(_COLOUR, "plain")
    assert "\x1b[" not in on_a_terminal(_COLOUR, NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal(_COLOUR, TERM="dumb")


def test_styles_are_colours_on_a_terminal() -> None:
    red, grey = "\x1b[38;2;215;0;95mi\x1b[0m", "\x1b[38;2;118;118;118m]\x1b[0m"
    shown = on_a_terminal(_STYLES, COLORTERM="truecolor")
    assert shown.count(f"x[{red}{grey}") == 2
    assert "\x1b[1;38;2;215;0;95mi" in shown
    assert "\x1b[" not in on_a_terminal(_STYLES, TERM="dumb")
    # Beside colours that mean something there is none that means nothing.
    assert "\x1b[36mv" in on_a_terminal(_COLOUR)
    assert "\x1b[36mv" not in shown


def test_no_bar_runs_through_results() -> None:
    assert on_a_terminal(_STREAM, "3000000") == "result\r\n"


def test_no_bar_where_the_end_is_not_known() -> None:
    assert on_a_terminal(_STREAM.replace("streams=True", "streams=False"), "0") == "result\r\n"


def test_results_stay_on_standard_output_under_a_bar(tmp_path: Path) -> None:
    file = tmp_path / "out"
    code = f"import sys; sys.stdout = open({str(file)!r}, 'w')\n" + _STREAM
    shown = on_a_terminal(code, "3000000")
    assert "read" in shown
    assert "result" not in shown
    assert file.read_text() == "result\n"


def test_a_progress_bar_appears_on_a_terminal_after_a_second() -> None:
    assert "records" in on_a_terminal(_PROGRESS)
    assert "records" not in on_a_terminal(_PROGRESS, TERM="dumb")


def test_a_progress_bar_of_bytes_has_units_and_speed() -> None:
    shown = on_a_terminal(_PROGRESS_IN_BYTES, COLUMNS="100")
    assert "2.0/3.0 MB" in shown
    assert "B/s" in shown


def test_a_progress_bar_of_files_has_their_speed_and_the_bytes() -> None:
    shown = on_a_terminal(_PROGRESS_OF_FILES, COLUMNS="120")
    assert "3/4" in shown
    assert re.search(r"[12]\.?\d* files/s [12]\.\d\d GB/s", shown), shown
    assert "\x1b" not in on_a_terminal(_PROGRESS_OF_FILES, TERM="dumb")


def test_a_progress_bar_of_files_begins_without_a_speed() -> None:
    task = Task(TaskID(0), "files", 4, 0, _get_time=lambda: 5.0, fields={"n_files": 0, "n_bytes": 0})
    assert _RatesColumn().render(task).plain == ""


def test_text_is_broken_between_words_before_a_table_is_wider_than_the_terminal() -> None:
    columns = [Column(name) for name in ("token", "kind", "takes", "gives", "what it does")]
    row = ("x" * 12, "float32 (2, 3, 8, 8)", "axes 0 and 1: 2, 3", "axes 0 and 1: 2, 3", "every one is kept here")
    lines = to_text([Table("t", columns, [row])], 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert {"float32", "axes", "every"} <= set(lines[3].split())


def test_a_narrow_table_loses_no_character() -> None:
    words = "a channel's statistics are of N * H * W values: (1 - 1) the shape stays"
    columns = [Column(name) for name in ("token", "kind", "takes", "gives", "what it does")]
    row = ("x" * 28, "axis 1: 64 and more", "axis 1: 64 and more", "axis 1: 64 and more", words)
    for width in range(60, 130):
        lines = to_text([Table("t", columns, [row])], width).splitlines()[3:]
        shown = "".join(line[line.rfind("   ") :] for line in lines if line.strip())
        assert shown.replace(" ", "").endswith(words.replace(" ", "")) or words in lines[0], width


SPARE = Table(
    "title",
    [
        Column("module"), Column("type", spare=1), Column("n", "count"), Column("FLOPs", "count", spare=3),
        Column("share", "bar", spare=2),
    ],
    [("head", "SegmentationHead", 1_000, 123_456, 1.0)],
    ["first"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (54, ""), (53, "type"), (35, "type"), (34, "type, share"), (24, "type, share"), (23, "type, share, FLOPs"),
        (5, "type, share, FLOPs"),
    ],
)  # fmt: skip
def test_columns_that_may_be_are_left_out_in_their_order(width: int, left_out: str) -> None:
    lines = to_text([SPARE], width).splitlines()
    heading, row = lines[1].split(), lines[3].split()
    assert [name for name in ("type", "share", "FLOPs") if name not in heading] == left_out.split(", ") * bool(left_out)
    assert len(row) == len(heading)
    assert width < 12 or max(len(line) for line in lines[:4]) <= width
    note = f"left out at this width: {left_out}; lines of 54 characters show all, and --csv"
    assert " ".join(line.strip() for line in lines[4:]) == ("first " + note if left_out else "first")


def test_csv_has_the_columns_that_a_terminal_leaves_out() -> None:
    assert to_csv(SPARE).splitlines()[0] == "module,type,n,flops,share"
