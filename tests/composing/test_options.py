from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from segcli.composing.options import with_composition
from tests.composing import toy
from tests.composing.conftest import DEFAULTS, Options, Write
from tests.conftest import Run

# What the main file of the tree says.
OHEM = {"thresh": 0.6, "n_min": "1/32", "workers": 4}


@pytest.mark.parametrize(
    ("argv", "changed"),
    [
        ((), {**OHEM}),
        (("-O", "loss=dice"), {"losses": "dice", "squared": True, "reduce": "batch", "workers": 4}),
        (("-O", "loss=dice.yaml"), {"losses": "dice", "squared": True, "reduce": "batch", "workers": 4}),
        (
            ("-O", "loss=[dice,ohem]"),
            {"losses": "dice", "squared": True, "reduce": "batch", "thresh": 0.6, "n_min": "1/32", "workers": 4},
        ),
        (("-O", "loss.thresh=0.5"), {"thresh": 0.5, "n_min": "1/32", "workers": 4}),
        (("-O", "thresh=0.5"), {"thresh": 0.5, "n_min": "1/32", "workers": 4}),
        (("-O", "thresh=0.5", "-O", "thresh=0.4"), {"thresh": 0.4, "n_min": "1/32", "workers": 4}),
        (("-O", "+thresh=0.5", "-O", "++run.top=3"), {"thresh": 0.5, "n_min": "1/32", "workers": 4, "top": 3}),
        (("-O", "~loss"), {"workers": 4}),
        (("-O", "~loss.n_min"), {"thresh": 0.6, "workers": 4}),
        (("-O", "~n_min=1/32"), {"thresh": 0.6, "workers": 4}),
        (("-O", "run={top: 3, over: all}"), {**OHEM, "top": 3, "over": "all"}),
        (("-O", "+experiment=fast"), {"thresh": 0.9, "n_min": "1/32", "workers": 16}),
        (
            ("-O", "+data=val", "-O", "labels=l.pt"),
            {**OHEM, "logits": "val/logits", "labels": "l.pt", "class_names": "road,car"},
        ),
        (("-O", "loss.gamma=${loss.thresh}"), {**OHEM, "gamma": 0.6}),
        (("-O", "loss.thresh=${run.top}0e-3"), {"thresh": 0.1, "n_min": "1/32", "workers": 4}),
        (("-O", "alpha=[1,2,0.5]"), {**OHEM, "alpha": "1,2,0.5"}),
        (("-O", "class_names=[traffic light,car]"), {**OHEM, "class_names": "traffic light,car"}),
        (("-O", "class_names='road,car'"), {**OHEM, "class_names": "road,car"}),
        (("-O", "metrics=false", "-O", "images=a b/c"), {**OHEM, "metrics": False, "images": Path("a b/c")}),
        (("-O", "alpha=null", "-O", "sweep=gamma\\=1\\,2"), {**OHEM, "sweep": ["gamma=1,2"]}),
        (("-O", "device=cuda:1"), {**OHEM, "device": "cuda:1"}),
        (("--thresh", "0.1"), {"thresh": 0.1, "n_min": "1/32", "workers": 4}),
        (("--thresh", "0.1", "-O", "thresh=0.2", "--workers", "1"), {"thresh": 0.1, "n_min": "1/32", "workers": 1}),
        (
            ("a.pt", "-O", "+data=val", "-O", "labels=l.pt"),
            {**OHEM, "logits": "a.pt", "labels": "l.pt", "class_names": "road,car"},
        ),
        (("a.pt", "b.pt", "-O", "+data=val"), {**OHEM, "logits": "a.pt", "labels": "b.pt", "class_names": "road,car"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_tree_gives_defaults(tree: Path, options: Options, argv: tuple[str, ...], changed: dict[str, Any]) -> None:
    assert options("--config-dir", tree, *argv) == {**DEFAULTS, **changed}


@pytest.mark.parametrize(
    ("argv", "changed"),
    [
        (("-O", "thresh=0.5"), {"thresh": 0.5}),
        # Where there is no group of files, a group's name is that of the option.
        (("-O", "loss=ohem"), {"losses": "ohem"}),
        (("-O", "loss=[ohem,ce]"), {"losses": "ohem,ce"}),
        (("-O", "loss={thresh: 0.5, loss: ce}"), {"thresh": 0.5, "losses": "ce"}),
        (("-O", "smooth=${loss.thresh}"), {"smooth": 0.7}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_overrides_work_without_files(options: Options, argv: tuple[str, ...], changed: dict[str, Any]) -> None:
    assert options(*argv) == {**DEFAULTS, **changed}


def test_other_main_files(write: Write, tree: Path, options: Options, tmp_path: Path) -> None:
    write({"val.yaml": "loss: {thresh: 0.3}\n", "runs/night.yaml": "# @package _global_\nrun: {workers: 9}\n"})
    assert options("--config-dir", tree, "--config-name", "val")["thresh"] == 0.3
    assert options("--config-dir", tmp_path / "conf", "--config-name", "val.yaml")["thresh"] == 0.3
    assert options("--config-dir", tree, "--config-name", "runs/night")["workers"] == 9


def test_groups_may_be_empty(write: Write, options: Options) -> None:
    folder = write({"config.yaml": "# nothing yet\nloss:\ndata: {}\n"})
    assert options("--config-dir", folder) == DEFAULTS


def test_output_options_stand_at_the_root(command: Run, tree: Path) -> None:
    toy.seen.clear()
    assert command("--config-dir", tree, "-O", "csv=true", "--json").err.startswith("error: --json and --csv were both")


def test_a_command_without_groups(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segcli.cli.app", toy.app)
    toy.seen.clear()
    assert segcli("bare", "-O", "size=3", "-O", "json=true").code == 0
    assert toy.seen == [{"size": 3, "tag": ["a", "b"], "json": True}]
    assert segcli("bare", "-O", "tag=[x,'y,z']", "--show-config").out == "size: 1\ntag:\n- x\n- y,z\n"
    assert segcli("bare", "-O", "tag=null", "-O", "size=7").code == 0
    assert toy.seen[1] == {"size": 7, "tag": ["a", "b"], "json": False}
    done = segcli("bare", "-O", "size=3,4")
    assert done.err.startswith("error: -O size=3,4 sweeps over size; this command sweeps nothing\n")


def test_environment_variables(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGCLI_TEST_PLACE", "elsewhere")
    assert options("-O", "logits=${oc.env:SEGCLI_TEST_PLACE}/logits")["logits"] == "elsewhere/logits"


# Words that Hydra's grammar and YAML read as they are.
WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_/.-]{0,8}", fullmatch=True).filter(
    lambda word: yaml.safe_load(word) == word and word.lower() not in ("inf", "nan")
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "loss.thresh": st.floats(0, 1),
        "loss.n_min": st.integers(0, 10**9).map(str) | st.integers(1, 99).map("1/{}".format),
        "loss.squared": st.booleans(),
        "loss.absent": st.sampled_from(["skip", "zero", "count"]),
        "data.ignore_index": st.integers(-(2**63), 2**63 - 1),
        "data.logits": WORDS,
        "data.class_names": st.lists(WORDS, min_size=1, max_size=4),
        "run.metrics": st.booleans(),
    },
)


def spelled(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@settings(max_examples=8)
@given(values=VALUES)
@example(values={"loss.thresh": 5e-324, "data.ignore_index": -(2**63)})
@example(values={"data.logits": "a", "data.class_names": ["a", "b/c"]})
def test_hydra_composes_the_same(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Ours against Hydra's own compose, from the same overrides: values are those, as a person would type them."""
    from segcli.cli import run

    overrides = [f"++{key}={spelled(value)}" for key, value in values.items()]
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(tmp_path_factory.getbasetemp())):
        theirs = OmegaConf.to_container(hydra.compose(overrides=overrides), resolve=True)
    toy.seen.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcli.cli.app", toy.app)
        assert run(["loss", *(word for override in overrides for word in ("-O", override))]) == 0
    assert isinstance(theirs, dict)
    assert {f"{group!s}.{name!s}" for group, part in theirs.items() for name in part} == set(values)
    for key in values:
        group, _, name = key.partition(".")
        expected = theirs[group][name]
        ours = toy.seen[0][name]
        assert ours == (",".join(expected) if isinstance(expected, list) else type(ours)(expected))


@settings(max_examples=8)
@given(values=VALUES)
@example(values={"loss.thresh": 0.1, "data.class_names": ["a", "b"]})
def test_what_is_shown_composes_to_the_same(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    from segcli.cli import run

    folder = tmp_path_factory.mktemp("shown")
    overrides = [word for key, value in values.items() for word in ("-O", f"{key}={spelled(value)}")]
    file = folder / "config.yaml"
    toy.seen.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcli.cli.app", toy.app)
        assert run(["loss", *overrides, "--show-config", "-o", str(file)]) == 0
        assert toy.seen == []
        assert run(["loss", *overrides]) == 0
        assert run(["loss", "--config-dir", str(folder)]) == 0
    assert toy.seen[0] == toy.seen[1]


def test_the_options_shown(command: Run, tree: Path) -> None:
    done = command(
        "--config-dir",
        tree,
        "-O",
        "+data=val",
        "a.pt",
        "b.pt",
        "--images",
        "pictures",
        "-q",
        "-O",
        "gamma=1,2",
        "--show-config",
    )
    assert (done.code, done.err) == (0, "")
    assert yaml.safe_load(done.out) == {
        "quiet": True,
        "data": {
            "logits": "a.pt",
            "labels": "b.pt",
            "ignore_index": 255,
            "class_names": "road,car",
            "resize": None,
            "images": "pictures",
        },
        "loss": {
            "loss": "all that apply",
            "thresh": 0.6,
            "n_min": "1/32",
            "gamma": 2.0,
            "alpha": None,
            "smooth": None,
            "squared": False,
            "reduce": "image",
            "absent": "skip",
        },
        "run": {"device": "cpu", "workers": 4, "over": "file", "top": 10, "metrics": True, "sweep": ["gamma=1,2"]},
    }


def test_help_tells_of_sweeps(command: Run) -> None:
    found = command("--help").out
    assert "choose a group's file (loss=ohem)" in found
    assert "sweep (thresh=0.6,0.7). Repeatable." in found


@pytest.mark.parametrize("groups", [{"loss": ("thresh", "nothing")}, {"loss": ("context_",)}], ids=str)
def test_unknown_parameters_are_a_mistake_of_ours(groups: dict[str, tuple[str, ...]]) -> None:
    def command(*, thresh: float = 0.7, output: object) -> None:
        del thresh, output

    with pytest.raises(ValueError, match=r"no parameters of the command: (nothing|context_)$"):
        with_composition(groups=groups)(command)
