"""A file that is larger than memory should hold at once, as blocks of rows of its images."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from segcli.loss.settings import KnownMode

if TYPE_CHECKING:
    from torch import Tensor

# What two cores read in a tenth of a second, and what hides the start of a kernel many times over.
BLOCK_BYTES = 256 * 2**20


def blocks(
    logits: "Tensor", labels: "Tensor", mode: KnownMode, most_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[slice, "Tensor", "Tensor"]]:
    """Cut an image into rows of so many bytes of logits.

    Shape:
        logits (1, C, *S), or (1, *S) for binary, labels as the mode says; pieces are the same with fewer rows along
        the first axis of S.

    Examples:
        >>> import torch
        >>> pieces = blocks(torch.zeros(1, 2, 5, 4), torch.zeros(1, 5, 4), "multiclass", most_bytes=64)
        >>> [(rows.start, rows.stop, tuple(piece.shape)) for rows, piece, _ in pieces]
        [(0, 2, (1, 2, 2, 4)), (2, 4, (1, 2, 2, 4)), (4, 5, (1, 2, 1, 4))]
    """
    axis = 1 if mode == "binary" else 2
    of_labels = axis - 1 if mode == "multiclass" else axis
    n_rows = logits.shape[axis]
    row_bytes = logits.element_size() * math.prod(logits.shape[1:]) // max(1, n_rows)
    step = max(1, most_bytes // max(1, row_bytes))
    for start in range(0, n_rows, step):
        n_here = min(step, n_rows - start)
        part = logits.narrow(axis, start, n_here), labels.narrow(of_labels, start, n_here)
        yield slice(start, start + n_here), *part
