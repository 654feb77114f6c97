"""What `verify` finds: damage, all of it, and what is not safe to load."""

import argparse
import collections
import contextlib
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch.distributed.checkpoint import state_dict_saver
from torch.utils.serialization import config

from segcli.ckpt import inspect, verify
from segcli.ckpt.verification import findings as found_module
from segcli.ckpt.verification import packed
from segcli.ckpt.verification.findings import Finding, Severity
from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.zip_directory import Record
from segcli.formats.zip_records import read_directory, read_records
from tests.ckpt.corpus import write_corpus
from tests.formats.crafting import (
    FOUR_FLOATS,
    NO,
    PLAIN,
    Outside,
    Saved,
    aligned,
    calculated_offsets,
    checkpoint,
    pickled,
    rebuild,
    save,
    storage,
    write_records,
)
from tests.formats.crafting import read_records as contents
from tests.formats.old_files import Reference, legacy, members, part, save_legacy, storage_entry, tar, tensor_entry


def errors(path: Path, **options: Saved) -> list[tuple[str, str]]:
    done = verify(path, **options)
    listed = [(one.what, one.where) for one in done.findings if one.severity is Severity.ERROR]
    assert done.ok == (not listed)
    return listed


def warnings(path: Path) -> list[tuple[str, str]]:
    done = verify(path)
    assert done.ok
    return [(one.what, one.where) for one in done.findings if one.severity is Severity.WARNING]


def records(path: Path) -> dict[str, Record]:
    with open_source(path) as source:
        return {one.name.partition("/")[2]: one for one in read_records(source, read_directory(source))}


def weights() -> dict[str, Saved]:
    return {"w": torch.ones(3, 4), "b": torch.arange(3), "none": torch.zeros(0)}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: save(weights(), path), "torch zip"),
        (lambda path: save(weights(), path, "cuda:1"), "torch zip"),
        (lambda path: save_legacy(weights(), path), "torch legacy"),
        (lambda path: safetensors.torch.save_file({"w": torch.ones(3)}, path), "safetensors"),
        (
            lambda path: tar(
                path,
                members({"w": Reference(1)}, [tensor_entry(1, 2, (2,), (1,), 0)], [storage_entry(2, (1, 2))]),
            ),
            "torch tar",
        ),
    ],
    ids=["zip", "cuda zip", "legacy", "safetensors", "tar"],
)
@pytest.mark.parametrize("values", [False, True], ids=["", "values"])
def test_what_is_whole(tmp_path: Path, make: Callable[[Path], object], kind: str, *, values: bool) -> None:
    make(tmp_path / "model.pth")
    done = verify(tmp_path / "model.pth", values=values)
    assert (done.ok, done.format) == (True, kind)
    assert {one.severity for one in done.findings} <= {Severity.NOTE}
    assert done.bytes == (tmp_path / "model.pth").stat().st_size


def test_all_that_torch_lays_out_is_whole(tmp_path: Path) -> None:
    with aligned(4096):
        assert verify(save(weights(), tmp_path / "model.pth")).findings == ()
    net = torch.nn.LSTM(2, 3, num_layers=2)
    assert verify(save({"a": net.state_dict(), "e": {}}, tmp_path / "model.pth")).findings == ()


def test_progress_counts_every_byte_of_content_once(tmp_path: Path) -> None:
    path = save({"w": torch.ones(2**20)}, tmp_path / "model.pth")
    counts: list[int] = []
    verify(path, advance=counts.append)
    assert sum(counts) == sum(one.size for one in records(path).values())
    assert len(counts) > 4


def test_every_flipped_byte_is_seen_and_its_record_named(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "model.pth")
    raw = path.read_bytes()
    spans = {place: one for one in records(path).values() for place in range(one.start, one.start + one.size)}
    for place in range(len(raw)):
        for mask in (0x01, 0x80, 0xFF):
            path.write_bytes(raw[:place] + bytes([raw[place] ^ mask]) + raw[place + 1 :])
            done = verify(path)
            assert done.findings, f"byte {place} changed by {mask:#x}"
            if place in spans:
                assert not done.ok
                assert any("the checksum of" in one.what and one.where == spans[place].name for one in done.findings)


def test_every_truncation_says_how_much_is_missing(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "model.pth", "cuda:0")
    raw = path.read_bytes()
    found = records(path)
    for end in range(1, len(raw)):
        path.write_bytes(raw[:end])
        done = verify(path)
        (error, *_) = done.findings
        assert not done.ok
        if end >= found[".storage_alignment"].header:
            assert f"{end:,} bytes of {len(raw):,}, {len(raw) - end:,} are missing" in error.what
        elif end >= found[".format_version"].header:
            # Only the pickle is whole.
            assert f"truncated: it has {end:,} bytes of at least 1," in error.what
            assert "1 record is whole" in error.what
        else:
            assert "truncated" in error.what or "no checkpoint" in error.what
    path.write_bytes(raw[: found["data/1"].start + 2])
    assert verify(path).findings[0].where == "model/data/1"


@pytest.mark.parametrize("alignment", [64, 4096])
def test_truncations_of_other_layouts(tmp_path: Path, alignment: int) -> None:
    with aligned(alignment):
        path = save(weights(), tmp_path / "model.pth")
    raw = path.read_bytes()
    path.write_bytes(raw[:-300])
    assert f"of {len(raw):,}, 300 are missing" in verify(path).findings[0].what
    # A record of a torch before 2.1 that is no multiple of anything.
    write_records(path, {"data.pkl": pickled([storage()]), "data/0": FOUR_FLOATS})
    raw = path.read_bytes()
    path.write_bytes(raw[: records(path)["version"].header + 1])
    assert "bytes of at least" in verify(path).findings[0].what


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04", b"PK\x03\x04" + bytes(26), b"PK\x05\x06" + bytes(9), b"PK\x03\x04" + b"\xff" * 40],
    ids=["signature", "empty", "end", "full"],
)
def test_remains_of_which_nothing_can_be_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    assert errors(path)[0][0].startswith("truncated: it starts as a zip")


def test_remains_of_what_others_zipped(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a/data.pkl", pickled([1] * 50))
            archive.writestr("a/data/0", FOUR_FLOATS)
        path.write_bytes(path.read_bytes()[:-40])
        assert errors(path)[0][0].startswith("truncated: it starts as a zip")


def test_a_file_of_the_right_size_whose_end_was_never_written(tmp_path: Path) -> None:
    path = save({"w": torch.ones(100), "x": torch.ones(100)}, tmp_path / "model.pth")
    raw = path.read_bytes()
    second = records(path)["data/1"]
    path.write_bytes(raw[: second.start] + bytes(len(raw) - second.start))
    ((what, where),) = errors(path)
    assert what.startswith(f"without an end, though it has the {len(raw):,} bytes that it should: 5 records are whole")
    assert where == "model/data/1"
    # With an end, the checksum tells.
    path.write_bytes(raw[: second.start] + bytes(second.size) + raw[second.start + second.size :])
    ((what, where),) = errors(path)
    assert what.startswith("the checksum of data/1 is ")
    assert what.endswith(": all of its bytes are zeros")
    assert where == "model/data/1"


def test_all_bad_records_are_listed(tmp_path: Path) -> None:
    path = save({f"{index}": torch.full((5,), float(index)) for index in range(1, 9)}, tmp_path / "model.pth")
    raw = bytearray(path.read_bytes())
    found = records(path)
    for name in ("data/1", "data/4", "data/7", "version"):
        raw[found[name].start] ^= 1
    raw[found["data/2"].header + 14] ^= 1
    path.write_bytes(raw)
    assert [where for _, where in errors(path)] == [
        *("model/data/2", "model/data/1", "model/data/4", "model/data/7", "model/version"),
    ]


def test_no_checksum_is_not_a_wrong_one(tmp_path: Path) -> None:
    with config.patch({"save.use_pinned_memory_for_d2h": False}):  # type: ignore[attr-defined]
        torch.serialization.set_crc32_options(False)
        try:
            path = save(weights(), tmp_path / "model.pth")
        finally:
            torch.serialization.set_crc32_options(True)
    done = verify(path)
    assert done.ok
    assert done.findings[-1].severity is Severity.NOTE
    assert "have no checksum, so damage to them would not be seen" in done.findings[-1].what
    assert done.checked < done.records


TRICKS = {
    "names": lambda raw: raw.replace(b"model/data/2", b"model/../a/2").replace(b"model/data/1", b"/odel/data/1"),
    "flags": lambda raw: raw.replace(b"PK\x01\x02\0\0\0\0\x08\x08", b"PK\x01\x02\0\0\0\0\x09\x08"),
    "repeats": lambda raw: raw.replace(b"model/data/2", b"model/data/0").replace(b"model/data/1", b"model/DATA/0"),
}


@pytest.mark.parametrize("trick", list(TRICKS))
def test_tricks_are_all_listed(tmp_path: Path, trick: str) -> None:
    path = write_records(
        tmp_path / "model.pth",
        {"data.pkl": pickled([storage()]), **{f"data/{key}": FOUR_FLOATS for key in range(3)}},
    )
    path.write_bytes(TRICKS[trick](path.read_bytes()))
    assert len(errors(path)) >= 2


def test_records_that_do_not_lie_where_the_directory_has_them(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "model.pth")
    raw = bytearray(path.read_bytes())
    # The directory's first and second entries: where their records start.
    first = raw.index(b"PK\x01\x02")
    struct.pack_into("<L", raw, first + 42, 1)
    path.write_bytes(raw)
    assert [what for what, _ in errors(path)][:2] == [
        "its first record starts at byte 1, not at 0",
        "there is no record at byte 1, where model/data.pkl should be",
    ]
    raw[first] = 0
    path.write_bytes(raw)
    assert errors(path) == [("its directory has no entry at byte 0", "the directory")]


def test_compressed_archives(tmp_path: Path) -> None:
    save({"w": torch.zeros(100)}, tmp_path / "model.pth")
    path = tmp_path / "deflated.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents(tmp_path / "model.pth").items():
            archive.writestr(f"m/{name}", data)
    done = verify(path)
    (finding,) = done.findings
    assert (done.ok, done.records, done.checked, finding.severity.value) == (True, 7, 7, "warning")
    assert finding.what == (
        "compressed, it and 6 more: torch.load reads that, but with mmap=True fails or loads garbage in silence"
    )
    # Torch does.
    assert torch.equal(torch.load(path)["w"], torch.zeros(100))
    assert not torch.equal(torch.load(path, mmap=True)["w"], torch.zeros(100))


def deflated(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(f"m/{name}", data)
    return path


def test_compressed_records_are_unpacked_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(save({"w": torch.arange(1000.0)}, tmp_path / "model.pth"))
    hostile = deflated(tmp_path / "hostile.pth", {**whole, "data.pkl": b"cposix\nsystem\n."})
    assert ("it names posix.system, which runs code" in errors(hostile)[0][0], errors(hostile)[0][1]) == (
        True,
        "m/data.pkl",
    )
    only = deflated(tmp_path / "only.pth", {"data.pkl": whole["data.pkl"]})
    assert "compressed: torch.load reads that" in verify(only).findings[0].what
    other = deflated(tmp_path / "bzip2.pth", whole, zipfile.ZIP_BZIP2)
    assert errors(other)[0] == ("compressed by method 12, which torch does not read", "m/data.pkl")
    path = deflated(tmp_path / "zip.pth", whole)
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("m/data/0")
    at = info.header_offset + 30 + len(info.filename)
    entry = raw.rindex(b"m/data/0") - 46
    for place, value, told in (
        # In a stored block of one byte, of the length and its complement one bit is another.
        (at, b"\x01\x01\0\xff\xff", "cannot be unpacked: Error -3"),
        (at + info.compress_size // 2, bytes([raw[at + info.compress_size // 2] ^ 1]), "data/0"),
        (entry + 16, b"\1\2\3\4", "expected 04030201"),
        (entry + 24, struct.pack("<L", info.file_size + 1), f"unpacks to {info.file_size:,} bytes, expected"),
        (entry + 24, struct.pack("<L", info.file_size - 1), "unpacks to more, expected"),
        (entry + 20, struct.pack("<L", info.compress_size - 9), "bytes, expected 4,000 bytes"),
        (info.header_offset + 8, b"\0", "the two headers of record m/data/0 disagree"),
    ):
        path.write_bytes(raw[:place] + value + raw[place + len(value) :])
        assert any(told in what or told in where for what, where in errors(path)), told
    path.write_bytes(raw)
    monkeypatch.setattr(packed, "MAX_UNPACKED_BYTES", 3_000)
    done = verify(path)
    assert [one.what for one in done.findings][1:] == ["its 4,000 bytes were not unpacked: they are too many"]
    assert done.checked == 6


def test_a_layout_that_misleads_torch(tmp_path: Path) -> None:
    save({"w": torch.arange(100.0)}, tmp_path / "model.pth")
    path = tmp_path / "zipped.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents(tmp_path / "model.pth").items():
            archive.writestr(f"m/{name}", data)
    listed = warnings(path)
    assert [where for _, where in listed] == ["m/data/0", "m/data/0"]
    assert "start at no multiple of 64 bytes" in listed[0][0]
    assert "calculate_storage_offsets" in listed[1][0]
    assert "segcli ckpt convert SRC DST --format zip writes torch's own layout" in verify(path).hints


def test_offsets_that_torch_computes_wrongly(tmp_path: Path) -> None:
    # Aligned as torch has it, but in another order.
    save({"w": torch.arange(100.0), "x": torch.zeros(7)}, tmp_path / "model.pth")
    found = contents(tmp_path / "model.pth")
    found["data/0"], found["data/1"] = found.pop("data/0"), found.pop("data/1")
    found = {"data.pkl": found.pop("data.pkl"), "data/1": found.pop("data/1"), **found}
    for name in ("version", ".data/serialization_id"):
        found.pop(name)
    path = write_records(tmp_path / "turned.pth", found)
    assert [where for _, where in warnings(path)] == ["turned/data/1"]
    with calculated_offsets(), contextlib.suppress(RuntimeError):
        assert not torch.equal(torch.load(path, mmap=True)["x"], torch.zeros(7))


def test_what_the_pickle_says_and_the_records_do_not_have(tmp_path: Path) -> None:
    said = [
        storage(),
        storage(key="1", numel=9),
        storage(key="2"),
        storage(numel=3),
        Outside("storage", torch.nn.Linear, "3", "cpu", 1),
    ]
    path = checkpoint(tmp_path / "model.pth", pickled(said), **{"data/1": FOUR_FLOATS})
    assert [what for what, _ in errors(path)][:4] == [
        "record data/1 has 16 bytes, its 9 elements of float32 need 36",
        "it has no record data/2, which its pickle names",
        "storage 0 is said to have 16 bytes, and 12",
        "storage 3 is of the unknown class Linear",
    ]


def test_small_records_that_say_nothing_sensible(tmp_path: Path) -> None:
    odd = {"byteorder": b"middle", ".storage_alignment": b"0", ".format_version": b"one"}
    path = checkpoint(tmp_path / "model.pth", pickled([storage()]), **odd)
    assert [where for _, where in errors(path)] == [
        *("model/.format_version", "model/.storage_alignment", "model/byteorder"),
    ]
    odd = {".storage_alignment": b"x"}
    path = checkpoint(tmp_path / "model.pth", pickled([storage()]), **odd)
    assert errors(path) == [("its .storage_alignment is 'x', expected a whole number", "model/.storage_alignment")]
    with zipfile.ZipFile(tmp_path / "zipped.pth", "w") as archive:
        archive.writestr("m/data.pkl", pickled([1]))
    assert errors(tmp_path / "zipped.pth") == [
        ("it has no version record, without which torch does not read it", "m/version")
    ]


def test_a_pickle_that_cannot_be_reached(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "model.pth")
    raw = bytearray(path.read_bytes())
    raw[0] = 0
    path.write_bytes(b"PK\x05\x06" + bytes(raw[4:]))
    assert errors(path) == [
        ("there is no record at byte 0, where model/data.pkl should be", "model/data.pkl"),
        ("its data.pkl cannot be read", "model/data.pkl"),
    ]


def test_a_pickle_with_a_wrong_checksum_is_judged_all_the_same(tmp_path: Path) -> None:
    path = save({"args": argparse.Namespace(x="spam")}, tmp_path / "model.pth")
    path.write_bytes(path.read_bytes().replace(b"spam", b"eggs"))
    assert errors(path)[0][0].startswith("the checksum of data.pkl is ")
    assert "it names argparse.Namespace" in errors(path)[1][0]


def test_zips_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    checkpoint(path, pickled([1]), **{"constants.pkl": b""})
    assert "TorchScript" in errors(path)[0][0]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"")
    assert "NumPy archive" in errors(path)[0][0]


def test_names_and_opcodes(tmp_path: Path) -> None:
    content = {"args": argparse.Namespace(x=1), "w": torch.ones(2)}
    path = save(content, tmp_path / "model.pth", pickle_protocol=4)
    done = verify(path)
    assert [(one.severity.value, one.what.split(",")[0]) for one in done.findings] == [
        ("error", "it names argparse.Namespace"),
        ("warning", "torch.load(..."),
    ]
    assert "let names pass whose code you know with --allow NAME" in done.hints
    with pytest.raises(Exception, match="weights_only"):
        torch.load(path, weights_only=True)
    done = verify(path, allow=["argparse.Namespace", "torch._utils._rebuild_tensor_v2"])
    assert done.ok
    assert done.findings[-1] == Finding(
        Severity.NOTE, "it names argparse.Namespace, which --allow lets pass", "model/data.pkl"
    )


def test_dangerous_names_are_said_to_be(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "model.pth", b"cposix\nsystem\n(S'touch PWNED'\ntR.")
    ((what, where),) = errors(path)
    assert what.startswith("it names posix.system, which runs code or touches files")
    assert where == "model/data.pkl"
    assert "do not load this file with weights_only=False" in verify(path).hints


def test_items_set_in_a_tensor(tmp_path: Path) -> None:
    tensor = pickled(rebuild(*PLAIN))[:-1]
    for change in (b"K\0K\x01s.", b"(K\0K\x01u.", b"K\0a."):
        path = checkpoint(tmp_path / "model.pth", tensor + change)
        assert "it sets items in what torch._utils._rebuild_tensor returns" in errors(path)[0][0]


def test_tensors_that_reach_beyond_their_storage(tmp_path: Path) -> None:
    content = {
        "good": rebuild("_rebuild_tensor", storage(), 0, (2, 2), (2, 1)),
        "bad": rebuild("_rebuild_tensor", storage(), 1, (2, 2), (2, 1)),
        "empty": rebuild("_rebuild_tensor", storage(), 100, (0,), (1,)),
        "worse": rebuild("_rebuild_tensor", storage(), 0, (10**9,), (1,)),
    }
    path = checkpoint(tmp_path / "model.pth", pickled(content))
    assert errors(path) == [
        ("it reaches element 4 of storage 0, which has 4", "bad"),
        ("it reaches element 999,999,999 of storage 0, which has 4", "worse"),
    ]


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    bad = torch.tensor([1.0, float("nan"), float("inf"), float("nan")], dtype=torch.bfloat16)
    path = save(
        {"good": torch.ones(3), "bad": bad, "tied": bad, "int": torch.ones(2, dtype=torch.int8)}, tmp_path / "m.pth"
    )
    assert warnings(path) == []
    found = verify(path, values=True)
    assert found.ok
    assert [(one.severity.value, one.what, one.where) for one in found.findings] == [
        ("warning", "2 NaN and 1 infinite of 4 elements", "bad"),
        ("warning", "2 NaN and 1 infinite of 4 elements, the same as bad", "tied"),
    ]


def test_values_of_what_cannot_be_read(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "model.pth")
    path.write_bytes(path.read_bytes()[:-1])
    assert verify(path, values=True).findings[-1].what.startswith("its values were not looked at: ")


def test_legacy_files(tmp_path: Path) -> None:
    path = save_legacy({"args": argparse.Namespace(), **weights()}, tmp_path / "model.pth")
    raw = path.read_bytes()
    ((what, where),) = errors(path)
    assert what.startswith("it names argparse.Namespace")
    assert where == "the object's pickle"
    path.write_bytes(raw[:-5])
    assert errors(path)[0][0].endswith(f"has {len(raw) - 5:,} bytes, and 5 are missing")
    legacy(path, pickled([part()]), {"0": (1, 2, 3, 4)})
    path.write_bytes(path.read_bytes() + b"junk")
    assert warnings(path) == [("4 bytes follow its last storage, which torch does not read", "")]


def test_tar_files_are_told_of_the_hole_in_old_torch(tmp_path: Path) -> None:
    path = tar(tmp_path / "model.pth", members([1], [], []))
    assert any("CVE-2025-32434" in one.what for one in verify(path).findings)
    path.write_bytes(path.read_bytes()[:700])
    assert errors(path)


def test_safetensors_files(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"w": torch.ones(3), "b": torch.tensor([float("nan")])}, path)
    raw = path.read_bytes()
    assert verify(path, values=True).findings[0] == Finding(Severity.WARNING, "1 NaN of 1 elements", "b")
    path.write_bytes(raw[:-3])
    assert errors(path)[0][0] == f"it has {len(raw) - 3} bytes of {len(raw)}: 3 are missing"


@pytest.mark.filterwarnings("ignore")
def test_folders(tmp_path: Path) -> None:
    bad = torch.tensor([1.0, float("nan")])
    state_dict_saver.save({"w": torch.ones(3), "bad": bad}, checkpoint_id=tmp_path / "run", no_dist=True)
    done = verify(tmp_path / "run", values=True)
    assert (done.ok, done.bytes > 20) == (True, True)
    assert [(one.severity.value, one.where) for one in done.findings] == [("warning", "bad")]
    (tmp_path / "run" / "__0_0.distcp").write_bytes(b"")
    assert errors(tmp_path / "run")
    (tmp_path / "none").mkdir()
    assert errors(tmp_path / "none")
    assert verify(tmp_path / "none").format == "folder"


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345678\n"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (LFS.encode(), "a Git-LFS pointer of 85 bytes, not the file that it stands for, which has 12,345,678 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not the file that it stands for, and names none"),
        (b"<!DOCTYPE html><title lang=en>\n Sign\n in\x1b </title>", r"an HTML page, not a checkpoint: 'Sign in"),
        (b"<html>", "an HTML page, not a checkpoint"),
        (bytes(2**20 + 5), "so its content was never written; all of its 1,048,581 bytes are"),
        (bytes(2**20) + b"x", "; the first byte that is none is 1,048,576 of 1,048,577"),
        (b"\x1f\x8b\x08", "a file of the format gzip"),
        (b"7z\xbc\xaf\x27\x1c", "a file of the format 7z"),
        (b"\x80\x02N.", "a plain pickle, which torch.save did not write"),
        (b"hello", "no checkpoint that is known here: it starts with b'hello'"),
        (b"", "empty: it has 0 bytes"),
    ],
    ids=["LFS", "LFS?", "titled HTML", "HTML", "zeros", "mostly zeros", "gzip", "7z", "pickle", "text", "empty"],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    assert what in errors(path)[0][0]
    assert len(verify(path).hints) == 1


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="does not exist"):
        verify(tmp_path / "none")


def test_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    path = save(weights(), tmp_path / "model.pth")

    def write(_: int) -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with pytest.raises(SegcliError, match="changed while it was read"):
        verify(path, advance=write)


def test_no_more_is_listed_than_anyone_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_module, "MAX_FINDINGS", 2)
    path = save([torch.full((1,), float(index)) for index in range(1, 6)], tmp_path / "model.pth")
    raw = bytearray(path.read_bytes())
    for index in range(5):
        raw[records(path)[f"data/{index}"].start] ^= 1
    path.write_bytes(raw)
    assert errors(path)[-1] == ("and 3 more, which are not listed", "")


def test_the_corpus_is_whole(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    for path in tmp_path.iterdir():
        allow = ["argparse.Namespace", "numpy._core.multiarray.scalar", "numpy.dtype"]
        assert verify(path, allow=allow).ok == (path.suffix != ".pickle"), path


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_elements_in_a_byte(tmp_path: Path) -> None:
    scales, zeros = torch.rand(3) + 0.1, torch.zeros(3)
    path = save(
        {"q": torch.quantize_per_channel(torch.randn(3, 5), scales, zeros, 0, torch.quint4x2)}, tmp_path / "model.pth"
    )
    assert errors(path) == []
    (tensor,) = [one for one in inspect(path).tensors if one.key == "q"]
    assert tensor.bytes == 8


@pytest.mark.parametrize(("offset", "shape", "stride"), [(-1, (2, 2), (2, 1)), (0, (-2,), (1,)), (0, (2,), (-1,))])
def test_arguments_that_make_no_tensor(tmp_path: Path, offset: int, shape: tuple[int], stride: tuple[int]) -> None:
    tensor = rebuild("_rebuild_tensor_v2", storage(), offset, shape, stride, NO, collections.OrderedDict())
    path = checkpoint(tmp_path / "model.pth", pickled({"w": tensor}))
    with pytest.raises(RuntimeError, match=r"invalid storage offset|negative|overflow"):
        torch.load(path)
    assert errors(path)[0][0] == "what torch._utils._rebuild_tensor_v2 is given makes no tensor, so torch.load fails"


def test_a_record_that_is_longer_than_its_storage(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "model.pth", pickled({"w": rebuild(*PLAIN)}), **{"data/0": bytes(20)})
    with pytest.raises(RuntimeError, match="does not match expected size"):
        torch.load(path)
    assert ("it has 20 bytes, and its elements 16, so torch.load fails", "model/data/0") in errors(path)


def test_what_follows_an_end_is_no_truncation(tmp_path: Path) -> None:
    path = save({"w": torch.ones(3)}, tmp_path / "model.pth")
    raw = path.read_bytes()
    path.write_bytes(raw + b"xxxx")
    assert errors(path) == [("4 bytes follow its zip end record", "")]
    path.write_bytes(raw[:-2] + b"\5\0")
    assert errors(path) == [("its end record contradicts itself, or speaks of several disks or of a comment", "")]
