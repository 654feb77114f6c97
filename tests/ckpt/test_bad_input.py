import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.formats.crafting import large, tags


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("command", [["inspect"], ["convert", "DST", "--to", "cpu"]], ids=lambda one: one[0])
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (Path.unlink, "error: model.pth does not exist"),
        (lambda path: path.write_bytes(b""), "error: model.pth is empty (0 bytes)"),
        (lambda path: (path.unlink(), path.mkdir()), "error: model.pth is a folder, expected a file"),
        (cut, "error: model.pth is truncated"),
        (lambda path: path.write_bytes(b"<!DOCTYPE html>"), "error: model.pth is an HTML page"),
    ],
    ids=["missing", "empty", "folder", "truncated", "HTML"],
)
def test_sources_that_are_no_checkpoint(
    segcli: Run, source: Path, command: list[str], spoil: Callable[[Path], object], error: str
) -> None:
    spoil(source)
    name, *rest = command
    done = segcli("ckpt", name, source, *rest)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)
    assert "\nhint: " in done.err or error.endswith("expected a file")
    assert not Path("DST").exists()


def test_a_plain_pickle_is_not_converted(segcli: Run, source: Path) -> None:
    source.write_bytes(pickle.dumps([1]))
    done = segcli("ckpt", "convert", source, "DST", "--to", "cpu")
    assert (done.code, done.out) == (2, "")
    assert "error: model.pth is a plain pickle" in done.err


def test_an_unknown_device(segcli: Run, source: Path) -> None:
    done = segcli("ckpt", "convert", source, "DST", "--to", "cudo")
    assert done.code == 2
    assert done.err == (
        "error: unknown device 'cudo', expected cpu, cuda, cuda:N, mps, meta, xpu, hpu, mtia, privateuse1, npu or "
        "mlu\n"
        "hint: did you mean cuda?\n"
    )


def test_an_existing_destination_stays_without_force(segcli: Run, source: Path) -> None:
    Path("DST").write_text("precious")
    done = segcli("ckpt", "convert", source, "DST", "--to", "cpu")
    assert done.code == 2
    assert done.err == "error: DST exists already\nhint: choose another name, or replace it with --force\n"
    assert Path("DST").read_text() == "precious"
    assert segcli("ckpt", "convert", source, "DST", "--to", "cpu", "--force").code == 0
    assert tags(Path("DST")) == {"cpu"}


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink", "dotted"])
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_source_and_destination_must_differ(segcli: Run, source: Path, link: str, force: list[str]) -> None:
    before = source.read_bytes()
    other = {"same": source, "dotted": Path(f"./{source}")}.get(link, Path("other.pth"))
    if link == "symlink":
        other.symlink_to(source)
    elif link == "hardlink":
        other.hardlink_to(source)
    done = segcli("ckpt", "convert", source, other, "--to", "cpu", *force)
    assert done.code == 2
    assert "are the same file" in done.err
    assert source.read_bytes() == before


def test_a_destination_in_no_folder(segcli: Run, source: Path) -> None:
    done = segcli("ckpt", "convert", source, "none/DST", "--to", "cpu")
    assert done.code == 2
    assert done.err.startswith("error: cannot write none/DST: there is no folder none")


def test_a_destination_that_is_a_folder(segcli: Run, source: Path, tmp_path: Path) -> None:
    done = segcli("ckpt", "convert", source, tmp_path, "--to", "cpu", "--force")
    assert done.code == 2
    assert "is a folder, expected a file to write" in done.err


def test_a_limit_on_file_sizes_leaves_nothing(tmp_path: Path) -> None:
    source = large(tmp_path / "model.pth")
    done = subprocess.run(
        [sys.executable, "-m", "segcli", "ckpt", "convert", source, tmp_path / "DST", "--to", "cuda"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot write {tmp_path}/DST: File too large")
    assert list(tmp_path.iterdir()) == [source]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "segcli", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_nothing(segcli: Run, tmp_path: Path, small_disk: Path) -> None:
    source = large(tmp_path / "model.pth")
    done = segcli("ckpt", "convert", source, small_disk / "DST", "--to", "cuda")
    assert done.code == 2
    assert done.err == f"error: cannot write {small_disk}/DST: No space left on device\n"
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_is_not_writable(segcli: Run, source: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = segcli("ckpt", "convert", source, small_disk / "DST", "--to", "cpu")
    assert done.code == 2
    assert done.err == f"error: cannot write {small_disk}/DST: the folder {small_disk} is not writable\n"


def test_standard_output_is_no_destination(segcli: Run, source: Path) -> None:
    done = segcli("ckpt", "convert", source, "-", "--to", "cpu")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: - is no destination: a checkpoint is written to a file, which appears once it is whole\n"
    assert not Path("-").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into every folder")
def test_a_folder_that_is_not_writable(segcli: Run, source: Path) -> None:
    Path("locked").mkdir(mode=0o500)
    done = segcli("ckpt", "convert", source, "locked/DST", "--to", "cpu")
    assert done.code == 2
    assert "is not writable" in done.err


_SLOW = """
import sys, time
from segcli.cli import run
from segcli.formats import copying

def slowly(source, destination, count, start, at):
    print("copying", flush=True)
    time.sleep(60)

copying._COPY_CALLS = (slowly,)
sys.exit(run(sys.argv[1:]))
"""


def test_an_interrupt_leaves_what_was_there(tmp_path: Path) -> None:
    source, destination = large(tmp_path / "model.pth"), tmp_path / "DST"
    destination.write_text("precious")
    words = ["ckpt", "convert", str(source), str(destination), "--to", "cuda", "--force"]
    command = [sys.executable, "-c", _SLOW, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "copying\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "error: interrupted\n"
    assert destination.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [destination, source]
