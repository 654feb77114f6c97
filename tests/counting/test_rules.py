"""What positions see through single operations: in small numbers that can be checked by hand."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.counting.known import Function, counted, image, seen

CONV = torch.empty(3, 3, 3, 3, device="meta")
Forward = Callable[..., Any]


def conv(x: Tensor, stride: int = 1) -> Tensor:
    return functional.conv2d(x, CONV, stride=stride, padding=1)


def shuffled_by_hand(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)


def attended(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return torch.softmax(tokens @ tokens.transpose(1, 2), -1) @ tokens


def with_class_token(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return torch.cat((tokens.new_zeros(1, 1, 3), tokens), dim=1)


@pytest.mark.parametrize(
    ("forward", "field", "stride"),
    [
        pytest.param(lambda x: x, (1, 1), (1, 1), id="nothing"),
        pytest.param(lambda x: torch.relu(conv(conv(x))), (5, 5), (1, 1), id="two-convs"),
        pytest.param(lambda x: torch.cat((conv(x), conv(conv(x))), 1), (5, 5), (1, 1), id="cat-of-channels"),
        pytest.param(lambda x: torch.stack((x, conv(x))).sum(0), (3, 3), (1, 1), id="stack"),
        pytest.param(lambda x: functional.pixel_shuffle(conv(x.repeat(1, 4, 1, 1)[:, :3]).repeat(1, 4, 1, 1), 2),
                     (3, 3), (Fraction(1, 2),) * 2, id="pixel-shuffle"),
        pytest.param(lambda x: shuffled_by_hand(conv(x).repeat(1, 4, 1, 1)), (3, 3), (Fraction(1, 2),) * 2,
                     id="pixel-shuffle-by-hand"),
        pytest.param(lambda x: functional.pixel_unshuffle(conv(x), 2), (4, 4), (2, 2), id="pixel-unshuffle"),
        pytest.param(lambda x: conv(x)[:, :, ::2, 1:], (3, 3), (2, 1), id="slice"),
        pytest.param(lambda x: conv(x)[:, :, -4:, :-2], (3, 3), (1, 1), id="slice-from-behind"),
        pytest.param(lambda x: conv(x).chunk(2, dim=2)[1], (3, 3), (1, 1), id="chunk-of-rows"),
        pytest.param(lambda x: torch.split_with_sizes(conv(x), [1, 2], 1)[1], (3, 3), (1, 1),
                     id="split-of-channels"),
        pytest.param(lambda x: functional.pad(conv(x), (1, 2, 3, 4)), (3, 3), (1, 1), id="zero-padding"),
        pytest.param(lambda x: conv(functional.pad(x, (1, 1, 1, 1), mode="reflect")), (3, 3), (1, 1), id="reflection"),
        pytest.param(lambda x: conv(x).permute(0, 2, 3, 1) @ CONV[:, :, 0, 0], (3, 3), (1, 1), id="linear-of-channels"),
        pytest.param(lambda x: conv(x).transpose(2, 3), (3, 3), (1, 1), id="transpose"),
        pytest.param(lambda x: conv(x, 2).unsqueeze(0).squeeze(0), (3, 3), (2, 2), id="unsqueeze"),
        pytest.param(lambda x: conv(x).mean(1, keepdim=True), (3, 3), (1, 1), id="mean-of-channels"),
        pytest.param(lambda x: conv(x).amax(1), (3, 3), (1, 1), id="amax-of-channels"),
        pytest.param(lambda x: conv(x)[:, 0], (3, 3), (1, 1), id="one-channel"),
        pytest.param(lambda x: torch.stack(conv(x).unbind(1), 1), (3, 3), (1, 1), id="unbound-channels"),
        pytest.param(lambda x: conv(x).flatten(2).view(1, 3, 16, 16), (3, 3), (1, 1), id="flat-and-back"),
        pytest.param(lambda x: conv(x).flatten(2), (3, 3), (1, 1), id="tokens"),
        pytest.param(lambda x: with_class_token(conv(x)), (3, 3), (1, 1), id="tokens-beside-one"),
        pytest.param(lambda x: functional.unfold(conv(x), 3, padding=1), (5, 5), (1, 1), id="unfold"),
        pytest.param(lambda x: functional.unfold(conv(x), 2, stride=2).transpose(1, 2) @ x.new_empty(12, 5),
                     (4, 4), (2, 2), id="patches-and-product"),
        pytest.param(lambda x: functional.adaptive_avg_pool2d(x, (8, 4)), (2, 4), (2, 4), id="adaptive-pool"),
        pytest.param(lambda x: functional.adaptive_max_pool2d(x, (6, 16)), (4, 1), (Fraction(8, 3), 1),
                     id="adaptive-max"),
        pytest.param(lambda x: functional.dropout(conv(x), 0.5), (3, 3), (1, 1), id="dropout"),
        pytest.param(lambda x: x + torch.zeros_like(x), (1, 1), (1, 1), id="zeros-like"),
        pytest.param(lambda x: torch.softmax(conv(x), 1), (3, 3), (1, 1), id="softmax-of-channels"),
        pytest.param(lambda x: conv(x).sort(1)[0], (3, 3), (1, 1), id="sorted-channels"),
        pytest.param(lambda x: torch.zeros_like(x).copy_(conv(x)), (3, 3), (1, 1), id="copy"),
        pytest.param(lambda x: torch.addmm(x.new_empty(5), conv(x).movedim(1, 3).reshape(-1, 3), x.new_empty(3, 5)),
                     (3, 3), (1, 1), id="addmm"),
        pytest.param(lambda x: functional.conv2d(conv(x), torch.empty(3, 1, 3, 3, device="meta"), groups=3), (5, 5),
                     (1, 1), id="depthwise"),
        pytest.param(lambda x: conv(x).expand(1, 3, 16, 16), (3, 3), (1, 1), id="expand"),
    ],
)  # fmt: skip
def test_an_operation_sees(forward: Forward, field: tuple[int, ...], stride: tuple[Any, ...]) -> None:
    output = seen(forward, image(16, 16))
    assert (output.unknown, output.receptive_field, output.stride) == ("", field, stride)
    assert not output.whole_image_by


@pytest.mark.parametrize(
    ("forward", "field"),
    [
        pytest.param(lambda x: functional.adaptive_avg_pool2d(conv(x, 2), 1), (3, 3), id="adaptive-average"),
        pytest.param(lambda x: functional.adaptive_max_pool2d(conv(x, 2), 1), (3, 3), id="adaptive-maximum"),
        pytest.param(lambda x: functional.avg_pool2d(conv(x, 2), 8), (3, 3), id="pool-of-all"),
        pytest.param(lambda x: conv(x).mean((2, 3)), (3, 3), id="mean"),
        pytest.param(lambda x: conv(x).sum(), (3, 3), id="sum-of-all"),
        pytest.param(lambda x: conv(x).sum().t() * 2, (3, 3), id="transpose-of-a-number"),
        pytest.param(lambda x: conv(x).flatten(1) @ x.new_empty(768, 5), (3, 3), id="linear-of-all"),
        pytest.param(lambda x: torch.mv(conv(x).flatten(1), x.new_empty(768)), (3, 3), id="mv-of-all"),
        pytest.param(lambda x: torch.softmax(conv(x).flatten(2), 2), (3, 3), id="softmax-of-positions"),
        pytest.param(lambda x: attended(conv(x)), (3, 3), id="attention"),
        pytest.param(lambda x: conv(x) * torch.sigmoid(conv(conv(x)).mean((2, 3), keepdim=True)), (3, 3),
                     id="squeezed"),
        pytest.param(lambda x: functional.conv1d(conv(x).flatten(2).transpose(1, 2), x.new_empty(4, 256, 1)), (3, 3),
                     id="mixed-positions"),
        pytest.param(
            lambda x: functional.interpolate(functional.adaptive_avg_pool2d(conv(x), 1), size=(16, 16)), (3, 3),
            id="enlarged-again",
        ),
    ],
)  # fmt: skip
def test_an_operation_sees_the_whole_image(forward: Forward, field: tuple[int, ...]) -> None:
    output = seen(forward, image(16, 16))
    assert (output.unknown, output.receptive_field) == ("", field)
    assert output.whole_image_by == ("the network itself",)


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        pytest.param(lambda x: torch.roll(x, 1, 2), "not known what roll in the network itself reads", id="roll"),
        pytest.param(lambda x: x[:, :, 0], "select in .* takes single positions", id="one-row"),
        pytest.param(lambda x: torch.cat((x, x), 2), "cat in .* end to end", id="cat-of-rows"),
        pytest.param(lambda x: x.view(1, 3, 4, 4, 16), "view in .* cuts an axis", id="windows"),
        pytest.param(lambda x: x.flatten(2)[..., :7], "slice in .* laid together", id="slice-of-tokens"),
        pytest.param(lambda x: functional.avg_pool1d(x.flatten(2), 2), "avg_pool2d in .* laid together",
                     id="pool-of-tokens"),
        pytest.param(lambda x: x + x.transpose(2, 3), "different axes of the image meet", id="rows-on-columns"),
        pytest.param(lambda x: x.cumsum(2), "cumsum in .* works along an axis", id="cumsum"),
        pytest.param(lambda x: x.repeat(1, 1, 2, 1), "repeat in .* repeats an axis", id="repeated-rows"),
        pytest.param(lambda x: functional.conv1d(x.flatten(2).transpose(1, 2), x.new_empty(256, 128, 1), groups=2),
                     "groups of .* mix a part", id="groups-of-positions"),
        pytest.param(lambda x: functional.interpolate(x, (4099, 16)), "hardly divide", id="odd-sizes"),
        pytest.param(lambda _: torch.zeros(1, 3, 16, 16) + 1, "does not depend", id="constant"),
        pytest.param(lambda x: torch.roll(x, 1, 2).view(1, -1) * 2, "what roll", id="after-what-is-unknown"),
        pytest.param(lambda x: torch.roll(x, 1, 2).flatten(2).transpose(1, 2) @ x.new_empty(3, 3), "what roll",
                     id="product-after-what-is-unknown"),
        pytest.param(lambda x: torch.cat((torch.roll(x, 1, 2), x), 1), "what roll", id="cat-with-what-is-unknown"),
    ],
)  # fmt: skip
def test_it_is_said_why_sight_is_unknown(forward: Forward, why: str) -> None:
    output = seen(forward, image(16, 16))
    assert output.receptive_field is None
    assert re.search(why, output.unknown)


def test_writing_into_a_part_of_a_tensor_is_not_followed() -> None:
    def forward(x: Tensor) -> Tensor:
        y = conv(x)
        y[:, :, 2:] += x[:, :, 2:]
        return y

    assert seen(forward, image(16, 16)).unknown == "the network itself writes into a part of a tensor"


def test_writing_in_place_is_followed() -> None:
    def forward(x: Tensor) -> Tensor:
        y = conv(x)
        y += conv(conv(x))
        return functional.relu_(y)

    assert seen(forward, image(16, 16)).receptive_field == (5, 5)


def test_strides_that_disagree_are_said() -> None:
    output = seen(lambda x: conv(x, 2) + x[:, :, :8, :8], image(16, 16))
    assert output.receptive_field == (3, 3)
    assert output.stride == (2, 2)
    assert output.strides == ((1, 2), (1, 2))


def test_every_output_has_its_place() -> None:
    def forward(x: Tensor) -> dict[str, Any]:
        return {"out": conv(x), "more": [x, (conv(conv(x)),)], "loss": None}

    outputs = counted(lambda: Function(forward), image(16, 16)).outputs
    assert [(one.name, one.receptive_field) for one in outputs] == [
        ("['out']", (3, 3)),
        ("['more'][0]", (1, 1)),
        ("['more'][1][0]", (5, 5)),
    ]


def test_one_position_for_all_sees_the_whole_image() -> None:
    output = seen(lambda x: conv(x) + x.new_zeros(3, 4, 4), image(1, 1))
    assert (output.receptive_field, output.whole_image_by) == ((3, 3), ("the network itself",))


def test_an_input_without_axes_has_no_field() -> None:
    assert "no axes" in counted(lambda: nn.Linear(4, 4), (2, 4)).outputs[0].unknown


def test_a_volume_has_three_axes() -> None:
    network = counted(lambda: nn.Sequential(nn.Conv3d(3, 4, (1, 3, 5)), nn.MaxPool3d(2)), (1, 3, 8, 16, 16))
    assert (network.receptive_field, network.stride) == ((2, 4, 6), (2, 2, 2))


def test_attention_of_one_kernel_sees_all_of_its_keys() -> None:
    """On the meta device torch takes attention apart; a network of a fused kernel is followed too."""

    def forward(x: Tensor) -> Tensor:
        tokens = conv(x).flatten(2).transpose(1, 2).unsqueeze(1)
        made: Tensor = torch.ops.aten._scaled_dot_product_efficient_attention(
            tokens, tokens, tokens, None, compute_log_sumexp=False
        )[0]
        return made

    network = counted(lambda: Function(forward), image(16, 16))
    assert network.outputs[0].whole_image_by == ("the network itself",)
    assert network.macs.eval == 256 * 81 + 256 * 256 * 6
