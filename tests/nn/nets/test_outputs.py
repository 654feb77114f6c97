"""With the same weights, outputs, auxiliary heads and running statistics are those of the other projects."""

from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from segcli.nn import nets
from segcli.nn.nets import build
from tests.nn.nets.filling import fill, image, summary
from tests.nn.nets.upstream import OUTPUTS, Summary

# Sums are taken in another order from machine to machine; float64 leaves this much room.
TOLERANCE = 1e-7


def check(outputs: Tensor | tuple[Tensor, ...], expected: list[Summary]) -> None:
    found = (outputs,) if isinstance(outputs, Tensor) else outputs
    assert len(found) == len(expected)
    for tensor, figures in zip(found, expected, strict=True):
        assert summary(tensor) == pytest.approx(figures, rel=TOLERANCE, abs=TOLERANCE)


def statistics(net: nn.Module) -> Tensor:
    state = sorted(net.state_dict().items())
    return torch.cat([tensor.flatten() for key, tensor in state if key.endswith(("running_mean", "running_var"))])


def without_dropout(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return net


@pytest.mark.parametrize("name", OUTPUTS)
@torch.no_grad()
def test_outputs_are_those_of_upstream(name: str) -> None:
    net, images, expected = fill(build(name)), image(4, 3, 64, 96), OUTPUTS[name]
    check(net.eval()(images), expected.eval)
    check(without_dropout(net.train())(images), expected.train)
    check(statistics(net), [expected.statistics])


@pytest.mark.parametrize("name", ["bisenet_v1", "bisenet_v2"])
@torch.no_grad()
def test_without_auxiliary_heads_the_logits_are_the_same(name: str) -> None:
    net, deployed, images = fill(build(name)), build(name, aux=False).double(), image(4, 3, 64, 96)
    deployed.load_state_dict({key: net.state_dict()[key] for key in deployed.state_dict()})
    check(deployed.eval()(images), OUTPUTS[name].eval)
    check(without_dropout(deployed.train())(images), OUTPUTS[name].train[:1])


@torch.no_grad()
def test_a_pyramid_with_a_classifiers_weights_is_what_it_classifies() -> None:
    net, features = fill(nets.resnet18(5)).eval(), nets.resnet18_features().double().eval()
    features.load_state_dict({key: value for key, value in net.state_dict().items() if not key.startswith("fc.")})
    images = image(2, 3, 33, 65)
    torch.testing.assert_close(net.fc(features(images)[-1].mean((2, 3))), net(images))


@torch.no_grad()
def test_torchvision_itself_agrees() -> None:
    try:
        models = import_module("torchvision.models")
    except (ImportError, RuntimeError) as error:
        # A RuntimeError: torchvision was built for another build of torch.
        pytest.skip(f"torchvision cannot be imported ({error}); its figures are in upstream.py")
    images = image(2, 3, 65, 97)
    for name in ("resnet18", "resnet50"):
        theirs, ours = fill(getattr(models, name)()).eval(), build(name).double().eval()
        ours.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(ours(images), theirs(images))
