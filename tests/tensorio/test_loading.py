import io
import os
import pickle
import struct
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from segcli.errors import SegcliError
from segcli.tensorio import load_tensor, split_reference

TENSOR = torch.arange(6.0).view(2, 3)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.uint16,
    torch.bool,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_torch_and_safetensors_files_of_any_dtype(dtype: torch.dtype) -> None:
    tensor = TENSOR.to(dtype)
    torch.save(tensor, "new.pt")
    # Torch writes the legacy form of its newer dtypes and cannot read it.
    torch.save(tensor, "old.pth", _use_new_zipfile_serialization=dtype == torch.uint16)
    torch.save({"a": [tensor]}, "nested.pt")
    save_file({"t": tensor}, "file.safetensors")
    for name in ("new.pt", "old.pth", "nested.pt", "nested.pt:a.0", "file.safetensors", "file.safetensors:t"):
        loaded = load_tensor(name)
        assert loaded.dtype == dtype
        assert torch.equal(loaded, tensor)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ">f4", "i8", "<i4", ">i2", "u1", "u2", "u4", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy_files_of_any_dtype_and_order(dtype: str, order: Any) -> None:  # noqa: ANN401 - NumPy's literals
    array = np.arange(6).reshape(2, 3).astype(dtype, order=order)
    np.save("a.npy", array)
    np.savez("a.npz", array)
    np.savez_compressed("b.npz", x=array, y=array)
    for name in ("a.npy", "a.npz", "a.npz:arr_0", "b.npz:y"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded = load_tensor(name)
        np.testing.assert_array_equal(loaded.numpy(), array)


def test_scalars_and_empty_arrays_load() -> None:
    np.save("scalar.npy", np.float32(3))
    np.save("empty.npy", np.zeros((0, 3)))
    assert load_tensor("scalar.npy").item() == 3
    assert load_tensor("empty.npy").shape == (0, 3)


def test_what_is_mapped_can_be_written_to_and_the_file_stays() -> None:
    torch.save(TENSOR, "a.pt")
    np.save("a.npy", TENSOR.numpy())
    for name in ("a.pt", "a.npy"):
        load_tensor(name).add_(1)
        assert torch.equal(load_tensor(name), TENSOR)


def test_parameters_come_without_their_graph() -> None:
    torch.save({"weight": torch.nn.Parameter(TENSOR)}, "model.pt")
    assert not load_tensor("model.pt").requires_grad


def test_first_bytes_count_and_not_the_name() -> None:
    with Path("really_numpy.pt").open("wb") as file:
        np.save(file, TENSOR.numpy())
    torch.save(TENSOR, "no_suffix")
    assert torch.equal(load_tensor("really_numpy.pt"), TENSOR)
    assert torch.equal(load_tensor("no_suffix"), TENSOR)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("a.pt", ("a.pt", "")),
        ("a.pt:x", ("a.pt", "x")),
        ("a.pt:x:y.0", ("a.pt", "x:y.0")),
        ("C.d/a.npz:x", ("C.d/a.npz", "x")),
        ("odd:name", ("odd:name", "")),
    ],
)
def test_a_reference_is_a_file_and_a_key(reference: str, expected: tuple[str, str]) -> None:
    path, key = split_reference(reference)
    assert (str(path), key) == expected


def test_a_file_of_that_very_name_wins() -> None:
    torch.save(TENSOR, "a.pt")
    torch.save(TENSOR + 1, "a.pt:x")
    torch.save({"y": TENSOR + 2}, "odd:name")
    assert torch.equal(load_tensor("a.pt:x"), TENSOR + 1)
    assert torch.equal(load_tensor("odd:name:y"), TENSOR + 2)


def test_keys_of_dicts_may_hold_dots_and_numbers() -> None:
    torch.save({"layer.0.weight": TENSOR, 7: (TENSOR, {"x": TENSOR + 1}), "epoch": 3}, "a.pt")
    assert torch.equal(load_tensor("a.pt:layer.0.weight"), TENSOR)
    assert torch.equal(load_tensor("a.pt:7.1.x"), TENSOR + 1)


def damaged(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def saved(tensor: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensor, buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def npy(array: "np.ndarray[Any, Any]") -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(array: "np.ndarray[Any, Any]") -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, array)
    return buffer.getvalue()


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "text")
    return buffer.getvalue()


LEGACY = saved(TENSOR, _use_new_zipfile_serialization=False)


def zip_with_a_flipped_byte() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.arange(1000))
    content = bytearray(buffer.getvalue())
    content[300] ^= 0xFF
    return bytes(content)


def endless_list() -> bytes:
    content: list[object] = []
    content.append(content)
    return saved(content)


def safetensors_without_its_end() -> bytes:
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    return struct.pack("<Q", len(header)) + header + b"\0" * 7


def test_shared_containers_are_walked_once(tmp_path: Path) -> None:
    content: object = {"logits": TENSOR}
    for _ in range(40):
        content = (content, content)
    torch.save(content, tmp_path / "pairs.pt")
    assert torch.equal(load_tensor(str(tmp_path / "pairs.pt")), TENSOR)


def test_every_name_of_a_shared_container_leads_there(tmp_path: Path) -> None:
    shared = {"head.logits": TENSOR}
    torch.save({"b": 0, "b.c": shared, "a": shared, "d": [shared]}, tmp_path / "shared.pt")
    for key in ("a.head.logits", "b.c.head.logits", "d.0.head.logits"):
        assert torch.equal(load_tensor(f"{tmp_path / 'shared.pt'}:{key}"), TENSOR)


def test_containers_without_an_end(tmp_path: Path) -> None:
    content: object = TENSOR
    for _ in range(2000):
        content = [content]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcli.tensorio.torch_files._unpickled", lambda *_, **__: content)
        (tmp_path / "deep.pth").write_bytes(LEGACY)
        with pytest.raises(SegcliError, match="its lists or dicts are nested too deeply"):
            load_tensor(str(tmp_path / "deep.pth"))


def test_a_pipe_is_no_tensor_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(SegcliError, match="is a pipe or a device, expected a file"):
        load_tensor(str(tmp_path / "pipe.npy"))


def test_an_array_with_a_negative_side(tmp_path: Path) -> None:
    np.save(tmp_path / "negative.npy", np.zeros((10, 5)))
    content = (tmp_path / "negative.npy").read_bytes()
    (tmp_path / "negative.npy").write_bytes(content.replace(b"(10, 5)", b"(-1, 5)"))
    with pytest.raises(SegcliError, match="is damaged or incomplete"):
        load_tensor(str(tmp_path / "negative.npy"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.pt", b"", "empty.pt is empty"),
        ("half.pt", saved(TENSOR)[:300], "half.pt is damaged or incomplete: it has no zip directory at its end"),
        # With a record's head at its cut, and long enough for torch to look for what is older than zips.
        (
            "most.pt",
            saved(torch.zeros(3000))[:9000],
            "most.pt is damaged or incomplete: it has no zip directory at its end",
        ),
        ("half.pth", LEGACY[:-10], "half.pth is damaged or incomplete: unexpected EOF"),
        ("start.pth", LEGACY[:100], "start.pth is damaged or incomplete: it ends too early"),
        ("words.pt", b"\x80 no pickle at all", r"words.pt is no tensor file: it starts with b'\\x80 no pic'"),
        ("list.pt", endless_list(), "list.pt holds no tensor"),
        (
            "half.npy",
            npy(np.zeros(1000))[:500],
            "half.npy is damaged or incomplete: its 1000 elements of float64 take 8000 bytes, it has 372",
        ),
        (
            "nothing.npy",
            npy(np.zeros((3, 0, 2)))[:100],
            "nothing.npy is damaged or incomplete: it ends within its npy header",
        ),
        ("start.npy", npy(np.zeros(10))[:30], "start.npy is damaged or incomplete: it ends within its npy header"),
        (
            "future.npy",
            b"\x93NUMPY\x09\x00" + bytes(120),
            "future.npy is damaged or incomplete: we only support format",
        ),
        ("bad.npz", zip_with_a_flipped_byte(), "bad.npz is damaged or incomplete"),
        ("bad.safetensors", safetensors_without_its_end(), "bad.safetensors is damaged or incomplete"),
        ("text.npy", b"1,2,3\n4,5,6\n", r"text.npy is no tensor file: it starts with b'1,2,3\\n4,'"),
        ("page.pt", b"<!DOCTYPE html><html>not found", "page.pt is no tensor file: its first bytes say HTML page"),
        ("zeros.pt", bytes(100), "zeros.pt is no tensor file: its first bytes say zeros"),
        ("half.npz", npz(TENSOR.numpy())[:200], "half.npz is damaged or incomplete: File is not a zip file"),
        ("docs.zip", zipped("readme.txt"), "docs.zip is damaged or incomplete: file in archive is not in a sub"),
        ("start.safetensors", struct.pack("<Q", 500) + b'{"a":', "start.safetensors is damaged or incomplete"),
        (
            "lfs.pt",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
            "lfs.pt is a Git LFS pointer, not the file itself",
        ),
        ("objects.npy", npy(np.array([{}], dtype=object)), "objects.npy holds Python objects"),
        ("strings.npy", npy(np.array(["a"])), "strings.npy has dtype <U1, which torch does not have"),
        ("record.npy", npy(np.zeros(2, [("a", "f4")])), "record.npy has dtype"),
        ("array.pt", saved({"x": np.zeros(3)}), r"array.pt holds objects that are no tensors \(numpy"),
        ("module.pt", saved(torch.nn.Linear(2, 2)), r"module.pt holds objects that are no tensors \(torch.nn"),
        ("pickle.pt", pickle.dumps({"a": 1}), "pickle.pt is a pickle that torch.save did not write"),
        ("none.pt", saved({"epoch": 3}), "none.pt holds no tensor"),
        ("sparse.pt", saved(TENSOR.to_sparse()), "sparse.pt is a sparse tensor, expected a dense one"),
        ("meta.pt", saved(torch.zeros(2, device="meta")), "meta.pt is on device meta: it holds no values"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[:12] and " " not in value else "",
)
def test_files_that_will_not_do_are_refused(name: str, content: bytes, words: str) -> None:
    damaged(name, content)
    with pytest.raises(SegcliError, match=words):
        load_tensor(name, "logits")


def test_an_archive_with_objects_is_refused() -> None:
    np.savez("a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(SegcliError, match=r"a.npz holds Python objects, which segcli does not unpickle"):
        load_tensor("a.npz")


def test_a_program_is_refused() -> None:
    with warnings.catch_warnings():
        # Deprecated in torch, still in people's folders.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), "program.pt")
    with pytest.raises(SegcliError, match=r"program.pt is a TorchScript program, expected tensors"):
        load_tensor("program.pt")


def test_quantized_tensors_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.qint8), "q.pt")
    with pytest.raises(SegcliError, match=r"q.pt is a quantized tensor|q.pt holds objects"):
        load_tensor("q.pt")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    torch.save(TENSOR, "logits.pt")
    with pytest.raises(SegcliError, match=r"logit.pt does not exist") as caught:
        load_tensor("logit.pt:key")
    assert caught.value.hint == "did you mean logits.pt?"
    with pytest.raises(SegcliError, match=r"is a folder, expected a file"):
        load_tensor(str(tmp_path))


@pytest.mark.parametrize("name", ["a.pt", "a.npz", "a.safetensors"])
def test_keys_are_asked_for_and_checked(name: str) -> None:
    several = {"logits": TENSOR, "labels": TENSOR + 1}
    torch.save(several, "a.pt")
    np.savez("a.npz", **{key: tensor.numpy() for key, tensor in several.items()})  # type: ignore[arg-type]
    save_file(several, "a.safetensors")
    with pytest.raises(SegcliError, match=rf"{name} holds 2 tensors, expected one or a key: l") as caught:
        load_tensor(name, "logits")
    assert caught.value.hint.startswith(f"name the logits: {name}:l")
    with pytest.raises(SegcliError, match=rf"{name} has no tensor 'logitz'") as caught:
        load_tensor(f"{name}:logitz")
    assert caught.value.hint == "did you mean logits?"
    with pytest.raises(SegcliError, match=rf"{name} has no tensor 'zzz'") as caught:
        load_tensor(f"{name}:zzz")
    assert "logits" in caught.value.hint


def test_a_long_list_of_keys_is_cut() -> None:
    torch.save({f"w{i}": TENSOR for i in range(20)}, "a.pt")
    with pytest.raises(SegcliError, match=r"a.pt holds 20 tensors.*w7 \(2, 3\), 12 more$"):
        load_tensor("a.pt")


def test_single_arrays_have_no_key() -> None:
    np.save("a.npy", TENSOR.numpy())
    with pytest.raises(SegcliError, match=r"a.npy holds one array, so it has no key 'x'"):
        load_tensor("a.npy:x")


def test_what_a_file_is_read_from_depends_on_what_for() -> None:
    Path("a.txt").write_bytes(b"1,2,3,4,5,6")
    for what, hint in (("logits", "logits are read from .pt, .pth, .npy, .npz, .safetensors"), ("labels", ", .png")):
        with pytest.raises(SegcliError, match=r"a.txt is no tensor file: it starts with b'1,2,3,4,'") as caught:
            load_tensor("a.txt", what)
        assert caught.value.hint.endswith(hint)


def test_standard_input_holds_every_format(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, reference in ((saved({"a": TENSOR, "b": TENSOR + 1}), "-:a"), (npy(TENSOR.numpy()), "-")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert torch.equal(load_tensor(reference), TENSOR)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"no tensor at all")))
    with pytest.raises(SegcliError, match=r"^standard input is no tensor file: it starts with b'no tenso'"):
        load_tensor("-")


def test_an_archive_larger_than_the_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed("zeros.npz", np.zeros(10_000))
    monkeypatch.setattr(os, "sysconf", lambda _: 100)
    with pytest.raises(SegcliError, match=r"zeros.npz:arr_0 unpacks to 80.1 kB, this machine has 10.0 kB"):
        load_tensor("zeros.npz")


def test_an_array_that_claims_more_than_there_is_is_refused() -> None:
    # A header of four exabytes over eight bytes of data.
    header = npy(np.zeros(1))
    lying = header.replace(b"'shape': (1,), }" + b" " * 18, b"'shape': (1000000000000000000,), }")
    assert lying != header
    with zipfile.ZipFile("lie.npz", "w") as archive:
        archive.writestr("x.npy", lying)
    with pytest.raises(SegcliError, match=r"lie.npz (holds an array that does not fit into memory|is damaged)"):
        load_tensor("lie.npz")


def test_out_of_memory_is_left_to_the_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    torch.save(TENSOR, "a.pt")
    monkeypatch.setattr(torch, "load", exhausted)
    with pytest.raises(MemoryError, match=r"^$"):
        load_tensor("a.pt")


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x02", b"\0" * 8 + b"{"])
)
def test_no_content_is_a_bug(tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "noise.pt"
    path.write_bytes(start + content)
    with pytest.raises(SegcliError, match=r"noise.pt"):
        load_tensor(str(path))
