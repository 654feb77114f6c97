"""The rules on imports and start-up, proved in processes where the heavy modules cannot be imported."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Finished

HEAVY = ("torch", "numpy", "tensorboardX", "hydra")
PACKAGE = Path(__file__).parent.parent / "segcli"

# None in sys.modules makes an import fail with ModuleNotFoundError, wherever it stands.
_POISONED = """
import sys
for name in {names!r}:
    sys.modules[name] = None
from segcli.cli import run
sys.exit(run(sys.argv[1:]))
"""


def run_poisoned(*argv: str, names: tuple[str, ...] = HEAVY, cwd: Path | None = None) -> Finished:
    done = subprocess.run(
        [sys.executable, "-c", _POISONED.format(names=names), *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100"},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def commands() -> list[tuple[str, ...]]:
    """Return every command and group, walked from the program itself."""
    import typer.main

    from segcli.cli import app

    def walk(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        below: dict[str, object] = getattr(command, "commands", {})
        return [path, *(found for name, child in below.items() for found in walk(child, (*path, name)))]

    return walk(typer.main.get_command(app), ())


@pytest.mark.parametrize("path", commands(), ids=lambda path: " ".join(("segcli", *path)))
def test_help_needs_nothing_heavy(path: tuple[str, ...]) -> None:
    done = run_poisoned(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage: " + " ".join(("segcli", *path)) in done.out


@pytest.mark.parametrize("path", commands(), ids=lambda path: " ".join(("segcli", *path)))
def test_every_option_and_command_is_explained(path: tuple[str, ...]) -> None:
    import typer.main

    from segcli.cli import app

    command: object = typer.main.get_command(app)
    for name in path:
        command = getattr(command, "commands")[name]  # noqa: B009 - Typer's group class has no public name
    assert getattr(command, "help", ""), "no help text"
    unexplained = [parameter.name for parameter in getattr(command, "params", []) if not parameter.help]
    assert unexplained == []


@pytest.mark.parametrize(
    "argv",
    [
        ("--version",),
        ("shapes",),
        ("shapes", "src[a, b, :]", "src=8,16,3", "a=4,5", "b=4,5"),
        ("shapes", "x.argmax(dim=1)", "x=2,3,4", "--json"),
        ("params",),
        ("params", "conv", "64", "128", "--csv"),
        ("bench", "list"),
    ],
    ids=" ".join,
)
def test_light_commands_need_nothing_heavy(argv: tuple[str, ...]) -> None:
    done = run_poisoned(*argv)
    assert (done.code, done.err) == (0, "")
    assert done.out


def test_checkpoints_need_nothing_heavy(tmp_path: Path) -> None:
    import torch

    torch.save({"state_dict": {"weight": torch.arange(6.0).reshape(2, 3)}}, tmp_path / "cpu.pth")
    assert run_poisoned("ckpt", "inspect", "cpu.pth", cwd=tmp_path).code == 0
    done = run_poisoned("ckpt", "convert", "cpu.pth", "cuda.pth", "--to", "cuda:0", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "cuda.pth").exists()
    # Arithmetic alone takes numpy: another dtype, and tensors whose elements do not lie one behind another.
    for source, destination in (("cpu.pth", "it.safetensors"), ("it.safetensors", "back.pth")):
        done = run_poisoned("ckpt", "convert", source, destination, cwd=tmp_path)
        assert (done.code, done.err) == (0, "")
    done = run_poisoned("ckpt", "convert", "cpu.pth", "old.pth", "--format", "legacy", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert run_poisoned("ckpt", "verify", "cuda.pth", cwd=tmp_path).code == 0
    done = run_poisoned("ckpt", "strip", "cpu.pth", "weights.pth", "--weights-only", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")


def test_a_batch_of_shapes_needs_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_text('{"expr": "x[0]", "bind": {"x": "2,3"}}\n')
    done = run_poisoned("shapes", "--batch", "questions.jsonl", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1


def test_confirming_needs_torch_and_says_so() -> None:
    done = run_poisoned("shapes", "x[0]", "x=2,3", "--run")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: torch cannot be imported")


def test_the_poison_works() -> None:
    done = run_poisoned("loss", "logits.pt", "labels.pt", names=("segcli.files",))
    assert done.code != 0
    assert "segcli.files" in done.err


def test_click_is_never_imported() -> None:
    """Typer vendors Click: the package of that name need not be installed."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "click" or "_click" in name], path


def test_a_public_name_is_handed_on_lazily() -> None:
    code = "import sys, segcli.params, segcli.shapes; print([m for m in sys.modules if m.startswith('segcli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['segcli.params', 'segcli.shapes']\n"


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import segcli.params

    with pytest.raises(AttributeError, match=r"module 'segcli\.params' has no attribute 'nothing'"):
        segcli.params.nothing  # noqa: B018 - the look-up itself is under test
