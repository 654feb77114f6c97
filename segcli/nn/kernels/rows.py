"""Sums by row: the same bits in every run, on any device."""

import torch
from torch import Tensor

from segcli.nn.kernels.precision import accumulator


def sum_by_row(values: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    """Add up a value a pixel by the row of each.

    Returns:
        Sums in the accumulator's dtype; on the CPU added up in that of the values.

    Shape:
        values and rows (n,), result (n_rows,).

    Examples:
        >>> sum_by_row(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 2, 2]), 3)
        tensor([1., 0., 6.], dtype=torch.float64)
    """
    # On the CPU bincount adds up in order; elsewhere its order is that in which threads come.
    if values.is_cpu:
        return torch.bincount(rows, weights=values, minlength=n_rows).to(accumulator(values))
    return by_comparing(values, rows, n_rows)


def by_comparing(values: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    """Do what `sum_by_row` does with a pass a row, which needs no more memory than the values.

    Examples:
        >>> by_comparing(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 2, 2]), 3)
        tensor([1., 0., 6.], dtype=torch.float64)
    """
    of_rows = (torch.where(rows == row, values, 0) for row in range(n_rows))
    return torch.stack([part.sum(dtype=accumulator(values)) for part in of_rows])
