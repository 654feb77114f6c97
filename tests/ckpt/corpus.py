"""Whole checkpoints of every format, small: what the fuzzer starts from."""

import argparse
import pickle
import zipfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from tests.formats.crafting import Saved, read_records, save
from tests.formats.old_files import Reference, members, save_legacy, storage_entry, tar, tensor_entry


def write_corpus(folder: Path) -> None:
    """Write files of every format into a folder."""
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
    plain: dict[str, Saved] = {
        "device": "cpu",
        "w": torch.arange(4.0),
        "epoch": 3,
        "lr": 0.1,
        "more": [1, (None, True)],
    }
    tied = plain["w"]
    rich: dict[str, Saved] = {
        **plain,
        "tied": tied,
        "view": tied[1:3],
        "args": argparse.Namespace(device="cuda:0"),
        "metric": np.float64(0.5),
        "where": torch.device("cuda:1"),
        "half": torch.ones(2, 2, dtype=torch.bfloat16).T,
        "sparse": torch.eye(2).to_sparse(),
        "bytes": b"\0\1",
        "set": {1, 2},
    }
    save(plain, folder / "plain.pth")
    save(net.state_dict(), folder / "state.pth", "cuda:1")
    save(rich, folder / "rich.pth", "cuda:0")
    save(rich, folder / "rich4.pth", pickle_protocol=4)
    save_legacy(plain, folder / "legacy.pth")
    save_legacy(rich, folder / "legacy_rich.pth")
    save_legacy(net.state_dict(), folder / "legacy_state.pth", pickle_protocol=4)
    safetensors.torch.save_file({"w": torch.ones(4), "b": torch.zeros(1)}, folder / "w.safetensors", {"format": "pt"})
    with zipfile.ZipFile(folder / "zipped.pth", "w") as archive:
        for name, data in read_records(folder / "plain.pth").items():
            archive.writestr(f"archive/{name}", data)
    tensors = [tensor_entry(10, 1, (2, 2), (2, 1), 0)]
    tar(folder / "tar.pth", members({"w": Reference(10), "x": [1]}, tensors, [storage_entry(1, (1, 2, 3, 4))]))
    (folder / "plain.pickle").write_bytes(pickle.dumps(rich["args"]))
