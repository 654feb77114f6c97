from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests.formats.crafting import check_layout, write_records

names = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=80)


@given(st.dictionaries(names, st.binary(max_size=300), max_size=6), st.sampled_from([1, 2, 64, 100, 4096]))
@example({}, 64)
@example({"data.pkl": b"", "0": b""}, 64)
def test_records_lie_as_torch_lays_them(
    tmp_path_factory: pytest.TempPathFactory, records: dict[str, bytes], alignment: int
) -> None:
    path = tmp_path_factory.mktemp("layout") / "archive.pt"
    check_layout(write_records(path, records, storage_alignment=alignment), alignment)


@pytest.mark.parametrize("size", [2**32 - 2, 2**32 - 1, 2**32 + 20])
def test_past_4_gib_too(tmp_path: Path, size: int) -> None:
    path = tmp_path / "large.pth"
    content = {
        name: torch.empty(count, dtype=torch.uint8) for name, count in (("a", 3), ("b", size), ("c", 5), ("d", 0))
    }
    with torch.serialization.skip_data():
        torch.save(content, path)
    if path.stat().st_blocks * 512 > 2**20:
        pytest.skip("this file system has no sparse files")
    check_layout(path)


def test_more_records_than_16_bits_count(tmp_path: Path) -> None:
    check_layout(write_records(tmp_path / "many.pth", {f"data/{index}": b"" for index in range(70_000)}))
