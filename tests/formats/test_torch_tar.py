import itertools
import pickle
import struct
import tarfile
from pathlib import Path

import pytest
import torch

from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.checkpoint_tree import list_contents
from segcli.formats.sniff import Kind
from segcli.formats.torch_tar import TorchTar, read_tar
from tests.formats.crafting import Outside
from tests.formats.old_files import Reference, members, storage_entry, tar, tensor_entry

STORAGES = [storage_entry(100, [1, 2, 3, 4], "cuda:1"), storage_entry(200, [5, 6])]
VIEWS = [(101, 100, 1, 3), (102, 101, 1, 2)]
TENSORS = [
    tensor_entry(7, 100, (2, 2), (2, 1), 0),
    tensor_entry(8, 101, (2,), (1,), 1),
    tensor_entry(9, 102, (), (), 1),
    tensor_entry(10, 200, (2, 0), (1, 1), 2),
    tensor_entry(11, 200, (2, 2), (0, 1), 0),
]
CONTENT = {
    "a": Reference(7),
    "b": [Reference("8"), Reference(9), Reference(10), Reference(7)],
    "wide": Reference(11),
    "net": Outside(torch.nn.Linear, "linear.py", "class Linear: ..."),
    "device": "cpu",
}


def read(path: Path) -> TorchTar:
    with open_source(path) as source:
        return read_tar(source)


def test_a_tar_checkpoint(tmp_path: Path) -> None:
    path = tar(tmp_path / "old.tar", members(CONTENT, TENSORS, STORAGES, VIEWS))
    with open_source(path) as source:
        found = read_tar(source)
        values = {key: (one.location, one.dtype, b"".join(one.data.pieces())) for key, one in found.storages.items()}
    assert (found.members, found.tensors) == (("sys_info", "pickle", "tensors", "storages"), 5)
    assert found.sources == ("torch.nn.modules.linear.Linear",)
    assert values == {
        "100": ("cuda:1", "float32", struct.pack("<4f", 1, 2, 3, 4)),
        "200": ("cpu", "float32", struct.pack("<2f", 5, 6)),
    }


@pytest.mark.filterwarnings("ignore:source code of class:torch.serialization.SourceChangeWarning")
def test_tensors_are_those_that_torch_loads(tmp_path: Path) -> None:
    path = tar(tmp_path / "old.tar", members(CONTENT, TENSORS, STORAGES, VIEWS))
    loaded = torch.load(path, map_location="cpu", weights_only=False)
    expected = [loaded["a"], *loaded["b"][:3], loaded["wide"]]
    with open_checkpoint(path) as checkpoint:
        assert (checkpoint.kind, checkpoint.byteorder, checkpoint.protocol) == (Kind.TAR, "little", 2)
        contents = list_contents(checkpoint.root, checkpoint.name)
        raws = {key: b"".join(one.data.pieces()) for key, one in checkpoint.storages.items()}
    by_key = {one.key: one for one in contents.tensors}
    for key, tensor in zip(("a", "b.0", "b.1", "b.2", "wide"), expected, strict=True):
        one = by_key[key]
        assert (one.shape, one.stride) == (tuple(tensor.shape), tensor.stride())
        floats = torch.frombuffer(bytearray(raws[one.storage or ""]), dtype=torch.float32)
        assert torch.equal(floats.as_strided(one.shape, one.stride or (), one.offset or 0), tensor)
    # The same tensor twice is one.
    assert loaded["b"][3] is loaded["a"]
    assert by_key["b.3"].storage == by_key["a"].storage == "100"


def test_a_tar_of_something_else(tmp_path: Path) -> None:
    path = tar(tmp_path / "it.tar", {"weights.pth": b"x", "storages": b"y"})
    with pytest.raises(SegcliError, match="is a tar archive without tensors, not a checkpoint") as error:
        read(path)
    assert error.value.hint == "unpack it first: it holds weights.pth, storages"


GOOD = members([Reference(7)], TENSORS, STORAGES, VIEWS)
COUNT = pickle.dumps(1, 2)


@pytest.mark.parametrize(
    ("member", "data", "words"),
    [
        ("storages", pickle.dumps("x", 2), "storages in .* has no number from 0 to"),
        ("storages", pickle.dumps(-1, 2), "has no number from 0 to"),
        ("storages", pickle.dumps(10**9, 2), "has no number from 0 to 1,000,000"),
        ("storages", COUNT + pickle.dumps((1, 2), 2), "has no key, device and class where a storage starts"),
        ("storages", COUNT + pickle.dumps((1, "cpu", dict), 2), "of the unknown class dict"),
        ("storages", pickle.dumps(2, 2) + STORAGES[1] * 2, "has storage 200 twice"),
        ("storages", COUNT + STORAGES[1][:-1], "has 7 bytes left where it says that 8 follow"),
        ("storages", COUNT + STORAGES[1][:-12], "has 4 bytes left where it says that 8 follow"),
        ("storages", COUNT + STORAGES[1][:-16] + bytes([255] * 16), "where it says that -4 follow"),
        ("storages", COUNT + STORAGES[1], "is damaged: storages in .* ends too early"),
        ("storages", COUNT + STORAGES[1] + pickle.dumps(None, 2), "no list of storages that are parts"),
        ("storages", COUNT + STORAGES[1] + pickle.dumps([(1, 2)], 2), "no list of storages that are parts"),
        ("storages", COUNT + STORAGES[1] + pickle.dumps([(1, 300, 0, 1)], 2), "elements 0 to 1 of storage 300"),
        ("storages", COUNT + STORAGES[1] + pickle.dumps([(1, 200, 1, 2)], 2), "elements 1 to 3 of storage 200"),
        ("storages", COUNT + STORAGES[1] + pickle.dumps([(1, 200, -1, 2)], 2), "elements -1 to 1 of storage 200"),
        ("tensors", COUNT + pickle.dumps((1, 2), 2), "no key, storage and class where a tensor starts"),
        ("tensors", COUNT + tensor_entry(7, 999, (), (), 0), "no key, storage and class where a tensor starts"),
        ("tensors", COUNT + tensor_entry(7, 100, (1,) * 65, (1,) * 65, 0), "a tensor of 65 dimensions"),
        ("tensors", COUNT + tensor_entry(7, 100, (5,), (1,), 0), "in a storage of 4 elements"),
        ("tensors", COUNT + tensor_entry(7, 101, (3,), (1,), 1), "in a storage of 3 elements"),
        ("tensors", COUNT + tensor_entry(7, 100, (2,), (-1,), 3), r"stride \(-1,\)"),
        ("tensors", COUNT + tensor_entry(7, 100, (), (), -1), "offset -1"),
        ("tensors", COUNT + TENSORS[0][:-9], "15 bytes left where it says that 16 follow"),
        ("pickle", GOOD["pickle"][:-3], "is damaged: pickle in .* ends too early"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_files_are_refused(tmp_path: Path, member: str, data: bytes, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        read(tar(tmp_path / "old.tar", {**GOOD, member: data}))


@pytest.mark.parametrize("key", [99, "99", "x", "1" * 5000, 0.5, None], ids=lambda key: str(key)[:9])
def test_keys_of_no_tensor_are_refused(tmp_path: Path, key: object) -> None:
    files = members([Reference(key)] if key is not None else [Outside("x", 1)], TENSORS, STORAGES, VIEWS)
    with pytest.raises(SegcliError, match=r"pickle in .* refers at byte \d+ to something outside"):
        read(tar(tmp_path / "old.tar", files))


def test_changed_bytes_are_read_or_refused(tmp_path: Path) -> None:
    whole = tar(tmp_path / "old.tar", GOOD, tarfile.USTAR_FORMAT).read_bytes()
    path = tmp_path / "bad.tar"
    # The rest is padding; every other byte, for the time that all take.
    places = [at for at, byte in enumerate(whole) if byte]
    for at, value in itertools.product(places[::2], (0, 0xFF)):
        path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
        try:
            read(path)
        except SegcliError as error:
            assert error.message  # noqa: PT017 - either way is right
