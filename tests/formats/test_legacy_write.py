import os
import re
import struct
from pathlib import Path

import pytest
import torch

from segcli.formats.byte_source import open_source
from segcli.formats.legacy_write import LegacyStorage, write_legacy
from segcli.formats.payload import inline
from segcli.formats.torch_legacy import TorchLegacy, read_legacy
from tests.formats.crafting import pickled, rebuild
from tests.formats.old_files import part, save_legacy


def read(path: Path) -> TorchLegacy:
    with open_source(path) as source:
        return read_legacy(source)


def write(path: Path, data: bytes, storages: list[LegacyStorage], protocol: int = 2) -> tuple[int, int]:
    counts: list[int] = []
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        return write_legacy(file, data, storages, protocol, counts.append), sum(counts)
    finally:
        os.close(file)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_everything_but_addresses_is_as_torch_writes_it(tmp_path: Path, protocol: int) -> None:
    theirs = save_legacy({"a": torch.arange(3.0)}, tmp_path / "theirs.pth", pickle_protocol=protocol)
    found = read(theirs)
    (address,) = found.keys
    # A text of one character in place of the address: its length is told, and from protocol 4 on those of frames are.
    data = found.pickle
    if protocol < 4:
        data = re.sub(rb"X" + struct.pack("<I", len(address)) + address.encode(), b"X\1\0\0\x000", data)
    storage = LegacyStorage(3, inline(struct.pack("<3f", 0, 1, 2)))
    written, told = write(tmp_path / "ours.pth", data, [storage], protocol)
    ours, raw = (tmp_path / "ours.pth").read_bytes(), theirs.read_bytes()
    assert (written, told) == (len(ours), 12)
    assert ours[: found.start] == raw[: found.start]
    assert ours[-20:] == raw[-20:]
    if protocol < 4:
        assert ours == raw.replace(struct.pack("<I", len(address)) + address.encode(), b"\1\0\0\x000")


def test_keys_are_sorted_as_texts(tmp_path: Path) -> None:
    tensors = [rebuild("_rebuild_tensor", part(str(index), 1), 0, (1,), (1,)) for index in range(12)]
    storages = [LegacyStorage(1, inline(struct.pack("<f", index))) for index in range(12)]
    write(tmp_path / "ours.pth", pickled(tensors), storages)
    assert read(tmp_path / "ours.pth").keys == tuple(sorted(map(str, range(12))))
    assert [one.item() for one in torch.load(tmp_path / "ours.pth")] == list(range(12))


def test_nothing_but_an_object(tmp_path: Path) -> None:
    assert write(tmp_path / "ours.pth", pickled([1]), []) == ((tmp_path / "ours.pth").stat().st_size, 0)
    assert torch.load(tmp_path / "ours.pth") == [1]
    assert (tmp_path / "ours.pth").read_bytes() == save_legacy([1], tmp_path / "theirs.pth").read_bytes()
