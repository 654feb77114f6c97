"""Figures that papers and projects printed, of networks counted here."""

from collections.abc import Callable

import pytest
from torch import nn

from segcli.counting.asking import count_registered
from segcli.counting.result import Network
from segcli.nn.nets import build, resnet50, resnet101, resnet152
from tests.counting.known import (
    alexnet_features,
    counted,
    image,
    mobilenet_v1_features,
    mobilenet_v2,
    vgg16_features,
    with_stride_in_the_1x1,
)


def params_of(network: Network, path: str) -> int:
    return next(node.params for node in network.tree if node.path == path)


@pytest.mark.parametrize(
    ("name", "params", "gmacs", "field"),
    [
        ("resnet18", 11_689_512, 1.8141, 435),
        ("resnet34", 21_797_672, 3.6638, 899),
        ("resnet50", 25_557_032, 4.0892, 427),
        ("resnet101", 44_549_160, 7.8014, 971),
        ("resnet152", 60_192_808, 11.5136, 1451),
    ],
)
def test_resnets_are_torchvisions(name: str, params: int, gmacs: float, field: int) -> None:
    network = count_registered(name)
    assert (network.params.train, network.params.eval, network.trainable) == (params, params, params)
    assert round((network.macs.eval or 0) / 1e9, 4) == gmacs
    assert network.macs.train == network.macs.eval
    assert network.receptive_field == (field, field)
    assert network.stride == (32, 32)
    assert network.outputs[0].whole_image_by == ("avgpool",)
    assert network.param_bytes == 4 * params


def test_resnet18_to_the_last_mac() -> None:
    network = count_registered("resnet18")
    assert (network.macs.eval, network.flops.eval) == (1_814_073_344, 3_628_146_688)
    # Where ptflops and thop go astray: they stand apart here.
    assert (network.beside.bias_adds.eval, network.beside.norms.eval) == (1_000, 2_483_712)
    assert {one.op: one.calls.eval for one in network.uncounted} == {"add": 8, "max_pool2d_with_indices": 1, "mean": 1}
    # 9,600 running statistics of 20 batch norms, and how many batches each has seen.
    assert network.buffers == 9_620


def test_mobilenet_v2() -> None:
    network = counted(mobilenet_v2, image(224, 224))
    assert network.params.eval == 3_504_872
    assert round((network.macs.eval or 0) / 1e9, 6) == 0.300774
    assert network.receptive_field == (491, 491)


@pytest.mark.parametrize(
    ("build_it", "field", "stride"),
    [
        pytest.param(vgg16_features, 212, 32, id="VGG16-pool5"),
        pytest.param(alexnet_features, 195, 32, id="AlexNet"),
        pytest.param(mobilenet_v1_features, 315, 32, id="MobileNetV1"),
        pytest.param(lambda: with_stride_in_the_1x1(resnet50()), 483, 32, id="ResNet50-v1"),
        pytest.param(lambda: with_stride_in_the_1x1(resnet101()), 1027, 32, id="ResNet101-v1"),
        pytest.param(lambda: with_stride_in_the_1x1(resnet152()), 1507, 32, id="ResNet152-v1"),
    ],
)
def test_receptive_fields_of_distill(build_it: Callable[[], nn.Module], field: int, stride: int) -> None:
    network = counted(build_it, image(224, 224))
    assert (network.receptive_field, network.stride) == ((field, field), (stride, stride))


def test_bisenet_v1_and_its_parts() -> None:
    network = count_registered("bisenet_v1")
    assert (network.params.train, network.params.eval) == (13_425_721, 13_275_539)
    assert round((network.macs.eval or 0) / 1e9, 3) == 29.585
    parts = {"cp.resnet": 11_176_512, "cp": 12_456_256, "sp": 91_968, "ffm": 132_096, "conv_out": 595_219}
    parts |= {"conv_out16": 75_091, "conv_out32": 75_091}
    assert {path: params_of(network, path) for path in parts} == parts
    heads = [node for node in network.tree if node.path in ("conv_out16", "conv_out32")]
    assert [(node.runs, node.macs.eval) for node in heads] == [("train", 0), ("train", 0)]
    assert (network.macs.train or 0) - (network.macs.eval or 0) == sum(node.macs.train or 0 for node in heads)
    assert [one.name for one in network.train_outputs] == ["[0]", "[1]", "[2]"]
    assert "cp.arm32" in network.outputs[0].whole_image_by


@pytest.mark.parametrize(("size", "gmacs"), [((512, 1024), 24.603), ((1024, 2048), 98.413)])
def test_bisenet_v2_at_two_sizes(size: tuple[int, int], gmacs: float) -> None:
    network = count_registered("bisenet_v2", size)
    assert (network.params.train, network.params.eval) == (5_231_487, 3_358_627)
    assert round((network.macs.eval or 0) / 1e9, 3) == gmacs
    parts = {"detail": 519_232, "segment": 1_159_504, "bga": 478_720, "head": 1_201_171}
    assert {path: params_of(network, path) for path in parts} == parts


def test_tmo_and_its_parts() -> None:
    network = count_registered("tmo")
    assert network.params.eval == 93_007_238 == 2 * 42_500_160 + 8_006_918
    nodes = {node.path: node for node in network.tree}
    assert [nodes[f"vos.{part}"].params for part in ("app_encoder", "mo_encoder", "decoder")] == [
        42_500_160,
        42_500_160,
        8_006_918,
    ]
    gmacs = [round((nodes[f"vos.{part}"].macs.eval or 0) / 1e9, 3) for part in ("app_encoder", "mo_encoder", "decoder")]
    assert gmacs == [22.921, 22.921, 22.755]
    assert network.inputs == ((1, 3, 384, 384), (1, 3, 384, 384))


def test_columns_of_the_tree_sum_to_the_whole() -> None:
    network = count_registered("bisenet_v2", (64, 96))
    children = [node for node in network.tree if node.depth == 1]
    whole = network.tree[0]
    for number in ("params", "trainable", "buffers"):
        assert sum(getattr(node, number) for node in children) == getattr(whole, number)
    for number in ("macs", "flops"):
        for mode in ("train", "eval"):
            assert sum(getattr(getattr(node, number), mode) for node in children) == getattr(
                getattr(network, number), mode
            )
    assert sum(node.share or 0 for node in children) == pytest.approx(1)
    assert whole.macs.eval == network.macs.eval


def test_macs_grow_with_the_batch_and_parameters_do_not() -> None:
    one, four = count_registered("resnet18"), count_registered("resnet18", batch=4)
    assert (four.macs.eval, four.params) == (4 * (one.macs.eval or 0), one.params)


def test_classes_change_the_last_layer_alone() -> None:
    many, few = count_registered("resnet18"), count_registered("resnet18", classes=10)
    assert (many.params.eval or 0) - (few.params.eval or 0) == 990 * 513


def test_a_network_that_is_built_twice_is_counted_alike() -> None:
    assert counted(lambda: build("resnet18"), image(224, 224)).macs == count_registered("resnet18").macs
