import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from segcli.errors import SegcliError
from segcli.formats import npz_members
from segcli.formats.byte_source import open_source
from segcli.formats.npz_members import list_members, read_member_header
from segcli.formats.tensor_file import read_tensor_header
from tests.formats.crafting import Saved, save
from tests.formats.old_files import Reference, members, save_legacy, storage_entry, tar, tensor_entry


def npy(array: Saved) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


STATE = {"state_dict": {"head.weight": torch.zeros(19, 64, 1, 1), "head.bias": torch.zeros(19)}, "epoch": 3}


@pytest.mark.parametrize("saver", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, saver: Saved) -> None:
    path = tmp_path / "x.npz"
    saver(path, np.zeros((2, 3), "f4"), labels=np.zeros(5, ">i8"), **{"a/b.c": np.asfortranarray(np.zeros((4, 2)))})
    for key, shape, dtype in (
        ("arr_0", (2, 3), "float32"),
        ("labels", (5,), "int64"),
        ("a/b.c", (4, 2), "float64"),
    ):
        header = read_tensor_header(path, key)
        assert (header.key, header.shape, header.dtype) == (key, shape, dtype)
    renamed = path.rename(tmp_path / "x.dat")
    assert read_tensor_header(renamed, "labels").shape == (5,)


def test_one_array_needs_no_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.zeros((2, 3)))
    assert read_tensor_header(tmp_path / "x.npz").key == "arr_0"
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    assert read_tensor_header(tmp_path / "x.npy").shape == (2, 3)
    torch.save(torch.zeros(2, 3), tmp_path / "x.pt")
    assert read_tensor_header(tmp_path / "x.pt").shape == (2, 3)
    save_file({"w": torch.zeros(2, 3, dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    assert read_tensor_header(tmp_path / "x.safetensors").dtype == "bfloat16"


def test_keys_of_checkpoints(tmp_path: Path) -> None:
    path = save(STATE, tmp_path / "m.pth")
    assert read_tensor_header(path, "state_dict.head.weight").shape == (19, 64, 1, 1)
    save_file({"head.weight": torch.zeros(19, 64)}, tmp_path / "w.safetensors")
    assert read_tensor_header(tmp_path / "w.safetensors", "head.weight").shape == (19, 64)


@pytest.mark.parametrize(
    ("key", "words", "hint"),
    [
        (
            None,
            "holds 2 tensors, and no key says which",
            "append one: @m.pth:state_dict.head.weight, @m.pth:state_dict.head.bias",
        ),
        ("head.weight", "has no tensor 'head.weight'", "did you mean state_dict.head.weight?"),
        ("state_dict.head.wieght", "has no tensor", "did you mean state_dict.head.weight"),
        ("zzz", "has no tensor 'zzz'", "it has state_dict.head.weight, state_dict.head.bias"),
        ("", "has no tensor ''", "it has state_dict"),
        ("\x1b" * 1000, r"has no tensor '\?{97}\.\.\.'", "it has"),
    ],
)
def test_a_key_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None, words: str, hint: str
) -> None:
    # By a short name: a long path would shorten the list of keys.
    monkeypatch.chdir(tmp_path)
    path = save(STATE, Path("m.pth"))
    with pytest.raises(SegcliError, match=words) as caught:
        read_tensor_header(path, key)
    assert caught.value.hint.startswith(hint)


def test_a_list_of_keys_is_cut(tmp_path: Path) -> None:
    path = save([torch.zeros(1) for _ in range(9)], tmp_path / "m.pth")
    with pytest.raises(SegcliError, match="holds 9 tensors") as caught:
        read_tensor_header(path)
    assert caught.value.hint.endswith(":2 and 6 more")
    with pytest.raises(SegcliError, match="has no array 'z'") as caught:
        read_tensor_header(zipped(tmp_path / "x.npz", {".npy": npy(0)}), "z")
    assert caught.value.hint == "it has (the whole)"


@pytest.mark.parametrize(
    ("name", "content", "key", "words"),
    [
        ("x.npy", npy(np.zeros(3)), "a", "is one array and has no keys, 'a' is asked for"),
        ("x.txt", b"some words", None, "no checkpoint that is known"),
        ("x.npz", b"PK\x03\x04" + bytes(99), None, "is truncated: it starts as a zip"),
        ("x.pth", b"PK\x03\x04" + bytes(99), None, "is truncated: it starts as a zip"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, key: str | None, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SegcliError, match=words):
        read_tensor_header(tmp_path / name, key)


def test_files_without_a_tensor(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match=r"m\.pth holds no tensor"):
        read_tensor_header(save({"epoch": 3}, tmp_path / "m.pth"))
    with pytest.raises(SegcliError, match=r"x\.npz holds no array"):
        read_tensor_header(zipped(tmp_path / "x.npz", {}))
    with pytest.raises(SegcliError, match=r"x\.npz holds no array"):
        read_tensor_header(zipped(tmp_path / "x.npz", {"a.txt": b"a"}))


def test_members_that_numpy_does_not_write(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.npz", {"a.npy": npy(np.zeros(3))}, zipfile.ZIP_BZIP2)
    with pytest.raises(SegcliError, match=r"x\.npz:a is compressed by method 12"):
        read_tensor_header(path)
    path = zipped(tmp_path / "x.npz", {"a.npy": npy(np.zeros(3))})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(SegcliError, match=r"x\.npz:a is encrypted"):
        read_tensor_header(path)
    with open_source(path) as source, pytest.raises(SegcliError, match="has no array 'b'"):
        read_member_header(source, "b")


def test_a_directory_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "x.npz", {"a.npy": npy(np.zeros(3)), "b.npy": npy(np.zeros(3))})
    monkeypatch.setattr(npz_members, "MAX_RECORDS", 1)
    with open_source(path) as source, pytest.raises(SegcliError, match="its directory has 2 entries"):
        list_members(source)


def test_a_member_is_not_inflated_beyond_its_header(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, bomb=np.zeros(2**24, "u1"))
    assert path.stat().st_size < 2**15
    raw = path.read_bytes()
    # Damage far behind the header is never met.
    path.write_bytes(raw[:9000] + bytes(16) + raw[9016:])
    assert read_tensor_header(path).shape == (2**24,)


def samples(folder: Path) -> list[tuple[Path, str | None]]:
    np.savez(folder / "a.npz", a=np.zeros((2, 3)), b=np.zeros(1))
    np.savez_compressed(folder / "b.npz", a=np.zeros((2, 3)))
    np.save(folder / "c.npy", np.zeros((2, 3)))
    torch.save(STATE, folder / "d.pth")
    save_file({"w": torch.zeros(2, 3)}, folder / "e.safetensors")
    return [
        (folder / "a.npz", "a"),
        *((folder / name, None) for name in ("b.npz", "c.npy", "e.safetensors")),
        (folder / "d.pth", "state_dict.head.weight"),
    ]


def test_damage_is_an_error_and_never_a_traceback(tmp_path: Path) -> None:
    rng = random.Random(5)
    files = [(path, key, path.read_bytes()) for path, key in samples(tmp_path)]
    refused = 0
    for _ in range(3_000):
        path, key, whole = rng.choice(files)
        raw = bytearray(whole)
        for _ in range(rng.choice([0, 1, 1, 2, 10])):
            raw[rng.randrange(len(raw))] = rng.choice([0, 255, rng.randrange(256)])
        if rng.random() < 0.3:
            del raw[rng.randrange(len(raw)) :]
        path.write_bytes(raw)
        try:
            read_tensor_header(path, key)
        except SegcliError:
            refused += 1
    assert 300 < refused < 3_000


def test_a_tensor_in_an_old_checkpoint(tmp_path: Path) -> None:
    legacy = save_legacy({"w": torch.zeros(2, 3), "b": torch.zeros(3)}, tmp_path / "legacy.pth")
    assert read_tensor_header(legacy, "w").shape == (2, 3)
    entries = [tensor_entry(7, 100, (2,), (1,), 1)], [storage_entry(100, [1, 2, 3])]
    old = tar(tmp_path / "old.pth", members({"w": Reference(7)}, *entries))
    assert read_tensor_header(old).shape == (2,)
