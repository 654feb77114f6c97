"""Multilabel and binary in Triton: each element of a (classes, pixels) tile has its own label and its own sigmoid.

Importing this needs Triton. For NCHW a tile is pixels of one class, for channels-last all classes of some pixels.
"""

# ruff: noqa: PLR0913, PLR0915, PLR0917 - a kernel is one pass, and takes plain numbers
# mypy: disallow-untyped-decorators=False

import triton
import triton.language as tl

from segcli.nn.kernels.triton_math import (
    COUNT,
    CROSS_ENTROPY,
    FOCAL,
    HARD,
    IGNORED,
    N_COLUMNS,
    N_HARD,
    OVERLAP,
    PREDICTED,
    SQUARES,
    coefficients,
    focal,
    focal_slope,
    log1p,
    read_labels,
    store_column,
    tiles_left,
)


@triton.jit
def offsets_of(
    classes: tl.tensor,
    pixels: tl.tensor,
    image: tl.tensor,
    image_stride: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
) -> tl.tensor:
    """Return where a tile's elements lie, in 64 bits."""
    return image * image_stride + classes[:, None] * class_stride + pixels[None, :] * pixel_stride


@triton.jit
def by_label(one_hot: tl.tensor, values: tl.tensor) -> tl.tensor:
    """Lay values out by label: (2, classes, pixels) of (classes, pixels)."""
    return one_hot * values[None, :, :]


@triton.jit(do_not_specialize=["n_pixels", "n_programs", "pixel_stride", "label_pixel_stride", "ignore_index"])
def forward(
    logits: tl.tensor,
    labels: tl.tensor,
    sums: tl.tensor,
    losses: tl.tensor,
    sound: tl.tensor,
    n_pixels: tl.tensor,
    n_programs: tl.tensor,
    image_stride: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    label_image_stride: tl.tensor,
    label_class_stride: tl.tensor,
    label_pixel_stride: tl.tensor,
    ignore_index: tl.tensor,
    gamma: tl.float64,
    bound: tl.float64,
    n_classes: tl.constexpr,
    ignores: tl.constexpr,
    exponent: tl.constexpr,
    wants_losses: tl.constexpr,
    wants_squares: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    tiles: tl.constexpr,
    dtype: tl.constexpr,
) -> None:
    """Store the sums of ``tiles`` times ``block`` pixels of ``padded`` classes of an image, and the losses."""
    turns: tl.constexpr = (n_classes + padded - 1) // padded
    program = tl.program_id(0).to(tl.int64)
    classes = (program % turns) * padded + tl.arange(0, padded)
    part = program // turns
    image = part // n_programs
    first = (part % n_programs) * (tiles * block)
    limit = tl.full([padded, block], bound, dtype)
    kinds = tl.arange(0, 2)[:, None, None]
    count = tl.zeros([2, padded, block], dtype)
    sum_ce = tl.zeros([2, padded, block], dtype)
    sum_focal = tl.zeros([2, padded, block], dtype)
    n_hard = tl.zeros([2, padded, block], dtype)
    sum_hard = tl.zeros([2, padded, block], dtype)
    overlap = tl.zeros([2, padded, block], dtype)
    squares = tl.zeros([2, padded, block], dtype)
    infinite = tl.zeros([padded, block], tl.int32)
    wrong = tl.zeros([padded, block], tl.int32)
    for tile in range(tiles_left(first, n_pixels, tiles, block)):
        pixels = first + tile * block + tl.arange(0, block)
        inside = (classes < n_classes)[:, None] & (pixels < n_pixels)[None, :]
        at = offsets_of(classes, pixels, image, label_image_stride, label_class_stride, label_pixel_stride)
        label, bad = read_labels(labels + at, inside, ignore_index, 2, ignores)
        at = offsets_of(classes, pixels, image, image_stride, class_stride, pixel_stride)
        x = tl.load(logits + at, mask=inside, other=0).to(dtype)
        infinite |= ((x - x) != 0).to(tl.int32)
        wrong |= bad.to(tl.int32)
        valid = label >= 0
        t = tl.exp(-tl.abs(x))
        ce = tl.where(valid, tl.maximum(tl.where(label == 0, x, -x), 0) + log1p(t), 0)
        p = tl.where(x >= 0, 1, t) / (1 + t)
        is_hard = (ce > limit).to(dtype)
        one_hot = (label[None, :, :] == kinds).to(dtype)
        count += one_hot
        sum_ce += by_label(one_hot, ce)
        if exponent != 0:
            sum_focal += by_label(one_hot, focal(ce, gamma, exponent))
        n_hard += by_label(one_hot, is_hard)
        sum_hard += by_label(one_hot, is_hard * ce)
        overlap += by_label(one_hot, p)
        if wants_squares:
            squares += by_label(one_hot, p * p)
        if wants_losses:
            at = offsets_of(classes, pixels, image, n_classes * n_pixels.to(tl.int64), n_pixels, 1)
            tl.store(losses + at, tl.where(valid, ce, IGNORED), mask=inside)
    rows = 2 * classes[None, :] + tl.arange(0, 2)[:, None]
    sums += part * (2 * N_COLUMNS * n_classes)
    store_column(sums, COUNT, rows, tl.sum(count, 2), 2 * n_classes)
    store_column(sums, CROSS_ENTROPY, rows, tl.sum(sum_ce, 2), 2 * n_classes)
    store_column(sums, FOCAL, rows, tl.sum(sum_focal if exponent != 0 else sum_ce, 2), 2 * n_classes)
    store_column(sums, N_HARD, rows, tl.sum(n_hard, 2), 2 * n_classes)
    store_column(sums, HARD, rows, tl.sum(sum_hard, 2), 2 * n_classes)
    store_column(sums, OVERLAP, rows, tl.sum(overlap, 2), 2 * n_classes)
    store_column(sums, PREDICTED, rows, tl.sum(overlap, 2), 2 * n_classes)
    store_column(sums, SQUARES, rows, tl.sum(squares, 2), 2 * n_classes)
    tl.store(sound + 2 * program, tl.max(tl.max(infinite, 1), 0) == 0)
    tl.store(sound + 2 * program + 1, tl.max(tl.max(wrong, 1), 0) == 0)


@triton.jit(
    do_not_specialize=[
        "n_pixels",
        "n_programs",
        "pixel_stride",
        "label_pixel_stride",
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
    label_class_stride: tl.tensor,
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
    """Store the gradient of ``block`` pixels of ``padded`` classes; no read where nothing comes back."""
    turns: tl.constexpr = (n_classes + padded - 1) // padded
    program = tl.program_id(0).to(tl.int64)
    classes = (program % turns) * padded + tl.arange(0, padded)
    part = program // turns
    image = part // n_programs
    pixels = (part % n_programs) * block + tl.arange(0, block)
    inside = (classes < n_classes)[:, None] & (pixels < n_pixels)[None, :]
    at = offsets_of(classes, pixels, image, label_image_stride, label_class_stride, label_pixel_stride)
    label, _ = read_labels(labels + at, inside, ignore_index, 2, ignores)
    valid = label >= 0
    rows = 2 * classes[:, None] + label
    grads = grad_sums + image * (2 * N_COLUMNS * n_classes)
    on_ce = coefficients(grads, CROSS_ENTROPY, rows, valid)
    if has_losses:
        at = offsets_of(classes, pixels, image, n_classes * n_pixels.to(tl.int64), n_pixels, 1)
        on_ce += tl.load(grad_losses + at, mask=valid, other=0)
    on_focal = coefficients(grads, FOCAL, rows, valid)
    on_hard = coefficients(grads, HARD, rows, valid)
    on_p = coefficients(grads, OVERLAP, rows, valid)
    on_p += coefficients(grads, PREDICTED, rows, valid)
    on_p2 = 2 * coefficients(grads, SQUARES, rows, valid)
    moved = (on_ce != 0) | (on_focal != 0) | (on_hard != 0) | (on_p != 0) | (on_p2 != 0)
    at = offsets_of(classes, pixels, image, image_stride, class_stride, pixel_stride)
    # Element by element: where nothing comes back, nothing is read.
    x = tl.load(logits + at, mask=valid & moved, other=0).to(dtype)
    t = tl.exp(-tl.abs(x))
    ce = tl.maximum(tl.where(label == 0, x, -x), 0) + log1p(t)
    p = tl.where(x >= 0, 1, t) / (1 + t)
    q = tl.where(x >= 0, t, 1) / (1 + t)
    a = on_ce + on_focal * focal_slope(ce, tl.where(label == 0, q, p), gamma, exponent)
    a += tl.where(ce > tl.full([padded, block], bound, dtype), on_hard, 0)
    gradient = a * tl.where(label == 0, p, -q) + (on_p + p * on_p2) * p * q
    gradient = tl.where(valid & moved, gradient, 0)
    at = offsets_of(classes, pixels, image, grad_image_stride, grad_class_stride, grad_pixel_stride)
    tl.store(grad_logits + at, gradient.to(grad_logits.dtype.element_ty), mask=inside)
