"""Distributed checkpoints, read and written."""

import dataclasses
import io
import itertools
import os
import pickle
import resource
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

from segcli.ckpt import Recipe, convert, verify
from segcli.errors import ExitCode, SegcliError
from segcli.formats import dcp_folder, dcp_metadata
from tests.ckpt.oracles import bits, loads
from tests.ckpt.test_safetensors_conversion import assert_alike, flat, shares, values
from tests.conftest import Run
from tests.formats.crafting import Saved, checkpoint, pickled, rebuild, save, storage
from tests.formats.old_files import save_legacy

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


def save_dcp(content: dict[str, Saved], path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(content, storage_writer=dcp.FileSystemWriter(path), no_dist=True)  # type: ignore[attr-defined]
    return path


def load_dcp(path: Path, into: dict[str, Saved]) -> dict[str, Saved]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load(into, storage_reader=dcp.FileSystemReader(path), no_dist=True)  # type: ignore[attr-defined]
    return into


def content() -> dict[str, Saved]:
    weight = values()
    return {
        "model": {"w": weight, "turned": weight.T, "half": weight.to(torch.bfloat16), "none": torch.zeros(0, 3)},
        "step": torch.tensor(7),
        "epoch": 3,
        "lr": [0.1, 0.2],
        "name": "x",
        "betas": (0.9, 0.999),
        "list": [torch.ones(2), {"inner": torch.zeros(3)}, 5],
    }


def empty(value: Saved) -> Saved:
    """Return what has the same form, with other values."""
    if isinstance(value, torch.Tensor):
        return torch.full(value.shape, 9).to(value.dtype)
    if isinstance(value, dict):
        return {key: empty(one) for key, one in value.items()}
    return [empty(one) for one in value] if isinstance(value, list) else type(value)()


def test_a_folder_that_torch_wrote(tmp_path: Path) -> None:
    source = save_dcp(content(), tmp_path / "step_1")
    done = convert(source, tmp_path / "a.pth", "cuda:0")
    assert (done.source_format, done.format) == ("dcp", "zip")
    convert(source, tmp_path / "b.pth")
    for loaded in loads(tmp_path / "b.pth"):
        assert_alike(flat(loaded), flat(content()))
        assert {key: loaded[key] for key in ("epoch", "lr", "name", "betas")} == {
            key: content()[key] for key in ("epoch", "lr", "name", "betas")
        }
        assert loaded["list"][2] == 5
        assert loaded["model"]["turned"].stride() == (1, 6)
    convert(source, tmp_path / "a.safetensors", recipe=Recipe(tensors_only=True))
    from safetensors.torch import load_file

    assert_alike(load_file(tmp_path / "a.safetensors"), flat(content()))


def test_a_folder_that_torch_reads(tmp_path: Path) -> None:
    weight = values()
    saved = {**content(), "tied": weight, "again": weight, "row": weight[1]}
    source = save(saved, tmp_path / "a.pth")
    done = convert(source, tmp_path / "a.dcp")
    assert done.ties == ("again",)
    assert set(done.untied) == {"tied", "row", "model.w", "model.turned"}
    assert done.bytes == sum(one.stat().st_size for one in (tmp_path / "a.dcp").iterdir())
    loaded = load_dcp(tmp_path / "a.dcp", empty(saved))
    assert_alike(flat(loaded), flat(saved))
    assert loaded["epoch"] == 3
    # Both names find one place.
    convert(tmp_path / "a.dcp", tmp_path / "b.pth")
    back = torch.load(tmp_path / "b.pth")
    assert_alike(flat(back), flat(saved))
    assert shares(back["tied"], back["again"])
    assert {key: back[key] for key in ("epoch", "lr", "name", "betas")} == {
        key: saved[key] for key in ("epoch", "lr", "name", "betas")
    }


@pytest.mark.parametrize("name", ["a.pth", "old.pth", "a.safetensors"])
def test_every_source(tmp_path: Path, name: str) -> None:
    buffer = torch.arange(40.0)
    saved = {"a": buffer[:20], "b": buffer[20:], "c": buffer[18:30], "w": values(), "i": torch.arange(3)}
    save(saved, tmp_path / "a.pth")
    save_legacy(saved, tmp_path / "old.pth")
    convert(tmp_path / "a.pth", tmp_path / "a.safetensors")
    counts: list[int] = []
    convert(tmp_path / name, tmp_path / "out", file_format="dcp", advance=counts.append)
    assert sum(counts) >= sum(one.nbytes for one in saved.values())
    assert_alike(load_dcp(tmp_path / "out", empty(saved)), saved)


def test_dtypes(tmp_path: Path) -> None:
    source = save({"w": values() / 7, "n": torch.arange(3)}, tmp_path / "a.pth")
    dry = convert(source, tmp_path / "b", file_format="dcp", recipe=Recipe(dry_run=True))
    assert dry.bytes == values().nbytes + 24
    assert list(tmp_path.iterdir()) == [source]
    convert(source, tmp_path / "b", file_format="dcp", recipe=Recipe(dtype="bfloat16"))
    expected = {"w": (values() / 7).to(torch.bfloat16), "n": torch.arange(3)}
    assert_alike(load_dcp(tmp_path / "b", empty(expected)), expected)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.pth", "b"]


def test_what_has_no_place(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    saved = {"net": net.state_dict(), "epoch": 3, "where": torch.device("cuda:1"), "set": {1}}
    source = save(saved, tmp_path / "a.pth")
    with pytest.raises(SegcliError, match=r"no place for: where \(torch\.device\), set \(builtins\.set\)"):
        convert(source, tmp_path / "a.dcp")
    done = convert(source, tmp_path / "a.dcp", recipe=Recipe(tensors_only=True))
    assert done.left_out == ("epoch (int)", "where (torch.device)", "set (builtins.set)", "net._metadata")
    expected = {"net": dict(net.state_dict())}
    assert_alike(flat(load_dcp(tmp_path / "a.dcp", empty(expected))), flat(expected))
    with pytest.raises(SegcliError, match=r"holds one tensor, expected a dict"):
        convert(save(torch.zeros(2), tmp_path / "b.pth"), tmp_path / "b.dcp")
    looped: dict[str, Saved] = {"w": torch.zeros(2)}
    looped["self"] = looped
    with pytest.raises(SegcliError, match="or without end"):
        convert(save(looped, tmp_path / "c.pth"), tmp_path / "c.dcp")
    with pytest.raises(SegcliError, match=r"two tensors whose dotted key is 'a.b'"):
        convert(save({"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}}, tmp_path / "d.pth"), tmp_path / "d.dcp")
    with pytest.raises(SegcliError, match="two keys that read '1'"):
        convert(save({"a": {1: torch.ones(1), "1": torch.zeros(1)}}, tmp_path / "e.pth"), tmp_path / "e.dcp")
    ordered = net.state_dict()
    ordered.note = {"x": 1}  # type: ignore[attr-defined]
    with pytest.raises(SegcliError, match=r"no place for: net.note"):
        convert(save({"net": ordered}, tmp_path / "f.pth"), tmp_path / "f.dcp")


def test_destinations(tmp_path: Path) -> None:
    source = save({"w": values()}, tmp_path / "a.pth")
    target = tmp_path / "out.dcp"
    convert(source, target)
    with pytest.raises(SegcliError, match="exists already"):
        convert(source, target)
    (target / "more").write_bytes(b"x")
    convert(source, target, force=True)
    assert not (target / "more").exists()
    (tmp_path / "mine.dcp").mkdir()
    (tmp_path / "mine.dcp" / "thesis.tex").write_bytes(b"x")
    with pytest.raises(SegcliError, match="no distributed checkpoint, so it is not replaced"):
        convert(source, tmp_path / "mine.dcp", force=True)
    with pytest.raises(SegcliError, match="there is no folder"):
        convert(source, tmp_path / "none" / "out.dcp")
    with pytest.raises(SegcliError, match="is a dcp checkpoint already"):
        convert(target, tmp_path / "other.dcp")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.pth", "mine.dcp", "out.dcp"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save({"w": values()}, tmp_path / "a.pth")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(SegcliError, match=r"cannot write .*out\.dcp: No space left on device"):
        convert(source, tmp_path / "out.dcp")
    assert list(tmp_path.iterdir()) == [source]


def test_torch_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save({"w": values()}, tmp_path / "a.pth")
    monkeypatch.setitem(sys.modules, "torch.distributed.checkpoint.api", None)
    with pytest.raises(SegcliError, match=r"takes torch with torch\.distributed, which cannot be imported") as error:
        convert(source, tmp_path / "out.dcp")
    assert error.value.code is ExitCode.UNAVAILABLE
    assert list(tmp_path.iterdir()) == [source]


def test_reading_takes_no_torch(tmp_path: Path) -> None:
    source = save_dcp(content(), tmp_path / "step_1")
    without = (
        "import sys\nfor name in ('torch', 'safetensors'): sys.modules[name] = None\n"
        "from segcli.cli import run\nsys.exit(run(sys.argv[1:]))"
    )
    argv = ["ckpt", "convert", str(source), str(tmp_path / "a.pth")]
    subprocess.run([sys.executable, "-c", without, *argv], check=True, capture_output=True)
    assert_alike(flat(torch.load(tmp_path / "a.pth")), flat(content()))
    done = subprocess.run(
        [sys.executable, "-c", without, "ckpt", "convert", str(tmp_path / "a.pth"), str(tmp_path / "b.dcp")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "error: writing a distributed checkpoint takes" in done.stderr) == (3, True)


# -- shards


def crafted(path: Path, shards: dict[str, Sequence[tuple[tuple[int, ...], torch.Tensor]]], **whole: Saved) -> Path:
    """Write a folder as ranks that hold shards would: each shard in one of two files."""
    path.mkdir()
    files = [io.BytesIO(), io.BytesIO()]
    entries: dict[str, Any] = {}
    places: dict[MetadataIndex, _StorageInfo] = {}

    def put(value: Saved, number: int) -> _StorageInfo:
        file = files[number % 2]
        start = file.tell()
        buffer = io.BytesIO()
        torch.save(value, buffer)
        file.write(buffer.getvalue())
        return _StorageInfo(f"__{number % 2}_0.distcp", start, file.tell() - start)

    for name, boxes in shards.items():
        shape = [max(first[axis] + box.shape[axis] for first, box in boxes) for axis in range(boxes[0][1].dim())]
        chunks = [ChunkStorageMetadata(torch.Size(first), box.shape) for first, box in boxes]
        properties = TensorProperties(dtype=boxes[0][1].dtype)
        entries[name] = TensorStorageMetadata(properties, torch.Size(shape), chunks)
        for number, (first, box) in enumerate(boxes):
            places[MetadataIndex(name, torch.Size(first), number)] = put(box, number)
    for name, value in whole.items():
        entries[name] = BytesStorageMetadata()
        places[MetadataIndex(name)] = put(value, 0)
    for number, file in enumerate(files):
        (path / f"__{number}_0.distcp").write_bytes(file.getvalue())
    write_metadata(path, Metadata(entries, {name: (name,) for name in entries}, places))
    return path


def write_metadata(path: Path, metadata: Saved) -> None:
    (path / ".metadata").write_bytes(pickle.dumps(metadata))


def read_metadata(path: Path) -> Any:  # noqa: ANN401 - torch's Metadata
    return pickle.loads((path / ".metadata").read_bytes())  # noqa: S301 - written above


@given(st.data())
@settings(max_examples=40)
def test_shards_are_joined(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("shards")
    shape = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.int64]))
    tensor = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    cuts = [sorted({0, size, *data.draw(st.lists(st.integers(0, size), max_size=3))}) for size in shape]
    boxes: list[tuple[tuple[int, ...], torch.Tensor]] = [((), tensor)]
    for axis, places in enumerate(cuts):
        boxes = [
            ((*first, start), box.narrow(axis, start, end - start))
            for first, box in boxes
            for start, end in itertools.pairwise(places)
        ]
    turn = data.draw(st.booleans())
    kept = [(first, box.mT.contiguous().mT if turn and box.dim() > 1 else box.clone()) for first, box in boxes]
    source = crafted(folder / "step", {"w": data.draw(st.permutations(kept))}, epoch=3)
    loaded = load_dcp(source, {"w": torch.zeros_like(tensor)})
    assert bits(loaded["w"]) == bits(tensor)
    convert(source, folder / "a.pth")
    for found in loads(folder / "a.pth"):
        assert found["epoch"] == 3
        assert_alike({"w": found["w"]}, {"w": tensor})


def test_shards_with_objects_and_empty_ones(tmp_path: Path) -> None:
    rows = torch.arange(12.0).reshape(4, 3)
    shards = {"w": [((0, 0), rows[:2].clone()), ((2, 0), rows[2:2].clone()), ((2, 0), rows[2:].clone())]}
    metadata = crafted(tmp_path / "a", {"w": [shards["w"][0], shards["w"][2]]}, extra={"inner": rows, "n": 1})
    convert(metadata, tmp_path / "a.pth")
    loaded = torch.load(tmp_path / "a.pth")
    assert_alike(flat(loaded), {"w": rows, "extra.inner": rows})
    found = read_metadata(metadata)
    empty_box = ChunkStorageMetadata(torch.Size([4, 0]), torch.Size([0, 3]))
    found.state_dict_metadata["w"].chunks.append(empty_box)
    place = next(iter(found.storage_data.values()))
    found.storage_data[MetadataIndex("w", torch.Size([4, 0]), 2)] = place
    write_metadata(metadata, found)
    convert(metadata, tmp_path / "b.pth")
    assert torch.equal(torch.load(tmp_path / "b.pth")["w"], rows)


def test_one_place_for_a_tensor_and_a_shard(tmp_path: Path) -> None:
    rows = torch.arange(6.0).reshape(3, 2)
    source = crafted(
        tmp_path / "a", {"w": [((0, 0), rows[:2].clone()), ((2, 0), rows[2:].clone())], "0/0": [((0, 0), rows)]}
    )
    found = read_metadata(source)
    first = next(one for one in found.storage_data if one.fqn == "w" and one.offset == torch.Size([0, 0]))
    found.state_dict_metadata["top"] = TensorStorageMetadata(
        TensorProperties(dtype=torch.float32),
        torch.Size([2, 2]),
        [ChunkStorageMetadata(torch.Size([0, 0]), torch.Size([2, 2]))],
    )
    found.storage_data[MetadataIndex("top", torch.Size([0, 0]), 0)] = found.storage_data[first]
    write_metadata(source, dataclasses.replace(found, planner_data=None))
    done = convert(source, tmp_path / "a.pth")
    assert sum(tag.storages for tag in done.tags) == 3
    assert_alike(torch.load(tmp_path / "a.pth"), {"w": rows, "0/0": rows, "top": rows[:2]})


def test_a_shard_that_reaches_beyond_its_storage(tmp_path: Path) -> None:
    source = crafted(tmp_path / "a", {"w": [((0,), torch.ones(2)), ((2,), torch.ones(2))]})
    shard = checkpoint(tmp_path / "s.pth", pickled(rebuild("_rebuild_tensor", storage(), 3, (2,), (1,)))).read_bytes()
    (source / "__2_0.distcp").write_bytes(shard)
    found = read_metadata(source)
    first = next(iter(found.storage_data))
    found.storage_data[first] = _StorageInfo("__2_0.distcp", 0, len(shard))
    write_metadata(source, found)
    with pytest.raises(SegcliError, match="a shard of w reaches beyond its storage"):
        convert(source, tmp_path / "a.pth")


def test_keys_without_paths(tmp_path: Path) -> None:
    source = crafted(tmp_path / "a", {"model.w": [((0,), torch.ones(2))]})
    found = read_metadata(source)
    write_metadata(source, dataclasses.replace(found, planner_data=None))
    convert(source, tmp_path / "a.pth")
    assert_alike(torch.load(tmp_path / "a.pth"), {"model.w": torch.ones(2)})
    write_metadata(source, dataclasses.replace(found, planner_data={"model.w": ()}))
    convert(source, tmp_path / "b.pth")
    assert_alike(torch.load(tmp_path / "b.pth"), {"model.w": torch.ones(2)})


def test_metadata_that_refers_to_something_outside(tmp_path: Path) -> None:
    source = crafted(tmp_path / "a", {"w": [((0,), torch.ones(2))]})
    (source / ".metadata").write_bytes(pickled(storage()))
    with pytest.raises(SegcliError, match="refers at byte"):
        convert(source, tmp_path / "a.pth")


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this never runs",))


def spoiled(folder: Path, case: str) -> Path:  # noqa: C901, PLR0912, PLR0915 - one branch a case
    """Return a folder in which one thing is wrong."""
    rows = torch.arange(6.0).reshape(3, 2)
    source = crafted(folder / "a", {"w": [((0, 0), rows[:2].clone()), ((2, 0), rows[2:].clone())]}, n=1)
    found = read_metadata(source)
    index = next(one for one in found.storage_data if one.fqn == "w" and one.offset == torch.Size([2, 0]))
    info, tensor = found.storage_data[index], found.state_dict_metadata["w"]
    match case:
        case "outside":
            found.storage_data[index] = dataclasses.replace(info, relative_path="../../etc/passwd")
        case "compressed":
            found.storage_data[index] = dataclasses.replace(info, transform_descriptors=["zstd"])
        case "beyond":
            found.storage_data[index] = dataclasses.replace(info, length=10**9)
        case "gone":
            del found.storage_data[index]
        case "missing rows":
            tensor.chunks.pop()
        case "same twice":
            found.storage_data[index] = next(iter(found.storage_data.values()))
            tensor.chunks[1] = ChunkStorageMetadata(torch.Size([2, 0]), torch.Size([2, 2]))
            tensor.size = torch.Size([4, 2])
        case "overlap":
            tensor.size = torch.Size([4, 2])
            tensor.chunks.append(tensor.chunks[1])
        case "other dtype":
            tensor.properties = TensorProperties(dtype=torch.float16)
        case "no dtype":
            tensor.properties = 3
        case "no tensor":
            found.storage_data[index] = found.storage_data[MetadataIndex("n")]
        case "axes":
            tensor.chunks[1] = ChunkStorageMetadata(torch.Size([2]), torch.Size([1]))
            found.storage_data[MetadataIndex("w", torch.Size([2]), 1)] = info
        case "negative":
            tensor.chunks[1].sizes = torch.Size([-1, 2])
        case "no size":
            tensor.size = (3, 2)
        case "no name":
            found.state_dict_metadata[3] = tensor
        case "no dict":
            found.storage_data = []
        case "no metadata":
            found = {"w": 1}
        case "hostile":
            found.planner_data = Hostile()
            tensor.size = Hostile()
        case "no shard's class":
            tensor.chunks[1] = tensor.properties
        case "no values":
            tensor.chunks[:] = [ChunkStorageMetadata(torch.Size([0, 0]), torch.Size([3, 2]))]
            meta = io.BytesIO()
            torch.save(torch.empty(3, 2, device="meta"), meta)
            (source / "__2_0.distcp").write_bytes(meta.getvalue())
            first = next(one for one in found.storage_data if one.offset == torch.Size([0, 0]))
            found.storage_data[first] = _StorageInfo("__2_0.distcp", 0, len(meta.getvalue()))
        case "big-endian":
            path = source / info.relative_path
            path.write_bytes(path.read_bytes().replace(b"little", b"big\n\n\n"))
            for one in [one for one in found.storage_data if one.fqn == "n"]:
                found.storage_data[one] = info
        case "list with a gap":
            found.planner_data = {"w": ("list", 0), "n": ("list", 2)}
    write_metadata(source, found)
    return source


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("outside", "names the file '../../etc/passwd', expected one in its own folder"),
        ("compressed", "was changed by an extension"),
        ("beyond", "should lie at bytes"),
        ("gone", "does not say where w lies"),
        ("missing rows", "the shards of w have 4 elements, its shape .3, 2. needs 6"),
        ("same twice", "no plain tensor, or two of them are one"),
        ("overlap", "no plain tensor, or two of them are one|no shard has the element"),
        ("other dtype", "where w should lie, float16 of shape .2, 2., there is float32"),
        ("no dtype", "does not say the dtype of w"),
        ("no tensor", "there is no tensor"),
        ("axes", "another number of axes"),
        ("negative", "a number in it is none, or below zero"),
        ("no size", "a shape in it is none"),
        ("no name", "a name in it is no text"),
        ("no dict", "no dict where one is expected"),
        ("no metadata", "no Metadata where one is expected"),
        ("hostile", "a shape in it is none"),
        ("no shard's class", "no ChunkStorageMetadata where one is expected"),
        ("no values", "w has no values"),
        ("big-endian", "big-endian"),
        ("list with a gap", "has the item 2, and not all before it"),
    ],
)
def test_spoiled_folders_are_refused(tmp_path: Path, case: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = spoiled(tmp_path, case)
    with pytest.raises(SegcliError, match=words):
        convert(source, tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()
    assert "never runs" not in capsys.readouterr().out


def test_elements_that_no_shard_has(tmp_path: Path) -> None:
    rows = torch.arange(8.0).reshape(4, 2)
    source = crafted(tmp_path / "a", {"w": [((0, 0), rows[:2].clone()), ((1, 0), rows[2:].clone())]})
    found = read_metadata(source)
    found.state_dict_metadata["w"].size = torch.Size([4, 2])
    write_metadata(source, found)
    with pytest.raises(SegcliError, match=r"no shard has the element \(3, 0\)"):
        convert(source, tmp_path / "out.pth")


def test_no_folder_of_a_checkpoint(tmp_path: Path, segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    done = segcli("ckpt", "convert", tmp_path / "empty", tmp_path / "a.pth")
    assert done.code == 2
    assert "is a folder, expected a file, or a distributed checkpoint" in done.err
    source = crafted(tmp_path / "a", {"w": [((0,), torch.ones(2)), ((2,), torch.ones(2))]})
    monkeypatch.setattr(dcp_folder, "_MAX_FILES", 1)
    with pytest.raises(SegcliError, match="names more than 1 files"):
        convert(source, tmp_path / "a.pth")
    monkeypatch.setattr(dcp_metadata, "MAX_METADATA_BYTES", 10)
    with pytest.raises(SegcliError, match="expected at most 10"):
        convert(source, tmp_path / "a.pth")


def test_one_damaged_entry_does_not_hide_another(tmp_path: Path) -> None:
    source = save_dcp({"a": torch.ones(3), "b": torch.ones(4), "n": 7}, tmp_path / "it")
    found = read_metadata(source)
    first, second = (next(one for key, one in found.storage_data.items() if key.fqn == name) for name in ("a", "b"))
    path = source / first.relative_path
    raw = bytearray(path.read_bytes())
    # The pickle of one, and a value of the other.
    raw[first.offset + raw[first.offset :].index(b"torch._utils")] ^= 1
    raw[second.offset + raw[second.offset :].index(torch.ones(4).numpy().tobytes())] ^= 1
    path.write_bytes(raw)
    done = verify(source)
    places = [one.where for one in done.findings if one.severity.value == "error"]
    assert any(place == "a" for place in places)
    assert any(place.startswith("b") for place in places)
    assert (done.ok, done.bytes) == (False, sum(one.stat().st_size for one in source.iterdir()))
    with pytest.raises(SegcliError, match=r"checksum of data\.pkl"):
        convert(source, tmp_path / "out.pth")
    (source / ".metadata").write_bytes(b"\x80\x02N.")
    assert verify(source).bytes == sum(one.stat().st_size for one in source.iterdir())


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    source = save({"w": torch.ones(500_000)}, tmp_path / "model.pth")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # Python passes over the signal, and the write fails, as on a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        with pytest.raises(SegcliError, match=r"cannot write .*it\.dcp: File too large"):
            convert(source, tmp_path / "it.dcp")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [one.name for one in tmp_path.iterdir()] == ["model.pth"]


def test_what_was_saved_along_with_a_tensor_is_refused_or_told(tmp_path: Path) -> None:
    tensor, parameter = torch.ones(2), torch.nn.Parameter(torch.zeros(3))
    tensor.note, parameter.origin = 1, torch.ones(1)  # type: ignore[attr-defined]
    source = save({"t": tensor, "again": tensor, "p": parameter}, tmp_path / "model.pth")
    with pytest.raises(SegcliError, match=r"no place for: t\.note \(int\), again\.note \(int\), p\.origin \(tensor\)"):
        convert(source, tmp_path / "out.dcp")
    done = convert(source, tmp_path / "out.dcp", recipe=Recipe(tensors_only=True))
    assert done.left_out == ("t.note (int)", "again.note (int)", "p.origin (tensor)")
    into = {"t": torch.full((2,), 9.0), "again": torch.full((2,), 9.0), "p": torch.full((3,), 9.0)}
    found = load_dcp(tmp_path / "out.dcp", into)
    assert {key: one.tolist() for key, one in found.items()} == {"t": [1, 1], "again": [1, 1], "p": [0, 0, 0]}
    with pytest.raises(SegcliError, match=r"bare\.pth holds one tensor, expected a dict"):
        convert(save(tensor, tmp_path / "bare.pth"), tmp_path / "bare.dcp")


def test_a_private_file_becomes_a_private_folder_and_back(tmp_path: Path) -> None:
    source = save({"w": torch.ones(3)}, tmp_path / "model.pth")
    for mode, folder in ((0o600, 0o700), (0o640, 0o750), (0o644, 0o755)):
        source.chmod(mode)
        convert(source, tmp_path / "it.dcp", force=True)
        assert stat.S_IMODE((tmp_path / "it.dcp").stat().st_mode) == folder
    (tmp_path / "it.dcp" / ".metadata").chmod(0o600)
    convert(tmp_path / "it.dcp", tmp_path / "back.pth")
    assert stat.S_IMODE((tmp_path / "back.pth").stat().st_mode) == 0o600


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"])
def test_a_request_to_end_leaves_no_part(tmp_path: Path, number: signal.Signals, code: int) -> None:
    source = save({str(index): torch.ones(2**20) for index in range(48)}, tmp_path / "model.pth")
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "segcli", "ckpt", "convert", str(source), str(tmp_path / "out" / "it.dcp")]
    # Where coverage is measured, that listens to the signal itself, and ends the process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        until = time.monotonic() + 60
        while not any((tmp_path / "out").glob(".it.dcp.*/*")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.005)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "Traceback" not in told
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_killed_run_left_is_named(tmp_path: Path, segcli: Run) -> None:
    save({"w": torch.ones(3)}, tmp_path / "model.pth")
    (tmp_path / ".it.dcp.x1.part").mkdir()
    (tmp_path / ".other.dcp.x1.part").mkdir()
    told = segcli("ckpt", "convert", tmp_path / "model.pth", tmp_path / "it.dcp").out
    assert "left by runs that were killed" in told
    assert ".it.dcp.x1.part" in told
    assert ".other" not in told
    missing = segcli("ckpt", "convert", tmp_path / "model.pth", tmp_path / "no" / "it.dcp", "--dry-run")
    assert (missing.code, "there is no folder" in missing.err) == (2, True)


def test_a_dry_run_knows_another_dtypes_size(tmp_path: Path) -> None:
    source = save({"w": torch.ones(1000), "n": torch.ones(4, dtype=torch.int64)}, tmp_path / "model.pth")
    done = convert(source, tmp_path / "it.dcp", recipe=Recipe(dtype="bfloat16", dry_run=True))
    assert done.bytes == 2 * 1000 + 8 * 4


def test_tensors_that_show_one_element_many_times_are_told(tmp_path: Path, segcli: Run) -> None:
    content = {"x": torch.ones(1).expand(2**30), "y": torch.ones(2).expand(1, 2)}
    source = save(content, tmp_path / "model.pth")
    for target in ("it.dcp", "it.safetensors"):
        done = convert(source, tmp_path / target, recipe=Recipe(dry_run=True))
        assert done.expanded == ("x",)
        assert done.bytes > 2**32
    told = segcli("ckpt", "convert", source, tmp_path / "it.safetensors", "--dry-run").out
    assert "tensors that show one element many times (expand), written in full: x" in told
