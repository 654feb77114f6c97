"""Compiles ``native.cpp`` at its first use, and keeps the library for the next one.

No torch headers are needed, so that takes a few seconds, and no build tools but the compiler.
"""

import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from segcli.errors import ExitCode, SegcliError

SOURCE = Path(__file__).with_name("native.cpp")
HEADERS = Path(__file__).with_name("native")
# Nothing here lets the compiler forget NaN and infinity, which the kernel has to report.
FLAGS = (
    *("-O3", "-std=c++17", "-shared", "-fPIC", "-pthread", "-w", "-Wno-psabi"),
    *("-fopenmp-simd", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
)
# The first that the compiler takes.
MACHINE_FLAGS: tuple[tuple[str, ...], ...] = (("-march=native",), ())
COMPILERS = ("c++", "g++", "clang++")
# A few seconds are enough; a compiler that waits for something must not hang a training run.
LONGEST_S = 300


class CompilerUnavailable(SegcliError):  # noqa: N818 - it says what is missing
    """No compiler made the kernel's library, or the library does not load."""

    def __init__(self, message: str, hint: str) -> None:
        """Keep what failed, and the way out."""
        super().__init__(message, hint, ExitCode.UNAVAILABLE)


def load_library() -> ctypes.CDLL:
    """Return the kernel's library: the one in the cache, or one that is compiled now.

    The cache is ``$XDG_CACHE_HOME/segcli/kernels``, else ``~/.cache/segcli/kernels``. Where that cannot be written, or
    someone else could write there, the library is compiled for this process alone.

    Raises:
        CompilerUnavailable: Where there is no C++ compiler, or it fails.
    """
    compiler = find_compiler()
    key = _key(compiler)
    try:
        folder = _private_folder(_cache_folder() / key)
        return _load(_find(folder) or _build(compiler, folder))
    except (OSError, RuntimeError):  # no home is a RuntimeError
        return _load_once(compiler)


def _load_once(compiler: list[str]) -> ctypes.CDLL:
    try:
        # A library that is loaded outlives its file.
        with tempfile.TemporaryDirectory(prefix="segcli-") as folder:
            return _load(_build(compiler, Path(folder)))
    except OSError as error:
        message = f"the compiled kernel does not load: {error}"
        raise CompilerUnavailable(message, hint="name another C++17 compiler in $CXX") from error


def find_compiler() -> list[str]:
    """Return the command of the C++ compiler: ``$CXX``, which may have options, else the first of `COMPILERS`.

    Raises:
        CompilerUnavailable: Where none of them is a program.
    """
    command = shlex.split(os.environ.get("CXX", ""))
    if command:
        if shutil.which(command[0]) is None:
            message = f"$CXX is {os.environ['CXX']}, and there is no program {command[0]}"
            raise CompilerUnavailable(message, hint="name a C++17 compiler in $CXX, or unset it")
        return command
    for name in COMPILERS:
        if shutil.which(name) is not None:
            return [name]
    message = f"there is no C++ compiler: none of {', '.join(COMPILERS)} is on the PATH"
    raise CompilerUnavailable(message, hint="install g++ or clang++, or name a C++17 compiler in $CXX")


def _key(compiler: list[str]) -> str:
    """Name all that decides what the library holds, and on which machines it runs."""
    version = _run([*compiler, "--version"]).stdout
    sources = [path.read_text() for path in (SOURCE, *sorted(HEADERS.glob("*.hpp")))]
    parts = [sources, FLAGS, MACHINE_FLAGS, compiler, version, platform.platform(), _cpu()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _cpu() -> str:
    """Describe the CPU: homes are shared by machines that do not have each other's instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fixed = ("model name", "flags", "Features", "CPU implementer", "CPU architecture", "CPU variant", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(fixed)}))


def _cache_folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative one does not count, says the XDG base directory specification.
    return (base if base.is_absolute() else Path.home() / ".cache") / "segcli" / "kernels"


def _private_folder(folder: Path) -> Path:
    """Create ``folder`` and those above it up to ``segcli``, and see that nobody else can write there."""
    above = [folder.parent.parent, folder.parent, folder]
    above[0].parent.mkdir(parents=True, exist_ok=True)
    for level in above:
        level.mkdir(mode=0o700, exist_ok=True)
        if not stat.S_ISDIR(level.lstat().st_mode) or not _is_private(level):
            message = f"others can write to {level}"
            raise PermissionError(message)
    return folder


def _is_private(path: Path) -> bool:
    status = path.lstat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _find(folder: Path) -> Path | None:
    """Return the library in ``folder``. Its name is its checksum: what is not whole is removed."""
    for path in sorted(folder.glob("*.so")):
        if _is_private(path) and _checksum(path) == path.stem:
            return path
        path.unlink(missing_ok=True)
    return None


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _build(compiler: list[str], folder: Path) -> Path:
    """Compile the library into ``folder``: others that do the same meanwhile do no harm."""
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as temporary:
        made = Path(temporary) / "library.so"
        _compile(compiler, made)
        made.chmod(0o700)
        path = folder / f"{_checksum(made)}.so"
        made.replace(path)
    return path


def _compile(compiler: list[str], target: Path) -> None:
    said = ""
    for machine_flags in MACHINE_FLAGS:
        finished = _run([*compiler, *FLAGS, *machine_flags, str(SOURCE), "-o", str(target)])
        if finished.returncode == 0:
            return
        said = finished.stderr
    last = "\n".join(said.strip().splitlines()[-5:]) or "it said nothing"
    message = f"{shlex.join(compiler)} does not compile the kernel: {last}"
    raise CompilerUnavailable(message, hint="name another C++17 compiler in $CXX")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - the user's own compiler, and no shell
            command, capture_output=True, text=True, errors="replace", check=False, timeout=LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"{shlex.join(command[:1])} does not run: {error}"
        raise CompilerUnavailable(message, hint="name another C++17 compiler in $CXX") from error


def _load(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))
