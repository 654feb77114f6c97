import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from segcli.errors import SegcliError
from segcli.jsonlines import read_lines, source_of_lines, to_line, write_lines


@dataclass(frozen=True)
class Said:
    """A result."""

    words: str


class Stream(io.StringIO):
    """A standard output that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


def test_a_document_is_one_line() -> None:
    assert to_line("x", Said("a\nb")) == '{"schema": "segcli.x/1", "words": "a\\nb"}\n'
    assert to_line("x", {"of": Said("a")}).count("\n") == 1


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_line("x", {"a": float("nan")})


def test_a_file_appears_when_all_lines_are_there(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"

    def lines() -> list[str]:
        assert not file.exists()
        return ["a\n", "b\n"]

    write_lines((text for text in lines()), file)
    assert file.read_text() == "a\nb\n"
    with pytest.raises(SegcliError, match="exists already"):
        write_lines(["c\n"], file)
    write_lines(["c\n"], file, force=True)
    assert file.read_text() == "c\n"


def test_lines_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(["a\n"], Path("-"))
    write_lines(["b\n"], None)
    assert capsys.readouterr().out == "a\nb\n"


def test_a_full_disk_is_a_message_and_a_reader_that_went_away_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Stream(OSError(28, "No space left on device")))
    with pytest.raises(SegcliError, match="cannot write to standard output: No space left on device"):
        write_lines(["a\n"], None)
    monkeypatch.setattr("sys.stdout", Stream(BrokenPipeError(32, "Broken pipe")))
    with pytest.raises(BrokenPipeError, match="Broken pipe"):
        write_lines(["a\n"], None)


def test_standard_input_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SegcliError, match="standard input is closed"), source_of_lines(Path("-")):
        pass


def test_a_file_says_how_large_it_is(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"a\nb\n")
    with source_of_lines(tmp_path / "lines") as (file, size):
        assert (size, list(read_lines(file, 10))) == (4, [(b"a\n", 2), (b"b\n", 2)])


@pytest.mark.parametrize("end", [b"", b"\n", b"\nb"])
def test_a_long_line_is_passed_over_in_pieces(end: bytes) -> None:
    content = b"x" * 200_000 + end
    rest = [(b"b", 1)] if end == b"\nb" else []
    assert list(read_lines(io.BytesIO(content), 10)) == [(None, 200_000 + bool(end)), *rest]
