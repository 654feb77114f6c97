"""Folders and manifests, through the command."""

import csv
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from segcli.errors import SegcliError
from segcli.loss import LossSettings
from segcli.loss.running import Again, evaluate_files
from segcli.loss.sources.sample import Sample
from segcli.loss.spreading.measured import Measured
from tests.conftest import Run
from tests.loss.saving import LOSSES, N_CLASSES, Saved, mean, save_folders, save_near, tensors, together

SIZES = ((8, 10), (6, 4), (9, 9))
MANY = ("ce", "ohem", "focal", "dice", "jaccard", "tversky", "focal-tversky", "generalized-dice", "lovasz-softmax")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> list[Saved]:
    return save_folders(tmp_path)


def values(document: Any) -> dict[str, float]:  # noqa: ANN401 - a document
    return {name: loss["value"] for name, loss in document["losses"].items()}


def test_each_file_by_itself_is_the_mean_of_the_librarys(segcli: Run, saved: list[Saved]) -> None:
    done = segcli("loss", "out", "truth", "--loss", ",".join(MANY), "--json")
    assert (done.code, done.err) == (0, "")
    assert values(done.json) == pytest.approx({name: mean(saved, name) for name in MANY})
    ohem = done.json["losses"]["ohem"]
    assert ohem["n_valid"] == sum(int((pair.labels != 255).sum()) for pair in saved)
    assert sum(ohem["n_files_by_branch"].values()) == len(saved)
    inputs = done.json["inputs"]
    assert (inputs["n_files"], inputs["n_images"], inputs["logits"]["file"]) == (5, 5, "out")
    assert inputs["n_bytes"] == sum(4 * pair.logits.numel() + pair.labels.numel() for pair in saved)


def test_all_pixels_as_one_are_the_librarys_of_the_whole_set(segcli: Run, tmp_path: Path) -> None:
    saved = save_folders(tmp_path, sizes=SIZES)
    names = ("ce", "ohem", "focal", "dice", "jaccard", "tversky", "focal-tversky", "generalized-dice")
    argv = ["--over", "all", "--reduce", "batch", "--thresh", "0.05", "--n-min", "1/5", "--json"]
    document = segcli("loss", "out", "truth", "--loss", ",".join(names), *argv).json
    logits, labels = together(saved)
    of_regions = {name: {"reduce": "batch"} for name in names[3:]}
    own: dict[str, dict[str, Any]] = {"ohem": {"thresh": 0.05, "n_min": Fraction(1, 5)}} | of_regions
    expected = {name: LOSSES[name](logits, labels, **own.get(name, {})).item() for name in names}
    assert values(document) == pytest.approx(expected, rel=1e-6)
    assert document["losses"]["ohem"]["branch"] == "top-k"
    assert document["inputs"]["logits"]["shape"] is None
    # Means over images are those of the images, whatever file they are in.
    images = segcli("loss", "out", "truth", "--loss", "dice,lovasz", "--over", "all", "--json").json
    assert values(images) == pytest.approx({name: mean(saved, name) for name in ("dice", "lovasz-softmax")})


def test_losses_too_near_to_tell_apart_are_read_once_more(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = save_near(tmp_path)
    read_again = []

    def counted(self: Again, sample: Sample) -> Measured:
        read_again.append(sample.pair.name)
        return MEASURE(self, sample)

    monkeypatch.setattr(Again, "measure", counted)
    Path("out/b.npy").write_bytes(b"nothing")
    good = [pair for pair in saved if pair.name != "b"]
    argv = ["--over", "all", "--loss", "ohem", "--thresh", "0.01", "--n-min", "0.3", "--workers", "0"]
    document = segcli("loss", "out", "truth", *argv, "--on-error", "skip", "--json").json
    # Only what could be read the first time is read once more.
    assert read_again == [pair.name for pair in good]
    logits, labels = together(good)
    expected = LOSSES["ohem"](logits, labels, thresh=0.01, n_min=0.3).item()
    assert document["losses"]["ohem"]["value"] == pytest.approx(expected, rel=1e-6)


MEASURE = Again.measure


@pytest.mark.parametrize("over", ["file", "all"])
def test_processes_that_read_change_nothing(segcli: Run, saved: list[Saved], over: str) -> None:
    assert saved
    argv = ["--over", over, "--loss", "ce,ohem,lovasz", "--metrics", "--n-min", "1/2", "--thresh", "0.01", "--json"]
    alone = segcli("loss", "out", "truth", *argv, "--workers", "0").json
    spread = segcli("loss", "out", "truth", *argv, "--workers", "2", "--batch-size", "2").json
    assert spread == alone


def test_a_file_of_several_images_is_told_image_by_image(segcli: Run, tmp_path: Path) -> None:
    saved = save_folders(tmp_path, ("a", "b"))
    batch = [tensors(seed) for seed in (7, 8, 9)]
    logits, labels = torch.stack([pair[0] for pair in batch]), torch.stack([pair[1] for pair in batch])
    labels[1] = 255
    torch.save(logits, "out/many.pt")
    np.save("truth/many.npy", labels.numpy())
    document = segcli("loss", "out", "truth", "--loss", "ce,ohem,dice,lovasz", "--json").json
    assert document["inputs"]["n_images"] == 5
    images = {image["name"]: image["losses"] for image in document["per_image"]}
    # Nothing of the second is valid.
    assert set(images) == {"a", "b", "many[0]", "many[2]"}
    for i in (0, 2):
        one = Saved("", logits[i], labels[i])
        assert images[f"many[{i}]"] == pytest.approx({name: one.loss(name) for name in images["a"]})
    ce = [pair.loss("ce") for pair in saved] + [LOSSES["ce"](logits, labels).item()]
    assert document["losses"]["ce"]["value"] == pytest.approx(sum(ce) / 3)


def test_the_worst_images_come_first_and_no_more_than_asked_for(segcli: Run, saved: list[Saved]) -> None:
    ordered = sorted(saved, key=lambda pair: -pair.loss("dice"))
    document = segcli("loss", "out", "truth", "--loss", "dice,ce", "--metrics", "--top", "2", "--json").json
    assert [image["name"] for image in document["per_image"]] == [pair.name for pair in ordered[:2]]
    right = (ordered[0].logits.argmax(0) == ordered[0].labels)[ordered[0].labels != 255]
    assert document["per_image"][0]["accuracy"] == pytest.approx(right.double().mean().item())
    table = segcli("loss", "out", "truth", "--loss", "dice,ce", "--metrics", "--top", "2").out
    assert "worst images by dice: 2 of 5" in table
    assert segcli("loss", "out", "truth", "--top", "0", "--json").json["per_image"] == []


def test_a_file_without_a_valid_pixel_has_no_part_in_the_mean(segcli: Run, saved: list[Saved]) -> None:
    np.save("out/empty.npy", np.zeros((4, 8, 10), dtype="float32"))
    np.save("truth/empty.npy", np.full((8, 10), 255))
    done = segcli("loss", "out", "truth", "--loss", "ce,ohem,dice,lovasz", "--grad", "--json")
    assert done.err == "note: empty: no pixel is valid, so every loss is 0 by definition\n"
    names = ("ce", "ohem", "dice", "lovasz-softmax")
    assert values(done.json) == pytest.approx({name: mean(saved, name) for name in names})
    assert done.json["inputs"]["n_files"] == 6


def test_metrics_are_those_of_one_confusion_matrix(segcli: Run, tmp_path: Path) -> None:
    saved = save_folders(tmp_path, sizes=SIZES)
    metrics = segcli("loss", "out", "truth", "--loss", "ce", "--metrics", "--json").json["metrics"]
    logits, labels = together(saved)
    valid = labels.flatten() != 255
    codes = N_CLASSES * labels.flatten()[valid] + logits.argmax(1).flatten()[valid]
    confusion = torch.bincount(codes, minlength=N_CLASSES**2).view(N_CLASSES, N_CLASSES)
    assert metrics["confusion"] == confusion.tolist()
    right = confusion.diagonal().double()
    iou = right / (confusion.sum(0) + confusion.sum(1) - right)
    assert metrics["iou_per_class"] == pytest.approx(iou.tolist())
    assert metrics["mean_iou"] == pytest.approx(iou.mean().item())
    assert metrics["pixel_accuracy"] == pytest.approx(right.sum().item() / valid.sum().item())


def test_what_is_taken_for_what_is_told(segcli: Run, tmp_path: Path) -> None:
    saved = save_folders(tmp_path)
    out = segcli("loss", "out", "truth", "--loss", "none", "--metrics", "--class-names", "sky,road,car,bus").out
    logits, labels = together(saved)
    codes = [(int(y), int(p)) for y, p in zip(labels.flatten(), logits.argmax(1).flatten(), strict=True) if y < 255]
    mistakes = Counter((y, p) for y, p in codes if y != p)
    count = max(mistakes.values())
    label, predicted = min(pair for pair in mistakes if mistakes[pair] == count)
    names = ("sky", "road", "car", "bus")
    share = 100 * count / sum(y == label for y, _ in codes)
    row = out.partition("most often taken for another class\n")[2].splitlines()[2].split()
    assert row[:4] == [names[label], names[predicted], str(count), f"{share:.3g}"]
    assert f"{len(mistakes) - 8} more pairs: the whole matrix is in the JSON document" in out
    torch.save(torch.nn.functional.one_hot(saved[0].labels % 255, 4).permute(2, 0, 1).float(), "right.pt")
    right = segcli("loss", "right.pt", "truth/a.png", "--loss", "ce", "--metrics").out
    assert "most often taken" not in right


def write_csv(rows: Sequence[dict[str, str]]) -> str:
    with Path("pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return "pairs.csv"


def write_jsonl(rows: Sequence[dict[str, str]]) -> str:
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return "pairs.jsonl"


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_a_manifest_names_the_pairs(
    segcli: Run, saved: list[Saved], write: Callable[[Sequence[dict[str, str]]], str]
) -> None:
    manifest = write([{"logits": f"out/{p.name}.npy", "labels": f"truth/{p.name}.png", "name": p.name} for p in saved])
    listed = segcli("loss", "--manifest", manifest, "--json").json
    folders = segcli("loss", "out", "truth", "--json").json
    assert (listed["losses"], listed["per_image"]) == (folders["losses"], folders["per_image"])
    assert listed["inputs"]["logits"]["file"] == manifest
    done = segcli("loss", "out", "truth", "--manifest", manifest)
    assert (done.code, done.err) == (
        2,
        f"error: --manifest {manifest} and out were both given, expected one source of pairs\n",
    )


def test_names_may_end_differently(segcli: Run, saved: list[Saved]) -> None:
    for pair in saved:
        Path("out", f"{pair.name}.npy").rename(Path("out", f"{pair.name}_logits.npy"))
    argv = ["--suffixes", "_logits,", "--loss", "ce", "--json"]
    assert values(segcli("loss", "out", "truth", *argv).json) == pytest.approx({"ce": mean(saved, "ce")})


def test_labels_come_as_palette_and_16_bit_pictures(segcli: Run, saved: list[Saved]) -> None:
    for place, pair in enumerate(saved):
        picture = Image.fromarray(pair.labels.numpy().astype("uint16" if place % 2 else "uint8"))
        if place % 2 == 0:
            picture = picture.convert("P")
            picture.putpalette([7 * i % 256 for i in range(768)])
            picture.putdata(pair.labels.flatten().tolist())
        picture.save(f"truth/{pair.name}.png")
    document = segcli("loss", "out", "truth", "--loss", "ce,dice", "--json").json
    assert values(document) == pytest.approx({name: mean(saved, name) for name in ("ce", "dice")})


SWEEP = ["--sweep", "thresh=0.3:0.9:0.3", "--sweep", "n_min=1/2,7", "--sweep", "gamma=0,1.5", "--sweep", "smooth=0,2"]


@pytest.mark.parametrize("over", ["file", "all"])
def test_a_sweep_is_what_runs_at_its_points_say(segcli: Run, saved: list[Saved], over: str) -> None:
    assert saved
    argv = ["out", "truth", "--loss", "ohem,focal,dice,ce", "--over", over, "--reduce", "batch", "--json"]
    points = segcli("loss", *argv, *SWEEP).json["sweep"]
    assert [point["loss"] for point in points] == ["ohem"] * 6 + ["focal"] * 2 + ["dice"] * 2
    assert [point["point"]["thresh"] for point in points[:6:2]] == [0.3, 0.6, 0.9]
    for point in points:
        options = [part for name, value in point["point"].items() for part in (f"--{name.replace('_', '-')}", value)]
        loss = segcli("loss", *argv, *options).json["losses"][point["loss"]]
        assert point["value"] == pytest.approx(loss["value"], rel=1e-6), point
        if point["loss"] == "ohem":
            assert point["kept"] == pytest.approx(loss["n_kept"] / loss["n_valid"])
            assert point["branch"] == loss["branch"]


def test_a_sweep_is_a_table_a_loss(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    out = segcli("loss", "out", "truth", "--loss", "ohem,ce", "--sweep", "thresh=0.5,0.9", "--top", "0").out
    assert "ohem by thresh\nthresh" in out
    assert "ce by" not in out


@pytest.mark.parametrize(
    ("axis", "values_"),
    [
        ("alpha", (0.25, 1)),
        ("tversky_alpha", (0.1, 0.5)),
        ("tversky_beta", (0.2, 1)),
        ("tversky_gamma", (0.5, 2)),
    ],
)
def test_other_parameters_are_swept_too(
    segcli: Run, saved: list[Saved], axis: str, values_: tuple[float, float]
) -> None:
    assert saved
    argv = ["out", "truth", "--loss", "focal,focal-tversky", "--json"]
    points = segcli("loss", *argv, "--sweep", f"{axis}={values_[0]},{values_[1]}").json["sweep"]
    for point, value in zip(points, values_, strict=True):
        loss = segcli("loss", *argv, f"--{axis.replace('_', '-')}", value).json["losses"][point["loss"]]
        assert point["value"] == pytest.approx(loss["value"], rel=1e-6)


PROJECTS = "notes,bisenet,mmseg,hrnet,paddle,torchseg,smp,monai,kornia"


def test_projects_stand_beside_ours_with_reasons(segcli: Run, saved: list[Saved]) -> None:
    pair = saved[0]
    argv = ["--as", PROJECTS, "--json"]
    figures = segcli("loss", "out/a.npy", "truth/a.png", *argv).json["projects"]
    assert {figure["project"] for figure in figures} == set(PROJECTS.split(","))
    for figure in figures:
        assert figure["ours"] == pytest.approx(pair.loss(figure["loss"]), rel=1e-5), figure
        differs = figure["value"] is None or abs(figure["value"] - figure["ours"]) > 1e-5
        assert not differs or figure["reasons"], figure
    many = segcli("loss", "out", "truth", *argv).json["projects"]
    for figure in many:
        assert figure["ours"] == pytest.approx(mean(saved, figure["loss"]), rel=1e-5)
        moved = sum(float(reason.rpartition(": ")[2].split()[0]) for reason in figure["reasons"])
        assert figure["value"] == pytest.approx(figure["ours"] + moved, abs=2e-4), figure
    out = segcli("loss", "out", "truth", "--as", "smp,notes", "--loss", "ohem,dice").out
    assert "as other projects have it" in out
    assert "- the same" in out
    assert "(and alike in 4 more): " in out


def test_a_project_that_raises_says_so_of_many_files(segcli: Run, saved: list[Saved]) -> None:
    argv = ["out", "truth", "--as", "monai", "--loss", "generalized-dice"]
    (figure,) = segcli("loss", *argv, "--json").json["projects"]
    assert figure["value"] is None
    assert figure["ours"] == pytest.approx(mean(saved, "generalized-dice"))
    words = "there is no ignore_index: label 255 is none of 4 classes: RuntimeError in 5 of 5 files"
    assert figure["error"] == words
    assert "RuntimeError in 5 of 5 files" in segcli("loss", *argv).out


def test_projects_have_no_multilabel(segcli: Run) -> None:
    torch.save(torch.zeros(2, 3, 4, 4), "logits.pt")
    torch.save(torch.ones(2, 3, 4, 4, dtype=torch.uint8), "masks.pt")
    done = segcli("loss", "logits.pt", "masks.pt", "--mode", "multilabel", "--as", "smp")
    assert (done.code, done.out) == (2, "")
    assert "logits.pt is multilabel, expected multiclass or binary with --as" in done.err


def spoil(name: str) -> None:
    """Make the third of five pairs, c, one that cannot be evaluated."""
    logits, labels = Path("out/c.npy"), Path("truth/c.png")
    if name == "corrupt":
        logits.write_bytes(b"no array of any kind")
    elif name == "truncated":
        logits.write_bytes(logits.read_bytes()[:-7])
    elif name == "empty":
        logits.write_bytes(b"")
    elif name == "shape":
        Image.fromarray(np.zeros((9, 10), dtype="uint8")).save(labels)
    elif name == "label":
        Image.fromarray(np.full((8, 10), 77, dtype="uint8")).save(labels)
    elif name == "picture":
        labels.write_bytes(labels.read_bytes()[:-30])
    elif name == "nan":
        np.save(logits, np.full((N_CLASSES, 8, 10), np.nan, dtype="float32"))
    elif name == "classes":
        np.save(logits, np.zeros((7, 8, 10), dtype="float32"))
    else:
        np.save(logits, np.zeros((8, 10), dtype="float32"))
        Image.fromarray(np.zeros((8, 10), dtype="uint8")).save(labels)


BAD = [
    ("corrupt", "out/c.npy is no tensor file: it starts with b'no array"),
    ("truncated", "out/c.npy"),
    ("empty", "out/c.npy is empty (0 bytes)"),
    ("shape", "truth/c.png has shape (9, 10), expected (8, 10) to match out/c.npy (4, 8, 10)"),
    ("label", "truth/c.png holds 77 at (0, 0), expected 0 to 3, or 255 where ignored"),
    ("picture", "truth/c.png"),
    ("nan", "out/c.npy holds nan at (0, 0, 0), expected finite numbers"),
    ("classes", "out/c.npy has 7 classes, expected 4 as out/a.npy"),
    ("mode", "out/c.npy is binary, expected multiclass as out/a.npy"),
]


@pytest.mark.parametrize(("how", "words"), BAD)
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_bad_file_ends_the_work_with_its_name(
    segcli: Run, saved: list[Saved], how: str, words: str, workers: str
) -> None:
    assert saved
    spoil(how)
    done = segcli("loss", "out", "truth", "--loss", "ce", "--workers", workers)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {words}")


@pytest.mark.parametrize(("how", "words"), BAD)
def test_a_bad_file_is_left_out_and_listed(segcli: Run, saved: list[Saved], how: str, words: str) -> None:
    spoil(how)
    good = [pair for pair in saved if pair.name != "c"]
    done = segcli("loss", "out", "truth", "--loss", "ce,ohem", "--over", "file", "--on-error", "skip", "--json")
    assert done.code == 1
    assert values(done.json) == pytest.approx({name: mean(good, name) for name in ("ce", "ohem")})
    (error,) = done.json["errors"]
    assert error["name"] == "c"
    assert error["message"].startswith(words)
    table = segcli("loss", "out", "truth", "--loss", "ce", "--on-error", "skip")
    assert table.code == 1
    assert "1 of 5 pairs was left out" in table.out


def test_what_is_left_out_has_no_part_in_all_pixels(segcli: Run, saved: list[Saved]) -> None:
    spoil("nan")
    argv = ["--on-error", "skip", "--over", "all", "--loss", "ohem", "--thresh", "0.01", "--n-min", "0.3", "--json"]
    document = segcli("loss", "out", "truth", *argv).json
    whole = together([pair for pair in saved if pair.name != "c"])
    expected = LOSSES["ohem"](*whole, thresh=0.01, n_min=0.3).item()
    assert values(document) == pytest.approx({"ohem": expected}, rel=1e-6)


def test_where_every_file_is_bad_there_is_no_result(segcli: Run, tmp_path: Path) -> None:
    for pair in save_folders(tmp_path, [f"{i:02}" for i in range(12)]):
        Path(f"out/{pair.name}.npy").write_bytes(b"nothing")
    done = segcli("loss", "out", "truth", "--on-error", "skip", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "error: no pair of files could be evaluated\nhint: the first says: out/00.npy is no tensor file"
    )


@pytest.mark.parametrize(
    ("prepare", "argv", "words"),
    [
        (lambda: Path("truth/c.png").unlink(), [], "1 of 5 logits in out has no labels: c"),
        (lambda: shutil.rmtree("truth/d"), [], "1 of 5 logits in out has no labels: d/e"),
        (lambda: shutil.rmtree("out"), [], "out does not exist"),
        (lambda: None, ["--class-names", "a,b"], "2 class names were given, out/a.npy has 4 classes"),
        (lambda: None, ["--loss", "bce"], "bce does not apply to out/a.npy, whose logits are multiclass"),
        (lambda: None, ["--alpha", "1,2"], "a: alpha has shape (2,), expected (4,): one a class"),
        (lambda: None, ["--suffixes", "_x"], "--suffixes holds 1 endings, expected 2: of logits, and of labels"),
        (lambda: None, ["--workers", "many"], "--workers is 'many', expected a number or auto"),
        (lambda: None, ["--workers", "9999"], "--workers is 9999, expected 0 to 1024"),
        (lambda: None, ["--batch-size", "0"], "--batch-size is 0, expected 1 to 1024"),
        (lambda: None, ["--nproc", "2", "--n-min", "2.5"], "--n-min '2.5' is neither a count nor a share"),
        (lambda: None, ["--nproc", "0"], "--nproc is 0, expected 1 or more"),
        (lambda: None, ["--images", "nowhere", "--heatmap", "hard"], "nowhere does not exist"),
        (lambda: None, ["--resume"], "--resume is given without --per-file, whose file says what is done"),
        (lambda: None, ["--plot", "x.png"], "--plot draws a sweep, and none is asked for"),
        (lambda: None, ["--heatmap", "x", "--loss", "ce"], "--heatmap draws what ohem keeps, which is not among ce"),
        (lambda: None, ["--heatmap", "x", "--loss", "none"], "--heatmap draws what ohem keeps, which is not among no"),
        (lambda: None, ["--over", "all", "--grad"], "--grad goes with --over file: a gradient is that of a batch"),
        (lambda: None, ["--over", "all", "--semantics", "hrnet"], "--semantics hrnet goes with --over file"),
        (
            lambda: None,
            ["--over", "all", "--reduce", "batch", "--loss", "lovasz"],
            "lovasz with --reduce batch goes with --over file",
        ),
        (lambda: None, ["--as", "smp", "--class-weights", "1,1,1,1"], "--as goes without --class-weights"),
        (lambda: None, ["--as", "smp", "--semantics", "mmseg"], "--as goes without --semantics"),
        (lambda: None, ["--as", "somebody"], "unknown project 'somebody'"),
        (lambda: None, ["--sweep", "thresh=0.5", "--loss", "ce"], "--sweep thresh changes none of ce"),
        (lambda: None, ["--sweep", "thresh=2"], "thresh is 2"),
        (lambda: None, ["--ignore-index", str(2**63)], "--ignore-index is 9223372036854775808, expected a label"),
        (lambda: None, ["-o", "out"], "out is a folder, expected a file to write"),
        (lambda: None, ["--per-file", "nowhere/x.jsonl"], "cannot write nowhere/x.jsonl: there is no folder nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_refused_before_it_begins(
    segcli: Run, saved: list[Saved], prepare: Callable[[], object], argv: list[str], words: str
) -> None:
    assert saved
    prepare()
    done = segcli("loss", "out", "truth", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {words}")


def test_processes_are_started_once_all_is_known_to_be_well(
    segcli: Run, saved: list[Saved], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert saved
    asked = []

    def relaunched(nproc: int, argv: Sequence[str], *, imports: Sequence[str]) -> int:
        asked.append((nproc, list(argv)))
        # What looks for GPUs cannot be forked; all else is imported once.
        assert ("segcli.loss.running" in imports) == ("cuda" not in sys.argv)
        return 3

    monkeypatch.setattr("segcli.launch.relaunch", relaunched)
    monkeypatch.setattr(sys, "argv", ["segcli", "loss", "out", "truth", "--nproc", "2"])
    assert segcli("loss", "out", "truth", "--nproc", "2").code == 3
    assert asked == [(2, ["loss", "out", "truth", "--nproc", "2"])]
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--device", "cuda"])
    assert segcli(*sys.argv[1:]).code == 3


def test_endings_go_with_folders_alone(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    words = "error: --suffixes says how files of two folders are called, and none are given"
    assert segcli("loss", "out/a.npy", "truth/a.png", "--suffixes", "_x,_y").err.startswith(words)
    manifest = write_csv([{"logits": "out/a.npy", "labels": "truth/a.png"}])
    assert segcli("loss", "--manifest", manifest, "--suffixes", "_x,_y").err.startswith(words)


def test_pictures_are_looked_at_for_heatmaps_alone(segcli: Run, saved: list[Saved]) -> None:
    assert saved
    done = segcli("loss", "out", "truth", "--images", "nowhere", "--loss", "ce")
    assert (done.code, done.err) == (0, "note: --images is for --heatmap, and not looked at\n")


def test_more_bad_files_than_anyone_reads_are_counted(segcli: Run, tmp_path: Path) -> None:
    for pair in save_folders(tmp_path, [f"{i:02}" for i in range(26)])[3:]:
        Path(f"out/{pair.name}.npy").write_bytes(b"nothing")
    done = segcli("loss", "out", "truth", "--on-error", "skip", "--loss", "ce")
    assert done.code == 1
    assert "23 of 26 pairs were left out" in done.out
    assert "3 more are in the JSON document." in done.out


def test_the_library_evaluates_folders(tmp_path: Path) -> None:
    saved = save_folders(tmp_path)
    result = evaluate_files("out", "truth", LossSettings(losses=("ce", "dice"), all_that_apply=False))
    assert {name: loss.value for name, loss in result.losses.items()} == pytest.approx(
        {name: mean(saved, name) for name in ("ce", "dice")}
    )
    spoil("classes")
    with pytest.raises(SegcliError, match=r"out/c\.npy has 7 classes, expected 4 as out/a\.npy"):
        evaluate_files("out", "truth")
