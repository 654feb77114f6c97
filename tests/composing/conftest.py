"""A tree of YAML files, and a command that takes its options from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.composing import toy
from tests.conftest import Finished, Run

TREE = {
    "config.yaml": "defaults: [{loss: ohem}, _self_]\nrun: {workers: 4}\n",
    "loss/ohem.yaml": "thresh: 0.6\nn_min: 1/32\n",
    "loss/dice.yaml": "# sums of squares below\nloss: dice\nsquared: true\nreduce: batch\n",
    "data/val.yaml": "logits: val/logits\nlabels: ???\nclass_names: [road, car]\n",
    "experiment/fast.yaml": "# @package _global_\nrun: {workers: 16}\nloss: {thresh: 0.9}\n",
}

# What the toy command is called with where nothing is said.
DEFAULTS = {
    "logits": None,
    "labels": None,
    "losses": "all that apply",
    "thresh": 0.7,
    "n_min": "1/16",
    "gamma": 2.0,
    "alpha": None,
    "smooth": None,
    "squared": False,
    "reduce": "image",
    "absent": "skip",
    "ignore_index": 255,
    "class_names": "",
    "resize": None,
    "images": None,
    "workers": 0,
    "over": "file",
    "top": 10,
    "metrics": True,
    "sweep": None,
    "device": "cpu",
}

Write = Callable[[dict[str, str]], Path]
Options = Callable[..., dict[str, Any]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write files into the tree ``conf`` of the working folder."""
    monkeypatch.chdir(tmp_path)

    def files(contents: dict[str, str]) -> Path:
        for name, content in contents.items():
            path = tmp_path / "conf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return Path("conf")

    return files


@pytest.fixture
def tree(write: Write) -> Path:
    return write(TREE)


@pytest.fixture
def command(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the toy command behind the real front door."""
    monkeypatch.setattr("segcli.cli.app", toy.app)
    return lambda *argv: segcli("loss", *argv)


@pytest.fixture
def options(command: Run) -> Options:
    """Run the toy command, and return the options that it was called with."""

    def called_with(*argv: object) -> dict[str, Any]:
        toy.seen.clear()
        done: Finished = command(*argv)
        assert (done.code, done.err) == (0, "")
        return toy.seen[0]

    return called_with


def assert_short(err: str) -> None:
    """Nothing of Hydra's own: no second line of a message, no search path, no traceback."""
    lines = err.splitlines()
    assert len(lines) <= 2
    assert not [line for line in lines[1:] if not line.startswith("hint: ")]
    for word in ("Traceback", "full_key", "object_type", "hydra.cc", "searchpath:", "structured://"):
        assert word not in err
