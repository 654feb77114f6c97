import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from segcli.errors import SegcliError
from segcli.formats import torch_zip
from segcli.formats.byte_source import open_source
from segcli.formats.torch_zip import TorchZip, read_torch_zip
from tests.formats.crafting import (
    FOUR_FLOATS,
    PLAIN,
    Outside,
    aligned,
    checkpoint,
    pickled,
    rebuild,
    save,
    storage,
    write_records,
)


def read(path: Path) -> TorchZip:
    with open_source(path) as source:
        return read_torch_zip(source)


def test_what_torch_writes(tmp_path: Path) -> None:
    found = read(save({"a": torch.zeros(3), "b": torch.zeros(0)}, tmp_path / "model.pth", "cuda:1"))
    assert (found.prefix, found.version, found.format_version, found.alignment) == ("model", 3, 1, 64)
    assert (found.byteorder, found.walk.protocol) == ("little", 2)
    assert {key: (one.dtype, one.location, one.bytes) for key, one in found.storages.items()} == {
        "0": ("float32", "cuda:1", 12),
        "1": ("float32", "cuda:1", 0),
    }


def test_another_alignment(tmp_path: Path) -> None:
    with aligned(4096):
        assert read(save([torch.zeros(3)], tmp_path / "model.pth")).alignment == 4096


def test_what_torch_1_6_wrote(tmp_path: Path) -> None:
    found = read(checkpoint(tmp_path / "old.pth", pickled(storage())))
    assert (found.format_version, found.alignment) == (None, 64)


DATA = pickled([storage()])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: write_records(path, {"data/0": b""}), "is a zip without data.pkl"),
        (lambda path: write_records(path, {"a.npy": b"", "version": b"3"}), "is a zip without data.pkl"),
        (lambda path: checkpoint(path, DATA, **{"constants.pkl": b""}), "is a TorchScript archive"),
        (lambda path: checkpoint(path, DATA, **{"x/data.pkl": b""}), "has a second pickle, model/x/data.pkl"),
        (lambda path: checkpoint(path, b"N"), "data.pkl in .*model.pth is damaged"),
        (lambda path: checkpoint(path, DATA, **{".format_version": b"one"}), "its .format_version is 'one'"),
        (lambda path: checkpoint(path, DATA, **{".storage_alignment": b"0"}), "its .storage_alignment is 0"),
        (lambda path: checkpoint(path, DATA, **{".storage_alignment": b"99999"}), "is 99999, expected 1 to 65535"),
        (lambda path: write_records(path, {"data.pkl": DATA}), "has no record data/0, which its pickle names"),
        (lambda path: checkpoint(path, pickled([storage(numel=5)])), "has 16 bytes, its 5 elements of float32 need 20"),
        (lambda path: checkpoint(path, pickled([storage(numel=2**80)])), "elements of float32 need"),
        (lambda path: checkpoint(path, pickled([storage(), storage(numel=3)])), "is said to have 16 bytes, and 12"),
        (
            lambda path: checkpoint(path, pickled([Outside("storage", torch.Tensor, "0", "cpu", 4)])),
            "is of the unknown class Tensor",
        ),
    ],
)
def test_what_is_no_whole_checkpoint_is_refused(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    path = make(tmp_path / "model.pth")
    with pytest.raises(SegcliError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("find", "put", "words"),
    [
        (b"little", b"middle", "its byteorder is 'middle', expected little or big"),
        (b"model/version", b"model/virsion", "has no version record"),
        (b"model/version", b"other/version", "record other/version does not lie in model/"),
        (b"storage", b"sturage", "the checksum of data.pkl is"),
    ],
)
def test_changed_bytes_are_refused(tmp_path: Path, find: bytes, put: bytes, words: str) -> None:
    path = checkpoint(tmp_path / "model.pth", DATA)
    path.write_bytes(path.read_bytes().replace(find, put))
    with pytest.raises(SegcliError, match=words):
        read(path)


def test_a_file_saved_without_checksums(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path = save([torch.zeros(3)], tmp_path / "model.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read(path).storages["0"].bytes == 12


def test_archives_of_other_things(tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "arrays.npz", a=np.zeros(2))
    with pytest.raises(SegcliError, match="is a NumPy archive"):
        read(tmp_path / "arrays.npz")
    packed = write_records(tmp_path / "release.zip", {"best.pth": b"x"})
    with pytest.raises(SegcliError, match=r"is a zip without data\.pkl") as caught:
        read(packed)
    assert caught.value.hint == "unzip it first: it holds release/best.pth"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_real_torchscript(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "model.pt"))  # type: ignore[no-untyped-call]
    with pytest.raises(SegcliError, match="is a TorchScript archive"):
        read(tmp_path / "model.pt")


def test_a_pickle_larger_than_any_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_zip, "MAX_PICKLE_BYTES", 10)
    with pytest.raises(SegcliError, match="expected at most 10"):
        read(checkpoint(tmp_path / "model.pth", DATA))


def test_the_crafted_checkpoint_is_one_that_torch_loads(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "model.pth", pickled(rebuild(*PLAIN)))
    assert torch.load(path, weights_only=True).flatten().tolist() == list(struct.unpack("<4f", FOUR_FLOATS))
