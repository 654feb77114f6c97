import ctypes
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from segcli.errors import ExitCode
from segcli.nn.kernels import build

HAS_COMPILER = any(shutil.which(name) for name in build.COMPILERS)
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="there is no C++ compiler")

# Stands in for the kernel where only the way it is built is at stake: it compiles in no time.
SMALL = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build something small, into an empty cache."""
    source = tmp_path / "small.cpp"
    source.write_text(SMALL)
    monkeypatch.setattr(build, "SOURCE", source)
    monkeypatch.setattr(build, "HEADERS", tmp_path)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def answer(library: ctypes.CDLL) -> int:
    return int(library.answer())


def libraries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.so"))


def fake_compiler(folder: Path, script: str) -> str:
    path = folder / "fake-c++"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


@needs_compiler
def test_a_second_load_compiles_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(build.load_library()) == 42
    (path,) = libraries(cache)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for folder in (cache / "segcli", cache / "segcli/kernels", path.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.setattr(build, "_compile", None)
    assert answer(build.load_library()) == 42
    # Nothing is left of how it came there.
    assert list(path.parent.iterdir()) == [path]


@needs_compiler
def test_a_changed_source_is_another_library(cache: Path) -> None:
    build.load_library()
    build.SOURCE.write_text(SMALL.replace("42", "43"))
    assert answer(build.load_library()) == 43
    (build.HEADERS / "more.hpp").write_text("// changed\n")
    build.load_library()
    assert len(libraries(cache)) == 3


@needs_compiler
@pytest.mark.parametrize("damage", [b"", b"\x7fELF and no more", None])
def test_a_damaged_library_is_compiled_anew(cache: Path, damage: bytes | None) -> None:
    build.load_library()
    (path,) = libraries(cache)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    script = (
        f"from segcli.nn.kernels import build; from pathlib import Path; build.SOURCE = Path({str(build.SOURCE)!r})"
    )
    script += f"; build.HEADERS = Path({str(build.HEADERS)!r}); print(build.load_library().answer())"
    # In a process of its own: this one has mapped the file that was damaged.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"
    (again,) = libraries(cache)
    assert build._checksum(again) == again.stem


@needs_compiler
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_where_others_can_write_is_not_used(cache: Path, mode: int) -> None:
    cache.mkdir()
    (cache / "segcli").mkdir()
    (cache / "segcli").chmod(mode)
    assert answer(build.load_library()) == 42
    assert libraries(cache) == []


@needs_compiler
def test_a_library_that_others_can_write_is_replaced(cache: Path) -> None:
    build.load_library()
    (path,) = libraries(cache)
    path.chmod(0o777)
    build.load_library()
    (path,) = libraries(cache)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


@needs_compiler
def test_a_link_in_place_of_the_folder_is_not_followed(cache: Path, tmp_path: Path) -> None:
    cache.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (cache / "segcli").symlink_to(tmp_path / "elsewhere")
    assert answer(build.load_library()) == 42
    assert list((tmp_path / "elsewhere").iterdir()) == []


@needs_compiler
def test_where_the_cache_cannot_be_written_a_temporary_folder_does(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file, no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert answer(build.load_library()) == 42
    assert list((tmp_path / "temporary").iterdir()) == []


@needs_compiler
def test_without_a_home_a_temporary_folder_does(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    monkeypatch.setenv("XDG_CACHE_HOME", "relative/does/not/count")
    monkeypatch.setattr(Path, "home", no_home)
    assert answer(build.load_library()) == 42
    assert not cache.exists()


@needs_compiler
def test_two_processes_at_once(cache: Path) -> None:
    script = (
        f"from segcli.nn.kernels import build; from pathlib import Path; build.SOURCE = Path({str(build.SOURCE)!r})"
    )
    script += f"; build.HEADERS = Path({str(build.HEADERS)!r}); print(build.load_library().answer())"
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == ["42\n", "42\n"]
    assert len(libraries(cache)) == 1


@needs_compiler
def test_a_machine_flag_that_is_refused_is_left_out(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MACHINE_FLAGS", (("-march=nothing-like-it",), ()))
    assert answer(build.load_library()) == 42
    assert len(libraries(cache)) == 1


def test_no_compiler(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        build.CompilerUnavailable, match=r"no C\+\+ compiler: none of c\+\+, g\+\+, clang\+\+"
    ) as caught:
        build.load_library()
    assert "install g++ or clang++" in caught.value.hint
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert not cache.exists()


def test_the_first_compiler_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("clang++", "g++"):
        (tmp_path / name).touch(0o700)
        assert build.find_compiler() == [name]


def test_the_environment_names_the_compiler_and_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_compiler(tmp_path, "exit 0")
    monkeypatch.setenv("CXX", f"{fake} -DNAME='two words'")
    assert build.find_compiler() == [fake, "-DNAME=two words"]


def test_the_environment_names_a_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    with pytest.raises(
        build.CompilerUnavailable, match=r"\$CXX is no-such-compiler -O1, and there is no program no-such"
    ):
        build.find_compiler()


def test_a_compiler_that_fails_is_quoted(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "for i in 1 2 3 4 5 6; do echo line $i >&2; done; exit 1"
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, script))
    with pytest.raises(build.CompilerUnavailable, match="does not compile the kernel: line 2\nline 3") as caught:
        build.load_library()
    assert caught.value.message.endswith("line 6")
    assert "another C++17 compiler in $CXX" in caught.value.hint
    assert libraries(cache) == []
    # No half-made folder stays behind.
    assert list(cache.rglob("build-*")) == []


def test_a_compiler_that_fails_without_a_word(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, "exit 1"))
    with pytest.raises(build.CompilerUnavailable, match="does not compile the kernel: it said nothing"):
        build.load_library()
    assert libraries(cache) == []


def test_a_compiler_that_makes_no_library(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && echo text > "$2"; shift; done'
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, script))
    with pytest.raises(build.CompilerUnavailable, match=r"the compiled kernel does not load: .*(ELF|file|object)"):
        build.load_library()
    assert cache.exists()


def test_a_compiler_that_is_no_program(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "damaged-c++"
    path.write_bytes(b"\0\1\2")
    path.chmod(0o700)
    monkeypatch.setenv("CXX", str(path))
    with pytest.raises(build.CompilerUnavailable, match=r"damaged-.* does not run: .*Exec format error"):
        build.load_library()
    assert not cache.exists()


def test_a_compiler_that_hangs(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", fake_compiler(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(build, "LONGEST_S", 0.1)
    with pytest.raises(build.CompilerUnavailable, match=r"does not run: .*timed out"):
        build.load_library()
    assert not cache.exists()


def test_the_key_tells_machines_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_run", lambda command: subprocess.CompletedProcess(command, 0, "version 1", ""))
    keys = []
    for cpu in ("flags: avx2", "flags: avx512f"):
        monkeypatch.setattr(build, "_cpu", lambda cpu=cpu: cpu)
        keys.append(build._key(["c++"]))
    assert keys[0] != keys[1]


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="Linux alone lists the CPU's flags there")  # noqa: PTH110
def test_the_cpu_is_what_does_not_change_from_moment_to_moment() -> None:
    assert build._cpu() == build._cpu() != ""
    assert "MHz" not in build._cpu()


def test_a_system_without_a_list_of_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr("platform.processor", lambda: "arm")
    assert build._cpu() == "arm"
