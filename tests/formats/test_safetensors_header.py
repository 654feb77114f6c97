import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.safetensors_header import SafetensorsHeader, read_safetensors_header
from tests.formats.crafting import Saved


def read(path: Path) -> SafetensorsHeader:
    with open_source(path) as source:
        return read_safetensors_header(source)


def write(path: Path, header: object, data: bytes = b"") -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


dtypes = st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.float8_e4m3fn, torch.uint16])


@given(st.dictionaries(st.text(min_size=1), st.tuples(dtypes, st.lists(st.integers(0, 3), max_size=3)), max_size=5))
def test_what_safetensors_writes(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, tuple[torch.dtype, list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("st") / "a.safetensors"
    tensors = {key: torch.zeros(shape, dtype=dtype) for key, (dtype, shape) in drawn.items() if key != "__metadata__"}
    save_file(tensors, path, metadata={"format": "pt"})
    header = read(path)
    assert header.metadata == {"format": "pt"}
    found = {one.key: (f"torch.{one.dtype}", one.shape, one.stride, one.bytes) for one in header.tensors}
    assert found == {
        key: (
            str(tensor.dtype),
            tuple(tensor.shape),
            tensor.stride() if tensor.numel() else found[key][2],
            tensor.nbytes,
        )
        for key, tensor in tensors.items()
    }


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        (b"not json", b"", "its header is not JSON"),
        (b"\xff{}", b"", "its header is not JSON"),
        (b"[" * 100_000, b"", "its header is not JSON"),
        (b"[]", b"", "its header is not a JSON object"),
        (b'{"a": 1, "a": 2}', b"", "a name stands in it twice"),
        ({"__metadata__": {"a": 1}}, b"", "__metadata__ is not a mapping of text"),
        ({"a": {"dtype": "F32"}}, b"", "tensor 'a' has no dtype, shape and data_offsets"),
        ({"a": {**ONE, "more": 1}}, bytes(8), "tensor 'a' has no dtype, shape and data_offsets"),
        ({"a": {**ONE, "shape": [-2]}}, bytes(8), "tensor 'a' has no dtype, shape and data_offsets"),
        ({"a": {**ONE, "shape": [True]}}, bytes(8), "tensor 'a' has no dtype, shape and data_offsets"),
        ({"a": {**ONE, "shape": [2**64]}}, bytes(8), "tensor 'a' has no dtype, shape and data_offsets"),
        ({"a": {**ONE, "dtype": "F31"}}, bytes(8), "tensor 'a' has the unknown dtype 'F31'"),
        ({"a": {**ONE, "shape": [3]}}, bytes(8), "has 8 bytes, its shape and dtype need 12"),
        ({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8), "has -8 bytes, its shape and dtype need 8"),
        ({"a": ONE}, bytes(6), "2 are missing"),
        ({"a": ONE}, bytes(9), "1 bytes follow its last tensor"),
        ({"a": {**ONE, "data_offsets": [4, 12]}}, bytes(12), "starts at byte 4 of the data, expected 0"),
        ({"a": ONE, "b": {**ONE, "data_offsets": [4, 12]}}, bytes(12), "starts at byte 4 of the data, expected 8"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_headers_are_refused_as_safetensors_does(tmp_path: Path, header: Saved, data: bytes, words: str) -> None:
    path = write(tmp_path / "a.safetensors", header, data)
    with pytest.raises(SegcliError, match=words):
        read(path)
    if "twice" not in words and "more" not in str(header):
        with pytest.raises(SafetensorError, match=r"\w"), safe_open(path, "pt"):
            pass


def test_a_file_that_ends_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", 100) + b"{")
    with pytest.raises(SegcliError, match="header of 100 bytes is cut short: 99 bytes are missing"):
        read(path)
    path.write_bytes(b"\0\0\0")
    with pytest.raises(SegcliError, match="its header's length alone takes 8"):
        read(path)
    path.write_bytes(struct.pack("<Q", 10**9) + b"{")
    with pytest.raises(SegcliError, match="its header would have 1000000000 bytes"):
        read(path)


def test_dtypes_smaller_than_a_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "a", {"a": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}, b"ab")
    assert (read(path).tensors[0].dtype, read(path).tensors[0].bytes) == ("f4", 2)
