"""A tile of pixels that each have one label among C classes."""

import math

import torch
from torch import Tensor

from segcli.nn.kernels.precision import accumulator
from segcli.nn.kernels.problem import (
    COUNT,
    CROSS_ENTROPY,
    FOCAL,
    HARD,
    N_COLUMNS,
    N_HARD,
    OVERLAP,
    PREDICTED,
    SQUARES,
    Problem,
)
from segcli.nn.kernels.rows import sum_by_row
from segcli.nn.kernels.tile import Tile, focal, loss_gradient, valid_labels

# Sums over all valid pixels, whatever their label.
_BY_CLASS = (PREDICTED, SQUARES)


def read(problem: Problem, x: Tensor, labels: Tensor) -> Tile:
    """Take softmax and losses of logits (C, T) with labels (T,)."""
    y = labels.to(torch.int64)
    valid, good = valid_labels(y, len(x), problem.ignore_index)
    row = y.masked_fill(~valid, 0)
    # Of the layout that places are counted in, whatever that of x is.
    p = torch.sub(x, x.amax(0), out=torch.empty(x.shape, dtype=x.dtype, device=x.device))
    shifted = _at(p, row)
    total = p.exp_().sum(0)
    losses = total.log().sub_(shifted).masked_fill_(~valid, 0)
    # What does not count is divided by infinity: 0, without a pass of its own.
    return Tile(p.div_(total.masked_fill(~valid, math.inf)), row, valid, losses, good)


def sums(problem: Problem, tile: Tile, *, squares: bool) -> Tensor:
    """Return the sums of a tile, (C, columns)."""
    hard = (tile.losses > problem.bound) & tile.valid
    p, n_classes, dtype = tile.p, len(tile.p), accumulator(tile.p)
    by_label = {
        COUNT: tile.valid,
        CROSS_ENTROPY: tile.losses,
        FOCAL: focal(tile.losses, problem.gamma),
        N_HARD: hard,
        HARD: tile.losses * hard,
        OVERLAP: _at(p, tile.row),
    }
    result = torch.zeros(n_classes, N_COLUMNS, dtype=dtype, device=p.device)
    for column, values in by_label.items():
        result[:, column] = sum_by_row(values, tile.row, n_classes)
    # Some thousand values are added in pairs in their own dtype, tiles in the accumulator's.
    result[:, PREDICTED] = p.sum(1)
    if squares:
        result[:, SQUARES] = p.square().sum(1)
    return result


def gradient(problem: Problem, x: Tensor, labels: Tensor, grads: dict[int, Tensor], of_pixels: Tensor | None) -> Tensor:
    """Return the gradient of the logits (C, T), given those of sums (C,) by column, and of the losses (T,)."""
    tile = read(problem, x, labels)
    p, row = tile.p, tile.row
    at_rows = {column: of_rows.index_select(0, row) for column, of_rows in grads.items() if column not in _BY_CLASS}
    of_loss = loss_gradient(problem, tile, at_rows, of_pixels)
    at_label = at_rows[OVERLAP] * _at(p, row) if OVERLAP in at_rows else torch.zeros_like(of_loss)
    of_all, of_p = of_loss - at_label, _gradient_of_p(p, grads)
    result = p.mul_(of_all) if of_p is None else p.mul_(of_p.add_(of_all - (of_p * p).sum(0)))
    result.view(-1).scatter_add_(0, _places(p, row), -of_all)
    return result


def _gradient_of_p(p: Tensor, grads: dict[int, Tensor]) -> Tensor | None:
    """Return the derivative by each p, as far as no label is asked."""
    of_p = 2 * grads[SQUARES].unsqueeze(1) * p if SQUARES in grads else None
    if PREDICTED in grads:
        of_p = (
            grads[PREDICTED].unsqueeze(1).expand_as(p).clone()
            if of_p is None
            else of_p.add_(grads[PREDICTED].unsqueeze(1))
        )
    return of_p


def _at(values: Tensor, row: Tensor) -> Tensor:
    """Return ``values[row[i], i]``; four times faster than gather."""
    return values.view(-1).index_select(0, _places(values, row))


def _places(values: Tensor, row: Tensor) -> Tensor:
    return torch.arange(values.shape[1], device=row.device).add_(row, alpha=values.shape[1])
