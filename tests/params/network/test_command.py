"""``segcli params net``, ``module`` and ``file``, from the command line to its end."""

import csv
import io
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from syrupy.assertion import SnapshotAssertion
from torch import nn

from segcli.counting.asking import count_registered
from segcli.draw import to_text
from segcli.params.network.tree_report import tree_tables
from tests.conftest import Run

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.tied = nn.Conv2d(3, width, 3, padding=1)
        self.tied.weight = self.stem.weight
        self.frozen = nn.Conv2d(width, 2, 1).requires_grad_(False)
        self.unused = nn.Linear(3, 3)

    def forward(self, image):
        return self.frozen(self.stem(image)[:, :, ::2] + self.tied(image)[:, :, :8])


class Opaque(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 4, 1)

    def forward(self, image):
        return super().forward(image) * float(image.sum())


class Shuffled(nn.Module):
    def forward(self, image):
        return torch.roll(image, 1, 2)


def deep(levels=500):
    return nn.Sequential(*[nn.Identity() for _ in range(levels)])


def lone():
    return nn.Conv2d(3, 4, 1)


def broken():
    raise ValueError("no such weights")
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)
    return tmp_path


def test_no_name_lists_the_networks(segcli: Run) -> None:
    from segcli.nn.nets import NETS as KNOWN

    assert segcli("params", "net", "--json").json["names"] == list(KNOWN)
    assert "BiSeNet V1 on ResNet-18" in segcli("params", "net").out


def test_one_network_as_tables(segcli: Run, snapshot: SnapshotAssertion) -> None:
    assert segcli("params", "net", "bisenet_v2", "--depth", "1", "--claim", "flops=21.15G").out == snapshot


def test_several_networks_are_compared(segcli: Run, snapshot: SnapshotAssertion) -> None:
    finished = segcli("params", "net", "resnet18", "resnet50", "resnet18")
    assert finished.code == 0
    assert finished.out == snapshot


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["resnet50", "--claim", "flops=4.09G"], id="one"),
        pytest.param(["bisenet_v1", "--depth", "1", "--claim", "params=49M"], id="with-heads"),
        pytest.param(["resnet18_features", "bisenet_v2", "resnet152"], id="several"),
    ],
)
def test_tables_fit_into_80_columns(segcli: Run, monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    titled, *lines = segcli("params", "net", *argv).out.splitlines()
    assert titled
    assert [line for line in lines if len(line) > 80] == []


def test_flops_stand_beside_macs_and_a_note_says_what_is_left_out() -> None:
    tables = tree_tables(count_registered("bisenet_v2"), 2)
    heading, _, _, detail, *_ = to_text(tables, 100).splitlines()[1:]
    assert heading.split() == ["module", "type", "params", "MACs", "FLOPs", "share", "of", "MACs"]
    assert detail.split() == ["detail", "DetailBranch", "519,232", "11,702,108,160", "23.4", "G", "47.6%", "####"]
    assert "left out" not in to_text(tables, 100)
    assert "left out at this width: type; lines of 90 characters show all, and --csv" in to_text(tables, 80)
    assert "left out at this width: type, of MACs; lines of 90" in to_text(tables, 60)
    assert "left out at this width: type, of MACs, FLOPs" in " ".join(to_text(tables, 50).split())
    assert max(len(line) for line in to_text(tables, 60).splitlines()) <= 60


def test_flops_stand_beside_macs_of_several(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = segcli("params", "net", "resnet18", "resnet18_features").out
    assert "network                 params            MACs    FLOPs" in shown
    assert "left out at this width: train only, train MACs; lines of" in " ".join(shown.split())


def test_modules_say_what_is_frozen_and_when_they_run(segcli: Run, nets: Path) -> None:
    own = segcli("params", "module", "own_nets:Net", "--size", "16").out
    held = own[own.index("modules: what they hold") :]
    assert "trainable" in held
    assert "never" in held
    plain = segcli("params", "net", "resnet18", "--depth", "1").out
    held = plain[plain.index("modules: what they hold") :]
    assert ("trainable" in held, "runs" in held) == (False, False)
    assert nets.exists()


def test_json_holds_what_the_issue_promises(segcli: Run) -> None:
    document = segcli("params", "net", "bisenet_v1", "--size", "64x96", "--json", "--depth", "1").json
    assert document["schema"] == "segcli.params/1"
    (network,) = document["networks"]
    assert network["params"] == {"train": 13_425_721, "eval": 13_275_539}
    assert network["size"] == [64, 96]
    assert (network["receptive_field"], network["stride"]) == ([595, 595], [1, 1])
    assert {one["op"] for one in network["uncounted"]} >= {"add", "mul", "cat", "upsample_bilinear2d"}
    assert {node["depth"] for node in network["tree"]} == {0, 1}
    assert set(network["macs"]) == {"train", "eval"}
    assert document["claims"] == []


def test_csv_holds_the_tree_or_the_comparison(segcli: Run) -> None:
    tree = list(csv.DictReader(io.StringIO(segcli("params", "net", "resnet18", "--depth", "1", "--csv").out)))
    assert [row["module"] for row in tree][:3] == ["", "conv1", "bn1"]
    assert tree[0]["macs_eval"] == "1814073344"
    rows = list(csv.DictReader(io.StringIO(segcli("params", "net", "resnet18", "resnet34", "--csv").out)))
    assert [row["params"] for row in rows] == ["11689512", "21797672"]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        (["params=11.7M"], 0),
        (["params=11.7M", "flops=1.8G"], 1),
        (["params=123"], 1),
        (["flops=3.63G", "macs=1.81G"], 0),
    ],
)
def test_a_claim_that_does_not_hold_is_a_no(segcli: Run, claims: list[str], code: int) -> None:
    finished = segcli("params", "net", "resnet18", *(word for claim in claims for word in ("--claim", claim)), "--json")
    assert finished.code == code
    assert [one["claim"] for one in finished.json["claims"]] == claims


def test_what_cannot_be_counted_is_a_no(segcli: Run, nets: Path) -> None:
    finished = segcli("params", "module", "own_nets:Opaque", "--claim", "macs=1G")
    assert finished.code == 1
    assert "unknown, because no pass could be run" in finished.out
    assert "no MACs in evaluation: unknown, because its forward looks at values" in finished.out
    assert "macs could not be counted" in finished.out
    assert nets.exists()


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["resnet19"], "there is no network 'resnet19'", "did you mean resnet1"),
        (["bisenet_v2", "--size", "360x640"], "bga.up1 makes 48x80", "--size 352x640 or --size 384x640"),
        (["resnet18", "--size", "0x8"], "is not from 1 to", ""),
        (["resnet18", "--size", "1099511627776"], "is not from 1 to", ""),
        (["resnet18", "--batch", "0"], "--batch 0: 0 is not from 1", ""),
        (["resnet18", "--classes", "-1"], "--classes -1: -1 is not from 1", ""),
        (["tmo", "--classes", "3"], "tmo got 3 classes, expected none", "leave --classes out"),
        (["resnet18", "--claim", "size=3"], "is no claim", "--claim params=49M"),
    ],
)
def test_bad_input_is_told_of(segcli: Run, argv: list[str], message: str, hint: str) -> None:
    finished = segcli("params", "net", *argv)
    assert (finished.code, finished.out) == (2, "")
    assert message in finished.err
    assert hint in finished.err


def test_a_module_of_ones_own(segcli: Run, nets: Path) -> None:
    finished = segcli("params", "module", "own_nets:Net", "--arg", "width=4", "--size", "16", "--batch", "2")
    assert finished.code == 0
    for said in (
        "own_nets:Net (Net), of 2x3x16x16",
        "one parameter of several names, counted once: stem.weight, tied.weight",
        "10 of the parameters are frozen",
        "never ran, and counted among the parameters: unused",
        "paths' strides disagree: 1 and 2",
    ):
        assert said in finished.out
    assert nets.exists()


def test_sight_that_is_lost_is_said(segcli: Run, nets: Path) -> None:
    (network,) = segcli("params", "module", "own_nets:Shuffled", "--input", "1x3x8x8", "--json").json["networks"]
    assert network["outputs"][0]["unknown"] == "it is not known what roll in the network itself reads"
    assert "unknown, because it is" in segcli("params", "module", "own_nets:Shuffled", "--input", "1x3x8x8").out
    both = segcli("params", "net", "resnet18", "resnet18_features")
    assert both.code == 0
    assert nets.exists()


def test_many_modules_are_cut_off(segcli: Run, nets: Path) -> None:
    finished = segcli("params", "module", "own_nets:deep", "--input", "1x4")
    assert "and 101 more, which --json and --csv have" in finished.out
    assert nets.exists()


def test_the_users_traceback_is_shown_only_where_asked_for(segcli: Run, nets: Path) -> None:
    quiet = segcli("params", "module", "own_nets:broken")
    assert quiet.err.splitlines() == [
        "error: calling own_nets:broken() raised ValueError: no such weights",
        "hint: -v shows where; --arg key=value gives it arguments",
    ]
    loud = segcli("params", "module", "own_nets:broken", "-v")
    assert "own_nets.py" in loud.err
    assert (quiet.code, loud.code) == (2, 2)
    assert nets.exists()


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_chart_is_the_same_each_time(segcli: Run, tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        others = ["bisenet_v2"] if suffix == "png" else []
        finished = segcli("params", "net", "resnet18", *others, "--plot", tmp_path / f"{name}.{suffix}")
        assert finished.code == 0
    one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) > 5_000


def test_a_chart_of_modules_names_them(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "modules.svg"
    assert segcli("params", "net", "bisenet_v1", "--depth", "1", "--plot", path).code == 0
    drawn = path.read_text()
    # Texts are outlines; each is preceded by what it says.
    assert [name for name in ("conv_out16", "ffm", "modules of bisenet_v1") if f"<!-- {name} -->" in drawn] == [
        "conv_out16",
        "ffm",
        "modules of bisenet_v1",
    ]
    # The network itself is no module of it.
    assert "<!-- bisenet_v1 -->" not in drawn
    assert drawn.count("<!-- in training -->") == 1
    again = segcli("params", "net", "bisenet_v1", "--plot", path)
    assert again.code == 2
    assert "exists" in again.err
    assert segcli("params", "net", "bisenet_v1", "--plot", path, "--force").code == 0


def test_a_chart_says_how_many_names_had_no_room(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "layers.svg"
    assert segcli("params", "net", "resnet18", "--depth", "5", "--plot", path).code == 0
    drawn = path.read_text()
    assert "<!-- layer1.0.conv1 and 3 more -->" in drawn
    assert "<!-- parameters (5 without a name, for want of room) -->" in drawn


def test_a_chart_of_a_network_without_modules_names_it(segcli: Run, nets: Path) -> None:
    assert segcli("params", "module", "own_nets:lone", "--plot", nets / "lone.svg").code == 0
    assert "<!-- own_nets:lone -->" in (nets / "lone.svg").read_text()


def test_a_chart_that_cannot_be(segcli: Run, nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is no name for a chart" in segcli("params", "net", "resnet18", "--plot", "chart.jpg").err
    nothing = segcli("params", "module", "own_nets:Opaque", "--plot", "chart.svg")
    assert (nothing.code, "no MACs were counted" in nothing.err) == (2, True)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    missing = segcli("params", "net", "resnet18", "--plot", "chart.svg")
    assert (missing.code, "pip install 'segcli[plot]'" in missing.err) == (3, True)
    assert list(nets.glob("chart*")) == []


def test_tensorboard_shows_the_graph(segcli: Run, nets: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert segcli("params", "module", "own_nets:Net", "--size", "16", "--log-dir", nets / "runs").code == 0
    accumulator = EventAccumulator(str(nets / "runs" / "own_nets_Net"))
    accumulator.Reload()
    nodes = {node.name: node for node in accumulator.Graph().node}
    assert list(nodes["stem/convolution"].input) == ["input", "stem/weight", "stem/bias"]
    assert list(nodes["tied/convolution"].input) == ["input", "stem/weight", "tied/bias"]
    assert list(nodes["add"].input) == ["slice", "slice_1"]
    assert [dim.size for dim in nodes["stem/convolution"].attr["_output_shapes"].list.shape[0].dim] == [1, 8, 16, 16]
    assert "unused/weight" not in nodes
    # Every node stands behind what it reads.
    names = list(nodes)
    assert all(names.index(one) < place for place, name in enumerate(names) for one in nodes[name].input)


def test_a_graph_that_cannot_be_written(segcli: Run, nets: Path) -> None:
    (nets / "taken").write_text("")
    finished = segcli("params", "net", "resnet18", "--log-dir", nets / "taken")
    assert (finished.code, finished.out) == (2, "")
    assert "cannot write TensorBoard events to" in finished.err


def test_without_tensorboardx_no_work_is_begun(segcli: Run, nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    finished = segcli("params", "net", "resnet18", "--log-dir", nets / "runs")
    assert (finished.code, finished.out) == (3, "")
    assert "need tensorboardX" in finished.err
    assert "hint: pip install tensorboardX" in finished.err
    assert not (nets / "runs").exists()


def small_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Sequential(nn.Linear(4, 4).half()))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_checkpoint_is_counted_by_its_keys(segcli: Run, tmp_path: Path, suffix: str) -> None:
    state = small_net().state_dict()
    path = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    document = segcli("params", "file", path, "--depth", "1", "--json").json
    elements = sum(tensor.numel() for tensor in state.values())
    assert (document["tensors"], document["elements"], document["norm_buffers"]) == (len(state), elements, 17)
    assert document["bytes"] == sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert {(one["path"], one["elements"]) for one in document["tree"]} == {
        ("", elements),
        ("0", 224),
        ("1", 33),
        ("2", 20),
    }
    assert next(one["dtypes"] for one in document["tree"] if one["path"] == "2") == ["float16"]
    shown = segcli("params", "file", path)
    assert "17 of the elements are, by their names, running statistics" in shown.out
    rows = list(csv.DictReader(io.StringIO(segcli("params", "file", path, "--csv").out)))
    assert rows[0]["elements"] == str(elements)


def test_a_file_that_is_no_checkpoint(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("words")
    finished = segcli("params", "file", path)
    assert finished.code == 2
    assert "notes.txt" in finished.err


def test_names_are_completed() -> None:
    from segcli.params.network.command import _complete_networks

    assert _complete_networks("bise") == ["bisenet_v1", "bisenet_v2"]


@pytest.mark.parametrize("argv", [["net", "resnet18"], ["module", "own_nets:Net"]], ids=["net", "module"])
def test_without_torch_networks_cannot_be_counted(
    segcli: Run, nets: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "segcli.counting.asking", None)
    finished = segcli("params", *argv)
    assert (finished.code, finished.out) == (3, "")
    assert "counting networks takes torch, which cannot be imported" in finished.err
    assert nets.exists()


def test_light_modes_import_no_torch(tmp_path: Path) -> None:
    import subprocess

    save_file(small_net().state_dict(), tmp_path / "model.safetensors")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from segcli.params.network import command, report, claims\n"
        "from segcli.params.network.asked import check_names, listed\n"
        "from segcli.params.network.stored import read_stored\n"
        "check_names([row[0] for row in listed()], None)\n"
        f"print(read_stored(Path({str(tmp_path / 'model.safetensors')!r}), 1).elements)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "277\n"
