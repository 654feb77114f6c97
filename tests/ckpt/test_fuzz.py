"""Commands on files that are nearly checkpoints: `make fuzz` runs a million of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ckpt.corpus import write_corpus

CASES = int(os.environ.get("SEGCLI_FUZZ_CASES", "5000"))
SEED = int(os.environ.get("SEGCLI_FUZZ_SEED", "0"))
_CHUNKS = 4


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_files_that_are_nearly_checkpoints(tmp_path: Path, chunk: int) -> None:
    write_corpus(tmp_path)
    count = CASES // _CHUNKS
    options = ["--cases", str(count), "--first", str(chunk * count), "--seed", str(SEED)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.ckpt.fuzzing", tmp_path, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for ended in ("verify: ok", "verify: not ok", "inspect: done", "inspect: refused", "convert: done"):
        assert ended in done.stdout
