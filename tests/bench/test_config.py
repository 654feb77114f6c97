"""The tree in the documentation composes, and what is wrong in a tree or with -O is refused in words of the bench."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Run

FOLDER = Path(__file__).parent.parent.parent / "docs/examples/config"
TREE = ("bench", "--config-dir", str(FOLDER), "--config-name", "bench")
EXAMPLES: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    ((), {"kernels": {"suite": "conv,norm", "channels_last": True}, "run": {"time_budget": 60.0, "passes": 3}}),
    (("-O", "kernels=losses"), {"kernels": {"suite": "loss", "size": "256x512,512x1024"}}),
    (
        ("-O", "machine=gpu", "-O", "run.time_budget=30"),
        {"machine": {"device": "cuda", "tf32": True}, "run": {"time_budget": 30.0}},
    ),
    (("-O", "size=[256x512,512x1024]"), {"kernels": {"size": "256x512,512x1024"}}),
]


def shown(segcli: Run, *argv: str) -> dict[str, Any]:
    done = segcli(*TREE, *argv, "--show-config")
    assert (done.code, done.err) == (0, "")
    document: dict[str, Any] = yaml.safe_load(done.out)
    return document


@pytest.mark.parametrize(("argv", "expected"), EXAMPLES, ids=lambda value: " ".join(value) or "alone")
def test_what_the_main_file_says(segcli: Run, argv: tuple[str, ...], expected: dict[str, dict[str, Any]]) -> None:
    found = shown(segcli, *argv)
    for group, values in expected.items():
        assert {key: found[group][key] for key in values} == values
    typed = " ".join(f"'{word}'" if "[" in word else word for word in argv)
    line = f"segcli bench --config-dir docs/examples/config --config-name bench {typed}".rstrip()
    assert line in (FOLDER / "bench.yaml").read_text()


def test_ones_own_kernels_come_from_a_tree_too(segcli: Run) -> None:
    given = ("-O", "kernels.import=[own:one,own:two]", "-O", "kernels.setup=own:data")
    assert shown(segcli, "-O", "kernels=own", *given)["kernels"]["import"] == ["own:one", "own:two"]
    done = segcli(*TREE, "-O", "kernels=own")
    assert done.code == 2
    assert "'kernels.import' in " in done.err
    assert "is ???, expected a value" in done.err


@pytest.mark.parametrize(
    ("override", "error"),
    [
        (
            "size=256x512,512x1024",
            "-O size=256x512,512x1024 sweeps over kernels.size; this command sweeps nothing\nhint: fo",
        ),
        ("run.passes=many", "invalid value for 'run.passes' in -O run.passes=many: 'many' is not a valid int"),
        ("run.pases=3", "-O run.pases=3 names an unknown key 'run.pases'\nhint: did you mean run.passes"),
        ("kernels=loses", "there is no "),
    ],
)
def test_what_is_wrong_is_refused(segcli: Run, override: str, error: str) -> None:
    done = segcli(*TREE, "-O", override)
    assert (done.code, done.out) == (2, "")
    assert error in done.err


def test_help_does_not_tell_of_sweeps(segcli: Run) -> None:
    found = " ".join(segcli("bench", "--help").out.replace("│", " ").split())
    assert "Set a key of the tree, or choose a group's file (kernels=FILE). Repeatable." in found
    assert "sweep" not in found


def test_a_file_of_options_gives_defaults(segcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "segcli.yaml"
    file.write_text("bench:\n  suite: [los, conv]\n")
    done = segcli("bench", "--config", file)
    assert (done.code, done.err) == (2, "error: unknown suite 'los'\nhint: did you mean loss?\n")
