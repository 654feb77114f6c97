import io
import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.emit import Output, complain, emit, note, printable, progress, to_csv, to_json, to_text
from segcli.errors import SegcliError
from segcli.table import Column, Table

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


def test_every_kind_of_cell_is_shown() -> None:
    columns = [
        Column("a", "count"),
        Column("b", "rate", "B/s"),
        Column("c", "ratio"),
        Column("d", "bar"),
        Column("e", "number"),
        Column("f"),
    ]
    rows = [(1234, 2e9, 0.5, 0.5, 1 / 3, 7), (0, 0, 0, 0, 0, 0), (1, 1, 9, 9, 1, 1)]
    shown = [line.split() for line in to_text([Table("", columns, rows)]).splitlines()[3:]]
    assert shown[0] == ["1,234", "2.00", "GB/s", "0.500x", "####", "0.333333", "7"]
    assert shown[1] == ["0", "0", "B/s", "0x", "0", "0"]
    assert shown[2][4:] == ["##########+", "1", "1"]


@given(st.text())
def test_nothing_from_a_file_can_drive_the_terminal(text: str) -> None:
    shown = printable(text)
    assert all(char.isprintable() or char == "\n" for char in shown)
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
from segcli.emit import Output, progress
with progress("records", 3, Output()) as advance:
    advance(1)
    time.sleep(1.1)
    advance(1)
    time.sleep(0.2)
"""
_PROGRESS_IN_BYTES = _PROGRESS.replace("advance(1)", "advance(1_000_000)").replace(
    '"records", 3, Output()', '"copied", 3_000_000, Output(), in_bytes=True'
)
_COLOUR = """
import sys
from segcli.emit import Output, emit
from segcli.table import Column, Table
emit("x", {}, lambda: [Table("t", [Column("c")], [("v",)])], Output(no_color=len(sys.argv) > 1))
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


def test_a_progress_bar_appears_on_a_terminal_after_a_second() -> None:
    assert "records" in on_a_terminal(_PROGRESS)
    assert "records" not in on_a_terminal(_PROGRESS, TERM="dumb")


def test_a_progress_bar_of_bytes_has_units_and_speed() -> None:
    shown = on_a_terminal(_PROGRESS_IN_BYTES, COLUMNS="100")
    assert "2.0/3.0 MB" in shown
    assert "B/s" in shown
