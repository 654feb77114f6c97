import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats import pickle_stream
from segcli.formats.byte_source import open_source
from segcli.formats.persistent_id import resolve_zip
from segcli.formats.pickle_stream import walk_at
from segcli.formats.pickle_walk import walk

# Lines and counted strings, shorter and longer than a buffer, and empty ones.
VALUES = [
    {"a": 1},
    ["x" * 100_000, 2**70],
    [b"", "", "line\nline"],
    list(range(2000)),
    [collection := {1, 2}, collection],
]


@pytest.mark.parametrize("buffer", [1, 7, 2**16])
@pytest.mark.parametrize("protocol", range(6))
def test_pickles_one_behind_another_are_read_as_each_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, buffer: int
) -> None:
    monkeypatch.setattr(pickle_stream, "_BUFFER_BYTES", buffer)
    pickles = [pickle.dumps(value, protocol) for value in VALUES]
    (tmp_path / "several").write_bytes(b"".join(pickles) + b"rest")
    at = 0
    with open_source(tmp_path / "several") as source:
        for data in pickles:
            said, alone = walk_at(source, at, "it", 2**20, resolve_zip), walk(data, "it")
            assert (said.end, said.globals, said.frames) == (len(data), alone.globals, alone.frames)
            assert said.opcodes == alone.opcodes
            at += said.end


@given(st.binary(min_size=1, max_size=200), st.integers(1, 200))
def test_any_bytes_are_followed_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, limit: int) -> None:
    path = tmp_path_factory.mktemp("stream") / "it"
    path.write_bytes(data)
    with open_source(path) as source:
        try:
            assert walk_at(source, 0, "it", limit, resolve_zip).end <= limit
        except SegcliError as error:
            assert error.hint  # noqa: PT017 - either way is right


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_where_it_ends_too_early(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(["x" * 100, 1, 2], protocol)
    (tmp_path / "it").write_bytes(data)
    with open_source(tmp_path / "it") as source:
        for limit in range(1, len(data)):
            with pytest.raises(SegcliError, match=f"a pickle has more than {limit} bytes"):
                walk_at(source, 0, "a pickle", limit, resolve_zip)
            with pytest.raises(SegcliError, match="it is damaged: a pickle ends too early"):
                walk_at(source, 0, "a pickle", 2**20, resolve_zip, limit)
        assert walk_at(source, 0, "a pickle", len(data), resolve_zip).end == len(data)
    (tmp_path / "it").write_bytes(data[:-2])
    with open_source(tmp_path / "it") as source, pytest.raises(SegcliError, match=r"it is truncated: its .* bytes end"):
        walk_at(source, 0, "a pickle", 2**20, resolve_zip)


def test_a_length_without_measure_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "it").open("wb") as file:
        file.write(b"\x80\x04\x8d" + (2**62).to_bytes(8, "little"))
        file.truncate(2**33)
    with open_source(tmp_path / "it") as source, pytest.raises(SegcliError, match="has more than 65,536 bytes"):
        walk_at(source, 0, "it", 2**16, resolve_zip)
    (tmp_path / "it").write_bytes(b"c" + b"x" * 10)
    with open_source(tmp_path / "it") as source, pytest.raises(SegcliError, match="is truncated"):
        walk_at(source, 0, "it", 2**16, resolve_zip)
