"""The machine and the process: what a timing depends on, recorded, and set to what makes it repeatable."""

import contextlib
import gc
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from segcli import __version__
from segcli.bench.measuring.gpu import Gpu, gpu_of
from segcli.bench.measuring.processor import Processor, processor
from segcli.errors import ExitCode, SegcliError
from segcli.launch import cores

if TYPE_CHECKING:
    import torch

_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")
_PREFIXES = (
    "OMP_",
    "MKL_",
    "KMP_",
    "GOMP_",
    "DNNL_",
    "ONEDNN_",
    "ATEN_",
    "TORCH_",
    "PYTORCH_",
    "CUDA_",
    "CUBLAS_",
    "MALLOC_",
    "LOCAL_WORLD_SIZE",
)
# From glibc's malloc.h, with its defaults.
_M_TRIM_THRESHOLD, _TRIM_DEFAULT = -1, 128 * 1024
_M_MMAP_MAX, _MMAP_MAX_DEFAULT = -4, 65536
_NEVER_TRIM = 2**31 - 1
# Ampere's compute capability.
_FIRST_WITH_TF32 = (8, 0)


@dataclass(frozen=True)
class Flags:
    """What the process was set to while timing.

    Attributes:
        flush_denormal: Whether denormal numbers count as 0; with them a kernel can be tenfold slower.
        keep_freed_memory: Whether freed memory stays with the process (glibc alone), as CUDA's caching allocator
            keeps it: else page faults, not kernels, are timed.
        tf32: Whether float32 may be computed with 10 bits of mantissa.
        cudnn_benchmark: Whether cuDNN tries algorithms; torch's default, off, is kept.
        garbage_collection: Whether Python's collector runs between calls.
    """

    flush_denormal: bool
    keep_freed_memory: bool
    tf32: bool
    cudnn_benchmark: bool
    garbage_collection: bool


@dataclass(frozen=True)
class Environment:
    """Where a run took place.

    Attributes:
        cpu: The processor's name.
        cores: Cores that this process may use.
        load: Runnable processes over the last minute, before the run; None where the system does not say.
        os: System and kernel.
        python: Its version.
        torch: Its version.
        device: Where the kernels ran.
        threads: torch's threads.
        gpu: The CUDA device, or None.
        flags: What was set.
        variables: Environment variables that libraries read.
        segcli: Its version.
        interop_threads: Threads between which torch shares out operations.
        torch_config: What torch was built with, and the instructions that it found, a line each.
        processor: What the system says of the processor.
    """

    cpu: str
    cores: int
    load: float | None
    os: str
    python: str
    torch: str
    device: str
    threads: int
    gpu: Gpu | None
    flags: Flags
    variables: dict[str, str]
    segcli: str = ""
    interop_threads: int | None = None
    torch_config: tuple[str, ...] = ()
    processor: Processor = field(default_factory=Processor)


def environment_of(device: "torch.device", flags: Flags) -> Environment:
    """Describe the machine and the process as they are now."""
    import torch

    return Environment(
        cpu=cpu_name(),
        cores=cores(),
        load=_load(),
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        torch=torch.__version__,
        device=str(device),
        threads=torch.get_num_threads(),
        gpu=gpu_of(device) if device.type == "cuda" else None,
        flags=flags,
        variables={name: value for name, value in sorted(os.environ.items()) if name.startswith(_PREFIXES)},
        segcli=__version__,
        interop_threads=torch.get_num_interop_threads(),
        torch_config=_torch_config(),
        processor=processor(),
    )


def _torch_config() -> tuple[str, ...]:
    import torch

    return tuple(line.strip().removeprefix("- ") for line in torch.__config__.show().splitlines() if line.strip())


def cpu_name() -> str:
    """Return the processor's name as its maker gives it, or the architecture where the system does not say."""
    with contextlib.suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def available_bytes(device: "torch.device") -> int:
    """Return the memory that could be taken now, on the device."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    with contextlib.suppress(OSError):
        for line in _MEMINFO.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key == "MemAvailable":
                return int(value.split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def settled_process(*, tf32: bool = False) -> Iterator[Flags]:
    """Set the process to what makes timings repeatable, and set it back after.

    Args:
        tf32: Whether CUDA may compute float32 with 10 bits of mantissa.

    Examples:
        >>> with settled_process() as flags:
        ...     flags.tf32, flags.garbage_collection
        (False, False)
    """
    import torch

    before = (_flushes_denormals(), gc.isenabled(), torch.get_num_threads())
    tf32_before = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
    flush = torch.set_flush_denormal(True)
    kept = _keep_freed_memory(_NEVER_TRIM, 0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    gc.collect()
    gc.disable()
    try:
        yield Flags(flush, kept, tf32=tf32, cudnn_benchmark=torch.backends.cudnn.benchmark, garbage_collection=False)
    finally:
        if before[1]:
            gc.enable()
        torch.set_num_threads(before[2])
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32_before
        _keep_freed_memory(_TRIM_DEFAULT, _MMAP_MAX_DEFAULT)
        torch.set_flush_denormal(before[0])


def require_tf32(device: "torch.device") -> None:
    """Refuse TF32 where there is none.

    Raises:
        SegcliError: For anything but a CUDA device of capability 8.0 or more (exit code 3).
    """
    import torch

    if device.type != "cuda":
        message = f"--tf32 is of CUDA devices, the kernels run on {device}"
        raise SegcliError(message, hint="add --device cuda, or leave --tf32 out")
    capability = torch.cuda.get_device_capability(device)
    if capability < _FIRST_WITH_TF32:
        message = f"{device} has capability {capability[0]}.{capability[1]}, and TF32 needs 8.0"
        raise SegcliError(message, hint="leave --tf32 out", code=ExitCode.UNAVAILABLE)


def _flushes_denormals() -> bool:
    import torch

    return (torch.tensor(1e-310, dtype=torch.float64) * 1).item() == 0


def _keep_freed_memory(trim_threshold: int, mmap_max: int) -> bool:
    """Tell glibc's malloc when to give memory back; False where there is another malloc."""
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, mmap_max) and mallopt(_M_TRIM_THRESHOLD, trim_threshold))


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
