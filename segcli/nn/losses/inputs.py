"""What every loss does with its inputs first: read them, as logits or as probabilities, and look at its weights.

A mistake is a `ValueError`, as torch's own losses raise, and not segcli's error for command lines: training code
catches it by a name it knows.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.reading import Statistics, statistics

Weights = Tensor | Sequence[float] | None
# As in torch.nn.functional.binary_cross_entropy.
_LEAST_LOG = -100.0
# How far the probabilities of a pixel may be from a sum of 1: those of the half types are.
_SUM_TOLERANCE = 1e-2


def read(  # noqa: PLR0913 - each asks for something else
    logits: Tensor,
    labels: Tensor,
    *,
    mode: Mode = "multiclass",
    ignore_index: int | None = 255,
    from_logits: bool = True,
    backend: Backend = "auto",
    validate: bool = True,
    thresh: float = 0.7,
    gamma: float = 2.0,
    pixels: bool = False,
    squares: bool = False,
) -> Statistics:
    """Do what `segcli.nn.kernels.statistics` does, with probabilities in place of logits where it is said.

    Raises:
        ValueError: As there, and for probabilities that are none.

    Examples:
        >>> half = torch.full((1, 2, 3), 0.5)
        >>> read(half, torch.tensor([[0, 1, 1]]), from_logits=False).intersection
        tensor([[0.5000, 1.0000]], dtype=torch.float64)
    """
    return statistics(
        # Looking at probabilities would break the graph.
        logits if from_logits else as_logits(logits, mode, validate=validate and not torch.compiler.is_compiling()),
        labels,
        ignore_index=ignore_index,
        thresh=thresh,
        gamma=gamma,
        mode=mode,
        backend=backend,
        pixels=pixels,
        squares=squares,
        validate=validate,
    )


def as_logits(probabilities: Tensor, mode: Mode, *, validate: bool = True) -> Tensor:
    """Return logits whose softmax, or sigmoid, is ``probabilities``.

    A probability of 0 (or 1, for a sigmoid) would be an infinite logit: its logarithm counts as -100, as in
    ``torch.nn.BCELoss``, with a gradient of 0. So does that of what is below the least normal number of the dtype.
    The softmax makes multiclass probabilities sum to 1 to the last digit, which changes no gradient by what a softmax
    was taken of.

    Args:
        probabilities: Softmax over axis 1 for multiclass, sigmoids else; half types become float32.
        mode: Which of the two.
        validate: Look whether they are from 0 to 1, and for multiclass sum to 1 within 0.01; on CUDA this waits, and in
            a graph of torch.compile it is left out.

    Raises:
        ValueError: Where they are not, naming the first bad place.

    Examples:
        >>> as_logits(torch.tensor([[0.25, 0.75]]), "multiclass").softmax(1)
        tensor([[0.2500, 0.7500]])
    """
    p = probabilities.to(compute_dtype(probabilities.dtype))
    if validate and not torch.compiler.is_compiling():
        _check_probabilities(p.detach(), mode)
    return _log(p) if mode == "multiclass" else _log(p) - _log(1 - p)


def _log(p: Tensor) -> Tensor:
    # Not a clamp of the logarithm: an infinite slope times a gradient of 0 would be NaN.
    least = max(torch.finfo(p.dtype).tiny, math.exp(_LEAST_LOG))
    return torch.where(p < least, _LEAST_LOG, p.clamp(min=least).log())


def _check_probabilities(p: Tensor, mode: Mode) -> None:
    bad = ~((p >= 0) & (p <= 1))
    if bool(bad.any()):
        place = tuple(bad.nonzero()[0].tolist())
        message = (
            f"probabilities hold {p[place].item():g} at {place}, expected 0 to 1 (logits go without from_logits=False)"
        )
        raise ValueError(message)
    if mode == "multiclass" and p.dim() > 1:
        bad = (p.sum(1) - 1).abs() > _SUM_TOLERANCE
        if bool(bad.any()):
            place = tuple(bad.nonzero()[0].tolist())
            total = p.sum(1)[place].item()
            message = f"probabilities at {place} sum to {total:g} over the classes, expected 1: a softmax"
            raise ValueError(message)


def class_weights(weight: Weights, n_classes: int, like: Tensor, name: str = "weight") -> Tensor | None:
    """Return a weight a class on the device and in the dtype of ``like``, or None.

    Raises:
        ValueError: Where there are not ``n_classes`` of them.

    Examples:
        >>> class_weights([1, 2], 2, torch.zeros(1))
        tensor([1., 2.])
    """
    if weight is None:
        return None
    weights = torch.as_tensor(weight, dtype=like.dtype, device=like.device)
    if tuple(weights.shape) != (n_classes,):
        message = f"{name} has shape {tuple(weights.shape)}, expected ({n_classes},): one a class"
        raise ValueError(message)
    return weights


def checked_weights(weight: Weights, name: str = "weight") -> Tensor | None:
    """Return class weights as a module keeps them, refusing what could never be any.

    Raises:
        ValueError: Where they are not a row of finite numbers of 0 or more.

    Examples:
        >>> checked_weights([1, -1])
        Traceback (most recent call last):
        ValueError: weight is [1.0, -1.0], expected finite numbers of 0 or more, one a class
    """
    if weight is None:
        return None
    weights = torch.as_tensor(weight).detach()
    weights = weights if weights.is_floating_point() else weights.to(torch.get_default_dtype())
    if weights.dim() != 1 or not bool(((weights >= 0) & weights.isfinite()).all()):
        message = f"{name} is {weights.tolist()}, expected finite numbers of 0 or more, one a class"
        raise ValueError(message)
    return weights
