"""Progress bars, on a terminal, for work that takes longer than a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from segcli.units import format_number, format_rate
from segcli.words import printable

if TYPE_CHECKING:
    from segcli.emit import Output

_PROGRESS_AFTER_S = 1.0


@contextmanager
def progress(
    what: str, total: int, output: "Output", *, in_bytes: bool = False, streams: bool = False
) -> Iterator[Callable[[int], None]]:
    """Give a function that counts work done; a bar appears on a terminal after a second.

    Args:
        what: What is counted, such as ``records``.
        total: How much there is to do; no bar for 0.
        output: No bar under ``--quiet``.
        in_bytes: Whether bytes are counted: they are shown in units, with how many a second.
        streams: Whether results are written meanwhile: no bar runs through them on the same terminal.
    """
    counts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    bar = None if streams and output.file is None and sys.stdout.isatty() else _bar(output, total, counts)
    if bar is None:
        yield lambda _: None
        return
    task = bar.add_task(what, total=total)
    with _shown_late(bar) as show:

        def advance(count: int) -> None:
            bar.advance(task, count)
            show()

        yield advance


@contextmanager
def progress_of_files(total: int, output: "Output") -> Iterator[Callable[[int, int], None]]:
    """Give a function that counts files and their bytes; the bar has files and bytes a second, and the time left.

    Args:
        total: How many files there are; no bar for 0.
        output: No bar under ``--quiet``.
    """
    bar = _bar(output, total, (MofNCompleteColumn(), _RatesColumn()))
    if bar is None:
        yield lambda _files, _bytes: None
        return
    task = bar.add_task("files", total=total, n_files=0, n_bytes=0)
    with _shown_late(bar) as show:
        n_files = n_bytes = 0

        def advance(files: int, more_bytes: int) -> None:
            nonlocal n_files, n_bytes
            # Files without bytes were not read now: an earlier run did, or they could not be.
            n_files += files if more_bytes else 0
            n_bytes += more_bytes
            bar.update(task, advance=files, n_files=n_files, n_bytes=n_bytes)
            show()

        yield advance


@dataclass(frozen=True)
class News:
    """What a command tells while it works.

    Attributes:
        advance: Counts work done.
        latest: Puts the latest result into the bar's text.
        line: Writes a line to standard error, where there is no terminal for a bar.
    """

    advance: Callable[[int], None]
    latest: Callable[[str], None]
    line: Callable[[str], None]


@contextmanager
def progress_with_news(what: str, total: int, output: "Output") -> Iterator[News]:
    """Give functions that count work done, and tell of it: in a bar on a terminal, else a line at a time.

    Args:
        what: What is counted, until there is something to tell.
        total: How much there is to do.
        output: Nothing under ``--quiet``.
    """
    bar = _bar(output, total, (MofNCompleteColumn(),))
    if bar is None:
        yield News(lambda _: None, lambda _: None, (lambda _: None) if output.quiet else _write_line)
        return
    task = bar.add_task(what, total=total)
    with _shown_late(bar) as show:

        def advance(count: int) -> None:
            bar.advance(task, count)
            show()

        def latest(text: str) -> None:
            bar.update(task, description=printable(text))
            show()

        yield News(advance, latest, lambda _: None)


def _write_line(text: str) -> None:
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


class _RatesColumn(ProgressColumn):
    """Files and bytes a second, since the bar began: those of the last seconds would jump with each large file."""

    def render(self, task: Task) -> Text:
        """Return the rates, nothing before there are any."""
        if not task.elapsed or not task.fields["n_files"]:
            return Text("")
        files = format_number(float(f"{task.fields['n_files'] / task.elapsed:.3g}"))
        return Text(f"{files} files/s {format_rate(task.fields['n_bytes'] / task.elapsed, 'B/s')}")


def _bar(output: "Output", total: int, counts: tuple[ProgressColumn, ...]) -> Progress | None:
    console = Console(stderr=True, no_color=output.no_color or None)
    if output.quiet or not total or not console.is_terminal or console.is_dumb_terminal:
        return None
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # What a command writes to standard output while the bar stands stays there.
        redirect_stdout=False,
    )


@contextmanager
def _shown_late(bar: Progress) -> Iterator[Callable[[], None]]:
    """Give a function that starts the bar once a second has passed; it goes when the block ends."""
    started = bar.get_time()

    def show() -> None:
        if not bar.live.is_started and bar.get_time() - started > _PROGRESS_AFTER_S:
            bar.start()

    try:
        yield show
    finally:
        bar.stop()
