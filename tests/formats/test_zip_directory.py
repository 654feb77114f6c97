from pathlib import Path

from segcli.formats.byte_source import open_source
from segcli.formats.zip_directory import Names
from segcli.formats.zip_records import read_directory, read_records
from tests.formats.crafting import write_records


def test_names_are_found() -> None:
    known = ["b", "a", "b", "c"]
    names = Names(known, known.__getitem__)
    assert [list(names.rows(name)) for name in "abcd"] == [[1], [0, 2], [3], []]


def test_a_name_is_compared_and_not_its_number_alone() -> None:
    assert list(Names(["a"], lambda _: "another").rows("a")) == []


def test_records_are_a_sequence(tmp_path: Path) -> None:
    path = write_records(tmp_path / "model.pth", {"data.pkl": b"pickle", "data/0": b"zero", "data/1": b""})
    with open_source(path) as source:
        entries = read_directory(source)
        records = read_records(source, entries)
        for made in (entries, records):
            assert made[1:] == list(made)[1:]
            assert made[-1] == list(made)[-1]
            assert len(made) == len(list(made)) > 1
