"""Multiply-accumulates of convolutions and linear layers, counted by torch in a forward pass without memory."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from segcli.nn import nets
from segcli.nn.nets import build


def macs(net: nn.Module, *images: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        net.eval()(*images)
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize(
    ("name", "size", "gmacs"),
    [
        # torchvision's own tables, where "GFLOPS" are these.
        ("resnet18", (224, 224), 1.8141),
        ("resnet34", (224, 224), 3.6638),
        ("resnet50", (224, 224), 4.0892),
        ("resnet101", (224, 224), 7.8014),
        ("resnet152", (224, 224), 11.5136),
        # CoinCheung/BiSeNet 6b4b67a, counted in the same way.
        ("bisenet_v1", (512, 1024), 29.585),
        ("bisenet_v2", (512, 1024), 24.603),
        ("bisenet_v2", (1024, 2048), 98.413),
    ],
)
def test_macs_are_those_of_upstream(name: str, size: tuple[int, int], gmacs: float) -> None:
    digits = 4 if name.startswith("resnet") else 3
    with torch.device("meta"):
        assert round(macs(build(name), torch.empty(1, 3, *size)) / 1e9, digits) == gmacs


def test_macs_of_resnet18_to_the_last() -> None:
    with torch.device("meta"):
        assert macs(nets.resnet18(), torch.empty(1, 3, 224, 224)) == 1_814_073_344


def test_macs_of_tmo_are_those_of_its_parts() -> None:
    with torch.device("meta"):
        net, frame = nets.tmo(), torch.empty(1, 3, 384, 384)
        encoder, decoder = net.vos.app_encoder, net.vos.decoder
        whole, in_encoder = macs(net, frame, frame), macs(encoder, frame)
        in_decoder = macs(decoder, encoder(frame), encoder(frame))
    assert (round(in_encoder / 1e9, 3), round(in_decoder / 1e9, 3)) == (22.921, 22.755)
    assert whole == 2 * in_encoder + in_decoder
