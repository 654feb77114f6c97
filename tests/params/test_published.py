"""Networks put together from the blocks: their counts are the published ones."""

from collections.abc import Sequence

import pytest

from segcli.params import VARIANTS, Conv, Layer, compare
from segcli.params.block import Block
from segcli.params.operation import Pool
from segcli.params.receptive_field import receptive_field

# (channels, blocks, stride) of each stage of ResNet.
_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
# Sandler et al. 2018, table 2, but for the first stage: channels, blocks, stride.
_MOBILENET_V2 = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))

Part = tuple[str, Layer]


def totals(parts: Sequence[Part]) -> tuple[int, int]:
    """Add up parameters and MACs."""
    rows = [compare(layer, [variant]).layers[0] for variant, layer in parts]
    return sum(row.params for row in rows), sum(row.macs for row in rows)


def linear(ins: int, outs: int) -> Part:
    return "pointwise", Layer(ins, outs, size=(1,), bias=True)


def plain(ins: int, outs: int, size: int, kernel: int = 3, stride: int = 1) -> Part:
    """Return a convolution that keeps the size, but for its stride, with batch norm."""
    padding = ((kernel - 1) // 2,)
    return "standard", Layer(ins, outs, kernel=(kernel,), stride=(stride,), padding=padding, size=(size,), norm="batch")


def stage(variant: str, ins: int, outs: int, blocks: int, stride: int, size: int) -> list[Part]:
    """Return blocks behind one another; the first changes channels and size."""
    first = Layer(ins, outs, stride=(stride,), size=(size,), norm="batch")
    rest = Layer(outs, outs, size=(size // stride,), norm="batch")
    return [(variant, first), *[(variant, rest)] * (blocks - 1)]


def resnet(depth: int) -> list[Part]:
    variant, wide = ("resnet-basic", 1) if depth < 50 else ("resnet-bottleneck", 4)
    parts, ins, size = [plain(3, 64, 224, 7, 2)], 64, 56
    for channels, blocks, stride in zip((64, 128, 256, 512), _DEPTHS[depth], (1, 2, 2, 2), strict=True):
        parts += stage(variant, ins, wide * channels, blocks, stride, size)
        ins, size = wide * channels, size // stride
    return [*parts, linear(ins, 1000)]


@pytest.mark.parametrize(
    ("depth", "params", "gmacs"),
    [
        (18, 11_689_512, 1.8141),
        (34, 21_797_672, 3.6638),
        (50, 25_557_032, 4.0892),
        (101, 44_549_160, 7.8014),
        (152, 60_192_808, 11.5136),
    ],
)
def test_resnet(depth: int, params: int, gmacs: float) -> None:
    counted, macs = totals(resnet(depth))
    assert (counted, round(macs / 1e9, 4)) == (params, gmacs)


def test_resnet_18_to_the_last_mac() -> None:
    assert totals(resnet(18))[1] == 1_814_073_344


def mobilenet_v2() -> list[Part]:
    # The first bottleneck has no expansion: that is a depthwise separable convolution.
    first = "depthwise-separable", Layer(32, 16, padding=(1,), size=(112,), norm="batch")
    parts, ins, size = [plain(3, 32, 224, 3, 2), first], 16, 112
    for outs, blocks, stride in _MOBILENET_V2:
        parts += stage("inverted-residual", ins, outs, blocks, stride, size)
        ins, size = outs, size // stride
    return [*parts, plain(320, 1280, 7, 1), linear(1280, 1000)]


def test_mobilenet_v2() -> None:
    params, macs = totals(mobilenet_v2())
    assert (params, round(macs / 1e9, 6)) == (3_504_872, 0.300774)


def test_shufflenet_v2() -> None:
    """The network of width 1 in torchvision."""
    parts, ins, size = [plain(3, 24, 224, 3, 2)], 24, 56
    for outs, blocks in ((116, 4), (232, 8), (464, 4)):
        parts += stage("shufflenet-v2", ins, outs, blocks, 2, size)
        ins, size = outs, size // 2
    assert totals([*parts, plain(464, 1024, 7, 1), linear(1024, 1000)])[0] == 2_278_604


def test_convnext_tiny() -> None:
    """That of torchvision, whose table says 4.46 GMACs."""
    stem = "standard", Layer(3, 96, kernel=(4,), stride=(4,), size=(224,), bias=True, norm="layer")
    parts, ins, size = [stem], 96, 56
    for outs, blocks, stride in ((96, 3, 1), (192, 3, 2), (384, 9, 2), (768, 3, 2)):
        first = Layer(ins, outs, stride=(stride,), size=(size,), bias=True, norm="layer")
        rest = Layer(outs, outs, size=(size // stride,), bias=True, norm="layer")
        parts += [("convnext", first), *[("convnext", rest)] * (blocks - 1)]
        ins, size = outs, size // stride
    params, macs = totals([*parts, linear(768, 1000)])
    last_norm = 2 * 768
    assert (params + last_norm, round(macs / 1e9, 2)) == (28_589_128, 4.46)


def test_the_segment_branch_of_bisenet_v2() -> None:
    """That of CoinCheung/BiSeNet."""
    stem = [plain(3, 16, 512, 3, 2), plain(16, 8, 256, 1), plain(8, 16, 256, 3, 2), plain(32, 16, 128)]
    body = [
        *stage("gather-and-expansion", 16, 32, 2, 2, 128),
        *stage("gather-and-expansion", 32, 64, 2, 2, 64),
        *stage("gather-and-expansion", 64, 128, 4, 2, 32),
    ]
    context = [plain(128, 128, 1, 1), plain(128, 128, 16)]
    first_norm = 2 * 128
    assert totals([*stem, *body, *context])[0] + first_norm == 1_159_504


def test_fasternet_t0() -> None:
    """Chen et al. 2023, table 2: 3.9 million parameters; a block is a partial convolution and two pointwise ones."""
    params = totals([("standard", Layer(3, 40, kernel=(4,), stride=(4,), size=(224,), norm="batch"))])[0]
    for width, blocks in ((40, 1), (80, 2), (160, 8), (320, 2)):
        pointwise = [plain(width, 2 * width, 7, 1), ("pointwise", Layer(2 * width, width))]
        params += blocks * totals([("partial", Layer(width, width)), *pointwise])[0]
    for width in (40, 80, 160):
        params += totals([("standard", Layer(width, 2 * width, kernel=(2,), stride=(2,), norm="batch"))])[0]
    params += totals([("pointwise", Layer(320, 1280)), linear(1280, 1000)])[0]
    assert round(params / 1e6, 1) == 3.9


def chain(parts: Sequence[Part]) -> Block:
    """Return the blocks one behind another, the classifier left out."""
    return tuple(part for variant, layer in parts[:-1] for part in VARIANTS[variant].block(layer))


@pytest.mark.parametrize(("depth", "field"), [(18, 435), (34, 899), (50, 427), (101, 971), (152, 1451)])
def test_the_receptive_field_of_resnet(depth: int, field: int) -> None:
    """Araujo, Norris and Sim 2019, table 1, and google-research/receptive_field; the stride in the 3x3."""
    stem, *blocks = resnet(depth)
    pool = Pool((3, 3), (2, 2), (1, 1))
    assert receptive_field((*VARIANTS[stem[0]].block(stem[1]), pool, *chain(blocks)), 2) == (field, field)


def test_the_receptive_field_of_mobilenet_v2() -> None:
    assert receptive_field(chain(mobilenet_v2()), 2) == (491, 491)


def convs(*layers: tuple[int, int]) -> Block:
    return tuple(Conv(1, 1, (kernel, kernel), stride=(stride, stride)) for kernel, stride in layers)


@pytest.mark.parametrize(
    ("block", "field"),
    [
        pytest.param(convs(*[*[(3, 1)] * 2, (2, 2)] * 2, *[*[(3, 1)] * 3, (2, 2)] * 3), 212, id="VGG16"),
        pytest.param(convs((11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)), 195, id="AlexNet"),
        pytest.param(
            convs(*[(3, stride) for stride in (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)]), 315, id="MobileNetV1"
        ),
    ],
)
def test_receptive_fields_of_chains(block: Block, field: int) -> None:
    assert receptive_field(block, 2) == (field, field)
