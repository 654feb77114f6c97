"""The backend `compiled`: a small C++ kernel for the CPU, compiled at its first use."""

import ctypes
from ctypes import Structure, byref, c_double, c_int64, c_void_p
from functools import cache

import torch
from torch import Tensor

from segcli.nn.kernels.build import CompilerUnavailable, load_library
from segcli.nn.kernels.pages import in_large_pages
from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.problem import N_COLUMNS, Answer, Problem, Wanted

# As native.cpp numbers them.
LOGIT_TYPES = {torch.float32: 0, torch.float64: 1, torch.float16: 2, torch.bfloat16: 3}
LABEL_TYPES = {torch.uint8: 0, torch.int32: 1, torch.int64: 2}
_OUT_OF_MEMORY = 1


class _View(Structure):
    _fields_ = (("data", c_void_p), ("image", c_int64), ("channel", c_int64), ("pixel", c_int64))


class _Problem(Structure):
    _fields_ = (
        ("logits", _View),
        ("labels", _View),
        ("logit_type", c_int64),
        ("label_type", c_int64),
        ("n_images", c_int64),
        ("n_classes", c_int64),
        ("n_pixels", c_int64),
        ("multiclass", c_int64),
        ("has_ignore", c_int64),
        ("ignore_index", c_int64),
        ("gamma", c_double),
        ("bound", c_double),
        ("n_threads", c_int64),
    )


class _Answer(Structure):
    _fields_ = (
        ("sums", c_void_p),
        ("pixels", c_void_p),
        ("predictions", c_void_p),
        ("confusion", c_void_p),
        ("sound", c_void_p),
        ("squares", c_int64),
    )


class _Slopes(Structure):
    _fields_ = (("sums", c_void_p), ("pixels", _View), ("gradient", _View))


def available() -> bool:
    """Whether the kernel is compiled, or can be: the first call compiles it, which takes some seconds."""
    try:
        _library()
    except CompilerUnavailable:
        return False
    return True


def forward(problem: Problem, wanted: Wanted) -> Answer:
    """Answer a problem with one read of its logits.

    Raises:
        CompilerUnavailable: Where there is no compiler, or it fails.
    """
    logits, labels, whole = problem.logits, problem.labels, torch.int64
    losses, (n_images, n_classes, n_pixels) = compute_dtype(logits.dtype), logits.shape
    sums = torch.empty(n_images, problem.n_rows, N_COLUMNS, dtype=torch.float64)
    pixels = in_large_pages(torch.empty(labels.shape if wanted.pixels else 0, dtype=losses))
    predictions = in_large_pages(torch.empty((n_images, n_pixels) if wanted.predictions else 0, dtype=whole))
    confusion = torch.zeros((n_classes, n_classes) if wanted.confusion else 0, dtype=whole)
    sound = torch.ones(2, dtype=whole)
    native = _Answer(
        sums.data_ptr(),
        pixels.data_ptr() if wanted.pixels else None,
        predictions.data_ptr() if wanted.predictions else None,
        confusion.data_ptr() if wanted.confusion else None,
        sound.data_ptr(),
        wanted.squares,
    )
    _call("segcli_forward", _native(problem), native)
    return Answer(sums, pixels, predictions, confusion, sound.bool())


def backward(problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor:
    """Return the gradient of the logits, in their layout.

    Raises:
        CompilerUnavailable: As `forward`.
    """
    gradient = in_large_pages(torch.empty_like(problem.logits))
    sums = grad_sums.to(torch.float64).contiguous()
    pixels = None if grad_pixels is None else grad_pixels.to(compute_dtype(problem.logits.dtype))
    slopes = _Slopes(sums.data_ptr(), _View() if pixels is None else _view(pixels), _view(gradient))
    _call("segcli_backward", _native(problem), slopes)
    return gradient


def argmax(logits: Tensor) -> Tensor:
    """Return ``logits.argmax(1)`` of (N, C, P): the first of those that tie, and NaN before all numbers.

    Raises:
        CompilerUnavailable: As `forward`.

    Examples:
        >>> argmax(torch.tensor([[[0.0, 7.0], [1.0, 7.0]]])).tolist()
        [[1, 0]]
    """
    predictions = in_large_pages(torch.empty(logits.shape[0], logits.shape[2], dtype=torch.int64))
    # Of labels there are none to be read.
    problem = Problem(logits, predictions, multiclass=True, ignore_index=None, gamma=0, bound=0)
    _call("segcli_argmax", _native(problem), c_void_p(predictions.data_ptr()))
    return predictions


@cache
def _library() -> ctypes.CDLL:
    return load_library()


def _call(name: str, problem: _Problem, result: Structure | c_void_p) -> None:
    # ctypes lets other threads of Python run meanwhile.
    argument = result if isinstance(result, c_void_p) else byref(result)
    if getattr(_library(), name)(byref(problem), argument) == _OUT_OF_MEMORY:
        message = f"the kernel needs more memory than there is for logits of {problem.n_classes} classes"
        raise MemoryError(message)


def _native(problem: Problem) -> _Problem:
    logits, labels = problem.logits, problem.labels
    ignore = problem.ignore_index
    return _Problem(
        _view(logits),
        _view(labels),
        LOGIT_TYPES[logits.dtype],
        LABEL_TYPES[labels.dtype],
        *logits.shape,
        problem.multiclass,
        ignore is not None,
        0 if ignore is None else ignore,
        problem.gamma,
        problem.bound,
        torch.get_num_threads(),
    )


def _view(tensor: Tensor) -> _View:
    """Return a tensor of (N, C, P), or (N, P), as the kernel sees it."""
    image, *channel, pixel = tensor.stride()
    return _View(tensor.data_ptr(), image, channel[0] if channel else 0, pixel)
