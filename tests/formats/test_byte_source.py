import os
from pathlib import Path

import pytest

from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source, size_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def test_reads_are_whole_and_in_place(path: Path) -> None:
    with open_source(path) as source:
        assert (source.at(2, 3), source.at(10, 0), source.size) == (b"234", b"", 10)
    assert size_of(path) == 10


@pytest.mark.parametrize(("offset", "count"), [(8, 3), (-1, 2), (11, 0), (2, -1), (0, 2**70)])
def test_reads_past_the_end_are_refused(path: Path, offset: int, count: int) -> None:
    with open_source(path) as source, pytest.raises(SegcliError, match="are named, but it has 10"):
        source.at(offset, count)


def test_a_file_that_shrinks_or_changes_is_refused(path: Path) -> None:
    with open_source(path) as source:
        source.check_unchanged()
        os.truncate(path, 4)
        with pytest.raises(SegcliError, match="became shorter while it was read"):
            source.at(2, 5)
        with pytest.raises(SegcliError, match="changed while it was read"):
            source.check_unchanged()


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Held open for writing, so that opening it for reading does not wait.
    keeper = os.open(pipe, os.O_RDWR)
    with pytest.raises(SegcliError, match="is not a regular file"), open_source(pipe):
        pass
    os.close(keeper)


def test_missing_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match="does not exist"), open_source(tmp_path / "none"):
        pass
    (tmp_path / "empty").touch()
    with pytest.raises(SegcliError, match="is empty"), open_source(tmp_path / "empty"):
        pass
