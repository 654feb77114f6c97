"""Which backend reads: chosen by device and size, or named."""

import warnings
from functools import cache
from importlib import import_module
from typing import Literal, Protocol, cast, get_args

from torch import Tensor

from segcli.errors import ExitCode, SegcliError
from segcli.nn.kernels.problem import Answer, Problem, Wanted

Name = Literal["eager", "compiled", "triton"]
Backend = Literal["auto", "eager", "compiled", "triton"]

# Below this many logits plain torch takes some milliseconds; the first call of a compiler takes seconds.
WORTH_COMPILING = 2**21

_MODULES: dict[str, str] = {"eager": "eager", "compiled": "compiled", "triton": "triton_kernels"}


class Kernels(Protocol):
    """What the module of a backend holds; described in `segcli.nn.kernels.problem`."""

    def forward(self, problem: Problem, wanted: Wanted) -> Answer:
        """Answer a problem."""

    def backward(self, problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor:
        """Return the gradient of the logits."""

    def argmax(self, logits: Tensor) -> Tensor:
        """Return ``logits.argmax(1)``."""


def choose(logits: Tensor, backend: Backend | str) -> Name:
    """Return the backend for ``logits``: the one that was named, or for ``auto`` the best of those that can be had.

    ``auto`` is ``triton`` on CUDA where Triton is installed, ``compiled`` on the CPU from two million logits on where a
    C++ compiler is found (a warning says once where there is none), and ``eager`` everywhere else. It depends on
    device and size alone, so that the same call gives the same result, to the last bit, whatever ran before.

    Raises:
        ValueError: For an unknown name.
        SegcliError: Where the one that was named cannot be had.

    Examples:
        >>> import torch
        >>> choose(torch.zeros(1, 19, 8), "auto")
        'eager'
    """
    if backend not in get_args(Backend):
        message = f"backend is {backend!r}, expected {', '.join(get_args(Backend))}"
        raise ValueError(message)
    if backend == "auto":
        return _best(logits)
    problem = _missing(cast("Name", backend), logits)
    if problem:
        raise problem
    return cast("Name", backend)


def load(name: Name) -> Kernels:
    """Import the module of a backend."""
    return cast("Kernels", import_module(f"segcli.nn.kernels.{_MODULES[name]}"))


def _best(logits: Tensor) -> Name:
    if logits.is_cpu:
        if logits.numel() < WORTH_COMPILING:
            return "eager"
        missing = _missing("compiled", logits)
        if missing:
            _warn_once(f"segcli.nn.kernels reads with plain torch, about four times slower: {missing} ({missing.hint})")
        return "eager" if missing else "compiled"
    return "eager" if _missing("triton", logits) else "triton"


def _missing(name: Name, logits: Tensor) -> SegcliError | None:
    """Return why a backend cannot be had for these logits, if so."""
    if name == "compiled":
        if not logits.is_cpu:
            return _unavailable(f"backend compiled reads on the CPU, the logits are on {logits.device}")
        return _without_compiler()
    if name == "triton":
        from segcli.nn.kernels import triton_kernels

        if not triton_kernels.available(logits.device):
            return _unavailable(f"backend triton needs CUDA and the package triton, the logits are on {logits.device}")
    return None


@cache
def _without_compiler() -> SegcliError | None:
    """Compile, or find compiled, once in a process: a compiler that failed is not tried at every step."""
    from segcli.nn.kernels.build import CompilerUnavailable, load_library

    try:
        load_library()
    except CompilerUnavailable as error:
        return error
    return None


def _unavailable(message: str) -> SegcliError:
    return SegcliError(message, hint="backend='auto' takes one that can be had", code=ExitCode.UNAVAILABLE)


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)
