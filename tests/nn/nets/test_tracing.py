"""Every network becomes a graph: of torch.fx, torch.export, torch.compile and torch.jit."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, fx, nn

from segcli.nn.nets import NETS, build
from tests.nn.nets.filling import fill, image


def flat(outputs: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


def on_meta(name: str) -> tuple[nn.Module, list[Tensor]]:
    with torch.device("meta"):
        return build(name), [torch.empty(2, 3, 64, 96) for _ in NETS[name].inputs]


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, "eval") for name in NETS), ("bisenet_v1", "train"), ("bisenet_v2", "train")]
)
def test_fx_traces_it(name: str, mode: str) -> None:
    net, images = on_meta(name)
    traced = fx.symbolic_trace(net.train(mode == "train"))
    assert [out.shape for out in flat(traced(*images))] == [out.shape for out in flat(net(*images))]
    # No size is looked at, so that the graph is of layers alone.
    assert [node.name for node in traced.graph.nodes if node.target is getattr] == []


@pytest.mark.parametrize("name", ["bisenet_v1", "bisenet_v2"])
@torch.no_grad()
def test_a_traced_network_makes_the_same(name: str) -> None:
    net, images = fill(build(name)).eval(), image(2, 3, 64, 96)
    torch.testing.assert_close(flat(fx.symbolic_trace(net)(images)), flat(net(images)), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["resnet18_features", "bisenet_v2"])
def test_torch_exports_it(name: str) -> None:
    net, images = on_meta(name)
    exported = torch.export.export(net.eval(), tuple(images)).module()
    assert [out.shape for out in flat(exported(*images))] == [out.shape for out in flat(net(*images))]


@torch.no_grad()
def test_torch_compiles_it_in_one_graph() -> None:
    torch.compiler.reset()
    net, images = fill(build("bisenet_v2")).eval(), image(2, 3, 64, 96)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(flat(compiled(images)), flat(net(images)), rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:.torch.jit.trace.* is deprecated:DeprecationWarning")
@torch.no_grad()
def test_jit_traces_it_without_a_warning_on_sizes() -> None:
    net, images = build("bisenet_v2").eval(), image(1, 3, 64, 64).float()
    traced = torch.jit.trace(net, images, check_trace=False)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(flat(traced(images)), flat(net(images)))


@torch.no_grad()
def test_it_is_copied_and_pickled() -> None:
    net, images = build("bisenet_v2").eval(), image(1, 3, 64, 64).float()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):  # noqa: S301 - what was just written
        torch.testing.assert_close(flat(other(images)), flat(net(images)), rtol=0, atol=0)
