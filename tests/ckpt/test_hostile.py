"""Files made to deceive or to exhaust: nothing that they name is imported, called or unpickled."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segcli.ckpt import convert, inspect
from segcli.errors import SegcliError
from tests.formats.crafting import checkpoint, pickled, storage

# A process of its own, since a hook stays; by the time that it watches, all that segcli needs is imported.
_WATCHED = """
import sys
from pathlib import Path
import segcli.ckpt.conversion, segcli.ckpt.inspection, segcli.errors
folder, warm, *hostile = sys.argv[1:]

def run(path, number):
    for work in (lambda: segcli.ckpt.inspection.inspect(path),
                 lambda: segcli.ckpt.conversion.convert(path, Path(folder) / f"out{number}", "cuda:0")):
        try:
            work()
        except segcli.errors.SegcliError as error:
            print("refused:", error.message)

run(Path(warm), "warm")

def hook(event, arguments):
    if event in FORBIDDEN or event.split(".")[0] in ("subprocess", "pickle", "marshal", "socket", "ctypes"):
        print("EVENT", event, arguments)

FORBIDDEN = ("import", "exec", "compile", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.putenv")
sys.addaudithook(hook)
for number, path in enumerate(hostile):
    run(Path(path), number)
"""

CALL = b"S'touch PWNED'\n"
INNER = b"cposix\nsystem\n(" + CALL + b"tR."
HOSTILE = {
    "REDUCE": b"cposix\nsystem\n(" + CALL + b"tR.",
    "Python 2's names": b"c__builtin__\neval\n(" + CALL + b"tR.",
    "INST": b"(" + CALL + b"iposix\nsystem\n.",
    "OBJ": b"(cposix\nsystem\n" + CALL + b"o.",
    "NEWOBJ": b"\x80\x02cposix\nsystem\n(" + CALL + b"t\x81.",
    "NEWOBJ_EX": b"\x80\x04cposix\nsystem\n(" + CALL + b"t}\x92.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x05posix\x8c\x06system\x93(" + CALL + b"tR.",
    "dotted STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x0bpath.os.abc\x93(" + CALL + b"tR.",
    "BUILD": b"cposix\nsystem\n)R}S'__setstate__'\ncposix\nsystem\nsb.",
    "EXT": b"\x80\x02\x82\x01(" + CALL + b"tR.",
    "nested pickle": b"c_pickle\nloads\n(C" + bytes([len(INNER)]) + INNER + b"tR.",
    "an import alone": b"cantigravity\nfly\n.",
    "hidden behind POP": b"cposix\nsystem\n(" + CALL + b"tR0" + b"N.",
    "storage of another class": pickled([storage()]).replace(b"ctorch\nFloatStorage", b"cos\nsystemFloatStorage"),
}


def test_nothing_is_imported_or_called(tmp_path: Path) -> None:
    warm = checkpoint(tmp_path / "warm.pth", pickled([storage()]))
    paths = [checkpoint(tmp_path / f"{index}.pth", data) for index, data in enumerate(HOSTILE.values())]
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, tmp_path, warm, *paths],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "EVENT" not in done.stdout
    # One is refused by both commands: its storage is of no class that torch has. The others are read and told.
    assert done.stdout.count("refused") == 2
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize("name", list(HOSTILE))
def test_what_a_hostile_pickle_names_is_told(tmp_path: Path, name: str) -> None:
    try:
        found = inspect(checkpoint(tmp_path / "model.pth", HOSTILE[name]))
    except SegcliError as error:
        assert error.hint  # noqa: PT017 - either is right
        return
    assert any(named.verdict.value != "allowed" for named in found.globals)


MANY = settings(max_examples=1000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@MANY
@given(st.data())
def test_a_changed_file_is_read_or_refused_and_leaves_nothing(tmp_path: Path, data: st.DataObject) -> None:
    tree = {"device": "cpu", "w": storage(), "more": [storage(), ("cpu", 1.5, {"x": None})]}
    raw = bytearray(checkpoint(tmp_path / "model.pth", pickled(tree, data.draw(st.sampled_from([2, 4])))).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (tmp_path / "model.pth").write_bytes(raw)
    for work in (inspect, lambda path: convert(path, tmp_path / "out.pth", "cuda:0", force=True)):
        try:
            work(tmp_path / "model.pth")
        except SegcliError as error:
            assert error.message  # noqa: PT017 - either is right
    assert {path.name for path in tmp_path.iterdir()} <= {"model.pth", "out.pth"}


@MANY
@given(st.binary(max_size=80), st.integers(0, 300))
def test_any_bytes_as_a_pickle(tmp_path: Path, data: bytes, at: int) -> None:
    whole = pickled({"device": "cpu", "w": storage(), "s": {1, 2}, "n": [1.5, (None, True)]})
    for content in (data, whole[: at % len(whole)] + data + whole[at % len(whole) :]):
        path = checkpoint(tmp_path / "model.pth", content)
        for work in (inspect, lambda path: convert(path, tmp_path / "out.pth", "cuda:0", force=True)):
            try:
                work(path)
            except SegcliError as error:
                assert error.message  # noqa: PT017 - either is right


def test_truncation_anywhere_is_named(tmp_path: Path) -> None:
    raw = checkpoint(tmp_path / "model.pth", pickled([storage()])).read_bytes()
    for end in range(1, len(raw)):
        (tmp_path / "model.pth").write_bytes(raw[:end])
        with pytest.raises(SegcliError, match=r"truncated|damaged|no checkpoint"):
            convert(tmp_path / "model.pth", tmp_path / "out.pth", "cuda:0")
    assert not (tmp_path / "out.pth").exists()
