"""Progress bars, on a terminal, for work that takes longer than a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

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
    console = Console(stderr=True, no_color=output.no_color or None)
    in_the_way = streams and output.file is None and sys.stdout.isatty()
    if output.quiet or in_the_way or not total or not console.is_terminal or console.is_dumb_terminal:
        yield lambda _: None
        return
    counts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # What a command writes to standard output while the bar stands stays there.
        redirect_stdout=False,
    )
    task = bar.add_task(what, total=total)
    started = bar.get_time()

    def advance(count: int) -> None:
        bar.advance(task, count)
        if not bar.live.is_started and bar.get_time() - started > _PROGRESS_AFTER_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()
