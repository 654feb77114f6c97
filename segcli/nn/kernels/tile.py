"""What the tiles of softmax and sigmoid share."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segcli.nn.kernels.problem import CROSS_ENTROPY, FOCAL, HARD, Problem


@dataclass(frozen=True, eq=False)
class Tile:
    """Some pixels of one image, in the dtype that is computed in.

    Attributes:
        p: (C, T), the softmax or the sigmoids; 0 where ignored.
        row: The row of the sums that each label belongs to, (T,) or (C, T); any where ignored.
        valid: Where the label counts, of the same shape.
        losses: -log p_t, of the same shape; 0 where ignored.
        good: Whether every label is a class or ignored, ().
    """

    p: Tensor
    row: Tensor
    valid: Tensor
    losses: Tensor
    good: Tensor


def valid_labels(labels: Tensor, n_labels: int, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Return where int64 labels count, and whether all that do not are ignored.

    Examples:
        >>> valid_labels(torch.tensor([0, 1, 255]), 2, 255)
        (tensor([ True,  True, False]), tensor(True))
    """
    inside = (labels >= 0) & (labels < n_labels)
    if ignore_index is None:
        return inside, inside.all()
    ignored = labels == ignore_index
    return inside & ~ignored, (inside | ignored).all()


def focal(losses: Tensor, gamma: float) -> Tensor:
    """Return (1 - exp(-loss))^gamma loss.

    Examples:
        >>> focal(torch.tensor([0.0, 100.0]), 2.0)
        tensor([  0., 100.])
    """
    return losses if gamma == 0 else (-torch.expm1(-losses)).pow_(gamma).mul_(losses)


def focal_slope(losses: Tensor, gamma: float) -> Tensor:
    """Return the derivative of `focal` by the loss; 0 at 0, also for ``gamma`` below 1.

    Examples:
        >>> focal_slope(torch.tensor([0.0, 100.0]), 0.5)
        tensor([0., 1.])
    """
    if gamma == 0:
        return torch.ones_like(losses)
    wrong = -torch.expm1(-losses)
    # The power alone has an infinite slope at 0 for gamma below 1: take loss / (1 - p), which tends to 1, out of it.
    tilt = torch.where(losses > 0, losses / wrong, 1)
    return wrong.pow(gamma) * (1 + gamma * (1 - wrong) * tilt)


def loss_gradient(problem: Problem, tile: Tile, at_rows: dict[int, Tensor], of_pixels: Tensor | None) -> Tensor:
    """Return the derivative by every -log p_t; 0 where ignored.

    Args:
        problem: For the bound and gamma.
        tile: The losses.
        at_rows: The gradients of those columns that have one, each looked up at the row of every label.
        of_pixels: Of the pixel losses themselves, if any.
    """
    total = torch.zeros_like(tile.losses) if of_pixels is None else of_pixels.to(tile.losses.dtype)
    if CROSS_ENTROPY in at_rows:
        total = total + at_rows[CROSS_ENTROPY]
    if FOCAL in at_rows:
        total = total.addcmul(at_rows[FOCAL], focal_slope(tile.losses, problem.gamma))
    if HARD in at_rows:
        total = total.addcmul(at_rows[HARD], (tile.losses > problem.bound).to(total.dtype))
    return total.masked_fill(~tile.valid, 0)
