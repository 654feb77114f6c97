import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from segcli import files
from segcli.errors import SegcliError
from segcli.files import (
    allow_open_files,
    check_destination,
    check_source,
    raising_at_the_end,
    replacing,
    umask,
)


@pytest.fixture
def as_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Act as an ordinary user: root may read and write everything, so nothing would be refused."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    os.chown(tmp_path, nobody, nobody)
    # Folders above are root's alone; an open one is reached without walking down from them.
    monkeypatch.chdir(tmp_path)
    os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture(params=["unnamed", "named", "no /proc"])
def _kind_of_temporary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let temporary files have no name, as on Linux, or one, as where the system or its /proc allows no other."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")
    elif request.param == "no /proc":
        monkeypatch.setattr(files, "_handle", lambda _: "/none")


every_kind = pytest.mark.usefixtures("_kind_of_temporary")


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_source_is_read(tmp_path: Path) -> None:
    source = tmp_path / "logits.pt"
    source.write_bytes(b"x")
    check_source(source)


def test_a_missing_source_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "logits.pt").write_bytes(b"x")
    with pytest.raises(SegcliError, match=r"logit\.pt does not exist") as caught:
        check_source(tmp_path / "logit.pt")
    assert caught.value.hint == f"did you mean {tmp_path / 'logits.pt'}?"


def test_a_missing_source_without_neighbours(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="does not exist") as caught:
        check_source(tmp_path / "logits.pt")
    assert caught.value.hint == "check the name and the folder you are in"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="does not exist") as caught:
        check_source(tmp_path / "run" / "logits.pt")
    assert caught.value.hint == f"there is no folder {tmp_path / 'run'}"


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logits.pt").touch()
    with pytest.raises(SegcliError, match=r"logits\.pt is empty \(0 bytes\)"):
        check_source(tmp_path / "logits.pt")


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="is a folder, expected a file"):
        check_source(tmp_path)


def test_a_pipe_is_a_source_where_that_will_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_source(tmp_path / "pipe", pipes=True)
    with pytest.raises(SegcliError, match="is a pipe or a device, expected a file"):
        check_source(tmp_path / "pipe")


def test_a_name_that_no_system_takes_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match=r"cannot read .*: File name too long"):
        check_source(tmp_path / ("x" * 300))


@pytest.mark.usefixtures("as_user")
def test_an_unreadable_source_is_refused() -> None:
    source = Path("logits.pt")
    source.write_bytes(b"x")
    source.chmod(0)
    with pytest.raises(SegcliError, match="Permission denied"):
        check_source(source)


@every_kind
def test_the_file_appears_whole_with_the_usual_mode(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    with replacing(destination) as file:
        file.write(b"{}")
        assert not destination.exists()
    assert destination.read_bytes() == b"{}"
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(destination.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert leftovers(tmp_path) == ["plain", "result.json"]


@every_kind
def test_force_replaces_and_keeps_the_mode(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    destination.write_bytes(b"old")
    destination.chmod(0o640)
    with replacing(destination, force=True) as file:
        file.write(b"new")
    assert destination.read_bytes() == b"new"
    assert stat.S_IMODE(destination.stat().st_mode) == 0o640


@every_kind
def test_a_link_is_written_through(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with replacing(link, force=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@every_kind
def test_an_existing_destination_is_refused(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    destination.write_bytes(b"old")
    with pytest.raises(SegcliError, match="exists already") as caught, replacing(destination):
        pass
    assert "--force" in caught.value.hint
    assert destination.read_bytes() == b"old"


@every_kind
def test_a_destination_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    with pytest.raises(SegcliError, match="exists already"), replacing(destination) as file:
        file.write(b"mine")
        destination.write_bytes(b"theirs")
    assert destination.read_bytes() == b"theirs"
    assert leftovers(tmp_path) == ["result.json"]


@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
def test_without_hard_links_a_rename_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, taken: bool) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os, "link", no_links)
    destination = tmp_path / "result.json"
    if not taken:
        with replacing(destination) as file:
            file.write(b"mine")
        assert destination.read_bytes() == b"mine"
        return
    with pytest.raises(SegcliError, match="exists already"), replacing(destination):
        destination.write_bytes(b"theirs")
    assert destination.read_bytes() == b"theirs"


@every_kind
def test_an_error_in_the_block_leaves_what_was_there(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    destination.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError, match="zero"), replacing(destination, force=True) as file:
        file.write(b"half")
        1 / 0  # noqa: B018 - any error
    assert destination.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["result.json"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is a folder, expected a file to write"),
        ("absent/result.json", "there is no folder"),
        ("/dev/null", "is not a regular file, so it cannot be replaced"),
    ],
)
def test_impossible_destinations_are_refused(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        check_destination(tmp_path / path, force=True)


@pytest.mark.usefixtures("as_user")
def test_an_unwritable_folder_is_refused() -> None:
    Path().chmod(0o500)
    with pytest.raises(SegcliError, match="is not writable"):
        check_destination(Path("result.json"), force=False)


# The limit on a file's size fails a write just as a full disk does, and needs no root.
_FULL_DISK = """
import resource, sys
from pathlib import Path
from segcli import files
from segcli.errors import SegcliError
from segcli.files import replacing
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with replacing(Path(sys.argv[1]), force=True) as file:
        file.write(bytes(1 << 20))
except SegcliError as error:
    print(error.message)
"""


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    destination.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(destination)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cannot write {destination}: File too large\n"
    assert destination.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["result.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_really_full_disk(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(SegcliError, match="No space left on device"), replacing(tmp_path / "result") as file:
            file.write(bytes(1 << 20))
        assert leftovers(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@every_kind
def test_a_name_of_255_bytes(tmp_path: Path) -> None:
    destination = tmp_path / ("\u00e9" * 127)
    for content in (b"old", b"new"):
        with replacing(destination, force=True) as file:
            file.write(content)
        assert destination.read_bytes() == content
    assert leftovers(tmp_path) == [destination.name]


def test_nothing_has_a_name_before_it_is_whole(tmp_path: Path) -> None:
    with replacing(tmp_path / "result") as file:
        file.write(b"half")
        assert leftovers(tmp_path) == []
    assert leftovers(tmp_path) == ["result"]


@every_kind
def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with (
        pytest.raises(SegcliError, match=r"cannot write .*: No such file or directory"),
        replacing(folder / "r") as file,
    ):
        file.write(b"half")
        shutil.rmtree(folder)
    assert leftovers(tmp_path) == []


def test_a_rename_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = tmp_path / "result"
    destination.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(SegcliError, match="Input/output error"), replacing(destination, force=True) as file:
        file.write(b"new")
    assert destination.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["result"]


_INTERRUPTED = """
import sys, time
from pathlib import Path
from segcli.files import replacing
with replacing(Path(sys.argv[1]), force=True) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def test_an_interrupt_leaves_what_was_there(tmp_path: Path) -> None:
    destination = tmp_path / "result.json"
    destination.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, str(destination)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) != 0
    assert destination.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["result.json"]


def refuse_limit(_which: int, _limits: tuple[int, int]) -> None:
    message = "current limit exceeds maximum limit"
    raise ValueError(message)


def test_more_open_files_are_allowed_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        allow_open_files(10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (128, hard)
        allow_open_files(200)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (264, hard)
        monkeypatch.setattr(resource, "setrlimit", refuse_limit)
        with pytest.raises(SegcliError, match="1,000,000 files are needed at once, and this"):
            allow_open_files(10**6)
    finally:
        monkeypatch.undo()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_kind_of_temporary")
def test_a_new_file_is_as_private_as_is_asked(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        for mode, expected in ((0o600, 0o600), (0o640, 0o640), (0o666, 0o644), (0o777, 0o644), (0o000, 0o600)):
            with replacing(tmp_path / oct(mode), mode=mode) as file:
                file.write(b"x")
            assert stat.S_IMODE((tmp_path / oct(mode)).stat().st_mode) == expected
        assert umask() == 0o022
    finally:
        os.umask(mask)
    # One that is replaced keeps its own.
    (tmp_path / "0o666").chmod(0o660)
    with replacing(tmp_path / "0o666", force=True, mode=0o600) as file:
        file.write(b"y")
    assert stat.S_IMODE((tmp_path / "0o666").stat().st_mode) == 0o660


def test_a_request_to_end_raises(tmp_path: Path) -> None:
    heard: list[int] = []
    # Whoever measures coverage may listen.
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit, match="143") as caught, raising_at_the_end():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        assert caught.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        # Where somebody listens, or in a thread, nothing changes.
        signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
        with raising_at_the_end():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]

    def work() -> None:
        with raising_at_the_end():
            (tmp_path / "done").touch()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (tmp_path / "done").exists()


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(SegcliError, match="link is a link to nowhere, which does not exist"):
        check_source(tmp_path / "link")
