import errno
import fcntl
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.launch import Ranks
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading import journal
from segcli.loss.spreading.journal import PerFile
from segcli.loss.spreading.journal_parts import existing_parts, part_path
from segcli.loss.spreading.pipeline import Outcome, run
from segcli.loss.spreading.scale import Scale
from segcli.loss.spreading.tally_state import load_state, save_state, state_facts
from tests.loss.summing import Summing, write_files

NAMES = [f"{index:02}" for index in range(9)]
REPOSITORY = Path(__file__).parent.parent.parent
TOY = [sys.executable, "-m", "tests.loss.summing"]


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    return write_files(tmp_path / "files", NAMES)


def asked(
    folder: Path, settings: dict[str, object] | None = None, *, resume: bool = False, force: bool = False
) -> Scale:
    return Scale(0, per_file=PerFile(folder / "out.jsonl", settings or {}, resume, force))


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def names(path: Path) -> list[str]:
    return [line["name"] for line in lines(path)[1:]]


def assert_equal(got: Outcome, expected: Outcome) -> None:
    """All figures are the same, to the last bit."""
    assert got.tally.keys() == expected.tally.keys()
    for name, tensor in expected.tally.items():
        assert torch.equal(got.tally[name], tensor), name
    assert (got.n_files, got.n_bytes, got.failures) == (expected.n_files, expected.n_bytes, expected.failures)


class Broken(Exception):  # noqa: N818 - what happens, not what is wrong
    """The end of a run in its midst."""


def interrupted_at(name: str, pairs: list[Pair], how: Scale) -> None:
    def stop(line: dict[str, Any]) -> None:
        if line["name"] == name:
            raise Broken

    with pytest.raises(Broken):
        run(pairs, Summing(), how, on_line=stop)


def test_each_file_has_a_line(tmp_path: Path, pairs: list[Pair]) -> None:
    plain = run(pairs, Summing(), Scale(0))
    assert_equal(run(pairs, Summing(), asked(tmp_path, {"thresh": 0.7, "classes": ("a", "b")})), plain)
    header, *rest = lines(tmp_path / "out.jsonl")
    assert header["schema"] == "segcli.loss.files/1"
    assert (header["settings"], header["n_pairs"]) == ({"thresh": 0.7, "classes": ["a", "b"]}, 9)
    sums = [float(np.load(pair.logits).sum()) for pair in pairs]
    assert [(line["name"], line["nan"]) for line in rest] == [(name, None) for name in NAMES]
    assert [line["sum"] for line in rest] == pytest.approx(sums)


def test_what_is_there_is_not_replaced_by_chance(tmp_path: Path, pairs: list[Pair]) -> None:
    run(pairs, Summing(), asked(tmp_path))
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(SegcliError, match=r"out\.jsonl exists already") as caught:
        run(pairs, Summing(), asked(tmp_path))
    assert caught.value.hint == "go on with it: --resume; replace it: --force; or choose another name"
    assert (tmp_path / "out.jsonl").read_bytes() == before
    run(pairs[:3], Summing(), asked(tmp_path, force=True))
    assert names(tmp_path / "out.jsonl") == NAMES[:3]


def test_work_is_taken_up_where_it_ended(tmp_path: Path, pairs: list[Pair]) -> None:
    interrupted_at("04", pairs, asked(tmp_path))
    told: list[str] = []
    steps: list[tuple[int, int]] = []
    resumed = run(
        pairs, Summing(), asked(tmp_path, resume=True),
        on_line=lambda line: told.append(line["name"]), advance=lambda *step: steps.append(step),
    )  # fmt: skip
    assert_equal(resumed, run(pairs, Summing(), Scale(0)))
    assert (resumed.n_resumed, resumed.notes) == (5, ())
    assert told == names(tmp_path / "out.jsonl") == NAMES
    assert steps == [(5, 0), *([(1, 512)] * 4)]


def test_work_that_is_done_is_not_done_again(tmp_path: Path, pairs: list[Pair]) -> None:
    first = run(pairs, Summing(), asked(tmp_path))
    again = run(pairs, Summing(), asked(tmp_path, resume=True))
    assert_equal(again, first)
    assert again.n_resumed == 9


def test_where_nothing_is_the_work_begins(tmp_path: Path, pairs: list[Pair]) -> None:
    outcome = run(pairs, Summing(), asked(tmp_path, resume=True))
    assert (outcome.n_resumed, outcome.n_files) == (0, 9)


def test_bad_files_are_told_again(tmp_path: Path) -> None:
    pairs = write_files(tmp_path / "files", ["0", "bad-1", "2", "3"])
    path = tmp_path / "out.jsonl"
    skipping = Scale(0, on_error="skip", per_file=PerFile(path))
    interrupted_at("2", pairs, skipping)
    resumed = run(pairs, Summing(), Scale(0, on_error="skip", per_file=PerFile(path, resume=True)))
    assert_equal(resumed, run(pairs, Summing(), Scale(0, on_error="skip")))
    assert resumed.failures[0].hint == lines(path)[2]["hint"] == "save it again"
    assert lines(path)[2]["error"].endswith("bad-1.npy is damaged")


def test_a_mended_file_goes_on(tmp_path: Path) -> None:
    pairs = write_files(tmp_path / "files", ["0", "bad-1", "2"])
    with pytest.raises(SegcliError, match="is damaged"):
        run(pairs, Summing(), asked(tmp_path))
    assert names(tmp_path / "out.jsonl") == ["0"]
    with pytest.raises(SegcliError, match="is damaged"):
        run(pairs, Summing(), asked(tmp_path, resume=True))
    assert names(tmp_path / "out.jsonl") == ["0"]


@pytest.mark.parametrize(
    ("settings", "count", "words"),
    [
        ({"thresh": 0.6, "n_min": 4}, 9, r"cannot be taken up: thresh was 0\.7, is 0\.6$"),
        ({"thresh": 0.7, "n_min": 5}, 8, "n_min was 4, is 5; there were 9 pairs of files, there are 8$"),
        ({"thresh": 0.7, "n_min": 4, "gamma": 2}, 9, "gamma was null, is 2$"),
    ],
    ids=["thresh", "n_min and files", "a new one"],
)
def test_other_settings_are_refused_by_name(
    tmp_path: Path, pairs: list[Pair], settings: dict[str, object], count: int, words: str
) -> None:
    interrupted_at("04", pairs, asked(tmp_path, {"thresh": 0.7, "n_min": 4}))
    with pytest.raises(SegcliError, match=words) as caught:
        run(pairs[:count], Summing(), asked(tmp_path, settings, resume=True))
    assert caught.value.hint.startswith("take it up with the same settings and files, or start over with --force")


def test_other_files_are_refused(tmp_path: Path, pairs: list[Pair]) -> None:
    interrupted_at("04", pairs, asked(tmp_path))
    with pytest.raises(SegcliError, match="the pairs of files are others, or in another order"):
        run(pairs[::-1], Summing(), asked(tmp_path, resume=True))


def test_a_file_that_changed_is_refused(tmp_path: Path, pairs: list[Pair]) -> None:
    interrupted_at("04", pairs, asked(tmp_path))
    later = time.time() + 100
    os.utime(pairs[7].logits, (later, later))
    Path(pairs[1].logits).unlink()
    assert run(pairs, Summing(), asked(tmp_path, resume=True)).n_resumed == 5
    os.utime(pairs[2].logits, (later, later))
    with pytest.raises(SegcliError, match=r"files/02\.npy changed after it was measured"):
        run(pairs, Summing(), asked(tmp_path, resume=True))


@pytest.mark.parametrize("content", [b"name,loss\n", b'{"schema": "segcli.loss/1"}\n', b"[]\n"], ids=repr)
def test_another_kind_of_file_is_refused(tmp_path: Path, pairs: list[Pair], content: bytes) -> None:
    (tmp_path / "out.jsonl").write_bytes(content)
    with pytest.raises(SegcliError, match=r"out\.jsonl is no file of segcli loss --per-file"):
        run(pairs, Summing(), asked(tmp_path, resume=True))
    assert (tmp_path / "out.jsonl").read_bytes() == content


def damage(folder: Path, how: str) -> None:
    path, state = folder / "out.jsonl", folder / "out.jsonl.state"
    content = path.read_bytes()
    match how:
        case "a line cut short":
            path.write_bytes(content + b'{"name": "05", "su')
        case "a line too many":
            path.write_bytes(content + b'{"name": "05", "sum": 99}\n')
        case "a line too few":
            path.write_bytes(b"".join(content.splitlines(keepends=True)[:3]))
        case "half a header":
            path.write_bytes(content[:20])
        case "no state":
            state.unlink()
        case "half a state":
            state.write_bytes(state.read_bytes()[:50])
        case "a state of another run":
            save_state(state, load_state(state), {**(state_facts(state) or {}), "run": "other"})
        case "a strange line":
            path.write_bytes(content.replace(b'"01"', b'"no"'))
        case _:
            path.write_bytes(content.replace(b'{"name": "01"', b'["name": "01"'))


@pytest.mark.parametrize(
    ("how", "n_resumed", "note"),
    [
        ("a line cut short", 5, ""),
        ("a line too many", 5, ""),
        ("a line too few", 0, "and its state do not fit together: its files are measured again"),
        ("half a header", 0, ""),
        ("no state", 0, "has no state of its own beside it: its files are measured again"),
        ("half a state", 0, "has no state of its own beside it: its files are measured again"),
        ("a state of another run", 0, "has no state of its own beside it: its files are measured again"),
        ("a strange line", 0, "and its state do not fit together: its files are measured again"),
        ("a line that is no JSON", 0, "and its state do not fit together: its files are measured again"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_measured_again(
    tmp_path: Path, pairs: list[Pair], how: str, n_resumed: int, note: str
) -> None:
    interrupted_at("04", pairs, asked(tmp_path))
    damage(tmp_path, how)
    resumed = run(pairs, Summing(), asked(tmp_path, resume=True))
    assert_equal(resumed, run(pairs, Summing(), Scale(0)))
    assert resumed.n_resumed == n_resumed
    assert resumed.notes == ((f"{tmp_path}/out.jsonl {note}",) if note else ())
    assert names(tmp_path / "out.jsonl") == NAMES


def test_a_header_alone_is_nothing_lost(tmp_path: Path, pairs: list[Pair]) -> None:
    run(pairs, Summing(), asked(tmp_path))
    header = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "out.jsonl").write_bytes(header)
    (tmp_path / "out.jsonl.state").unlink()
    assert run(pairs, Summing(), asked(tmp_path, resume=True)).notes == ()


def test_a_state_whose_values_cannot_be_read(tmp_path: Path) -> None:
    save_state(tmp_path / "s", {"n": torch.tensor([0, 0, 0, 1])}, {})
    (tmp_path / "s").write_bytes((tmp_path / "s").read_bytes().replace(b"#places", b"#others"))
    with pytest.raises(SegcliError, match="s cannot be read: 'n#places'") as caught:
        load_state(tmp_path / "s")
    assert caught.value.hint.startswith("ranks on several machines must write to a folder that all of them share")


@given(values=st.lists(st.integers(-2, 2), max_size=12), as_float=st.booleans())
@example(values=[0, 0, 0, 0, 5], as_float=True)
@example(values=[1, 2], as_float=False)
@example(values=[], as_float=False)
def test_a_state_holds_the_tally(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], *, as_float: bool
) -> None:
    path = tmp_path_factory.mktemp("state") / "s"
    column = torch.tensor(values, dtype=torch.float64 if as_float else torch.int64)[:, None]
    tally = {"column": column, "one": torch.tensor(3), "zero": torch.tensor(0.0, dtype=torch.float64)}
    save_state(path, tally, {"run": "x"})
    found = load_state(path)
    assert found.keys() == tally.keys()
    for name, tensor in tally.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    assert (state_facts(path) or {})["run"] == "x"


def test_a_sparse_state_is_small(tmp_path: Path) -> None:
    counts = torch.zeros(1_000_000, dtype=torch.int64)
    counts[::10_000] = 7
    save_state(tmp_path / "s", {"histogram": counts}, {})
    assert (tmp_path / "s").stat().st_size < 10_000
    assert torch.equal(load_state(tmp_path / "s")["histogram"], counts)


def test_a_state_is_kept_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pairs: list[Pair]) -> None:
    saved: list[int] = []
    monkeypatch.setattr(journal, "save_state", lambda *what: saved.append(int(what[2]["n_lines"])))
    run(pairs, Summing(), asked(tmp_path))
    assert saved == [1, 9]
    monkeypatch.setattr(journal, "_SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(journal, "_SAVE_SHARE", 0)
    run(pairs, Summing(), asked(tmp_path, force=True))
    assert saved == [1, 9, *range(1, 10), 9]


def test_a_full_disk_is_told_and_leaves_whole_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pairs: list[Pair]
) -> None:
    write = os.write

    def half(descriptor: int, content: bytes) -> int:
        if b'"04"' in content:
            return write(descriptor, content[:30])
        if not content.startswith(b"{"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(SegcliError, match=r"cannot write .*out\.jsonl: No space left on device") as caught:
        run(pairs, Summing(), asked(tmp_path))
    assert caught.value.hint == "what is done so far is kept: make room, and go on with --resume"
    monkeypatch.undo()
    assert names(tmp_path / "out.jsonl") == NAMES[:4]
    assert_equal(run(pairs, Summing(), asked(tmp_path, resume=True)), run(pairs, Summing(), Scale(0)))


def test_two_runs_do_not_share_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pairs: list[Pair]) -> None:
    interrupted_at("04", pairs, asked(tmp_path))
    monkeypatch.setattr(journal, "_LOCK_WITHIN_S", 0.2)
    with (tmp_path / "out.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SegcliError, match=r"another process writes to .*out\.jsonl"):
            run(pairs, Summing(), asked(tmp_path, resume=True))
    assert run(pairs, Summing(), asked(tmp_path, resume=True)).n_resumed == 5


def test_two_runs_do_not_begin_one_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pairs: list[Pair]) -> None:
    monkeypatch.setattr(journal, "_LOCK_WITHIN_S", 0.2)
    # The other one begins after this one has looked.
    monkeypatch.setattr(journal, "existing_parts", lambda _: [])
    with (tmp_path / "out.jsonl").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SegcliError, match=r"another process writes to .*out\.jsonl"):
            run(pairs, Summing(), asked(tmp_path))


def test_a_mount_without_locks_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pairs: list[Pair]) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert run(pairs, Summing(), asked(tmp_path)).n_files == 9


def test_a_destination_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pairs: list[Pair]
) -> None:
    with pytest.raises(SegcliError, match="there is no folder"):
        run(pairs, Summing(), asked(tmp_path / "nowhere"))
    monkeypatch.setattr(journal, "check_destination", lambda *_, **__: None)
    with pytest.raises(SegcliError, match=r"cannot write .*out\.jsonl: No such file or directory"):
        run(pairs, Summing(), asked(tmp_path / "nowhere"))


def toy(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*TOY, str(folder / "files"), "--per-file", str(folder / "out.jsonl"), *options]
    return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)


def figures(done: subprocess.CompletedProcess[str]) -> list[float]:
    """Return the count, two sums, and three more counts."""
    assert (done.returncode, done.stderr) == (0, "")
    return [float.fromhex(word) if "x" in word else int(word) for word in done.stdout.split()]


def kill_when(folder: Path, at_bytes: int, *options: str) -> None:
    argv = [*TOY, str(folder / "files"), "--per-file", str(folder / "out.jsonl"), "--pause-s", "0.02"]
    argv += ["--save-every-s", "0.1", *options]
    with subprocess.Popen(argv, cwd=REPOSITORY, start_new_session=True) as process:
        while process.poll() is None and sum(part.stat().st_size for part in folder.glob("out*.jsonl")) < at_bytes:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -9, "it was done too soon"


def test_a_killed_run_is_taken_up_and_says_the_same(tmp_path: Path) -> None:
    pairs = write_files(tmp_path / "files", [f"{index:03}" for index in range(150)])
    rng = random.Random(5)
    n_done = 0
    for resume in ((), ("--resume",), ("--resume", "--workers", "1")):
        kill_when(tmp_path, 300 + 55 * n_done + rng.randrange(55 * 40), *resume)
        n_done = len((tmp_path / "out.jsonl").read_bytes().splitlines()) - 1
    expected = run(pairs, Summing(), Scale(0))
    facts = state_facts(tmp_path / "out.jsonl.state")
    assert facts
    assert 0 < int(facts["n_lines"]) < 150
    n_files, first, second, *_, n_told = figures(toy(tmp_path, "--resume"))
    assert [first, second] == expected.tally["sums"].tolist()
    assert (n_files, n_told) == (150, 150)
    assert names(tmp_path / "out.jsonl") == [pair.name for pair in pairs]


def test_killed_ranks_are_taken_up_by_more_or_fewer(tmp_path: Path) -> None:
    pairs = write_files(tmp_path / "files", [f"{index:03}" for index in range(120)])
    kill_when(tmp_path, 2000, "--nproc", "2")
    assert existing_parts(tmp_path / "out.jsonl") == [tmp_path / "out.rank0.jsonl", tmp_path / "out.rank1.jsonl"]
    refused = toy(tmp_path, "--nproc", "2")
    assert refused.returncode == 2
    assert "out.rank0.jsonl exists already" in refused.stderr
    kill_when(tmp_path, 3500, "--resume")
    expected = run(pairs, Summing(), Scale(0))
    n_files, first, second, *_, n_told = figures(toy(tmp_path, "--resume", "--nproc", "2"))
    assert [first, second] == pytest.approx(expected.tally["sums"].tolist(), rel=1e-12)
    assert (n_files, n_told) == (120, 120)
    assert names(tmp_path / "out.jsonl") == [pair.name for pair in pairs]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "out.jsonl", "out.jsonl.state"]
    assert figures(toy(tmp_path, "--resume"))[1:3] == [first, second]


def test_what_an_end_while_joining_left_is_removed(tmp_path: Path, pairs: list[Pair]) -> None:
    first = run(pairs, Summing(), asked(tmp_path))
    for name in ("out.jsonl", "out.jsonl.state"):
        (tmp_path / name.replace("out", "out.rank1")).write_bytes((tmp_path / name).read_bytes())
    assert_equal(run(pairs, Summing(), asked(tmp_path, resume=True)), first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "out.jsonl", "out.jsonl.state"]


def test_ranks_that_share_no_folder_are_told(
    tmp_path: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second rank's file lies on another machine.
    interrupted_at("04", pairs, asked(tmp_path))
    for name in ("out.jsonl", "out.jsonl.state"):
        (tmp_path / name).rename(tmp_path / name.replace("out", "out.rank0"))
    monkeypatch.setattr(journal.Journal, "written", lambda self: self._part)
    with pytest.raises(
        SegcliError, match=r"the parts of .* have 5 lines of 5 pairs, expected one of each of 9"
    ) as caught:
        run(pairs, Summing(), asked(tmp_path, resume=True))
    assert caught.value.hint == "ranks on several machines must write to a folder that all of them share"


def test_parts_are_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert part_path(path, Ranks()) == path
    assert part_path(path, Ranks(3, 4)) == tmp_path / "out.rank3.jsonl"
    for name in (
        "out.rank10.jsonl",
        "out.rank9.jsonl",
        "out.rankx.jsonl",
        "out.rank1.jsonl.state",
        "about.rank1.jsonl",
    ):
        (tmp_path / name).touch()
    assert existing_parts(path) == [tmp_path / "out.rank9.jsonl", tmp_path / "out.rank10.jsonl"]
    assert existing_parts(tmp_path / "nowhere" / "out.jsonl") == []
