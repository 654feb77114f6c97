"""What a command tells while it works."""

import io
from typing import Any

import pytest

from segcli import progress as module
from segcli.emit import Output
from segcli.progress import progress_with_news


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_latest_news_stand_in_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "_PROGRESS_AFTER_S", -1.0)
    with progress_with_news("kernels", 3, Output()) as news:
        news.advance(1)
        news.latest("conv/[bold]standard forward 5 ms")
        news.line("not with a bar")
        news.advance(2)
    shown = terminal.getvalue()
    # A name in brackets is no markup.
    assert "conv/[bold]standard forward 5 ms" in shown
    assert "3/3" in shown
    assert "not with a bar" not in shown


@pytest.mark.parametrize(("quiet", "expected"), [(False, "a line\n"), (True, "")])
def test_off_a_terminal_there_are_lines_unless_quiet(
    capsys: pytest.CaptureFixture[str], *, quiet: bool, expected: str
) -> None:
    with progress_with_news("kernels", 3, Output(quiet=quiet)) as news:
        news.advance(1)
        news.latest("this goes into the bar")
        news.line("a line")
    captured: Any = capsys.readouterr()
    assert (captured.out, captured.err) == ("", expected)
