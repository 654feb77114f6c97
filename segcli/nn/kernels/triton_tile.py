"""What the multiclass kernels share: how tiles are read, and the gradient that is the same for all classes of a pixel.

Importing this needs Triton. A tile is (classes, pixels), classes padded to a power of two. The strides are compiled in
for no kernel, not even where they are 1: knowing that pixels lie side by side, Triton would give four of them to a
thread, and the classes of one to several warps. So a thread has all classes of a pixel (of some, where they are many):
no exchange of maxima and totals, a quarter of the registers, and a warp reads 128 bytes at once still. Channels-last
takes the same way: there a warp's reads lie apart, and the level-1 cache brings them together.
"""

# ruff: noqa: PLR0913, PLR0917 - a kernel takes plain numbers
# mypy: disallow-untyped-decorators=False

import triton
import triton.language as tl

from segcli.nn.kernels.triton_math import CROSS_ENTROPY, FOCAL, HARD, OVERLAP, coefficients, focal_slope


@triton.jit
def read_tile(
    logits: tl.tensor,
    classes: tl.tensor,
    pixels: tl.tensor,
    n_pixels: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    n_classes: tl.constexpr,
    dtype: tl.constexpr,
) -> tl.tensor:
    """Return (classes, pixels) of logits; -inf beyond either."""
    offsets = classes[:, None].to(tl.int64) * class_stride + pixels[None, :] * pixel_stride
    inside = (classes < n_classes)[:, None] & (pixels < n_pixels)[None, :]
    return tl.load(logits + offsets, mask=inside, other=float("-inf")).to(dtype)


@triton.jit
def read_own(
    logits: tl.tensor,
    label: tl.tensor,
    pixels: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    dtype: tl.constexpr,
) -> tl.tensor:
    """Return the logits of the labels, (pixels,); 0 where those are -1.

    They are read once more, from the cache: to pick them out of the tile takes three steps for each of its elements.
    """
    valid = label >= 0
    pointers = logits + tl.where(valid, label, 0).to(tl.int64) * class_stride + pixels * pixel_stride
    return tl.load(pointers, mask=valid, other=0).to(dtype)


@triton.jit
def incoming(grads: tl.tensor, grad_losses: tl.tensor, label: tl.tensor, has_losses: tl.constexpr) -> tl.tensor:
    """Return the gradients of each pixel's loss, focal loss, hard loss and overlap; ``grad_losses`` points at each."""
    valid = label >= 0
    on_ce = coefficients(grads, CROSS_ENTROPY, label, valid)
    if has_losses:
        on_ce += tl.load(grad_losses, mask=valid, other=0)
    on_focal = coefficients(grads, FOCAL, label, valid)
    on_hard = coefficients(grads, HARD, label, valid)
    return on_ce, on_focal, on_hard, coefficients(grads, OVERLAP, label, valid)


@triton.jit
def outgoing(
    gap: tl.tensor,
    total: tl.tensor,
    on_ce: tl.tensor,
    on_focal: tl.tensor,
    on_hard: tl.tensor,
    on_overlap: tl.tensor,
    gamma: tl.tensor,
    bound: tl.tensor,
    exponent: tl.constexpr,
) -> tl.tensor:
    """Return the gradient of each pixel's loss from all that depend on it, and p_t times that of the overlap.

    ``gap`` is how far the label's logit is below the largest, ``total`` the sum of exp(x - largest).
    """
    ce = tl.log(total) + gap
    p_t = tl.exp(-gap) / total
    slope = on_ce + on_focal * focal_slope(ce, p_t, gamma, exponent)
    return slope + tl.where(ce > tl.full(ce.shape, bound, ce.dtype), on_hard, 0), on_overlap * p_t
