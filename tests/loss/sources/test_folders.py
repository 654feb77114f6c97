import os
from pathlib import Path

import pytest

from segcli.errors import SegcliError
from segcli.loss.sources.folders import list_folder, listed

SUFFIXES = (".pt", ".npy")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_are_called_by_their_path_without_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a.pt", "b/a.npy", "b/c/d.e.PT", "b/log.txt", "noSuffix", "b.d/x")
    listing = list_folder(tmp_path, "logits", SUFFIXES)
    assert listing.files == {"a": "a.pt", "b/a": "b/a.npy", "b/c/d.e": "b/c/d.e.PT"}
    assert listing.others == {"b/log": "b/log.txt", "noSuffix": "noSuffix", "b.d/x": "b.d/x"}
    assert Path(listing.path("b/a")) == tmp_path / "b" / "a.npy"


def test_hidden_files_and_litter_are_no_files(tmp_path: Path) -> None:
    touch(tmp_path, "a.pt", ".b.pt", ".cache/c.pt", "Thumbs.db", "desktop.ini", "__MACOSX/d.pt", ".DS_Store")
    listing = list_folder(tmp_path, "logits", SUFFIXES)
    assert (listing.files, listing.others) == ({"a": "a.pt"}, {})


def test_endings_are_no_part_of_the_name(tmp_path: Path) -> None:
    touch(tmp_path, "a_left.pt", "b/c_left.npy", "b/c_right.npy", "b/_left.pt", "_left.pt", "left.pt", "d_left.txt")
    listing = list_folder(tmp_path, "logits", SUFFIXES, ending="_left")
    assert listing.files == {"a": "a_left.pt", "b/c": "b/c_left.npy"}
    assert listing.others == {"d": "d_left.txt"}
    unlike = list_folder(tmp_path, "logits", SUFFIXES, unlike="_left")
    assert unlike.files == {"b/c_right": "b/c_right.npy", "left": "left.pt"}


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/deep/x.pt", "here/y.pt")
    (tmp_path / "here/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here/again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/deep/up").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here/self").symlink_to(tmp_path / "here")
    (tmp_path / "here/z.pt").symlink_to(tmp_path / "elsewhere/deep/x.pt")
    (tmp_path / "here/gone.pt").symlink_to(tmp_path / "nothing")
    expected = ["again/deep/x", "gone", "linked/deep/x", "y", "z"]
    assert sorted(list_folder(tmp_path / "here", "logits", SUFFIXES).files) == expected


def test_a_folder_is_left_out_by_whatever_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.pt", "labels/b.pt")
    (tmp_path / "other").symlink_to(tmp_path / "labels")
    assert list(list_folder(tmp_path, "logits", SUFFIXES, without=tmp_path / "other").files) == ["a"]


def test_no_file_is_asked_for_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *(f"{folder}/{number}.pt" for folder in range(3) for number in range(20)))
    asked: list[object] = []
    stat = os.stat

    def counted(path: object, **options: object) -> os.stat_result:
        asked.append(path)
        return stat(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", counted)
    assert len(list_folder(tmp_path, "logits", SUFFIXES).files) == 60
    assert len(asked) <= 4


@pytest.mark.parametrize(
    ("names", "words", "hint"),
    [
        (["a.pt", "a.npy"], "holds a name twice, expected one file of logits for each: a.npy and a.pt$", "manifest"),
        (["a.pt", "a.npy", "b/a.pt", "b/a.npy", "c.pt"], "holds 2 names twice.*a.npy and a.pt, b/a.npy and b/a", ""),
        ([], "holds no logits$", r"logits are files that end in .pt, .npy$"),
        (["a.txt", "b.txt", "c.log", "d.md"], "holds no logits$", "what it holds: a.txt, b.txt, c.log and 1 more"),
    ],
    ids=["twice", "two twice", "empty", "others"],
)
def test_what_cannot_be_listed_is_refused(tmp_path: Path, names: list[str], words: str, hint: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(SegcliError, match=words) as caught:
        list_folder(tmp_path, "logits", SUFFIXES)
    assert hint.removesuffix("$") in caught.value.hint


def test_folders_that_cannot_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegcliError, match=r"gone does not exist"):
        list_folder(tmp_path / "gone", "logits", SUFFIXES)

    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SegcliError, match=rf"cannot read {tmp_path}: Permission denied"):
        list_folder(tmp_path, "logits", SUFFIXES)


def test_a_folder_around_it_that_cannot_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SegcliError, match=rf"cannot read {tmp_path}"):
        list_folder(tmp_path, "logits", SUFFIXES)


def test_few_names_are_all_listed() -> None:
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a"] * 2003) == "a, a, a and 2,000 more"
