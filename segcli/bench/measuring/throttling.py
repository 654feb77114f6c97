"""Whether a GPU runs slower than it could, because it is hot or short of power: what is timed then is not the kernel.

Asked of the driver's own library, which comes with every driver, so that no package is needed.

Source:
    NVML API reference, `nvmlDeviceGetCurrentClocksEventReasons` and `nvmlDeviceGetClockInfo`; the share of the clock is
    that of nvbench's ``--throttle-threshold``.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LIBRARY = "libnvidia-ml.so.1"
# nvml.h: slowdown by hardware, by software for heat, by hardware for heat, and by the power supply. That the power
# limit holds the clock down (0x4) is how a GPU at full load runs; then the clock itself tells.
_SLOWED = 0x8 | 0x20 | 0x40 | 0x80
SM_CLOCK = 1
_LEAST_SHARE = 0.75


@dataclass(frozen=True)
class Throttling:
    """How throttling is seen.

    Attributes:
        seen: Asks, at once: whether the GPU is throttled now.
        how: What is asked, or why nothing can be.
    """

    seen: Callable[[], bool]
    how: str


def _never() -> bool:
    return False


ON_CPU = Throttling(_never, "not looked at on a CPU")


def throttling_of(device: "torch.device", load: Callable[[str], Any] = ctypes.CDLL) -> Throttling:
    """Return how a device's throttling is seen; where it cannot be, no sample is dropped and ``how`` says why.

    Args:
        device: ``cpu`` or a CUDA device.
        load: Opens the driver's library.

    Examples:
        >>> import torch
        >>> throttling_of(torch.device("cpu")).how
        'not looked at on a CPU'
    """
    if device.type != "cuda":
        return ON_CPU
    try:
        return _of_gpu(*opened(device, load))
    except (OSError, AttributeError, RuntimeError) as error:
        return Throttling(_never, f"not seen: {error}")


def opened(device: "torch.device", load: Callable[[str], Any] = ctypes.CDLL) -> tuple[Any, ctypes.c_void_p]:
    """Open the driver's library, and find a device in it.

    Raises:
        OSError: Where there is no such library.
        RuntimeError: Where it does not know the device.
    """
    nvml = load(_LIBRARY)
    must(nvml.nvmlInit_v2(), "nvmlInit")
    handle = ctypes.c_void_p()
    must(nvml.nvmlDeviceGetHandleByUUID(_uuid(device), ctypes.byref(handle)), "nvmlDeviceGetHandleByUUID")
    return nvml, handle


def _of_gpu(nvml: Any, handle: ctypes.c_void_p) -> Throttling:  # noqa: ANN401 - a library's functions have no types
    most = clock_mhz(nvml.nvmlDeviceGetMaxClockInfo, handle, SM_CLOCK)

    def seen() -> bool:
        if _reasons(nvml, handle) & _SLOWED:
            return True
        return clock_mhz(nvml.nvmlDeviceGetClockInfo, handle, SM_CLOCK) < _LEAST_SHARE * most

    seen()
    return Throttling(seen, f"NVML: slowed down, or an SM clock below {_LEAST_SHARE:.0%} of {most} MHz")


def _uuid(device: "torch.device") -> bytes:
    """Return the name under which the driver knows a device: its index differs where CUDA_VISIBLE_DEVICES is set."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()


def _reasons(nvml: Any, handle: ctypes.c_void_p) -> int:  # noqa: ANN401 - as above
    reasons = ctypes.c_ulonglong()
    # The name that drivers of every age have.
    must(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle, ctypes.byref(reasons)), "reading why clocks changed")
    return reasons.value


def clock_mhz(ask: Callable[..., int], handle: ctypes.c_void_p, which: int) -> int:
    """Read one of a device's clocks."""
    clock = ctypes.c_uint()
    must(ask(handle, which, ctypes.byref(clock)), "reading the SM clock" if which == SM_CLOCK else "reading a clock")
    return clock.value


def must(code: int, what: str) -> None:
    """Raise a RuntimeError where the driver's library refuses."""
    if code:
        message = f"{what} failed with NVML's code {code}"
        raise RuntimeError(message)
