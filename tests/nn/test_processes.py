"""Real processes with a part of a batch each, against one process with the whole."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from segcli.nn import ohem_cross_entropy_loss
from segcli.nn.kernels.processes import total_over
from tests.nn.ranks import LOSSES, SHARDS, batch, small_network, value_and_gradient

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[2, 3], ids=["two ranks", "three ranks"])
def ranks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what every rank computed, in processes that meet by a file: no port can be taken."""
    world, folder = request.param, tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "tests.nn.ranks", str(folder)]
    running = [
        subprocess.Popen([*command, str(rank), str(world)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for rank in range(world)
    ]
    try:
        said = [process.communicate(timeout=120)[0].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * world, "\n".join(said)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(world)]


@pytest.mark.parametrize("last_valid", [True, False], ids=["all valid", "nothing valid on the last rank"])
@pytest.mark.parametrize("name", LOSSES)
def test_ranks_with_a_shard_each_are_one_process(ranks: list[dict[str, Any]], name: str, last_valid: bool) -> None:  # noqa: FBT001 - a parameter of the test
    value, gradient = value_and_gradient(name, *batch(len(ranks), last_valid=last_valid))
    found = [rank[f"{name}-{last_valid}"] for rank in ranks]
    for of_rank, _ in found:
        torch.testing.assert_close(of_rank, value, rtol=1e-6, atol=0)
    together = torch.cat([of_rank for _, of_rank in found])
    assert (together - gradient).abs().max() <= 1e-6 * max(gradient.abs().max().item(), 1e-30)
    assert bool(gradient.any()) == (name != "ohem-none")


def test_distributed_training_has_the_gradients_of_one_process(ranks: list[dict[str, Any]]) -> None:
    network = small_network()
    images, labels = batch(len(ranks), last_valid=False)
    ohem_cross_entropy_loss(network(images), labels, thresh=0.2).backward()  # type: ignore[no-untyped-call]
    for rank in ranks:
        for ours, whole in zip(rank["trained"], network.parameters(), strict=True):
            torch.testing.assert_close(ours, whole.grad, rtol=1e-5, atol=1e-7)


def test_shards_are_unequal() -> None:
    assert all(len(set(shard)) > 1 for shard in SHARDS.values())


def test_without_a_group_nothing_is_added_up() -> None:
    values = torch.ones(2)
    assert total_over(values, None) is values


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Any]:
    """A group of this process."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield distributed.group.WORLD
    distributed.destroy_process_group()


@pytest.mark.parametrize("name", LOSSES)
def test_a_group_of_one_changes_nothing(alone: Any, name: str) -> None:  # noqa: ANN401 - torch's own
    whole = batch(2, last_valid=True)
    for ours, plain in zip(value_and_gradient(name, *whole, alone), value_and_gradient(name, *whole), strict=True):
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("name", ["ce", "focal", "ohem-top-k"])
def test_a_graph_of_torch_compile_adds_up_too(alone: Any, name: str) -> None:  # noqa: ANN401 - torch's own
    loss, settings = LOSSES[name]
    compiled = torch.compile(
        lambda logits, labels: loss(logits, labels, process_group=alone, **settings),
        fullgraph=True,
        backend="aot_eager",
    )
    logits, labels = batch(2, last_valid=True)
    assert compiled(logits, labels) == loss(logits, labels, **settings)


def test_a_projects_rule_is_not_for_many_processes(alone: Any) -> None:  # noqa: ANN401 - torch's own
    with pytest.raises(
        ValueError, match="semantics 'hrnet' chooses in each process by itself; process_group goes with"
    ):
        ohem_cross_entropy_loss(*batch(2, last_valid=True), semantics="hrnet", process_group=alone)


def test_a_destroyed_group_leaves_no_thread(tmp_path: Path) -> None:
    """Gloo's threads that outlive their group abort the process now and then, as Python ends."""
    script = """
import gc, os, sys
import torch
import torch.distributed.nn  # it keeps the group that there is when it is imported, as a default argument
from torch import distributed
from segcli.nn import dice_loss, ohem_cross_entropy_loss

def threads():
    return [open(f"/proc/self/task/{one}/comm").read().strip() for one in os.listdir("/proc/self/task")]

distributed.init_process_group("gloo", init_method=f"file://{sys.argv[1]}/store", rank=0, world_size=1)
logits, labels = torch.randn(1, 3, 4, 4, requires_grad=True), torch.zeros(1, 4, 4, dtype=torch.int64)
for loss in dice_loss, ohem_cross_entropy_loss:
    loss(logits, labels, process_group=distributed.group.WORLD).backward()
print(sum("gloo" in name for name in threads()))
distributed.destroy_process_group()
gc.collect()
print(sum("gloo" in name for name in threads()))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    before, after = subprocess.check_output(command, cwd=ROOT, text=True, timeout=120).split()
    assert int(before) > 0
    assert int(after) == 0
