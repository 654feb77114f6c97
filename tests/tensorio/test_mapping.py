"""Files larger than memory: a sparse file of any size takes no space."""

import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch._subclasses.fake_tensor import FakeTensorMode

from segcli.errors import SegcliError
from segcli.tensorio import load_tensor
from segcli.tensorio.mapping import map_tensor

# The machine's memory: more than Linux promises for copies, unless it was told to promise anything.
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
SHAPE = (16, MEMORY // 16, 1)
N_BYTES = 4 * 16 * (MEMORY // 16)


def sparse(path: Path, header: bytes, last: float) -> None:
    with path.open("wb") as file:
        file.write(header)
        try:
            file.truncate(len(header) + N_BYTES)
        except OSError as error:
            pytest.skip(f"this file system has no files so large: {error}")
        file.seek(len(header) + N_BYTES - 4)
        file.write(struct.pack("<f", last))


def test_an_array_larger_than_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": SHAPE})
    sparse(tmp_path / "large.npy", header.getvalue(), 3.5)
    tensor = load_tensor(str(tmp_path / "large.npy"), "logits")
    assert tensor.shape == SHAPE
    assert tensor[-1, -2:].flatten().tolist() == [0, 3.5]


def test_readers_of_checkpoints_wait_until_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("small.npy", np.zeros(3))
    torch.save(torch.zeros(3), "small.pt")
    code = (
        "import sys; from segcli.tensorio import load_tensor;"
        "[load_tensor(name) for name in ('small.npy', 'small.pt')];"
        "heavy = ('segcli.formats.checkpoint', 'segcli.formats.torch');"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_safetensors_file_larger_than_memory(tmp_path: Path) -> None:
    text = json.dumps({"logits": {"dtype": "F32", "shape": SHAPE, "data_offsets": [0, N_BYTES]}}).encode()
    text += b" " * (-len(text) % 8)
    sparse(tmp_path / "large.safetensors", struct.pack("<Q", len(text)) + text, 3.5)
    tensor = load_tensor(f"{tmp_path / 'large.safetensors'}:logits", "logits")
    assert tensor.shape == SHAPE
    assert tensor[-1, -2:].flatten().tolist() == [0, 3.5]


def test_a_torch_file_larger_than_memory(tmp_path: Path) -> None:
    with FakeTensorMode():
        large = torch.empty(SHAPE)
    # Torch leaves the values out of the file, which is as long nevertheless.
    with torch.serialization.skip_data(materialize_fake_tensors=True):
        torch.save({"out": {"logits": large}, "labels": torch.zeros(2)}, tmp_path / "large.pt")
    assert (tmp_path / "large.pt").stat().st_size > N_BYTES
    tensor = load_tensor(f"{tmp_path / 'large.pt'}:out.logits", "logits")
    assert tensor.shape == SHAPE
    assert tensor[-1, -2:].flatten().tolist() == [0, 0]


@pytest.fixture
def _no_room_for_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *_: object, **__: object) -> None:
        message = f"unable to mmap 60800000096 bytes from file <{name}>: Cannot allocate memory (12)"
        raise RuntimeError(message)

    monkeypatch.setattr(torch.UntypedStorage, "from_file", refuse)


@pytest.mark.usefixtures("_no_room_for_copies")
def test_torch_and_safetensors_files_are_mapped_to_be_read_alone(tmp_path: Path) -> None:
    logits, labels = torch.arange(24.0).view(2, 3, 4).transpose(0, 2)[1:], torch.arange(6, dtype=torch.uint8)
    torch.save({"epoch": 3, "out": [logits, labels]}, tmp_path / "a.pt")
    save_file({"out.0": logits.contiguous(), "out.1": labels}, tmp_path / "a.safetensors")
    for name in ("a.pt", "a.safetensors"):
        for key, expected in (("out.0", logits), ("out.1", labels)):
            loaded = load_tensor(f"{tmp_path / name}:{key}")
            assert loaded.dtype == expected.dtype
            assert torch.equal(loaded, expected)
    with pytest.raises(SegcliError, match=r"a.pt holds 2 tensors, expected one or a key: out.0 \(3, 3, 2\), out.1"):
        load_tensor(str(tmp_path / "a.pt"), "logits")


def test_an_array_is_mapped_to_be_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.arange(5.0))
    modes, load = [], np.load

    def stingy(path: Path, mmap_mode: Any, **options: Any) -> object:  # noqa: ANN401 - as NumPy has them
        modes.append(mmap_mode)
        if mmap_mode == "c":
            raise OSError(12, "Cannot allocate memory")
        return load(path, mmap_mode=mmap_mode, **options)

    monkeypatch.setattr(np, "load", stingy)
    assert load_tensor(str(tmp_path / "a.npy")).tolist() == [0, 1, 2, 3, 4]
    assert modes == ["c", "r"]


@pytest.mark.usefixtures("_no_room_for_copies")
def test_other_tensors_larger_than_memory_are_refused(tmp_path: Path) -> None:
    torch.save(torch.arange(4.0).to_sparse(), tmp_path / "a.pt")
    with pytest.raises(SegcliError, match=r"a.pt is larger than this machine's memory, and its tensor is not laid out"):
        load_tensor(str(tmp_path / "a.pt"))


def test_other_troubles_of_arrays_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    np.save(tmp_path / "a.npy", np.arange(5.0))
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(SegcliError, match=r"a.npy is damaged or incomplete: \[Errno 5\] Input/output error"):
        load_tensor(str(tmp_path / "a.npy"))


def test_other_troubles_of_safetensors_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        message = "something else"
        raise RuntimeError(message)

    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    monkeypatch.setattr(torch.UntypedStorage, "from_file", refuse)
    with pytest.raises(RuntimeError, match="something else"):
        load_tensor(str(tmp_path / "a.safetensors"))


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int16, torch.bool]


@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from(DTYPES),
    turned=st.booleans(),
    form=st.sampled_from(["pt", "other"]),
)
def test_mapping_gives_what_torch_loads(
    tmp_path_factory: pytest.TempPathFactory, *, shape: list[int], dtype: torch.dtype, turned: bool, form: str
) -> None:
    tensor = torch.randint(0, 100, shape).to(dtype)
    tensor = tensor.movedim(0, -1) if turned and shape else tensor
    path = tmp_path_factory.mktemp("map") / "file"
    if form == "pt":
        torch.save(tensor, path)
    else:
        save_file({"x": tensor.contiguous()}, path)
    mapped = map_tensor(path, "", "tensor")
    expected = load_tensor(str(path))
    assert mapped.dtype == expected.dtype
    assert torch.equal(mapped, expected)
