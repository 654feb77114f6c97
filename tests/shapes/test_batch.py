import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.jsonlines import read_lines
from segcli.shapes import explain
from segcli.shapes.batch import MAX_LINE_BYTES, Refusal, Tally, answer_lines
from tests.conftest import Run

GOOD = {"expr": "x[0]", "bind": {"x": "2,3"}}


def line(document: object) -> str:
    return json.dumps(document) + "\n"


def answers(content: bytes, tally: Tally | None = None) -> list[Any]:
    return list(answer_lines(read_lines(io.BytesIO(content), MAX_LINE_BYTES), explain, tally or Tally()))


def batch(segcli: Run, folder: Path, content: bytes | str, *argv: object) -> tuple[int, list[dict[str, Any]]]:
    file = folder / "questions.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = segcli("shapes", "--batch", file, *argv)
    return done.code, [json.loads(text) for text in done.out.splitlines()]


def test_each_line_has_its_answer_in_order(segcli: Run, tmp_path: Path) -> None:
    asked = [("src[a, b, :]", {"src": "8,16,3", "a": "4,5", "b": "4,5"}), ("x[9]", {"x": "2,3"})]
    code, found = batch(segcli, tmp_path, "".join(line({"expr": expr, "bind": bind}) for expr, bind in asked))
    # What a library raises is an answer.
    assert code == 0
    for (expr, bind), document in zip(asked, found, strict=True):
        alone = segcli("shapes", expr, *(f"{name}={spec}" for name, spec in bind.items()), "--json")
        assert document == alone.json
        assert list(document) == list(alone.json)


def test_numpy_may_lead_a_batch(segcli: Run, tmp_path: Path) -> None:
    _, (document,) = batch(segcli, tmp_path, line(GOOD), "--numpy")
    assert document["lead"] == "numpy"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (b"nope", "bad-line", "the line is not JSON: Expecting value"),
        (b'{"expr": "x[0]"', "bad-line", "the line is not JSON: Expecting ',' delimiter"),
        (b"[" * 100_000, "bad-line", "the line is not JSON: it is nested too deep"),
        (b"1" * 5_000, "bad-line", "the line is not JSON: Exceeds the limit"),
        (b'{"expr": "\xff"}', "bad-line", "the line is not UTF-8: byte 0xff at 10"),
        (b'"' + b"x" * MAX_LINE_BYTES + b'"', "bad-line", "the line has more than 1,048,576 bytes"),
        (b"null", "bad-line", "the line holds null, expected an object"),
        (b"[1]", "bad-line", "the line holds a list, expected an object"),
        (b"true", "bad-line", "the line holds a boolean, expected an object"),
        (b"1.5", "bad-line", "the line holds a number, expected an object"),
        (b'"x[0]"', "bad-line", "the line holds text, expected an object"),
        (b"{}", "bad-line", "the line has no key 'expr'"),
        (b'{"expr": {}}', "bad-line", "'expr' holds an object, expected text"),
        (b'{"expr": "x[0]", "binds": {}}', "bad-line", "the line has an unknown key 'binds'"),
        (b'{"expr": "x[0]", "bind": null}', "bad-line", "'bind' holds null, expected an object of names and SPECs"),
        (b'{"expr": "x[0]", "bind": {"x": 3}}', "bad-line", "'bind' gives x a number, expected text"),
        (b'{"expr": "x[0]", "bind": {"x": [3]}}', "bad-line", "'bind' gives x a list, expected text"),
        (b'{"expr": "x["}', "bad-expression", "the expression ends"),
        (b'{"expr": "x[0]"}', "bad-expression", "x is not bound"),
        (b'{"expr": "\\ud800"}', "bad-expression", "unexpected"),
        (b'{"expr": "x[0]", "bind": {"x": "float31:2"}}', "bad-expression", "x=float31:2 names an unknown dtype"),
    ],
)
def test_a_bad_line_is_answered_and_the_next_one_too(
    segcli: Run, tmp_path: Path, text: bytes, kind: str, message: str
) -> None:
    code, (refused, answered) = batch(segcli, tmp_path, b"\n" + text + b"\n \t\r\n" + line(GOOD).encode())
    assert code == 1
    assert list(refused) == ["schema", "line", "expr", "error"]
    assert (refused["schema"], refused["line"], refused["error"]["type"]) == ("segcli.shapes/1", 2, kind)
    assert refused["error"]["message"].startswith(message)
    assert answered["torch"]["shape"] == [3]


def test_the_hint_writes_a_number_as_text() -> None:
    (refused,) = answers(b'{"expr": "x[0]", "bind": {"x": 3}}')
    assert refused.error.hint == 'write "x": "3"'


def test_a_long_expression_is_cut_in_its_error() -> None:
    (refused,) = answers(line({"expr": "x" * 20_000}).encode())
    assert refused.expr == "x" * 60 + "..."
    assert "20,000 characters" in refused.error.message


def test_a_mark_of_the_encoding_and_a_missing_end_do_no_harm() -> None:
    (answer,) = answers(b"\xef\xbb\xbf" + line(GOOD).strip().encode())
    assert answer.torch.shape == (3,)


def test_a_bug_stops_nothing(segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(expr: str, *_: object, **__: object) -> object:
        if expr == "x[1]":
            raise AssertionError(expr)
        return explain(expr, {"x": "2,3"})

    monkeypatch.setattr("segcli.shapes.explanation.explain", broken)
    code, (first, second) = batch(segcli, tmp_path, line({"expr": "x[1]"}) + line(GOOD))
    assert code == 70
    assert first["error"]["type"] == "bug"
    assert first["error"]["message"] == "this is a bug in segcli: AssertionError: x[1]"
    assert second["same"] is True


@given(st.binary(max_size=80))
@example(b"\n\n")
@example(b'{"expr": "x[0]", "bind": {"\\ud800": "2"}}')
def test_any_bytes_are_answered(content: bytes) -> None:
    tally = Tally()
    asked = [text for text in content.split(b"\n") if text.strip()]
    found = answers(content, tally)
    assert len(found) == len(asked)
    assert tally.bugs == 0
    assert tally.refused == sum(isinstance(answer, Refusal) for answer in found)


def test_progress_is_told_of_every_byte() -> None:
    content = line(GOOD).encode() * 3_000
    told: list[int] = []
    list(answer_lines(read_lines(io.BytesIO(content), MAX_LINE_BYTES), lambda *_: {}, Tally(), told.append))
    assert sum(told) == len(content)
    assert len(told) > 1


def test_the_answers_may_go_to_a_file(segcli: Run, tmp_path: Path) -> None:
    code, found = batch(segcli, tmp_path, line(GOOD), "-o", tmp_path / "answers.jsonl")
    assert (code, found) == (0, [])
    assert json.loads((tmp_path / "answers.jsonl").read_text())["same"] is True


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["--batch", "none.jsonl"], "error: none.jsonl does not exist"),
        (
            ["--batch", ".", "x[0]"],
            "error: --batch takes its expressions from a file, so 'x[0]' beside it has no place",
        ),
        (["--batch", ".", "--csv"], "error: --batch writes JSON lines, and has no CSV"),
        (["--batch", ".", "-o", "a.csv"], "error: --batch writes JSON lines, and has no CSV"),
        (["--batch", "."], "error: . is a folder, expected a file"),
        (["--run"], "error: --run confirms an expression, and none was given"),
    ],
    ids=" ".join,
)
def test_bad_usage_of_batch(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = segcli("shapes", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_an_answer_comes_before_the_next_question() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "segcli", "shapes", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(line(GOOD).encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["same"] is True
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_a_reader_may_go_away(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(line(GOOD) * 1_000)
    read, write = os.pipe()
    argv = [sys.executable, "-m", "segcli", "shapes", "--batch", str(file)]
    with subprocess.Popen(argv, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        os.close(read)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141
