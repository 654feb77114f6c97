import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats import copying
from segcli.formats.copying import copy_file, copy_range, write_at


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[int, int]]:
    source = os.open(tmp_path / "source", os.O_RDWR | os.O_CREAT)
    destination = os.open(tmp_path / "destination", os.O_RDWR | os.O_CREAT)
    yield source, destination
    os.close(source)
    os.close(destination)


def content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


@pytest.mark.parametrize("call", copying._COPY_CALLS, ids=lambda call: call.__name__)
@given(data=st.binary(max_size=2000), start=st.integers(0, 2000), at=st.integers(0, 2000))
def test_every_call_copies_a_range(
    tmp_path_factory: pytest.TempPathFactory, call: copying.CopyCall, data: bytes, start: int, at: int
) -> None:
    folder = tmp_path_factory.mktemp("copy")
    (folder / "source").write_bytes(data)
    start = min(start, len(data))
    source = os.open(folder / "source", os.O_RDONLY)
    destination = os.open(folder / "destination", os.O_RDWR | os.O_CREAT)
    counts: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_COPY_CALLS", (call,))
        patch.setattr(copying, "_CHUNK_BYTES", 700)
        copy_range(source, destination, len(data) - start, start, at, counts.append)
    assert content(destination) == bytes(at) + data[start:]
    assert sum(counts) == len(data) - start
    os.close(source)
    os.close(destination)


def test_holes_stay_holes(files: tuple[int, int]) -> None:
    source, destination = files
    size = 64 * 2**20
    for offset in (2**20, 40 * 2**20):
        write_at(source, b"data", offset)
    os.ftruncate(source, size)
    if os.fstat(source).st_blocks * 512 > 2**20:
        pytest.skip("this file system has no sparse files")
    counts: list[int] = []
    copy_range(source, destination, size, 0, 0, counts.append)
    assert content(destination) == content(source)
    assert os.fstat(destination).st_blocks * 512 < 2**20
    assert sum(counts) == size
    # A range that ends in a hole behind which there is data, and one without any.
    os.ftruncate(destination, 0)
    copy_range(source, destination, 30 * 2**20, 0, 0, counts.append)
    copy_range(source, destination, 2**20, 10 * 2**20, 30 * 2**20, counts.append)
    assert content(destination) == content(source)[: 31 * 2**20]


@pytest.mark.parametrize("answer", [errno.EXDEV, errno.ENOSYS, 0], ids=str)
def test_a_call_that_cannot_is_replaced(files: tuple[int, int], monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    def cannot(*_: int) -> int:
        if answer:
            raise OSError(answer, "cannot")
        return 0

    monkeypatch.setattr(copying, "_COPY_CALLS", (cannot, copying._with_buffer))
    source, destination = files
    write_at(source, b"content", 0)
    copy_range(source, destination, 7, 0, 0, lambda _: None)
    assert content(destination) == b"content"


def test_a_full_disk_is_no_reason_to_try_another_call(files: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copying, "_COPY_CALLS", (full, copying._with_buffer))
    write_at(files[0], b"content", 0)
    with pytest.raises(OSError, match="No space left"):
        copy_range(*files, 7, 0, 0, lambda _: None)


def test_a_source_that_ends_early(files: tuple[int, int]) -> None:
    write_at(files[0], b"content", 0)
    with pytest.raises(SegcliError, match="became shorter while it was copied"):
        copy_range(*files, 8, 0, 0, lambda _: None)


def test_errors_of_seeking_are_raised(files: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    os.ftruncate(files[0], 2**20)

    def broken(*_: int) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "lseek", broken)
    with pytest.raises(OSError, match="Input/output error"):
        copy_range(*files, 2**20, 0, 0, lambda _: None)


@pytest.mark.parametrize("shares", [True, False])
def test_blocks_are_shared_where_the_file_system_can(
    files: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    shares: bool,  # noqa: FBT001 - both
) -> None:
    def clone(destination: int, request: int, source: int) -> int:
        assert request == 0x40049409
        if not shares:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        write_at(destination, content(source), 0)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", clone)
    write_at(files[0], b"content", 0)
    counts: list[int] = []
    copy_file(*files, counts.append)
    assert content(files[1]) == b"content"
    assert sum(counts) == 7
