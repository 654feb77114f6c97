import csv
import io
import json
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.loss.sources.pairs import read_manifest
from segcli.loss.sources.sample import Pair


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists" / "out").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name in ("out/a.pt", "out/b.pt", "a.pt", "a.png", "b.png", "photo.jpg", "with, comma.npy"):
        (tmp_path / "lists" / name).touch()


MANIFEST = Path("lists/pairs")


def write(content: str | bytes) -> Path:
    MANIFEST.write_bytes(content if isinstance(content, bytes) else content.encode())
    return MANIFEST


def test_a_table_names_pairs() -> None:
    text = "labels,logits,image,name\nb.png,out/b.pt,photo.jpg,second\na.png, out/a.pt ,,\n"
    assert read_manifest(write(text)) == [
        Pair("second", "lists/out/b.pt", "lists/b.png", "lists/photo.jpg"),
        Pair("a", "lists/out/a.pt", "lists/a.png"),
    ]


def test_json_lines_name_pairs() -> None:
    lines = [
        {"logits": "out/b.pt:out.0", "labels": "b.png", "image": "photo.jpg", "name": "second"},
        {"labels": "a.png", "logits": "out/a.pt", "name": None},
    ]
    assert read_manifest(write("\n".join(map(json.dumps, lines)))) == [
        Pair("second", "lists/out/b.pt:out.0", "lists/b.png", "lists/photo.jpg"),
        Pair("a", "lists/out/a.pt", "lists/a.png"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufefflogits,labels\r\nout/a.pt,a.png\r\n",
        "\n\n logits , labels \n\nout/a.pt,a.png\n,\n\n",
        'logits,labels\n"out/a.pt","a.png"',
        '\ufeff\n{"logits": "out/a.pt", "labels": "a.png"}\n\n',
    ],
    ids=["from a spreadsheet", "blank lines", "quotes", "json"],
)
def test_what_editors_and_spreadsheets_add_does_no_harm(text: str) -> None:
    assert read_manifest(write(text)) == [Pair("a", "lists/out/a.pt", "lists/a.png")]


def test_cells_in_quotes_hold_commas() -> None:
    found = read_manifest(write('logits,labels\n"with, comma.npy",a.png\n'))
    assert found == [Pair("with, comma", "lists/with, comma.npy", "lists/a.png")]


def test_absolute_paths_stay(tmp_path: Path) -> None:
    whole = tmp_path / "lists"
    found = read_manifest(write(f"logits,labels\n{whole}/out/a.pt:x,{whole}/a.png\n"))
    assert found == [Pair("a", f"{whole}/out/a.pt:x", f"{whole}/a.png")]


def test_standard_input_is_relative_to_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("lists")
    content = io.TextIOWrapper(io.BytesIO(b"logits,labels\nout/a.pt,a.png\n"))
    monkeypatch.setattr(sys, "stdin", content)
    assert read_manifest(Path("-")) == [Pair("a", "out/a.pt", "a.png")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["out/a.pt,a.png,", "out/b.pt,b.png,"], ["a", "b"]),
        (["out/a.pt,a.png,", "a.pt,b.png,", "out/b.pt,b.png,"], ["out/a", "a", "b"]),
        (["out/a.pt:x,a.png,", "out/a.pt:y,b.png,"], ["out/a:x", "out/a:y"]),
        (["out/a.pt,a.png,", "out/a.pt,b.png,"], ["out/a (line 2)", "out/a (line 3)"]),
        (["out/a.pt,a.png,a", "out/a.pt,b.png,"], ["a", "out/a"]),
        (["out/a.pt,a.png,x", "out/a.pt,b.png,"], ["x", "a"]),
    ],
    ids=["stems", "paths", "keys", "lines", "given", "given else"],
)
def test_names_tell_pairs_apart(rows: list[str], expected: list[str]) -> None:
    found = read_manifest(write("\n".join(["logits,labels,name", *rows])))
    assert [pair.name for pair in found] == expected


ROW = '{"logits": "out/a.pt", "labels": "a.png"}'


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("", "lists/pairs is empty (0 bytes)", "fetch it again"),
        ("\n \n", "lists/pairs lists no pairs", "for example: a line logits,labels and below it"),
        ("logits,labels\n", "lists/pairs lists no pairs", "for example"),
        ("logits,label\n", "line 1 of lists/pairs names the unknown column 'label'", "did you mean labels?"),
        ("logits;labels\n", "line 1 of lists/pairs names the unknown column 'logits;labels'", "separated by commas"),
        ("logits\tlabels\n", "line 1 of lists/pairs names the unknown column 'logits\\tlabels'", "by commas"),
        ("logits,name\n", "line 1 of lists/pairs names no column labels", "the first line names the columns"),
        ("labels\n", "line 1 of lists/pairs names no column logits", "the first line names the columns"),
        ("logits,labels,labels\n", "line 1 of lists/pairs names the column labels twice", ""),
        ("out/a.pt,a.png\n", "line 1 of lists/pairs names the unknown column 'out/a.pt'", "known: logits, labels"),
        ("logits,labels\nout/a.pt\n", "line 2 of lists/pairs has 1 cells, the first line 2", "stands in quotes"),
        ("logits,labels\na,b,c\n", "line 2 of lists/pairs has 3 cells, the first line 2", "stands in quotes"),
        ("logits,labels\n\nout/a.pt,\n", "line 3 of lists/pairs has no labels", ""),
        ("\nlogits,labels\n-,a.png\n", "line 3 of lists/pairs has logits -, expected a file", ""),
        (
            'logits,labels\n"out/a.pt,a.png\n',
            "line 2 of lists/pairs is no line of a table: unexpected end of data",
            "stands in quotes",
        ),
        (
            "logits,labels\nout/a.pt,a.png\nout/b.pt,b.png\nout/a.pt,a.png\n",
            "line 4 of lists/pairs repeats the pair of line 2",
            "each pair counts once",
        ),
        (
            "logits,labels,name\nout/a.pt,a.png,x\nout/b.pt,b.png,x\n",
            "line 3 of lists/pairs has the name 'x' of line 2",
            "names tell pairs apart",
        ),
        (
            "logits,labels,name\nout/a.pt,a.png,\nout/a.pt,b.png,\nout/b.pt,b.png,out/a (line 3)\n",
            "line 4 of lists/pairs has the name of line 3",
            "names tell pairs apart",
        ),
        (
            "logits,labels\nout/z.pt:x,a.png\nout/a.pt,zz.png\n",
            "lists/pairs names 2 files that are not there: out/z.pt:x (line 2), zz.png (line 3)",
            "files are looked for from lists on",
        ),
        (
            "logits,labels,image\nout/a.pt,a.png,no.jpg\nout/b.pt,a.png,no.jpg\n",
            "lists/pairs names a file that is not there: no.jpg (line 2)",
            "files are looked for from lists on",
        ),
        (f"{ROW}\n{{}}\n", "line 2 of lists/pairs has no logits", ""),
        (f"{ROW}\n[1]\n", "line 2 of lists/pairs is no JSON object", 'for example: {"logits"'),
        (f"[{ROW},\n", "line 1 of lists/pairs is no JSON: ", "one object a line"),
        (f"{ROW}\n{{'logits'\n", "line 2 of lists/pairs is no JSON: Expecting property name", "one object a line"),
        ('{"a":' * 5000, "line 1 of lists/pairs is no JSON: nested too deeply", "one object a line"),
        ('{"logits": 3, "labels": "a.png"}', "line 1 of lists/pairs has logits 3, expected text", ""),
        ('{"logit": "a"}', "line 1 of lists/pairs names the unknown column 'logit'", "did you mean logits?"),
        ('{"logits": "a\\u0000", "labels": "a.png"}', "lists/pairs names a file that is not there: a\0 (line 1)", ""),
        ('{"logits": "\\ud800", "labels": "a.png"}', "lists/pairs names a file that is not there: \ud800", ""),
        (b"logits,labels\nout/a.pt,\xffa.png\n", "line 2 of lists/pairs is not UTF-8: byte 9 is 0xff", ""),
        ("logits,labels\nout/a.pt,a\0.png\n", "line 2 of lists/pairs holds a NUL character", "is it a list of pairs?"),
        (
            "logits,labels\n" + "x" * 70_000 + "\n",
            "line 2 of lists/pairs is longer than 65,536 bytes",
            "is it a list of pairs?",
        ),
        (f'{{"{"x" * 1000}": 1}}', f"line 1 of lists/pairs names the unknown column '{'x' * 40}...'", "known:"),
    ],
    ids=str,
)
def test_what_is_no_list_of_pairs_is_refused(content: str | bytes, message: str, hint: str) -> None:
    write(content)
    with pytest.raises(SegcliError, match=r"lists/pairs") as caught:
        read_manifest(MANIFEST)
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_a_quote_that_never_ends_takes_no_memory() -> None:
    write('logits,labels\n"' + ("x" * 1000 + "\n") * 1000)
    with pytest.raises(SegcliError, match=r"lists/pairs is no line of a table: field larger than field limit"):
        read_manifest(MANIFEST)


@pytest.mark.parametrize("start", [b"", b"logits,labels\n", ROW.encode() + b"\n"], ids=["first", "table", "json"])
def test_a_line_of_a_hundred_megabytes_takes_no_memory(start: bytes) -> None:
    with MANIFEST.open("wb") as file:
        file.write(start)
        file.truncate(2**27)
    tracemalloc.start()
    try:
        with pytest.raises(SegcliError, match=r"line [12] of lists/pairs is longer than 65,536 bytes"):
            read_manifest(MANIFEST)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_missing_manifests_are_refused() -> None:
    with pytest.raises(SegcliError, match=r"pears does not exist"):
        read_manifest(Path("lists/pears"))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0/:\r"), min_size=1, max_size=12).filter(
    lambda name: name.strip() == name and name not in (".", "..", "-")
)


@given(names=st.lists(CELL, min_size=1, max_size=5, unique=True), as_json=st.booleans())
@example(names=['a",b', "-x", "{y"], as_json=False)
def test_whatever_files_are_called(
    tmp_path_factory: pytest.TempPathFactory, *, names: list[str], as_json: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [(f"{name}.pt", f"{name}.png", name) for name in names]
    for logits, labels, _ in rows:
        (folder / logits).touch()
        (folder / labels).touch()
    columns = ("logits", "labels", "name")
    with (folder / "list").open("w", encoding="utf-8", newline="") as file:
        if as_json:
            file.writelines(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows)
        else:
            csv.writer(file).writerows([columns, *rows])
    expected = [Pair(name, str(folder / logits), str(folder / labels)) for logits, labels, name in rows]
    assert read_manifest(folder / "list") == expected


@given(st.binary(max_size=200), st.sampled_from([b"", b"logits,labels\n", ROW.encode() + b"\n"]))
def test_no_content_is_a_bug(content: bytes, start: bytes) -> None:
    write(start + b"\n" + content + b"\nmore")
    with pytest.raises(SegcliError, match=r"lists/pairs"):
        read_manifest(MANIFEST)
