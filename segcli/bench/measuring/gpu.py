"""A CUDA device as torch and the driver describe it."""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from segcli.bench.measuring.throttling import SM_CLOCK, clock_mhz, must, opened

if TYPE_CHECKING:
    import torch

_MEMORY_CLOCK = 2
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Gpu:
    """A CUDA device; what the driver does not say is empty or None.

    Attributes:
        name: The product.
        memory_bytes: All of it.
        capability: The compute capability, such as ``9.0``.
        cuda: The CUDA that torch was built with.
        cudnn: Its version.
        driver: Its version.
        sm_clock_hz: Of the multiprocessors, before the run.
        max_sm_clock_hz: As high as it may go.
        memory_clock_hz: Before the run.
        power_limit_w: Watts that it may draw.
    """

    name: str
    memory_bytes: int
    capability: str
    cuda: str
    cudnn: int | None
    driver: str = ""
    sm_clock_hz: float | None = None
    max_sm_clock_hz: float | None = None
    memory_clock_hz: float | None = None
    power_limit_w: float | None = None


def gpu_of(device: "torch.device", load: Callable[[str], Any] = ctypes.CDLL) -> Gpu:
    """Describe a device.

    Args:
        device: A CUDA device.
        load: Opens the driver's library.
    """
    import torch

    properties = torch.cuda.get_device_properties(device)
    known = Gpu(
        name=properties.name,
        memory_bytes=properties.total_memory,
        capability=f"{properties.major}.{properties.minor}",
        cuda=str(torch.version.cuda),
        cudnn=torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
    )
    # A driver that says nothing is no reason not to time.
    with suppress(OSError, AttributeError, RuntimeError):
        return _with_driver(known, *opened(device, load))
    return known


def _with_driver(known: Gpu, nvml: Any, handle: ctypes.c_void_p) -> Gpu:  # noqa: ANN401 - a library's functions have no types
    driver = ctypes.create_string_buffer(_LONGEST_NAME)
    must(nvml.nvmlSystemGetDriverVersion(driver, _LONGEST_NAME), "reading the driver's version")
    power_mw = ctypes.c_uint()
    must(nvml.nvmlDeviceGetEnforcedPowerLimit(handle, ctypes.byref(power_mw)), "reading the power limit")
    return replace(
        known,
        driver=driver.value.decode(errors="replace"),
        sm_clock_hz=1e6 * clock_mhz(nvml.nvmlDeviceGetClockInfo, handle, SM_CLOCK),
        max_sm_clock_hz=1e6 * clock_mhz(nvml.nvmlDeviceGetMaxClockInfo, handle, SM_CLOCK),
        memory_clock_hz=1e6 * clock_mhz(nvml.nvmlDeviceGetClockInfo, handle, _MEMORY_CLOCK),
        power_limit_w=power_mw.value / 1e3,
    )
