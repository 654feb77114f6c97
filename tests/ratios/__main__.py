"""Speed as ratios: each pair runs in turn, A B A B ..., so that a machine that slows down slows both.

Run it with ``make bench``. Times on a shared machine mean nothing by themselves; a ratio of two programs that ran side
by side does. The median of the pairs' ratios is printed, with the least and the greatest.
"""

import os
import shutil
import tempfile
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


def main() -> None:
    torch.manual_seed(0)
    # A command's start is that of an installed one, whose bytecode is kept.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder = Path(tempfile.mkdtemp(prefix="segcli-bench-"))
    try:
        pairs = [*start_up(folder), *batch(folder), *checkpoints(folder), *losses(), *folders(folder)]
        ratios = [*(measure(pair) for pair in pairs), *ceilings(), *harnesses()]
        notes = [batch_rate(folder), *memory(), *scaling()]
        notes += [single_pair(folder), two_processes(folder), flat_memory(folder)]
    finally:
        shutil.rmtree(folder)
    emit(
        "ratios",
        {"ratios": [vars(ratio) for ratio in ratios], "notes": notes},
        lambda: [report(ratios, notes)],
        Output(),
    )


if __name__ == "__main__":
    main()
