"""Advice about pages changes no value, and is only given where it can be taken."""

import mmap

import pytest
import torch

from segcli.nn.kernels.pages import in_large_pages

LARGE = 2**23


def test_values_stay() -> None:
    tensor = torch.arange(LARGE, dtype=torch.uint8)
    assert in_large_pages(tensor) is tensor
    assert torch.equal(tensor[:256], torch.arange(256, dtype=torch.uint8))


def test_other_systems_and_devices_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    meta = torch.empty(LARGE, device="meta")
    assert in_large_pages(meta) is meta
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    tensor = torch.zeros(LARGE, dtype=torch.uint8)
    assert in_large_pages(tensor) is tensor
