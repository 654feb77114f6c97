"""A tile of pixels that have a label of their own, 0 or 1, for each of C classes."""

import torch
from torch import Tensor
from torch.nn import functional

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
from segcli.nn.kernels.tile import Tile, focal, loss_gradient, valid_labels


def read(problem: Problem, x: Tensor, labels: Tensor) -> Tile:
    """Take sigmoids and losses of logits (C, T) with labels (C, T)."""
    y = labels.to(torch.int64)
    valid, good = valid_labels(y, 2, problem.ignore_index)
    positive = (y == 1) & valid
    losses = functional.logsigmoid(torch.where(positive, x, -x)).neg_().masked_fill_(~valid, 0)
    return Tile(x.sigmoid().mul_(valid), positive, valid, losses, good)


def sums(problem: Problem, tile: Tile, *, squares: bool) -> Tensor:
    """Return the sums of a tile, (2 C, columns)."""
    hard = (tile.losses > problem.bound) & tile.valid
    columns = {
        COUNT: tile.valid,
        CROSS_ENTROPY: tile.losses,
        FOCAL: focal(tile.losses, problem.gamma),
        N_HARD: hard,
        HARD: tile.losses * hard,
        OVERLAP: tile.p,
        PREDICTED: tile.p,
    }
    if squares:
        columns[SQUARES] = tile.p.square()
    n_classes = len(tile.p)
    result = torch.zeros(n_classes, 2, N_COLUMNS, dtype=accumulator(tile.p), device=tile.p.device)
    for column, values in columns.items():
        for label, chosen in enumerate((~tile.row, tile.row)):
            result[:, label, column] = (values * chosen).sum(1)
    return result.flatten(0, 1)


def gradient(problem: Problem, x: Tensor, labels: Tensor, grads: dict[int, Tensor], of_pixels: Tensor | None) -> Tensor:
    """Return the gradient of the logits (C, T), given those of sums (2 C,) by column, and of losses (C, T)."""
    tile = read(problem, x, labels)
    by_label = {column: of_rows.view(-1, 2, 1).unbind(1) for column, of_rows in grads.items()}
    at_rows = {column: torch.where(tile.row, one, zero) for column, (zero, one) in by_label.items()}
    of_loss = loss_gradient(problem, tile, at_rows, of_pixels)
    result = of_loss * (tile.p - tile.row.to(x.dtype))
    # p is 0 where ignored, and so is what it multiplies.
    slope = tile.p * (1 - tile.p)
    for column in (OVERLAP, PREDICTED):
        if column in at_rows:
            result.addcmul_(at_rows[column], slope)
    if SQUARES in at_rows:
        result.addcmul_(at_rows[SQUARES] * tile.p, slope, value=2)
    return result
