import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats import payload
from segcli.formats.byte_source import open_source
from segcli.formats.payload import Computed, Payload, Stretch, inline

CONTENT = bytes(range(256)) * 20


def into(path: Path, content: Payload, at: int = 3) -> tuple[int, bytes, int]:
    """Write a payload; return its CRC, the file's bytes and how many were told of."""
    counts: list[int] = []
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        crc = content.write(file, at, counts.append)
    finally:
        os.close(file)
    return crc, path.read_bytes(), sum(counts)


@given(start=st.integers(0, 5000), size=st.integers(0, 5120), knows=st.booleans(), piece=st.integers(1, 6000))
def test_a_stretch_is_what_the_file_has_there(
    tmp_path_factory: pytest.TempPathFactory,
    start: int,
    size: int,
    knows: bool,  # noqa: FBT001 - drawn
    piece: int,
) -> None:
    folder = tmp_path_factory.mktemp("payload")
    (folder / "source").write_bytes(CONTENT)
    expected = CONTENT[start : start + size]
    with open_source(folder / "source") as source, pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "PIECE_BYTES", piece)
        stretch = Stretch(source, start, len(expected), zlib.crc32(expected) if knows else None)
        assert b"".join(stretch.pieces()) == expected
        assert all(0 < len(one) <= piece for one in stretch.pieces())
        crc, written, told = into(folder / "out", stretch)
    assert (crc, told) == (zlib.crc32(expected), len(expected))
    assert written == (b"\0\0\0" + expected if expected or knows else written)


def test_a_stretch_that_knows_its_checksum_is_copied_with_it(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    with open_source(tmp_path / "source") as source:
        assert into(tmp_path / "out", Stretch(source, 0, 4, crc=1234))[0] == 1234


def test_a_stretch_past_the_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT)
    with open_source(tmp_path / "source") as source, pytest.raises(SegcliError, match="are named, but it has 5120"):
        into(tmp_path / "out", Stretch(source, 5000, 200))


def test_what_is_computed_is_written_piece_by_piece(tmp_path: Path) -> None:
    pieces = [b"abc", b"", b"de"]
    computed = Computed(5, lambda: iter(pieces))
    assert b"".join(computed.pieces()) == b"abcde"
    assert into(tmp_path / "out", computed) == (zlib.crc32(b"abcde"), b"\0\0\0abcde", 5)


def test_bytes_in_memory(tmp_path: Path) -> None:
    assert inline(b"3\n").size == 2
    assert into(tmp_path / "out", inline(b"3\n"), at=0) == (zlib.crc32(b"3\n"), b"3\n", 2)


def test_large_zeros_become_holes(tmp_path: Path) -> None:
    pieces = [b"a" * 10, bytes(payload.PIECE_BYTES), bytes(payload.PIECE_BYTES), b"b", bytes(payload.PIECE_BYTES)]
    computed = Computed(sum(map(len, pieces)), lambda: iter(pieces))
    crc, written, told = into(tmp_path / "out", computed, at=0)
    assert written == b"".join(pieces)
    assert (crc, told) == (zlib.crc32(written), len(written))
    assert (tmp_path / "out").stat().st_blocks * 512 < payload.PIECE_BYTES
