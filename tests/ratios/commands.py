"""Speed as ratios: each pair runs in turn, A B A B ..., so that a machine that slows down slows both.

Run it with ``make bench``. Times on a shared machine mean nothing by themselves; a ratio of two programs that ran side
by side does. The median of the pairs' ratios is printed, with the least and the greatest.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import torch
from torch import Tensor, nn

from segcli.emit import Output, emit
from segcli.errors import SegcliError
from segcli.nn import CrossEntropyLoss, OhemCrossEntropyLoss
from segcli.shapes import explain
from segcli.table import Column, Table
from tests.shapes.cases import Case, random_case

Action = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """Two actions that do the same job, and the ratio that ours should not pass (None: no target was set).

    ``start_s`` is what the target grants ours for starting Python; it is taken off before the ratio.
    """

    name: str
    ours: Action
    theirs: Action
    target: float | None = None
    runs: int = 7
    start_s: float = 0.0


@dataclass(frozen=True)
class Ratio:
    """How long ours took, as a multiple of theirs."""

    name: str
    median: float
    least: float
    greatest: float
    ours_s: float
    theirs_s: float
    target: float | None


def measure(pair: Pair) -> Ratio:
    """Run both in turn, once unmeasured and then ``pair.runs`` times."""
    times: list[tuple[float, float]] = []
    for run in range(pair.runs + 1):
        taken = (timed(pair.ours), timed(pair.theirs))
        if run:
            times.append(taken)
    ratios = [(ours - pair.start_s) / theirs for ours, theirs in times]
    return Ratio(
        pair.name,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(ours for ours, _ in times),
        statistics.median(theirs for _, theirs in times),
        pair.target,
    )


def timed(action: Action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def process(*argv: str) -> Action:
    return lambda: subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def segcli(*argv: str) -> Action:
    return process(sys.executable, "-m", "segcli", *argv)


IMPORT_TORCH = process(sys.executable, "-c", "import torch")


def start_up(folder: Path) -> list[Pair]:
    logits, labels = folder / "logits.pt", folder / "labels.pt"
    torch.save(torch.randn(2, 19, 64, 64), logits)
    torch.save(torch.randint(0, 19, (2, 64, 64)), labels)
    return [
        Pair(
            "segcli shapes / python -c 'import torch'",
            segcli("shapes", "src[a, b, :]", "src=8,16,3", "a=4,5", "b=4,5"),
            IMPORT_TORCH,
            1 / 6,
        ),
        Pair("segcli params / python -c 'import torch'", segcli("params"), IMPORT_TORCH, 1 / 6),
        Pair(
            "segcli loss, one small pair / python -c 'import torch'",
            segcli("loss", str(logits), str(labels)),
            IMPORT_TORCH,
        ),
    ]


EVALUATE = """
import sys, torch, warnings
warnings.simplefilter("ignore")
torch.set_num_threads(1)
for expr, tensors in torch.load(sys.argv[1], weights_only=True):
    try:
        eval(expr, {"torch": torch}, tensors)
    except Exception:
        pass
"""
BATCH = 20_000


def batch(folder: Path) -> list[Pair]:
    """Compare on random expressions of indexing and reductions, a third of which raise."""
    rng = random.Random(0)
    # Some slice the pair that max(dim) returns: without an answer, the batch would end with 1.
    drawn = (random_case(rng) for _ in count())
    cases = list(islice((case for case in drawn if _is_answered(case)), BATCH))
    questions, tensors = folder / "questions.jsonl", folder / "tensors.pt"
    lines = [json.dumps({"expr": case.expr, "bind": case.specs}) for case in cases]
    questions.write_text("\n".join(lines) + "\n")
    torch.save([(case.expr, case.tensors) for case in cases], tensors)
    return [
        Pair(
            f"segcli shapes --batch, {BATCH:,} expressions / torch does them, on tensors made for it",
            segcli("shapes", "--batch", str(questions), "-o", str(folder / "answers.jsonl"), "--force"),
            process(sys.executable, "-c", EVALUATE, str(tensors)),
        )
    ]


def _is_answered(case: Case) -> bool:
    try:
        explain(case.expr, case.specs)
    except SegcliError:
        return False
    return True


def batch_rate(folder: Path) -> str:
    """Say how many expressions a second of processor time answers, start and all; the target is 4,000."""
    run = segcli("shapes", "--batch", str(folder / "questions.jsonl"), "-o", str(folder / "rate.jsonl"), "--force")
    rates = sorted(BATCH / _processor_s(run) for _ in range(5))
    said = f"{statistics.median(rates):,.0f} (from {rates[0]:,.0f} to {rates[-1]:,.0f})"
    return f"segcli shapes --batch: {said} expressions per second of processor time, target 4,000"


def _processor_s(action: Action) -> float:
    """Return how long processors worked on what an action starts."""
    before = os.times()
    action()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


# As safe on the disk as ours: synced.
LOAD_AND_SAVE = """
import os, sys, torch
torch.save(torch.load(sys.argv[1], map_location="cpu", weights_only=True), sys.argv[2])
os.fsync(os.open(sys.argv[2], os.O_RDONLY))
"""


def checkpoints(folder: Path) -> list[Pair]:
    """Compare on two gigabytes of weights: ours writes new tags, so it cannot merely copy."""
    source, moved = folder / "gpu.pth", folder / "cpu.pth"
    torch.serialization.register_package(0, lambda _: "cuda:0", lambda storage, _: storage)
    torch.save({f"layer{index}.weight": torch.randn(4096, 1024) for index in range(128)}, source)
    convert = segcli("ckpt", "convert", str(source), str(moved), "--to", "cpu", "--force")
    return [
        # A copy that is as safe on the disk as ours: synced.
        Pair(
            "ckpt convert, 2.1 GB, less 0.3 s for its start / cp and sync",
            convert,
            process("sh", "-c", f"cp {source} {moved} && sync {moved}"),
            1.3,
            5,
            start_s=0.3,
        ),
        Pair(
            "ckpt convert, 2.1 GB / torch.load, torch.save and sync",
            convert,
            process(sys.executable, "-c", LOAD_AND_SAVE, str(source), str(moved)),
            1 / 4,
            5,
        ),
    ]


class NotesOhem(nn.Module):
    """OHEM as the notes have it: cross-entropy of every pixel, sorted (the rule of CoinCheung/BiSeNet, loss.py)."""

    def __init__(self, thresh: float, n_min: int) -> None:
        super().__init__()
        self.bound = -torch.log(torch.tensor(thresh))
        self.n_min = n_min
        self.criterion = nn.CrossEntropyLoss(ignore_index=255, reduction="none")

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses, _ = self.criterion(logits, labels).view(-1).sort(descending=True)
        kept = losses[losses > self.bound] if losses[self.n_min] > self.bound else losses[: self.n_min]
        mean: Tensor = kept.mean()
        return mean


def losses() -> list[Pair]:
    logits = torch.randn(2, 19, 512, 1024)
    labels = torch.randint(0, 19, (2, 512, 1024))
    trained = logits.clone().requires_grad_()
    n_min = labels.numel() // 16
    ours, notes = OhemCrossEntropyLoss(0.7, n_min), NotesOhem(0.7, n_min)
    plain, torchs = CrossEntropyLoss(), nn.CrossEntropyLoss(ignore_index=255)
    return [
        Pair("OHEM forward / the notes'", lambda: ours(logits, labels), lambda: notes(logits, labels)),
        Pair(
            "OHEM forward + backward / the notes'",
            lambda: ours(trained, labels).backward(),
            lambda: notes(trained, labels).backward(),
        ),
        Pair("cross-entropy forward / torch's", lambda: plain(logits, labels), lambda: torchs(logits, labels)),
    ]


def report(ratios: list[Ratio], rate: str) -> Table:
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
    return Table("time of ours as a multiple of theirs, side by side in one run", columns, rows, (rate, threads))


def main() -> None:
    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp(prefix="segcli-bench-"))
    try:
        pairs = [*start_up(folder), *batch(folder), *checkpoints(folder), *losses()]
        ratios = [measure(pair) for pair in pairs]
        rate = batch_rate(folder)
    finally:
        shutil.rmtree(folder)
    emit("ratios", {"ratios": [vars(ratio) for ratio in ratios]}, lambda: [report(ratios, rate)], Output())


if __name__ == "__main__":
    main()
