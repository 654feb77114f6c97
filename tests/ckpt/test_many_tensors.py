"""Checkpoints of very many tensors: what is known of each takes few bytes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from segcli.ckpt import convert, inspect
from segcli.formats.checkpoint import open_checkpoint
from tests.formats.crafting import save

_COUNT = 10_000
_PEAK = """
import json, sys
from segcli.cli import run
from tests.ckpt.peaks import peak_bytes
code = run(sys.argv[1:])
print(json.dumps([code, peak_bytes()]))
"""


def saved(count: int, path: Path) -> Path:
    content = {f"layers.{index}.weight": torch.tensor([float(index)]) for index in range(count)}
    return save({"state_dict": content, "device": "cpu"}, path)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(_COUNT, tmp_path_factory.mktemp("many") / "many.pth")


def peak(source: Path) -> int:
    command = [sys.executable, "-c", _PEAK, "ckpt", "convert", str(source), str(source) + ".gpu", "--to", "cuda:0"]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    code, most = json.loads(printed.splitlines()[-1])
    assert code == 0
    return int(most)


def test_convert_takes_little_memory(many: Path, tmp_path: Path) -> None:
    # A few tensors need what Python does; tools that look on, such as coverage, weigh in both.
    growth = peak(many) - peak(saved(10, tmp_path / "few.pth"))
    # It was 18 MB before storages, records and tags were kept as numbers, and is 5.
    assert growth < 10_000_000


def test_all_of_them_are_moved(many: Path, tmp_path: Path) -> None:
    done = convert(many, tmp_path / "gpu.pth", "cuda:0")
    assert [(one.before, one.after, one.storages, one.bytes) for one in done.tags] == [
        ("cpu", "cuda:0", _COUNT, 4 * _COUNT)
    ]
    loaded = torch.load(tmp_path / "gpu.pth", map_location="cpu")
    assert loaded["device"] == "cpu"
    assert [int(one) for one in loaded["state_dict"].values()] == list(range(_COUNT))
    assert {one.device for one in inspect(tmp_path / "gpu.pth").tensors} == {"cuda:0"}
    convert(tmp_path / "gpu.pth", tmp_path / "cpu.pth", "cpu")
    assert (tmp_path / "cpu.pth").read_bytes()[:-100] == many.read_bytes()[:-100]


def test_storages_are_found_by_key(many: Path) -> None:
    with open_checkpoint(many, keep_root=False) as checkpoint:
        storages = checkpoint.storages
        assert list(storages) == [str(index) for index in range(_COUNT)]
        assert (storages["7"].bytes, storages["7"].location, len(storages)) == (4, "cpu", _COUNT)
        assert b"".join(storages["7"].elements.pieces()) == torch.tensor([7.0]).numpy().tobytes()
        for key in ("none", str(_COUNT)):
            assert key not in storages
