"""Files made to deceive or to exhaust: nothing that they name is imported, called or unpickled."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segcli.ckpt import convert, inspect, verify
from segcli.errors import SegcliError
from tests.formats.crafting import checkpoint, pickled, save, storage
from tests.formats.old_files import MAGIC, legacy, members, tar

# A process of its own, since a hook stays; by the time that it watches, all that segcli needs is imported.
_WATCHED = """
import contextlib, io, sys
from pathlib import Path
from segcli.cli import run

folder, warm, broken, *hostile = sys.argv[1:]
COMMANDS = [
    ["inspect", "FILE"], ["inspect", "FILE", "--json"],
    ["verify", "FILE", "--values"], ["verify", "FILE", "--json"],
    ["convert", "FILE", "OUT", "--to", "cuda:0"],
    ["convert", "FILE", "OUT", "--format", "legacy"], ["convert", "FILE", "OUT", "--format", "zip"],
    ["diff", "FILE", warm], ["diff", warm, "FILE"],
    ["merge", "FILE", warm, "--average", "--into", "OUT"], ["merge", "FILE", warm, "--join", "--into", "OUT"],
    ["strip", "FILE", "OUT", "--weights-only"],
]

def run_all(path):
    # Of the other formats, what reads them all.
    for words in COMMANDS if path.endswith((".zip.pth", "warm.pth")) else COMMANDS[:5:2]:
        out = Path(folder) / "out.pth"
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = run(["ckpt", *({"FILE": path, "OUT": str(out)}.get(word, word) for word in words)])
        out.unlink(missing_ok=True)
        if code not in (0, 1, 2):
            print("CODE", code, words, path, said.getvalue())

for path in (warm, broken, folder, *hostile[:1]):
    run_all(path)
run_all(warm)

def hook(event, arguments):
    if event in FORBIDDEN or event.split(".")[0] in ("subprocess", "pickle", "marshal", "socket", "ctypes"):
        print("EVENT", event, arguments)

FORBIDDEN = ("import", "exec", "compile", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.putenv")
sys.addaudithook(hook)
for path in hostile:
    run_all(path)
print("DONE", len(hostile))
"""

CALL = b"S'touch PWNED'\n"
INNER = b"cposix\nsystem\n(" + CALL + b"tR."
SYSTEM = b"cposix\nsystem\n"
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
    "BUILD with slots": b"cargparse\nNamespace\n)\x81N}S'__class__'\n" + SYSTEM + b"s\x86b.",
    "EXT": b"\x80\x02\x82\x01(" + CALL + b"tR.",
    "EXT2": b"\x80\x02\x83\x01\x00(" + CALL + b"tR.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00(" + CALL + b"tR.",
    "nested pickle": b"c_pickle\nloads\n(C" + bytes([len(INNER)]) + INNER + b"tR.",
    "nested checkpoint": b"ctorch.storage\n_load_from_bytes\n(C" + bytes([len(INNER)]) + INNER + b"tR.",
    "an import alone": b"cantigravity\nfly\n.",
    "hidden behind POP": b"cposix\nsystem\n(" + CALL + b"tR0" + b"N.",
    "hidden behind POP_MARK": b"N(" + SYSTEM + b"(" + CALL + b"tR1.",
    "called by what a call gives": b"c__builtin__\ngetattr\n(cos\npath\nS'system'\ntR(" + CALL + b"tR.",
    "DUP": SYSTEM + b"2(" + CALL + b"tR\x86.",
    "through the memo": SYSTEM + b"q\x000h\x00(" + CALL + b"tR.",
    "a memo of a far number": SYSTEM + b"r\xff\xff\xff\x7f0j\xff\xff\xff\x7f(" + CALL + b"tR.",
    "a call as a key": b"}" + SYSTEM + b"(" + CALL + b"tRNs.",
    "a call in a set": b"\x80\x04\x8f(" + SYSTEM + b"(" + CALL + b"tR\x90.",
    "a call as a class": b"(" + SYSTEM + b"(" + CALL + b"tRo.",
    "items of a call": b"ccollections\ndeque\n)R(" + SYSTEM + b"(" + CALL + b"tRe.",
    "escapes of protocol 0": b"cposix\nsystem\n(S'\\x74ouch PWNED'\ntR.",
    "a line break in a name": b"\x80\x04\x8c\x01a\x8c\x0db\ncposix\nsyste\x93.",
    "half of a surrogate pair as a name": b"\x80\x04\x8c\x03\xed\xa0\x80\x8c\x01a\x93.",
    "PERSID": b"Pstorage\n.",
    "a persistent id that calls": SYSTEM + b"(" + CALL + b"tRQ.",
    "a frame that lies": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f" + INNER,
    "a frame in a frame": b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x95\x02\0\0\0\0\0\0\0" + INNER,
    "LONG4 of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "LONG4 of -1": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "BINSTRING of -1": b"T\xff\xff\xff\xff.",
    "BINUNICODE8 of 2^63": b"\x80\x04\x8d\0\0\0\0\0\0\0\x80.",
    "an integer of many digits": b"L" + b"9" * 100_000 + b"L\n.",
    "40 times (t, t)": b")" + b"q\x00h\x00\x86" * 40 + b".",
    "a list in itself": b"]q\x00h\x00a.",
    "20,000 lists in one another": b"]" * 20_000 + b"a" * 19_999 + b".",
    "20,000 marks": b"(" * 20_000 + b"t" * 20_000 + b".",
    "1,000 tuples in one another as a key": b"}" + b")" + b"\x85" * 1_000 + b"Ns.",
    "an unknown protocol": b"\x80\xff" + INNER,
    "a second pickle behind it": b"N." + INNER,
    "a storage of -1 elements": pickled([storage(numel=-1)]),
    "a storage of 2^62 elements": pickled([storage(numel=2**62)]),
    "storage of another class": pickled([storage()]).replace(b"ctorch\nFloatStorage", b"cos\nsystemFloatStorage"),
}


def hostile_files(folder: Path) -> list[Path]:
    """Write every hostile pickle into files of all formats, in every place where they have a pickle."""
    files = []
    for index, data in enumerate(HOSTILE.values()):
        files.append(checkpoint(folder / f"{index}.zip.pth", data))
        files.append(legacy(folder / f"{index}.legacy.pth", data, {"0": (1, 2, 3, 4)}))
        raw = pickle.dumps(MAGIC, 2) + data
        (folder / f"{index}.first.pth").write_bytes(raw)
        files.append(folder / f"{index}.first.pth")
        for name in ("pickle", "storages"):
            parts = {**members([1], [], []), name: data}
            files.append(tar(folder / f"{index}.{name}.pth", parts))
        (folder / f"{index}.pickle.pth").write_bytes(data)
        files.append(folder / f"{index}.pickle.pth")
    return files


def test_nothing_is_imported_or_called(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "files").mkdir()
    warm = save({"w": torch.ones(2), "x": [1]}, tmp_path / "warm.pth")
    broken = tmp_path / "broken.pth"
    broken.write_bytes(warm.read_bytes()[:-50])
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, tmp_path / "work", warm, broken, *hostile_files(tmp_path / "files")],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "EVENT" not in done.stdout
    assert "CODE" not in done.stdout
    assert f"DONE {6 * len(HOSTILE)}" in done.stdout
    assert not (tmp_path / "PWNED").exists()
    assert list((tmp_path / "work").iterdir()) == []


# They only weigh on whoever looks into them without care.
HEAVY = {
    *("40 times (t, t)", "a list in itself", "20,000 lists in one another"),
    "1,000 tuples in one another as a key",
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_no_hostile_pickle_is_safe_to_load(tmp_path: Path, name: str) -> None:
    assert verify(checkpoint(tmp_path / "model.pth", HOSTILE[name])).ok == (name in HEAVY)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in HEAVY])
def test_what_a_hostile_pickle_names_is_told(tmp_path: Path, name: str) -> None:
    try:
        found = inspect(checkpoint(tmp_path / "model.pth", HOSTILE[name]))
    except SegcliError as error:
        assert error.hint  # noqa: PT017 - either is right
        return
    assert any(named.verdict.value != "allowed" for named in found.globals)


MANY = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


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
