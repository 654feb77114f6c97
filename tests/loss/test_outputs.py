"""What the command writes besides its tables: documents, CSV, lines of files, events, pictures."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

from tests.conftest import Run
from tests.loss.saving import LOSSES, Saved, mean, save_folders

CONFIG = Path(__file__).parents[2] / "docs" / "examples" / "config"
NAMES = ("a", "b", "c", "d/e", "f")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> list[Saved]:
    return save_folders(tmp_path)


def keys(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document's keys, of lists those of the first entry."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else ...


_LOSS = {"value": ..., "per_class": ..., "parameters": ..., "n_averaged": ...}
_CHOICE = ("n_valid", "n_hard", "n_min", "n_kept", "threshold", "loss_threshold", "branch", "n_kept_per_class")
_BIN = ("low", "high", "p_low", "p_high", "count", "share", "share_above", "kind")
DOCUMENT = {
    "schema": ...,
    "losses": {
        "ohem": _LOSS
        | {"parameters": dict.fromkeys(("thresh", "n_min", "semantics"), ...)}
        | dict.fromkeys(_CHOICE, ...)
        # How many files went which way.
        | {"n_files_by_branch": dict.fromkeys(("hard", "top-k", "all", "none"), ...)},
        "dice": _LOSS | {"parameters": dict.fromkeys(("squared", "smooth", "reduce", "absent"), ...)},
    },
    "total": ...,
    "metrics": dict.fromkeys(("pixel_accuracy", "mean_iou", "iou_per_class", "accuracy_per_class", "confusion"), ...),
    "per_image": [{"name": ..., "n_valid": ..., "losses": {"ohem": ..., "dice": ...}, "accuracy": ..., "heatmap": ...}],
    "sweep": [{"loss": ..., "point": {"thresh": ...}, "value": ..., "kept": ..., "branch": ...}],
    "projects": [
        dict.fromkeys(("project", "loss", "call", "value", "ours", "reasons", "error", "remark"), ...),
    ],
    "gradient": {"ohem": ..., "dice": ...},
    "histogram": {"bins": [dict.fromkeys(_BIN, ...)], "n_valid": ..., "threshold": ..., "n_hard": ...},
    "inputs": {
        "logits": {"file": ..., "shape": ..., "dtype": ...},
        "labels": {"file": ..., "shape": ..., "dtype": ...},
        **dict.fromkeys(("mode", "device", "n_files", "n_images", "n_labels", "n_valid", "n_ignored", "n_bytes"), ...),
        "classes": [{"index": ..., "name": ..., "n_pixels": ...}],
    },
    "settings": dict.fromkeys(
        (
            *("losses", "factors", "from_logits", "thresh", "n_min", "semantics", "gamma", "alpha", "mean", "smooth"),
            *("squared", "reduce", "absent", "tversky_alpha", "tversky_beta", "tversky_gamma", "weighting"),
            *("lovasz_classes", "class_weights", "ignore_index", "over", "metrics", "gradient", "layout", "resize"),
        ),
        ...,
    ),
    "backend": ...,
    "errors": [{"name": ..., "message": ...}],
    "notes": ...,
}
FULL = ["--loss", "ohem,dice", "--metrics", "--grad", "--sweep", "thresh=0.5,0.9", "--as", "smp,notes"]
FULL += ["--on-error", "skip", "--heatmap", "hard"]


def test_the_document_has_everything(segcli: Run, saved: list[Saved]) -> None:
    Path("out/c.npy").write_bytes(b"nothing")
    good = [pair for pair in saved if pair.name != "c"]
    done = segcli("loss", "out", "truth", *FULL, "--class-names", "sky,road,car,bus", "--json")
    assert (done.code, done.err) == (1, "note: the hard pixels are drawn in hard\n")
    document = done.json
    assert keys(document) == DOCUMENT
    assert document["schema"] == "segcli.loss/1"
    assert document["losses"]["dice"]["value"] == pytest.approx(mean(good, "dice"))
    assert document["gradient"]["ohem"] == [pytest.approx(norm, rel=1e-6) for norm in gradients(good, "ohem")]
    assert [entry["name"] for entry in document["inputs"]["classes"]] == ["sky", "road", "car", "bus"]
    assert document["histogram"]["n_hard"] == document["losses"]["ohem"]["n_hard"]
    hard = sum(bin_["count"] for bin_ in document["histogram"]["bins"] if bin_["kind"] == "hard")
    assert hard == document["losses"]["ohem"]["n_hard"]
    assert document["settings"]["losses"] == ["ohem", "dice"]
    assert (document["settings"]["over"], document["settings"]["layout"]) == ("file", "NCHW")


def gradients(saved: list[Saved], loss: str) -> list[float]:
    """Return the mean over pairs of the norm of the gradient by class, from autograd."""
    norms = []
    for pair in saved:
        logits = pair.logits.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(LOSSES[loss](logits[None], pair.labels[None]), logits)
        norms.append([gradient[:, pair.labels == c].norm().item() for c in range(4)])
    return [sum(column) / len(norms) for column in zip(*norms, strict=True)]


def test_csv_is_the_losses_or_the_sweep(segcli: Run, saved: list[Saved]) -> None:
    def rows(*argv: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(segcli("loss", "out", "truth", *argv, "--csv").out)))

    losses = rows("--loss", "ce + 0.5*dice", "--metrics")
    assert [row["loss"] for row in losses] == ["ce", "dice", "total", "pixel accuracy", "mean IoU"]
    assert float(losses[0]["value"]) == pytest.approx(mean(saved, "ce"))
    assert rows("--loss", "none") == []
    sweep = rows("--loss", "ohem,dice", "--sweep", "thresh=0.5,0.9", "--sweep", "smooth=0,1")
    assert [(row["loss"], row["thresh"], row["smooth"]) for row in sweep] == [
        ("ohem", "0.5", ""),
        ("ohem", "0.9", ""),
        ("dice", "", "0.0"),
        ("dice", "", "1.0"),
    ]
    assert float(sweep[1]["value"]) == pytest.approx(mean(saved, "ohem", thresh=0.9))
    assert 0 < float(sweep[1]["kept"]) <= 1


def test_a_result_goes_to_a_file_in_the_format_of_its_name(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    for name in ("result.json", "result.csv", "result.txt"):
        done = segcli("loss", "out", "truth", "--loss", "ce", "-o", name)
        assert (done.code, done.out, done.err) == (0, "", "")
    assert json.loads(Path("result.json").read_text())["schema"] == "segcli.loss/1"
    assert Path("result.csv").read_text().startswith("loss,value,")
    assert Path("result.txt").read_text().startswith("out (4, 8, 10) float32 against truth (8, 10) uint8: multiclass")


def test_a_destination_in_the_way_is_told_before_anything_is_read(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    Path("result.json").write_text("mine")
    Path("out/a.npy").write_bytes(b"nothing")
    done = segcli("loss", "out", "truth", "-o", "result.json")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: result.json exists already")
    assert Path("result.json").read_text() == "mine"
    done = segcli("loss", "out", "truth", "-o", "result.json", "--force", "--on-error", "skip")
    assert done.code == 1
    assert json.loads(Path("result.json").read_text())["errors"][0]["name"] == "a"


def read(folder: Path | str) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def test_tensorboard_shows_files_classes_metrics_and_pictures(segcli: Run, saved: list[Saved]) -> None:
    Path("out/c.npy").write_bytes(b"nothing")
    argv = ["--loss", "ce + 0.5*ohem", "--metrics", "--grad", "--class-names", "sky,road,car,bus", "--top", "2"]
    done = segcli("loss", "out", "truth", *argv, "--heatmap", "hard", "--log-dir", "runs/val", "--on-error", "skip")
    assert done.code == 1
    assert done.err.splitlines() == [
        "note: the hard pixels are drawn in hard",
        "note: scalars are in runs/val: tensorboard --logdir runs/val",
    ]
    events = read("runs/val")
    shown = [(event.step, event.value) for event in events.Scalars("file/ce")]
    # A step is the file's place among all; the third is none.
    assert shown == [(i, pytest.approx(pair.loss("ce"))) for i, pair in enumerate(saved) if pair.name != "c"]
    good = [pair for pair in saved if pair.name != "c"]
    total = mean(good, "ce") + 0.5 * mean(good, "ohem")
    assert events.Scalars("loss/total")[0].value == pytest.approx(total)
    scalars = set(events.Tags()["scalars"])
    assert {"loss/ce", "ohem/n_kept", "metrics/mean_iou", "metrics/pixel_accuracy"} <= scalars
    assert {"ce_by_class/sky", "iou_by_class/bus", "gradient_total_by_class/car"} <= scalars
    histogram = events.Histograms("pixels/ohem")[0].histogram_value
    assert histogram.num == sum(int((pair.labels != 255).sum()) for pair in good)
    worst = sorted(good, key=lambda pair: -pair.loss("ce"))[:2]
    assert set(events.Tags()["images"]) == {f"hard/{pair.name}" for pair in worst}
    (image,) = events.Images(f"hard/{worst[0].name}")
    assert image.step == [pair.name for pair in saved].index(worst[0].name)
    assert image.encoded_image_string == Path(f"hard/{worst[0].name}.png").read_bytes()
    assert "errors/c/text_summary" in events.Tags()["tensors"]


def test_tensorboard_has_a_run_for_each_point_of_a_sweep(segcli: Run, saved: list[Saved]) -> None:
    argv = ["--loss", "ohem,dice", "--sweep", "thresh=0.5,0.9", "--log-dir", "runs"]
    assert segcli("loss", "out", "truth", *argv).code == 0
    folders = sorted(path for path in Path("runs/sweep").iterdir() if path.is_dir())
    assert [folder.name for folder in folders] == ["000,thresh=0.5", "001,thresh=0.9"]
    for folder, thresh in zip(folders, (0.5, 0.9), strict=True):
        events = read(folder)
        assert events.Scalars("loss/ohem")[0].value == pytest.approx(mean(saved, "ohem", thresh=thresh))
        content = events.summary_metadata[SESSION_START_INFO_TAG].plugin_data.content
        assert parse_session_start_info_plugin_data(content).hparams["thresh"].number_value == thresh


def test_tensorboard_takes_half_types_and_files_of_several_images(segcli: Run) -> None:
    torch.save(torch.randn(3, 4, 8, 10).bfloat16(), "logits.pt")
    torch.save(torch.randint(0, 4, (3, 8, 10)), "labels.pt")
    argv = ["--heatmap", "hard", "--log-dir", "runs", "--loss", "ohem"]
    assert segcli("loss", "logits.pt", "labels.pt", *argv).code == 0
    events = read("runs")
    assert set(events.Tags()["images"]) == {f"hard/logits_{i}_" for i in range(3)}
    # Of a file of several images, a step an image; the file itself is one.
    logits, labels = torch.load("logits.pt").float(), torch.load("labels.pt")
    shown = [(event.step, event.value) for event in events.Scalars("image/ohem")]
    expected = [LOSSES["ohem"](logits[i : i + 1], labels[i : i + 1]).item() for i in range(3)]
    assert shown == [(i, pytest.approx(value)) for i, value in enumerate(expected)]
    assert [event.step for event in events.Scalars("file/ohem")] == [0]
    torch.save(torch.full((3, 8, 10), 255), "none.pt")
    assert segcli("loss", "logits.pt", "none.pt", "--log-dir", "nothing").code == 0
    assert read("nothing").Tags()["histograms"] == []
    torch.save(torch.randn(4, 8, 10), "one.pt")
    torch.save(torch.randint(0, 4, (8, 10)), "label.pt")
    assert segcli("loss", "one.pt", "label.pt", *argv[:2], "--log-dir", "single", "--loss", "ohem").code == 0
    assert read("single").Tags()["images"] == ["hard/one"]


def test_heatmaps_are_drawn_over_the_pictures(segcli: Run, saved: list[Saved]) -> None:
    for pair in saved[:3]:
        picture = Path("images", f"{pair.name}.png")
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 10, 3), 200, dtype="uint8")).save(picture)
    done = segcli("loss", "out", "truth", "--heatmap", "hard", "--images", "images", "--top", "1", "--json")
    assert done.code == 0
    assert done.err.splitlines()[0] == "note: 2 of 5 pairs have no picture: d/e, f"
    for pair in saved:
        assert Path("hard", f"{pair.name}.png").read_bytes().startswith(b"\x89PNG")
    assert done.json["per_image"][0]["heatmap"] == f"hard/{done.json['per_image'][0]['name']}.png"
    again = segcli("loss", "out", "truth", "--heatmap", "hard")
    assert (again.code, again.err.splitlines()[0]) == (2, "error: a: hard/a.png exists already")
    assert segcli("loss", "out", "truth", "--heatmap", "hard", "--force").code == 0


def test_a_sweep_is_drawn(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    argv = ["--loss", "ohem", "--sweep", "thresh=0.5:0.9:0.1", "--sweep", "n_min=1/4,1/16"]
    done = segcli("loss", "out", "truth", *argv, "--plot", "sweep.svg")
    assert (done.code, done.err) == (0, "note: the sweep is drawn in sweep.svg\n")
    assert "<svg" in Path("sweep.svg").read_text()
    assert segcli("loss", "out", "truth", *argv, "--plot", "sweep.svg").err.startswith("error: sweep.svg exists")
    single = segcli("loss", "out/a.npy", "truth/a.png", *argv, "--plot", "sweep.png")
    assert (single.code, Path("sweep.png").read_bytes()[:4]) == (0, b"\x89PNG")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), {"ce": 5, "ohem": 5, "dice": 5, "lovasz-softmax": 5}),
        (("--over", "all"), {"ce": None, "ohem": None, "dice": 5, "lovasz-softmax": 5}),
        (("--over", "all", "--reduce", "batch", "--loss", "ce,ohem,dice"), {"ce": None, "ohem": None, "dice": 1}),
    ],
    ids=["files", "all, by image", "all, as one batch"],
)
def test_how_many_values_a_loss_is_the_mean_of(
    segcli: Run, saved: list[Saved], argv: tuple[str, ...], expected: dict[str, int | None]
) -> None:
    # In one of six nothing is valid: it has no part in any mean.
    logits, labels = saved[0].logits, saved[0].labels
    np.save("out/none.npy", logits.numpy())
    Image.fromarray(np.full(labels.shape, 255, dtype="uint8")).save("truth/none.png")
    found = segcli("loss", "out", "truth", "--loss", "ce,ohem,dice,lovasz", *argv, "--json").json["losses"]
    assert {name: loss["n_averaged"] for name, loss in found.items()} == expected


@pytest.mark.parametrize("columns", [70, 80])
def test_tables_by_class_and_image_fit_the_terminal(
    segcli: Run, saved: list[Saved], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    assert saved
    monkeypatch.setenv("COLUMNS", str(columns))
    losses = "ce,ohem,dice,focal,tversky,focal-tversky,jaccard"
    done = segcli("loss", "out", "truth", "--loss", losses, "--metrics", "--grad")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= columns
    heads = [line.split() for line in lines if line.startswith(("class ", "image "))]
    assert len(heads) == 3
    assert all("ce" in head and "jaccard" not in head for head in heads)
    notes = [line for line in lines if line.startswith("left out at this width: ")]
    assert len(notes) == 3
    assert notes[0].startswith("left out at this width: of valid, kept, jaccard, focal-tversky")


def lines_of(file: str) -> list[dict[str, Any]]:
    header, *lines = map(json.loads, Path(file).read_text().splitlines())
    assert header["schema"] == "segcli.loss.files/1"
    return lines


def test_each_file_has_a_line(segcli: Run, saved: list[Saved]) -> None:
    Path("out/c.npy").write_bytes(b"nothing")
    argv = ["--loss", "ce,ohem", "--metrics", "--grad", "--sweep", "thresh=0.5,0.9", "--as", "notes"]
    done = segcli("loss", "out", "truth", *argv, "--per-file", "lines.jsonl", "--on-error", "skip")
    assert done.code == 1
    lines = lines_of("lines.jsonl")
    assert [line["name"] for line in lines] == list(NAMES)
    assert lines[2]["error"].startswith("out/c.npy is no tensor file")
    for line, pair in zip(lines, saved, strict=True):
        if pair.name != "c":
            assert line["losses"]["ce"]["value"] == pytest.approx(pair.loss("ce"))
            assert line["losses"]["ohem"]["n_kept"] > 0
            assert {"accuracy", "gradient", "sweep", "projects", "n_valid", "logits", "labels"} <= set(line)
            assert line["sweep"][1] == {
                "loss": "ohem",
                "thresh": 0.9,
                "value": pytest.approx(pair.loss("ohem", thresh=0.9)),
            }


def test_a_finished_run_is_taken_up_whole(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    argv = ["loss", "out", "truth", "--over", "all", "--per-file", "lines.jsonl", "--metrics", "--json"]
    first = segcli(*argv)
    assert first.code == 0
    assert segcli(*argv).err.startswith("error: lines.jsonl exists already")
    again = segcli(*argv, "--resume")
    assert again.json == first.json
    other = segcli(*argv, "--resume", "--thresh", "0.5", "--loss", "ohem")
    assert other.code == 2
    assert "thresh was 0.7, is 0.5" in other.err
    assert segcli(*argv, "--force", "--thresh", "0.5").code == 0


def test_the_example_configuration_composes_with_the_command(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    names = "-O data.class_names=[sky,road,car,bus]"
    argv = ["out", "truth", "--config-dir", CONFIG, *names.split(), "--json"]
    document = segcli("loss", *argv, "-O", "thresh=0.6,0.7").json
    assert list(document["losses"]) == ["ce", "ohem", "dice", "focal"]
    assert [point["point"] for point in document["sweep"]] == [{"thresh": 0.6}, {"thresh": 0.7}]
    assert [point["value"] for point in document["sweep"]] == [
        pytest.approx(mean(saved, "ohem", thresh=thresh)) for thresh in (0.6, 0.7)
    ]
    for name, parameters in (("ohem", {"thresh": 0.6}), ("focal", {"alpha": 0.25}), ("dice", {})):
        override = ["-O", "loss.thresh=0.6"] if name == "ohem" else []
        losses = segcli("loss", *argv, "-O", f"loss={name}", *override).json["losses"]
        assert {key: loss["value"] for key, loss in losses.items()} == {
            name: pytest.approx(mean(saved, name, **parameters))
        }


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("loss.thresh=high", "invalid value for 'loss.thresh' in -O loss.thresh=high: 'high' is not a valid float"),
        ("loss.tresh=0.6", "-O loss.tresh=0.6 names an unknown key 'loss.tresh'"),
        ("loss=nothing", "loss=nothing: there is no "),
    ],
)
def test_a_configuration_is_typed(segcli: Run, saved: list[Saved], override: str, words: str) -> None:
    assert saved
    done = segcli("loss", "out", "truth", "--config-dir", CONFIG, "-O", override)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {words}")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_table_is_cut_short(segcli: Run, saved: list[Saved], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert saved
    monkeypatch.setenv("COLUMNS", str(width))
    done = segcli(
        "loss", "out", "truth", "--metrics", "--grad", "--sweep", "thresh=0.5,0.9", "--loss", "ce,ohem,dice,focal"
    )
    assert done.code == 0
    iou = segcli("loss", "out", "truth", "--metrics", "--json").json["metrics"]["iou_per_class"]
    row = next(line for line in done.out.partition("by class\n")[2].splitlines() if line.startswith("0 "))
    assert float(row.split()[-1]) == pytest.approx(iou[0], rel=1e-5)
    assert "IoU\n" in done.out
    assert "kept %" in done.out
