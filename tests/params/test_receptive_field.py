from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from segcli.params.conv import Conv
from segcli.params.receptive_field import receptive_field

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
    for position in range(middle, middle + 16):
        (gradient,) = torch.autograd.grad(result[0, 0, position, 0], image, retain_graph=True)
        seen = gradient[0, 0, :, 0].nonzero()[:, 0]
        reaches.append(int(seen.max() - seen.min()) + 1)
    # Behind a transposed convolution positions differ in how far they see; the field is the largest.
    assert max(reaches) == receptive_field(stages)[0]
