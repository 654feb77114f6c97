"""Ratios of `segcli loss` on folders: beside reading alone, and beside a plain script; two processes beside one."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import torch

from tests.ratios.commands import IMPORT_TORCH
from tests.ratios.measuring import Action, Pair, segcli, timed

# Cityscapes at half its size.
SHAPE = (19, 512, 1024)
FILES, FEW = 200, 100
ALL = "ce,ohem,dice,focal"

# What people write: a DataLoader, torch's cross-entropy, the notes' OHEM, kornia's Dice and focal loss.
PLAIN = """
import sys
from pathlib import Path
import torch
from kornia import losses as kornia
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from tests.ratios.losses import NotesOhem

class Files(Dataset):
    def __init__(self, logits, labels):
        self.pairs = [(path, Path(labels) / path.name) for path in sorted(Path(logits).iterdir())]
    def __len__(self):
        return len(self.pairs)
    def __getitem__(self, index):
        logits, labels = self.pairs[index]
        return torch.load(logits), torch.load(labels).long()

ohem = NotesOhem(0.7, 512 * 1024 // 16)
sums = torch.zeros(4)
for logits, labels in DataLoader(Files(*sys.argv[1:]), batch_size=1, num_workers=2):
    sums += torch.stack([
        cross_entropy(logits, labels, ignore_index=255),
        ohem(logits, labels),
        kornia.dice_loss(logits, labels, average="macro", ignore_index=255),
        kornia.focal_loss(logits, labels, alpha=None, gamma=2.0, reduction="mean", ignore_index=255),
    ])
print(sums)
"""


def folders(folder: Path) -> list[Pair]:
    """Compare on folders of predictions in the page cache."""
    many, few = _files(folder / "many", FILES), _files(folder / "few", FEW)
    out = ("-q", "-o", str(folder / "loss.json"), "--force")
    return [
        Pair(
            f"segcli loss, {FILES} files of 40 MB / the same with --loss none",
            segcli("loss", *many, "--loss", ALL, *out),
            segcli("loss", *many, "--loss", "none", *out),
            1 / 0.6,
            3,
        ),
        Pair(
            f"segcli loss, {FEW} files of 40 MB / a script with a DataLoader, torch, the notes and kornia",
            segcli("loss", *few, "--loss", ALL, *out),
            _script(PLAIN, *few),
            1 / 10,
            3,
        ),
    ]


def _files(folder: Path, count: int) -> tuple[str, str]:
    """Write predictions that are mostly right, and labels with an ignored edge."""
    generator = torch.Generator().manual_seed(0)
    logits, labels = folder / "logits", folder / "labels"
    for path in (logits, labels):
        path.mkdir(parents=True)
    noise = torch.randn(SHAPE, generator=generator)
    for i in range(count):
        known = torch.randint(0, SHAPE[0], (32, 64), generator=generator).repeat_interleave(16, 0)
        known = known.repeat_interleave(16, 1)
        right = torch.nn.functional.one_hot(known, SHAPE[0]).movedim(-1, 0)
        torch.save(noise.roll(i, 1) + 4 * right, logits / f"{i:04}.pt")
        known[:16] = 255
        torch.save(known.to(torch.uint8), labels / f"{i:04}.pt")
    return str(logits), str(labels)


def _script(code: str, *argv: str) -> Action:
    return lambda: subprocess.run([sys.executable, "-c", code, *argv], check=True, stdout=subprocess.DEVNULL)


def two_processes(folder: Path) -> str:
    """Say how many times as fast two processes are as one, with a thread each: in all, and once they have started."""
    logits, labels = str(folder / "many/logits"), str(folder / "many/labels")
    first = folder / "first.csv"
    rows = [f"{logits}/{i:04}.pt,{labels}/{i:04}.pt" for i in range(2)]
    first.write_text("\n".join(["logits,labels", *rows]) + "\n")
    whole, started = [], []
    for _ in range(4):
        # In turn, so that a machine that slows down slows all.
        (two, two_few), (one, one_few) = (
            (timed(_alone("loss", logits, labels, *how)), timed(_alone("loss", "--manifest", str(first), *how)))
            for how in (("--nproc", "2"), ("--workers", "0"))
        )
        whole.append(one / two)
        started.append((one - one_few) / (two - two_few))
    return (
        f"segcli loss --nproc 2, {FILES} files: {_spread(started[1:])} times as fast as one process, starts taken off,"
        f" target 1.7; {_spread(whole[1:])} with them"
    )


def _spread(ratios: list[float]) -> str:
    low, *_, high = sorted(ratios)
    return f"{statistics.median(ratios):.2f} (from {low:.2f} to {high:.2f})"


def _alone(*argv: str) -> Action:
    """Run a command whose processes have a thread each."""
    command = [sys.executable, "-m", "segcli", *argv, "--loss", ALL]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def single_pair(folder: Path) -> str:
    """Say how much longer one pair takes than importing torch does; the target is half a second."""
    run = segcli("loss", str(folder / "logits.pt"), str(folder / "labels.pt"))
    run()
    extra = sorted(timed(run) - timed(IMPORT_TORCH) for _ in range(5))
    return f"segcli loss, one small pair: {extra[2]:.2f} s (from {extra[0]:.2f}) longer than import torch, target 0.5 s"


# The peak of a child's memory, as the kernel counts it: of a fresh process, which nothing large started.
PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "segcli", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def flat_memory(folder: Path) -> str:
    """Say the peak memory for 20 and for 2,000 files, over all of which OHEM is exact."""
    peaks = {count: _peak(folder / f"small{count}", count) for count in (20, 2000)}
    few, many = peaks.values()
    return f"segcli loss --over all, peak memory: {few} MB for 20 files, {many} MB for 2,000, target flat"


def _peak(folder: Path, count: int) -> int:
    logits, labels = _links(folder, count)
    argv = ["loss", logits, labels, "--over", "all", "-q", "-o", str(folder / "loss.json")]
    done = subprocess.run([sys.executable, "-c", PEAK, *argv], check=True, capture_output=True, text=True)
    return int(done.stdout)


def _links(folder: Path, count: int) -> tuple[str, str]:
    """Many names of one small pair: what counts is how many files there are."""
    tensors = {"logits": torch.randn(19, 128, 128), "labels": torch.randint(0, 19, (128, 128), dtype=torch.uint8)}
    for name, tensor in tensors.items():
        (folder / name).mkdir(parents=True)
        torch.save(tensor, folder / f"{name}.pt")
        for i in range(count):
            (folder / name / f"{i:05}.pt").hardlink_to(folder / f"{name}.pt")
    return str(folder / "logits"), str(folder / "labels")
