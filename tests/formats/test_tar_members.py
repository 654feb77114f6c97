import io
import tarfile
from pathlib import Path

import pytest

from segcli.errors import SegcliError
from segcli.formats import tar_members
from segcli.formats.byte_source import open_source
from segcli.formats.tar_members import Member, read_members
from tests.formats.crafting import Saved
from tests.formats.old_files import tar

FILES = {"storages": b"abc" * 400, "tensors": b"", "sub/pickle": b"x" * 512}


def read(path: Path) -> dict[str, Member]:
    with open_source(path) as source:
        return read_members(source)


def contents(path: Path) -> dict[str, bytes]:
    raw = path.read_bytes()
    return {name: raw[one.start : one.start + one.size] for name, one in read(path).items()}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_are_those_that_tarfile_finds(tmp_path: Path, form: int) -> None:
    path = tar(tmp_path / "it.tar", FILES, form)
    with tarfile.open(path, "r:") as archive:
        expected = {one.name: (one.offset_data, one.size) for one in archive}
    assert {name: (one.start, one.size) for name, one in read(path).items()} == expected
    assert contents(path) == FILES


def test_a_long_name_is_in_two_fields_or_in_an_extended_header(tmp_path: Path) -> None:
    name = "folder" * 20 + "/" + "name" * 10
    for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT):
        assert list(read(tar(tmp_path / "it.tar", {name: b"x"}, form))) == [name]
    odd = "n\xe4me" * 40
    assert list(read(tar(tmp_path / "it.tar", {odd: b"x"}))) == [odd]


def test_sizes_past_octal_digits(tmp_path: Path) -> None:
    size = 9 * 2**30
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / "big.tar"
        info = tarfile.TarInfo("storages")
        info.size = size
        header = info.tobuf(form)
        with path.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + size + 1024)
        assert read(path) == {"storages": Member("storages", len(header), size)}


def test_an_archive_may_end_without_zeros(tmp_path: Path) -> None:
    path = tar(tmp_path / "it.tar", {"a": b"x" * 512}, tarfile.USTAR_FORMAT)
    path.write_bytes(path.read_bytes()[:1024])
    assert contents(path) == {"a": b"x" * 512}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "member storages is a symbolic link"),
        ({"type": tarfile.LNKTYPE, "linkname": "x"}, "member storages is a hard link"),
        ({"type": tarfile.DIRTYPE}, "is a folder"),
        ({"type": tarfile.CHRTYPE}, "is a device"),
        ({"type": tarfile.FIFOTYPE}, "is of the type '6'"),
        ({"type": tarfile.GNUTYPE_SPARSE}, "is of the type 'S'"),
        ({"name": "/etc/passwd"}, "file /etc/passwd would lie outside"),
        ({"name": "a/../../b"}, "would lie outside"),
    ],
    ids=str,
)
def test_what_is_no_plain_file_inside_is_refused(tmp_path: Path, fields: dict[str, Saved], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        read(tar(tmp_path / "it.tar", {"storages": b"x"}, tarfile.USTAR_FORMAT, **fields))


def test_two_files_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "it.tar"
    with tarfile.open(path, "w:") as archive:
        for data in (b"one", b"other"):
            info = tarfile.TarInfo("pickle")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(SegcliError, match="has two files named pickle"):
        read(path)


def test_a_long_name_of_gnu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="is of the type 'L'"):
        read(tar(tmp_path / "it.tar", {"n" * 200: b"x"}, tarfile.GNU_FORMAT))


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "MAX_MEMBERS", 2)
    with pytest.raises(SegcliError, match="has more than 2 files"):
        read(tar(tmp_path / "it.tar", FILES))


def test_truncated_archives(tmp_path: Path) -> None:
    whole = tar(tmp_path / "it.tar", {"a": b"x" * 700}, tarfile.USTAR_FORMAT).read_bytes()
    path = tmp_path / "cut.tar"
    path.write_bytes(whole[:1200])
    with pytest.raises(SegcliError, match="has 1,200 bytes, and its file a ends at 1,212: 12 are missing"):
        read(path)
    path.write_bytes(whole[:1536] + whole[:100])
    with pytest.raises(SegcliError, match="ends inside of the header at byte 1536"):
        read(path)


def changed(header: bytes, at: int, data: bytes, *, checked: bool = True) -> bytes:
    """Change a header, and make its checksum right again."""
    raw = header[:at] + data + header[at + len(data) :]
    total = sum(raw[:148]) + sum(raw[156:512]) + 8 * 32
    return raw[:148] + b"%06o\0 " % total + raw[156:] if checked else raw


@pytest.mark.parametrize(
    ("at", "data", "checked", "words"),
    [
        (0, b"b", False, "the checksum of its header at byte 0 is wrong"),
        (148, b"99999999", False, "a number in a tar header is b'99999999'"),
        (124, b"           \0", True, "expected octal digits"),
        (257, b"nostar", True, "there is no tar header at byte 0"),
    ],
)
def test_damaged_headers(tmp_path: Path, at: int, data: bytes, checked: bool, words: str) -> None:  # noqa: FBT001
    path = tar(tmp_path / "it.tar", {"a": b"x"}, tarfile.USTAR_FORMAT)
    path.write_bytes(changed(path.read_bytes(), at, data, checked=checked))
    with pytest.raises(SegcliError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"11 size=10x\n", "an extended header says the size '10x'|cannot be read"),
        (b"12 size=10x\n", "an extended header says the size '10x'"),
        (b"99 size=10\n", "extended header at byte 512 cannot be read"),
        (b"size=10\n", "cannot be read"),
        (b"0 size=10\n", "cannot be read"),
        (b"10 no value", "cannot be read"),
        (b"11 size=10 ", "cannot be read"),
        (b"x" * 2**17, "an extended header has 131,072 bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_damaged_extended_headers(tmp_path: Path, line: bytes, words: str) -> None:
    path = tar(tmp_path / "it.tar", {"x": line}, tarfile.USTAR_FORMAT, type=tarfile.XHDTYPE)
    with pytest.raises(SegcliError, match=words):
        read(path)
