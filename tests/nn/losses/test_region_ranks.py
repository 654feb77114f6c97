"""N processes with a shard each answer as one with everything would."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed

from tests.nn.losses.ranks import SHARDS, cases, values

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not distributed.is_available(), reason="this torch is built without torch.distributed")
def test_two_ranks_of_unequal_shards_are_one_process(tmp_path: Path) -> None:
    ranks = [
        subprocess.Popen([sys.executable, "-m", "tests.nn.losses.ranks", str(rank), str(tmp_path)], cwd=ROOT)
        for rank in range(len(SHARDS))
    ]
    assert [process.wait(timeout=120) for process in ranks] == [0, 0]
    of_ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(len(SHARDS))]
    assert len(cases()) == len(of_ranks[0]) == len(of_ranks[1])
    for case, (loss, gradient), *shards in zip(cases(), values(None), *of_ranks, strict=True):
        for shard, (its_loss, its_gradient) in zip(SHARDS, shards, strict=True):
            torch.testing.assert_close(its_loss, loss, msg=f"loss of {case}")
            torch.testing.assert_close(its_gradient, gradient[shard], msg=f"gradient of {case}")
        assert gradient.any()
