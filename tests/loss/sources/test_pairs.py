from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.loss.sources.pairs import pair_folders, pair_sources, pictureless, with_images
from segcli.loss.sources.sample import Pair


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def folders(logits: Sequence[str], labels: Sequence[str]) -> tuple[Path, Path]:
    touch(*(f"out/{name}" for name in logits), *(f"gt/{name}" for name in labels))
    return Path("out"), Path("gt")


def names(pairs: Sequence[Pair]) -> list[str]:
    return [pair.name for pair in pairs]


def test_folders_are_paired_by_name_in_order() -> None:
    paths = folders(
        ["b.npy", "a/b.pt", "c.safetensors", "d.npz", "e.pth"], ["a/b.png", "b.npy", "d.PNG", "c.pt", "e.npz"]
    )
    assert pair_folders(*paths) == [
        Pair("a/b", "out/a/b.pt", "gt/a/b.png"),
        Pair("b", "out/b.npy", "gt/b.npy"),
        Pair("c", "out/c.safetensors", "gt/c.pt"),
        Pair("d", "out/d.npz", "gt/d.PNG"),
        Pair("e", "out/e.pth", "gt/e.npz"),
    ]


@given(
    st.sets(st.text("ab/", min_size=1, max_size=6).filter(lambda name: "//" not in name and name.strip("/") == name))
)
def test_any_names_find_each_other(tmp_path_factory: pytest.TempPathFactory, found: set[str]) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    # A suffix on every file keeps a folder and a file of one name apart.
    for name in found | {"x"}:
        for path in (folder / "out" / f"{name}.npy", folder / "gt" / f"{name}.png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    pairs = pair_folders(folder / "out", folder / "gt")
    assert names(pairs) == sorted(found | {"x"})
    for pair in pairs:
        assert (pair.logits, pair.labels) == (f"{folder}/out/{pair.name}.npy", f"{folder}/gt/{pair.name}.png")


def test_pictures_beside_logits_are_none_of_them() -> None:
    assert names(pair_folders(*folders(["a.npy", "a.png", "log.txt"], ["a.png", "a.json"]))) == ["a"]


def test_decorated_names_are_paired_where_that_was_said() -> None:
    paths = folders(
        ["aachen/x_leftImg8bit.npy", "aachen/x_overlay.npy"],
        ["aachen/x_gtFine_labelTrainIds.png", "aachen/x_gtFine_color.png", "aachen/x_gtFine_polygons.json"],
    )
    pairs = pair_folders(*paths, suffixes=("_leftImg8bit", "_gtFine_labelTrainIds"))
    expected = Pair("aachen/x", "out/aachen/x_leftImg8bit.npy", "gt/aachen/x_gtFine_labelTrainIds.png")
    assert pairs == [expected]


@pytest.mark.parametrize(
    ("suffixes", "expected"),
    [
        (("", "_mask"), [("x.npy", "x_mask.npy"), ("y.npy", "y_mask.npy")]),
        (("_mask", ""), [("x_mask.npy", "x.npy"), ("y_mask.npy", "y.npy")]),
    ],
    ids=["labels decorated", "logits decorated"],
)
def test_both_may_lie_in_one_folder(suffixes: tuple[str, str], expected: list[tuple[str, str]]) -> None:
    touch("all/x.npy", "all/x_mask.npy", "all/y.npy", "all/y_mask.npy")
    pairs = pair_folders(Path("all"), Path("all"), suffixes=suffixes)
    assert [(pair.logits, pair.labels) for pair in pairs] == [(f"all/{a}", f"all/{b}") for a, b in expected]


def test_suffixes_that_end_alike_in_one_folder() -> None:
    touch("all/x_a_mask.npy", "all/x_mask.npy")
    pairs = pair_folders(Path("all"), Path("all"), suffixes=("_a_mask", "_mask"))
    assert pairs == [Pair("x", "all/x_a_mask.npy", "all/x_mask.npy")]


def test_each_file_may_hold_both() -> None:
    touch("all/x.npz", "all/y.npz")
    pairs = pair_sources("all:logits", "all:labels")
    assert pairs[0] == Pair("x", "all/x.npz:logits", "all/x.npz:labels")
    assert names(pairs) == ["x", "y"]


def test_one_folder_alone_is_refused() -> None:
    touch("all/x.npz")
    with pytest.raises(SegcliError, match=r"LOGITS and LABELS are one folder, all") as caught:
        pair_folders(Path("all"), Path("all/../all"))
    assert caught.value.hint == "name what files end in, or a key in each: all:logits all:labels"


def test_a_folder_in_the_other_is_no_part_of_it() -> None:
    touch("run/x.npy", "run/labels/x.png", "run/labels/deep/y.png", "run/deep/y.npy")
    expected = [Pair("deep/y", "run/deep/y.npy", "run/labels/deep/y.png"), Pair("x", "run/x.npy", "run/labels/x.png")]
    assert pair_folders(Path("run"), Path("run/labels")) == expected
    touch("gt/x.npy", "gt/out/x.npy")
    assert pair_folders(Path("gt/out"), Path("gt")) == [Pair("x", "gt/out/x.npy", "gt/x.npy")]


@pytest.mark.parametrize(
    ("logits", "labels", "message", "hint"),
    [
        (
            ["a.npy", "b.npy", "c.npy"],
            ["a.png", "c.png", "d.png", "e.png"],
            "1 of 3 logits in out has no labels: b; 2 of 4 labels in gt have no logits: d, e",
            "files are paired by their paths below the two folders, without the suffix; other pairs go into a manifest",
        ),
        (
            ["a.npy", "frame_1.npy"],
            ["a.png", "frame_01.png"],
            "1 of 2 logits in out has no labels: frame_1; 1 of 2 labels in gt has no logits: frame_01",
            "is frame_1.npy the partner of frame_01.png?",
        ),
        (
            ["a.npy", "b.npy"],
            ["a.png", "b.tif"],
            "1 of 2 logits in out has no labels: b",
            "gt/b.tif is there, but labels are not read from .tif",
        ),
        (
            ["a.npy", "b"],
            ["a.png", "b.png"],
            "1 of 2 labels in gt has no logits: b",
            "out/b is there, but logits are not read from a name without suffix",
        ),
        (
            ["a.npy"],
            ["a.png", "b.png", "c.png", "d.png", "e.png"],
            "4 of 5 labels in gt have no logits: b, c, d and 1 more",
            "files are paired by their paths below the two folders, without the suffix; other pairs go into a manifest",
        ),
        (
            ["x_leftImg8bit.npy", "y_leftImg8bit.npy", "z_leftImg8bit.npy"],
            ["x_gtFine_labelTrainIds.png", "y_gtFine_labelTrainIds.png"],
            (
                "3 of 3 logits in out have no labels: x_leftImg8bit, y_leftImg8bit, z_leftImg8bit; 2 of 2 labels in gt "
                "have no logits: x_gtFine_labelTrainIds, y_gtFine_labelTrainIds"
            ),
            "their names end differently: --suffixes _leftImg8bit,_gtFine_labelTrainIds",
        ),
        (
            ["1.npy", "10.npy"],
            ["1_mask.png", "10_mask.png"],
            "2 of 2 logits in out have no labels: 1, 10; 2 of 2 labels in gt have no logits: 10_mask, 1_mask",
            "their names end differently: --suffixes ,_mask",
        ),
        (
            ["a/1_logits.npy", "a/10_logits.npy"],
            ["a/1_labels.png", "a/10_labels.png"],
            (
                "2 of 2 logits in out have no labels: a/10_logits, a/1_logits; 2 of 2 labels in gt have no logits: "
                "a/10_labels, a/1_labels"
            ),
            "their names end differently: --suffixes _logits,_labels",
        ),
        (
            ["a_1.npy", "b_1.npy", "c.npy"],
            ["a_2.png", "b_3.png", "c.png"],
            "2 of 3 logits in out have no labels: a_1, b_1; 2 of 3 labels in gt have no logits: a_2, b_3",
            "is a_1.npy the partner of a_2.png?",
        ),
        (
            ["x.npy"],
            ["city/x.png"],
            "1 of 1 logits in out has no labels: x; 1 of 1 labels in gt has no logits: city/x",
            "files are paired by their paths below the two folders, without the suffix; other pairs go into a manifest",
        ),
        (
            ["a/x.npy"],
            ["a/y/x.png"],
            "1 of 1 logits in out has no labels: a/x; 1 of 1 labels in gt has no logits: a/y/x",
            "is a/x.npy the partner of a/y/x.png?",
        ),
    ],
    ids=["both", "near", "suffix", "no suffix", "one side", "cityscapes", "mask", "joints", "few", "deeper", "folders"],
)
def test_unpaired_files_are_listed(logits: list[str], labels: list[str], message: str, hint: str) -> None:
    paths = folders(logits, labels)
    with pytest.raises(SegcliError, match=r"of \d l[a-z]+ in (out|gt) ha") as caught:
        pair_folders(*paths)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_what_is_no_folder_is_refused() -> None:
    touch("out/a.npy")
    Path("file").write_text("x")
    with pytest.raises(SegcliError, match=r"file is a file, expected a folder as the other is"):
        pair_folders(Path("out"), Path("file"))
    with pytest.raises(SegcliError, match=r"gone does not exist"):
        pair_folders(Path("gone"), Path("out"))
    Path("empty").mkdir()
    with pytest.raises(SegcliError, match=r"empty holds no labels"):
        pair_folders(Path("out"), Path("empty"))


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        ("berlin.pt", "labels.png", "berlin"),
        ("deep/berlin.v2.pt:logits", "-", "berlin.v2"),
        ("-:x", "labels.png", "-"),
        ("no:such", "labels.png", "no:such"),
    ],
)
def test_two_files_are_a_pair(logits: str, labels: str, expected: str) -> None:
    assert pair_sources(logits, labels) == [Pair(expected, logits, labels)]


def test_two_folders_are_pairs_and_a_file_and_a_folder_are_not() -> None:
    folders(["x_a.npy"], ["x_b.png"])
    assert names(pair_sources("out", "gt", ("_a", "_b"))) == ["x"]
    np.save("file.npy", np.zeros(3))
    for logits, labels in (("out", "file.npy"), ("file.npy", "out:key"), ("out", "file.npy:key")):
        with pytest.raises(
            SegcliError, match=r"^out(:key)? is a folder and file.npy(:key)? a file, expected two files"
        ):
            pair_sources(logits, labels)
    with pytest.raises(SegcliError, match=r"out is a folder and - a file"):
        pair_sources("out", "-")
    with pytest.raises(SegcliError, match=r"ground does not exist"):
        pair_sources("out", "ground")


def test_pictures_are_found_by_name() -> None:
    touch("images/a/x.jpg", "images/y_rgb.JPEG", "images/y.txt", "images/z.png", "images/note.md")
    pairs = [Pair("a/x", "1", "2"), Pair("y", "3", "4"), Pair("z", "5", "6", "given.png")]
    found = with_images(pairs, Path("images"))
    assert [pair.image for pair in found] == ["images/a/x.jpg", "", "given.png"]
    assert pictureless(found) == "1 of 3 pairs has no picture: y"
    assert [pair.image for pair in with_images(found, Path("images"), suffix="_rgb")][1] == "images/y_rgb.JPEG"
    assert pictureless(with_images(found, Path("images"), suffix="_rgb")) == ""
    assert pictureless(pairs) == "2 of 3 pairs have no picture: a/x, y"
    assert with_images([], Path("images")) == []


def test_pictures_that_are_none_of_these_pairs_are_refused() -> None:
    touch("images/frame_01.png", "images/other.png", "twice/a.png", "twice/a.jpg")
    Path("file").write_text("x")
    pairs = [Pair("frame_1", "1", "2")]
    with pytest.raises(SegcliError, match=r"images holds 2 pictures, none of which has the name of a pair") as caught:
        with_images(pairs, Path("images"))
    assert caught.value.hint == "its pictures are called like frame_01"
    with pytest.raises(SegcliError, match=r"none of which has the name of a pair, such as zzz") as caught:
        with_images([Pair("zzz", "1", "2")], Path("images"))
    assert caught.value.hint == "its pictures are called like frame_01"
    with pytest.raises(SegcliError, match=r"twice holds a name twice, expected one file of pictures for each"):
        with_images(pairs, Path("twice"))
    with pytest.raises(SegcliError, match=r"file is a file, expected a folder of pictures"):
        with_images(pairs, Path("file"))
    with pytest.raises(SegcliError, match=r"gone does not exist"):
        with_images(pairs, Path("gone"))
