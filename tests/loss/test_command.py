import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from syrupy.assertion import SnapshotAssertion
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segcli.nn import cross_entropy_loss, dice_loss, focal_loss, ohem_cross_entropy_loss
from tests.conftest import Run

# Blocks of classes, and logits that are right but near the blocks' lower edges.
LABELS = torch.arange(4).view(1, 2, 2).repeat_interleave(8, 1).repeat_interleave(8, 2).repeat(2, 1, 1) % 3
RAMP = torch.linspace(3, -1, 8).repeat(2).view(1, 1, 16, 1)
LOGITS = torch.nn.functional.one_hot(LABELS, 3).permute(0, 3, 1, 2) * RAMP
LABELS[:, 0] = 255


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(LOGITS, "logits.pt")
    np.save("labels.npy", LABELS.numpy().astype("uint8"))


def test_it_prints_every_loss_that_applies(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli("loss", "logits.pt", "labels.npy", "--class-names", "sky,road,car")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_json_is_the_result(segcli: Run) -> None:
    document = segcli("loss", "logits.pt", "labels.npy", "--json").json
    assert list(document) == ["schema", "losses", "inputs", "settings", "notes"]
    assert document["schema"] == "segcli.loss/1"
    expected = {
        "ce": cross_entropy_loss(LOGITS, LABELS).item(),
        "ohem": ohem_cross_entropy_loss(LOGITS, LABELS).item(),
        "dice": dice_loss(LOGITS, LABELS).item(),
        "focal": focal_loss(LOGITS, LABELS).item(),
    }
    assert {name: loss["value"] for name, loss in document["losses"].items()} == pytest.approx(expected)
    assert {"value", "per_class", "n_valid", "n_hard", "n_kept", "threshold"} <= set(document["losses"]["ohem"])
    assert document["inputs"]["logits"] == {"file": "logits.pt", "shape": [2, 3, 16, 16], "dtype": "float32"}
    assert document["settings"]["n_min"] == "1/16"


def test_csv_is_the_losses(segcli: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("loss", "logits.pt", "labels.npy", "--csv").out)))
    assert [row["loss"] for row in rows] == ["ce", "ohem", "dice", "focal"]
    assert float(rows[0]["value"]) == pytest.approx(cross_entropy_loss(LOGITS, LABELS).item())


def test_every_option_reaches_its_loss(segcli: Run) -> None:
    argv = "--loss ohem,dice,focal --thresh 0.3 --n-min 200 --gamma 1 --alpha 1,2,3 --smooth 0.5 --squared"
    argv += " --reduce batch --absent zero --ignore-index 0 --device auto --mode multiclass"
    labels = torch.where(LABELS == 255, 0, LABELS)
    torch.save(labels, "labels.pt")
    document = segcli("loss", "logits.pt", "labels.pt", *argv.split(), "--json").json
    expected = {
        "ohem": ohem_cross_entropy_loss(LOGITS, labels, thresh=0.3, n_min=200, ignore_index=0).item(),
        "dice": dice_loss(
            LOGITS, labels, smooth=0.5, squared=True, reduce="batch", absent="zero", ignore_index=0
        ).item(),
        "focal": focal_loss(LOGITS, labels, gamma=1, alpha=[1, 2, 3], ignore_index=0).item(),
    }
    assert {name: loss["value"] for name, loss in document["losses"].items()} == pytest.approx(expected)
    assert document["losses"]["ohem"]["branch"] == "top-k"


def test_every_format_gives_the_same(segcli: Run) -> None:
    torch.save({"out": [{"logits": LOGITS}], "labels": LABELS.int()}, "all.pth")
    np.savez("all.npz", logits=LOGITS.numpy(), labels=LABELS.numpy())
    np.savez_compressed("one.npz", LABELS.numpy())
    save_file({"logits": LOGITS.contiguous(), "labels": LABELS.to(torch.uint8)}, "all.safetensors")
    expected = segcli("loss", "logits.pt", "labels.npy", "--json").json["losses"]
    for logits, labels in (
        ("all.pth:out.0.logits", "all.pth:labels"),
        ("all.npz:logits", "all.npz:labels"),
        ("all.safetensors:logits", "all.safetensors:labels"),
        ("logits.pt", "one.npz"),
    ):
        done = segcli("loss", logits, labels, "--json")
        assert (done.err, done.json["losses"]) == ("", expected)


def test_masks_add_bce(segcli: Run) -> None:
    torch.save(LOGITS[:, 0], "mask.pt")
    torch.save((LABELS == 0).float(), "foreground.pt")
    done = segcli("loss", "mask.pt", "foreground.pt")
    assert done.code == 0
    assert "binary" in done.out
    assert "bce" in done.out


def test_branches_are_told_in_words(segcli: Run) -> None:
    few = segcli("loss", "logits.pt", "labels.npy", "--loss", "ohem", "--thresh", "0.01").out
    assert "effective thresh 0.1" in few
    assert "the hardest, as fewer are hard than must be kept" in few
    assert "all that is valid" in segcli("loss", "logits.pt", "labels.npy", "--loss", "ohem", "--n-min", "1.0").out
    none = segcli("loss", "logits.pt", "labels.npy", "--loss", "ohem", "--thresh", "0.01", "--n-min", "0").out
    assert "nothing, so the loss is 0" in none
    assert "effective" not in none


def test_settings_are_shown_where_they_matter(segcli: Run) -> None:
    out = segcli("loss", "logits.pt", "labels.npy", "--squared", "--reduce", "batch", "--alpha", "1,2,3").out
    assert "3 classes of the batch" in out
    assert "smooth 1, squared yes, reduce batch, absent skip" in out
    assert "gamma 2, alpha 1,2,3" in out


def test_multilabel_counts_labels(segcli: Run) -> None:
    torch.save((LOGITS > 0).int(), "masks.pt")
    out = segcli("loss", "logits.pt", "masks.pt", "--mode", "multilabel").out
    assert "1,536 valid labels" in out


def test_scalars_go_to_tensorboard(segcli: Run, tmp_path: Path) -> None:
    done = segcli("loss", "logits.pt", "labels.npy", "--log-dir", "runs/val")
    assert done.code == 0
    assert done.err == "note: scalars are in runs/val: tensorboard --logdir runs/val\n"
    events = EventAccumulator(str(tmp_path / "runs/val")).Reload()
    assert events.Scalars("loss/ce")[0].value == pytest.approx(cross_entropy_loss(LOGITS, LABELS).item())
    assert "dice_by_class/2" in events.Tags()["scalars"]


def test_remarks_go_to_stderr_and_into_json(segcli: Run) -> None:
    torch.save(LOGITS.softmax(1), "p.pt")
    done = segcli("loss", "p.pt", "labels.npy", "--json")
    assert done.err.startswith("note: the logits look like probabilities")
    assert len(done.json["notes"]) == 1
    assert segcli("loss", "p.pt", "labels.npy", "-q").err == ""


def test_bare_it_prints_help_with_examples(segcli: Run) -> None:
    done = segcli("loss")
    assert done.code == 0
    assert "segcli loss logits.pt labels.pt" in done.out


@pytest.mark.parametrize(
    ("argv", "code", "error"),
    [
        (["logits.pt"], 2, "error: LABELS is missing, expected a file beside logits.pt"),
        (["logit.pt", "labels.npy"], 2, "error: logit.pt does not exist\nhint: did you mean logits.pt?"),
        (["labels.npy", "logits.pt"], 2, "error: labels.npy holds uint8, expected floating logits"),
        (["logits.pt", "labels.npy", "--loss", "dise"], 2, "error: unknown loss 'dise'\nhint: did you mean dice?"),
        (["logits.pt", "labels.npy", "--loss", "ce,bce"], 2, "error: bce does not apply to logits.pt"),
        (["logits.pt", "labels.npy", "--thresh", "7"], 2, "error: thresh is 7, expected a probability from 0 to 1"),
        (["logits.pt", "labels.npy", "--thresh", "x"], 2, "error: invalid value for '--thresh'"),
        (["logits.pt", "labels.npy", "--n-min", "2.5"], 2, "error: --n-min '2.5' is neither a count nor a share"),
        (["logits.pt", "labels.npy", "--alpha", "a"], 2, "error: --alpha 'a' is neither a number nor one a class"),
        (["logits.pt", "labels.npy", "--mode", "multi"], 2, "error: invalid value for '--mode'"),
        (["logits.pt", "labels.npy", "--class-names", "a,b"], 2, "error: 2 class names were given, logits.pt has 3"),
        (["logits.pt", "labels.npy", "--device", "gpu"], 2, "error: unknown device 'gpu'"),
        (["logits.pt", "labels.npy", "--log-dir", "labels.npy"], 2, "error: cannot write TensorBoard events to labels"),
        (["logits.pt", "labels.npy", "-o", "none/x.json"], 2, "error: cannot write none/x.json: there is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_refused(segcli: Run, argv: list[str], code: int, error: str) -> None:
    done = segcli("loss", *argv)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(error)


def test_shapes_that_do_not_fit_are_told_with_the_files(segcli: Run) -> None:
    np.save("small.npy", np.zeros((2, 16, 8), dtype="uint8"))
    done = segcli("loss", "logits.pt", "small.npy")
    assert done.code == 2
    assert done.err == (
        "error: small.npy has shape (2, 16, 8), expected (2, 16, 16) to match logits.pt (2, 3, 16, 16)\n"
        "hint: resize the logits: torch.nn.functional.interpolate(logits, (16, 8), mode='bilinear')\n"
    )


def test_a_device_that_is_not_here_is_unavailable(segcli: Run) -> None:
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    done = segcli("loss", "logits.pt", "labels.npy", "--device", "cuda")
    assert done.code == 3
    assert done.err.startswith("error: device cuda is not available here")


def test_defaults_come_from_a_config_file(segcli: Run) -> None:
    Path("segcli.yaml").write_text("loss: {loss: ohem, thresh: 0.3, n-min: 1/8}\n", encoding="utf-8")
    document = segcli("loss", "logits.pt", "labels.npy", "--config", "segcli.yaml", "--json").json
    assert list(document["losses"]) == ["ohem"]
    assert (document["settings"]["thresh"], document["settings"]["n_min"]) == (0.3, "1/8")


def test_losses_complete() -> None:
    from segcli.loss.command import _complete_losses

    assert _complete_losses("ce,d") == ["ce,dice"]


def test_in_a_process_of_its_own_nothing_else_is_said(segcli_process: Run, tmp_path: Path) -> None:
    done = segcli_process("loss", "logits.pt", "labels.npy", "--json", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.json["schema"] == "segcli.loss/1"


@pytest.mark.cuda
def test_a_gpu_says_the_same(segcli: Run) -> None:
    here = segcli("loss", "logits.pt", "labels.npy", "--json").json["losses"]
    there = segcli("loss", "logits.pt", "labels.npy", "--json", "--device", "cuda").json["losses"]
    assert {name: loss["value"] for name, loss in there.items()} == pytest.approx(
        {name: loss["value"] for name, loss in here.items()}
    )


def test_one_of_the_two_may_be_standard_input(tmp_path: Path) -> None:
    logits, labels = torch.randn(3, 4, 5), torch.randint(0, 3, (4, 5))
    torch.save({"out": logits}, tmp_path / "logits.pt")
    torch.save(labels, tmp_path / "labels.pt")

    def run(*names: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
        argv = [sys.executable, "-m", "segcli", "loss", "--loss", "ce", "--json", "--", *names]
        return subprocess.run(argv, input=given, capture_output=True, check=False, cwd=tmp_path)

    saved = (tmp_path / "logits.pt").read_bytes()
    expected = run("logits.pt", "labels.pt", given=b"")
    for name in ("-", "-:out"):
        done = run(name, "labels.pt", given=saved)
        assert done.returncode == 0
        assert json.loads(done.stdout)["losses"] == json.loads(expected.stdout)["losses"]
    damaged = run("-", "labels.pt", given=saved[:100])
    assert (damaged.returncode, damaged.stdout) == (2, b"")
    assert damaged.stderr.startswith(b"error: standard input is damaged or incomplete: ")
    assert run("-", "labels.pt", given=b"").stderr.startswith(b"error: standard input is empty (0 bytes)")
    assert b"are both standard input, which is read once" in run("-", "-", given=saved).stderr
