"""What inspect says of checkpoints as training code leaves them."""

import argparse
import collections
import csv
import dataclasses
import io
import json
import os
import pickle
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from syrupy.assertion import SnapshotAssertion
from torch._subclasses import FakeTensorMode

from segcli.ckpt import convert
from segcli.ckpt.inspection import report
from segcli.ckpt.inspection.listing import Inspection, inspect
from segcli.units import format_bytes
from tests.conftest import Run
from tests.formats.crafting import Calls, Saved, save
from tests.formats.old_files import save_legacy


def listed(path: Path) -> dict[str, tuple[Any, ...]]:
    return {one.key: (one.shape, one.dtype, one.layout) for one in inspect(path).tensors}


def others(path: Path) -> dict[str, tuple[str, Any]]:
    return {one.key: (one.type, one.value) for one in inspect(path).other}


def net() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


def test_the_document_has_exactly_what_is_promised(segcli: Run, tmp_path: Path) -> None:
    content = {"w": torch.zeros(4, 2).t(), "coo": torch.eye(2).to_sparse(), "lr": 0.1}
    document = segcli("ckpt", "inspect", save(content, tmp_path / "it.pth"), "--json").json
    assert list(document)[:5] == ["schema", "format", "tensors", "other", "globals"]
    assert document["schema"] == "segcli.ckpt/1"
    assert document["tensors"][0] == {
        "key": "w",
        "shape": [2, 4],
        "dtype": "float32",
        "device": "cpu",
        "bytes": 32,
        "storage": "0",
        "offset": 0,
        "stride": [1, 2],
    }
    assert list(document["tensors"][1]) == list(document["tensors"][0])
    assert document["layouts"] == {"coo": "sparse_coo"}
    assert document["other"] == [{"key": "lr", "type": "float", "value": 0.1}]
    assert {"name": "torch.FloatStorage", "verdict": "allowed"} in document["globals"]
    assert (document["tensors_in_all"], document["grep"], document["tree"], document["hints"]) == (2, None, [], [])
    assert set(document) == {
        *("schema", "layouts"),
        *(field.name for field in dataclasses.fields(Inspection)),
    }


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("weight", ["0.weight", "1.weight"]),
        ("*weight", ["0.weight", "1.weight"]),
        ("1.running_???", ["1.running_var"]),
        ("weigh?", []),
        ("[01].bias", ["0.bias", "1.bias"]),
        ("nothing", []),
    ],
)
def test_keys_are_found(segcli: Run, tmp_path: Path, pattern: str, keys: list[str]) -> None:
    path = save({**net().state_dict(), "lr": 1}, tmp_path / "it.pth")
    document = segcli("ckpt", "inspect", path, "--grep", pattern, "--json").json
    assert [one["key"] for one in document["tensors"]] == keys
    assert (document["tensors_in_all"], document["grep"]) == (7, pattern)
    out = " ".join(segcli("ckpt", "inspect", path, "--grep", pattern).out.split())
    how = "match the glob" if pattern in ("*weight", "1.running_???", "weigh?", "[01].bias") else "contain"
    assert f"tensors whose keys {how} '{pattern}': {len(keys)} of 7" in out


def test_a_tree_of_sums(segcli: Run, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    weights = net().state_dict()
    content = {
        "model": weights,
        "ema": {"0.weight": weights["0.weight"], "own": torch.zeros(2)},
        "step": torch.tensor(1),
    }
    path = save(content, tmp_path / "it.pth")
    os.chdir(tmp_path)
    done = segcli("ckpt", "inspect", "it.pth", "--tree", "2")
    assert done.out == snapshot
    rows = segcli("ckpt", "inspect", path, "--tree", "1", "--json").json["tree"]
    assert [(one["path"], one["tensors"], one["elements"]) for one in rows] == [
        ("", 10, 112 + 16 + 1 + 2 + 1),
        ("model", 7, 112 + 16 + 1),
        ("ema", 2, 2),
        ("step", 1, 1),
    ]
    assert rows[0]["bytes"] == sum(one["bytes"] for one in rows[1:])
    table = list(csv.DictReader(io.StringIO(segcli("ckpt", "inspect", path, "--tree", "3", "--csv").out)))
    assert table[2] == {"module": "model.0", "tensors": "2", "elements": "112", "size_bytes": "448"}
    assert (
        "of tensors whose keys contain 'bias'" in segcli("ckpt", "inspect", path, "--tree", "1", "--grep", "bias").out
    )
    assert "(all)" in segcli("ckpt", "inspect", path, "--tree", "0").out
    assert "(the file itself)" in segcli("ckpt", "inspect", save(torch.zeros(1), path), "--tree", "1").out


def test_long_tables_are_cut_in_the_middle(segcli: Run, tmp_path: Path) -> None:
    path = save({f"layer{index}.weight": torch.zeros(1) for index in range(1000)}, tmp_path / "it.pth")
    lines = segcli("ckpt", "inspect", path).out.splitlines()
    assert len(lines) < report.MAX_TENSORS + 20
    assert [line.split()[0] for line in lines[101:105]] == [
        "layer98.weight",
        "layer99.weight",
        "...",
        "layer900.weight",
    ]
    assert "... 800 more ..." in lines[103]
    assert any("800 tensors in the middle are left out: --json and --csv have all of them" in line for line in lines)
    assert len(segcli("ckpt", "inspect", path, "--csv").out.splitlines()) == 1001
    assert len(segcli("ckpt", "inspect", path, "--json").json["tensors"]) == 1000
    tree = segcli("ckpt", "inspect", path, "--tree", "1").out
    assert "... 801 more ..." in tree
    assert len(tree.splitlines()) < report.MAX_TENSORS + 20


def test_memory_that_no_tensor_uses(segcli: Run, tmp_path: Path) -> None:
    base = torch.zeros(1000)
    content = {"a": base[:10], "b": base[5:20], "c": torch.zeros(5)}
    path = save(content, tmp_path / "it.pth")
    document = segcli("ckpt", "inspect", path, "--json").json
    assert document["slack"] == [{"storage": "0", "bytes": 4000, "unused": 3920, "keys": ["a", "b"]}]
    assert (document["slack_bytes"], document["stored_bytes"]) == (3920, 4020)
    assert document["hints"] == [
        {
            "why": "3.92 kB of 4.02 kB are memory that no tensor uses",
            "command": f"segcli ckpt strip {path} DST --compact",
        }
    ]
    out = segcli("ckpt", "inspect", path).out
    assert "view slack: 3.92 kB that no tensor uses" in out
    assert f"\n  segcli ckpt strip {path} DST --compact" in out
    assert "view slack" not in segcli("ckpt", "inspect", path, "--grep", "c").out


@pytest.mark.parametrize(
    ("prefix", "options"),
    [
        ("module.", "--prefix module."),
        ("module._orig_mod.", "--prefix module. --prefix _orig_mod."),
        ("_orig_mod.module.", "--prefix _orig_mod. --prefix module."),
        ("layer1._orig_mod.", "--prefix _orig_mod."),
        ("_fsdp_wrapped_module.a._checkpoint_wrapped_module.", "--prefix _fsdp_wrapped_module. --prefix _checkpoint"),
        ("encoder.module.", ""),
    ],
)
def test_wrappers_are_told(tmp_path: Path, prefix: str, options: str) -> None:
    content = {"net": {prefix + key: one for key, one in net().state_dict().items()}, "n": {"module.x": 1}}
    path = save(content, tmp_path / "it's.pth")
    hints = inspect(path).hints
    assert [options in one.command for one in hints] == [True] * bool(options)
    assert all("keys in net have" in one.why for one in hints)
    assert all("'\"'\"'s.pth'" in one.command for one in hints)


def test_some_keys_with_a_common_start_are_no_wrapper(tmp_path: Path) -> None:
    assert inspect(save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "it.pth")).hints == ()


def test_several_files(segcli: Run, tmp_path: Path) -> None:
    for name in "ba":
        save({f"w{name}": torch.zeros(2)}, tmp_path / f"{name}.pth")
    (tmp_path / "c.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    done = segcli("ckpt", "inspect", tmp_path / "*.pth", "--json")
    assert done.code == 2
    documents = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["schema"], Path(one["file"]).name) for one in documents] == [
        ("segcli.ckpt/1", "a.pth"),
        ("segcli.ckpt/1", "b.pth"),
    ]
    assert "error: " in done.err
    assert "is a Git-LFS pointer" in done.err
    done = segcli("ckpt", "inspect", tmp_path / "a.pth", tmp_path / "b.pth")
    assert done.code == 0
    assert done.out.index("a.pth: torch zip") < done.out.index("b.pth: torch zip")
    table = list(csv.DictReader(io.StringIO(segcli("ckpt", "inspect", tmp_path / "[ab].pth", "--csv").out)))
    assert [(Path(row["file"]).name, row["key"]) for row in table] == [("a.pth", "wa"), ("b.pth", "wb")]
    answer = tmp_path / "answer.json"
    assert segcli("ckpt", "inspect", tmp_path / "a.pth", tmp_path / "b.pth", "-o", answer).code == 0
    assert len(answer.read_text().splitlines()) == 2
    done = segcli("ckpt", "inspect", tmp_path / "none*.pth")
    assert (done.code, done.out) == (2, "")
    assert "nothing is called" in done.err


def test_a_name_with_brackets_is_a_name(segcli: Run, tmp_path: Path) -> None:
    path = save({"w": torch.zeros(1)}, tmp_path / "run[1].pth")
    assert segcli("ckpt", "inspect", path).code == 0


def test_training_states(tmp_path: Path) -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model(torch.zeros(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    content = {
        "state_dict": model.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [{"base_lrs": [0.1], "last_epoch": 3}],
        "hyper_parameters": argparse.Namespace(arch="unet", lr=0.1),
        "callbacks": {"EarlyStopping{'monitor': 'val'}": {"best_score": torch.tensor(0.5), "patience": 3}},
        "pytorch-lightning_version": "2.5.0",
        "global_step": 7,
    }
    path = save(content, tmp_path / "it.ckpt")
    tensors = listed(path)
    assert tensors["optimizer_states.0.state.0.exp_avg"] == ((4, 3, 3, 3), "float32", "strided")
    assert tensors["callbacks.EarlyStopping{'monitor': 'val'}.best_score"] == ((), "float32", "strided")
    found = others(path)
    assert found["hyper_parameters"] == ("argparse.Namespace", "arch='unet', lr=0.1")
    assert found["pytorch-lightning_version"] == ("str", "2.5.0")
    assert found["optimizer_states.0.param_groups"][0] == "list"
    assert found["callbacks.EarlyStopping{'monitor': 'val'}.patience"] == ("int", 3)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_values_of_other_kinds(tmp_path: Path) -> None:
    content: dict[str, Saved] = {
        "array": np.zeros((3, 4), dtype=np.float32),
        "big endian": np.zeros(2, dtype=">i8"),
        "scalar": np.float64(0.5),
        "flags": np.zeros(2, dtype=bool),
        "half": np.zeros((), dtype=np.float16),
        "words": np.array(["a"]),
        "objects": np.array([None], dtype=object),
        "config": OmegaConf.create({"lr": 0.1, "net": {"name": "unet", "none": None}}),
        "quantized": torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8),
        "csr": torch.eye(2).to_sparse_csr(),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "dtype": torch.float16,
        "generator": torch.get_rng_state(),
    }
    path = save(content, tmp_path / "it.pth")
    found = others(path)
    assert found["array"] == ("numpy.ndarray", "float32 of shape (3, 4)")
    assert found["big endian"] == ("numpy.ndarray", "int64 (big-endian) of shape (2,)")
    assert found["scalar"] == ("numpy scalar", "0.5")
    assert found["flags"] == ("numpy.ndarray", "bool of shape (2,)")
    assert found["half"] == ("numpy.ndarray", "float16 of shape ()")
    assert found["words"] == ("numpy.ndarray", "U1 of shape (1,)")
    assert found["objects"] == ("numpy.ndarray", "object of shape (1,)")
    assert found["config"] == (
        "omegaconf.dictconfig.DictConfig",
        "{'lr': 0.1, 'net': {'name': 'unet', 'none': None}}",
    )
    assert listed(path) == {
        "quantized": ((2, 2), "qint8", "per_tensor_affine"),
        "csr": ((2, 2), "float32", "sparse_csr"),
        "nested": ((5,), "float32", "nested"),
        "generator": ((5056,), "uint8", "strided"),
    }


def test_state_dicts_of_wrapped_and_sharded_networks(tmp_path: Path) -> None:
    mesh = Calls(collections.OrderedDict)
    content = {
        "model": {"_fsdp_wrapped_module.0.weight": torch.zeros(2, 3)},
        "shards": [{"metadata": {"shard_offsets": [0, 0]}, "tensor": torch.zeros(1, 3)}],
        "state": {"0.weight": {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2, 3)}},
        "mesh": mesh,
    }
    path = save(content, tmp_path / "it.pth")
    assert list(listed(path)) == [
        "model._fsdp_wrapped_module.0.weight",
        "shards.0.tensor",
        "state.0.weight.step",
        "state.0.weight.exp_avg",
    ]
    assert "--prefix _fsdp_wrapped_module." in inspect(path).hints[0].command


def test_subclasses_that_keep_a_tensor_in_themselves(tmp_path: Path) -> None:
    mesh = torch.zeros(2)
    path = save({"w": Calls(argparse.Namespace), "d": Local(mesh)}, tmp_path / "it.pth")
    assert listed(path) == {"d._local_tensor": ((2,), "float32", "strided")}


class Local:
    def __init__(self, tensor: torch.Tensor) -> None:
        self._local_tensor = tensor


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_with_tensors_in_them(segcli: Run, tmp_path: Path, protocol: int) -> None:
    weight = torch.arange(12.0).reshape(3, 4)
    content = {
        "w": weight,
        "row": weight[1],
        "net": torch.nn.Linear(2, 3),
        "list": [torch.ones(2, dtype=torch.int64)],
        "x": 1,
    }
    path = tmp_path / "it.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    found = inspect(path)
    assert found.format == "pickle"
    assert [(one.key, one.shape, one.dtype, one.offset) for one in found.tensors] == [
        ("w", (3, 4), "float32", 0),
        ("row", (4,), "float32", 4),
        ("net.weight", (3, 2), "float32", 0),
        ("net.bias", (3,), "float32", 0),
        ("list.0", (2,), "int64", 0),
    ]
    assert found.stored_bytes == 48 + 48 + 24 + 12 + 16
    assert "torch.FloatStorage" in [one.name for one in found.globals]
    assert "torch.load does not read it" in segcli("ckpt", "inspect", path).out
    path.write_bytes(pickle.dumps(torch.zeros(2).untyped_storage(), protocol=protocol))
    assert [(one.key, one.layout) for one in inspect(path).tensors] == [("", "storage")]


def test_pickles_that_are_odd(segcli: Run, tmp_path: Path) -> None:
    load = torch.storage._load_from_bytes
    legacy = save_legacy({"w": torch.zeros(2)}, tmp_path / "old.pth").read_bytes()
    odd = [Calls(load), Calls(load, 5), Calls(load, b"junk"), Calls(load, legacy), 3]
    path = tmp_path / "it.pkl"
    path.write_bytes(pickle.dumps({"odd": odd, "set": Calls(set, [1])}))
    found = inspect(path)
    assert found.tensors == ()
    assert [one.key for one in found.other] == ["odd", "set"]
    assert ("torch.storage._load_from_bytes", "dangerous") in [(one.name, one.verdict) for one in found.globals]
    whole = save_legacy(torch.zeros(2).untyped_storage(), tmp_path / "storage.pth").read_bytes()
    path.write_bytes(pickle.dumps([Calls(load, whole), Calls(load, whole)]))
    assert [(one.key, one.storage) for one in inspect(path).tensors] == [("0", "0"), ("1", "1")]
    path.write_bytes(pickle.dumps([1]) + b"more")
    done = segcli("ckpt", "inspect", path)
    assert (done.code, "4 bytes follow the end of its pickle" in done.err) == (2, True)


def test_safetensors_have_metadata_and_hints(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "it.safetensors"
    save_file({"module.w": torch.zeros(2)}, path, metadata={"format": "pt"})
    document = segcli("ckpt", "inspect", path, "--json").json
    assert document["other"] == [{"key": "__metadata__.format", "type": "str", "value": "pt"}]
    assert document["tensors"][0]["storage"] == "module.w"
    assert (document["layout"], document["tags"], document["globals"]) == (None, [], [])
    assert "--prefix module." in document["hints"][0]["command"]


def test_storages_of_many_tensors_are_listed_in_short(segcli: Run, tmp_path: Path) -> None:
    base = torch.zeros(10)
    out = segcli("ckpt", "inspect", save({f"w{index}": base[index] for index in range(10)}, tmp_path / "it.pth")).out
    assert "w0, w1, w2, w3, w4, w5 and 4 more" in " ".join(out.split())


def test_a_file_of_100_gb_takes_no_longer(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "sparse.safetensors"
    side = 160_000
    content = {"w": {"dtype": "F32", "shape": [side, side], "data_offsets": [0, 4 * side * side]}}
    header = json.dumps(content).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 4 * side * side)
    done = segcli("ckpt", "inspect", path)
    assert "102 GB" in done.out


class Mesh:
    def __init__(self) -> None:
        self.ranks = torch.zeros(2)
        self.name = "data"


class Sharded(torch.Tensor):
    """As a DTensor: a tensor of its own shape around another, with a mesh."""

    local: torch.Tensor
    mesh: Mesh

    def __new__(cls, local: torch.Tensor) -> Self:
        made = torch.Tensor._make_wrapper_subclass(cls, (8, 3), dtype=torch.float32, device=torch.device("cuda:1"))
        made.local, made.mesh = local, Mesh()
        return made

    @classmethod
    def __torch_dispatch__(cls, *_args: object, **_options: object) -> Saved:
        return NotImplemented


def test_tensors_around_tensors(tmp_path: Path) -> None:
    path = save({"w": Sharded(torch.zeros(4, 3)), "b": torch.ones(2)}, tmp_path / "it.pth")
    found = inspect(path)
    assert [(one.key, one.shape, one.device, one.layout) for one in found.tensors] == [
        ("w", (8, 3), "cuda:1", "Sharded"),
        ("w.local", (4, 3), "cpu", "strided"),
        ("w.mesh.ranks", (2,), "cpu", "strided"),
        ("b", (2,), "cpu", "strided"),
    ]
    assert [(one.key, one.type) for one in found.other] == [("w.mesh", "tests.ckpt.test_inspection.Mesh")]


def test_a_zip_of_100_gb_takes_no_longer(segcli: Run, tmp_path: Path) -> None:
    with FakeTensorMode():
        content = {f"layer{index}.weight": torch.empty(50_000, 50_000) for index in range(10)}
    with torch.serialization.skip_data(materialize_fake_tensors=True):
        torch.save(content, tmp_path / "sparse.pth")
    done = segcli("ckpt", "inspect", tmp_path / "sparse.pth")
    assert "100 GB, 10 tensors in 100 GB of storage" in done.out


def test_memory_between_elements_is_told(tmp_path: Path) -> None:
    whole = torch.randn(1000, 10)
    source = save({"v": whole[::2, 1:3], "again": whole[::2, 1:3], "w": torch.ones(3)}, tmp_path / "it.pth")
    (gaps,) = inspect(source).hints
    # What two views show is counted twice, since whether they overlap is not asked: at least so much is nobody's.
    least = (998 * 10 + 3 - 1) * 4 - 2 * 500 * 2 * 4
    assert gaps.why.startswith(f"{format_bytes(least)} of {format_bytes(40_012)} lie between")
    assert "lie between the elements of v, again, where strip --compact does not cut" in gaps.why
    assert gaps.command == f"segcli ckpt convert {source} DST.safetensors"
    convert(source, tmp_path / "tight.safetensors")
    assert (tmp_path / "tight.safetensors").stat().st_size < 10_000
    # Every second row, and the rows between; a transposed and an expanded tensor: nothing lies between.
    full = {"a": whole[::2], "b": whole[1::2], "t": torch.ones(50, 3).T, "x": torch.ones(5, 1).expand(5, 9)}
    assert inspect(save(full, tmp_path / "full.pth")).hints == ()


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_storages_of_sparse_tensors_are_named_by_them(tmp_path: Path) -> None:
    content = {"csr": torch.eye(3).to_sparse_csr(), "w": torch.ones(8)[2:4]}
    found = inspect(save(content, tmp_path / "it.pth"))
    assert found.slack
    assert {key for one in found.slack for key in one.keys} == {"csr", "w"}
    assert all(one.keys for one in found.slack)


def test_keys_of_bytes_are_shown_as_such(tmp_path: Path) -> None:
    assert list(listed(save({b"by": torch.ones(1)}, tmp_path / "it.pth"))) == ["b'by'"]
