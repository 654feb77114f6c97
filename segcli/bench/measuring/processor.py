"""What Linux says of the processor: its caches, who sets its clock, how fast that is now. Without torch."""

from dataclasses import dataclass, field
from pathlib import Path

_SYSTEM = Path("/sys/devices/system/cpu")
_SUPPLIES = Path("/sys/class/power_supply")
_CPUINFO = Path("/proc/cpuinfo")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
_SHORT = {"Data": "d", "Instruction": "i", "Unified": ""}


@dataclass(frozen=True)
class Processor:
    """One core as the system describes it; what it does not say is empty or None.

    Attributes:
        caches: Bytes by level: ``L1d``, ``L2``, ``L3``.
        governor: What sets the clock: ``performance``, ``powersave``.
        clock_hz: Before the run.
        max_clock_hz: As high as it may go.
        on_battery: Whether the machine runs on a battery; None where there is no telling.
    """

    caches: dict[str, int] = field(default_factory=dict)
    governor: str = ""
    clock_hz: float | None = None
    max_clock_hz: float | None = None
    on_battery: bool | None = None


def processor(system: Path = _SYSTEM, supplies: Path = _SUPPLIES, cpuinfo: Path = _CPUINFO) -> Processor:
    """Describe the first core.

    Args:
        system: Where Linux describes processors.
        supplies: Where it describes batteries and mains.
        cpuinfo: Where it says what it knows of each core.
    """
    frequency = system / "cpu0/cpufreq"
    return Processor(
        caches=dict(sorted(filter(None, map(_cache, (system / "cpu0/cache").glob("index*"))))),
        governor=_text(frequency / "scaling_governor"),
        clock_hz=_kilohertz(frequency / "scaling_cur_freq") or _megahertz(cpuinfo),
        max_clock_hz=_kilohertz(frequency / "cpuinfo_max_freq"),
        on_battery=_on_battery(supplies),
    )


def _cache(folder: Path) -> tuple[str, int] | None:
    level, kind, size = (_text(folder / name) for name in ("level", "type", "size"))
    sized = bytes_of(size)
    if sized is None or not level.isdecimal():
        return None
    return f"L{level}{_SHORT.get(kind, '')}", sized


def bytes_of(text: str) -> int | None:
    """Return the bytes of a cache's size as Linux writes it; None where it is none.

    Examples:
        >>> bytes_of("32768K"), bytes_of("")
        (33554432, None)
    """
    digits = text.rstrip("KMG")
    return int(digits) * _UNITS.get(text[-1], 1) if digits.isdecimal() else None


def _on_battery(supplies: Path) -> bool | None:
    """Return whether no mains is on; a machine without a battery has no mains to speak of."""
    try:
        found = {folder: _text(folder / "type") for folder in supplies.iterdir()}
    except OSError:
        return None
    mains = [folder for folder, kind in found.items() if kind == "Mains"]
    if "Battery" not in found.values() or not mains:
        return None
    return not any(_text(folder / "online") == "1" for folder in mains)


def _kilohertz(path: Path) -> float | None:
    text = _text(path)
    return 1e3 * int(text) if text.isdecimal() else None


def _megahertz(cpuinfo: Path) -> float | None:
    for line in _text(cpuinfo).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "cpu MHz":
            return 1e6 * float(value)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
