"""Ratios of the losses: beside one read of the logits, and beside what people use today."""

import subprocess
import sys
import time
from functools import partial

import torch
from kornia import losses as kornia
from torch import Tensor, nn

from segcli.nn import CombinedLoss, CrossEntropyLoss, OhemCrossEntropyLoss
from segcli.nn.kernels import argmax, statistics
from segcli.nn.kernels.backends import Backend
from tests.ratios.measuring import Action, Pair

# Two images of Cityscapes at half its size.
SHAPE = (2, 19, 512, 1024)
ALL = "ce + ohem + dice + focal"


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


class Batch:
    """Logits with two kinds of labels, and logits that are trained."""

    def __init__(self) -> None:
        self.logits = torch.randn(SHAPE)
        self.labels = torch.randint(0, SHAPE[1], (SHAPE[0], *SHAPE[2:]))
        self.small_labels = self.labels.to(torch.uint8)
        self.trained = self.logits.clone().requires_grad_()

    def forward(self, loss: nn.Module) -> Action:
        return partial(loss, self.logits, self.small_labels)

    def training(self, loss: nn.Module, labels: Tensor) -> Action:
        return lambda: torch.autograd.grad(loss(self.trained, labels), self.trained)

    def peers(self) -> Action:
        """Torch's cross-entropy, the notes' OHEM, kornia's Dice and focal, one after the other."""
        logits, labels = self.logits, self.labels
        each = [
            partial(nn.CrossEntropyLoss(ignore_index=255), logits, labels),
            partial(NotesOhem(0.7, labels.numel() // 16), logits, labels),
            partial(kornia.dice_loss, logits, labels, average="macro"),
            partial(kornia.focal_loss, logits, labels, alpha=None, gamma=2.0, reduction="mean"),
        ]
        return lambda: [loss() for loss in each]


def losses() -> list[Pair]:
    """Compare both backends of the CPU with peers, and the checks with none."""
    batch = Batch()
    compiled = of_backend(batch, "compiled", one_read=4, peers=1 / 20, training=1 / 6)
    eager = of_backend(batch, "eager", one_read=15, peers=1 / 6, training=1 / 3)
    checked, unchecked = (CombinedLoss(ALL, backend="compiled", validate=validate) for validate in (True, False))
    cross_entropy = CrossEntropyLoss(backend="compiled"), nn.CrossEntropyLoss(ignore_index=255)
    return [
        *compiled,
        *eager,
        Pair(f"{ALL}, compiled, checked / unchecked", batch.forward(checked), batch.forward(unchecked)),
        Pair(
            "cross-entropy forward + backward, compiled / torch's",
            batch.training(cross_entropy[0], batch.small_labels),
            batch.training(cross_entropy[1], batch.labels),
        ),
    ]


def of_backend(batch: Batch, backend: Backend, *, one_read: float, peers: float, training: float) -> list[Pair]:
    """Compare one backend; the numbers are its targets."""
    forward = batch.forward(CombinedLoss(ALL, backend=backend))
    ohem = OhemCrossEntropyLoss(0.7, backend=backend)
    notes = NotesOhem(0.7, batch.labels.numel() // 16)
    return [
        Pair(f"{ALL}, {backend} / logits.sum(), one read", forward, batch.logits.sum, one_read),
        Pair(f"{ALL}, {backend} / torch's CE, the notes' OHEM, kornia's dice and focal", forward, batch.peers(), peers),
        Pair(
            f"OHEM forward + backward, {backend} / the notes'",
            batch.training(ohem, batch.small_labels),
            batch.training(notes, batch.labels),
            training,
        ),
        Pair(
            f"argmax, {backend} / x.argmax(1)",
            lambda: argmax(batch.logits, backend=backend),
            lambda: batch.logits.argmax(1),
            1 / 20,
        ),
    ]


PEAK = """
import sys, torch
from pathlib import Path
from segcli.nn import CombinedLoss

def peak():
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))

shape, backend = eval(sys.argv[1], {}), sys.argv[2]
loss = CombinedLoss("ce + ohem + dice + focal", backend=backend)
# Once on little, so that what torch sets up at its first call is there.
loss(torch.zeros(1, 19, 64, 64), torch.zeros(1, 64, 64, dtype=torch.uint8))
logits, labels = torch.randn(shape), torch.zeros(shape[0], *shape[2:], dtype=torch.uint8)
before = peak()
loss(logits, labels)
print(peak() - before)
"""


def memory() -> list[str]:
    """Say what a forward pass needs beyond its inputs; the target is 64 MB and one float a pixel."""
    allowed = 64 + SHAPE[0] * SHAPE[2] * SHAPE[3] * 4 / 1e6
    return [
        f"{ALL}, {b}: {_peak_mb(b):.0f} MB beyond the inputs, target {allowed:.0f} MB" for b in ("compiled", "eager")
    ]


def _peak_mb(backend: Backend) -> float:
    run = subprocess.run(
        [sys.executable, "-c", PEAK, repr(SHAPE), backend], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(run.stdout) * 1024 / 1e6


def scaling() -> list[str]:
    """Say how the time of a pixel grows with their number, 2^16 to 2^24."""
    said = []
    for backend in ("compiled", "eager"):
        few, many = (_pixel_s(2**power, backend) for power in (16, 24))
        said.append(f"sums, {backend}: a pixel among 2^24 takes {many / few:.2f} of one among 2^16")
    return said


def _pixel_s(n_pixels: int, backend: Backend) -> float:
    logits, labels = torch.randn(1, 19, n_pixels), torch.zeros(1, n_pixels, dtype=torch.uint8)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        statistics(logits, labels, backend=backend)
        times.append(time.perf_counter() - started)
    return min(times) / n_pixels
