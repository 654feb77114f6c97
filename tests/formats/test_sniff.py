import bz2
import gzip
import io
import lzma
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from segcli.formats.byte_source import open_source
from segcli.formats.sniff import Kind, refusal, sniff
from tests.formats.crafting import tagged


def saved(*, zipped: bool, protocol: int = 2) -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"))
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2))
    return buffer.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 102502400\n"


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (saved(zipped=True), Kind.ZIP, "zip"),
        (b"PK\x05\x06" + bytes(18), Kind.ZIP, "zip"),
        (saved(zipped=False), Kind.LEGACY, "torch's legacy format"),
        (saved(zipped=False, protocol=1), Kind.LEGACY, "torch's legacy format"),
        (saved(zipped=False, protocol=5), Kind.LEGACY, "torch's legacy format"),
        (tarred(), Kind.TAR, "is a tar file"),
        (pickle.dumps([1]), Kind.PICKLE, "is a plain pickle"),
        (save({"a": torch.zeros(2)}), Kind.SAFETENSORS, "is a safetensors file"),
        (pickle.dumps({"a": 1}, 0), Kind.PICKLE, "is a plain pickle"),
        (pickle.dumps([1], 0), Kind.PICKLE, "is a plain pickle"),
        (pickle.dumps(print, 0), Kind.PICKLE, "is a plain pickle"),
        (b"(S'ls'\nios\nsystem\n.", Kind.PICKLE, "is a plain pickle"),
        (b"(cos\nsystem\nS'ls'\no.", Kind.PICKLE, "is a plain pickle"),
        (b"GGUF\x03\0\0\0", Kind.GGUF, "format GGUF"),
        (b"\x89PNG\r\n\x1a\n\0", Kind.IMAGE, "is an image"),
        (b"\xff\xd8\xff\xe0", Kind.IMAGE, "is an image"),
        (b"\x7fELF\x02", Kind.PROGRAM, "is a program"),
        (POINTER, Kind.LFS, "is a Git-LFS pointer of 74 bytes"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", Kind.HTML, "is an HTML page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', Kind.XML, "is an XML document"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html>', Kind.HTML, "is an HTML page"),
        (b'\xef\xbb\xbf{"weight_map": {}}', Kind.JSON, "format JSON document"),
        (gzip.compress(b"x"), Kind.GZIP, "format gzip"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", Kind.SEVEN_ZIP, "format 7z"),
        (lzma.compress(b"x"), Kind.XZ, "format xz"),
        (bz2.compress(b"x"), Kind.BZIP2, "format bzip2"),
        (b"\x28\xb5\x2f\xfd\x04", Kind.ZSTD, "format Zstandard"),
        (b"Rar!\x1a\x07\x01\x00", Kind.RAR, "format rar"),
        (b"\x89HDF\r\n\x1a\n", Kind.HDF5, "format HDF5"),
        (array(), Kind.NPY, "format npy"),
        (bytes(100), Kind.BLANK, "starts with zeros"),
        (b"some weights", Kind.UNKNOWN, "starts with b'some wei'"),
        (b"x", Kind.UNKNOWN, "starts with b'x'"),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)
def test_files_are_named_for_what_they_are(tmp_path: Path, content: bytes, kind: Kind, words: str) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with open_source(path) as source:
        assert sniff(source) is kind
        error = refusal(source, kind)
    assert words in error.message
    assert error.hint or kind is Kind.ZIP
    assert "{" not in error.message + error.hint


def test_a_tensor_in_a_plain_pickle_is_named_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tagged("cuda:0"):
        Path("model.pkl").write_bytes(pickle.dumps({"w": torch.ones(3)}))
    with open_source(Path("model.pkl")) as source:
        error = refusal(source, sniff(source))
    assert error.message.startswith("model.pkl is a plain pickle (pickle.dump) with tensors in it")
    _, code, _ = error.hint.split('"')
    subprocess.run([sys.executable, "-c", code], check=True)
    assert torch.load("zip.pth")["w"].tolist() == [1, 1, 1]


def test_what_is_wrong_with_a_file_that_is_called_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    cases = {
        (2**40).to_bytes(8, "little") + b"{}": "its header would have 1099511627776 bytes",
        (2).to_bytes(8, "little") + b"[]": "its header is not a JSON object",
        b"abc": "it has 3 bytes",
        # The format wants the brace first.
        (3).to_bytes(8, "little") + b" {}": "no checkpoint that is known here",
    }
    for content, told in cases.items():
        path.write_bytes(content)
        with open_source(path) as source:
            assert told in refusal(source, sniff(source)).message


def test_a_text_is_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "classes.pth"
    path.write_bytes(b"car\nicon\nbus\n")
    with open_source(path) as source:
        assert sniff(source) is Kind.UNKNOWN
