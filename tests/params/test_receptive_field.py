from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcli.params import VARIANTS, Conv, Layer, compare
from segcli.params.receptive_field import receptive_field
from tests.params.modules import MODULES

# Large enough that the middle output position sees no border.
_SIDE = 240


@st.composite
def chains(draw: st.DrawFn) -> list[Conv]:
    upsampled = False

    def conv() -> Conv:
        nonlocal upsampled
        transposed = draw(st.booleans())
        kernel = draw(st.integers(1, 4))
        # Behind a transposed convolution, strides may skip the positions that see furthest.
        stride = 1 if upsampled and not transposed else draw(st.integers(1, 2))
        upsampled |= transposed
        # A transposed kernel narrower than its stride leaves holes: some outputs see nothing at all.
        kernel = max(kernel, stride) if transposed else kernel
        dilation = 1 if transposed else draw(st.integers(1, 2))
        return Conv(1, 1, (kernel, 1), stride=(stride, 1), dilation=(dilation, 1), transposed=transposed)

    return [conv() for _ in range(draw(st.integers(1, 3)))]


@given(chains())
def test_it_is_the_reach_of_the_gradient(stages: list[Conv]) -> None:
    image = torch.zeros(1, 1, _SIDE, 1, dtype=torch.float64, requires_grad=True)
    result: torch.Tensor = image
    for conv in stages:
        # Any: torch types the fields as pairs, Conv as any number of sides.
        kind: Any = torch.nn.ConvTranspose2d if conv.transposed else torch.nn.Conv2d
        module = kind(1, 1, conv.kernel, stride=conv.stride, dilation=conv.dilation, bias=False, dtype=torch.float64)
        torch.nn.init.ones_(module.weight)
        result = module(result)
    reaches = []
    middle = result.shape[2] // 2
    for position in range(middle, middle + 8):
        (gradient,) = torch.autograd.grad(result[0, 0, position, 0], image, retain_graph=True)
        seen = gradient[0, 0, :, 0].nonzero()[:, 0]
        reaches.append(int(seen.max() - seen.min()) + 1)
    # Behind a transposed convolution positions differ in how far they see; the field is the largest.
    assert max(reaches) == receptive_field(tuple(stages), 1)[0]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 3)], ids=["3x3", "5x3"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_block_sees_as_far_as_the_gradient_of_its_module(variant: str, kernel: tuple[int, int], stride: int) -> None:
    layer = Layer(8, 8 if stride == 1 else 32, kernel=kernel, stride=(stride,), size=(41,), groups=2)
    # Every number is positive and small, so that nothing cancels out and no activation cuts it off.
    module = MODULES[variant](layer).to_empty(device="cpu").double()
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    image = torch.full((1, 8, 41, 41), 0.1, dtype=torch.float64, requires_grad=True)
    result = module(image)
    middle = result.shape[-1] // 2
    # A transposed convolution's positions differ in how far they see; the field is the largest.
    reaches = [
        seen(result[..., row, column].sum(), image) for row in (middle, middle + 1) for column in (middle, middle + 1)
    ]
    found = compare(layer, [variant]).layers[0].receptive_field
    assert (max(high for high, _ in reaches), max(wide for _, wide in reaches)) == found


def seen(output: torch.Tensor, image: torch.Tensor) -> tuple[int, int]:
    (gradient,) = torch.autograd.grad(output, image, retain_graph=True)
    rows, columns = gradient[0].sum(0).nonzero().unbind(1)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
