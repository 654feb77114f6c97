from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from segcli.errors import SegcliError
from segcli.formats import safetensors_write
from segcli.formats.byte_source import open_source
from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.checkpoint_tree import list_contents
from segcli.formats.dtypes import SAFETENSORS_DTYPES
from segcli.formats.payload import inline
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.safetensors_write import OutTensor, write_safetensors

DTYPES = sorted(SAFETENSORS_DTYPES.values())


def written(path: Path, tensors: list[OutTensor], metadata: dict[str, str]) -> bytes:
    with path.open("wb") as file:
        size = write_safetensors(file.fileno(), tensors, metadata, lambda _: None)
    assert size == path.stat().st_size
    return path.read_bytes()


@given(
    st.dictionaries(st.text(min_size=1, max_size=6), st.tuples(st.sampled_from(DTYPES), st.integers(0, 3)), max_size=6),
    st.sampled_from([{}, {"format": "pt"}]),
)
def test_the_bytes_are_those_of_safetensors_own_writer(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, tuple[str, int]], metadata: dict[str, str]
) -> None:
    drawn = {key: value for key, value in drawn.items() if key != "__metadata__"}
    tensors = {
        key: torch.arange(16 * rows, dtype=torch.uint8).view(getattr(torch, dtype)).reshape(rows, -1)
        if rows
        else torch.zeros(0, 2, dtype=getattr(torch, dtype))
        for key, (dtype, rows) in drawn.items()
    }
    outs = [
        OutTensor(
            key,
            str(one.dtype).removeprefix("torch."),
            tuple(one.shape),
            inline(bytes(one.flatten().view(torch.uint8).tolist())),
        )
        for key, one in reversed(tensors.items())
    ]
    path = tmp_path_factory.mktemp("safe") / "it.safetensors"
    assert written(path, outs, metadata) == save(tensors, metadata or None)


def test_every_dtype_has_its_place(tmp_path: Path) -> None:
    tensors = {dtype: torch.zeros(16, dtype=torch.uint8).view(getattr(torch, dtype)) for dtype in DTYPES}
    outs = [OutTensor(dtype, dtype, tuple(one.shape), inline(bytes(16))) for dtype, one in tensors.items()]
    assert written(tmp_path / "it", outs, {"format": "pt"}) == save(tensors, {"format": "pt"})


def test_what_the_format_has_no_place_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegcliError, match="w has the dtype complex128, which safetensors does not have"):
        written(tmp_path / "it", [OutTensor("w", "complex128", (1,), inline(bytes(16)))], {})
    monkeypatch.setattr(safetensors_write, "MAX_HEADER_BYTES", 8)
    with pytest.raises(SegcliError, match=r"the header would have \d+ bytes, and the format's may have 8"):
        written(tmp_path / "it", [OutTensor("w", "float32", (), inline(bytes(4)))], {})


def test_a_dtype_smaller_than_a_byte_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "it"
    written(path, [OutTensor("w", "f4", (4,), inline(b"ab"))], {})
    with open_source(path) as source:
        assert read_safetensors_header(source).tensors[0].dtype == "f4"
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.storages["w"].bytes == 2


def test_a_file_as_nodes_is_the_dict_of_its_tensors(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.zeros(2, dtype=torch.float8_e5m2)}
    (tmp_path / "it").write_bytes(save(tensors))
    with open_checkpoint(tmp_path / "it") as checkpoint:
        found = list_contents(checkpoint.root, "it").tensors
        assert [(one.key, one.shape, one.dtype, one.bytes, one.stride) for one in found] == [
            ("b", (2, 3), "float32", 24, (3, 1)),
            ("a", (2,), "float8_e5m2", 2, (1,)),
        ]
        stored = checkpoint.storages["b"].data
        assert b"".join(stored.pieces()) == bytes(tensors["b"].view(torch.uint8).flatten().tolist())
