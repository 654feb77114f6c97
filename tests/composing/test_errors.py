from pathlib import Path

import pytest

from tests.composing import toy
from tests.composing.conftest import Options, Write, assert_short
from tests.conftest import Run


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"config.yaml": "loss: {tresh: 1}"},
            "conf/config.yaml names an unknown key 'loss.tresh'\nhint: did you mean loss.thresh",
        ),
        (
            {"config.yaml": "thresh: 1"},
            "conf/config.yaml names an unknown key 'thresh'\nhint: did you mean loss.thresh?",
        ),
        (
            {"config.yaml": "loss: 5"},
            "conf/config.yaml gives the group 'loss' one value, expected options with values\nhint: its options: loss,",
        ),
        ({"config.yaml": "5: 5"}, "conf/config.yaml holds dict, expected option names with values"),
        ({"config.yaml": "loss: {5: 5}"}, "conf/config.yaml names an unknown key 'loss.5'"),
        (
            {"config.yaml": "loss: {thresh: {a: 1}}"},
            "invalid value for 'loss.thresh' in conf/config.yaml: it holds a dict",
        ),
        ({"config.yaml": "loss: ${data}\ndata: {}"}, "conf/config.yaml gives the group 'loss' one value"),
        (
            {"loss/ohem.yaml": "tresh: 1"},
            "conf/loss/ohem.yaml names an unknown key 'loss.tresh'\nhint: did you mean loss.thresh",
        ),
        (
            {"loss/ohem.yaml": "_target_: subprocess.run\nargs: [touch, pwned]"},
            "conf/loss/ohem.yaml names an unknown key 'loss._target_'",
        ),
        (
            {"loss/ohem.yaml": "thresh: high"},
            "invalid value for 'loss.thresh' in conf/loss/ohem.yaml: 'high' is not a valid float\n",
        ),
        ({"loss/ohem.yaml": "class: ${loss.thresh}"}, "conf/loss/ohem.yaml names an unknown key 'loss.class'"),
        (
            {"loss/ohem.yaml": "n_min: no"},
            "invalid value for 'loss.n_min' in conf/loss/ohem.yaml: it is false, expected no truth value",
        ),
        (
            {"loss/ohem.yaml": "thresh: ${loss.alfa}"},
            "'loss.thresh' in conf/loss/ohem.yaml cannot be filled in: interpolation key 'loss.alfa' not found",
        ),
        (
            {"loss/ohem.yaml": "thresh: 1\nthresh: 2"},
            "conf/config.yaml cannot be composed: while constructing a mapping in ",
        ),
        ({"loss/ohem.yaml": "thresh: ["}, "conf/config.yaml cannot be composed: while parsing a flow node"),
        (
            {"loss/ohem.yaml": "thresh: " + "[" * 5000},
            "conf/config.yaml has files that name one another in a circle, or values that nest too deep",
        ),
        ({"loss/ohem.yaml": "- 5"}, "conf/loss/ohem.yaml gives the group 'loss' one value"),
        ({"loss/ohem.yaml": "5"}, "conf/config.yaml cannot be composed: invalid loaded object type: int"),
        (
            {"loss/ohem.yaml": "a: !!python/object/apply:os.system [touch pwned]"},
            "conf/config.yaml cannot be composed: could not determine a constructor",
        ),
        (
            {"loss/ohem.yaml": "# @package _global_\nhydra: {job: {env_copy: [SEGCLI_NO_SUCH]}}"},
            "conf/config.yaml cannot be composed: 'SEGCLI_NO_SUCH'",
        ),
        (
            {"loss/ohem.yaml": "# @package _global_\nhydra: {searchpath: [pkg://this]}"},
            "conf/config.yaml cannot be composed: in 'loss/ohem': Overriding hydra.searchpath is only",
        ),
        (
            {"config.yaml": "hydra: {searchpath: [pkg://this]}"},
            "conf/config.yaml has settings for Hydra itself (hydra), which do nothing here",
        ),
        (
            {"config.yaml": "defaults: [{loss: nothing}]"},
            "conf/config.yaml names loss/nothing in its defaults list: loss=nothing: there is no conf/loss/",
        ),
        (
            {"config.yaml": "defaults: [nothing]"},
            "conf/config.yaml names nothing in its defaults list: there is no conf/nothing.yaml\nhint: known: config",
        ),
        (
            {"config.yaml": "defaults: [{loss: ohem}, {loss: dice}]"},
            "conf/config.yaml cannot be composed: multiple values for loss",
        ),
        ({"config.yaml": "defaults: [{override loss: dice}]"}, "conf/config.yaml has no loss in its defaults list"),
        ({"config.yaml": "defaults: 7"}, "conf/config.yaml cannot be composed: invalid defaults list"),
        ({"config.yaml": "defaults: [config]"}, "conf/config.yaml has files that name one another in a circle"),
        ({"config.yaml": "a: ["}, "conf/config.yaml is not YAML: "),
        ({"config.yaml": "- 5"}, "conf/config.yaml holds list, expected option names with values"),
        ({"config.yaml": "x: " + "0" * 1_000_000}, "conf/config.yaml has more than 1,000,000 bytes"),
    ],
    ids=lambda value: " ".join(value.values())[:60] if isinstance(value, dict) else "",
)
def test_bad_trees_are_refused(
    tree: Path, write: Write, command: Run, tmp_path: Path, files: dict[str, str], message: str
) -> None:
    write(files)
    done = command("--config-dir", tree)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")
    assert_short(done.err)
    assert not list(tmp_path.glob("pwned"))


def test_the_source_of_a_key_is_its_last_file(tree: Path, write: Write, command: Run) -> None:
    write({"config.yaml": "defaults: [_self_, {loss: dice}, experiment/fast]\nloss: {thresh: 5}\n"})
    assert "'loss.thresh' in conf/config.yaml" not in command("--config-dir", tree).err
    write({"experiment/fast.yaml": "# @package _global_\nloss: {thresh: 7}\n", "loss/dice.yaml": ""})
    assert "'loss.thresh' in conf/experiment/fast.yaml: 7.0 is not" in command("--config-dir", tree).err
    write({"experiment/fast.yaml": "# @package loss\nthresh: 8\n"})
    assert "'loss.thresh' in conf/experiment/fast.yaml: 8.0 is not" in command("--config-dir", tree).err
    write({"experiment/fast.yaml": "# @package run\nthresh: 8\n"})
    assert "conf/experiment/fast.yaml names an unknown key 'run.thresh'" in command("--config-dir", tree).err
    # A group that an override sets as a whole.
    done = command("--config-dir", tree, "-O", "run={thresh: 9}")
    assert "-O run={thresh: 9} names an unknown key 'run.thresh'" in done.err


def test_a_key_that_no_file_spells_out(tree: Path, write: Write, command: Run) -> None:
    """Hydra merges what YAML's own << brings in, and what a package puts deeper than its file."""
    write({"config.yaml": "defaults: [{loss@data.x: ohem}]\n"})
    assert "conf/loss/ohem.yaml names an unknown key 'data.x'" in command("--config-dir", tree).err


def test_missing_values(tree: Path, command: Run, options: Options) -> None:
    argv = ("--config-dir", tree, "-O", "+data=val")
    done = command(*argv)
    assert done.code == 2
    assert done.err == (
        "error: 'data.labels' in conf/data/val.yaml is ???, expected a value\n"
        "hint: give it there, with -O, or as an option of segcli loss\n"
    )
    assert "'data.labels' in conf/data/val.yaml is ???" in command(*argv, "--show-config").err
    assert options(*argv, "-O", "data.labels=l.pt")["labels"] == "l.pt"
    assert options(*argv, "l.pt", "m.pt")["labels"] == "m.pt"
    # A sweep is a value, too.
    assert options("-O", "thresh=???", "-O", "thresh=0.5,0.6")["sweep"] == ["thresh=0.5,0.6"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--config-dir", "confs"), "--config-dir confs does not exist\nhint: did you mean conf?"),
        (("--config-dir", "nowhere/confs"), "--config-dir nowhere/confs does not exist\n"),
        (
            ("--config-dir", "conf/config.yaml"),
            "--config-dir conf/config.yaml is no folder\nhint: known: data, experiment, loss",
        ),
        (("--config-dir", "conf", "--config-name", "confg"), "there is no conf/confg.yaml\nhint: did you mean config?"),
        (("--config-dir", "conf", "--config-name", "loss/x"), "there is no conf/loss/x.yaml\nhint: known: dice, ohem"),
        (("--config-dir", "."), "there is no config.yaml\nhint: there are no files that end in .yaml"),
        (
            ("--config-name", "config"),
            "--config-name config was given without the folder that it lies in\nhint: name it with --config-dir",
        ),
        (("--config-dir", "conf", "--config", "conf/flat.yaml"), "--config and --config-dir or -O were both given"),
        (("--config", "conf/flat.yaml", "-O", "thresh=1"), "--config and --config-dir or -O were both given"),
        (
            (
                "--config",
                "conf/flat.yaml",
                "--config-dir",
                "conf",
                "--config-name",
                "config",
                "-O",
                "thresh=1",
                "--show-config",
            ),
            "--config and --config-dir or -O were both given",
        ),
        (
            (
                "--config-dir",
                "conf",
                "--config-name",
                "config",
                "-O",
                "thresh=1",
                "--show-config",
                "--config",
                "conf/flat.yaml",
            ),
            "--config and --config-dir or -O were both given",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage(tree: Path, write: Write, command: Run, argv: tuple[str, ...], message: str) -> None:
    write({"flat.yaml": "loss: {thresh: 0.5}\n"})
    assert tree.is_dir()
    done = command(*argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")
    assert_short(done.err)


def test_a_file_of_options_still_works(write: Write, tree: Path, options: Options, command: Run) -> None:
    write({"flat.yaml": "loss: {thresh: 0.5, sweep: ['gamma=1,2'], class-names: [road, car]}\n"})
    assert tree.is_dir()
    assert options("--config", "conf/flat.yaml")["thresh"] == 0.5
    assert options("--config", "conf/flat.yaml")["sweep"] == ["gamma=1,2"]
    assert "thresh: 0.5\n" in command("--config", "conf/flat.yaml", "--show-config").out


def test_a_yml_file_is_pointed_at(write: Write, command: Run) -> None:
    folder = write({"config.yml": "loss: {}\n"})
    done = command("--config-dir", folder)
    assert done.err == "error: there is no conf/config.yaml\nhint: rename conf/config.yml\n"


def test_a_long_list_of_names_is_cut(write: Write, command: Run) -> None:
    folder = write({f"{number:02}.yaml": "loss: {}" for number in range(30)})
    err = command("--config-dir", folder).err
    assert err.endswith(
        "hint: known: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, ...\n"
    )


def test_hydras_remarks_are_notes(write: Write, tree: Path, command: Run) -> None:
    write({"config.yaml": "defaults: [{loss: ohem}]\nloss: {thresh: 0.8}\n"})
    toy.seen.clear()
    done = command("--config-dir", tree)
    assert (done.code, toy.seen[0]["thresh"]) == (0, 0.8)
    assert done.err.startswith("note: in 'config': Defaults list is missing `_self_`")
    assert len(done.err.splitlines()) == 1
    assert command("--config-dir", tree, "-q").err == ""


def test_nothing_of_a_tree_is_imported(tree: Path, write: Write, command: Run, tmp_path: Path) -> None:
    """Hydra imports packages that ``hydra.searchpath`` names, and calls what ``hydra.callbacks`` and _target_ name."""
    (tmp_path / "hostile").mkdir()
    (tmp_path / "hostile/__init__.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')\n")
    callback = "hydra: {callbacks: {x: {_target_: hostile.X}}}"
    for name, content in (
        ("config.yaml", "hydra: {searchpath: [pkg://hostile]}"),
        ("config.yaml", callback),
        ("config.yaml", "defaults: [{loss: ohem}]"),
        ("loss/ohem.yaml", f"# @package _global_\n{callback}"),
        ("loss/ohem.yaml", "_target_: hostile.X"),
    ):
        write({name: content})
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(tmp_path))
            command("--config-dir", tree)
            command("--config-dir", tree, "-O", "hydra.searchpath=[pkg://hostile]")
            command("--config-dir", tree, "-O", "loss._target_=hostile.X")
    assert not (tmp_path / "pwned").exists()
