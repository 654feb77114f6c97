"""The tree in the documentation composes, each of its files with each."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.composing.conftest import Options

FOLDER = Path(__file__).parent.parent.parent / "docs/examples/config"


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / group).glob("*.yaml"))


@pytest.mark.parametrize(("loss", "data"), list(itertools.product(names("loss"), names("data"))))
def test_every_choice_composes(options: Options, loss: str, data: str) -> None:
    argv = () if data == "demo" else ("-O", "logits=predictions", "-O", "labels=gtFine/val")
    done = options("--config-dir", FOLDER, "-O", f"loss={loss}", "-O", f"data={data}", *argv)
    assert done["losses"].split(",") == (["ce", "ohem", "dice", "focal"] if loss == "all" else [loss])
    assert len(done["class_names"].split(",")) == {"demo": 5, "cityscapes": 19}[data]
    assert (done["workers"], done["over"], done["top"]) == (2, "file", 5)


EXAMPLES: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    ((), {"losses": "ce,ohem,dice,focal", "logits": "demo-output/logits.pt", "n_min": "1/16"}),
    (("-O", "loss=ohem", "-O", "loss.thresh=0.6"), {"losses": "ohem", "thresh": 0.6}),
    (("-O", "loss=ohem", "-O", "thresh=0.6,0.7"), {"losses": "ohem", "thresh": 0.7, "sweep": ["thresh=0.6,0.7"]}),
]


@pytest.mark.parametrize(("argv", "expected"), EXAMPLES, ids=" ".join)
def test_what_the_main_file_says(options: Options, argv: tuple[str, ...], expected: dict[str, Any]) -> None:
    done = options("--config-dir", FOLDER, *argv)
    assert {name: done[name] for name in expected} == expected
    typed = " ".join(("segcli loss --config-dir docs/examples/config", *argv))
    assert typed in (FOLDER / "config.yaml").read_text()
