"""Distributed checkpoints in every command but convert."""

import os
import pickle
from pathlib import Path

import pytest
import torch

from segcli.ckpt import Wish, average, diff, inspect, join, strip, verify
from segcli.formats.globals_verdict import DCP_METADATA, Verdict
from tests.ckpt.oracles import loads
from tests.ckpt.test_dcp import save_dcp
from tests.conftest import Run
from tests.formats.crafting import Calls, save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

WEIGHT = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_dcp({"model": {"w": WEIGHT, "b": torch.ones(2)}, "epoch": 3}, tmp_path / "step")


def rewrite_metadata(folder: Path, extra: object) -> None:
    path = folder / ".metadata"
    metadata = pickle.loads(path.read_bytes())  # noqa: S301 - a test made it
    metadata.extra = extra
    path.write_bytes(pickle.dumps(metadata))


def test_a_folder_is_inspected(folder: Path, segcli: Run) -> None:
    found = inspect(folder, depth=1)
    assert found.format == "DCP"
    assert [(one.key, one.shape, one.dtype) for one in found.tensors] == [
        ("model.w", (2, 3), "float32"),
        ("model.b", (2,), "float32"),
    ]
    assert [(one.key, one.value) for one in found.other] == [("epoch", 3)]
    assert found.bytes == sum(one.stat().st_size for one in folder.iterdir())
    names = {one.name: one.verdict for one in found.globals}
    assert set(names.values()) == {Verdict.ALLOWED}
    assert {"torch._utils._rebuild_tensor_v2", "torch.distributed.checkpoint.metadata.Metadata"} <= set(names)
    done = segcli("ckpt", "inspect", folder)
    assert "all are what torch writes into a distributed checkpoint" in done.out
    assert segcli("ckpt", "inspect", folder, "--json").json["format"] == "DCP"
    assert segcli("ckpt", "inspect", folder.parent).code == 2


def test_names_of_metadata_are_allowed_there_alone(tmp_path: Path) -> None:
    assert inspect(save({"a": Calls(os.getcwd)}, tmp_path / "a.pth")).globals[0].verdict is Verdict.DANGEROUS
    from torch.distributed.checkpoint.metadata import MetadataIndex

    found = inspect(save({"a": MetadataIndex("x")}, tmp_path / "b.pth"))
    name = "torch.distributed.checkpoint.metadata.MetadataIndex"
    assert name in DCP_METADATA
    assert [one.verdict for one in found.globals if one.name == name] == [Verdict.UNKNOWN]


def test_a_whole_folder_is_verified(folder: Path, segcli: Run) -> None:
    found = verify(folder, values=True)
    assert (found.ok, found.findings) == (True, ())
    assert found.records == found.checked > 10
    assert found.bytes == sum(one.stat().st_size for one in folder.iterdir())
    done = segcli("ckpt", "verify", folder)
    assert (done.code, f"{folder}: DCP, " in " ".join(done.out.split())) == (0, True)


def test_a_flipped_byte_is_found(folder: Path) -> None:
    (file,) = folder.glob("*.distcp")
    raw = file.read_bytes()
    at = raw.index(WEIGHT.numpy().tobytes())
    file.write_bytes(raw[:at] + b"\1" + raw[at + 1 :])
    found = verify(folder)
    assert not found.ok
    assert [(one.where, "the checksum of data/0 is" in one.what) for one in found.findings] == [
        ("model.w: archive/data/0", True)
    ]


def test_what_would_run_is_found(folder: Path, tmp_path: Path) -> None:
    evil = save_dcp({"w": WEIGHT, "e": Calls(os.getcwd)}, tmp_path / "evil")
    found = verify(evil)
    assert not found.ok
    assert [(one.where, "it names posix.getcwd" in one.what) for one in found.findings] == [
        ("e: archive/data.pkl", True)
    ]
    assert "posix.getcwd" in {one.name for one in inspect(evil).globals}
    rewrite_metadata(folder, Calls(os.getcwd))
    found = verify(folder)
    assert not found.ok
    assert [(one.where, "which torch's planner does not write" in one.what) for one in found.findings] == [
        (".metadata", True)
    ]
    found = verify(folder, allow=["posix.getcwd"])
    assert [one.what for one in found.findings] == ["it names posix.getcwd, which --allow lets pass"]


def test_a_folder_that_cannot_be_read_is_not_ok(folder: Path) -> None:
    (folder / ".metadata").write_bytes(b"\x80\x02N.")
    found = verify(folder)
    assert (found.ok, found.records) == (False, 0)


def test_a_folder_is_stripped_to_a_zip(folder: Path, segcli: Run) -> None:
    done = strip(folder, folder.with_name("a.pth"), Wish(drop=["epoch"]))
    assert (done.format, done.tensors) == ("zip", 2)
    for loaded in loads(folder.with_name("a.pth")):
        assert torch.equal(loaded["model"]["w"], WEIGHT)
    # Nothing to strip: a folder is no file to copy.
    assert segcli("ckpt", "strip", folder, folder.with_name("b.pth"), "--prefix", "none.").code == 0
    assert torch.load(folder.with_name("b.pth"))["epoch"] == 3


def test_folders_are_compared(folder: Path, segcli: Run) -> None:
    again = save({"model": {"w": WEIGHT, "b": torch.ones(2)}, "epoch": 3}, folder.with_name("again.pth"))
    assert diff(folder, again).same
    for pair in ((folder, again), (again, folder), (folder, folder)):
        assert segcli("ckpt", "diff", *pair).code == 0


def test_folders_are_merged(folder: Path, segcli: Run) -> None:
    other = save_dcp({"model": {"w": WEIGHT * 3, "b": torch.ones(2)}, "epoch": 4}, folder.with_name("other"))
    average([folder, other], folder.with_name("a.pth"))
    loaded = torch.load(folder.with_name("a.pth"))
    assert torch.equal(loaded["model"]["w"], WEIGHT * 2)
    assert loaded["epoch"] == 4
    join([folder, save({"more": WEIGHT}, folder.with_name("more.pth"))], folder.with_name("j.pth"))
    assert set(torch.load(folder.with_name("j.pth"))) == {"model", "epoch", "more"}
    done = segcli("ckpt", "merge", folder, other, "--average", "--into", folder.with_name("c.pth"))
    assert done.code == 0
