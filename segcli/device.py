"""Resolves ``--device``, ``--dtype``, ``--threads`` and ``--seed``; torch is imported only when one is resolved."""

import re
from typing import TYPE_CHECKING

from segcli.errors import ExitCode, SegcliError, nearest

if TYPE_CHECKING:
    import torch

_DEVICE = re.compile("auto|(cpu|cuda|mps)(:[0-9]{1,3})?")
# Torch starts as many as it is told; where the system runs out of them, the process dies.
_MAX_THREADS = 1024
DTYPES = ("float32", "float64", "bfloat16", "float16")


def check_device_name(name: str) -> None:
    """Refuse what is no device's name, without torch; whether there is such a device is not asked.

    Raises:
        SegcliError: For a name other than ``cpu``, ``cuda``, ``cuda:N``, ``mps`` and ``auto``.
    """
    if not _DEVICE.fullmatch(name):
        message = f"unknown device {name!r}, expected cpu, cuda, cuda:N, mps or auto"
        raise SegcliError(message)


def resolve_device(name: str) -> "torch.device":
    """Return the device called ``name``: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto`` for the best there is.

    Raises:
        SegcliError: For a name that is none (exit code 2), or a device that is not here (exit code 3).

    Examples:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    check_device_name(name)
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    _require(device)
    return device


def _require(device: "torch.device") -> None:
    import torch

    if device.type == "cpu":
        return
    if device.type == "cuda" and torch.cuda.is_available():
        count = torch.cuda.device_count()
        if (device.index or 0) < count:
            return
        message = f"device {device} is not here: torch sees {count} CUDA device{'s' if count > 1 else ''}"
        raise SegcliError(message, hint=f"use cuda:0 to cuda:{count - 1}", code=ExitCode.UNAVAILABLE)
    if device.type == "mps" and torch.backends.mps.is_available():
        return
    why = "this torch was built without CUDA" if device.type == "cuda" and torch.version.cuda is None else ""
    message = f"device {device} is not available here" + (f": {why}" if why else "")
    raise SegcliError(
        message, hint="use --device cpu, or install a torch built for the device", code=ExitCode.UNAVAILABLE
    )


def resolve_dtype(name: str) -> "torch.dtype":
    """Return the floating dtype called ``name``.

    Raises:
        SegcliError: For an unknown name.

    Examples:
        >>> resolve_dtype("bfloat16")
        torch.bfloat16
    """
    if name not in DTYPES:
        message = f"unknown dtype {name!r}"
        raise SegcliError(message, hint=nearest(name, list(DTYPES)))
    import torch

    dtype: torch.dtype = getattr(torch, name)
    return dtype


def check_threads(count: int | None) -> None:
    """Refuse a number of threads that torch cannot use, without torch; None leaves it torch's choice."""
    if count is not None and not 1 <= count <= _MAX_THREADS:
        message = f"--threads is {count}, expected 1 to {_MAX_THREADS}"
        raise SegcliError(message)


def use_threads(count: int | None) -> int:
    """Let torch's kernels use ``count`` threads; None leaves torch's choice. Return how many are used."""
    check_threads(count)
    import torch

    if count is not None:
        torch.set_num_threads(count)
    return torch.get_num_threads()
