from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "segcli.yaml"


def test_a_file_gives_defaults(segcli: Run, config: Path) -> None:
    config.write_text("params:\n  conv:\n    kernel: 1x5\n    bias: true\n    groups: 4\n")
    document = segcli("params", "conv", 16, 64, "--config", config, "--json").json
    assert document["layer"]["kernel"] == [1, 5]
    assert document["layer"]["bias"] is True
    assert document["layer"]["groups"] == 4


def test_the_command_line_wins(segcli: Run, config: Path) -> None:
    config.write_text("params: {conv: {kernel: 5}}\n")
    document = segcli("params", "conv", 16, 64, "--config", config, "-k", 1, "--json").json
    assert document["layer"]["kernel"] == [1, 1]


def test_output_options_have_defaults_too(segcli: Run, config: Path) -> None:
    config.write_text("params: {json: true}\n")
    assert segcli("params", "--config", config).json["schema"] == "segcli.params/1"


def test_underscores_are_dashes_and_an_empty_file_is_fine(segcli: Run, config: Path) -> None:
    config.write_text("params: {no_color: true}\n")
    assert segcli("params", "--config", config).code == 0
    config.write_text("# nothing yet\n")
    assert segcli("params", "--config", config).code == 0


def test_a_section_of_another_command_is_left_alone(segcli: Run, config: Path) -> None:
    config.write_text("loss: {thresh: 0.6}\nparams: {conv: {kernel: 5}}\n")
    assert segcli("params", "--config", config).code == 0


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("params: {conv: {kernle: 5}}", "names an unknown option 'kernle'\nhint: did you mean kernel?"),
        ("parms: {}", "names an unknown command 'parms'\nhint: did you mean params?"),
        ("params: {conf: {}}", "names an unknown option 'conf'\nhint: did you mean conv?"),
        ("params: {conv: {groups: many}}", "invalid value for '--groups'"),
        ("params: {conv: {groups: 1.5}}", "invalid value for '--groups'"),
        ("params: {conv: {groups: [1, 2]}}", "invalid value for '--groups'"),
        ("params: {conv: {groups: many}}", "segcli.yaml: 'many' is not a valid int"),
        (
            "params: {conv: {groups: true}}",
            "segcli.yaml: it is true, expected no truth value\nhint: put a word in quotes",
        ),
        (
            "params: {conv: {groups: null}}",
            "segcli.yaml: it is null, expected a value\nhint: leave it out for the default",
        ),
        ("params: {conv: {bias: 7}}", "segcli.yaml: '7' is not a valid bool"),
        ("params: {conv: {groups: 2024-13-45}}", "is not YAML: month must be in 1..12"),
        ("params: {conv: 5}", "section conv of "),
        ("params: {conv: {5: 5}}", "section conv of "),
        ("- kernel", "holds list, expected option names with values"),
        ("a: [", "is not YAML: while parsing"),
        ("\x00", "is not YAML: "),
        ("[" * 100_000, "is not YAML: "),
        ("params: !!python/object/apply:os.system ['true']", "is not YAML: could not determine a constructor"),
    ],
)
def test_bad_files_are_refused(segcli: Run, config: Path, content: str, error: str) -> None:
    config.write_text(content)
    done = segcli("params", "conv", 16, 64, "--config", config)
    assert (done.code, done.out) == (2, "")
    assert error in done.err
    assert "Traceback" not in done.err


def test_a_binary_file_is_refused(segcli: Run, config: Path) -> None:
    config.write_bytes(b"\xff\xfe\x00")
    assert "is not YAML" in segcli("params", "--config", config).err


def test_a_missing_file_is_refused(segcli: Run, config: Path) -> None:
    done = segcli("params", "--config", config)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {config} does not exist\n")


def test_a_file_without_an_end_is_refused(segcli: Run) -> None:
    assert "/dev/zero has more than 1,000,000 bytes" in segcli("params", "--config", "/dev/zero").err
