from pathlib import Path

import pytest

from segcli.errors import SegcliError
from segcli.loss.kinds import Kind, check_kind, kind_of_many, names_of_classes
from segcli.loss.settings import LossSettings
from segcli.loss.sources.pairs import pair_sources
from segcli.loss.sources.reading import Arrangement
from tests.loss.saving import save_folders


def test_the_first_that_can_be_read_says_what_all_are(tmp_path: Path) -> None:
    save_folders(tmp_path)
    pairs = pair_sources(f"{tmp_path}/out", f"{tmp_path}/truth")
    for name in ("a", "b"):
        (tmp_path / "out" / f"{name}.npy").write_bytes(b"nothing")
    (tmp_path / "out" / "c.npy").unlink()
    expected = Kind(f"{tmp_path}/out/d/e.npy", "multiclass", 4)
    assert kind_of_many(pairs, Arrangement()) == expected
    assert kind_of_many(pairs[:3], Arrangement()) is None
    # One alone is not looked at.
    assert kind_of_many(pairs[3:4], Arrangement()) is None


def test_of_many_that_cannot_be_read_few_are_tried(tmp_path: Path) -> None:
    saved = save_folders(tmp_path, [f"{i:02}" for i in range(12)])
    for pair in saved[:11]:
        (tmp_path / "out" / f"{pair.name}.npy").write_bytes(b"nothing")
    assert kind_of_many(pair_sources(f"{tmp_path}/out", f"{tmp_path}/truth"), Arrangement()) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind("b.pt", "binary", 2), r"b\.pt is binary, expected multiclass as a\.pt"),
        (Kind("b.pt", "multiclass", 21), r"b\.pt has 21 classes, expected 3 as a\.pt"),
    ],
)
def test_files_of_another_kind_are_refused(kind: Kind, words: str) -> None:
    first = Kind("a.pt", "multiclass", 3)
    check_kind(first, first)
    with pytest.raises(SegcliError, match=words):
        check_kind(kind, first)


def test_classes_have_numbers_where_they_have_no_names() -> None:
    kind = Kind("a.pt", "multiclass", 3)
    assert names_of_classes(LossSettings(), kind) == ["0", "1", "2"]
    assert names_of_classes(LossSettings(class_names=("x", "y", "z")), kind) == ("x", "y", "z")
    with pytest.raises(SegcliError, match=r"2 class names were given, a\.pt has 3 classes"):
        names_of_classes(LossSettings(class_names=("x", "y")), kind)
