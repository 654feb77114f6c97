"""How large the last-level cache is, as the system says."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_CPUS = Path("/sys/devices/system/cpu")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def last_level_cache_bytes(device: "torch.device", cpus: Path = _CPUS) -> int | None:
    """Return the size of a device's last-level cache; None where the system does not say.

    On a CPU it is the sum over all caches of the last level that this process's cores share: processors of several
    dies have several.

    Args:
        device: ``cpu`` or a CUDA device.
        cpus: Where Linux describes the processors.
    """
    if device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).L2_cache_size) or None
    return _of_cpus(cpus, _used_cpus())


def _used_cpus() -> Iterable[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _of_cpus(folder: Path, used: Iterable[int]) -> int | None:
    # Cores that share a cache all name it: it counts once.
    caches: dict[tuple[int, str], int] = {}
    for cpu in used:
        for index in (folder / f"cpu{cpu}" / "cache").glob("index*"):
            try:
                texts = [(index / name).read_text(encoding="ascii").strip() for name in _NAMES]
                level, kind, size, shared = int(texts[0]), *texts[1:]
                if kind != "Instruction":
                    caches[level, shared] = _size(size)
            except (OSError, ValueError):
                continue
    last = max((level for level, _ in caches), default=0)
    return sum(size for (level, _), size in caches.items() if level == last) or None


_NAMES = ("level", "type", "size", "shared_cpu_list")


def _size(text: str) -> int:
    """Return the bytes of a size such as ``32768K``."""
    unit = _UNITS.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * unit
