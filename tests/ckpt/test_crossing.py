"""Checkpoints that come out in another format."""

import contextlib
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcli.ckpt import convert
from segcli.ckpt.conversion.command import _complete_format
from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource
from segcli.formats.checkpoint import _READERS, Checkpoint
from segcli.formats.sniff import Kind
from tests.ckpt.test_conversion import content, load, same, state, ties
from tests.conftest import Run
from tests.formats.crafting import (
    Outside,
    Saved,
    aligned,
    calculated_offsets,
    check_layout,
    checkpoint,
    pickled,
    read_records,
    rebuild,
    save,
    storage,
    tagged,
    tags,
    write_records,
)
from tests.formats.old_files import (
    Reference,
    legacy,
    members,
    part,
    save_legacy,
    storage_entry,
    tar,
    tensor_entry,
)

pytestmark = pytest.mark.filterwarnings("ignore:source code of class:torch.serialization.SourceChangeWarning")


def records(path: Path) -> dict[str, bytes]:
    """Return all records but the number that torch's writer makes of the others."""
    found = read_records(path)
    found.pop(".data/serialization_id", None)
    return found


@given(content(), st.integers(1, 5), st.sampled_from(["cpu", "cuda:0"]))
def test_a_legacy_file_becomes_the_zip_that_torch_writes(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Any], protocol: int, before: str
) -> None:
    folder = tmp_path_factory.mktemp("crossing")
    with tagged(before):
        source = save_legacy(drawn, folder / "old.pth", pickle_protocol=protocol)
    convert(source, folder / "new.pth", file_format="zip")
    check_layout(folder / "new.pth")
    assert tags(folder / "new.pth") == {before}
    # The zip of torch's own: what both hold was saved from the same objects.
    theirs = save(drawn, folder / "theirs.pth", before, pickle_protocol=max(protocol, 2))
    loaded, original = load(folder / "new.pth"), load(theirs)
    assert same(loaded, original)
    assert ties(loaded) == ties(original)
    ours, expected = records(folder / "new.pth"), records(theirs)
    assert list(ours) == list(expected)
    different = {name for name in ours if ours[name] != expected[name]}
    assert different <= (set() if protocol in (2, 3) else {"data.pkl"})


@given(content(), st.integers(2, 5), st.sampled_from(["cpu", "cuda:0"]))
def test_a_zip_goes_to_legacy_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Any], protocol: int, before: str
) -> None:
    folder = tmp_path_factory.mktemp("crossing")
    source = save(drawn, folder / "new.pth", before, pickle_protocol=protocol)
    original = load(source)
    try:
        done = convert(source, folder / "old.pth", file_format="legacy")
    except SegcliError as error:
        assert "is untyped" in error.message  # noqa: PT017 - either way is right
        assert b"UntypedStorage" in read_records(source)["data.pkl"]
        return
    assert (done.source_format, done.format, done.changed) == ("zip", "legacy", 0)
    loaded = load(folder / "old.pth")
    assert same(loaded, original)
    assert ties(loaded) == ties(original)
    convert(folder / "old.pth", folder / "back.pth", file_format="zip")
    ours, expected = records(folder / "back.pth"), records(source)
    assert list(ours) == list(expected)
    different = {name for name in ours if ours[name] != expected[name]}
    assert different <= (set() if protocol in (2, 3) else {"data.pkl"})


def tar_of(path: Path, tag: str = "cpu") -> Path:
    storages = [storage_entry(100, [1, 2, 3, 4], tag), storage_entry(200, [5, 6], tag)]
    tensors = [
        tensor_entry(7, 100, (2, 2), (1, 2), 0),
        tensor_entry(8, 101, (2,), (1,), 0),
        tensor_entry(9, 200, (2,), (1,), 0),
    ]
    held = {"device": "cpu", "w": Reference(7), "tied": Reference(7), "view": Reference(8), "b": Reference("9")}
    return tar(path, members(held, tensors, storages, [(101, 100, 2, 2)]))


@pytest.mark.parametrize("to", [None, "cuda:0"])
def test_a_tar_becomes_a_zip(tmp_path: Path, to: str | None) -> None:
    source = tar_of(tmp_path / "old.tar")
    done = convert(source, tmp_path / "new.pth", to)
    assert (done.source_format, done.format) == ("tar", "zip")
    assert tags(tmp_path / "new.pth") == {to or "cpu"}
    original, loaded = torch.load(source, weights_only=False), load(tmp_path / "new.pth", weights_only=True)
    assert same(loaded["w"], original["w"])
    assert list(loaded) == list(original)
    assert loaded["device"] == "cpu"
    assert loaded["tied"] is loaded["w"]
    convert(source, tmp_path / "old.pth", file_format="legacy")
    for one in (original, loaded, load(tmp_path / "old.pth")):
        one["w"].mul_(10)
        assert [one[key].tolist() for key in ("w", "view", "b")] == [[[10, 30], [20, 40]], [30, 40], [5, 6]]
    check_layout(tmp_path / "new.pth")


@pytest.mark.parametrize("source", ["legacy", "tar"])
@pytest.mark.parametrize(
    "options", [{}, {"weights_only": True}, {"mmap": True}, {"mmap": True, "weights_only": True}], ids=str
)
@pytest.mark.parametrize("calculated", [False, True], ids=["read offsets", "calculated offsets"])
def test_zips_load_in_every_way(tmp_path: Path, source: str, options: dict[str, Any], calculated: bool) -> None:  # noqa: FBT001
    old = tmp_path / "a name much longer than the other one"
    old = save_legacy(state(), old) if source == "legacy" else tar_of(old)
    convert(old, tmp_path / "new.pth", "cpu", file_format="zip")
    with calculated_offsets() if calculated else contextlib.nullcontext():
        loaded = torch.load(tmp_path / "new.pth", **options)
    if source == "legacy":
        assert same(loaded, state())
        assert loaded["state_dict"]._metadata == state()["state_dict"]._metadata
    else:
        assert loaded["w"].tolist() == [[1, 3], [2, 4]]


def test_modules_come_without_their_source(tmp_path: Path, segcli: Run) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
    source = save_legacy(net, tmp_path / "old.pth")
    done = convert(source, tmp_path / "new.pth", "cuda:0", file_format="zip")
    assert done.sources_dropped == (
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.activation.ReLU",
    )
    loaded = load(tmp_path / "new.pth")
    assert same(dict(loaded.state_dict()), dict(net.state_dict()))
    out = segcli("ckpt", "convert", source, tmp_path / "again.pth", "--format", "zip").out
    assert "zip from legacy: values as they were" in " ".join(out.split())
    assert "torch.nn.modules.batchnorm.BatchNorm2d and 1 more" in " ".join(out.split())


def test_parts_of_storages_stay_tied(tmp_path: Path) -> None:
    tensors = [
        rebuild("_rebuild_tensor", part(view=("9", 1, 2)), 1, (1,), (1,)),
        rebuild("_rebuild_tensor", part(view=("8", 0, 2)), 0, (2,), (1,)),
        rebuild("_rebuild_tensor", part(), 0, (4,), (1,)),
    ]
    source = legacy(tmp_path / "old.pth", pickled(tensors), {"0": [1, 2, 3, 4]})
    convert(source, tmp_path / "new.pth", file_format="zip")
    first, second, whole = torch.load(tmp_path / "new.pth")
    assert (first.tolist(), second.tolist()) == ([3], [1, 2])
    whole.mul_(10)
    assert (first.tolist(), second.tolist()) == ([30], [10, 20])


def test_a_part_that_stands_alone_is_refused(tmp_path: Path) -> None:
    source = legacy(tmp_path / "old.pth", pickled([part(view=("9", 1, 2))]), {"0": [1, 2, 3, 4]})
    with pytest.raises(SegcliError, match="the part 9 of storage 0 stands on its own"):
        convert(source, tmp_path / "new.pth", file_format="zip")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.uint16])
def test_untyped_storages_are_rescued_from_legacy_and_not_sent_there(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = torch.arange(4).to(dtype)
    source = save_legacy({"w": tensor}, tmp_path / "old.pth")
    with pytest.raises(AttributeError, match="UntypedStorage"):
        torch.load(source)
    convert(source, tmp_path / "new.pth", file_format="zip")
    assert same(torch.load(tmp_path / "new.pth"), {"w": tensor})
    with pytest.raises(SegcliError, match=r"storage 0 in .* is untyped, .* torch.load cannot read it from a legacy"):
        convert(tmp_path / "new.pth", tmp_path / "back.pth", file_format="legacy")
    assert not (tmp_path / "back.pth").exists()


def test_a_flipped_bit_does_not_lose_its_checksum(tmp_path: Path) -> None:
    source = save({"w": torch.ones(1000)}, tmp_path / "new.pth")
    raw = bytearray(source.read_bytes())
    raw[raw.index(struct.pack("<10f", *[1] * 10)) + 100] ^= 1
    source.write_bytes(raw)
    with pytest.raises(SegcliError, match=r"damaged: the checksum of storage 0 is [0-9a-f]{8}, expected [0-9a-f]{8}"):
        convert(source, tmp_path / "old.pth", file_format="legacy")
    assert list(tmp_path.iterdir()) == [source]


def test_a_zip_without_checksums(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        source = save(state(), tmp_path / "new.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    convert(source, tmp_path / "old.pth", file_format="legacy")
    assert same(torch.load(tmp_path / "old.pth"), state())


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
)
def test_big_endian_values_are_turned(tmp_path: Path, dtype: str) -> None:
    tensor = (torch.arange(10) * 37 % 91).to(getattr(torch, dtype))
    found = read_records(save({"w": tensor}, tmp_path / "little.pth"))
    unit = tensor.element_size() // (2 if tensor.is_complex() else 1)
    data = found["data/0"]
    found["data/0"] = b"".join(data[at : at + unit][::-1] for at in range(0, len(data), unit))
    found["byteorder"] = b"big"
    for name in ("version", ".data/serialization_id"):
        del found[name]
    source = write_records(tmp_path / "big.pth", found)
    assert same(torch.load(source), {"w": tensor})
    convert(source, tmp_path / "old.pth", file_format="legacy")
    assert same(torch.load(tmp_path / "old.pth"), {"w": tensor})


def test_a_record_longer_than_its_storage(tmp_path: Path) -> None:
    tensor = rebuild("_rebuild_tensor", storage(numel=3), 0, (3,), (1,))
    source = checkpoint(tmp_path / "long.pth", pickled([tensor]))
    convert(source, tmp_path / "old.pth", file_format="legacy")
    assert torch.load(tmp_path / "old.pth")[0].tolist() == [1, 2, 3]


def test_another_alignment_is_torchs_default_after_a_legacy_file(tmp_path: Path) -> None:
    with aligned(4096):
        source = save(state(), tmp_path / "new.pth")
    convert(source, tmp_path / "old.pth", file_format="legacy")
    convert(tmp_path / "old.pth", tmp_path / "back.pth", file_format="zip")
    check_layout(tmp_path / "back.pth", 64)
    assert same(torch.load(tmp_path / "back.pth"), state())


def test_what_follows_a_legacy_file_is_not_dropped(tmp_path: Path) -> None:
    source = save_legacy([torch.zeros(2)], tmp_path / "old.pth")
    with source.open("ab") as file:
        torch.save("second", file, _use_new_zipfile_serialization=False)
    with pytest.raises(SegcliError, match="bytes behind its checkpoint, perhaps another checkpoint"):
        convert(source, tmp_path / "new.pth", file_format="zip")


def test_ids_of_other_things_are_refused(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "new.pth", pickled([Outside("module", int)]))
    with pytest.raises(SegcliError, match="refers at byte"):
        convert(source, tmp_path / "old.pth", file_format="legacy")


@pytest.mark.parametrize("file_format", ["zip", "legacy"])
def test_memory_does_not_grow_with_values(tmp_path: Path, file_format: str) -> None:
    size = 32 * 2**20
    content: Saved = {"w": torch.zeros(size, dtype=torch.uint8)}
    source = (save_legacy if file_format == "zip" else save)(content, tmp_path / "source.pth")
    tracemalloc.start()
    try:
        convert(source, tmp_path / "out.pth", file_format=file_format)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert torch.equal(torch.load(tmp_path / "out.pth")["w"], content["w"])


def test_progress_counts_what_is_written(tmp_path: Path) -> None:
    source = save_legacy({"w": torch.zeros(1000)}, tmp_path / "old.pth")
    counts: list[int] = []
    convert(source, tmp_path / "new.pth", file_format="zip", advance=counts.append)
    assert 4000 <= sum(counts) <= (tmp_path / "new.pth").stat().st_size
    counts.clear()
    convert(tmp_path / "new.pth", tmp_path / "back.pth", file_format="legacy", advance=counts.append)
    assert sum(counts) == 4000


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    source = save(state(), tmp_path / "new.pth")
    with pytest.raises(SegcliError, match="unknown format 'zap', expected zip, legacy, safetensors or dcp") as error:
        convert(source, tmp_path / "out.pth", file_format="zap")
    assert error.value.hint == "did you mean zip?"
    with pytest.raises(SegcliError, match="is a zip checkpoint already, and no device is given") as error:
        convert(source, tmp_path / "out.pth")
    assert error.value.hint == "name the device: --to cpu"
    assert list(tmp_path.iterdir()) == [source]


def test_a_format_that_only_holds_values_has_nothing_to_convert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "it.npy").write_bytes(b"\x93NUMPY")

    def values_only(source: ByteSource) -> Checkpoint:
        return Checkpoint(source, Kind.NPY, None, {}, "little", 2, "it")

    monkeypatch.setitem(_READERS, Kind.NPY, values_only)
    with pytest.raises(SegcliError, match="is a file of the format npy, not a checkpoint"):
        convert(tmp_path / "it.npy", tmp_path / "out.pth", "cpu")


def test_formats_are_completed() -> None:
    assert _complete_format("l") == ["legacy"]


@pytest.mark.parametrize("torchs", [True, False], ids=["legacy", "tar"])
def test_the_command(segcli: Run, tmp_path: Path, torchs: bool) -> None:  # noqa: FBT001
    source = save_legacy(state(), tmp_path / "old.pth") if torchs else tar_of(tmp_path / "old.pth")
    document = segcli("ckpt", "convert", source, tmp_path / "new.pth", "--format", "zip", "--json").json
    assert (document["source_format"], document["format"]) == ("legacy" if torchs else "tar", "zip")
    assert document["tags"][0]["before"] == document["tags"][0]["after"] == "cpu"
    assert segcli("ckpt", "inspect", tmp_path / "new.pth").code == 0
    done = segcli("ckpt", "convert", source, tmp_path / "new.pth", "--format", "zip")
    assert (done.code, done.out) == (2, "")
    assert "new.pth exists already" in done.err
