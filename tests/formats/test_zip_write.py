import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from segcli.formats.byte_source import open_source
from segcli.formats.payload import Payload, inline
from segcli.formats.torch_zip import read_torch_zip
from segcli.formats.zip_write import torch_records, write_zip
from tests.formats.crafting import aligned, calculated_offsets, check_layout, read_records, save


def zipped(path: Path, records: Iterable[tuple[str, Payload]], alignment: int = 64) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        return write_zip(file, "archive", records, alignment, lambda _: None)
    finally:
        os.close(file)


@pytest.mark.parametrize("alignment", [64, 4096])
def test_torchs_own_records_come_out_byte_for_byte(tmp_path: Path, alignment: int) -> None:
    content = {"a": torch.arange(5.0), "b": torch.zeros(0), "c": torch.ones(3, dtype=torch.int8)}
    with aligned(alignment):
        source = save(content, tmp_path / "archive.pth")
    with open_source(source) as opened:
        size = zipped(tmp_path / "again.pth", read_torch_zip(opened).contents(opened), alignment)
    assert (tmp_path / "again.pth").read_bytes() == source.read_bytes()
    assert size == source.stat().st_size


@pytest.mark.parametrize("alignment", [64, 4096])
def test_new_records_are_those_that_torch_writes(tmp_path: Path, alignment: int) -> None:
    content = {"a": torch.arange(5.0), "b": torch.zeros(0), "c": torch.ones(3, dtype=torch.int8)}
    with aligned(alignment):
        expected = read_records(save(content, tmp_path / "archive.pth"))
    storages = [inline(expected[f"data/{index}"]) for index in range(3)]
    records = list(torch_records(expected["data.pkl"], storages, alignment=alignment))
    zipped(tmp_path / "new.pth", records, alignment)
    found = read_records(tmp_path / "new.pth")
    del expected[".data/serialization_id"]
    assert list(found.items()) == list(expected.items())
    check_layout(tmp_path / "new.pth", alignment)
    with zipfile.ZipFile(tmp_path / "new.pth") as archive:
        assert archive.testzip() is None
    for calculated in (False, True):
        with calculated_offsets() if calculated else aligned(alignment):
            loaded = torch.load(tmp_path / "new.pth", mmap=True)
        assert torch.equal(loaded["a"], content["a"])
        assert torch.equal(loaded["c"], content["c"])


def test_big_endian_is_said(tmp_path: Path) -> None:
    zipped(tmp_path / "big.pth", list(torch_records(b"\x80\x02N.", [], alignment=64, byteorder="big")))
    assert read_records(tmp_path / "big.pth")["byteorder"] == b"big"
