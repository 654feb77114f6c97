"""How large the last-level cache is, as the system says."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.bench.measuring.processor import bytes_of

if TYPE_CHECKING:
    import torch

_CPUS = Path("/sys/devices/system/cpu")


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
            except (OSError, ValueError):
                continue
            sized = bytes_of(size)
            if sized is not None and kind != "Instruction":
                caches[level, shared] = sized
    last = max((level for level, _ in caches), default=0)
    return sum(size for (level, _), size in caches.items() if level == last) or None


_NAMES = ("level", "type", "size", "shared_cpu_list")
