"""A checkpoint as training code leaves it."""

from pathlib import Path

import pytest
import torch

from tests.formats.crafting import save


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    weights = net.state_dict()
    content = {
        "arch": "bisenet",
        "device": "cuda:1",
        "epoch": 12,
        "state_dict": weights,
        "ema": {"0.weight": weights["0.weight"]},
        "classes": ["road", "sky"],
        "where": torch.device("cuda:1"),
    }
    save(content, tmp_path / "model.pth", "cuda:1")
    return Path("model.pth")
