"""Against torch's own interpolate, on whole tensors of the dtypes that it knows."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from segcli.loss.sources.resizing import resize_labels, resize_logits

SIZES = st.integers(1, 9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("shape", "size", "mode"),
    [
        ((2, 19, 4, 5), (16, 18), "bilinear"),
        ((1, 3, 7, 5), (3, 2), "bilinear"),
        ((2, 3, 2, 4, 5), (4, 9, 7), "trilinear"),
        ((0, 3, 4, 5), (8, 10), "bilinear"),
    ],
    ids=str,
)
def test_logits_are_resized_as_torch_does(
    shape: tuple[int, ...], size: tuple[int, ...], mode: str, dtype: torch.dtype
) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    computed = logits.float() if dtype.itemsize == 2 else logits
    if not logits.numel():
        assert resize_logits(logits, size).shape == (*shape[:2], *size)
        return
    assert torch.equal(resize_logits(logits, size), interpolate(computed, size, mode=mode, align_corners=False))
    assert torch.equal(resize_logits(logits, size, "nearest"), interpolate(computed, size, mode="nearest-exact"))


def test_binary_logits_and_logits_with_classes_last() -> None:
    logits = torch.randn(2, 4, 5, 3)
    last = logits.movedim(-1, 1)
    expected = interpolate(last.contiguous(), (8, 10), mode="bilinear")
    torch.testing.assert_close(resize_logits(last, (8, 10)), expected)
    torch.testing.assert_close(resize_logits(last[:, 0], (8, 10)), expected[:, 0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.float32], ids=str)
@given(st.tuples(SIZES, SIZES, SIZES), st.tuples(SIZES, SIZES, SIZES), st.sampled_from([2, 3]))
@example((9, 9, 7), (3, 3, 2), 3)
def test_labels_are_resized_as_torch_does(
    dtype: torch.dtype, sizes: tuple[int, int, int], to: tuple[int, int, int], axes: int
) -> None:
    labels = torch.randint(0, 256, (2, *sizes[:axes]), generator=torch.Generator().manual_seed(1)).to(dtype)
    expected = interpolate(labels[:, None].double(), to[:axes], mode="nearest-exact")[:, 0].to(dtype)
    assert torch.equal(resize_labels(labels, to[:axes]), expected)
    assert torch.equal(resize_labels(labels[0], to[:axes]), expected[0])
