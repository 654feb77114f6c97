"""What stands at the destination when a command is killed: nothing, what stood there before, or the whole result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from segcli.ckpt import join
from segcli.errors import SegcliError
from tests.formats.crafting import large, save

# `make fuzz` kills a hundred of each.
KILLS = int(os.environ.get("SEGCLI_KILLS", "8"))

# One process starts many that are killed, since starting Python takes longer than what is to be killed.
_KILLER = """
import contextlib, filecmp, json, os, random, signal, sys, time
from pathlib import Path
from segcli.ckpt.conversion.converting import convert

source, folder, kills, to, file_format = sys.argv[1:]
folder, expected = Path(folder), Path(folder).parent / "expected"
rng = random.Random(0)
words = {"to": to or None, "file_format": file_format or None}
started = time.monotonic()
convert(Path(source), expected, **words)
length = time.monotonic() - started
seen = {"nothing": 0, "before": 0, "whole": 0, "hidden but whole": 0}

def start():
    child = os.fork()
    if child == 0:
        convert(Path(source), folder / "out.pth", **words, force=True)
        os._exit(0)
    return child

def look():
    for path in folder.iterdir():
        if path.name != "out.pth":
            assert filecmp.cmp(path, expected, shallow=False), f"{path.name} is left, and not whole"
            seen["hidden but whole"] += 1
            path.unlink()
    out = folder / "out.pth"
    if not out.exists():
        assert number % 2 == 0, "what stood there before is gone"
        seen["nothing"] += 1
        return
    is_whole = filecmp.cmp(out, expected, shallow=False)
    assert is_whole or (number % 2 and out.read_bytes() == b"before"), "the destination is neither"
    seen["whole" if is_whole else "before"] += 1
    out.unlink()

for number in range(int(kills)):
    if number % 2:
        (folder / "out.pth").write_bytes(b"before")
    child = start()
    time.sleep(rng.uniform(0, length * 1.5))
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    look()
print(json.dumps(seen))
"""


@pytest.mark.parametrize(("to", "file_format"), [("cuda:0", ""), ("", "legacy")], ids=["copied", "written"])
def test_a_kill_at_any_moment_leaves_no_part(tmp_path: Path, to: str, file_format: str) -> None:
    source = large(tmp_path / "model.pth", 16 * 2**20)
    (tmp_path / "out").mkdir()
    options = [str(source), str(tmp_path / "out"), str(KILLS), to, file_format]
    command = [sys.executable, "-c", _KILLER, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout).values()) >= KILLS
    assert list((tmp_path / "out").iterdir()) == []


def test_a_refusal_leaves_no_destination(tmp_path: Path) -> None:
    weight = torch.ones(2)
    source = save({"a.b": weight, "a": {"b": weight}}, tmp_path / "model.pth")
    with pytest.raises(SegcliError, match=r"two tensors whose key is 'a\.b'"):
        join([source, source], tmp_path / "joined.pth")
    assert list(tmp_path.iterdir()) == [source]
