import contextlib
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from segcli.errors import SegcliError
from segcli.params import Conv


@st.composite
def convs(draw: st.DrawFn) -> Conv:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups = draw(st.integers(1, 4))
    return Conv(
        in_channels=groups * draw(st.integers(1, 4)),
        out_channels=groups * draw(st.integers(1, 4)),
        kernel=draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        stride=draw(pair),
        padding=draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        dilation=draw(pair),
        groups=groups,
        bias=draw(st.booleans()),
        transposed=draw(st.booleans()),
    )


def as_module(conv: Conv, device: str = "meta") -> torch.nn.Module:
    # Any: torch types the fields as pairs, Conv as any number of sides.
    kind: Any = torch.nn.ConvTranspose2d if conv.transposed else torch.nn.Conv2d
    module: torch.nn.Module = kind(
        conv.in_channels,
        conv.out_channels,
        conv.kernel,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
        bias=conv.bias,
        device=device,
    )
    return module


@given(convs(), st.tuples(st.integers(1, 20), st.integers(1, 20)))
@example(Conv(4, 8, (4, 4), stride=(2, 2), padding=(1, 1), transposed=True), (8, 8))
@example(Conv(4, 4, (4, 4), stride=(2, 2), padding=(1, 1), groups=4, transposed=True), (8, 8))
def test_parameters_shape_and_macs_are_torchs(conv: Conv, size: tuple[int, int]) -> None:
    try:
        output_size = conv.output_size(size)
    except SegcliError:
        # Torch raises too (in many words), or lets an empty output pass: both are impossible layers here.
        with contextlib.suppress(RuntimeError):
            assert as_module(conv, "cpu")(torch.empty(1, conv.in_channels, *size)).numel() == 0
        return
    module = as_module(conv)
    with FlopCounterMode(display=False) as counter:
        result = module(torch.empty(1, conv.in_channels, *size, device="meta"))
    assert sum(parameter.numel() for parameter in module.parameters()) == conv.params
    assert tuple(result.shape[1:]) == (conv.out_channels, *output_size)
    assert counter.get_total_flops() == 2 * conv.macs(size)


@pytest.mark.parametrize(
    ("conv", "params"),
    [
        pytest.param(Conv(64, 128, (3, 3)), 73_728, id="standard"),
        pytest.param(Conv(64, 128, (3, 3), bias=True), 73_856, id="standard+bias"),
        pytest.param(Conv(64, 128, (3, 3), groups=4), 18_432, id="groups=4"),
        pytest.param(Conv(64, 64, (3, 3), groups=64), 576, id="depthwise"),
        pytest.param(Conv(64, 128, (1, 1)), 8_192, id="pointwise"),
        pytest.param(Conv(64, 128, (3,)), 24_576, id="1d"),
        pytest.param(Conv(64, 128, (3, 3, 3)), 221_184, id="3d"),
        pytest.param(Conv(64, 128, (3, 3), dilation=(2, 2)), 73_728, id="dilated"),
    ],
)
def test_parameters_by_hand(conv: Conv, params: int) -> None:
    assert conv.params == params


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"groups": 3}, r"in_channels 4 does not divide into 3 groups: 4 = 1 x 3 \+ 1"),
        ({"in_channels": 0}, "in_channels is 0, expected 1 or more"),
        ({"kernel": (0, 3)}, "kernel is 0, expected 1 or more"),
        ({"stride": (1, -1)}, "stride is -1, expected 1 or more"),
        ({"padding": (-1, 0)}, "padding is -1, expected 0 or more"),
        ({"stride": (1, 2, 1)}, "stride 1x2x1 has 3 sides, and the kernel 2"),
        ({"kernel": (2**40, 3)}, r"kernel is 1099511627776, expected at most 2147483647 \(2\^31 - 1"),
        ({"padding": "same", "stride": (1, 2)}, "padding same needs stride 1, as in torch, and the stride is 1x2"),
        ({"padding": "same", "transposed": True}, "padding same is for convolutions that are not transposed"),
    ],
)
def test_impossible_convolutions_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        Conv(**{"in_channels": 4, "out_channels": 8, "kernel": (3, 3), **fields})  # type: ignore[arg-type]


def test_one_side_stands_for_all() -> None:
    conv = Conv(4, 8, (3, 1, 5), stride=(2,), padding=(1,))
    assert (conv.stride, conv.padding, conv.dilation) == ((2, 2, 2), (1, 1, 1), (1, 1, 1))


def test_padding_same_keeps_the_size() -> None:
    assert Conv(4, 8, (4, 3), padding="same", dilation=(1, 2)).output_size((8, 9)) == (8, 9)


def test_an_input_of_other_channels_is_refused() -> None:
    with pytest.raises(SegcliError, match=r"conv 3x3, stride 2 takes 4 channels, and got 5"):
        Conv(4, 8, (3, 3), stride=(2, 2)).output_shape((5, 8, 8))


@pytest.mark.parametrize(
    ("conv", "label"),
    [
        (Conv(4, 8, (3, 3)), "conv 3x3"),
        (Conv(4, 8, (1, 3), stride=(1, 2), groups=2), "grouped conv 1x3, stride 1x2"),
        (Conv(4, 8, (3, 3), dilation=(2, 2), groups=4), "depthwise conv 3x3, dilation 2x2"),
        (Conv(4, 4, (2, 2), stride=(2, 2), transposed=True), "transposed conv 2x2, stride 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_convolution_is_called_what_it_is(conv: Conv, label: str) -> None:
    assert conv.label == label


def test_a_negative_output_is_refused_with_its_arithmetic() -> None:
    with pytest.raises(SegcliError, match=r"floor\(\(2 \+ 2 x 0 - 2 - 1\) / 1\) \+ 1 = 0"):
        Conv(1, 1, (3, 3)).output_size((2, 2))
