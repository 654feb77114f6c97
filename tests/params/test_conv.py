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
        pytest.param(Conv(64, 128, (3,), stride=(1,), padding=(0,), dilation=(1,)), 24_576, id="1d"),
        pytest.param(
            Conv(64, 128, (3, 3, 3), stride=(1, 1, 1), padding=(0, 0, 0), dilation=(1, 1, 1)), 221_184, id="3d"
        ),
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
        ({"padding": (-1, 0)}, "padding is -1x0, expected 0 or more"),
    ],
)
def test_impossible_convolutions_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        Conv(**{"in_channels": 4, "out_channels": 8, "kernel": (3, 3), **fields})  # type: ignore[arg-type]


def test_a_negative_output_is_refused_with_its_arithmetic() -> None:
    with pytest.raises(SegcliError, match=r"floor\(\(2 \+ 2 x 0 - 2 - 1\) / 1\) \+ 1 = 0"):
        Conv(1, 1, (3, 3)).output_size((2, 2))
