"""Correct before fast: what a kernel answers, beside the same in float64 from the very tensors that are timed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.bench.kernel import Kernel, Make, Mode, Tensors

if TYPE_CHECKING:
    import torch

# Unlike any seed that is asked for: a gradient equal to the input would make a norm's gradient cancel to nothing.
_UPSTREAM_SEED = 2**62 + 1

# Relative, in the 2-norm: some roundings each, more in float32 for the long sums of large sizes. A wrong formula is off
# by far more, and so is TF32 where float32 was asked for.
TOLERANCES = {"float64": 1e-10, "float32": 1e-4, "bfloat16": 3e-2, "float16": 5e-3}

# Gradients of a mean over 10^5 pixels are too small for float16: they are scaled as torch's GradScaler does (2^16 by
# default, which itself is beyond float16). A power of two, so that nothing is rounded.
LOSS_SCALE = 2.0**15


@dataclass(frozen=True)
class Prepared:
    """A kernel ready to be timed.

    Attributes:
        work: One call of it.
        error: The largest relative error of what it answers.
        tolerance: What that error may be.
        reason: Why it is wrong, or empty.
    """

    work: Callable[[], object]
    error: float
    tolerance: float
    reason: str = ""


@dataclass(frozen=True)
class _Ready:
    call: Callable[[], "torch.Tensor"]
    leaves: tuple["torch.Tensor", ...]
    tensors: Tensors


def prepare(kernel: Kernel, mode: Mode, tensors: Tensors) -> Prepared:
    """Make a kernel's work and compare it with its reference.

    Gradients are recorded or not as torch's grad mode says when the work is called; see `session.py`.

    Args:
        kernel: The kernel.
        mode: What of it is timed.
        tensors: The suite's tensors, on their device and in their dtype.
    """
    ready = _make(kernel.make, kernel, mode, tensors)
    wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    reference = _make(kernel.reference, kernel, mode, wide)
    output, expected = ready.call(), reference.call()
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    checks = [(_error(kernel.seen(tensors, output), expected), TOLERANCES[dtype], "its output")]
    if mode is Mode.FORWARD:
        return _judged(ready.call, checks)

    import torch

    upstream = _upstream(output)
    tolerance = max(TOLERANCES[dtype], kernel.gradient_tolerance)
    gradients = torch.autograd.grad(output, ready.leaves, upstream)
    expected_gradients = torch.autograd.grad(expected, reference.leaves, upstream.double())
    for name, got, want in zip(kernel.leaves, gradients, expected_gradients, strict=True):
        checks.append((_error(got, want), tolerance, f"the gradient of {name}"))
    call, leaves = ready.call, ready.leaves
    return _judged(lambda: torch.autograd.grad(call(), leaves, upstream), checks)


def _make(make: Make, kernel: Kernel, mode: Mode, tensors: Tensors) -> _Ready:
    if mode is Mode.TRAINING:
        # Detached: the values are shared, the wish for gradients is not.
        tensors = {**tensors, **{name: tensors[name].detach().requires_grad_() for name in kernel.leaves}}
    return _Ready(make(tensors), tuple(tensors[name] for name in kernel.leaves), tensors)


def _upstream(output: "torch.Tensor") -> "torch.Tensor":
    """Return what stands in for the gradient of what would follow: the loss scale for a loss, else normal(0, 1)."""
    import torch

    if output.dim() == 0:
        return torch.full_like(output, LOSS_SCALE)
    values = torch.randn(output.shape, generator=torch.Generator().manual_seed(_UPSTREAM_SEED))
    return values.to(output.device, output.dtype)


def _error(got: "torch.Tensor", want: "torch.Tensor") -> float:
    """Return the 2-norm of the difference over that of what is wanted; infinite where NaN or the shape differs."""
    if got.shape != want.shape:
        return float("inf")
    difference = (got.detach().double() - want.detach()).norm().item()
    size = want.detach().norm().item()
    error = difference / size if size else difference
    return error if error == error else float("inf")  # noqa: PLR0124 - NaN is the one number unlike itself


def _judged(work: Callable[[], object], checks: list[tuple[float, float, str]]) -> Prepared:
    error, tolerance, what = max(checks, key=lambda check: check[0] / check[1])
    reason = f"{what} has a relative error of {error:.2g} against float64, expected at most {tolerance:g}"
    return Prepared(work, error, tolerance, "" if error <= tolerance else reason)
