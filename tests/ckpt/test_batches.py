"""Several sources at once: patterns, folders, --out-dir and --dry-run."""

from pathlib import Path

import pytest
import torch

from segcli.ckpt import average, join
from segcli.ckpt.sources import bytes_of, known_bytes, matching
from segcli.errors import SegcliError
from tests.ckpt.test_dcp import save_dcp
from tests.conftest import Run
from tests.formats.crafting import save

CONTENT = {"state_dict": {"module.w": torch.ones(3)}, "epoch": 7}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("runs", "out"):
        (tmp_path / folder).mkdir()
    for name in ("a.pth", "b.ckpt"):
        save(CONTENT, tmp_path / "runs" / name)
    (tmp_path / "runs" / "page.pth").write_text("<!DOCTYPE html>")
    return tmp_path / "runs"


def test_what_patterns_mean(runs: Path) -> None:
    assert matching(Path("runs/*.ckpt")) == [Path("runs/b.ckpt")]
    assert matching(runs / "?.pth") == [runs / "a.pth"]
    assert matching(Path("none.pth")) == [Path("none.pth")]
    with pytest.raises(SegcliError, match=r"nothing is called runs/\*\.bin"):
        matching(Path("runs/*.bin"))
    assert bytes_of(runs / "a.pth") == (runs / "a.pth").stat().st_size
    assert bytes_of(runs) == sum(one.stat().st_size for one in runs.iterdir())
    assert known_bytes(Path("none")) == 0
    with pytest.raises(SegcliError, match="does not exist"):
        bytes_of(Path("none"))


@pytest.mark.usefixtures("runs")
def test_several_files_are_stripped(segcli: Run) -> None:
    wish = ("--weights-only", "--prefix", "module.", "--out-dir", "out")
    done = segcli("ckpt", "strip", "runs", *wish, "--dry-run")
    assert (done.code, not list(Path("out").iterdir())) == (2, True)
    assert "2 of 3 checkpoints" in done.out
    assert "would be saved" in done.out
    assert "not stripped, since" in done.out
    done = segcli("ckpt", "strip", "runs/?.*", *wish)
    assert (done.code, done.err) == (0, "")
    for name in ("a.pth", "b.ckpt"):
        assert torch.load(Path("out") / name)["w"].tolist() == [1, 1, 1]
    document = segcli("ckpt", "strip", "runs/a.pth", "runs/page.pth", *wish, "--json").json
    assert (document["results"], [one["code"] for one in document["failures"]]) == ([], [2, 2])
    assert "exists already" in document["failures"][0]["message"]


def test_several_folders_become_zips(runs: Path, segcli: Run) -> None:
    for name in ("step_1", "step_2.dcp"):
        save_dcp({"w": torch.ones(2), "b": torch.ones(1)}, runs / name)
    done = segcli("ckpt", "strip", runs / "step_1", runs / "step_2.dcp", "--drop", "b", "--out-dir", "out")
    assert done.code == 0
    assert sorted(one.name for one in Path("out").iterdir()) == ["step_1.pth", "step_2.pth"]


def test_wrong_usage_of_strip(runs: Path, segcli: Run) -> None:
    save(CONTENT, runs.parent / "a.pth")
    for arguments, told in (
        (["runs/a.pth"], "expected SRC and DST, got 1 path\n"),
        (["a", "b", "c", "--drop", "x"], "expected SRC and DST, got 3 paths\n"),
        (["runs", "--out-dir", "out"], "nothing is named that shall be stripped"),
        (["runs", "--out-dir", "none", "--drop", "x"], "there is no folder none"),
        (["runs/a.pth", "--out-dir", "a.pth", "--drop", "x"], "a.pth is no folder"),
        (["runs/a.pth", "a.pth", "--out-dir", "out", "--drop", "x"], "would both become out/a.pth"),
        (["runs/*.bin", "--out-dir", "out", "--drop", "x"], "nothing is called runs/*.bin"),
    ):
        done = segcli("ckpt", "strip", *arguments)
        assert (done.code, told in done.err, done.out) == (2, True, "")


def test_merges_are_said_before(runs: Path, segcli: Run) -> None:
    files = [runs / "a.pth", runs / "b.ckpt"]
    for make in (average, join):
        said = make(files, runs / "it.pth", dry_run=True)
        assert (said.dry_run, (runs / "it.pth").exists()) == (True, False)
        done = make(files, runs / "it.pth")
        assert (done.bytes, done.dry_run) == (said.bytes, False)
        assert done.bytes == (runs / "it.pth").stat().st_size
        with pytest.raises(SegcliError, match="exists already"):
            make(files, runs / "it.pth", dry_run=True)
        (runs / "it.pth").unlink()
    said_so = segcli("ckpt", "merge", "runs/[ab].*", "--average", "--into", "it.pth", "--dry-run")
    assert (said_so.code, "would be written" in said_so.out, Path("it.pth").exists()) == (0, True, False)
