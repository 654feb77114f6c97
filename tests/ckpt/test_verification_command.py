import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Run
from tests.formats.crafting import checkpoint, large, pickled, save, storage


def damage(path: Path) -> None:
    raw = path.read_bytes()
    at = raw.index(torch.ones(8).numpy().tobytes())
    path.write_bytes(raw[:at] + b"\1" + raw[at + 1 :])


def test_a_whole_file(segcli: Run, source: Path, snapshot: SnapshotAssertion) -> None:
    done = segcli("ckpt", "verify", source)
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_a_damaged_file(segcli: Run, source: Path, snapshot: SnapshotAssertion) -> None:
    damage(source)
    done = segcli("ckpt", "verify", source)
    assert (done.code, done.err) == (1, "")
    assert done.out == snapshot


def test_the_json_is_the_documented_one(segcli: Run, source: Path) -> None:
    document = segcli("ckpt", "verify", source, "--json").json
    assert (document["schema"], document["ok"], document["findings"]) == ("segcli.ckpt.verify/1", True, [])
    damage(source)
    done = segcli("ckpt", "verify", source, "--json")
    assert done.code == 1
    ((finding,), ok) = done.json["findings"], done.json["ok"]
    assert not ok
    assert set(finding) == {"severity", "what", "where"}
    assert (finding["severity"], finding["where"]) == ("error", "model/data/2")


def test_the_csv_has_all_findings(segcli: Run, tmp_path: Path) -> None:
    path = save([torch.full((1,), float(index)) for index in range(1, 121)], tmp_path / "model.pth")
    raw = path.read_bytes()
    for index in range(1, 121):
        value = torch.full((1,), float(index)).numpy().tobytes()
        raw = raw.replace(b"Z" + value + b"PK", b"Z" + b"\x11" + value[1:] + b"PK")
    path.write_bytes(raw)
    rows = list(csv.reader(io.StringIO(segcli("ckpt", "verify", path, "--csv").out)))
    assert rows[0] == ["severity", "where", "what"]
    assert len(rows) > 101
    assert f"and {len(rows) - 101} more, which --json lists" in segcli("ckpt", "verify", path).out


def test_names_are_let_pass(segcli: Run, tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "model.pth", b"cargparse\nNamespace\n.")
    assert segcli("ckpt", "verify", path).code == 1
    assert segcli("ckpt", "verify", path, "--allow", "argparse.Namespace").code == 0


def test_values_are_looked_at_where_asked(segcli: Run, tmp_path: Path) -> None:
    path = save({"w": torch.tensor([float("nan")])}, tmp_path / "model.pth")
    assert "NaN" not in segcli("ckpt", "verify", path).out
    done = segcli("ckpt", "verify", path, "--values")
    assert done.code == 0
    assert "1 NaN of 1 elements" in done.out


def test_what_has_no_checksums(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(b"<html><title>Sign in</title>")
    done = segcli("ckpt", "verify", path)
    assert done.code == 1
    assert "an HTML page, not a checkpoint: 'Sign in'" in done.out
    assert "the checksums of" not in done.out


def test_what_is_no_file(segcli: Run) -> None:
    done = segcli("ckpt", "verify", "none.pth")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: none.pth does not exist\n")


def test_a_names_escapes_do_not_reach_the_terminal(segcli: Run, tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "model.pth", pickled({"\x1b[2J": [storage(key="\x1b[31m")]}))
    done = segcli("ckpt", "verify", path)
    assert done.code == 1
    assert "\x1b" not in done.out


_SLOW = """
import sys, time, zlib
from segcli.cli import run
from segcli.ckpt.verification import checksums

def slowly(piece, crc):
    print("reading", flush=True)
    time.sleep(60)

checksums.zlib = type("Slow", (), {"crc32": staticmethod(slowly)})
sys.exit(run(sys.argv[1:]))
"""


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SLOW, "ckpt", "verify", str(large(tmp_path / "model.pth"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "error: interrupted\n"


_PEAK = """
import json, sys
from segcli.cli import run
from tests.ckpt.peaks import peak_bytes
code = run(sys.argv[1:])
print(json.dumps([code, peak_bytes()]))
"""


def peak_megabytes(*words: object) -> float:
    """Run a command in a process of its own; return the memory that it needed."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *map(str, words)], capture_output=True, text=True, check=True, env=os.environ
    )
    code, size = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return float(size) / 2**20


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small = save({"w": torch.ones(10)}, tmp_path / "small.pth")
    path = large(tmp_path / "large.pth", 300 * 2**20)
    assert peak_megabytes("ckpt", "verify", path) < peak_megabytes("ckpt", "verify", small) + 10


def test_moving_twenty_thousand_tensors_takes_little_memory(tmp_path: Path) -> None:
    small = save({"w": torch.ones(1)}, tmp_path / "small.pth")
    path = save({f"model.layers.{index}.weight": torch.ones(1) for index in range(20_000)}, tmp_path / "many.pth")
    to = ["--to", "cuda:0"]
    many = peak_megabytes("ckpt", "convert", path, tmp_path / "cuda.pth", *to)
    # 2 kB for each; with all that the pickle says they would take 4.
    assert many < peak_megabytes("ckpt", "convert", small, tmp_path / "moved.pth", *to) + 50


def test_nothing_heavy_is_needed(tmp_path: Path) -> None:
    path = save({"w": torch.ones(10)}, tmp_path / "model.pth")
    for names, options in ((["torch"], ["--values"]), (["torch", "numpy"], [])):
        script = f"import sys; sys.modules.update(dict.fromkeys({names})); from segcli.cli import run"
        script += "; sys.exit(run(sys.argv[1:]))"
        done = subprocess.run([sys.executable, "-c", script, "ckpt", "verify", path, *options], check=False)
        assert done.returncode == 0


def test_several_files(segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pth", "b.pth", "c.pth"):
        save({"w": torch.ones(8)}, tmp_path / name)
    done = segcli("ckpt", "verify", "?.pth")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("whole, and safe to load") == 4
    assert done.out.endswith("3 of 3 checkpoints are whole, and safe to load\n")
    damage(tmp_path / "b.pth")
    document = segcli("ckpt", "verify", ".", "--json").json
    single = segcli("ckpt", "verify", "b.pth", "--json").json
    assert (document["schema"], document["ok"], document["failures"]) == ("segcli.ckpt.verify/1", False, [])
    assert [one["ok"] for one in document["files"]] == [True, False, True]
    assert {"schema": document["schema"], **document["files"][1]} == single
    done = segcli("ckpt", "verify", "a.pth", "b.pth")
    assert (done.code, "1 of 2 checkpoints are whole" in done.out) == (1, True)
    rows = list(csv.reader(io.StringIO(segcli("ckpt", "verify", "a.pth", "b.pth", "--csv").out)))
    assert [row[0] for row in rows] == ["file", "b.pth"]
    done = segcli("ckpt", "verify", "a.pth", "none.pth", "b.pth")
    assert (done.code, "none.pth does not exist" in done.out) == (2, True)
    assert not segcli("ckpt", "verify", "a.pth", "none.pth", "--json").json["ok"]
