from dataclasses import replace

import pytest
import torch

from segcli.bench.kernel import Kernel, Mode
from segcli.bench.suites.net_counts import COUNTS, WHOLE, positions
from segcli.bench.suites.nets import _NAMES, NETS, random_net
from segcli.counting.networks import Input, count
from segcli.nn.nets import NETS as REGISTRY
from segcli.nn.nets import build
from tests.bench.test_suites import compared, tensors_of

KERNELS = {kernel.name: kernel for kernel in NETS.kernels}
SMALL = ("resnet18", "bisenet-v2")


def on_meta(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return build(_NAMES[name], aux=False).eval()


def watched(name: str, size: tuple[int, int]) -> tuple[int, int]:
    """Return the elements that convolutions read and write, beside weights, and their weights with all others."""
    net, items = on_meta(name), 0

    def add(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal items
        items += inputs[0].numel() + output.numel()

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(add)
    net(*[torch.empty(1, 3, *size, device="meta")] * len(REGISTRY[_NAMES[name]].inputs))
    return items, sum(one.numel() for one in net.parameters())


@pytest.mark.parametrize(
    ("name", "size"), [*((name, (64, 96)) for name in COUNTS), *((name, (512, 1024)) for name in SMALL)], ids=str
)
def test_counts_are_those_of_the_network(name: str, size: tuple[int, int]) -> None:
    inputs = [Input((1, 3, *size))] * len(REGISTRY[_NAMES[name]].inputs)
    counted = count(on_meta(name), inputs, name=name)
    assert COUNTS[name].total_macs(size) == counted.macs.eval
    assert (COUNTS[name].total_items(size), COUNTS[name].weights) == watched(name, size)


@pytest.mark.parametrize("size", [(33, 50), (100, 31)], ids=str)
def test_counts_round_up_where_a_side_does_not_halve(size: tuple[int, int]) -> None:
    assert COUNTS["resnet18"].total_macs(size) == count(on_meta("resnet18"), [Input((1, 3, *size))], name="").macs.eval
    assert COUNTS["resnet18"].total_items(size) == watched("resnet18", size)[0]


def test_the_position_behind_global_pooling_is_one() -> None:
    assert positions((512, 1024), WHOLE) == 1


def test_published_figures() -> None:
    # CoinCheung/BiSeNet at 512x1024, as their table has it: 29.585 and 24.603 GMACs.
    macs = {name: round(COUNTS[name].total_macs((512, 1024)) / 1e9, 3) for name in ("bisenet-v1", "bisenet-v2")}
    assert macs == {"bisenet-v1": 29.585, "bisenet-v2": 24.603}


def test_bytes_and_frames_by_hand() -> None:
    case = replace(NETS.case, batch=3, size=(32, 32), dtype="bfloat16")
    # Strides 1 to 32 of a 32x32 image have 1024, 256, 64, 16, 4 and 1 positions.
    items = 1024 * 3 + 256 * 64 + 64 * 640 + 16 * 1280 + 4 * 2560 + 4096
    cost = KERNELS["resnet18"].cost(case, Mode.FORWARD)
    assert cost.bytes == 2 * (3 * items + 11_176_512)
    assert KERNELS["resnet18"].items is not None
    assert (KERNELS["resnet18"].items(case), KERNELS["resnet18"].unit) == (3, "frames")


@pytest.mark.parametrize("kernel", NETS.kernels, ids=lambda kernel: kernel.name)
def test_every_network_is_right(kernel: Kernel) -> None:
    assert compared(kernel, Mode.FORWARD, tensors_of(NETS, size=(32, 64))).reason == ""


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", SMALL)
def test_half_types_are_near_enough(name: str, dtype: str) -> None:
    assert compared(KERNELS[name], Mode.FORWARD, tensors_of(NETS, dtype, size=(32, 64))).reason == ""


@pytest.mark.parametrize("name", SMALL)
def test_a_network_with_other_weights_is_wrong(name: str) -> None:
    tensors = tensors_of(NETS, size=(32, 64))
    other = {**tensors, "seed": tensors["seed"] + 1}
    wrong = replace(KERNELS[name], make=lambda _: KERNELS[name].make(other))
    assert "its output has a relative error" in compared(wrong, Mode.FORWARD, tensors).reason


def test_weights_are_the_same_numbers_in_every_dtype() -> None:
    net = random_net("bisenet_v2", 3)
    again = random_net("bisenet_v2", 3)
    for (name, one), same in zip(net.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(one, same), name
        assert not one.is_floating_point() or torch.equal(one.bfloat16().float(), one), name
    assert not any(one.requires_grad for one in net.parameters())


@pytest.mark.parametrize("name", ["bisenet-v1", "bisenet-v2", "tmo"])
def test_a_size_that_does_not_fit_is_not_supported(name: str) -> None:
    with pytest.raises(NotImplementedError, match="takes sides that are multiples of 32, got 33x50"):
        KERNELS[name].make(tensors_of(NETS, size=(33, 50)))


def test_channels_last_images_make_a_channels_last_network() -> None:
    tensors = tensors_of(NETS, size=(32, 64))
    tensors["images"] = tensors["images"].to(memory_format=torch.channels_last)
    with torch.no_grad():
        assert KERNELS["resnet18"].make(tensors)().is_contiguous(memory_format=torch.channels_last)


def test_by_default_only_the_light_ones_run() -> None:
    assert {kernel.name for kernel in NETS.kernels if kernel.by_default} == set(SMALL)


def test_only_who_asks_for_the_heavy_one_needs_its_memory() -> None:
    light = NETS.peak_bytes(NETS.case, [KERNELS[name] for name in SMALL])
    assert light == NETS.peak_bytes(NETS.case) == 3 * 512 * 1024 * 8 * 100
    assert NETS.peak_bytes(NETS.case, NETS.kernels) == 4 * light
