import io
import itertools
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from segcli.errors import SegcliError
from segcli.formats import torch_legacy
from segcli.formats.byte_source import open_source
from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.checkpoint_tree import list_contents
from segcli.formats.legacy_write import _SYSTEM
from segcli.formats.sniff import Kind
from segcli.formats.torch_legacy import SystemInfo, TorchLegacy, read_legacy
from tests.formats.crafting import Saved, pickled, rebuild, tagged
from tests.formats.old_files import legacy, part, save_legacy


def read(path: Path) -> TorchLegacy:
    with open_source(path) as source:
        return read_legacy(source)


def content() -> dict[str, Saved]:
    weight = torch.arange(12.0).reshape(3, 4)
    return {
        "weight": weight,
        "row": weight[1],
        "device": "cpu",
        "half": torch.ones(5, dtype=torch.float16),
        "complex": torch.zeros(2, dtype=torch.complex64),
        "empty": torch.zeros(0),
        "net": torch.nn.Linear(2, 3),
    }


@pytest.mark.parametrize("protocol", range(1, 6))
def test_every_byte_of_torchs_own_files_has_its_place(tmp_path: Path, protocol: int) -> None:
    path = save_legacy(content(), tmp_path / "old.pth", pickle_protocol=protocol)
    raw, found = path.read_bytes(), read(path)
    assert (found.version, found.sources) == (1001, ("torch.nn.modules.linear.Linear",))
    assert found.system == SystemInfo(little_endian=True, type_sizes={"short": 2, "int": 4, "long": 4})
    stream = io.BytesIO(raw)
    for _ in range(3):
        pickle.load(stream)  # noqa: S301 - the test's own
    assert found.start == stream.tell()
    assert raw[found.start :].startswith(found.pickle)
    stream.seek(found.start + len(found.pickle))
    assert tuple(pickle.load(stream)) == found.keys  # noqa: S301 - the test's own
    at = stream.tell()
    for key in found.keys:
        storage = found.storages[key]
        item_bytes = {"float16": 2, "complex64": 8}.get(storage.dtype, 4)
        assert struct.unpack_from("<q", raw, at) == (storage.bytes // item_bytes,)
        assert (storage.data.start, storage.data.size, storage.location) == (at + 8, storage.bytes, "cpu")
        at += 8 + storage.bytes
    assert at == found.end == len(raw)


def test_storages_come_in_the_order_in_which_the_object_names_them(tmp_path: Path) -> None:
    tensors = [torch.full((3,), float(index)) for index in range(12)]
    found = read(save_legacy(tensors, tmp_path / "old.pth"))
    values = [next(iter(struct.unpack("<3f", b"".join(one.data.pieces())))) for one in _open(tmp_path / "old.pth")]
    assert values == list(range(12))
    assert list(found.keys) == sorted(found.storages)


def _open(path: Path) -> Iterator[Saved]:
    with open_source(path) as source:
        yield from read_legacy(source).storages.values()


def test_one_view_of_all_formats(tmp_path: Path) -> None:
    with tagged("cuda:1"):
        save_legacy(content(), tmp_path / "old.pth")
    with open_checkpoint(tmp_path / "old.pth") as checkpoint:
        assert (checkpoint.kind, checkpoint.byteorder, checkpoint.protocol) == (Kind.LEGACY, "little", 2)
        tensors = {one.key: one for one in list_contents(checkpoint.root, checkpoint.name).tensors}
        assert isinstance(checkpoint.layout, TorchLegacy)
    assert tensors["row"].shape == (4,)
    assert (tensors["row"].storage, tensors["row"].offset) == (tensors["weight"].storage, 4)
    assert {one.device for one in tensors.values()} == {"cuda:1"}


def view(key: str = "9", start: int = 1, count: int = 2) -> tuple[str, int, int]:
    return (key, start, count)


def test_a_tensor_on_a_part_of_a_storage_is_one_on_the_whole(tmp_path: Path) -> None:
    tensors = [
        rebuild("_rebuild_tensor", part(view=view()), 1, (1,), (1,)),
        rebuild("_rebuild_tensor", part(), 0, (4,), (1,)),
    ]
    path = legacy(tmp_path / "old.pth", pickled(tensors), {"0": [1, 2, 3, 4]})
    loaded = torch.load(path)
    assert [one.tolist() for one in loaded] == [[3], [1, 2, 3, 4]]
    with open_checkpoint(path) as checkpoint:
        tensor, _ = list_contents(checkpoint.root, checkpoint.name).tensors
    assert (tensor.storage, tensor.offset, tensor.shape) == ("0", 2, (1,))


def test_python_2_wrote_its_strings_another_way(tmp_path: Path) -> None:
    ident = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x06cuda:1K\x04Nt"
    data = b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor\n(" + ident + b"QK\x00K\x04\x85K\x01\x85tRs."
    path = legacy(tmp_path / "old.pth", data, {"0": [1, 2, 3, 4]}, keys=["0"])
    # The list of keys, too.
    raw = path.read_bytes().replace(b"X\x01\x00\x00\x000q\x01a.", b"U\x010q\x01a.")
    path.write_bytes(raw)
    assert torch.load(path, map_location="cpu")["w"].tolist() == [1, 2, 3, 4]
    found = read(path)
    assert (found.keys, found.storages["0"].location) == (("0",), "cuda:1")


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_truncated_values_are_counted(tmp_path: Path, cut: int) -> None:
    path = save_legacy({"w": torch.ones(100)}, tmp_path / "old.pth")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(SegcliError, match=f"is truncated: it has {size - cut} bytes, and {cut} are missing"):
        read(path)


def test_every_truncation_is_named(tmp_path: Path) -> None:
    whole = save_legacy({"w": torch.ones(3), "s": "x" * 300}, tmp_path / "old.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for size in range(len(whole) - 1, 15, -1):
        path.write_bytes(whole[:size])
        with pytest.raises(SegcliError, match=r"cut\.pth is truncated: "):
            read(path)


NAMED = pickled([rebuild("_rebuild_tensor", part(), 0, (4,), (1,))])
FOUR = {"0": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"magic": 7}, "does not start with torch's magic number"),
        ({"version": 1002}, "has version 1002 of torch's legacy format, expected 1001"),
        ({"version": "1001"}, "version .*expected 1001"),
        ({"keys": ["0", "0"]}, "lists a storage twice"),
        ({"keys": ["0", "1"]}, "lists storage 1, which its object does not name"),
        ({"keys": []}, "does not hold storage 0, which its object names"),
        ({"keys": None, "storages": {}}, "does not hold storage 0"),
        ({"keys": ("0",)}, "no list of the storages' keys"),
        ({"keys": [0]}, "no list of the storages' keys"),
        ({"keys": 3}, "no list of the storages' keys"),
        ({"storages": {"0": [1, 2, 3, 4, 5]}}, "storage 0 has 5 elements, its object says 4"),
        ({"storages": {"0": [1, 2]}}, "truncated: .* 8 are missing"),
    ],
    ids=str,
)
def test_damaged_files_are_refused(tmp_path: Path, parts: dict[str, Saved], words: str) -> None:
    path = legacy(tmp_path / "old.pth", NAMED, parts.pop("storages", FOUR), **parts)
    with pytest.raises(SegcliError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([part(kind=torch.Tensor)], "storage 0 is of the unknown class Tensor"),
        ([part(), part(numel=3)], "storage 0 is said to have 4 elements of FloatStorage, and 3 of FloatStorage"),
        ([part(), part(kind=torch.IntStorage)], "4 elements of FloatStorage, and 4 of IntStorage"),
        ([part(view=("9", 2, 3))], "part 9 is elements 2 to 5 of storage 0, which has 4"),
        ([part(view=("9", 0, 2)), part(view=("9", 1, 2))], "part 9 of storage 0 is said to be another part, too"),
        ([part(), part(view=("0", 0, 2))], "storage 0 is a part of another, and one of its own"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_storages_that_disagree_are_refused(tmp_path: Path, parts: list[Saved], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        read(legacy(tmp_path / "old.pth", pickled(parts), FOUR))


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ({**_SYSTEM, "little_endian": False}, SystemInfo(False, {"short": 2, "int": 4, "long": 4})),  # noqa: FBT003
        ({"little_endian": 1, "type_sizes": {"long": "8", 3: 4}, 5: 6}, SystemInfo(None, {})),
        (None, SystemInfo(None, {})),
        ([1, 2], SystemInfo(None, {})),
    ],
)
def test_the_machine_that_wrote_it(tmp_path: Path, system: object, expected: SystemInfo) -> None:
    path = legacy(tmp_path / "old.pth", NAMED, FOUR, system=system)
    assert read(path).system == expected
    # Values are little-endian all the same.
    assert torch.load(path)[0].tolist() == [1, 2, 3, 4]


def test_ids_elsewhere_than_in_the_object_are_refused(tmp_path: Path) -> None:
    path = legacy(tmp_path / "old.pth", NAMED, FOUR)
    raw = path.read_bytes().replace(pickle.dumps(["0"], 2), pickled([part()]))
    path.write_bytes(raw)
    with pytest.raises(SegcliError, match=r"the list of keys in .* refers at byte"):
        read(path)


def test_a_pickle_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_legacy(["x" * 5000, torch.zeros(2)], tmp_path / "old.pth")
    monkeypatch.setattr(torch_legacy, "MAX_PICKLE_BYTES", 4000)
    with pytest.raises(SegcliError, match=r"the object's pickle in .* has more than 4,000 bytes"):
        read(path)


def test_what_follows_is_found(tmp_path: Path) -> None:
    path = save_legacy([torch.zeros(2)], tmp_path / "old.pth")
    size = path.stat().st_size
    with path.open("ab") as file:
        torch.save([1], file, _use_new_zipfile_serialization=False)
    assert read(path).end == size < path.stat().st_size


def test_any_changed_byte_is_read_or_refused(tmp_path: Path) -> None:
    whole = save_legacy({"w": torch.ones(2), "k": ["text", 1, 2.5]}, tmp_path / "old.pth").read_bytes()
    path = tmp_path / "bad.pth"
    for at, value in itertools.product(range(len(whole)), (0, 0x2E, 0xFF)):
        path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
        try:
            with open_source(path) as source:
                read_legacy(source)
        except SegcliError as error:
            assert error.message  # noqa: PT017 - either way is right
