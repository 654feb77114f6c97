import csv
import io
import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Run

NOTES = ["src[a, b, :]", "src=8,16,3", "a=4,5", "b=4,5"]


def test_bare_it_works_the_notes_examples(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli("shapes")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot
    assert max(len(line) for line in done.out.splitlines()) <= 100


@pytest.mark.parametrize(
    "argv",
    [
        ["z[:, 0, :, i]", "z=2,3,4,5", "i=6,"],
        ["z[:, 0, :, i]", "z=2,3,4,5", "i=6,", "--numpy"],
        ["x[:, [-4]]", "x=2,3,4"],
        ["x[m, 0].max(dim=1)", "x=8,16,3", "m=bool:8"],
        ["y[[[0, 1], [1, 0]]]", "y=2,3,4"],
    ],
    ids=" ".join,
)
def test_a_reader_sees_what_and_why(segcli: Run, snapshot: SnapshotAssertion, argv: list[str]) -> None:
    done = segcli("shapes", *argv)
    assert done.err == ""
    assert done.out == snapshot


def test_json_has_all_of_it(segcli: Run) -> None:
    document = segcli("shapes", *NOTES, "--json").json
    assert document["schema"] == "segcli.shapes/1"
    assert document["expr"] == "src[a, b, :]"
    assert document["torch"] == {
        "shape": [4, 5, 3],
        "dtype": "float32",
        "view": False,
        "members": [],
        "error": None,
        "labels": None,
        "bytes": 240,
        "type": "Tensor",
        "value": None,
    }
    assert document["numpy"] == {**document["torch"], "type": "ndarray"}
    assert (document["same"], document["view"], document["rewrite"]) == (True, False, None)
    assert document["formula"] == "result[i, j, k] = src[a[i, j], b[i, j], k]"
    assert document["steps"][0] == {
        "stage": 0,
        "on": "src",
        "operand": 0,
        "source": None,
        "token": "a",
        "start": 4,
        "end": 5,
        "kind": "int64 (4, 5)",
        "takes": [0],
        "takes_sizes": [8],
        "gives": [0, 1],
        "gives_sizes": [4, 5],
        "effect": "looks up positions",
        "takes_labels": [],
        "gives_labels": [],
    }
    assert document["broadcasts"][0]["why"] == (
        "(4, 5) takes the place of axes 0 and 1, as nothing stands between a and b"
    )


def test_an_error_is_an_answer_with_exit_code_1(segcli: Run) -> None:
    done = segcli("shapes", "x[:, [-4]]", "x=2,3,4", "--json")
    assert done.code == 1
    assert done.json["torch"]["shape"] is None
    assert done.json["torch"]["error"] == {
        "type": "IndexError",
        "message": "index -4 is out of bounds for dimension 0 with size 3",
        "token": "[-4]",
        "start": 5,
        "end": 9,
        "axis": 1,
    }
    assert done.json["notes"] == ["PyTorch's message says 0, but it is axis 1 that is at fault"]


@pytest.mark.parametrize(("argv", "code"), [([], 1), (["--numpy"], 0)])
def test_the_leading_library_decides_the_exit_code(segcli: Run, argv: list[str], code: int) -> None:
    done = segcli("shapes", "y[::-1]", "y=2,3,4", *argv)
    assert done.code == code
    assert "PyTorch has no negative steps" in done.out


def test_symbols_are_strings_in_json(segcli: Run) -> None:
    assert segcli("shapes", "x[m]", "x=8,16,3", "m=bool:8,16", "--json").json["torch"]["shape"] == ["nonzero(m)", 3]


def test_csv_is_the_trace(segcli: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("shapes", *NOTES, "--csv").out)))
    assert [row["token"] for row in rows] == ["a", "b", ":"]


def test_bare_json_holds_every_example(segcli: Run) -> None:
    examples = segcli("shapes", "--json").json["examples"]
    assert examples[0]["torch"]["shape"] == [4, 5, 3]
    assert len(examples) > 8


def test_the_answer_may_go_to_a_file(segcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    assert segcli("shapes", *NOTES, "-o", file).out == ""
    assert json.loads(file.read_text())["same"] is True


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["x["], "error: the expression ends: expected a name, a number or a bracket\n  x[\n    ^"),
        (["x[0]"], "error: x is not bound\n  x[0]\n  ^\nhint: append x=8,16,3 for its shape"),
        (["x[0]", "x=N-3"], "error: x=N-3 is neither a shape nor a literal\nhint: write a shape"),
        (["x[0]", "x"], "error: 'x' is not of the form NAME=SPEC\nhint: for example src=8,16,3"),
        (
            ["x.argmx(1)", "x=2,3"],
            "error: argmx is not supported\n  x.argmx(1)\n    ^^^^^\nhint: the nearest: x.argmax, x.argmin, x.amax",
        ),
        (["x.qqq(1)", "x=2,3"], "error: qqq is not supported\n  x.qqq(1)\n    ^^^\nhint: segcli shapes --help lists"),
        (["x[[0, 1]", "x=[0,1]"], "error: the expression ends: expected ']' to close '['"),
        (["x[0]", "x=[0,1]"], "error: x is bound to a literal, expected a tensor here\n  x[0]\n  ^\nhint: write"),
        (["x[:i]", "x=3,", "i=int64:()"], "error: the value of i is not known, and the size of a slice needs it"),
        (["x[a]", "x=2,4611686018427387903", "a=9,"], "error: the result would have shape"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_usage_is_refused(segcli: Run, argv: list[str], error: str) -> None:
    done = segcli("shapes", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_control_characters_do_not_reach_the_terminal(segcli: Run) -> None:
    done = segcli("shapes", "x\x1b[2J")
    assert done.code == 2
    assert "\x1b" not in done.err


def test_what_is_no_tensor_is_shown(segcli: Run) -> None:
    assert segcli("shapes", "x.shape", "x=N,3").out.splitlines()[0] == "x.shape  ->  (N, 3)  torch.Size"
    assert segcli("shapes", "x.ndim", "x=N,3").out.splitlines()[0] == "x.ndim  ->  2  int"
    assert segcli("shapes", "x.item()", "x=1,").out.splitlines()[0] == "x.item()  ->  float"


def test_long_tokens_are_cut_in_the_middle(segcli: Run) -> None:
    lines = segcli("shapes", "torch.cat([x.permute(1, 0).reshape(-1, 3), x], dim=0)", "x=2,3").out.splitlines()
    assert any(line.startswith("3  x.permute(1,...shape(-1, 3)") for line in lines)


def test_a_way_out_is_shown(segcli: Run) -> None:
    done = segcli("shapes", "x.permute(1, 0).view(-1)", "x=2,3")
    assert (done.code, done.out.splitlines()[-1]) == (1, "works in PyTorch: x.permute(1, 0).reshape(-1)")


@pytest.mark.parametrize(
    ("argv", "first"),
    [
        (["-x[0]", "x=2,3"], "-x[0]  ->  (3,)  float32, copy"),
        (["-logits.softmax(1)", "logits=2,3"], "-logits.softmax(1)  ->  (2, 3)  float32, copy"),
        (["-1 * x", "x=2,3"], "-1 * x  ->  (2, 3)  float32, copy"),
        (["-x", "x=2,3"], "-x  ->  (2, 3)  float32, copy"),
        (["-out[0]", "out=2,3"], "-out[0]  ->  (3,)  float32, copy"),
        (["-out * 2", "out=2,3"], "-out * 2  ->  (2, 3)  float32, copy"),
        (["-v.T", "v=2,3"], "-v.T  ->  (3, 2)  float32, copy"),
        (["--x[0]", "x=2,3"], "--x[0]  ->  (3,)  float32, copy"),
        (["-q", "-x[0]", "x=2,3"], "-x[0]  ->  (3,)  float32, copy"),
        (["--", "-x[0]", "x=2,3"], "-x[0]  ->  (3,)  float32, copy"),
        (["x[0]", "x=2,3", "-qv"], "x[0]  ->  (3,)  float32, view"),
        ([" x[0]\n", "x=2,3"], "x[0]  ->  (3,)  float32, view"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_expression_may_begin_with_a_minus(segcli: Run, argv: list[str], first: str) -> None:
    done = segcli("shapes", *argv)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == first


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["--jsn", "x=2,3"], "error: no such option: --jsn (Possible options: --csv, --json, --run)"),
        (["x[0]", "x=2,3", "--JSON"], "error: no such option: --JSON"),
        (["-j", "x[0]", "x=2,3"], "error: no such option: -j"),
        (["-qx", "x[0]", "x=2,3"], "error: no such option: -x"),
        (["x[0]", "x=2,3", "--batch=a(1).jsonl", "--jsn"], "error: no such option: --jsn"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_are_misspelt_are_found(segcli: Run, argv: list[str], error: str) -> None:
    done = segcli("shapes", *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_the_value_of_an_option_may_begin_with_a_minus(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert segcli("shapes", "x[0]", "x=2,3", "-o", "-x[0].json").code == 0
    assert segcli("shapes", "x[0]", "x=2,3", "-oanswer.json").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["-x[0].json", "answer.json"]


@pytest.mark.parametrize(
    ("argv", "first", "storage"),
    [
        (["x[0] = 1", "x=2,3"], "x[0] = 1  ->  (3,)  float32, written in place", "in place"),
        (["x += 1", "x=2,3"], "x += 1  ->  (2, 3)  float32, written in place", "in place"),
        (["x[[0]][0] = 1", "x=2,3"], "x[[0]][0] = 1  ->  (3,)  float32, written to a copy", "to a copy"),
    ],
)
def test_what_is_written_is_no_view(segcli: Run, argv: list[str], first: str, storage: str) -> None:
    lines = segcli("shapes", *argv).out.splitlines()
    assert lines[0] == first
    assert [f"   {storage}   " in line for line in lines[-2:]] == [True, True]


def test_a_value_is_broadcast_to_the_place(segcli: Run) -> None:
    lines = segcli("shapes", "x[0] = v", "x=2,3,4", "v=1,1,4").out.splitlines()
    place = lines.index("the value is broadcast to the place")
    assert [line.split() for line in lines[place + 1 : place + 5] if "axis" in line or "4" in line] == [
        ["operand", "axis", "0", "axis", "1"],
        ["x[0]", "3", "4"],
        ["v", "1", "4"],
    ]


def test_a_long_trace_is_cut_in_its_middle(segcli: Run) -> None:
    expr = f"torch.cat([{'x, ' * 300}])"
    lines = segcli("shapes", expr, "x=8,3").out.splitlines()
    assert sum(line.startswith("x  ") for line in lines) == 200
    assert any(line.startswith("... ") and "100 more; --json has them all" in line for line in lines)
    assert len(segcli("shapes", expr, "x=8,3", "--csv").out.splitlines()) == 301


def test_the_same_reason_stands_once(segcli: Run) -> None:
    assert segcli("shapes", "x[m] + y[m]", "x=8,3", "y=8,3", "m=bool:8").out.count("takes the place of") == 1
