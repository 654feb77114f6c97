"""Speed as ratios: each pair runs in turn, A B A B ..., so that a machine that slows down slows both.

Run it with ``make bench``, or parts of it with ``python -m tests.ratios losses harnesses``. Times on a shared machine
mean nothing by themselves; a ratio of two programs that ran side by side does. The median of the pairs' ratios is
printed, with the least and the greatest.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from segcli.emit import Output, emit
from segcli.table import Column, Table
from tests.ratios.ceilings import ceilings
from tests.ratios.commands import batch, batch_rate, checkpoints, start_up
from tests.ratios.folders import flat_memory, folders, single_pair, two_processes
from tests.ratios.harnesses import harnesses
from tests.ratios.losses import losses, memory, scaling
from tests.ratios.measuring import Ratio, measure


def report(ratios: list[Ratio], notes: list[str]) -> Table:
    columns = (
        Column("ours / theirs"),
        Column("median", "ratio"),
        Column("least", "ratio"),
        Column("greatest", "ratio"),
        Column("target", "ratio"),
        Column("ours", "seconds"),
        Column("theirs", "seconds"),
    )
    rows = [(r.name, r.median, r.least, r.greatest, r.target, r.ours_s, r.theirs_s) for r in ratios]
    threads = f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} processors"
    return Table("time of ours as a multiple of theirs, side by side in one run", columns, rows, (*notes, threads))


def _start(folder: Path) -> Iterator[Ratio | str]:
    yield from map(measure, start_up(folder))
    yield single_pair(folder)


def _shapes(folder: Path) -> Iterator[Ratio | str]:
    yield from map(measure, batch(folder))
    yield batch_rate(folder)


def _losses(_: Path) -> Iterator[Ratio | str]:
    yield from map(measure, losses())
    yield from memory()
    yield from scaling()


def _folders(folder: Path) -> Iterator[Ratio | str]:
    yield from map(measure, folders(folder))
    yield two_processes(folder)
    yield flat_memory(folder)


PARTS: dict[str, Callable[[Path], Iterable[Ratio | str]]] = {
    "start": _start,
    "shapes": _shapes,
    "ckpt": lambda folder: map(measure, checkpoints(folder)),
    "losses": _losses,
    "folders": _folders,
    "ceilings": lambda _: ceilings(),
    "harnesses": lambda _: harnesses(),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ratios", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is given")
    chosen = parser.parse_args().parts
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        parser.error(f"no part of {', '.join(PARTS)}: {', '.join(unknown)}")
    torch.manual_seed(0)
    # A command's start is that of an installed one, whose bytecode is kept.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder = Path(tempfile.mkdtemp(prefix="segcli-bench-"))
    try:
        found = [each for name in chosen or PARTS for each in PARTS[name](folder)]
    finally:
        shutil.rmtree(folder)
    ratios = [each for each in found if isinstance(each, Ratio)]
    notes = [each for each in found if isinstance(each, str)]
    emit(
        "ratios",
        {"ratios": [vars(ratio) for ratio in ratios], "notes": notes},
        lambda: [report(ratios, notes)],
        Output(),
    )


if __name__ == "__main__":
    main()
