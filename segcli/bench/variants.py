"""Variants of kernels: the same on channels-last tensors, compiled by torch, or both, beside the plain one."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from segcli.bench.kernel import Call, Case, Kernel, Make, Suite, Tensors
from segcli.errors import ExitCode, SegcliError

if TYPE_CHECKING:
    import torch

CHANNELS_LAST = "channels-last"
COMPILED = "compiled"
# One side would hide which of them a layout turns round.
_TINY = (4, 6)
_IMAGE_DIMS = 4
_Kind = tuple[Any, ...]


def with_variants(suite: Suite, kernel: Kernel, *, channels_last: bool, compiled: bool) -> tuple[Kernel, ...]:
    """Return a kernel with its variants after it.

    What crosses a bus or waits for processes has none, and only what reads images has one with channels last.

    Args:
        suite: The kernel's suite.
        kernel: The kernel.
        channels_last: Whether ``channels-last`` is asked for.
        compiled: Whether ``compiled`` is asked for; with both, ``channels-last, compiled`` comes third.

    Examples:
        >>> from segcli.bench.suites import SUITES
        >>> conv = SUITES["conv"]
        >>> [one.variant for one in with_variants(conv, conv.kernels[0], channels_last=True, compiled=True)]
        ['', 'channels-last', 'compiled', 'channels-last, compiled']
    """
    if not kernel.bounded:
        return (kernel,)
    found = [kernel]
    if channels_last and reads_images(suite, kernel):
        found.append(replace(kernel, variant=CHANNELS_LAST, make=_channels_last(kernel.make)))
    if compiled:
        # A list: what is added is not walked over.
        found += [
            replace(one, variant=", ".join(filter(None, (one.variant, COMPILED))), make=_compiled(one.make))
            for one in list(found)
        ]
    return tuple(found)


@cache
def reads_images(suite: Suite, kernel: Kernel) -> bool:
    """Return whether a kernel reads its suite's main tensor, (N, C, H, W); to see that, it is called with tiny ones."""
    import torch

    # The shapes of a user's tensors are the user's.
    case = suite.case if type(suite.case) is not Case else replace(suite.case, size=_TINY)
    seen = _Watched(suite.tensors(case, torch.Generator().manual_seed(0)))
    with torch.no_grad(), suppress(RuntimeError, ValueError):
        # A network may refuse the size, once it has read its images.
        kernel.make(seen)()
    return suite.tensor in seen.read and _is_image(seen[suite.tensor])


class _Watched(Mapping[str, "torch.Tensor"]):
    """Tensors that remember which of them were read."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> "torch.Tensor":
        self.read.add(name)
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


class _ChannelsLast(Mapping[str, "torch.Tensor"]):
    """Tensors of which images and weights are laid out with channels last, each once it is read."""

    def __init__(self, tensors: Tensors, laid_out: "Layouts") -> None:
        self._tensors = tensors
        self._laid_out = laid_out

    def __getitem__(self, name: str) -> "torch.Tensor":
        tensor = self._tensors[name]
        return self._laid_out.of(tensor) if _is_image(tensor) else tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


class Layouts:
    """Copies with channels last, one for all kernels that read a tensor; they go when the tensor goes."""

    def __init__(self) -> None:
        """Start without any."""
        from torch.utils.weak import WeakIdKeyDictionary

        self._copies: Any = WeakIdKeyDictionary()

    def of(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """Return a tensor with channels last; one whose gradient is taken is itself laid out anew."""
        import torch

        if tensor.requires_grad and tensor.is_leaf:
            # Its gradient is asked for by this very tensor: a copy would be a step of every backward that is timed.
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
            return tensor
        if tensor not in self._copies:
            self._copies[tensor] = tensor.contiguous(memory_format=torch.channels_last)
        copy: torch.Tensor = self._copies[tensor]
        return copy


@cache
def _layouts() -> Layouts:
    return Layouts()


def _channels_last(make: Make) -> Make:
    return lambda tensors: make(_ChannelsLast(tensors, _layouts()))


def _is_image(tensor: "torch.Tensor") -> bool:
    return tensor.dim() == _IMAGE_DIMS and tensor.is_floating_point()


def _compiled(make: Make) -> Make:
    # What torch compiled belongs to a piece of code: the same one for tensors of the same kind, drawn anew each pass.
    codes: dict[_Kind, CodeType] = {}

    def made(tensors: Tensors) -> Call:
        import torch

        once = _once(make(tensors))
        code = codes.setdefault(_kind_of(tensors), once.__code__.replace())
        with compiling():
            call: Call = torch.compile(_with_code(once, code), dynamic=False)
            # Now, not in the first block of calls that is timed.
            call()
        return call

    return made


@contextmanager
def compiling() -> Iterator[None]:
    """Compile in this process, as a pool of compilers would wait beside timings, and keep torch's warnings back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch._inductor.config

        with torch._inductor.config.patch(compile_threads=1):  # noqa: SLF001 - torch's settings have no public name
            yield


def _kind_of(tensors: Tensors) -> _Kind:
    """Return what compiled code is made for: torch keeps few versions of one piece of code, and then gives up."""
    import torch

    kinds = ((name, tuple(one.shape), one.dtype, one.requires_grad) for name, one in sorted(tensors.items()))
    return torch.is_grad_enabled(), *kinds


def _once(call: Call) -> Callable[[], Any]:
    def once() -> "torch.Tensor":
        return call()  # pragma: no cover - torch runs what it made of it

    return once


def _with_code(function: Callable[[], Any], code: CodeType) -> Callable[[], Any]:
    """Return a function that is told apart from others by its code, which does the same."""
    return FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)


def require_compiler(device: "torch.device") -> None:
    """Compile one addition.

    Raises:
        SegcliError: Where that fails, with exit code 3.
    """
    import torch

    def add(x: "torch.Tensor") -> "torch.Tensor":
        return x + 1  # pragma: no cover - torch runs what it made of it

    try:
        with compiling():
            torch.compile(add)(torch.zeros(2, device=device))
    except Exception as error:
        words = (str(error).strip().splitlines() or [""])[0]
        message = f"--compile: torch cannot compile for {device.type}: {type(error).__name__}: {words}"
        hint = "install triton" if device.type == "cuda" else "install g++ or clang++, or name one in $CXX"
        raise SegcliError(message, hint=hint, code=ExitCode.UNAVAILABLE) from error
