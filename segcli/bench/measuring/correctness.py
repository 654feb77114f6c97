"""Correct before fast: what a kernel answers, beside the same in float64 from the very tensors that are timed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from segcli.bench.kernel import Kernel, Make, Mode, Tensors
from segcli.bench.measuring.threads import untimed_threads
from segcli.units import format_shape

if TYPE_CHECKING:
    import torch

_Check = tuple[float, float, str]

# Unlike any seed that is asked for: a gradient equal to the input would make a norm's gradient cancel to nothing.
_UPSTREAM_SEED = 2**62 + 1

# Relative, in the 2-norm: some roundings each, more in float32 for the long sums of large sizes. A wrong formula is off
# by far more, and so is TF32 where float32 was asked for.
TOLERANCES = {"float64": 1e-10, "float32": 1e-4, "bfloat16": 3e-2, "float16": 5e-3}
# Its factors have float16's mantissa.
TF32_TOLERANCE = TOLERANCES["float16"]

# Gradients of a mean over 10^5 pixels are too small for float16: they are scaled as torch's GradScaler does (2^16 by
# default, which itself is beyond float16). A power of two, so that nothing is rounded.
LOSS_SCALE = 2.0**15


@dataclass(frozen=True)
class Prepared:
    """A kernel ready to be timed.

    Attributes:
        work: One call of it.
        error: The largest relative error of what it answers; None where it is compared with nothing.
        tolerance: What that error may be.
        reason: Why it is wrong, or empty.
    """

    work: Callable[[], object]
    error: float | None
    tolerance: float | None
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
    output = ready.call()
    seen = kernel.seen(tensors, output)
    upstream = _upstream(output) if mode is Mode.TRAINING else None
    work = ready.call if upstream is None else partial(_gradients, ready, upstream)
    if kernel.unchecked:
        return Prepared(work, None, None)
    gradients = () if upstream is None else _gradients_of(output, ready, upstream)
    with untimed_threads():
        return _judged(work, list(_checks(kernel, mode, tensors, (seen, *gradients), upstream)))


def _checks(
    kernel: Kernel,
    mode: Mode,
    tensors: Tensors,
    answers: Sequence["torch.Tensor"],
    upstream: "torch.Tensor | None",
) -> Iterator[_Check]:
    """Give, for the output and each gradient, its error, what that may be, and what it is the error of."""
    wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    reference = _make(kernel.reference, kernel, mode, wide)
    expected = reference.call()
    tolerance = _tolerance(tensors)
    yield _check(answers[0], expected, tolerance, "its output")
    if upstream is not None:
        tolerance = max(tolerance, kernel.gradient_tolerance)
        wanted = _gradients_of(expected, reference, upstream.double())
        for name, got, want in zip(kernel.leaves, answers[1:], wanted, strict=True):
            yield _check(got, want, tolerance, f"the gradient of {name}")


def rework(kernel: Kernel, mode: Mode, tensors: Tensors) -> Callable[[], object]:
    """Make a kernel's work anew, in new memory, where it is known to be right.

    Args:
        kernel: The kernel.
        mode: What of it is timed.
        tensors: The suite's tensors, drawn anew.
    """
    ready = _make(kernel.make, kernel, mode, tensors)
    return ready.call if mode is Mode.FORWARD else partial(_gradients, ready, _upstream(ready.call()))


def _gradients(ready: _Ready, upstream: "torch.Tensor") -> tuple["torch.Tensor", ...]:
    return _gradients_of(ready.call(), ready, upstream)


def _gradients_of(output: "torch.Tensor", ready: _Ready, upstream: "torch.Tensor") -> tuple["torch.Tensor", ...]:
    import torch

    return torch.autograd.grad(output, ready.leaves, upstream)


def _tolerance(tensors: Tensors) -> float:
    """Return the tolerance of the floating tensors' dtype; of kernels without any, that of float32."""
    dtypes = [str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values() if tensor.is_floating_point()]
    dtype = dtypes[0] if dtypes else "float32"
    return TF32_TOLERANCE if dtype == "float32" and _computes_in_tf32(tensors) else TOLERANCES[dtype]


def _computes_in_tf32(tensors: Tensors) -> bool:
    import torch

    return torch.backends.cuda.matmul.allow_tf32 and any(tensor.is_cuda for tensor in tensors.values())


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


def _check(got: "torch.Tensor", want: "torch.Tensor", tolerance: float, what: str) -> _Check:
    """Return an answer's error, what it may be, and what is wrong with it where it is more."""
    if got.shape != want.shape:
        shapes = " and not ".join(format_shape(tuple(one.shape)) for one in (got, want))
        return float("inf"), tolerance, f"{what} has shape {shapes}"
    error = _error(got, want)
    words = f"{what} has a relative error of {error:.2g} against float64, expected at most {tolerance:g}"
    return error, tolerance, words


def _error(got: "torch.Tensor", want: "torch.Tensor") -> float:
    """Return the 2-norm of the difference over that of what is wanted; infinite where it is NaN."""
    difference = (got.detach().double() - want.detach()).norm().item()
    size = want.detach().norm().item()
    error = difference / size if size else difference
    return error if error == error else float("inf")  # noqa: PLR0124 - NaN is the one number unlike itself


def _judged(work: Callable[[], object], checks: list[_Check]) -> Prepared:
    error, tolerance, reason = max(checks, key=lambda check: check[0] / check[1])
    return Prepared(work, error, tolerance, "" if error <= tolerance else reason)
