"""Ratios of whole commands: their start, many expressions, large checkpoints."""

import json
import os
import random
import statistics
import sys
from itertools import count, islice
from pathlib import Path

import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.ratios.measuring import Action, Pair, process, segcli
from tests.shapes.cases import Case, random_case

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
