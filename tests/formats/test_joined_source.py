import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.joined_source import Chunk, Piece, joined, mosaic, window

CONTENT = bytes(range(200))


@given(
    cuts=st.lists(st.tuples(st.integers(0, 199), st.integers(1, 30)), min_size=1, max_size=5),
    start=st.integers(0, 150),
    count=st.integers(0, 150),
)
def test_pieces_read_as_one(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]], start: int, count: int
) -> None:
    path = tmp_path_factory.mktemp("joined") / "it"
    path.write_bytes(CONTENT)
    with open_source(path) as source:
        pieces = [Piece(source, at, min(size, 200 - at)) for at, size in cuts]
        whole = b"".join(CONTENT[piece.start : piece.start + piece.size] for piece in pieces)
        made = joined("the whole", pieces)
        assert made.size == len(whole)
        if start + count <= len(whole):
            assert made.at(start, count) == whole[start : start + count]
        else:
            with pytest.raises(SegcliError, match="the whole is damaged: bytes"):
                made.at(start, count)
        made.check_unchanged()


def test_windows(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(CONTENT)
    with open_source(tmp_path / "it") as source:
        assert window(source, 10, 20, "part").at(5, 3) == CONTENT[15:18]
        assert window(source, 200, 0, "part").at(0, 0) == b""
        for start, size in ((190, 11), (-1, 2), (3, -1)):
            with pytest.raises(SegcliError, match="part should lie at bytes"):
                window(source, start, size, "part")


def test_a_file_that_changes_under_its_pieces(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(CONTENT)
    with open_source(tmp_path / "it") as source:
        whole = joined("the whole", [Piece(source, 0, 10)])
        tiles = mosaic("the tensor", (4,), 2, [Chunk((0,), (4,), source, 0, (1,))])
        tiles.check_unchanged()
        (tmp_path / "it").write_bytes(CONTENT + b"more")
        for made in (whole, tiles):
            with pytest.raises(SegcliError, match="changed while it was read"):
                made.check_unchanged()


def test_the_mode_is_what_all_files_allow(tmp_path: Path) -> None:
    modes = (0o640, 0o604)
    with contextlib.ExitStack() as opened:
        pieces = []
        for mode in modes:
            path = tmp_path / oct(mode)
            path.write_bytes(b"abc")
            path.chmod(mode)
            source = opened.enter_context(open_source(path))
            assert source.mode == mode
            pieces.append(Piece(source, 0, 3))
        assert joined("all", pieces).mode == 0o600
