"""Fixtures that every room's tests share."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Deadlines are times, and times are never asserted; a fixed seed keeps a run repeatable (`make fuzz` draws fresh ones).
settings.register_profile("test", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

# What a shell starts in the background ignores Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any document
        return json.loads(self.out)


Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "PYTHONHASHSEED", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def segcli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, through the error boundary."""
    from segcli.cli import run

    def finish(*argv: object) -> Finished:
        capsys.readouterr()
        code = run([str(argument) for argument in argv])
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return finish


@pytest.fixture
def segcli_process() -> Run:
    """Run a command in a process of its own: slower, but with real streams and start-up."""

    def finish(*argv: object, stdin: str = "", env: dict[str, str] | None = None, cwd: Path | None = None) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "segcli", *(str(argument) for argument in argv)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            timeout=120,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return finish


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, and say so. Torch is imported only where such a test was collected."""
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and torch.cuda.is_available() is False here"))
