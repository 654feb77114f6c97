"""The backend that is always there: plain torch on tiles small enough to stay in the cache.

One after another, torch's operations would each read and write all the logits; on a tile each finds in the cache what
the one before it left there. Memory is read once, and what is allocated is bounded by the tile.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from segcli.nn.kernels import sigmoid_tile, softmax_tile
from segcli.nn.kernels.pages import in_large_pages
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.problem import DIFFERENTIABLE, IGNORED, Answer, Problem, Wanted, blank
from segcli.nn.kernels.tile import Tile

# How many logits a tile has: 2 MB of float32, about the second-level caches of two cores. A device with memory of its
# own wants fewer and larger kernels.
_CPU_TILE = 2**19
_DEVICE_TILE = 2**24
# Picking out columns costs more a column than reading all of them.
_FEW = 1 / 4
_MOST_IN_A_BYTE = 255


def forward(problem: Problem, wanted: Wanted) -> Answer:
    """Answer a problem; see `segcli.nn.kernels.problem`."""
    logits, labels = problem.logits, problem.labels
    answer = blank(problem, wanted)
    for counted in (answer.sums, answer.confusion):
        counted.zero_()
    answer.sound.fill_(True)  # noqa: FBT003 - a value
    kind = softmax_tile if problem.multiclass else sigmoid_tile
    for image, part in _parts(logits):
        x = logits[image, :, part].to(compute_dtype(logits.dtype))
        tile = kind.read(problem, x, labels[image, ..., part])
        answer.sums[image] += kind.sums(problem, tile, squares=wanted.squares)
        # A finite sum has finite terms; an infinite one may be mere overflow, and whoever asks looks closer.
        answer.sound.logical_and_(torch.stack([x.sum().isfinite(), tile.good]))
        if wanted.pixels:
            answer.pixels[image, ..., part] = tile.losses.masked_fill(~tile.valid, IGNORED)
        if wanted.predictions or wanted.confusion:
            _add_predictions(answer, wanted, (image, part), x, tile)
    return answer


def backward(problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor:
    """Return the gradient of the logits; see `segcli.nn.kernels.problem`."""
    logits, labels = problem.logits, problem.labels
    gradient = in_large_pages(torch.empty_like(logits))
    of_sums = grad_sums.to(compute_dtype(logits.dtype))
    used = [column for column in DIFFERENTIABLE if of_sums[:, :, column].any()]
    pick = problem.multiclass and logits.is_cpu and not used
    kind = softmax_tile if problem.multiclass else sigmoid_tile
    for image, part in _parts(logits):
        x, y, out = logits[image, :, part], labels[image, ..., part], gradient[image, :, part]
        grads = {column: of_sums[image, :, column] for column in used}
        of_pixels = None if grad_pixels is None else grad_pixels[image, ..., part]
        kept = of_pixels.nonzero().squeeze(1) if pick and of_pixels is not None else None
        if of_pixels is None or kept is None or len(kept) > _FEW * x.shape[1]:
            out.copy_(kind.gradient(problem, x.to(of_sums.dtype), y, grads, of_pixels))
        else:
            few = kind.gradient(problem, x[:, kept].to(of_sums.dtype), y[kept], grads, of_pixels[kept])
            out.zero_().index_copy_(1, kept, few.to(out.dtype))
    return gradient


def argmax(logits: Tensor) -> Tensor:
    """Return ``logits.argmax(1)`` of (N, C, P)."""
    predictions = in_large_pages(torch.empty(logits.shape[0], logits.shape[2], dtype=torch.int64, device=logits.device))
    for image, part in _parts(logits):
        predictions[image, part] = _largest(logits[image, :, part])
    return predictions


def _parts(logits: Tensor) -> Iterator[tuple[int, slice]]:
    """Cut the pixels of every image into tiles."""
    n_images, n_classes, n_pixels = logits.shape
    step = max(1, (_CPU_TILE if logits.is_cpu else _DEVICE_TILE) // n_classes)
    for image in range(n_images):
        for start in range(0, n_pixels, step):
            yield image, slice(start, start + step)


def _largest(x: Tensor) -> Tensor:
    """Return ``x.argmax(0)`` of (C, T); on the CPU several times faster, since it reads along the pixels."""
    if not x.is_cpu:
        return x.argmax(0)
    n_classes = len(x)
    top = x.amax(0)
    is_top = x == top
    if top.isnan().any():
        # NaN is the largest of all, and no equal of itself.
        is_top |= x.isnan()
    # The first of those that tie has the highest rank; small numbers are quick to compare.
    ranks = torch.arange(n_classes, 0, -1, dtype=torch.uint8 if n_classes <= _MOST_IN_A_BYTE else torch.int64)
    return n_classes - (is_top * ranks.unsqueeze(1)).amax(0).to(torch.int64)


def _add_predictions(answer: Answer, wanted: Wanted, where: tuple[int, slice], x: Tensor, tile: Tile) -> None:
    predictions = _largest(x)
    if wanted.predictions:
        answer.predictions[where] = predictions
    if wanted.confusion:
        pairs = tile.row[tile.valid] * len(x) + predictions[tile.valid]
        answer.confusion.add_(torch.bincount(pairs, minlength=len(x) ** 2).view(len(x), len(x)))
