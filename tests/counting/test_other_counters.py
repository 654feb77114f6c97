"""The cases where other counters go wrong, on an input of 8x8; torchinfo's, thop's and the like figures beside them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from tests.counting.known import Function, counted

EIGHT = (1, 4, 8, 8)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(8, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, padding=1)


class Product(nn.Module):
    def __init__(self, work: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(8, 16))
        self.work = work

    def forward(self, x: Tensor) -> Tensor:
        return self.work(x, self.w)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(12, 12, bias=False)
        self.decoder = nn.Linear(12, 12, bias=False)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.encoder(x))
        return y


class Uncalled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Linear(12, 12, bias=False)
        self.aux = nn.ModuleList([nn.Linear(9, 5)])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.main(x)
        return y


@pytest.mark.parametrize(
    ("build", "shape", "macs"),
    [
        pytest.param(lambda: nn.Conv2d(4, 8, 3, padding=1), EIGHT, 18_432, id="conv-with-bias"),
        pytest.param(lambda: nn.ConvTranspose2d(4, 8, 4, 2, 1), EIGHT, 32_768, id="transposed-not-131072"),
        pytest.param(
            lambda: nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=4), EIGHT, 4_096, id="transposed-depthwise-not-0-or-16384"
        ),
        pytest.param(Functional, EIGHT, 18_432, id="functional-not-0"),
        pytest.param(lambda: Product(torch.matmul), (8, 8), 1_024, id="x@w-not-0"),
        pytest.param(lambda: Product(lambda x, w: torch.einsum("ij,jk->ik", x, w)), (8, 8), 1_024, id="einsum"),
        pytest.param(lambda: Product(lambda x, w: functional.linear(x, w.t())), (1, 8, 8), 1_024, id="linear"),
        pytest.param(lambda: Product(lambda x, w: x @ w), (5, 2, 8), 1_280, id="batched-matmul"),
        pytest.param(lambda: Product(lambda x, w: torch.mv(w.t(), x)), (8,), 128, id="mv"),
        pytest.param(lambda: Product(lambda x, w: torch.addmv(x[0], w.t(), x[:, 0][:8])), (16, 16), 128, id="addmv"),
        pytest.param(lambda: Function(lambda x: torch.dot(x, x)), (8,), 8, id="dot"),
        pytest.param(lambda: Function(lambda x: torch.baddbmm(x, x, x)), (2, 8, 8), 1_024, id="baddbmm"),
        pytest.param(
            lambda: Function(lambda x: functional.scaled_dot_product_attention(x, x, x)),
            (1, 2, 8, 4),
            2 * 2 * 8 * 8 * 4,
            id="attention",
        ),
        pytest.param(
            lambda: Function(lambda x: torch.conv_tbc(x, x.new_empty(3, 4, 6), x.new_empty(6), 1)),
            (8, 2, 4),
            8 * 2 * 6 * 3 * 4,
            id="conv_tbc",
        ),
    ],
)
def test_macs_are_right(build: Callable[[], nn.Module], shape: tuple[int, ...], macs: int) -> None:
    network = counted(build, shape)
    assert (network.macs.train, network.macs.eval, network.flops.eval) == (macs, macs, 2 * macs)


def test_a_bias_is_counted_apart() -> None:
    network = counted(lambda: nn.Conv2d(4, 8, 3, padding=1), EIGHT)
    assert (network.macs.eval, network.beside.bias_adds.eval) == (18_432, 512)


def test_a_tied_weight_is_one_parameter() -> None:
    network = counted(Tied, (2, 12))
    assert (network.params.eval, network.macs.eval) == (144, 2 * 2 * 144)
    assert network.tied == (("encoder.weight", "decoder.weight"),)
    assert [node.params for node in network.tree] == [144, 144, 144]


def test_an_uncalled_module_is_counted_and_named() -> None:
    network = counted(Uncalled, (2, 12))
    assert (network.params.train, network.params.eval, network.never_ran) == (194, 194, ("aux",))
    assert {node.path: node.runs for node in network.tree} == {
        "": "train and eval",
        "main": "train and eval",
        "aux": "never",
        "aux.0": "never",
    }


def test_a_module_that_runs_twice_counts_twice() -> None:
    network = counted(lambda: Function(lambda conv, x: conv(conv(x)), nn.Conv2d(4, 4, 3, padding=1)), EIGHT)
    assert (network.macs.eval, network.params.eval) == (2 * 64 * 144, 148)


def test_frozen_parameters_are_no_trainable_ones() -> None:
    network = counted(lambda: nn.Linear(4, 4).requires_grad_(requires_grad=False), (1, 4))
    assert (network.params.eval, network.trainable) == (20, 0)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    groups = draw(st.sampled_from((1, 2, 3)))
    channels, width = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    n_axes = draw(st.integers(1, 3))
    settings: dict[str, Any] = {
        name: draw(st.tuples(*[st.integers(low, high)] * n_axes))
        for name, (low, high) in {"kernel_size": (1, 4), "stride": (1, 3), "dilation": (1, 2)}.items()
    }
    settings |= {"groups": groups, "bias": draw(st.booleans())}
    kinds = ((nn.Conv1d, nn.ConvTranspose1d), (nn.Conv2d, nn.ConvTranspose2d), (nn.Conv3d, nn.ConvTranspose3d))
    kind = kinds[n_axes - 1][draw(st.booleans())]
    with torch.device("meta"):
        layer = kind(channels, width, **settings)
    return layer, (draw(st.integers(1, 3)), channels, *(draw(st.integers(8, 10)) for _ in range(n_axes)))


def by_torch(layer: nn.Module, shape: tuple[int, ...]) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(torch.empty(shape, device="meta"))
    return int(counter.get_total_flops())


@given(convolutions())
@example((nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=4, device="meta"), EIGHT))
@settings(max_examples=150)
def test_convolutions_are_as_torch_counts_them_forward(drawn: tuple[nn.Module, tuple[int, ...]]) -> None:
    layer, shape = drawn
    network = counted(lambda: layer, shape)
    assert network.flops.eval == by_torch(layer, shape)
    assert network.params.eval == sum(one.numel() for one in layer.parameters())


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        pytest.param(lambda: nn.MultiheadAttention(16, 4), [(5, 2, 16)] * 3, id="multi-head-attention"),
        pytest.param(lambda: nn.TransformerEncoderLayer(16, 4), [(5, 2, 16)], id="transformer-layer"),
        pytest.param(lambda: nn.LSTM(8, 16, 2), [(5, 3, 8)], id="lstm"),
        pytest.param(lambda: nn.GRU(8, 16), [(5, 3, 8)], id="gru"),
    ],
)
def test_layers_of_many_products_are_as_torch_counts_them(
    build: Callable[[], nn.Module], shapes: list[tuple[int, ...]]
) -> None:
    network = counted(build, *shapes)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build().eval()(*(torch.empty(shape) for shape in shapes))
    assert network.flops.eval == int(counter.get_total_flops()) > 0
