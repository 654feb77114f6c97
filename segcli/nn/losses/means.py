"""The mean of losses that are added up by label, over one process or many."""

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.processes import total_over
from segcli.nn.kernels.reading import Statistics
from segcli.nn.losses.inputs import Weights, class_weights
from segcli.nn.losses.sums import ratio

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

Mean = Literal["valid", "all", "weights"]


def weighted_mean(
    losses: Tensor,
    found: Statistics,
    *,
    weights: Tensor | None,
    mean: Mean,
    process_group: "ProcessGroup | None",
) -> Tensor:
    """Return ``sum(weights * losses)`` over what ``mean`` says; 0 with a graph where that is 0.

    Args:
        losses: Sums by image and label, as those of `Statistics`.
        found: What they were read with.
        weights: That broadcast to the sums of one image, or None.
        mean: What it is divided by. ``valid``: how many are valid. ``all``: how many there are, ignored ones too.
            ``weights``: the sum of the weights of what is valid.
        process_group: Whose ranks' sums are one.

    Returns:
        (), in the accumulator's dtype.
    """
    counts = found.count
    if weights is not None:
        losses = losses * weights
        counts = counts * weights if mean == "weights" else counts
    below = counts.sum() if mean != "all" else losses.new_full((), found.labels.numel())
    above, below = total_over(torch.stack([losses.sum(), below]), process_group).unbind()
    return ratio(above, below)


def label_weights(weight: Weights, like: Tensor, mode: Mode) -> Tensor | None:
    """Return weights that broadcast to the sums by label of one image: one a class, or of labels 0 and 1 for binary.

    Args:
        weight: C of them for multiclass and multilabel, two for binary.
        like: Sums by label, (N, C) for multiclass, else (N, C, 2).
        mode: How logits and labels belong together.

    Raises:
        ValueError: Where there are more or fewer.

    Examples:
        >>> label_weights([1, 3], torch.zeros(5, 1, 2), "binary")
        tensor([1., 3.])
    """
    if mode != "binary":
        weights = class_weights(weight, like.shape[1], like)
        return weights if weights is None or mode == "multiclass" else weights.unsqueeze(1)
    if weight is not None and len(weight) != 2:  # noqa: PLR2004 - labels 0 and 1
        message = f"weight holds {len(weight)} values, expected 2 for binary: of label 0, and of label 1"
        raise ValueError(message)
    return class_weights(weight, 2, like)


def check_mean(mean: str) -> None:
    """Refuse an unknown mean.

    Raises:
        ValueError: Naming those there are.
    """
    if mean not in get_args(Mean):
        message = f"mean is {mean!r}, expected {', '.join(get_args(Mean))}"
        raise ValueError(message)
