"""Multiclass in Triton: a program reads the classes of some pixels once, and keeps them in registers.

Importing this needs Triton. See `segcli.nn.kernels.triton_tile` for which thread has which element.
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
    read_labels,
    store_column,
    tiles_left,
)
from segcli.nn.kernels.triton_tile import incoming, outgoing, read_own, read_tile


@triton.jit
def first_largest(x: tl.tensor, top: tl.tensor, classes: tl.tensor, n_classes: tl.constexpr) -> tl.tensor:
    """Return the first of the classes that are the largest; a class even where nothing is, as with NaN."""
    return tl.min(tl.where(x == top[None, :], classes[:, None], n_classes - 1), 0)


@triton.jit
def by_label(
    label: tl.tensor, classes: tl.tensor, ce: tl.tensor, focal_ce: tl.tensor, is_hard: tl.tensor, p_t: tl.tensor
) -> tl.tensor:
    """Add up by class what the pixels have, all 0 where no label is valid: (pixels,) to (classes,).

    Most runs of pixels have one label, and need no comparison of each with every class.
    """
    highest = tl.max(label, 0)
    lowest = tl.min(tl.where(label >= 0, label, highest), 0)
    if lowest == highest:
        row = (classes == highest).to(ce.dtype)
        count = row * tl.sum((label >= 0).to(ce.dtype), 0)
        sum_ce = row * tl.sum(ce, 0)
        sum_focal = row * tl.sum(focal_ce, 0)
        n_hard = row * tl.sum(is_hard, 0)
        sum_hard = row * tl.sum(is_hard * ce, 0)
        overlap = row * tl.sum(p_t, 0)
    else:
        one_hot = (label[:, None] == classes[None, :]).to(ce.dtype)
        count = tl.sum(one_hot, 0)
        sum_ce = tl.sum(one_hot * ce[:, None], 0)
        sum_focal = tl.sum(one_hot * focal_ce[:, None], 0)
        n_hard = tl.sum(one_hot * is_hard[:, None], 0)
        sum_hard = tl.sum(one_hot * (is_hard * ce)[:, None], 0)
        overlap = tl.sum(one_hot * p_t[:, None], 0)
    return count, sum_ce, sum_focal, n_hard, sum_hard, overlap


@triton.jit(do_not_specialize=["n_pixels", "n_programs", "class_stride", "pixel_stride", "ignore_index"])
def forward(
    logits: tl.tensor,
    labels: tl.tensor,
    sums: tl.tensor,
    losses: tl.tensor,
    predictions: tl.tensor,
    confusion: tl.tensor,
    sound: tl.tensor,
    tops: tl.tensor,
    totals: tl.tensor,
    n_pixels: tl.tensor,
    n_programs: tl.tensor,
    image_stride: tl.tensor,
    class_stride: tl.tensor,
    pixel_stride: tl.tensor,
    label_image_stride: tl.tensor,
    label_pixel_stride: tl.tensor,
    ignore_index: tl.tensor,
    gamma: tl.float64,
    bound: tl.float64,
    n_classes: tl.constexpr,
    ignores: tl.constexpr,
    exponent: tl.constexpr,
    wants_losses: tl.constexpr,
    wants_squares: tl.constexpr,
    wants_predictions: tl.constexpr,
    wants_confusion: tl.constexpr,
    copies: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    tiles: tl.constexpr,
    dtype: tl.constexpr,
) -> None:
    """Store the sums of ``tiles`` times ``block`` pixels of an image, and what is wanted of each pixel.

    Of more classes than ``padded`` a program takes its share; what needs all of them was computed before.
    """
    turns: tl.constexpr = (n_classes + padded - 1) // padded
    program = tl.program_id(0).to(tl.int64)
    part = program // turns
    classes = ((program % turns) * padded).to(tl.int32) + tl.arange(0, padded)
    image = part // n_programs
    first = (part % n_programs) * (tiles * block)
    logits += image * image_stride
    labels += image * label_image_stride
    limit = tl.full([block], bound, dtype)
    count = tl.zeros([padded], dtype)
    sum_ce = tl.zeros([padded], dtype)
    sum_focal = tl.zeros([padded], dtype)
    n_hard = tl.zeros([padded], dtype)
    sum_hard = tl.zeros([padded], dtype)
    overlap = tl.zeros([padded], dtype)
    predicted = tl.zeros([padded, block], dtype)
    squares = tl.zeros([padded, block], dtype)
    infinite = tl.zeros([block], tl.int32)
    wrong = tl.zeros([block], tl.int32)
    for tile in range(tiles_left(first, n_pixels, tiles, block)):
        pixels = first + tile * block + tl.arange(0, block)
        inside = pixels < n_pixels
        label, bad = read_labels(labels + pixels * label_pixel_stride, inside, ignore_index, n_classes, ignores)
        valid = label >= 0
        x = read_tile(logits, classes, pixels, n_pixels, class_stride, pixel_stride, n_classes, dtype)
        x_t = read_own(logits, label, pixels, class_stride, pixel_stride, dtype)
        at = image * n_pixels + pixels
        top = tl.where(inside, tl.max(x, 0), 0) if turns == 1 else tl.load(tops + at, mask=inside, other=0)
        e = tl.exp(x - top[None, :])
        total = tl.where(inside, tl.sum(e, 0), 1) if turns == 1 else tl.load(totals + at, mask=inside, other=1)
        lowest = tl.min(tl.where(classes[:, None] < n_classes, x, float("inf")), 0)
        # NaN comes through in the total alone.
        finite = (top < float("inf")) & (lowest > float("-inf")) & (total == total)  # noqa: PLR0124
        infinite |= (inside & (finite == 0)).to(tl.int32)
        wrong |= bad.to(tl.int32)
        gap = tl.where(valid, top - x_t, 0)
        ce = tl.where(valid, tl.log(total) + gap, 0)
        is_hard = (ce > limit).to(dtype)
        p = e * tl.where(valid, 1 / total, 0)[None, :]
        predicted += p
        if wants_squares:
            squares += p * p
        focal_ce = focal(ce, gamma, exponent) if exponent != 0 else ce
        p_t = tl.where(valid, tl.exp(-gap) / total, 0)
        parts = by_label(label, classes, ce, focal_ce, is_hard, p_t)
        count += parts[0]
        sum_ce += parts[1]
        sum_focal += parts[2]
        n_hard += parts[3]
        sum_hard += parts[4]
        overlap += parts[5]
        # Each pixel once, whatever the turns.
        mine = pixels < tl.where(program % turns == 0, n_pixels, 0)
        if wants_losses:
            tl.store(losses + at, tl.where(valid, ce, IGNORED), mask=mine)
        if wants_predictions or wants_confusion:
            best = first_largest(x, top, classes, n_classes) if turns == 1 else tl.load(predictions + at, mask=inside)
            if wants_predictions and turns == 1:
                tl.store(predictions + at, best.to(tl.int64), mask=mine)
            if wants_confusion:
                # Integers: their sum does not depend on the order. Neighbours mostly agree, so each takes another copy.
                cell = ((pixels % copies) * n_classes + label) * n_classes + best
                tl.atomic_add(confusion + cell, tl.full([block], 1, tl.int64), mask=mine & valid, sem="relaxed")
    sums += part * (N_COLUMNS * n_classes)
    store_column(sums, COUNT, classes, count, n_classes)
    store_column(sums, CROSS_ENTROPY, classes, sum_ce, n_classes)
    store_column(sums, FOCAL, classes, sum_focal, n_classes)
    store_column(sums, N_HARD, classes, n_hard, n_classes)
    store_column(sums, HARD, classes, sum_hard, n_classes)
    store_column(sums, OVERLAP, classes, overlap, n_classes)
    store_column(sums, PREDICTED, classes, tl.sum(predicted, 1), n_classes)
    store_column(sums, SQUARES, classes, tl.sum(squares, 1), n_classes)
    tl.store(sound + 2 * program, tl.max(infinite, 0) == 0)
    tl.store(sound + 2 * program + 1, tl.max(wrong, 0) == 0)


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
    tiles: tl.constexpr,
    dtype: tl.constexpr,
) -> None:
    """Store the gradient of ``block`` pixels: one read, one write; no read where nothing comes back."""
    program = tl.program_id(0)
    image = (program // n_programs).to(tl.int64)
    first = (program % n_programs).to(tl.int64) * (tiles * block)
    logits += image * image_stride
    labels += image * label_image_stride
    grad_losses += image * n_pixels
    grad_logits += image * grad_image_stride
    grads = grad_sums + image * (N_COLUMNS * n_classes)
    classes = tl.arange(0, padded)
    on_p = coefficients(grads, PREDICTED, classes, classes < n_classes)
    on_p2 = 2 * coefficients(grads, SQUARES, classes, classes < n_classes)
    everywhere = tl.max(((on_p != 0) | (on_p2 != 0)).to(tl.int32), 0) > 0
    # Under the interpreter a kernel starts at its def, not at its decorator: coverage looks for another way out.
    for tile in range(tiles_left(first, n_pixels, tiles, block)):  # pragma: no branch
        pixels = first + tile * block + tl.arange(0, block)
        inside = pixels < n_pixels
        label, _ = read_labels(labels + pixels * label_pixel_stride, inside, ignore_index, n_classes, ignores)
        on_ce, on_focal, on_hard, on_overlap = incoming(grads, grad_losses + pixels, label, has_losses)
        here = everywhere | (on_ce != 0) | (on_focal != 0) | (on_hard != 0) | (on_overlap != 0)
        gradient = tl.zeros([padded, block], dtype)
        if tl.max(((label >= 0) & here).to(tl.int32), 0) > 0:
            x = read_tile(logits, classes, pixels, n_pixels, class_stride, pixel_stride, n_classes, dtype)
            x_t = read_own(logits, label, pixels, class_stride, pixel_stride, dtype)
            top = tl.where(inside, tl.max(x, 0), 0)
            e = tl.exp(x - top[None, :])
            total = tl.where(inside, tl.sum(e, 0), 1)
            p = e * (1 / total)[None, :]
            slope, pull = outgoing(top - x_t, total, on_ce, on_focal, on_hard, on_overlap, gamma, bound, exponent)
            g = on_p[:, None] + p * on_p2[:, None]
            level = slope - tl.sum(g * p, 0) - pull
            spike = tl.where(classes[:, None] == label[None, :], (pull - slope)[None, :], 0)
            gradient = tl.where((label >= 0)[None, :], p * (g + level[None, :]) + spike, 0)
        offsets = classes[:, None].to(tl.int64) * grad_class_stride + pixels[None, :] * grad_pixel_stride
        stored = (classes < n_classes)[:, None] & inside[None, :]
        tl.store(grad_logits + offsets, gradient.to(grad_logits.dtype.element_ty), mask=stored)


@triton.jit(do_not_specialize=["n_pixels", "n_programs", "class_stride", "pixel_stride"])
def argmax(
    logits: tl.tensor,
    predictions: tl.tensor,
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
    """Store the first of the largest classes of ``block`` pixels; more classes than ``padded`` go by in turn."""
    program = tl.program_id(0)
    image = (program // n_programs).to(tl.int64)
    pixels = (program % n_programs).to(tl.int64) * block + tl.arange(0, block)
    logits += image * image_stride
    highest = tl.full([block], float("-inf"), dtype)
    best = tl.zeros([block], tl.int32)
    for start in range(0, n_classes, padded):
        classes = start + tl.arange(0, padded)
        x = read_tile(logits, classes, pixels, n_pixels, class_stride, pixel_stride, n_classes, dtype)
        top = tl.max(x, 0)
        best = tl.where(top > highest, first_largest(x, top, classes, n_classes), best)
        highest = tl.maximum(top, highest)
    tl.store(predictions + image * n_pixels + pixels, best.to(tl.int64), mask=pixels < n_pixels)
