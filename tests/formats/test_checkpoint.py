from pathlib import Path

import pytest
import torch

from segcli.errors import SegcliError
from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.sniff import Kind
from segcli.formats.torch_legacy import TorchLegacy
from segcli.formats.torch_tar import TorchTar
from segcli.formats.torch_zip import TorchZip
from tests.formats.crafting import save
from tests.formats.old_files import Reference, members, save_legacy, storage_entry, tar, tensor_entry


def test_one_view_of_three_formats(tmp_path: Path) -> None:
    content = {"w": torch.arange(4.0)}
    floats = content["w"].tolist()
    entries = [tensor_entry(7, 100, (4,), (1,), 0)], [storage_entry(100, floats)]
    paths = {
        Kind.ZIP: save(content, tmp_path / "zip.pth"),
        Kind.LEGACY: save_legacy(content, tmp_path / "legacy.pth"),
        Kind.TAR: tar(tmp_path / "tar.pth", members({"w": Reference(7)}, *entries)),
    }
    layouts = {Kind.ZIP: TorchZip, Kind.LEGACY: TorchLegacy, Kind.TAR: TorchTar}
    for kind, path in paths.items():
        with open_checkpoint(path) as checkpoint:
            (storage,) = checkpoint.storages.values()
            assert b"".join(storage.data.pieces()) == content["w"].numpy().tobytes()
            assert (storage.dtype, storage.bytes, storage.location) == ("float32", 16, "cpu")
            assert (checkpoint.kind, checkpoint.byteorder, checkpoint.protocol) == (kind, "little", 2)
            assert isinstance(checkpoint.layout, layouts[kind])
            assert str(path) in checkpoint.name


def test_anything_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "it.pth").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(SegcliError, match="is an HTML page"), open_checkpoint(tmp_path / "it.pth"):
        pass
