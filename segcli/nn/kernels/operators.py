"""The kernels as operators of torch: with a gradient, and without a break in a graph of torch.compile."""

from dataclasses import astuple
from typing import Any

import torch
from torch import Tensor

from segcli.nn.kernels import backends
from segcli.nn.kernels.checks import unsoundness
from segcli.nn.kernels.problem import Answer, Problem, Wanted, blank

_Answer = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class UnsoundError(ValueError):
    """Logits that are not finite, or labels that are no class; the place is counted in (N, C, P)."""


def refuse(logits: Tensor, labels: Tensor, n_labels: int, ignore_index: int | None) -> None:
    """Raise with what `unsoundness` says, if anything.

    Raises:
        UnsoundError: For logits that are not finite, and labels that are none.
    """
    message = unsoundness(logits, labels, n_labels, ignore_index)
    if message:
        raise UnsoundError(message)


def ask(problem: Problem, wanted: Wanted, *, backend: str = "auto", validate: bool = True) -> Answer:
    """Answer a problem, with a graph: the sums and the losses of the pixels have a gradient.

    Args:
        problem: What is read.
        wanted: What is asked beside the sums.
        backend: See `segcli.nn.kernels.backends.choose`.
        validate: Refuse logits that are not finite and labels that are none. The reading itself finds them, and is
            safe from them, so that this costs a look at two flags.

    Raises:
        UnsoundError: Under ``validate``.
        SegcliError: Where the backend that was named cannot be had.
    """
    settings = (problem.multiclass, problem.ignore_index, [problem.gamma, problem.bound])
    ask_now = _statistics if needs_operator(problem.logits) else _statistics_now
    return Answer(*ask_now(problem.logits, problem.labels, *settings, list(astuple(wanted)), backend, validate))


def needs_operator(*tensors: Tensor) -> bool:
    """Whether a graph is made, of gradients or by a compiler, in which an operator of torch has to stand.

    Elsewhere its function may be called as it is: at the first call of an operator torch imports its compiler, which
    takes longer than importing torch.

    Examples:
        >>> needs_operator(torch.zeros(1)), needs_operator(torch.zeros(1, requires_grad=True))
        (False, True)
    """
    wants_gradient = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return wants_gradient or torch.compiler.is_compiling()


def _statistics_now(
    logits: Tensor,
    labels: Tensor,
    multiclass: bool,  # noqa: FBT001 - an operator of torch takes plain values, by position
    ignore_index: int | None,
    numbers: list[float],
    wanted: list[bool],
    backend: str,
    validate: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    problem = Problem(logits, labels, multiclass, ignore_index, *numbers)
    answer = backends.load(backends.choose(logits, backend)).forward(problem, Wanted(*wanted))
    if validate and not bool(answer.sound.all()):
        refuse(logits, labels, logits.shape[1] if multiclass else 2, ignore_index)
    return answer.sums, answer.pixels, answer.predictions, answer.confusion, answer.sound


_statistics = torch.library.custom_op("segcli::statistics", _statistics_now, mutates_args=())


@_statistics.register_fake
def _(
    logits: Tensor,
    labels: Tensor,
    multiclass: bool,  # noqa: FBT001
    ignore_index: int | None,
    numbers: list[float],
    wanted: list[bool],
    backend: str,
    validate: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    del backend, validate
    answer = blank(Problem(logits, labels, multiclass, ignore_index, *numbers), Wanted(*wanted))
    return answer.sums, answer.pixels, answer.predictions, answer.confusion, answer.sound


@torch.library.custom_op("segcli::statistics_backward", mutates_args=())
def _statistics_backward(
    grad_sums: Tensor,
    grad_pixels: Tensor | None,
    logits: Tensor,
    labels: Tensor,
    multiclass: bool,  # noqa: FBT001
    ignore_index: int | None,
    numbers: list[float],
    backend: str,
) -> Tensor:
    problem = Problem(logits, labels, multiclass, ignore_index, *numbers)
    return backends.load(backends.choose(logits, backend)).backward(problem, grad_sums, grad_pixels)


@_statistics_backward.register_fake
def _(
    grad_sums: Tensor,
    grad_pixels: Tensor | None,
    logits: Tensor,
    labels: Tensor,
    multiclass: bool,  # noqa: FBT001
    ignore_index: int | None,
    numbers: list[float],
    backend: str,
) -> Tensor:
    del grad_sums, grad_pixels, labels, multiclass, ignore_index, numbers, backend
    return torch.empty_like(logits)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: _Answer) -> None:  # noqa: ANN401 - torch's own context
    del output
    logits, labels, multiclass, ignore_index, numbers, wanted, backend, _ = inputs
    # Nothing a pixel but what was given: the backward pass takes the softmax of its one read anew.
    ctx.save_for_backward(logits, labels)
    ctx.settings = (multiclass, ignore_index, numbers, backend)
    ctx.pixels = Wanted(*wanted).pixels


def _gradient(ctx: Any, grad_sums: Tensor, grad_pixels: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
    of_pixels = grad_pixels if ctx.pixels else None
    gradient = _statistics_backward(grad_sums, of_pixels, *ctx.saved_tensors, *ctx.settings)
    return gradient, None, None, None, None, None, None, None


_statistics.register_autograd(_gradient, setup_context=_remember)


def largest(logits: Tensor, backend: str) -> Tensor:
    """Return the class with the largest logit: (N, C, P) to (N, P), int64."""
    found: Tensor = (_largest if needs_operator() else _largest_now)(logits.detach(), backend)
    return found


def _largest_now(logits: Tensor, backend: str) -> Tensor:
    return backends.load(backends.choose(logits, backend)).argmax(logits)


_largest = torch.library.custom_op("segcli::argmax", _largest_now, mutates_args=())


@_largest.register_fake
def _(logits: Tensor, backend: str) -> Tensor:
    del backend
    return logits.new_empty((logits.shape[0], logits.shape[2]), dtype=torch.int64)
