import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats import zip_records
from segcli.formats.byte_source import open_source
from segcli.formats.zip_directory import Record
from segcli.formats.zip_records import read_directory, read_records, refuse_compressed
from tests.formats.crafting import write_records

CONTENT = {"data.pkl": b"pickle", "data/0": b"zero", "data/1": b"", "data/2": b"12345678" * 4}


def records(path: Path) -> tuple[Record, ...]:
    with open_source(path) as source:
        entries = read_directory(source)
        refuse_compressed(source.name, entries)
        return tuple(read_records(source, entries))


@pytest.fixture
def torch_zip(tmp_path: Path) -> Path:
    return write_records(tmp_path / "model.pth", CONTENT)


def python_zip(path: Path, content: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:  # type: ignore[call-overload]
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def streamed_zip(path: Path) -> Path:
    """Let zipfile write descriptors, as it does where it cannot seek."""

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            parts.append(bytes(data))  # type: ignore[call-overload]
            return len(parts[-1])

    parts: list[bytes] = []
    with zipfile.ZipFile(Pipe(), "w") as archive:
        for name, data in CONTENT.items():
            archive.writestr(f"a/{name}", data)
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda path: write_records(path, CONTENT),
        streamed_zip,
        lambda path: python_zip(path, {f"a/{name}": data for name, data in CONTENT.items()}),
    ],
    ids=["torch", "streamed", "zipfile"],
)
def test_records_are_zipfiles(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path / "archive.zip")
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    found = records(path)
    assert [(record.name, record.header, record.size, record.crc) for record in found] == [
        (info.filename, info.header_offset, info.file_size, info.CRC) for info in infos
    ]
    with zipfile.ZipFile(path) as archive:
        for record in found:
            assert raw[record.start : record.start + record.size] == archive.read(record.name)


def test_a_record_with_zip64_sizes_in_its_local_header(tmp_path: Path) -> None:
    path = tmp_path / "forced.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a/data.pkl", "w", force_zip64=True) as member:
        member.write(b"content")
    assert records(path)[0].size == 7


@given(st.integers(0, 10_000))
def test_every_truncation_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = write_records(tmp_path_factory.mktemp("cut") / "model.pth", CONTENT)
    raw = path.read_bytes()
    path.write_bytes(raw[: 1 + cut % (len(raw) - 1)])
    with pytest.raises(SegcliError, match=r"is truncated|is damaged") as caught:
        records(path)
    assert "fetch it again" in caught.value.hint


@given(st.data())
def test_no_flipped_byte_of_a_header_goes_unseen_or_moves_a_record(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write_records(tmp_path_factory.mktemp("flip") / "model.pth", CONTENT)
    before = records(path)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        after = records(path)
    except SegcliError:
        return
    # What may differ is data, padding, or a field that says nothing of where records lie.
    assert [(record.name.lower(), record.start, record.size) for record in after] == [
        (record.name.lower(), record.start, record.size) for record in before
    ]


def patched(raw: bytes, find: bytes, at: int, new: bytes, *, last: bool = False) -> bytes:
    """Overwrite bytes ``at`` behind where ``find`` starts."""
    start = (raw.rindex(find) if last else raw.index(find)) + at
    return raw[:start] + new + raw[start + len(new) :]


LOCAL, CENTRAL, END, END64, LOCATOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
DESCRIPTOR = b"PK\x07\x08"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda raw: raw + b"junk", "4 bytes follow its zip end record", id="bytes after the end"),
        pytest.param(lambda raw: patched(raw, END, 4, b"\1"), "several disks", id="disks"),
        pytest.param(lambda raw: patched(raw, LOCATOR, 8, b"\1"), "zip64 end record should be at", id="locator"),
        pytest.param(lambda raw: patched(raw, END64, 4, b"\1"), "zip64 end record contradicts itself", id="end64"),
        pytest.param(lambda raw: patched(raw, END, 8, b"\1\0\1\0"), "two end records disagree: 7 and 1", id="counts"),
        pytest.param(
            lambda raw: patched(raw, END64, 24, b"\5" + bytes(7) + b"\5" + bytes(7)), "disagree", id="counts64"
        ),
        pytest.param(lambda raw: patched(raw, END64, 48, b"\0" * 8), "disagree", id="start64"),
        pytest.param(
            lambda raw: patched(patched(raw, END64, 48, b"\1"), END, 16, b"\1"), "its directory ends", id="start"
        ),
        pytest.param(lambda raw: patched(raw, CENTRAL, 0, b"PX"), "no entry at byte 0", id="central signature"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 28, b"\xff\xff"), "is cut short", id="central name length"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 8, b"\x09"), "is encrypted", id="encrypted"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 8, b"\x0c"), "has flags 0x080c", id="flags"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 10, b"\x08"), "is compressed", id="method"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 20, b"\x05"), "is stored, but has 5 bytes for 6", id="packed"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 42, b"\x01"), "first record starts at byte 1", id="first"),
        pytest.param(lambda raw: patched(raw, CENTRAL, 42, bytes(4), last=True), "does not lie behind", id="overlap"),
        pytest.param(lambda raw: patched(raw, LOCAL, 0, b"PX"), "there is no record at byte 0", id="local signature"),
        pytest.param(
            lambda raw: patched(raw, LOCAL, 30, b"M"), "two headers of record model/data.pkl disagree", id="name"
        ),
        pytest.param(lambda raw: patched(raw, LOCAL, 8, b"\x08"), "two headers of record", id="local method"),
        pytest.param(lambda raw: patched(raw, LOCAL, 14, b"\x08"), "disagree on its size or checksum", id="local crc"),
        pytest.param(
            lambda raw: patched(raw, LOCAL, 28, b"\xff\xff"), "are named, but it has", id="local extra length"
        ),
        pytest.param(lambda raw: patched(raw, LOCAL, 28, b"\xff\x00"), "overlaps what follows", id="local longer"),
        pytest.param(lambda raw: patched(raw, DESCRIPTOR, 0, b"PX"), "what is said behind record", id="descriptor"),
        pytest.param(
            lambda raw: patched(raw, DESCRIPTOR, 8, b"\1"), "what is said behind record", id="descriptor size"
        ),
        pytest.param(
            lambda raw: raw.replace(b"model/data/2", b"model/../a/2"), "leads out of the archive", id="parent"
        ),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"/odel/data/2"), "leads out of the archive", id="root"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"C:del/data/2"), "leads out of the archive", id="drive"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"mo\\el/data/2"), "leads out", id="backslash"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"mo\0el/data/2"), "leads out", id="nul"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"model/data/0"), "two records named", id="repeated"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"model/DATA/0"), "two records named", id="case alone"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"model/data/\xff"), "is not UTF-8", id="encoding"),
        pytest.param(lambda raw: raw.replace(b"model/data/2", b"model/data2/"), "holds a folder entry", id="folder"),
    ],
)
def test_what_readers_could_read_differently_is_refused(
    torch_zip: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    torch_zip.write_bytes(change(torch_zip.read_bytes()))
    with pytest.raises(SegcliError, match=words):
        records(torch_zip)


def central(name: bytes, size: int, header: int, extra: bytes = b"") -> bytes:
    fields = (CENTRAL, 0, 0, 0, 0, 0, 0, 0, size, size, len(name), len(extra), 0, 0, 0, 0, header)
    return struct.pack("<4s6H3L5H2L", *fields) + name + extra


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (b"", "zip64 field of record a/b has 0 bytes"),
        (b"\1\0\4\0abcd", "zip64 field of record a/b has 4 bytes"),
        (b"\1\0", "extra field of record a/b is cut short"),
        (b"\1\0\xff\0", "extra field of record a/b is cut short"),
        (b"\1\0\0\0\1\0\0\0", "has several zip64 fields"),
    ],
)
def test_bad_zip64_fields_are_refused(tmp_path: Path, extra: bytes, words: str) -> None:
    entry = central(b"a/b", 0xFFFFFFFF, 0, extra)
    path = tmp_path / "a.zip"
    path.write_bytes(entry + struct.pack("<4s4H2LH", END, 0, 0, 1, 1, len(entry), 0, 0))
    with pytest.raises(SegcliError, match=words):
        records(path)


def test_other_extra_fields_are_passed_over(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a/b")
    info.extra = struct.pack("<HH4s", 0x5455, 4, b"time")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, b"content")
    assert records(tmp_path / "a.zip")[0].size == 7


def test_local_sizes_must_be_the_directorys(tmp_path: Path) -> None:
    path = python_zip(tmp_path / "a.zip", {"a/b": b"content"})
    path.write_bytes(patched(path.read_bytes(), LOCAL, 22, b"\x08"))
    with pytest.raises(SegcliError, match="disagree on its size or checksum"):
        records(path)


def test_a_gap_between_records_is_refused(tmp_path: Path) -> None:
    path = python_zip(tmp_path / "a.zip", {"a/b": b"content", "a/c": b"more"})
    raw = path.read_bytes()
    second = raw.rindex(LOCAL)
    end = raw.index(CENTRAL)
    raw = raw[:second] + b"hidden" + raw[second:]
    raw = patched(raw, CENTRAL, 42, struct.pack("<L", second + 6), last=True)
    path.write_bytes(patched(raw, END, 16, struct.pack("<L", end + 6)))
    with pytest.raises(SegcliError, match="6 bytes behind record a/b belong to nothing"):
        records(path)


def test_a_zip_without_records(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="is a zip without records"):
        records(python_zip(tmp_path / "a.zip", {}))


def test_a_count_that_is_not_the_directorys(tmp_path: Path) -> None:
    path = python_zip(tmp_path / "a.zip", {"a/b": b"content"})
    path.write_bytes(patched(path.read_bytes(), END, 8, b"\2\0\2\0"))
    with pytest.raises(SegcliError, match="names 2 records, its directory has 1"):
        records(path)


def test_deflated_records_are_refused(tmp_path: Path) -> None:
    path = python_zip(tmp_path / "a.zip", {"a/b": b"content" * 9}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(SegcliError, match=r"is compressed \(record a/b, method 8\)"):
        records(path)


def test_more_records_than_any_checkpoint_has(torch_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_records, "MAX_RECORDS", 3)
    with pytest.raises(SegcliError, match="names 7 records, more than the 3"):
        records(torch_zip)
