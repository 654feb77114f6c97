"""How much memory a process has needed."""

from pathlib import Path


def peak_bytes() -> int:
    """Return the most that this process had in memory.

    ``ru_maxrss`` of a process starts with what its parent had when it was forked: a test run's hundreds of megabytes.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    message = "this system does not say it"
    raise OSError(message)
