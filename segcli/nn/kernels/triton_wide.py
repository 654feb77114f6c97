"""Multiclass in Triton with more classes than registers hold: they go by in chunks, read again from the cache.

Importing this needs Triton.
"""

# ruff: noqa: PLR0913, PLR0917 - a kernel takes plain numbers
# mypy: disallow-untyped-decorators=False

import triton
import triton.language as tl

from segcli.nn.kernels.triton_math import N_COLUMNS, PREDICTED, SQUARES, coefficients, read_labels
from segcli.nn.kernels.triton_tile import incoming, outgoing, read_own, read_tile


@triton.jit
def running_softmax(
    logits: tl.tensor,
    pixels: tl.tensor,
    n_pixels: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    n_classes: tl.constexpr,
    padded: tl.constexpr,
    dtype: tl.constexpr,
) -> tl.tensor:
    """Return the largest logit of each pixel, and the total of exp(x - largest), each (pixels,).

    Source: M. Milakov and N. Gimelshein, Online normalizer calculation for softmax, 2018, algorithm 3.
    """
    inside = pixels < n_pixels
    top = tl.full(pixels.shape, float("-inf"), dtype)
    total = tl.full(pixels.shape, 0, dtype)
    for start in range(0, n_classes, padded):
        classes = start + tl.arange(0, padded)
        x = read_tile(logits, classes, pixels, n_pixels, class_stride, pixel_stride, n_classes, dtype)
        higher = tl.maximum(top, tl.where(inside, tl.max(x, 0), 0))
        total = total * tl.exp(top - higher) + tl.sum(tl.exp(x - higher[None, :]), 0)
        top = higher
    return top, tl.where(inside, total, 1)


@triton.jit(do_not_specialize=["n_pixels", "n_programs", "class_stride", "pixel_stride"])
def normalizers(
    logits: tl.tensor,
    tops: tl.tensor,
    totals: tl.tensor,
    n_pixels: tl.tensor,
    n_programs: tl.tensor,
    image_stride: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    n_classes: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    dtype: tl.constexpr,
) -> None:
    """Store what `running_softmax` returns for ``block`` pixels."""
    program = tl.program_id(0)
    image = (program // n_programs).to(tl.int64)
    pixels = (program % n_programs).to(tl.int64) * block + tl.arange(0, block)
    logits += image * image_stride
    top, total = running_softmax(logits, pixels, n_pixels, class_stride, pixel_stride, n_classes, padded, dtype)
    at = image * n_pixels + pixels
    tl.store(tops + at, top, mask=pixels < n_pixels)
    tl.store(totals + at, total, mask=pixels < n_pixels)


@triton.jit
def through_p(grads: tl.tensor, classes: tl.tensor, p: tl.tensor, n_classes: tl.constexpr) -> tl.tensor:
    """Return the gradient of each probability by the sums of p and of p^2, (classes, pixels)."""
    mask = classes < n_classes
    on_p = coefficients(grads, PREDICTED, classes, mask)
    on_p2 = 2 * coefficients(grads, SQUARES, classes, mask)
    return on_p[:, None] + p * on_p2[:, None]


@triton.jit(
    do_not_specialize=[
        "n_pixels",
        "n_programs",
        "class_stride",
        "pixel_stride",
        "grad_class_stride",
        "grad_pixel_stride",
        "ignore_index",
    ]
)
def backward(
    logits: tl.tensor,
    labels: tl.tensor,
    grad_sums: tl.tensor,
    grad_losses: tl.tensor,
    grad_logits: tl.tensor,
    n_pixels: tl.tensor,
    n_programs: tl.tensor,
    image_stride: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    label_image_stride: tl.tensor,
    label_pixel_stride: tl.tensor,
    grad_image_stride: tl.tensor,
    grad_class_stride: tl.tensor,
    grad_pixel_stride: tl.tensor,
    ignore_index: tl.tensor,
    gamma: tl.float64,
    bound: tl.float64,
    n_classes: tl.constexpr,
    ignores: tl.constexpr,
    exponent: tl.constexpr,
    has_losses: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    dtype: tl.constexpr,
) -> None:
    """Store the gradient of ``block`` pixels: three readings of their logits, the first from memory."""
    program = tl.program_id(0)
    image = (program // n_programs).to(tl.int64)
    pixels = (program % n_programs).to(tl.int64) * block + tl.arange(0, block)
    inside = pixels < n_pixels
    logits += image * image_stride
    grad_logits += image * grad_image_stride
    grads = grad_sums + image * (N_COLUMNS * n_classes)
    pointers = labels + image * label_image_stride + pixels * label_pixel_stride
    label, _ = read_labels(pointers, inside, ignore_index, n_classes, ignores)
    on_ce, on_focal, on_hard, on_overlap = incoming(grads, grad_losses + image * n_pixels + pixels, label, has_losses)
    top, total = running_softmax(logits, pixels, n_pixels, class_stride, pixel_stride, n_classes, padded, dtype)
    x_t = read_own(logits, label, pixels, class_stride, pixel_stride, dtype)
    slope, pull = outgoing(top - x_t, total, on_ce, on_focal, on_hard, on_overlap, gamma, bound, exponent)
    level = slope - pull
    for start in range(0, n_classes, padded):
        classes = start + tl.arange(0, padded)
        x = read_tile(logits, classes, pixels, n_pixels, class_stride, pixel_stride, n_classes, dtype)
        p = tl.exp(x - top[None, :]) * (1 / total)[None, :]
        level -= tl.sum(p * through_p(grads, classes, p, n_classes), 0)
    # Under the interpreter a kernel starts at its def, not at its decorator: coverage looks for another way out.
    for start in range(0, n_classes, padded):  # pragma: no branch
        classes = start + tl.arange(0, padded)
        x = read_tile(logits, classes, pixels, n_pixels, class_stride, pixel_stride, n_classes, dtype)
        p = tl.exp(x - top[None, :]) * (1 / total)[None, :]
        spike = tl.where(classes[:, None] == label[None, :], (pull - slope)[None, :], 0)
        gradient = p * (through_p(grads, classes, p, n_classes) + level[None, :]) + spike
        gradient = tl.where((label >= 0)[None, :], gradient, 0)
        offsets = classes[:, None].to(tl.int64) * grad_class_stride + pixels[None, :] * grad_pixel_stride
        stored = (classes < n_classes)[:, None] & inside[None, :]
        tl.store(grad_logits + offsets, gradient.to(grad_logits.dtype.element_ty), mask=stored)
