import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.conftest import Run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_format_by_its_header(folder: Path) -> None:
    torch.save(torch.zeros(2, 19, 4, 8, dtype=torch.float16), folder / "logits.pt")
    torch.save({"state_dict": {"head.weight": torch.zeros(19, 64, 1, 1)}}, folder / "model.pth")
    np.save(folder / "x.npy", np.zeros((3, 4), ">i8"))
    np.savez(folder / "x.npz", np.zeros((3, 4), "bool"), b=np.zeros(2))
    save_file({"head.weight": torch.zeros(19, 64, dtype=torch.bfloat16)}, folder / "w.safetensors")
    for spec, shape, dtype in (
        ("@logits.pt", (2, 19, 4, 8), "float16"),
        (f"@{folder}/logits.pt", (2, 19, 4, 8), "float16"),
        ("@model.pth:state_dict.head.weight", (19, 64, 1, 1), "float32"),
        ("@model.pth", (19, 64, 1, 1), "float32"),
        ("@x.npy", (3, 4), "int64"),
        ("@x.npz:arr_0", (3, 4), "bool"),
        ("@w.safetensors:head.weight", (19, 64), "bfloat16"),
    ):
        answer = explain("x", {"x": spec}).torch
        assert (answer.shape, answer.dtype) == (shape, dtype)


def test_a_reader_sees_what_was_read(folder: Path, segcli: Run) -> None:
    torch.save(torch.zeros(2, 19, 4, 8).transpose(1, 3), folder / "logits.pt")
    done = segcli("shapes", "x.argmax(1)", "x=@logits.pt")
    assert done.out.startswith("x.argmax(1)  ->  (2, 4, 19)  int64, copy\n")
    assert "note: x is float32 (2, 8, 4, 19) in logits.pt\n" in done.out


def test_an_index_may_be_a_file(folder: Path) -> None:
    np.save(folder / "i.npy", np.zeros((4, 5), "i8"))
    assert explain("x[i]", {"x": "N,3", "i": "@i.npy"}).torch.shape == (4, 5, 3)


def test_colons_in_paths_and_keys(folder: Path) -> None:
    (folder / "a:b").mkdir()
    np.save(folder / "a:b/x.npy", np.zeros(3))
    arrays: dict[str, Any] = {"k:1": np.zeros(4)}
    np.savez(folder / "x:y.npz", **arrays)
    assert explain("x", {"x": "@a:b/x.npy"}).torch.shape == (3,)
    assert explain("x", {"x": "@x:y.npz:k:1"}).torch.shape == (4,)
    assert explain("x", {"x": "@x:y.npz"}).torch.shape == (4,)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("@", "x=@ is followed by no path"),
        ("@a\0b", "x=@ is followed by no path"),
        ("@" + "a" * 5000, "x=@ is followed by no path"),
        ("@none.pth:head.weight", "none.pth does not exist"),
        ("@none.npy", "none.npy does not exist"),
        ("@:key", "key does not exist"),
        ("@.", "is a folder, expected a file"),
        ("@" + "a" * 3000, "File name too long"),
        ("@m.pth:bias", r"m\.pth has no tensor 'bias'"),
        ("@m.pth:", r"m\.pth has no tensor ''"),
        ("@m.pth", r"m\.pth holds 7 tensors, and no key says which"),
        ("@m.pth:sparse", r"m\.pth:sparse is a tensor of the layout sparse_coo, expected a plain one"),
        ("@m.pth:quantized", r"m\.pth:quantized is a quantized tensor \(qint8, per_tensor_affine\)"),
        ("@m.pth:nested", r"m\.pth:nested is a tensor of the layout nested"),
        ("@m.pth:storage", r"m\.pth:storage is a storage without a shape"),
        ("@m.pth:unsigned", r"m\.pth:unsigned is of dtype uint16, whose rules are not known here; known: bool"),
    ],
    ids=lambda value: value[:30],
)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:.*quantiz", "ignore:TypedStorage")
def test_what_is_refused(folder: Path, spec: str, words: str) -> None:
    content = {
        "plain": torch.zeros(2),
        "strided": torch.zeros(4, 6)[::2, 1:].t(),
        "sparse": torch.eye(3).to_sparse(),
        "quantized": torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8),
        "nested": torch.nested.nested_tensor([torch.zeros(2)]),
        "storage": torch.zeros(2).untyped_storage(),
        "unsigned": torch.zeros(2, dtype=torch.uint16),
    }
    torch.save(content, folder / "m.pth")
    with pytest.raises(SegcliError, match=words):
        explain("x", {"x": spec})
    assert explain("x", {"x": "@m.pth:strided"}).torch.shape == (5, 2)


def test_the_way_out_of_a_dtype_is_a_shape(folder: Path) -> None:
    np.save(folder / "x.npy", np.zeros(3, "u2"))
    with pytest.raises(SegcliError, match="uint16") as caught:
        explain("x", {"x": "@x.npy"})
    assert caught.value.hint.endswith("x=3,")
    np.save(folder / "x.npy", np.zeros((), "u2"))
    with pytest.raises(SegcliError, match="uint16") as caught:
        explain("x", {"x": "@x.npy"})
    assert caught.value.hint.endswith("x=()")


def test_files_are_read_without_torch_and_numpy(folder: Path) -> None:
    np.savez_compressed(folder / "x.npz", a=np.zeros((2, 3)))
    torch.save({"w": torch.zeros(4, 5)}, folder / "m.pth")
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['numpy'] = sys.modules['safetensors'] = None\n"
        "from segcli.shapes import explain\n"
        "print(explain('x.sum(0)[i]', {'x': '@x.npz:a', 'i': '[0]'}).torch.shape)\n"
        "print(explain('x', {'x': '@m.pth:w'}).torch.shape)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "(1,)\n(4, 5)\n"
