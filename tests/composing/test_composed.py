"""What composing leaves alone: help, completion, folders, Hydra's own state, and imports nobody asked for."""

import os
import subprocess
import sys
from pathlib import Path

import hydra
import pytest
import typer.main
from hydra.core.global_hydra import GlobalHydra

from tests.composing import toy
from tests.conftest import Run


def test_help_and_completion_compose_nothing(command: Run) -> None:
    argv = ("--config-dir", "nowhere", "--config-name", "nothing", "-O", "loss.tresh=1", "--help")
    done = command(*argv)
    assert done.code == 0
    assert "--config-dir" in done.out
    toy_command = typer.main.get_command(toy.app).commands["loss"]  # type: ignore[attr-defined]
    context = toy_command.make_context("loss", ["--config-dir", "nowhere", "-O", "x"], resilient_parsing=True)
    assert context.default_map is None


def test_nothing_is_written_and_nothing_stays(tree: Path, command: Run, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for argv in ((), ("-O", "loss=nothing"), ("-O", "loss.thresh=high"), ("-O", "thresh"), ("-O", "~loss.gamma")):
        command("--config-dir", tree, *argv)
        assert not GlobalHydra().is_initialized()
    assert sorted(tmp_path.rglob("*")) == before


def test_hydras_own_state_of_a_host_is_kept(tree: Path, command: Run) -> None:
    with hydra.initialize(version_base="1.3", config_path=None):
        done = command("--config-dir", tree)
        assert GlobalHydra().is_initialized()
    assert (done.code, done.err) == (0, "")


_START = """
import sys
from pathlib import Path
import typer
from tests.composing import toy
from segcli import cli
cli.app = toy.app
code = cli.run(sys.argv[1:])
print([name for name in sys.modules if name.split(".")[0] in ("hydra", "omegaconf", "yaml", "torch", "numpy")][:9])
sys.exit(code)
"""


def start(*argv: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", _START, "loss", *argv],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_nothing_of_hydra_is_imported_unasked() -> None:
    done = start("--thresh", "0.5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_without_hydra(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hydra", None)
    done = command("-O", "thresh=0.5")
    assert (done.code, done.out) == (3, "")
    first, hint = done.err.splitlines()
    assert first.startswith("error: hydra cannot be imported, and --config-dir and -O compose options with it: ")
    assert hint == "hint: pip install 'segcli[hydra]'"
    assert command("--thresh", "0.5").code == 0
