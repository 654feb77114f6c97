"""Legacy files that stay legacy files: only tags change."""

import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcli.ckpt import convert
from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.torch_legacy import TorchLegacy, read_legacy
from tests.ckpt.test_conversion import content, load, same, state, ties
from tests.ckpt.test_hostile import _WATCHED, HOSTILE
from tests.conftest import Run
from tests.formats.crafting import pickled, rebuild, save, tagged, tags
from tests.formats.old_files import Reference, legacy, members, part, save_legacy, storage_entry, tar, tensor_entry


def read(path: Path) -> TorchLegacy:
    with open_source(path) as source:
        return read_legacy(source)


def loads(path: Path) -> bool:
    """Whether torch reads a legacy file: it cannot where a storage is untyped."""
    try:
        load(path)
    except AttributeError as error:
        assert "UntypedStorage" in str(error)  # noqa: PT017 - either way is right
        return False
    return True


@given(content(), st.integers(1, 5), st.sampled_from(["cpu", "cuda:0"]))
def test_only_the_objects_pickle_changes(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Any], protocol: int, before: str
) -> None:
    folder = tmp_path_factory.mktemp("legacy")
    with tagged(before):
        source = save_legacy(drawn, folder / "source.pth", pickle_protocol=protocol)
    to = "cuda:0" if before == "cpu" else "cpu"
    done = convert(source, folder / "there.pth", to)
    assert (done.source_format, done.format, done.sources_dropped) == ("legacy", "legacy", ())
    here, there = read(source), read(folder / "there.pth")
    assert {one.location for one in there.storages.values()} == {to}
    raw, moved = source.read_bytes(), (folder / "there.pth").read_bytes()
    assert moved[: there.start] == raw[: here.start]
    assert moved[there.start + len(there.pickle) :] == raw[here.start + len(here.pickle) :]
    assert done.bytes == len(moved)
    if loads(source):
        assert tags(folder / "there.pth") == {to}
        loaded, original = load(folder / "there.pth"), load(source)
        assert same(loaded, original)
        assert ties(loaded) == ties(original)
    convert(source, folder / "copy.pth", before)
    assert (folder / "copy.pth").read_bytes() == raw


@pytest.mark.filterwarnings("ignore:source code of class:torch.serialization.SourceChangeWarning")
@pytest.mark.parametrize("protocol", range(1, 6))
def test_there_and_back_is_the_same_file(tmp_path: Path, protocol: int) -> None:
    source = save_legacy(torch.nn.Conv2d(3, 4, 3), tmp_path / "source.pth", pickle_protocol=protocol)
    convert(source, tmp_path / "there.pth", "cuda:0")
    assert tags(tmp_path / "there.pth") == {"cuda:0"}
    convert(tmp_path / "there.pth", tmp_path / "back.pth", "cpu")
    assert (tmp_path / "back.pth").read_bytes() == source.read_bytes()


def test_weights_only_reads_the_result(tmp_path: Path) -> None:
    with tagged("cuda:1"):
        save_legacy(state(), tmp_path / "source.pth")
    convert(tmp_path / "source.pth", tmp_path / "cpu.pth", "cpu")
    assert same(torch.load(tmp_path / "cpu.pth", weights_only=True), state())


def test_mixed_tags_of_python_2(tmp_path: Path) -> None:
    def tensor(key: bytes, tag: bytes) -> bytes:
        ident = b"(U\x07storagectorch\nFloatStorage\nU\x01" + key + b"U" + bytes([len(tag)]) + tag + b"K\x01Nt"
        return b"ctorch._utils\n_rebuild_tensor\n(" + ident + b"QK\x00K\x01\x85K\x01\x85tR"

    data = b"\x80\x02](" + tensor(b"0", b"cuda:1") + tensor(b"1", b"cpu") + tensor(b"2", b"cuda:0") + b"U\x03cpue."
    source = legacy(tmp_path / "old.pth", data, {"0": [1], "1": [2], "2": [3]})
    done = convert(source, tmp_path / "cpu.pth", "cpu")
    assert [(one.before, one.after, one.storages) for one in done.tags] == [
        ("cuda:1", "cpu", 1),
        ("cpu", "cpu", 1),
        ("cuda:0", "cpu", 1),
    ]
    for weights_only in (False, True):
        loaded = torch.load(tmp_path / "cpu.pth", weights_only=weights_only)
        assert [*map(torch.Tensor.item, loaded[:3])] == [1, 2, 3]
    assert b"X" not in read(tmp_path / "cpu.pth").pickle


def test_parts_of_storages_stay_parts(tmp_path: Path) -> None:
    tensors = [
        rebuild("_rebuild_tensor", part(view=("9", 1, 2), location="cuda:0"), 1, (1,), (1,)),
        rebuild("_rebuild_tensor", part(location="cuda:0"), 0, (4,), (1,)),
    ]
    source = legacy(tmp_path / "old.pth", pickled(tensors), {"0": [1, 2, 3, 4]})
    convert(source, tmp_path / "cpu.pth", "cpu")
    assert [one.tolist() for one in torch.load(tmp_path / "cpu.pth")] == [[3], [1, 2, 3, 4]]
    assert [one.view for one in read(tmp_path / "cpu.pth").walk.storages] == [("9", 1, 2), None]


def test_what_follows_is_kept(tmp_path: Path) -> None:
    source = save_legacy([torch.zeros(2)], tmp_path / "source.pth")
    with source.open("ab") as file:
        torch.save("second", file, _use_new_zipfile_serialization=False)
    convert(source, tmp_path / "gpu.pth", "cuda:0")
    with (tmp_path / "gpu.pth").open("rb") as file:
        torch.load(file, map_location="cpu")
        assert torch.load(file) == "second"


def test_past_4_gib(tmp_path: Path) -> None:
    count = 2**32 + 20
    source = legacy(tmp_path / "old.pth", pickled([part("0", count, kind=torch.ByteStorage), part("1", 1)]), {})
    head = source.read_bytes()[: -len(b"\x80\x02]q\x00.")] + b"\x80\x02]q\x00(X\1\0\0\x000X\1\0\0\x001e."
    with source.open("wb") as file:
        file.write(head + struct.pack("<q", count))
        file.seek(count - 5, 1)
        file.write(b"value" + struct.pack("<qf", 1, 0.5))
    if source.stat().st_blocks * 512 > 2**20:
        pytest.skip("this file system has no sparse files")
    done = convert(source, tmp_path / "gpu.pth", "cuda:0")
    assert done.bytes == source.stat().st_size + 3
    assert (tmp_path / "gpu.pth").stat().st_blocks * 512 < 2**20
    with (tmp_path / "gpu.pth").open("rb") as file:
        file.seek(-17, 2)
        assert file.read() == b"value" + struct.pack("<qf", 1, 0.5)


def test_a_truncated_source_leaves_nothing(tmp_path: Path) -> None:
    source = save_legacy(state(), tmp_path / "source.pth")
    source.write_bytes(source.read_bytes()[:-3])
    with pytest.raises(SegcliError, match=r"is truncated: .*3 are missing"):
        convert(source, tmp_path / "cpu.pth", "cpu")
    assert list(tmp_path.iterdir()) == [source]


def test_inspect_reads_legacy_files(segcli: Run, tmp_path: Path) -> None:
    with tagged("cuda:1"):
        source = save_legacy(torch.nn.Linear(2, 3), tmp_path / "old.pth")
    document = segcli("ckpt", "inspect", source, "--json").json
    assert document["format"] == "torch legacy"
    assert [(one["key"], one["shape"], one["device"]) for one in document["tensors"]] == [
        ("weight", [3, 2], "cuda:1"),
        ("bias", [3], "cuda:1"),
    ]
    assert {"name": "torch.nn.modules.linear.Linear", "verdict": "unknown"} in document["globals"]
    assert document["layout"] == {
        "version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
        "protocol": 2,
        "refused_opcodes": [],
        "sources": ["torch.nn.modules.linear.Linear"],
    }
    said = " ".join(segcli("ckpt", "inspect", source).out.split())
    assert "layout: version 1001, protocol 2, written on a little-endian machine, with the source code of 1 cl" in said
    odd = legacy(tmp_path / "odd.pth", pickled([b"x"], 4), {}, system=None)
    said = " ".join(segcli("ckpt", "inspect", odd).out.split())
    assert "layout: version 1001, protocol 4" in said
    assert "refuses this pickle, whatever it names, for its FRAME" in said


def test_inspect_reads_tar_files(segcli: Run, tmp_path: Path) -> None:
    entries = [tensor_entry(7, 100, (2,), (1,), 1)], [storage_entry(100, [1, 2, 3], "cuda:0")]
    source = tar(tmp_path / "old.tar", members({"w": Reference(7), "device": "cpu"}, *entries))
    document = segcli("ckpt", "inspect", source, "--json").json
    assert document["format"] == "torch tar"
    tensor = document["tensors"][0]
    assert (tensor["key"], tensor["shape"], tensor["dtype"], tensor["device"]) == ("w", [2], "float32", "cuda:0")
    assert (tensor["storage"], tensor["offset"], tensor["stride"]) == ("100", 1, [1])
    said = " ".join(segcli("ckpt", "inspect", source).out.split())
    assert "weights_only=True) reads no tar file" in said


_WATCH_LEGACY = _WATCHED.replace(
    "folder, warm, *hostile = sys.argv[1:]", "folder, warm, *hostile = sys.argv[1:]\nwarm = hostile[0]"
)


def test_nothing_that_a_legacy_or_tar_file_names_is_imported_or_called(tmp_path: Path) -> None:
    paths = [legacy(tmp_path / "good.pth", pickled([part()]), {"0": [1, 2, 3, 4]})]
    for index, data in enumerate(HOSTILE.values()):
        paths.append(legacy(tmp_path / f"{index}.pth", data, {}))
        files = members([], [], [])
        paths.append(tar(tmp_path / f"{index}.tar", {**files, "pickle": data}))
        paths.append(tar(tmp_path / f"{index}.storages.tar", {**files, "storages": data}))
        paths.append(tar(tmp_path / f"{index}.tensors.tar", {**files, "tensors": data}))
        raw = legacy(tmp_path / f"{index}.head.pth", data, {}).read_bytes()
        (tmp_path / f"{index}.head.pth").write_bytes(raw[:21] + data + raw[21:])
        paths.append(tmp_path / f"{index}.head.pth")
    done = subprocess.run(
        [sys.executable, "-c", _WATCH_LEGACY, tmp_path, "", *paths],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "EVENT" not in done.stdout
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize("wrap", [lambda one: one, torch.nn.Parameter], ids=["plain", "parameter"])
def test_nested_tensors_are_refused(tmp_path: Path, wrap: Callable[[torch.Tensor], torch.Tensor]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        source = save({"net": {"nt": wrap(nested)}, "w": torch.ones(1)}, tmp_path / "nested.pth")
    with pytest.raises(SegcliError, match=r"net\.nt in .*nested\.pth is nested, and torch\.load cannot rebuild"):
        convert(source, tmp_path / "out.pth", file_format="legacy")
    assert not (tmp_path / "out.pth").exists()
