"""Where training starts: as the other projects draw weights before they download any."""

import pytest
import torch
from torch import nn

from segcli.nn import nets
from segcli.nn.nets.tmo_resnet101 import Decoder


def check_spread(weight: torch.Tensor, variance: float) -> None:
    """The weights are enough for their variance to be within a few hundredths of what it was drawn with."""
    assert weight.numel() > 20_000
    assert weight.mean().item() == pytest.approx(0, abs=0.02 * variance**0.5)
    assert weight.var().item() == pytest.approx(variance, rel=0.05)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_resnet_keeps_the_variance_of_gradients() -> None:
    net = nets.resnet18()
    check_spread(net.get_parameter("layer2.0.conv1.weight"), 2 / (9 * 128))
    check_spread(net.get_parameter("layer4.0.downsample.0.weight"), 2 / 512)
    # nn.Linear's own: uniform below 1 / sqrt(fan-in).
    check_spread(net.fc.weight, 1 / (3 * 512))


def test_bisenet_v1_draws_with_variance_one_over_fan_in() -> None:
    net = nets.bisenet_v1()
    check_spread(net.get_parameter("sp.conv2.conv.weight"), 1 / (9 * 64))
    check_spread(net.get_parameter("cp.arm32.conv.conv.weight"), 1 / (9 * 512))
    check_spread(net.get_parameter("ffm.conv.weight"), 1 / 256)
    check_spread(net.get_parameter("cp.resnet.layer2.0.conv1.weight"), 2 / (9 * 128))
    assert not net.conv_out.conv_out.get_parameter("bias").any()


def test_bisenet_v2_keeps_the_variance_of_gradients_and_starts_layers_as_their_shortcuts() -> None:
    net = nets.bisenet_v2()
    check_spread(net.get_parameter("detail.S1.1.conv.weight"), 2 / (9 * 64))
    check_spread(net.get_parameter("aux5_4.conv_out.0.1.conv.weight"), 2 / (9 * 1024))
    assert not net.head.get_parameter("conv_out.1.bias").any()
    gates = {key: bool(value.any()) for key, value in net.named_parameters() if key.endswith(".conv2.1.weight")}
    assert len(gates) == 8
    assert not any(gates.values())
    assert {module.p for module in net.modules() if isinstance(module, nn.Dropout)} == {0.1}


def test_tmos_decoder_draws_with_variance_two_over_fan_in() -> None:
    decoder = Decoder()
    check_spread(decoder.get_parameter("blend2.conv.weight"), 2 / (9 * 512))
    check_spread(decoder.get_parameter("cbam1.conv2.0.conv.weight"), 2 / 256)
    assert not any(bool(value.any()) for key, value in decoder.named_parameters() if key.endswith("bias"))
