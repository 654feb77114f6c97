import csv
import io
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from syrupy.assertion import SnapshotAssertion
from torch.nn.functional import interpolate

from segcli.loss.measuring import reader
from segcli.nn import CombinedLoss, cross_entropy_loss, dice_loss, focal_loss, ohem_cross_entropy_loss
from tests.conftest import Run
from tests.loss.saving import LOSSES

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
    assert list(document) == [
        "schema",
        "losses",
        "total",
        "metrics",
        "per_image",
        "sweep",
        "projects",
        "gradient",
        "histogram",
        "inputs",
        "settings",
        "backend",
        "errors",
        "notes",
    ]
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


OF_REGIONS = {"smooth": 0.5, "reduce": "batch", "absent": "count", "weight": [1.0, 2.0, 0.5]}
REGION_ARGV = "--smooth 0.5 --reduce batch --absent count --class-weights 1,2,0.5"


@pytest.mark.parametrize(
    ("loss", "argv", "parameters"),
    [
        ("ce", "", {}),
        ("ce", "--class-weights 1,2,0.5 --mean valid", {"weight": [1, 2, 0.5], "mean": "valid"}),
        ("ce", "--mean all", {"mean": "all"}),
        ("ce", "--ignore-index 0", {"ignore_index": 0}),
        ("ohem", "--thresh 0.3 --n-min 200", {"thresh": 0.3, "n_min": 200}),
        ("ohem", "--thresh 0.9 --n-min 1/8 --class-weights 1,2,0.5", {"thresh": 0.9, "weight": [1, 2, 0.5]}),
        ("ohem", "--semantics hrnet --thresh 0.5 --n-min 100", {"thresh": 0.5, "n_min": 100, "semantics": "hrnet"}),
        ("ohem", "--semantics paddle --n-min 40", {"n_min": 40, "semantics": "paddle"}),
        ("focal", "--gamma 1 --alpha 1,2,3", {"gamma": 1, "alpha": [1, 2, 3]}),
        ("focal", "--gamma 0.5 --alpha 0.25 --mean all", {"gamma": 0.5, "alpha": 0.25, "mean": "all"}),
        ("dice", f"--squared {REGION_ARGV}", {"squared": True} | OF_REGIONS),
        ("dice", "--absent zero --smooth 0", {"absent": "zero", "smooth": 0}),
        ("jaccard", f"--squared {REGION_ARGV}", {"squared": True} | OF_REGIONS),
        ("tversky", f"--tversky-alpha 0.2 --tversky-beta 0.6 {REGION_ARGV}", {"alpha": 0.2, "beta": 0.6} | OF_REGIONS),
        ("focal-tversky", f"--tversky-gamma 2 {REGION_ARGV}", {"gamma": 2} | OF_REGIONS),
        ("generalized-dice", "", {}),
        ("generalized-dice", f"--weighting simple {REGION_ARGV}", {"weighting": "simple"} | OF_REGIONS),
        ("lovasz-softmax", "", {}),
        ("lovasz-softmax", "--lovasz-classes all --reduce batch", {"classes": "all", "reduce": "batch"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_option_reaches_its_loss(segcli: Run, loss: str, argv: str, parameters: dict[str, Any]) -> None:
    labels = torch.where(LABELS == 255, 0, LABELS) if "ignore_index" in parameters else LABELS
    torch.save(labels, "labels.pt")
    name = loss.removesuffix("-softmax")
    document = segcli("loss", "logits.pt", "labels.pt", "--loss", name, *argv.split(), "--json").json
    expected = LOSSES[loss](LOGITS, labels, **parameters).item()
    assert list(document["losses"]) == [loss]
    assert document["losses"][loss]["value"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "argv", "parameters"),
    [
        ("bce", "--class-weights 1,3", {"weight": [1, 3]}),
        ("ohem", "--thresh 0.6 --n-min 9", {"thresh": 0.6, "n_min": 9}),
        ("focal", "--alpha 0.25 --gamma 3", {"alpha": 0.25, "gamma": 3}),
        ("dice", "--smooth 0.1", {"smooth": 0.1}),
        ("tversky", "", {}),
        ("lovasz-hinge", "--reduce batch", {"reduce": "batch"}),
    ],
)
@pytest.mark.parametrize("mode", ["binary", "multilabel"])
def test_sigmoids_have_the_same_options(
    segcli: Run, mode: str, loss: str, argv: str, parameters: dict[str, Any]
) -> None:
    masks = torch.nn.functional.one_hot(LABELS % 255, 3).permute(0, 3, 1, 2).clone()
    masks[:, :, 0] = 255
    logits, labels = (LOGITS, masks) if mode == "multilabel" else (LOGITS[:, 1], masks[:, 1])
    if mode == "multilabel" and "weight" in parameters:
        argv, parameters = "--class-weights 1,3,2", {"weight": [1, 3, 2]}
    torch.save(logits.clone(), "some.pt")
    torch.save(labels.clone(), "masks.pt")
    argv_ = ["some.pt", "masks.pt", "--mode", mode, "--loss", loss, *argv.split(), "--metrics", "--grad", "--json"]
    document = segcli("loss", *argv_).json
    # Of binary labels 0 and 1 have weights, as of cross-entropy's two classes.
    oracle = LOSSES["ce" if mode == "binary" and loss == "bce" else loss]
    expected = oracle(logits, labels, mode=mode, **parameters).item()
    assert document["losses"][loss]["value"] == pytest.approx(expected, rel=1e-6)
    valid = labels != 255
    right = ((logits > 0) == (labels == 1))[valid]
    assert document["metrics"]["pixel_accuracy"] == pytest.approx(right.double().mean().item())


def test_multilabel_is_drawn_by_the_hardest_label_of_a_pixel(segcli: Run) -> None:
    torch.save((LOGITS > 0).int(), "masks.pt")
    done = segcli("loss", "logits.pt", "masks.pt", "--mode", "multilabel", "--heatmap", "hard", "--grad")
    assert (done.code, done.err) == (0, "note: the hard pixels are drawn in hard\n")
    assert "the norm over the class's own logits" in done.out
    assert len(list(Path("hard").glob("*.png"))) == 2


def test_a_file_that_memory_should_not_hold_at_once_says_the_same(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    near = torch.zeros(1, 3, 16, 16)
    near[:, 0] = 3e-5 * torch.rand(16, 16, generator=torch.Generator().manual_seed(1))
    torch.save(near, "near.pt")
    torch.save(LABELS[:1].clone(), "truth.pt")
    argv = ["near.pt", "truth.pt", "--loss", "ohem,ce,dice,lovasz", "--thresh", "0.01", "--n-min", "20", "--json"]
    whole = segcli("loss", *argv).json["losses"]
    monkeypatch.setattr(reader, "BLOCK_BYTES", 600)
    monkeypatch.setattr(reader, "PIXEL_BYTES", 100)
    parts = segcli("loss", *argv).json["losses"]
    assert {name: loss["value"] for name, loss in parts.items()} == {
        name: pytest.approx(loss["value"], rel=1e-7) for name, loss in whole.items()
    }
    assert parts["ohem"]["n_kept"] == 20
    done = segcli("loss", *argv, "--heatmap", "hard")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: near.pt has 256 labels, too many for a --heatmap")


def test_one_mask_is_a_batch_of_one(segcli: Run) -> None:
    torch.save(LOGITS[:1, 0].clone(), "mask.pt")
    torch.save((LABELS[:1] == 0).long(), "foreground.pt")
    document = segcli("loss", "mask.pt", "foreground.pt", "--loss", "bce", "--json").json
    expected = LOSSES["bce"](LOGITS[:1, 0], (LABELS[:1] == 0).long(), mode="binary").item()
    assert document["losses"]["bce"]["value"] == pytest.approx(expected)


def test_losses_of_one_pass_are_those_of_passes_of_their_own(segcli: Run) -> None:
    names = ["ce", "ohem", "dice", "focal", "jaccard", "tversky", "lovasz-softmax", "generalized-dice"]
    whole = segcli("loss", "logits.pt", "labels.npy", "--loss", ",".join(names), "--squared", "--json").json["losses"]
    for name in names:
        alone = segcli("loss", "logits.pt", "labels.npy", "--loss", name, "--squared", "--json").json["losses"]
        assert alone == {name: whole[name]}


def test_a_sum_is_the_librarys(segcli: Run) -> None:
    document = segcli("loss", "logits.pt", "labels.npy", "--loss", "ce + 0.5*dice", "--grad", "--json").json
    assert document["total"] == pytest.approx(CombinedLoss("ce + 0.5*dice")(LOGITS, LABELS).item())
    assert document["settings"]["factors"] == [1.0, 0.5]
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(CombinedLoss("ce + 0.5*dice")(logits, LABELS), logits)
    expected = [gradient.permute(0, 2, 3, 1)[c == LABELS].norm().item() for c in range(3)]
    assert document["gradient"]["total"] == pytest.approx(expected, rel=1e-5)


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtypes_are_evaluated_as_saved(segcli: Run, dtype: torch.dtype) -> None:
    logits = (LOGITS * 1.1).to(dtype)
    torch.save(logits, "typed.pt")
    names = ["ce", "ohem", "dice", "lovasz-softmax"]
    document = segcli("loss", "typed.pt", "labels.npy", "--loss", ",".join(names), "--json").json
    assert document["inputs"]["logits"]["dtype"] == str(dtype).removeprefix("torch.")
    for name in names:
        expected = LOSSES[name](logits, LABELS).item()
        # The library gives a loss in the logits' own dtype; here it is a number.
        tolerance = {torch.float16: 2e-3, torch.bfloat16: 1e-2}.get(dtype, 1e-6)
        assert document["losses"][name]["value"] == pytest.approx(expected, rel=tolerance)
        assert document["losses"][name]["value"] == pytest.approx(
            LOSSES[name](logits.double(), LABELS).item(), rel=2e-4
        )


def test_volumes_channels_last_and_probabilities(segcli: Run) -> None:
    generator = torch.Generator().manual_seed(3)
    volume = torch.randn(2, 3, 4, 6, 5, generator=generator)
    labels = torch.randint(0, 3, (2, 4, 6, 5), generator=generator)
    torch.save(volume, "volume.pt")
    torch.save(volume.movedim(1, -1).contiguous(), "last.pt")
    torch.save(volume.softmax(1), "p.pt")
    torch.save(labels, "truth.pt")
    names = ["ce", "ohem", "dice", "lovasz-softmax"]
    shared = ["--loss", ",".join(names), "--heatmap", "hard", "--force", "--json"]
    for file, *argv in (["volume.pt"], ["last.pt", "--layout", "NHWC"], ["p.pt", "--probabilities"]):
        document = segcli("loss", file, "truth.pt", *argv, *shared).json
        for name in names:
            expected = LOSSES[name](volume, labels).item()
            assert document["losses"][name]["value"] == pytest.approx(expected, rel=1e-4), (file, name)
        assert document["inputs"]["n_images"] == 2
        assert len(document["per_image"]) == 2
        assert Path(document["per_image"][0]["heatmap"]).read_bytes().startswith(b"\x89PNG")
        assert document["settings"]["from_logits"] is (file != "p.pt")


@pytest.mark.parametrize(
    ("spoilt", "argv", "error"),
    [
        ("last", ["--layout", "NHWC"], "logits.pt with channels first holds nan at (1, 2, 3, 4)"),
        ("logits", [], "logits.pt holds nan at (1, 2, 3, 4)"),
        ("small", ["--resize", "labels"], "labels.npy, resized, holds 9 at (0, 4, 5)"),
        ("labels", [], "labels.npy holds 9 at (0, 9, 11)"),
    ],
)
def test_places_are_those_of_the_file(segcli: Run, spoilt: str, argv: list[str], error: str) -> None:
    logits, labels = LOGITS.clone(), LABELS.clone()
    if spoilt in ("last", "logits"):
        logits[1, 2, 3, 4] = torch.nan
    else:
        labels[0, 9, 11] = 9
    if spoilt == "last":
        logits = logits.permute(0, 2, 3, 1).contiguous()
    torch.save(logits[:, :, ::2, ::2].clone() if spoilt == "small" else logits, "logits.pt")
    np.save("labels.npy", labels.numpy())
    done = segcli("loss", "logits.pt", "labels.npy", *argv)
    assert done.code == 2
    assert done.err.startswith(f"error: {error}")


def test_of_two_sizes_one_is_resized_out_loud(segcli: Run) -> None:
    torch.save(LOGITS[:, :, ::2, ::2].clone(), "small.pt")
    large = interpolate(LOGITS[:, :, ::2, ::2], (16, 16), mode="bilinear")
    document = segcli("loss", "small.pt", "labels.npy", "--resize", "logits", "--loss", "ce,ohem,dice", "--json").json
    assert document["settings"]["resize"] == "logits"
    for name in ("ce", "ohem", "dice"):
        assert document["losses"][name]["value"] == pytest.approx(LOSSES[name](large, LABELS).item(), rel=1e-5)
    fewer = interpolate(LABELS[:, None].double(), (8, 8), mode="nearest-exact")[:, 0].long()
    document = segcli("loss", "small.pt", "labels.npy", "--resize", "labels", "--loss", "ce,lovasz", "--json").json
    expected = LOSSES["ce"](LOGITS[:, :, ::2, ::2], fewer).item()
    assert document["losses"]["ce"]["value"] == pytest.approx(expected, rel=1e-6)


def test_over_all_of_one_file_takes_its_images_as_one(segcli: Run) -> None:
    argv = ["--over", "all", "--loss", "ce,ohem,focal,dice,lovasz,tversky", "--n-min", "1/3", "--thresh", "0.1"]
    document = segcli("loss", "logits.pt", "labels.npy", *argv, "--reduce", "image", "--json").json
    parameters: dict[str, dict[str, Any]] = {"ohem": {"n_min": Fraction(1, 3), "thresh": 0.1}}
    for name in ("ce", "ohem", "focal", "dice", "lovasz-softmax", "tversky"):
        expected = LOSSES[name](LOGITS, LABELS, **parameters.get(name, {})).item()
        assert document["losses"][name]["value"] == pytest.approx(expected, rel=1e-6), name
    assert document["losses"]["ohem"]["branch"] == "top-k"
    single = segcli("loss", "logits.pt", "labels.npy", "--over", "all", "--loss", "none", "--json").json
    assert (single["losses"], single["inputs"]["n_valid"]) == ({}, 480)


def test_nothing_valid_is_zero_and_said(segcli: Run) -> None:
    torch.save(torch.full_like(LABELS, 255), "none.pt")
    for over in ("file", "all"):
        done = segcli("loss", "logits.pt", "none.pt", "--over", over, "--metrics", "--json")
        assert done.err == "note: no pixel is valid, so every loss is 0 by definition\n"
        assert {loss["value"] for loss in done.json["losses"].values()} == {0}
        assert done.json["metrics"]["mean_iou"] is None
    assert segcli("loss", "logits.pt", "none.pt", "--metrics", "--grad").code == 0


def test_losses_beyond_all_numbers_are_null(segcli: Run) -> None:
    truth = torch.nn.functional.one_hot(LABELS % 255, 3).permute(0, 3, 1, 2)
    torch.save(torch.where(truth == 1, -3e38, 3e38), "huge.pt")
    document = segcli("loss", "huge.pt", "labels.npy", "--loss", "ce,dice", "--json").json
    assert document["losses"]["ce"]["value"] is None
    assert document["losses"]["dice"]["value"] > 0
    assert [image["losses"]["ce"] for image in document["per_image"]] == [None, None]
    assert segcli("loss", "huge.pt", "labels.npy", "--loss", "ce,dice").code == 0


def test_reading_alone_touches_all_and_counts_labels(segcli: Run) -> None:
    done = segcli("loss", "logits.pt", "labels.npy", "--loss", "none")
    assert "32 of 512 pixels are ignored" in done.out
    document = segcli("loss", "logits.pt", "labels.npy", "--loss", "none", "--metrics", "--json").json
    assert document["metrics"]["pixel_accuracy"] == pytest.approx(
        (LOGITS.argmax(1) == LABELS)[LABELS != 255].double().mean().item()
    )
    torch.save((LOGITS > 0).int(), "masks.pt")
    counts = segcli("loss", "logits.pt", "masks.pt", "--mode", "multilabel", "--loss", "none", "--json").json
    assert [entry["n_pixels"] for entry in counts["inputs"]["classes"]] == (LOGITS > 0).sum((0, 2, 3)).tolist()


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
    assert "squared yes, smooth 1, reduce batch, absent skip" in out
    assert "gamma 2, alpha 1,2,3" in out


def test_multilabel_counts_labels(segcli: Run) -> None:
    torch.save((LOGITS > 0).int(), "masks.pt")
    out = segcli("loss", "logits.pt", "masks.pt", "--mode", "multilabel").out
    assert "1,536 valid labels" in out


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
        (["logits.pt"], 2, "error: LABELS is missing, expected a file or folder beside logits.pt"),
        (["logit.pt", "labels.npy"], 2, "error: logit.pt does not exist\nhint: did you mean logits.pt?"),
        (["labels.npy", "logits.pt"], 2, "error: labels.npy holds uint8, expected floating logits"),
        (["logits.pt", "labels.npy", "--loss", "dise"], 2, "error: unknown loss 'dise'\nhint: did you mean dice?"),
        (["logits.pt", "labels.npy", "--loss", "ce,bce"], 2, "error: bce does not apply to logits.pt"),
        (["logits.pt", "labels.npy", "--thresh", "7"], 2, "error: thresh is 7, expected a probability from 0 to 1"),
        (["logits.pt", "labels.npy", "--thresh", "x"], 2, "error: invalid value for '--thresh'"),
        (["logits.pt", "labels.npy", "--n-min", "2.5"], 2, "error: --n-min '2.5' is neither a count nor a share"),
        (["logits.pt", "labels.npy", "--alpha", "a"], 2, "error: --alpha 'a' is not a number or one a class"),
        (["logits.pt", "labels.npy", "--mode", "multi"], 2, "error: invalid value for '--mode'"),
        (["logits.pt", "labels.npy", "--class-names", "a,b"], 2, "error: 2 class names were given, logits.pt has 3"),
        (["logits.pt", "labels.npy", "--device", "gpu"], 2, "error: unknown device 'gpu'"),
        (["logits.pt", "labels.npy", "--log-dir", "labels.npy"], 2, "error: cannot write TensorBoard events to labels"),
        (["-", "-"], 2, "error: LOGITS and LABELS are both standard input, which is read once"),
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
        "hint: say which is resized: --resize logits, to the labels' size (bilinear), or --resize labels (nearest)\n"
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
