import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import distributed

from segcli.bench.kernel import Mode
from segcli.bench.suites.collectives import COLLECTIVES
from segcli.errors import SegcliError
from tests.bench.test_suites import compared, tensors_of

KERNELS = {kernel.name: kernel for kernel in COLLECTIVES.kernels}
RANKS = {"TORCHELASTIC_RUN_ID": "test", "RANK": "0", "LOCAL_RANK": "0"}


def as_one_of(monkeypatch: pytest.MonkeyPatch, world: int) -> None:
    variables = {**RANKS, "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("name", "world", "n_bytes", "flops"),
    [
        # 64 x 4 x 6 numbers, 6144 bytes. nccl-tests: 2 (n - 1) / n, (n - 1) / n of what all have together, 1.
        ("all-reduce", 2, 6144, 768),
        ("all-reduce", 4, 9216, 1152),
        ("all-gather", 2, 6144, 0),
        ("all-gather", 4, 18_432, 0),
        ("broadcast", 4, 6144, 0),
    ],
)
def test_bus_bytes_by_hand(name: str, world: int, n_bytes: int, flops: int, monkeypatch: pytest.MonkeyPatch) -> None:
    as_one_of(monkeypatch, world)
    cost = KERNELS[name].cost(replace(COLLECTIVES.case, size=(4, 6)), Mode.FORWARD)
    assert (cost.bytes, cost.flops) == (n_bytes, flops)


def test_without_a_group_costs_are_those_of_two_ranks() -> None:
    assert KERNELS["all-gather"].cost(replace(COLLECTIVES.case, size=(4, 6)), Mode.FORWARD).bytes == 6144


@pytest.mark.parametrize("name", list(KERNELS))
def test_one_process_alone_is_told_how_to_start_more(name: str) -> None:
    with pytest.raises(SegcliError, match="suite collective is of several processes, this is one") as caught:
        KERNELS[name].make(tensors_of(COLLECTIVES))
    assert caught.value.hint == "segcli bench --suite collective --nproc 2, or start it with torchrun"


def test_a_sum_never_grows_out_of_its_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    # A sum over 8 ranks that all have the same: 8 times as much, each call.
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 8)
    monkeypatch.setattr(distributed, "get_rank", lambda: 7)
    monkeypatch.setattr(distributed, "all_reduce", lambda buffer: buffer.mul_(8))
    call = KERNELS["all-reduce"].make(tensors_of(COLLECTIVES, "float16", size=(4, 6)))
    first = call().clone()
    seen = [call().clone() for _ in range(20)]
    assert all(torch.isfinite(each).all() for each in seen)
    # It is summed again in place, and put back in time.
    assert torch.equal(seen[0], 8 * first)
    assert any(torch.equal(each, first) for each in seen)


RANK = """
import json, sys
from dataclasses import replace
import torch
from segcli.bench.kernel import Mode
from segcli.bench.measuring.correctness import prepare
from segcli.bench.suites.collectives import COLLECTIVES
from segcli.launch import joined, ranks
here = ranks()
found = {}
with joined(here, "cpu"):
    for dtype in ("float32", "bfloat16", "float64"):
        case = replace(COLLECTIVES.case, size=(3, 5), dtype=dtype)
        drawn = COLLECTIVES.tensors(case, torch.Generator().manual_seed(0))
        tensors = {name: tensor.to(getattr(torch, dtype)) for name, tensor in drawn.items()}
        kernels = COLLECTIVES.kernels
        for kernel in kernels:
            found[f"{kernel.name} {dtype}"] = prepare(kernel, Mode.FORWARD, tensors).reason
        # What another collective answers is wrong.
        swapped = replace(kernels[2], make=kernels[0].make)
        found[f"swapped {dtype}"] = prepare(swapped, Mode.FORWARD, tensors).reason
with open(f"{sys.argv[1]}/rank{here.rank}.json", "w") as file:
    json.dump(found, file)
"""


def test_ranks_agree_with_sums_and_concatenations(tmp_path: Path) -> None:
    world = 3
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}", script, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for rank in range(world):
        found = json.loads((tmp_path / f"rank{rank}.json").read_text())
        wrong = {name for name, reason in found.items() if reason}
        assert len(found) == 12
        assert wrong == {f"swapped {dtype}" for dtype in ("float32", "bfloat16", "float64")}


@pytest.mark.cuda
@pytest.mark.parametrize("name", list(KERNELS))
def test_collectives_are_right_over_nccl(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A group of one GPU: the smallest that NCCL takes.
    distributed.init_process_group("nccl", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        monkeypatch.setattr("segcli.bench.suites.collectives._world", lambda: 1)
        tensors = {key: tensor.cuda() for key, tensor in tensors_of(COLLECTIVES).items()}
        assert compared(KERNELS[name], Mode.FORWARD, tensors).reason == ""
    finally:
        distributed.destroy_process_group()
