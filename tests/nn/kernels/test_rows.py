"""Sums by row are the same, whichever way a device takes."""

import torch

from segcli.nn.kernels.rows import by_comparing, sum_by_row


def test_rows_are_added_up_alike_on_every_device() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(6, (50,), generator=generator)
    for values in (torch.randn(50, dtype=torch.float64, generator=generator), rows > 2):
        torch.testing.assert_close(by_comparing(values, rows, 7), sum_by_row(values, rows, 7))
